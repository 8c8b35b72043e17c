"""The library that sherpa-onnx computes its features with, as a ``FeatureExtractor``."""

import kaldi_native_fbank as knf
import numpy as np


class KaldiFeatures:
    def __init__(self) -> None:
        options = knf.FbankOptions()
        options.frame_opts.dither = 0
        options.frame_opts.snip_edges = False
        options.mel_opts.num_bins = 80
        options.mel_opts.high_freq = -400
        self._fbank = knf.OnlineFbank(options)

    @property
    def frames_ready(self) -> int:
        return self._fbank.num_frames_ready

    def accept(self, samples: np.ndarray) -> None:
        self._fbank.accept_waveform(16000, samples)

    def finish(self) -> None:
        self._fbank.input_finished()

    def take(self, start: int, count: int) -> np.ndarray:
        return np.stack([self._fbank.get_frame(frame) for frame in range(start, start + count)])
