import kaldi_native_fbank as knf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.models import FeatureExtractor


def one_shot(samples: np.ndarray) -> np.ndarray:
    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = 80
    options.mel_opts.high_freq = -400
    fbank = knf.OnlineFbank(options)
    fbank.accept_waveform(16000, samples)
    fbank.input_finished()
    return np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])


@given(sizes=st.lists(st.integers(1, 4000), min_size=1, max_size=12), step=st.integers(1, 40))
def test_streamed_features_are_bit_exact_with_one_shot(sizes: list[int], step: int) -> None:
    samples = np.random.default_rng(len(sizes)).normal(0, 0.1, sum(sizes) + 400).astype(np.float32)
    extractor, taken, start, rows = FeatureExtractor(), 0, 0, []
    for size in [*sizes, 400]:
        extractor.accept(samples[start : start + size])
        start += size
        while taken + step <= extractor.frames_ready:
            rows.append(extractor.take(taken, step))
            taken += step
    extractor.finish()
    rows.append(extractor.take(taken, extractor.frames_ready - taken))
    np.testing.assert_array_equal(np.concatenate(rows), one_shot(samples))


def test_overlapping_takes_and_frames_given_up() -> None:
    extractor = FeatureExtractor()
    extractor.accept(np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32))
    first = extractor.take(0, 40)
    np.testing.assert_array_equal(extractor.take(30, 10), first[30:])
    with pytest.raises(IndexError, match="only 30 to"):
        extractor.take(0, 10)
    with pytest.raises(IndexError):
        extractor.take(30, 500)
