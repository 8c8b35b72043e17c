import itertools
import json
import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from nearword.runtime import Transcript, Word
from nearword.runtime.recognition.formats import WRITERS, clock, cues


def transcript(*words: tuple[str, float, float]) -> Transcript:
    made = tuple(Word(text, start, end, 0.9) for text, start, end in words)
    return Transcript(" ".join(w.text for w in made), made, (), 10.0)


CALL = transcript(("call", 0.4, 0.72), ("maria", 0.8, 1.28), ("stop", 3.0, 3.4))


def test_json_is_one_object_in_one_line() -> None:
    line = WRITERS["json"]("a b.wav", CALL, "assistant-en")
    assert line.count("\n") == 1
    row = json.loads(line)
    assert row == {
        "path": "a b.wav",
        "seconds": 10.0,
        "text": "call maria stop",
        "model": "assistant-en",
        "words": [
            {"word": "call", "start": 0.4, "end": 0.72, "confidence": 0.9},
            {"word": "maria", "start": 0.8, "end": 1.28, "confidence": 0.9},
            {"word": "stop", "start": 3.0, "end": 3.4, "confidence": 0.9},
        ],
        "utterances": [],
    }


def test_a_file_name_that_is_no_text_comes_back_as_it_was() -> None:
    line = WRITERS["json"]("a\udcff.wav", CALL, "m")
    assert line.isascii()
    assert json.loads(line)["path"] == "a\udcff.wav"
    assert "café" in WRITERS["json"]("café.wav", CALL, "m")


def test_subtitles_break_at_pauses() -> None:
    assert (
        WRITERS["srt"]("x", CALL, "m")
        == "1\n00:00:00,400 --> 00:00:01,400\ncall maria\n\n2\n00:00:03,000 --> 00:00:04,000\nstop\n\n"
    )
    assert (
        WRITERS["vtt"]("x", CALL, "m")
        == "WEBVTT\n\n00:00:00.400 --> 00:00:01.400\ncall maria\n\n00:00:03.000 --> 00:00:04.000\nstop\n"
    )


def test_subtitles_fit_two_lines() -> None:
    words = [("incomprehensibilities", 0.2 * k, 0.2 * k + 0.1) for k in range(9)]
    assert [len(text) for _, _, text in cues(transcript(*words).words)] == [65, 65, 65]


def test_web_subtitles_have_no_stray_marks() -> None:
    assert "&lt;unk&gt; r&amp;b\n" in WRITERS["vtt"]("x", transcript(("<unk>", 0, 1), ("r&b", 1, 2)), "m")


def test_ctm_has_start_and_duration_and_no_spaces_in_the_name() -> None:
    assert WRITERS["ctm"]("my file.wav", CALL, "m").splitlines()[1] == "my_file.wav 1 0.800 0.480 maria 0.9000"


def test_no_words() -> None:
    empty = transcript()
    assert WRITERS["text"]("x", empty, "m") == "\n"
    assert WRITERS["srt"]("x", empty, "m") == ""
    assert WRITERS["vtt"]("x", empty, "m") == "WEBVTT\n"
    assert WRITERS["ctm"]("x", empty, "m") == ""


@given(st.floats(0, 400_000))
def test_clock_reads_back(seconds: float) -> None:
    match = re.fullmatch(r"(\d\d+):(\d\d):(\d\d),(\d{3})", clock(seconds, ","))
    assert match
    hours, minutes, whole, thousandths = map(int, match.groups())
    assert minutes < 60
    assert whole < 60
    assert abs(hours * 3600 + minutes * 60 + whole + thousandths / 1000 - seconds) <= 0.0006


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0.01, 1)), max_size=40))
def test_cues_keep_every_word_in_order(gaps: list[tuple[float, float]]) -> None:
    words, time = [], 0.0
    for number, (gap, length) in enumerate(gaps):
        words.append(Word(f"w{number}", time + gap, time + gap + length, 1.0))
        time += gap + length
    shown = cues(words)
    assert " ".join(text for _, _, text in shown).split() == [w.text for w in words]
    assert all(0 < end - start <= 6.0 + 1e-9 for start, end, _ in shown)
    # never two at once, as long as the words themselves are not
    assert all(end <= start + 1e-9 for (_, end, _), (start, _, _) in itertools.pairwise(shown))


def test_json_has_the_utterances() -> None:
    row = json.loads(WRITERS["json"]("a.wav", replace(CALL, utterances=(0, 2)), "m"))
    assert row["utterances"] == [
        {"start": 0.4, "end": 1.28, "text": "call maria"},
        {"start": 3.0, "end": 3.4, "text": "stop"},
    ]
