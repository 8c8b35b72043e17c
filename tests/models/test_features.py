import numpy as np
import pytest
from demo import DEMO
from hypothesis import given
from hypothesis import strategies as st
from kaldi_features import KaldiFeatures
from nearword.models import FeatureExtractor, read_audio
from nearword.models.features import samples_needed


def one_shot(samples: np.ndarray, extractor: FeatureExtractor | KaldiFeatures | None = None) -> np.ndarray:
    extractor = extractor or FeatureExtractor()
    extractor.accept(samples)
    extractor.finish()
    return extractor.take(0, extractor.frames_ready)


def noise(size: int, level: float = 0.1) -> np.ndarray:
    return np.random.default_rng(size).normal(0, level, size).astype(np.float32)


@given(size=st.integers(80, 4000), level=st.sampled_from([0.0, 1e-4, 0.1, 1.0]), offset=st.sampled_from([0.0, 0.2]))
def test_features_are_those_of_kaldi_to_within_rounding(size: int, level: float, offset: float) -> None:
    samples = noise(size, level) + np.float32(offset)
    np.testing.assert_allclose(
        one_shot(samples), one_shot(samples, KaldiFeatures()), rtol=0, atol=2e-3 if level else 0.5
    )


def test_features_of_speech_are_those_of_kaldi() -> None:
    samples = read_audio(DEMO)
    np.testing.assert_allclose(one_shot(samples), one_shot(samples, KaldiFeatures()), rtol=0, atol=2e-3)


@given(sizes=st.lists(st.integers(1, 4000), min_size=1, max_size=12), step=st.integers(1, 40), longer=st.booleans())
def test_streamed_features_are_bit_exact_with_one_shot(sizes: list[int], step: int, longer: bool) -> None:
    samples = noise(sum(sizes))
    extractor, taken, start, rows = FeatureExtractor(), 0, 0, [np.empty((0, 80), np.float32)]
    for size in sizes:
        extractor.accept(samples[start : start + size])
        start += size
        while taken + step <= extractor.frames_ready:
            if longer:
                extractor.take(taken, extractor.frames_ready - taken)
            rows.append(extractor.take(taken, step))
            taken += step
    extractor.finish()
    rows.append(extractor.take(taken, extractor.frames_ready - taken))
    np.testing.assert_array_equal(np.concatenate(rows), one_shot(samples))


def test_samples_may_be_overwritten_once_they_are_accepted() -> None:
    samples = noise(8000)
    extractor, block = FeatureExtractor(), np.empty(800, np.float32)
    for start in range(0, 8000, 800):
        block[:] = samples[start : start + 800]
        extractor.accept(block)
    extractor.finish()
    np.testing.assert_array_equal(extractor.take(0, 50), one_shot(samples))


def test_frames_may_be_skipped() -> None:
    samples = noise(16000)
    extractor = FeatureExtractor()
    for start in range(0, 16000, 1600):
        extractor.accept(samples[start : start + 1600])
    np.testing.assert_array_equal(extractor.take(60, 20), one_shot(samples)[60:80])


def test_nothing_heard_is_no_frames() -> None:
    assert one_shot(np.zeros(0, np.float32)).shape == (0, 80)
    assert one_shot(np.zeros(79, np.float32)).shape == (0, 80)


def test_overlapping_takes_and_frames_given_up() -> None:
    extractor = FeatureExtractor()
    extractor.accept(noise(16000))
    first = extractor.take(0, 40)
    np.testing.assert_array_equal(extractor.take(30, 10), first[30:])
    with pytest.raises(IndexError, match="only 30 to"):
        extractor.take(0, 10)
    with pytest.raises(IndexError):
        extractor.take(30, 500)


@pytest.mark.parametrize("frames", [1, 2, 45, 1000])
def test_how_many_samples_frames_need_is_known(frames: int) -> None:
    extractor = FeatureExtractor()
    extractor.accept(np.zeros(samples_needed(frames) - 1, np.float32))
    assert extractor.frames_ready == frames - 1
    extractor.accept(np.zeros(1, np.float32))
    assert extractor.frames_ready == frames
