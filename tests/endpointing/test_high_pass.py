"""Offset, hum and rumble: what is below a voice neither hides it nor is taken for one."""

import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from disturbances import DISTURBANCES, clipped, hum, offset, step
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.endpointing import PRESETS, VoiceFinality, WebRtcVad
from nearword.endpointing.high_pass import HighPass
from nearword.models import SAMPLE_RATE, Transducer, read_audio
from nearword.runtime.evaluation.endpoints import own_system

FRAME = SAMPLE_RATE // 50


def filtered(samples: np.ndarray, frame: int = FRAME) -> np.ndarray:
    high_pass = HighPass(170.0, 10)
    return np.concatenate([high_pass.accept(samples[k : k + frame]) for k in range(0, len(samples), frame)])


def decibels(samples: np.ndarray) -> float:
    return float(10 * np.log10((samples.astype(np.float64) ** 2).mean() + 1e-15))


def sine(hertz: float, height: float = 0.1, seconds: float = 2.0) -> np.ndarray:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (height * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


@given(st.floats(20, 120), st.integers(1, 6).map(lambda half: 2 * half), st.floats(10, 7900))
def test_a_sine_loses_what_butterworth_says(corner: float, order: int, hertz: float) -> None:
    high_pass, tone = HighPass(corner, order), sine(hertz)
    out = np.concatenate([high_pass.accept(frame) for frame in tone.reshape(-1, FRAME)])[SAMPLE_RATE:]
    # the bilinear transform bends frequencies: what counts is the ratio of the tangents
    ratio = np.tan(np.pi * corner / SAMPLE_RATE) / np.tan(np.pi * hertz / SAMPLE_RATE)
    lost = -10 * np.log10(1 + ratio ** (2 * order))
    assert decibels(out) - decibels(tone[SAMPLE_RATE:]) == pytest.approx(max(lost, -90), abs=0.5 if lost > -60 else 40)


@settings(max_examples=20)
@given(st.lists(st.sampled_from([1, 7, 160, 320, 337, 512]), min_size=1, max_size=9), st.integers(0, 99))
def test_pieces_of_any_length_give_the_same(lengths: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).normal(0, 0.1, sum(lengths)).astype(np.float32)
    high_pass = HighPass(170.0, 10)
    places = np.cumsum([0, *lengths])
    pieces = [high_pass.accept(samples[a:b]) for a, b in pairwise(places)]
    assert np.concatenate(pieces) == pytest.approx(filtered(samples), abs=1e-5)


def speech_of(samples: np.ndarray) -> np.ndarray:
    vad = WebRtcVad()
    return np.asarray([vad.accept(frame) for frame in samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)])


@pytest.fixture(scope="module")
def talk() -> np.ndarray:
    return clipped(read_audio(Path(__file__).parents[2] / "runtime" / "audio" / "demo.flac"))


@pytest.mark.parametrize("height", [0.003, 0.03, -0.1, 0.3])
def test_an_offset_changes_no_frame_of_voice_activity(talk: np.ndarray, height: float) -> None:
    plain, moved = speech_of(talk), speech_of(offset(talk, np.random.default_rng(0), height=height))
    assert 20 < plain.sum() < len(plain)
    assert (plain != moved).sum() <= 2  # the microphone's own beginning


@pytest.mark.parametrize("hertz", [10, 15, 30, 50, 60, 80])
def test_a_hum_below_a_voice_changes_next_to_nothing(talk: np.ndarray, hertz: float) -> None:
    humming = speech_of(hum(talk, np.random.default_rng(0), hertz=hertz))
    assert (speech_of(talk) != humming).mean() < 0.02


@pytest.mark.parametrize("height", [0.03, 0.3, -0.3])
def test_silence_with_a_step_of_the_offset_has_a_click_at_most(height: float) -> None:
    silence = np.random.default_rng(0).normal(0, 1e-3, 4 * SAMPLE_RATE).astype(np.float32)
    heard = speech_of(step(silence, np.random.default_rng(1), height=height))
    assert heard.sum() <= 3  # the end-pointers pass over so short a burst


def test_a_click_in_a_silence_leaves_what_was_thought_of_the_voice() -> None:
    listener = VoiceFinality()
    listener.begin()
    generator = np.random.default_rng(0)
    for number in range(120):
        listener.accept(sine(140, 0.1 + 0.001 * number, 0.02) + generator.normal(0, 1e-3, FRAME), speech=True)
    for _ in range(12):
        listener.accept(generator.normal(0, 1e-4, FRAME).astype(np.float32), speech=False)
    judged = listener.value
    assert judged != 1.0
    for speech in (True, True, False, False, True):
        listener.accept(generator.normal(0, 0.1 if speech else 1e-4, FRAME).astype(np.float32), speech=speech)
        assert listener.value == judged
    for _ in range(4):
        listener.accept(generator.normal(0, 0.1, FRAME).astype(np.float32), speech=True)
    assert listener.value == 1.0


LIVE = [
    "offset 0.03", "offset 0.3", "step 0.1", "drift 0.3", "wander 0.3", "hum 15 Hz", "hum 50 Hz", "hum 100 Hz",
    "buzz 50 Hz 10 dB", "buzz 60 Hz 10 dB",
]  # fmt: skip


@pytest.mark.parametrize("name", LIVE)
def test_nobody_is_cut_off_by_what_is_below_the_voice(bundled: Transducer, speech_folder: Path, name: str) -> None:
    from nearword.runtime.evaluation.endpoints import observe, read_ends, read_recording

    ends = Path(__file__).parents[1] / "benchmarks" / "barista_ends.jsonl"
    system = own_system(bundled, PRESETS["balanced"])
    for recording in read_ends(ends, root=speech_folder)[4:24:5]:
        samples = read_recording(recording)
        generator = np.random.default_rng(zlib.crc32(f"{name} {recording.path.name}".encode()))
        row = observe(system, recording.path.name, recording.end, DISTURBANCES[name](samples, generator))
        assert row.is_heard
        assert not row.is_cut, row.endings
