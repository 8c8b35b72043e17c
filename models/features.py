"""Log-mel features, streaming, the way icefall trains and sherpa-onnx runs its transducers.

They are those of Kaldi's filter bank (Povey et al. 2011) as kaldi-native-fbank computes it with ``dither=0`` and
``snip_edges=False``, to within rounding; numpy's Fourier transform takes whole chunks of frames at once.
"""

import numpy as np
import numpy.typing as npt

from .samples import SAMPLE_RATE, Samples

NUM_BINS = 80
FRAME_SECONDS = 0.01
"""Seconds from one feature frame to the next; each looks at 25 ms."""

Features = npt.NDArray[np.float32]
"""Log-mel energies, [frames, 80], float32."""

_SHIFT = round(SAMPLE_RATE * FRAME_SECONDS)
_LENGTH = SAMPLE_RATE // 40
_LEAD = (_LENGTH - _SHIFT) // 2
"""Samples of a frame that come before its own 10 ms; the first frame sees the beginning mirrored."""
_FFT = 512
_PREEMPHASIS = np.float32(0.97)
_FLOOR = np.finfo(np.float32).eps
_BLOCK = 8
"""Frames, counted from the first of all, that a matrix product takes at once.

Always the same ones, or how audio comes in pieces would show in the last bit; and so few that it keeps to one thread.
"""
_AHEAD = 4 * _BLOCK
"""Frames computed at once where so many are ready: a step that takes four would pay for each call what eight cost."""
_LOWEST, _HIGHEST = 20.0, SAMPLE_RATE / 2 - 400
"""Hz, between which the triangles lie."""
_WINDOW = (np.hanning(_LENGTH) ** 0.85).astype(np.float32)
"""Povey's: it begins with 0, so that what comes before a frame's first sample does not matter."""


def _mel(hertz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 1127 * np.log1p(hertz / 700)


def _triangles() -> tuple[slice, npt.NDArray[np.float32]]:
    """Return the spectral lines that count, and their weights in each band, [lines, 80].

    The bands overlap: on the mel scale each rises from the middle of the one before and falls to that of the next.
    """
    lowest, highest = _mel(np.array([_LOWEST, _HIGHEST]))
    lines = _mel(np.linspace(0.0, SAMPLE_RATE / 2, _FFT // 2 + 1))
    place = (lines - lowest) / (highest - lowest) * (NUM_BINS + 1)
    used = slice(*np.searchsorted(place, (0, NUM_BINS + 1)).tolist())
    away = np.abs(place[used, None] - np.arange(1, NUM_BINS + 1))
    return used, np.maximum(0, 1 - away).astype(np.float32)


_LINES, _WEIGHTS = _triangles()


def _filter_bank(samples: Samples, first: int, count: int) -> Features:
    """Return ``count`` frames of samples that begin with those of frame ``first``."""
    emphasised = np.multiply(samples, -_PREEMPHASIS)
    emphasised[1:] = samples[1:] + emphasised[:-1]
    frames = np.zeros((count, _FFT), np.float32)
    windowed = frames[:, :_LENGTH]
    # pre-emphasis of samples without their mean: less a share of it
    mean = np.add.reduce(_frames(samples, count), axis=1, keepdims=True)
    mean *= (1 - _PREEMPHASIS) / _LENGTH
    np.subtract(_frames(emphasised, count), mean, out=windowed)
    windowed *= _WINDOW
    spectrum = np.fft.rfft(frames)[:, _LINES]
    blocks = np.zeros((-(-(first % _BLOCK + count) // _BLOCK), _BLOCK, len(_WEIGHTS)), np.float32)
    power = blocks.reshape(-1, len(_WEIGHTS))[first % _BLOCK :][:count]
    np.square(spectrum.real, out=power, casting="same_kind")
    power += np.square(spectrum.imag)
    energies: Features = np.matmul(blocks, _WEIGHTS).reshape(-1, NUM_BINS)[first % _BLOCK :][:count]
    np.maximum(energies, _FLOOR, out=energies)
    np.log(energies, out=energies)
    return energies


def _frames(samples: Samples, count: int) -> Samples:
    """Return ``count`` overlapping views of the samples, [count, 400]."""
    step = samples.itemsize
    views: Samples = np.ndarray((count, _LENGTH), samples.dtype, samples, 0, (_SHIFT * step, step))
    return views


def samples_needed(frames: int) -> int:
    """Return how many samples there have to be before so many frames are ready."""
    return (frames - 1) * _SHIFT + _LENGTH - _LEAD


class FeatureExtractor:
    """Samples in, frames out; the frames are bit for bit those of the whole recording at once."""

    def __init__(self) -> None:
        self._blocks: list[Samples] = []
        """What came since samples were looked at last."""
        self._samples: Samples = np.empty(0, np.float32)
        """What came before that, from the first sample of frame ``_first`` on."""
        self._first = 0
        self._length = 0
        self._finished = False
        self._given_up = 0
        self._taken: Features = np.empty((0, NUM_BINS), np.float32)
        """The frames that are computed, from ``_given_up`` on."""

    @property
    def frames_ready(self) -> int:
        """Frames that can be taken, counted since the beginning."""
        if self._finished:
            return (self._length + _SHIFT // 2) // _SHIFT
        return max(0, (self._length + _LEAD - _LENGTH) // _SHIFT + 1)

    def accept(self, samples: Samples) -> None:
        """Take samples [n], mono 16 kHz in [-1, 1]."""
        self._blocks.append(np.array(samples, np.float32))
        self._length += len(samples)

    def finish(self) -> None:
        """Say that no more samples come: the last frames, which see the end mirrored, become ready."""
        if not self._finished and self._length:
            self._samples = np.pad(self._heard(), (0, _LENGTH), "symmetric")
        self._finished = True

    def take(self, start: int, count: int) -> Features:
        """Return frames ``start`` to ``start + count``, [count, 80]; frames before ``start`` are given up for good.

        Not to be written to.

        Raises:
            IndexError: a frame is not ready yet, or was given up by an earlier call.
        """
        if start < self._given_up or start + count > self.frames_ready:
            raise IndexError(
                f"frames {start} to {start + count}: only {self._given_up} to {self.frames_ready} can be taken"
            )
        # steps overlap: what the one before has taken is not computed again
        self._taken, self._given_up = self._taken[start - self._given_up :], start
        known = len(self._taken)
        if known < count:
            self._samples, self._first = self._heard()[(start - self._first) * _SHIFT :], start
            most = max(count, min(self.frames_ready - start, known + _AHEAD))
            computed = _filter_bank(self._samples[known * _SHIFT :], start + known, most - known)
            self._taken = np.concatenate([self._taken, computed])
        return self._taken[:count]

    def forget(self, start: int) -> None:
        """Give up the frames before ``start``, computed or not; all that are given up are ready."""
        if start <= self._given_up:
            return
        self._taken, self._given_up = self._taken[start - self._given_up :], start
        if not len(self._taken):
            self._samples, self._first = self._heard()[(start - self._first) * _SHIFT :], start

    def _heard(self) -> Samples:
        """Return all samples from the first one of frame ``_first`` on; the first frame sees the beginning mirrored."""
        begun = bool(len(self._samples))
        samples = np.concatenate([self._samples, *self._blocks])
        self._blocks.clear()
        return samples if begun else np.pad(samples, (_LEAD, 0), "symmetric")
