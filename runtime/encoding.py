"""Samples to what the encoder makes of them, for whatever listens to it."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..models import SAMPLE_RATE, FeatureExtractor, Transducer
from ..models.audio import Samples

TAIL_SECONDS = 0.5
"""Silence appended at the end, so that the last words come through the model's delay."""


class EncodedAudio:
    """Features and encoder of one stream, from the first sample to the last."""

    def __init__(self, model: Transducer) -> None:
        self._info = model.info
        self._features = FeatureExtractor()
        self._encoder = model.encoder_stream()
        self._position = 0
        """Feature frame at which the next step begins."""

    def accept(self, samples: Samples) -> Iterator[npt.NDArray[np.float32]]:
        """Take samples [n]; yields the steps that are due, [frames, joiner_dim], each good until the next."""
        # in slices: the features of a whole hour at once would be the largest thing in memory
        for start in range(0, len(samples), 10 * SAMPLE_RATE):
            self._features.accept(samples[start : start + 10 * SAMPLE_RATE])
            ready = self._features.frames_ready
            while self._position + self._info.chunk_frames <= ready:
                yield self._encoder.run(self._features.take(self._position, self._info.chunk_frames))
                self._position += self._info.chunk_shift

    def finish(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the last steps, as if silence followed."""
        tail = TAIL_SECONDS + (self._info.chunk_frames + self._info.chunk_shift) * 0.01
        return self.accept(np.zeros(int(tail * SAMPLE_RATE), np.float32))
