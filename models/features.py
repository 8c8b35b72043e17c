"""Log-mel features, streaming, the way icefall trains and sherpa-onnx runs its transducers (kaldi-native-fbank)."""

import kaldi_native_fbank as knf
import numpy as np
import numpy.typing as npt

from .audio import SAMPLE_RATE, Samples

NUM_BINS = 80
FRAME_SECONDS = 0.01
"""Seconds from one feature frame to the next; each looks at 25 ms."""

Features = npt.NDArray[np.float32]
"""Log-mel energies, [frames, 80], float32."""


def _options() -> knf.FbankOptions:
    options = knf.FbankOptions()
    options.frame_opts.samp_freq = SAMPLE_RATE
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = False
    options.frame_opts.window_type = "povey"
    options.frame_opts.frame_length_ms = 25
    options.frame_opts.frame_shift_ms = 1000 * FRAME_SECONDS
    options.mel_opts.num_bins = NUM_BINS
    options.mel_opts.low_freq = 20
    options.mel_opts.high_freq = -400
    return options


class FeatureExtractor:
    """Samples in, frames out; the frames are bit for bit those of the whole recording at once."""

    def __init__(self) -> None:
        self._fbank = knf.OnlineFbank(_options())
        self._popped = 0
        self._taken: Features = np.empty((0, NUM_BINS), np.float32)
        """The frames that were taken last, from ``_popped`` on."""

    @property
    def frames_ready(self) -> int:
        """Frames that can be taken, counted since the beginning."""
        return int(self._fbank.num_frames_ready)

    def accept(self, samples: Samples) -> None:
        """Take samples [n], mono 16 kHz in [-1, 1]."""
        # the binding takes any sequence item by item; items of a memoryview come a quarter faster than numpy's
        self._fbank.accept_waveform(SAMPLE_RATE, memoryview(samples))  # type: ignore[arg-type]

    def finish(self) -> None:
        """Say that no more samples come: the last frames, which need what follows, become ready."""
        self._fbank.input_finished()

    def take(self, start: int, count: int) -> Features:
        """Return frames ``start`` to ``start + count``, [count, 80]; frames before ``start`` are given up for good.

        Not to be written to.

        Raises:
            IndexError: a frame is not ready yet, or was given up by an earlier call.
        """
        if start < self._popped or start + count > self.frames_ready:
            raise IndexError(
                f"frames {start} to {start + count}: only {self._popped} to {self.frames_ready} can be taken"
            )
        if start > self._popped:
            self._fbank.pop(start - self._popped)
        # steps overlap: what the one before has taken is not fetched again
        known = self._taken[start - self._popped :][:count]
        fetched = [self._fbank.get_frame(frame) for frame in range(start + len(known), start + count)]
        self._popped, self._taken = start, np.concatenate([known.ravel(), *fetched]).reshape(count, NUM_BINS)
        return self._taken
