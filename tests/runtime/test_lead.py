"""Silence before a stream, where the model wants it: the encoder hears it, and times do not know it."""

from pathlib import Path

import numpy as np
import pytest
from demo import DEMO
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.models import FeatureExtractor, Transducer, read_audio
from nearword.runtime import Transcriber
from nearword.runtime.recognition.encoder_stream import SILENCE, AudioEncoder
from nearword.runtime.search import GREEDY
from toy_models import ToyModel, write_encoder, write_toy_model

LEAD = 11


@pytest.fixture(scope="module")
def led(tmp_path_factory: pytest.TempPathFactory) -> Transducer:
    folder = write_toy_model(tmp_path_factory.mktemp("lead") / "toy")
    write_encoder(folder / "encoder.onnx", ToyModel(), lead_frames=LEAD)
    return Transducer.load(folder)


def audio(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, count).astype(np.float32)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 99), count=st.integers(400, 12_000), size=st.integers(1, 4000), lead=st.booleans())
def test_the_encoder_hears_silence_first(led: Transducer, seed: int, count: int, size: int, lead: bool) -> None:
    samples, encoder = audio(seed, count), AudioEncoder(led, lead=lead)
    found = [step.out for start in range(0, count, size) for step in encoder.take(samples[start : start + size])]
    completed = [step.out for step in encoder.completed()]
    features = FeatureExtractor()
    features.accept(samples)
    heard = features.take(0, features.frames_ready)
    heard = np.concatenate([np.full((LEAD if lead else 0, 80), SILENCE, np.float32), heard])
    stream, info, wanted, place = led.encoder_stream(), led.info, [], 0
    while place + info.chunk_frames <= len(heard):
        wanted.append(stream.run(heard[place : place + info.chunk_frames]).out)
        place += info.chunk_shift
    np.testing.assert_array_equal(np.array(found), np.array(wanted).reshape(np.shape(found)))
    rest = np.concatenate([heard[place:], np.full((info.chunk_frames, 80), SILENCE, np.float32)])
    np.testing.assert_array_equal(completed[0], stream.run(rest[: info.chunk_frames]).out)


def test_times_are_those_of_the_audio(bundled: Transducer) -> None:
    assert bundled.encoder.lead_frames
    speech = read_audio(DEMO)[: int(2.7 * 16000)]
    onset = 4000
    one, other = Transcriber(bundled), Transcriber(bundled)
    one.accept(speech)
    other.accept(np.concatenate([np.zeros(onset, np.float32), speech]))
    words, later = one.finish().words, other.finish().words
    assert [word.text for word in words] == [word.text for word in later]
    for word, after in zip(words, later, strict=True):
        assert after.start - onset / 16000 == pytest.approx(word.start, abs=0.17)
    lattice = one.lattice()
    path = lattice.best_path()
    assert lattice.start[path].tolist() == pytest.approx([word.start for word in words], abs=0.17)
    assert min(word.start for word in words) >= 0
    without = Transcriber(bundled, GREEDY)
    without.accept(speech)
    said = {word.text: word.start for word in without.finish().words}
    shared = [(word.start, said[word.text]) for word in words if word.text in said and word.text != "my"]
    assert len(shared) >= 4
    assert np.median([start - other for start, other in shared]) == pytest.approx(0, abs=0.1)


def test_the_greedy_search_does_without(led: Transducer, toy: Transducer, toy_folder: Path) -> None:
    samples = audio(3, 60_000)
    one, other = Transcriber(led, GREEDY), Transcriber(toy, GREEDY)
    one.accept(samples)
    other.accept(samples)
    assert one.finish() == other.finish()
    assert one.tokens
