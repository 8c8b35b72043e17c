"""Samples to what the encoder makes of them, for whatever listens to it."""

import math
from collections.abc import Iterator

import numpy as np

from ...models import SAMPLE_RATE, FeatureExtractor, Transducer
from ...models.audio import Samples
from ...models.features import FRAME_SECONDS, NUM_BINS, Features
from ...models.transducer import Encoded, EncoderStream, ModelInfo

TAIL_SECONDS = 0.5
"""Silence appended at the end, so that the last words come through the model's delay."""
SILENCE = math.log(np.finfo(np.float32).eps)
"""Log-mel energy of digital silence."""


class EncodedAudio:
    """Features and encoder of one stream, from the first sample to the last."""

    def __init__(self, model: Transducer, *, phones: bool = False) -> None:
        self._info = model.info
        self._features = FeatureExtractor()
        self._encoder = model.encoder_stream(phones=phones)
        self._position = 0
        """Feature frame at which the next step begins."""

    def accept(self, samples: Samples) -> Iterator[Encoded]:
        """Take samples [n]; yields the steps that are due."""
        # in slices: the features of a whole hour at once would be the largest thing in memory
        for start in range(0, len(samples), 10 * SAMPLE_RATE):
            self._features.accept(samples[start : start + 10 * SAMPLE_RATE])
            ready = self._features.frames_ready
            while self._position + self._info.chunk_frames <= ready:
                yield self._encoder.run(self._features.take(self._position, self._info.chunk_frames))
                self._position += self._info.chunk_shift

    def finish(self) -> Iterator[Encoded]:
        """Yield the last steps, as if silence followed."""
        tail = TAIL_SECONDS + (self._info.chunk_frames + self._info.chunk_shift) * 0.01
        return self.accept(np.zeros(int(tail * SAMPLE_RATE), np.float32))

    def completed(self) -> Iterator[Encoded]:
        """Yield the steps that would follow if the audio ended here; it may go on all the same."""
        heard = self._features.take(self._position, self._features.frames_ready - self._position)
        return encode_to_end(self._encoder, self._info, heard, TAIL_SECONDS)


def encode_to_end(encoder: EncoderStream, info: ModelInfo, heard: Features, silence: float) -> Iterator[Encoded]:
    """Yield the steps of features [frames, bins] that are not encoded yet and of ``silence``, in seconds, after them.

    There is one step at least. ``encoder`` stays as it is.
    """
    padding = max(0, round(silence / FRAME_SECONDS))
    steps = max(1, -(-(len(heard) + padding) // info.chunk_shift))
    padded: Features = np.full(((steps - 1) * info.chunk_shift + info.chunk_frames, NUM_BINS), SILENCE, np.float32)
    padded[: len(heard)] = heard
    fork = encoder.fork()
    for start in range(0, steps * info.chunk_shift, info.chunk_shift):
        yield fork.run(padded[start : start + info.chunk_frames])
