"""Hum and buzz are taken out before anything listens; all else is left alone."""

from itertools import pairwise

import numpy as np
import pytest
from demo import DEMO
from disturbances import buzz, clipped, hum, offset, wander
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.models import SAMPLE_RATE, Transducer, read_audio
from nearword.runtime import Recognizer, Transcriber
from nearword.runtime.recognition.hum import HumFilter

TALK = read_audio(DEMO)
SPEECH = np.concatenate([np.random.default_rng(3).normal(0, 1e-3, SAMPLE_RATE).astype(np.float32), TALK, TALK])
"""A second of quiet, then speech."""


def filtered(samples: np.ndarray, lengths: tuple[int, ...] = (320,)) -> np.ndarray:
    hum_filter, out, begin = HumFilter(), [], 0
    while begin < len(samples):
        for length in lengths:
            out.append(hum_filter.accept(samples[begin : begin + length]))
            begin += length
    return np.concatenate([*out, hum_filter.finish()])


def decibels(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.square(samples, dtype=np.float64).mean() + 1e-15))


def left_of(disturbed: np.ndarray) -> float:
    """How far below the disturbance is what is left of it, after two seconds."""
    late = slice(2 * SAMPLE_RATE, None)
    return decibels((disturbed - SPEECH)[late]) - decibels((filtered(disturbed) - SPEECH)[late])


@pytest.mark.parametrize("hertz", [25, 30, 49.97, 50, 50.4, 60, 60.02, 75, 90.5, 100, 120])
@pytest.mark.parametrize("height", [0.02, 0.1])
def test_a_steady_hum_is_taken_out_under_speech(hertz: float, height: float) -> None:
    assert left_of(hum(SPEECH, np.random.default_rng(0), hertz=hertz, height=height)) > 15


@pytest.mark.parametrize("hertz", [49.95, 50, 50.03, 59.98, 60])
@pytest.mark.parametrize("ratio", [5.0, 10.0, 20.0])
def test_a_buzz_is_taken_out_with_its_harmonics(hertz: float, ratio: float) -> None:
    assert left_of(buzz(SPEECH, np.random.default_rng(1), hertz=hertz, decibels=ratio)) > 15


def gliding() -> np.ndarray:
    time = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    return (0.2 * np.sin(2 * np.pi * (100 * time + 4 * np.sin(2 * np.pi * time)))).astype(np.float32)


NO_HUM = {
    "speech": SPEECH,
    "speech on an offset": offset(SPEECH, np.random.default_rng(0), height=0.1),
    "speech on an offset that wanders": wander(SPEECH, np.random.default_rng(0), height=0.3),
    "silence": np.zeros(40_000, np.float32),
    "noise": np.random.default_rng(2).normal(0, 0.1, 60_000).cumsum().astype(np.float32) / 300,
    "a voice that goes up and down": gliding(),
    "a tone": (0.1 * np.sin(np.arange(50_001) * 2 * np.pi * 440 / SAMPLE_RATE)).astype(np.float32),
    "a hum that does no harm": hum(SPEECH, np.random.default_rng(0), hertz=50, height=0.003),
    "nothing": np.zeros(0, np.float32),
    "a moment": SPEECH[:100],
}


@pytest.mark.parametrize("what", NO_HUM)
def test_audio_without_hum_passes_bit_for_bit(what: str) -> None:
    for lengths in ((320,), (100_000,), (7, 512)):
        np.testing.assert_array_equal(filtered(NO_HUM[what], lengths), NO_HUM[what])


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(100, 5000), min_size=1, max_size=6), st.sampled_from([47.0, 50.0, 60.0]))
def test_pieces_of_any_length_give_the_same_bytes(lengths: list[int], hertz: float) -> None:
    samples = buzz(SPEECH[: 3 * SAMPLE_RATE + 77], np.random.default_rng(4), hertz=hertz, decibels=3.0)
    whole = filtered(samples, (len(samples),))
    assert len(whole) == len(samples)
    assert not np.array_equal(whole, samples)
    assert filtered(samples, tuple(lengths)).tobytes() == whole.tobytes()


@pytest.mark.parametrize("ends", [True, False])
def test_a_hum_that_ends_or_grows_is_followed(ends: bool) -> None:
    generator = np.random.default_rng(5)
    quiet = generator.normal(0, 1e-3, 10 * SAMPLE_RATE).astype(np.float32)
    later = np.where(np.arange(len(quiet)) < 4 * SAMPLE_RATE, 1.0, 0.0 if ends else 2.0)
    noise = hum(np.zeros_like(quiet), generator, hertz=50, height=0.1) * later
    out = filtered(clipped(quiet + noise))
    second = [decibels(out[begin:end]) for begin, end in pairwise(range(0, len(out) + 1, SAMPLE_RATE))]
    assert max(second[2:4]) < -50
    if ends:
        np.testing.assert_array_equal(out[int(4.1 * SAMPLE_RATE) :], clipped(quiet)[int(4.1 * SAMPLE_RATE) :])
    else:
        assert max(second[7:]) < -50


def test_after_a_gap_the_hum_is_looked_for_anew() -> None:
    hum_filter = HumFilter()
    noise = hum(np.zeros(3 * SAMPLE_RATE, np.float32), np.random.default_rng(6), hertz=50)
    hum_filter.accept(noise)
    assert hum_filter.active
    hum_filter.forget()
    assert not hum_filter.active
    np.testing.assert_array_equal(hum_filter.accept(noise[:3200]), noise[:3200])


def test_what_is_heard_on_a_buzz_is_what_is_heard_without(bundled: Transducer) -> None:
    disturbed = buzz(SPEECH, np.random.default_rng(7), hertz=50, decibels=6.0)
    texts = []
    for samples, length in ((SPEECH, 16_000), (disturbed, 16_000), (disturbed, 1_111)):
        transcriber = Transcriber(bundled)
        for begin in range(0, len(samples), length):
            transcriber.accept(samples[begin : begin + length])
        texts.append(transcriber.finish())
    assert texts[1] == texts[2]
    assert words_of(bundled, SPEECH) == words_of(bundled, disturbed)


def words_of(model: Transducer, samples: np.ndarray) -> list[str]:
    recognizer = Recognizer(model)
    events = [*recognizer.accept(samples), *recognizer.finish()]
    return " ".join(event.text for event in events if type(event).__name__ == "Final").split()


def test_who_gives_audio_may_fill_the_same_array_again(bundled: Transducer) -> None:
    samples = hum(SPEECH, np.random.default_rng(0), hertz=50, height=0.05)
    samples = samples[: len(samples) // 800 * 800]
    own, array = Transcriber(bundled), np.zeros(800, np.float32)
    for piece in samples.reshape(-1, 800):
        array[:] = piece
        own.accept(array)
    whole = Transcriber(bundled)
    whole.accept(samples)
    assert own.finish() == whole.finish()
