"""Between utterances: where nobody speaks nothing is encoded, and nothing that is said is lost by that."""

import numpy as np
import pytest
from demo import DEMO
from nearword.models import SAMPLE_RATE, FeatureExtractor, Transducer, read_audio
from nearword.runtime import Final, Recognizer, SpeechStarted
from nearword.runtime.recognition.recognizer import IDLE_SECONDS

FRAME = SAMPLE_RATE // 50


def quiet(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1e-3, round(seconds * SAMPLE_RATE)).astype(np.float32)


def finals(recognizer: Recognizer, audio: np.ndarray, size: int = FRAME) -> list[Final]:
    events = [event for start in range(0, len(audio), size) for event in recognizer.accept(audio[start : start + size])]
    return [event for event in (*events, *recognizer.finish()) if isinstance(event, Final)]


def steps(recognizer: Recognizer) -> int:
    return recognizer.times["encoder"].calls if "encoder" in recognizer.times else 0


@pytest.fixture(params=[0.0, 2.0, 7.37, 61.0])
def begun(request: pytest.FixtureRequest, bundled: Transducer) -> tuple[Recognizer, float]:
    recognizer = Recognizer(bundled)
    recognizer.accept(quiet(request.param))
    return recognizer, request.param


def test_the_same_is_heard_after_any_silence(begun: tuple[Recognizer, float], bundled: Transducer) -> None:
    recognizer, silence = begun
    audio = np.concatenate([read_audio(DEMO), quiet(2)])
    expected, found = finals(Recognizer(bundled), audio), finals(recognizer, audio)
    assert [final.text for final in found] == [final.text for final in expected]
    for before, after in zip(expected, found, strict=True):
        for word, later in zip(before.words, after.words, strict=True):
            assert later.start == pytest.approx(silence + word.start, abs=0.1)
            assert later.end == pytest.approx(silence + word.end, abs=0.1)


def test_silence_is_not_encoded(bundled: Transducer) -> None:
    recognizer = Recognizer(bundled)
    recognizer.accept(quiet(IDLE_SECONDS + 1))
    before = steps(recognizer)
    assert before
    assert recognizer.accept(quiet(30, seed=1)) == []
    assert steps(recognizer) == before
    assert recognizer.seconds == pytest.approx(31 + IDLE_SECONDS)
    assert any(isinstance(event, SpeechStarted) for event in recognizer.accept(read_audio(DEMO)))
    assert steps(recognizer) > before


def test_pieces_do_not_matter(bundled: Transducer) -> None:
    audio = np.concatenate([quiet(3.3), read_audio(DEMO), quiet(4.1, seed=1), read_audio(DEMO), quiet(2, seed=2)])
    whole, pieces = (finals(Recognizer(bundled), audio, size) for size in (len(audio), 1237))
    assert len(whole) == 4  # there are two orders in the recording
    assert [final.to_dict() for final in whole] == [final.to_dict() for final in pieces]


def test_what_ends_in_silence_ends_without_words(bundled: Transducer) -> None:
    assert finals(Recognizer(bundled), quiet(5)) == []


def test_memory_of_features_does_not_grow() -> None:
    audio, kept, whole = quiet(40), FeatureExtractor(), FeatureExtractor()
    whole.accept(audio)
    for start in range(0, len(audio), FRAME):
        kept.accept(audio[start : start + FRAME])
        kept.forget(kept.frames_ready - 60)
    start = kept.frames_ready - 60
    np.testing.assert_array_equal(kept.take(start, 60), whole.take(start, 60))
    with pytest.raises(IndexError):
        kept.take(start - 1, 1)
