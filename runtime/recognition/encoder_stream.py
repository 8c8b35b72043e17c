"""Samples to what the encoder makes of them, for all that listen to it: each stretch of audio is encoded once."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ...models import SAMPLE_RATE, FeatureExtractor, Transducer
from ...models.branching import BranchingStream, Effort
from ...models.encoder import Encoded, EncoderStream, Tap
from ...models.features import FRAME_SECONDS, NUM_BINS, Features, samples_needed
from ...models.samples import Samples
from ...models.transducer import ModelInfo
from .hum import HumFilter

if TYPE_CHECKING:
    from .anchor import SpeakerGate

TAIL_SECONDS = 0.5
"""Silence appended at the end of a recording, so that the last words come through the model's delay."""
DELAY_SECONDS = 0.25
"""How long after a sound is encoded its token may come: an utterance that is completed gets so much silence in all,
and what the model looks ahead."""
LEAD_FRAMES = 20
"""Feature frames before the present that a new start takes in again, if they are not encoded yet."""
IDLE_LEAD_FRAMES = 60
"""The same where the encoder has paused: the first sounds of an utterance, before voice activity was sure of them."""
SILENCE = math.log(np.finfo(np.float32).eps)
"""Log-mel energy of digital silence."""
SLICE = 10 * SAMPLE_RATE
"""Samples taken at once: the features of a whole hour would be the largest thing in memory."""


class AudioEncoder:
    """Features and encoder of one stream, from the first sample to the last.

    All it gives depends on the audio alone, not on the pieces in which it came.
    """

    def __init__(
        self,
        model: Transducer,
        *,
        phones: bool = False,
        tap: Tap | None = None,
        gate: "SpeakerGate | None" = None,
        effort: Effort = "full",
        lead: bool = True,
    ) -> None:
        """Begin a stream; with ``phones`` it tells phones too, if the model does, with ``tap`` what that reads.

        With a ``gate``, which needs its tap, only what one speaker says is let through. With less than full ``effort``
        some steps take the encoder's cheap branch. Silence goes before the first sample where the model wants that;
        without ``lead`` nothing does.
        """
        self._model, self._phones, self._tap = model, phones, tap
        self._gate, self._effort = gate, effort
        self._hum, self._features = HumFilter(), FeatureExtractor()
        self._encoder = self._fresh()
        self._unheard: list[Samples] = []
        """What was accepted since a step was due."""
        self._accepted = 0
        """Samples in all."""
        self._position = -model.encoder.lead_frames if lead else 0
        """Feature frame at which the next step begins."""
        self._paused = False
        self._completed: tuple[tuple[int, int, int], list[Encoded]] | None = None
        """Where the latest completion began, up to where audio was heard, how many frames of silence; its steps."""
        self.origin = self._position - model.info.delay_frames
        """Feature frame of the first encoder frame since the latest start; a model's delay lies before it."""

    def _fresh(self) -> EncoderStream | BranchingStream:
        return self._model.encoder_stream(phones=self._phones, tap=self._tap, effort=self._effort)

    def accept(self, samples: Samples) -> Iterator[Encoded]:
        """Take samples [n], and any hum out of them; yields the steps that are due.

        Samples wait until a step can be due: behind each one the processor's caches have to be filled anew for all that
        comes before the encoder, which is done once then.
        """
        for start in range(0, len(samples), SLICE):
            # a copy: who gives audio may fill the same array again
            self._unheard.append(samples[start : start + SLICE].copy())
            self._accepted += len(self._unheard[-1])
            if self._accepted >= samples_needed(self._position + self._model.info.chunk_frames):
                yield from self.take(self._hum.accept(self._take_unheard()))

    def _take_unheard(self) -> Samples:
        samples = np.concatenate([np.zeros(0, np.float32), *self._unheard])
        self._unheard.clear()
        return samples

    def take(self, samples: Samples) -> Iterator[Encoded]:
        """Take samples [n] that hold no hum any more; yields the steps that are due."""
        chunk_frames, chunk_shift = self._model.info.chunk_frames, self._model.info.chunk_shift
        self._features.accept(samples)
        while self._position + chunk_frames <= self._features.frames_ready:
            step, position = self._encoder.run(self._frames(chunk_frames)), self._position
            self._position += chunk_shift
            if self._gate is not None:
                step = self._begin_anew(self._gate, self._gate.accept(step, position), position)
            if len(step.out):
                yield step

    def _frames(self, count: int) -> Features:
        """Return the next frames; before the first of the stream there is silence."""
        silent = max(0, -self._position)
        if not silent:
            return self._features.take(self._position, count)
        heard = self._features.take(0, count - silent) if count > silent else np.zeros((0, NUM_BINS), np.float32)
        return np.concatenate([np.full((min(count, silent), NUM_BINS), SILENCE, np.float32), heard])

    def _begin_anew(self, gate: "SpeakerGate", step: Encoded, position: int) -> Encoded:
        """Begin anew behind a wake word that ends in a step at ``position``; returns what lies before."""
        if gate.begins is None or gate.begins < position * FRAME_SECONDS:
            return step
        info = self._model.info
        each = info.chunk_shift // info.encoder_frames
        frames = min(info.encoder_frames, round((gate.begins / FRAME_SECONDS - position) / each))
        self._position = position + frames * each
        self._encoder = self._fresh()
        gate.restart()
        phones = None if step.phones is None else step.phones[: len(step.phones) * frames // info.encoder_frames]
        return step._replace(out=step.out[:frames], phones=phones)

    def skip(self, samples: Samples) -> None:
        """Take samples [n] in which nobody speaks: the last moments are kept, for ``restart``, which has to follow."""
        self._features.accept(samples)
        self._position = max(self._position, self._features.frames_ready - IDLE_LEAD_FRAMES)
        self._features.forget(self._position)
        self._paused = True

    def finish(self) -> Iterator[Encoded]:
        """Yield the last steps, as if silence followed."""
        info = self._model.info
        tail = TAIL_SECONDS + (info.chunk_frames + info.chunk_shift + info.delay_frames) * FRAME_SECONDS
        yield from self.take(self._hum.accept(self._take_unheard()))
        yield from self.take(self._hum.finish())
        yield from self.take(np.zeros(int(tail * SAMPLE_RATE), np.float32))

    def completed(self, silence: float = 0.0) -> list[Encoded]:
        """Return the steps that would follow if silence did; the stream stays as it is, and the audio may go on.

        ``silence`` is how many seconds of it there were already. Asked again of the same audio, nothing is encoded.
        """
        ready = self._features.frames_ready
        delay = DELAY_SECONDS + self._model.info.look_ahead_seconds
        padding = max(0, round((delay - silence) / FRAME_SECONDS))
        key = self._position, ready, padding
        if self._completed is None or self._completed[0] != key:
            heard = self._frames(ready - self._position)
            steps = encode_to_end(self._encoder, self._model.info, heard, padding)
            if self._gate is not None:
                gate, shift = self._gate.fork(), self._model.info.chunk_shift
                steps = (gate.accept(step, self._position + k * shift) for k, step in enumerate(steps))
            self._completed = key, list(steps)
        return self._completed[1]

    @property
    def completion(self) -> list[Encoded]:
        """The steps of the latest completion, if the audio has gone no further; else those of a new one."""
        here = self._position, self._features.frames_ready
        known = self._completed
        return known[1] if known is not None and known[0][:2] == here else self.completed()

    @property
    def waiting(self) -> int:
        """Feature frames that were heard and are not encoded yet; with them the latest completion begins."""
        return self._features.frames_ready - self._position

    def restart(self) -> None:
        """Forget all that was heard, but for the last moments: the encoder begins anew."""
        lead = IDLE_LEAD_FRAMES if self._paused else LEAD_FRAMES
        self._position = max(self._position, self._features.frames_ready - lead)
        self.origin = self._position - self._model.info.delay_frames
        self._encoder = self._fresh()
        self._completed, self._paused = None, False
        if self._gate is not None:
            self._gate.restart()


def encode_to_end(
    encoder: EncoderStream | BranchingStream, info: ModelInfo, heard: Features, padding: int
) -> Iterator[Encoded]:
    """Yield the steps of features [frames, bins] that are not encoded yet and of ``padding`` frames of silence after.

    There is one step at least. ``encoder`` stays as it is.
    """
    steps = max(1, -(-(len(heard) + padding) // info.chunk_shift))
    padded: Features = np.full(((steps - 1) * info.chunk_shift + info.chunk_frames, NUM_BINS), SILENCE, np.float32)
    padded[: len(heard)] = heard
    fork = encoder.fork()
    for start in range(0, steps * info.chunk_shift, info.chunk_shift):
        yield fork.run(padded[start : start + info.chunk_frames])
