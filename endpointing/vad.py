"""Voice activity: which frames are speech."""

import math
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .high_pass import SAMPLE_RATE, HighPass

_FULL_SCALE = np.float32(32767)
VOICE_HERTZ, VOICE_ORDER = 170.0, 10
"""What is looked at of a voice: all but its lowest harmonic or two, less than telephones carry. 50 and 60 Hz lose over
90 decibels, 100 Hz loses 46, and a jump of the offset has died away after two frames."""


def voice_filter() -> HighPass:
    """Return what takes out of frames of audio what is no voice: offset, hum, wind, handling."""
    return HighPass(VOICE_HERTZ, VOICE_ORDER)


class VoiceActivity(Protocol):
    """Says of every frame whether it is speech. Silero's model, or any other, fits behind this."""

    frame_seconds: float
    """Length of a frame in seconds."""

    def accept(self, frame: npt.NDArray[np.float32]) -> bool:
        """Take the next frame, [frame_seconds * 16000] float32 in [-1, 1]; returns whether it is speech."""
        ...

    def reset(self) -> None:
        """Forget what was heard."""
        ...


class WebRtcVad:
    """WebRTC's detector, guarded by level: sound that never swells above its own floor is not speech.

    Both hear what is left above the lowest notes of a voice: an offset or a hum would hide all but the loudest speech.
    The floor falls at once with the quietest frames and rises by ``rise`` decibels per second, so a fan that starts
    counts as speech for some seconds only, while the pauses of speech keep the floor down.
    """

    frame_seconds = 0.02

    def __init__(
        self, aggressiveness: int = 2, *, margin: float = 6.0, rise: float = 4.0, quietest: float = -70.0
    ) -> None:
        """Make a detector.

        Args:
            aggressiveness: 0 to 3: how readily WebRTC's detector calls a frame noise.
            margin: decibels above the floor that speech must have.
            rise: decibels per second by which the floor rises.
            quietest: decibels (full scale) below which the floor never falls.

        Raises:
            ValueError: ``aggressiveness`` is not 0 to 3.
        """
        import webrtcvad  # noqa: PLC0415 (only those who detect with it need it)

        if aggressiveness not in range(4):
            raise ValueError(f"aggressiveness is {aggressiveness}: expected 0, 1, 2 or 3")
        self._detector: Any = webrtcvad.Vad
        self._aggressiveness = aggressiveness
        self._margin, self._quietest, self._step = margin, quietest, rise * self.frame_seconds
        self._filter = voice_filter()
        self.reset()

    def reset(self) -> None:
        """Forget the level and the detector's state."""
        self._vad = self._detector(self._aggressiveness)
        self._filter.reset()
        self._floor = 0.0
        self.voice: npt.NDArray[np.float32] = np.zeros(0, np.float32)
        """What the high-pass left of the latest frame, [samples]."""

    def accept(self, frame: npt.NDArray[np.float32]) -> bool:
        """Take 20 ms (320 samples) and return whether it is speech."""
        self.voice = frame = self._filter.accept(frame)
        level = 10 * math.log10(float(np.dot(frame, frame)) / len(frame) + 1e-12)
        self._floor = max(self._quietest, min(level, self._floor + self._step))
        samples = frame * _FULL_SCALE
        np.minimum(samples, _FULL_SCALE, out=samples)
        np.maximum(samples, -_FULL_SCALE, out=samples)
        # the detector keeps state: it must hear every frame, also those that the level rules out
        heard = bool(self._vad.is_speech(samples.astype("<i2").tobytes(), SAMPLE_RATE))
        return heard and level > self._floor + self._margin
