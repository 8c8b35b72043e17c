from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.endpointing import (
    PRESETS,
    EndpointSettings,
    EndReason,
    Evidence,
    FinalEndpointer,
    SpeculativeEndpointer,
    WebRtcVad,
    completeness,
)

FRAME = 0.02


def utterance(speech: list[bool], words: tuple[str, ...] = ("lights", "off"), *, blank: float = 1.0) -> list[Evidence]:
    """Evidence of an utterance whose words are known when it begins."""
    rows, silence = [], 0.0
    for number, heard in enumerate(speech, 1):
        silence = 0.0 if heard else silence + FRAME
        now = round(number * FRAME, 6)
        rows.append(Evidence(now, heard, silence, silence, blank, now, words, completeness(words), now))
    return rows


def end_of(settings: EndpointSettings, rows: list[Evidence]) -> tuple[float | None, EndReason | None]:
    final = FinalEndpointer(settings)
    for row in rows:
        reason = final.update(row)
        if reason:
            return row.time, reason
    return None, None


def guess_of(settings: EndpointSettings, rows: list[Evidence]) -> float | None:
    speculative = SpeculativeEndpointer(settings)
    return next((row.time for row in rows if speculative.update(row)), None)


@pytest.mark.parametrize(
    ("words", "low", "high"),
    [
        ("call", 0, 0), ("call maria and", 0, 0), ("turn on the", 0, 0), ("get me", 0, 0), ("i want to call", 0, 0),
        ("set a timer for ten", 0.1, 0.9), ("turn on", 0.1, 0.9), ("", 0.5, 0.5), ("stop", 1, 1),
        ("call maria", 1, 1), ("set a timer for ten minutes", 1, 1), ("turn on the den lamp", 1, 1),
        ("give me a call", 1, 1),
    ],
)  # fmt: skip
def test_words_that_call_for_more_look_incomplete(words: str, low: float, high: float) -> None:
    assert low <= completeness(words.split()) <= high


@pytest.mark.parametrize("preset", PRESETS)
def test_complete_words_end_sooner_and_the_guess_comes_first(preset: str) -> None:
    settings = PRESETS[preset]
    speech = [True] * 50 + [False] * 150
    whole, open_ended = utterance(speech), utterance(speech, ("call",))
    assert end_of(settings, whole)[1] is EndReason.silence
    assert end_of(settings, whole)[0] == pytest.approx(1.0 + settings.final_complete, abs=FRAME + 1e-6)
    assert end_of(settings, open_ended)[0] == pytest.approx(1.0 + settings.final_incomplete, abs=FRAME + 1e-6)
    for rows in (whole, open_ended):
        lead = (end_of(settings, rows)[0] or 0) - (guess_of(settings, rows) or 9)
        assert lead >= 0.15


def test_a_voice_that_goes_on_gets_more_time() -> None:
    settings = PRESETS["balanced"]
    rows = utterance([True] * 50 + [False] * 150)
    ends = [end_of(settings, [replace(row, finality=value) for row in rows])[0] or 9 for value in (1.0, 0.58, 0.2)]
    assert ends == sorted(ends)
    assert ends[0] == pytest.approx(1.0 + settings.final_complete, abs=FRAME + 1e-6)
    assert ends[2] == pytest.approx(1.0 + settings.final_unsure, abs=FRAME + 1e-6)
    guesses = [guess_of(settings, [replace(row, finality=value) for row in rows]) or 9 for value in (1.0, 0.2)]
    assert guesses == pytest.approx([1 + settings.speculative_complete, 1 + settings.speculative_unsure], abs=FRAME)


def test_words_after_which_sentences_end_get_less_time_and_others_more() -> None:
    settings = PRESETS["balanced"]
    rows = utterance([True] * 50 + [False] * 150)

    def ends(finality: float, *endings: float | None) -> list[float]:
        told = ([replace(row, finality=finality, ending=ending) for row in rows] for ending in endings)
        return [end_of(settings, each)[0] or 9 for each in told]

    likely, unknown, unlikely = ends(0.58, -0.4, None, -4.0)
    assert likely == pytest.approx(1.0 + settings.final_complete, abs=FRAME + 1e-6)
    assert likely < unknown < unlikely == pytest.approx(1.0 + settings.final_unsure, abs=FRAME + 1e-6)
    # a voice that clearly goes on is not talked over, and one that has clearly finished is believed
    assert ends(0.1, 0.0) == ends(0.1, None)
    assert ends(0.9, -20.0) == ends(0.9, None)
    assert ends(1.0, -20.0, 0.0) == ends(1.0, None, None)
    assert ends(0.0, -20.0, 0.0) == ends(0.0, None, None)


def test_who_has_paused_before_gets_more_time() -> None:
    settings = PRESETS["balanced"]
    speech = [True] * 50 + [False] * 17 + [True] * 30 + [False] * 150
    assert (end_of(settings, utterance(speech))[0] or 9) == pytest.approx(1.94 + settings.final_unsure, abs=0.03)
    fluent = [True] * 50 + [False] * 10 + [True] * 37 + [False] * 150
    assert (end_of(settings, utterance(fluent))[0] or 9) == pytest.approx(1.94 + settings.final_complete, abs=0.03)


def test_balanced_guesses_at_least_200_ms_ahead() -> None:
    rows = utterance([True] * 50 + [False] * 150)
    ahead = (end_of(PRESETS["balanced"], rows)[0] or 0) - (guess_of(PRESETS["balanced"], rows) or 9)
    assert round(ahead, 6) >= 0.2


speech_patterns = st.lists(st.tuples(st.booleans(), st.integers(1, 60)), min_size=1, max_size=12).map(
    lambda runs: [heard for heard, count in runs for _ in range(count)]
)
word_lists = st.lists(st.sampled_from("call maria and the lights off ten for".split()), max_size=4).map(tuple)


@given(speech_patterns, word_lists)
def test_never_before_the_least_silence_and_patience_never_sooner(speech: list[bool], words: tuple[str, ...]) -> None:
    rows = utterance(speech, words)
    ends = {name: end_of(settings, rows) for name, settings in PRESETS.items()}
    for name, (time, reason) in ends.items():
        if reason is EndReason.silence:
            run = rows[round(time / FRAME) - 1].trailing_silence
            # a burst of voice activity shorter than 60 ms does not count
            assert run > 0 or any(not heard for heard in speech)
            assert time >= PRESETS[name].final_complete
    order = [ends[name][0] if ends[name][0] is not None else float("inf") for name in ("fast", "balanced", "patient")]
    assert order == sorted(order)


@given(speech_patterns, word_lists)
def test_the_guess_is_made_once_and_not_without_words(speech: list[bool], words: tuple[str, ...]) -> None:
    speculative = SpeculativeEndpointer(PRESETS["balanced"])
    fired = [row for row in utterance(speech, words) if speculative.update(row)]
    assert len(fired) <= (1 if words else 0)
    assert not any(row.speech for row in fired)


def test_a_glitch_of_voice_activity_does_not_start_the_silence_anew() -> None:
    clean = utterance([True] * 50 + [False] * 40)
    glitch = utterance([True] * 50 + [False] * 8 + [True] + [False] * 31)
    assert end_of(PRESETS["balanced"], glitch) == end_of(PRESETS["balanced"], clean)
    speech = utterance([True] * 50 + [False] * 8 + [True] * 10 + [False] * 40)
    assert (end_of(PRESETS["balanced"], speech)[0] or 0) > (end_of(PRESETS["balanced"], clean)[0] or 9) + 0.3


def test_changing_words_hold_the_end_back() -> None:
    rows = utterance([True] * 50 + [False] * 40)
    unstable = [replace(row, stable_for=0.05) for row in rows]
    assert end_of(PRESETS["balanced"], unstable) == (None, None)


def test_no_words_the_longest_utterance_and_noise_without_end() -> None:
    settings = PRESETS["balanced"]
    assert end_of(settings, utterance([True] * 20 + [False] * 100, ()))[1] is EndReason.no_speech
    assert end_of(settings, utterance([True] * 400, ())) == (pytest.approx(settings.no_speech), EndReason.no_speech)
    long = utterance([True] * 2000)
    assert end_of(settings, [replace(row, trailing_blank=0.0) for row in long])[1] is EndReason.max_length
    fan = [replace(row, trailing_blank=row.time - 1) for row in long]
    assert end_of(settings, fan)[1] is EndReason.silence


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"final_complete": -1}, "final_complete is -1"), ({"no_words": float("nan")}, "no_words is nan"),
        ({"speculative_complete": 2}, "speculative_complete is 2"), ({"max_utterance": 0}, "max_utterance is 0"),
    ],
)  # fmt: skip
def test_settings_say_what_is_wrong_with_them(values: dict[str, float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        replace(PRESETS["balanced"], **values)


def test_voice_activity_hears_speech_and_not_steady_noise() -> None:
    from demo import DEMO
    from nearword.models import read_audio

    vad = WebRtcVad()
    samples = read_audio(DEMO)
    heard = [vad.accept(samples[k : k + 320]) for k in range(0, len(samples) - 320, 320)]
    # speech from 0.25 s to 2.0 s and from 2.85 s to 4.0 s
    assert not any(heard[:8])
    assert np.mean(heard[15:90]) > 0.7
    assert not any(heard[125:138])
    vad.reset()
    assert not any(vad.accept(np.zeros(320, np.float32)) for _ in range(50))
    noise = np.random.default_rng(0).normal(0, 0.05, (1500, 320)).astype(np.float32)
    late = [vad.accept(frame) for frame in noise][750:]
    assert not any(late)
    with pytest.raises(ValueError, match="expected 0, 1, 2 or 3"):
        WebRtcVad(5)
