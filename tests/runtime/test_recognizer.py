import numpy as np
import pytest
from contract import SMALL_SEARCH, Always, EndEvery, ScriptedSpeculative, check_contract, random_audio, scripted
from demo import DEMO, DEMO_TEXT
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.endpointing import EndReason, Evidence
from nearword.models import SAMPLE_RATE, AudioError, Transducer, read_audio
from nearword.runtime import GREEDY, SearchOptions, Transcriber
from nearword.runtime.recognition.events import (
    AudioLost,
    Event,
    Final,
    FinalReason,
    Partial,
    SpeculativeFinal,
    SpeechStarted,
)
from nearword.runtime.recognition.recognizer import Recognizer

NEVER = EndEvery(10**9, EndReason.silence)


def feed(recognizer: Recognizer, samples: np.ndarray, sizes: list[int]) -> list[Event]:
    events, start = [], 0
    for size in sizes:
        events += recognizer.accept(samples[start : start + size])
        start += size
    return [*events, *recognizer.accept(samples[start:]), *recognizer.finish()]


def only(kind: type, events: list[Event]) -> list:
    return [event for event in events if isinstance(event, kind)]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    length=st.integers(0, 80000),
    speculative=st.sampled_from((0.0, 0.05, 0.5, 1.0)),
    final=st.sampled_from((0.0, 0.01, 0.1, 1.0)),
    losses=st.lists(st.tuples(st.integers(0, 9000), st.sampled_from((0.0, 0.013, 0.7, 1.0, 30.0))), max_size=4),
)
def test_the_contract_holds_whatever_audio_and_end_pointers_do(
    toy: Transducer, seed: int, length: int, speculative: float, final: float, losses: list[tuple[int, float]]
) -> None:
    recognizer = scripted(toy, seed, speculative=speculative, final=final)
    samples, events, start = random_audio(seed, length / 16000), [], 0
    for size, gone in losses:
        events += recognizer.accept(samples[start : start + size])
        events += recognizer.lost(gone, "test")
        start += size
    events += feed(recognizer, samples[start:], [])
    check_contract(events)
    assert recognizer.seconds == pytest.approx(len(samples) / 16000 + sum(gone for _, gone in losses), abs=1e-3)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), sizes=st.lists(st.integers(0, 9000), max_size=10))
def test_the_same_audio_in_any_pieces_gives_the_same_events(toy: Transducer, seed: int, sizes: list[int]) -> None:
    samples = random_audio(seed, 4)
    whole = feed(scripted(toy, seed), samples, [])
    assert feed(scripted(toy, seed), samples, sizes) == whole


@pytest.mark.parametrize("size", [160, 320, 1000, 16000])
def test_pieces_do_not_matter_to_the_real_end_pointers(toy: Transducer, size: int) -> None:
    samples = read_audio(DEMO)
    whole = feed(Recognizer(toy, search=SMALL_SEARCH), samples, [])
    assert feed(Recognizer(toy, search=SMALL_SEARCH), samples, [size] * (len(samples) // size)) == whole
    check_contract(whole)


def test_a_recording_of_two_commands_is_two_utterances(bundled: Transducer) -> None:
    events = feed(Recognizer(bundled), read_audio(DEMO), [])
    check_contract(events)
    finals = only(Final, events)
    assert len(finals) == 2
    assert " ".join(final.text for final in finals) == DEMO_TEXT
    assert finals[0].reason is FinalReason.silence
    assert finals[0].confirms, "the pause after the first command is long enough to guess and to be sure"
    assert finals[1].reason is FinalReason.end_of_stream, "the recording ends too soon for a guess"


def test_completing_an_utterance_leaves_the_stream_as_it_was(toy: Transducer, noise: np.ndarray) -> None:
    recognizer = Recognizer(
        toy, search=SMALL_SEARCH, vad=Always(False), speculative=ScriptedSpeculative(0, 1.0), final=NEVER
    )
    transcriber = Transcriber(toy, SMALL_SEARCH)
    events = recognizer.accept(noise)
    transcriber.accept(noise)
    assert only(SpeculativeFinal, events)
    assert recognizer._loop.search.tokens == transcriber.tokens


def test_without_end_pointers_a_recording_is_one_utterance_with_all_its_words(bundled: Transducer) -> None:
    samples, transcriber = read_audio(DEMO), Transcriber(bundled)
    transcriber.accept(samples)
    events = feed(Recognizer(bundled, speculative=ScriptedSpeculative(0, 0.0), final=NEVER), samples, [])
    (final,) = only(Final, events)
    whole = transcriber.finish()
    assert final.text == whole.text
    assert final.reason is FinalReason.end_of_stream
    for word, expected in zip(final.words, whole.words, strict=True):
        assert word.start == pytest.approx(expected.start, abs=2e-3)
        assert 0 <= word.confidence <= 1


@pytest.mark.parametrize("looks", [7, 20, 60])
def test_an_utterance_cut_for_its_length_loses_and_doubles_no_word(
    toy: Transducer, noise: np.ndarray, looks: int
) -> None:
    def words(final: EndEvery) -> list[str]:
        recognizer = Recognizer(
            toy, search=SMALL_SEARCH, vad=Always(True), speculative=ScriptedSpeculative(0, 0.0), final=final
        )
        events = feed(recognizer, noise, [])
        check_contract(events)
        return "".join(event.text for event in only(Final, events)).replace(" ", "")

    assert words(EndEvery(looks, EndReason.max_length)) == words(NEVER)


def test_speech_begins_an_utterance_and_so_does_a_token(
    toy: Transducer, bundled: Transducer, noise: np.ndarray
) -> None:
    silence = np.zeros(16000, np.float32)
    assert Recognizer(bundled, vad=Always(True), final=NEVER).accept(silence) == [SpeechStarted(1, 0, 0.16)]
    assert Recognizer(bundled, vad=Always(False), final=NEVER).accept(silence) == []
    unheard = Recognizer(
        toy, search=SMALL_SEARCH, vad=Always(False), speculative=ScriptedSpeculative(0, 0.0), final=NEVER
    ).accept(noise)
    assert [type(event) for event in unheard[:2]] == [SpeechStarted, Partial]


def test_a_short_gap_moves_the_words_behind_it(toy: Transducer, noise: np.ndarray) -> None:
    def final(gap: float) -> Final:
        recognizer = Recognizer(
            toy, search=SMALL_SEARCH, vad=Always(True), speculative=ScriptedSpeculative(0, 0.0), final=NEVER
        )
        recognizer.accept(noise[:24000])
        if gap:
            (lost,) = only(AudioLost, recognizer.lost(gap, "test"))
            assert (lost.seconds, lost.reason, lost.time) == (gap, "test", 1.5)
        recognizer.accept(noise[24000:])
        return recognizer.finish()[-1]

    plain, moved = final(0), final(0.5)
    assert moved.text == plain.text
    assert moved.time == plain.time + 0.5
    shifts = [round(b.start - a.start, 3) for a, b in zip(plain.words, moved.words, strict=True)]
    assert shifts == sorted(shifts)
    assert set(shifts) == {0.0, 0.5}


def test_a_long_gap_ends_the_utterance(toy: Transducer, noise: np.ndarray) -> None:
    recognizer = Recognizer(
        toy, search=SMALL_SEARCH, vad=Always(True), speculative=ScriptedSpeculative(0, 0.0), final=NEVER
    )
    recognizer.accept(noise)
    lost, final = recognizer.lost(5.0, "device gone")
    assert isinstance(lost, AudioLost)
    assert final.reason is FinalReason.audio_lost
    assert final.text
    assert recognizer.accept(noise)[0].time > 8.0


def test_what_is_no_number_is_refused_and_not_taken(toy: Transducer, noise: np.ndarray) -> None:
    recognizer, untouched = scripted(toy, 3), scripted(toy, 3)
    broken = noise.copy()
    broken[100] = np.nan
    with pytest.raises(AudioError, match="finite"):
        recognizer.accept(broken)
    assert feed(recognizer, noise, []) == feed(untouched, noise, [])


def test_nothing_more_is_taken_after_the_end(toy: Transducer) -> None:
    recognizer = Recognizer(toy, search=SMALL_SEARCH)
    recognizer.finish()
    assert recognizer.finish() == []
    with pytest.raises(RuntimeError, match="finished"):
        recognizer.accept(np.zeros(10, np.float32))


def test_what_a_speculation_was_given_is_not_computed_again_when_it_is_confirmed(bundled: Transducer) -> None:
    recognizer = Recognizer(bundled)
    silence = np.zeros(2 * SAMPLE_RATE, np.float32)
    events = [*recognizer.accept(np.concatenate([read_audio(DEMO), silence])), *recognizer.finish()]
    guesses = [event for event in events if isinstance(event, SpeculativeFinal)]
    finals = [event for event in events if isinstance(event, Final)]
    confirmed = {(event.utterance, event.confirms): event for event in finals if event.confirms is not None}
    assert confirmed
    for guess in guesses:
        final = confirmed.get((guess.utterance, guess.revision))
        if final is not None:
            assert (final.words, final.n_best) == (guess.words, guess.n_best)
            assert final.lattice is guess.lattice
    assert recognizer.times["result"].calls == len(guesses) + len(finals) - len(confirmed)


@pytest.mark.parametrize(("search", "knows"), [(SearchOptions(), True), (GREEDY, False)])
def test_end_pointers_are_told_how_probable_it_is_that_the_sentence_ends(
    bundled: Transducer, search: SearchOptions, knows: bool
) -> None:
    seen: dict[str, float | None] = {}

    class Watch:
        def update(self, evidence: Evidence) -> EndReason | None:
            seen[" ".join(evidence.words)] = evidence.ending

        def reset(self) -> None:
            pass

    Recognizer(bundled, search=search, final=Watch()).accept(read_audio(DEMO))
    whole, part = (next((text for text in seen if text.endswith(end)), None) for end in ("my way", "i am on my"))
    assert whole is not None
    assert part is not None
    assert (seen[whole] is not None and seen[part] is not None) == knows
    assert not knows or seen[part] < seen[whole]
