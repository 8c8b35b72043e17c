"""Audio of any kind and chunking to frames of one length, without hum, and what voice activity makes of them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...endpointing import VoiceActivity, VoiceFinality, WebRtcVad
from ...endpointing.endpointer import GLITCH_SECONDS
from ...models import SAMPLE_RATE, AudioConverter, Channel
from ...models.samples import Samples
from .encoder_stream import SLICE
from .hum import HumFilter

if TYPE_CHECKING:
    from .anchor import SpeakerGate


class FrameGrid:
    """Cuts audio into frames of one length, wherever its pieces end."""

    def __init__(self, frame_seconds: float, rate: float, channel: Channel) -> None:
        """Begin a stream; raises as ``models.AudioConverter``."""
        self._converter, self._hum = AudioConverter(rate, channel), HumFilter()
        self._length = round(frame_seconds * SAMPLE_RATE)
        self._rest = np.zeros(0, np.float32)

    def accept(self, audio: npt.ArrayLike) -> Iterator[Samples]:
        """Take audio and return its whole frames; what is no audio raises ``AudioError`` at once, and is not taken."""
        return self._frames(self._converter.accept(audio))

    def finish(self) -> Iterator[Samples]:
        """Return the frames that a converter of rates kept back, and what is left at the end, which is shorter."""
        yield from self._frames(self._converter.finish())
        yield from self._whole(self._hum.finish())
        yield self._rest

    def lost(self) -> None:
        """Note that audio is missing here: a hum goes on at another place of its period."""
        self._hum.forget()

    def _frames(self, samples: Samples) -> Iterator[Samples]:
        for start in range(0, len(samples), SLICE):
            yield from self._whole(self._hum.accept(samples[start : start + SLICE]))

    def _whole(self, samples: Samples) -> Iterator[Samples]:
        if len(self._rest):
            samples = np.concatenate([self._rest, samples])
        whole = len(samples) // self._length * self._length
        self._rest = samples[whole:].copy()
        return (samples[start : start + self._length] for start in range(0, whole, self._length))


class VoiceTracker:
    """How long there has been speech, or silence, and how the voice fell."""

    def __init__(self, vad: VoiceActivity | None = None, anchor: "SpeakerGate | None" = None) -> None:
        """Begin a stream; with an ``anchor`` only the speech of whom that follows counts."""
        self._anchor, self._heard = anchor, 0
        self._vad: VoiceActivity = WebRtcVad() if vad is None else vad
        self._finality = VoiceFinality()
        self.frame_seconds = self._vad.frame_seconds
        """Length of its frames."""
        self.speech_samples = self.silent_samples = 0
        """Samples since voice activity was last the other way."""
        self._calm_samples = self._voiced_samples = 0

    def accept(self, frame: Samples) -> bool:
        """Take a frame; returns whether it is speech."""
        voice = speech = self._vad.accept(frame)
        self._heard += len(frame)
        self._voiced_samples = self._voiced_samples + len(frame) if voice else 0
        is_burst = self._voiced_samples >= GLITCH_SECONDS * SAMPLE_RATE
        self._calm_samples = 0 if is_burst else self._calm_samples + len(frame)
        if voice and self._anchor is not None:
            quiet = self._anchor.quiet((self._heard - self._voiced_samples) / SAMPLE_RATE)
            if quiet:
                speech, self.silent_samples = False, max(self.silent_samples, round(quiet * SAMPLE_RATE)) - len(frame)
        self.speech_samples = self.speech_samples + len(frame) if speech else 0
        self.silent_samples = 0 if speech else self.silent_samples + len(frame)
        if isinstance(self._vad, WebRtcVad):  # it has taken out what is no voice already
            self._finality.accept(self._vad.voice, speech=speech, filtered=True)
        else:
            self._finality.accept(frame, speech=speech)
        return speech

    def begin(self) -> None:
        """Note that an utterance begins."""
        self._finality.begin()

    def reset(self) -> None:
        """Forget the past: audio is missing."""
        self._vad.reset()
        self._finality.reset()
        self.speech_samples = self._calm_samples = self._voiced_samples = 0

    @property
    def silence(self) -> float:
        """Seconds without speech up to now."""
        return round(self.silent_samples / SAMPLE_RATE, 6)

    @property
    def calm(self) -> float:
        """Seconds in which voice activity has said speech for moments at most, as it does of a click."""
        return round(self._calm_samples / SAMPLE_RATE, 6)

    @property
    def finality(self) -> float:
        """How much the voice falls as at the end of a sentence; see ``endpointing.VoiceFinality``."""
        return self._finality.value
