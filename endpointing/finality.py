"""How final a voice sounds before a silence: melody, loudness and rhythm of the last words.

People who have finished let the voice fall, in pitch and in loudness, and have mostly spoken for a while; people who
only pause keep it up (Ferrer, Shriberg and Stolcke 2002). A logistic model over a dozen measures of the last seconds,
blind to words and language model. It looks at nothing behind the last sound, so that a pause in a recording that was
cut there and one in the air are the same to it.
"""

from collections import deque
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .endpointer import GLITCH_SECONDS
from .high_pass import SAMPLE_RATE
from .vad import voice_filter

FRAME = SAMPLE_RATE // 50
"""20 ms between two measurements."""
WINDOW = 3 * FRAME
LOOK_SECONDS = 4.0
"""So much audio is looked at, at most."""
LEAD_SECONDS = 0.3
"""Speech is this long when an utterance begins, at most: so much before it belongs to it."""
DECIDE_SECONDS = 0.14
"""Silence after which the voice is judged."""
_FFT = 1536
_LAGS = (40, 267)
"""Periods of a voice in samples: 400 to 60 Hz."""
_SPEECH_DECIBELS = 25.0
"""Speech is at most so far below the loudest."""


class Tracks(NamedTuple):
    """Measurements of every 20 ms; each [frames] float64."""

    level: npt.NDArray[np.float64]
    """Decibels."""
    periodicity: npt.NDArray[np.float64]
    """0 to 1; a voice is above 0.6."""
    pitch: npt.NDArray[np.float64]
    """Semitones above 100 Hz; noise where there is no voice."""
    tilt: npt.NDArray[np.float64]
    """Decibels by which 60 to 1000 Hz is louder than 1000 to 4000 Hz."""


def measure(samples: npt.NDArray[np.float32]) -> Tracks:
    """Measure audio, [samples] at 16 kHz; the first frame ends after 60 ms."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::FRAME]
    shape = np.hanning(WINDOW).astype(np.float32)
    spectrum = np.fft.rfft(windows * shape, _FFT)
    power = spectrum.real**2 + spectrum.imag**2
    hertz = SAMPLE_RATE / _FFT

    def band(low: float, high: float) -> npt.NDArray[np.float64]:
        total: npt.NDArray[np.float64] = power[:, int(low / hertz) : int(high / hertz)].sum(axis=1, dtype=np.float64)
        return total + 1e-10

    tilt = np.clip(10 * np.log10(band(60, 1000) / band(1000, 4000)), -30, 40)
    level = 10 * np.log10(band(50, 8000) / (_FFT * WINDOW) + 1e-12)
    power[:, int(1500 / hertz) :] = 0  # a voice's period shows best in its lowest harmonics
    power[:, : int(50 / hertz)] = 0
    first, last = _LAGS
    own = np.fft.irfft(np.abs(np.fft.rfft(shape, _FFT)) ** 2)[: last + 1]
    likeness = np.fft.irfft(power)[:, : last + 1]
    likeness = likeness / (likeness[:, :1] + 1e-12) / (own / own[0])
    inner = likeness[:, first:last]
    # the shortest period that explains nearly as much as the best: not an octave below
    peak = (inner >= likeness[:, first - 1 : last - 1]) & (inner >= likeness[:, first + 1 : last + 1])
    peak &= inner > 0.87 * inner.max(axis=1, keepdims=True)
    lag = np.where(peak.any(axis=1), peak.argmax(axis=1), inner.argmax(axis=1))
    periodicity = np.clip(inner[np.arange(len(inner)), lag], 0.0, 1.0)
    return Tracks(level, periodicity, 12 * np.log2(SAMPLE_RATE / (lag + first) / 100), tilt)


def features(samples: npt.NDArray[np.float32], silence: float, spoken: float) -> npt.NDArray[np.float64] | None:
    """Return the measures of the model, [13] float64, or None if there is too little voice to judge.

    Args:
        samples: the utterance up to now, or the last ``LOOK_SECONDS`` of it, [samples].
        silence: seconds of silence at its end.
        spoken: seconds from the beginning of the utterance to the silence.
    """
    if len(samples) < WINDOW + 8 * FRAME:
        return None
    tracks = measure(samples)
    count = len(tracks.level) - round(silence * 50)
    if count < 15:
        return None
    loudest = float(np.quantile(tracks.level[:count], 0.9))
    loud = np.flatnonzero(tracks.level[: count + 3] > loudest - _SPEECH_DECIBELS)
    end = int(loud[-1]) + 1 if len(loud) else 0
    voiced = np.flatnonzero(
        (tracks.periodicity[:end] > 0.6) & (tracks.level[:end] > loudest - _SPEECH_DECIBELS)
    )  # fmt: skip
    if end < 12 or len(voiced) < 6:
        return None
    pitch = tracks.pitch[voiced] - np.median(tracks.pitch[voiced])
    pitch = pitch[np.abs(pitch) < 9]  # an octave off is a mistake of the measurement
    if len(pitch) < 6:
        return None
    runs = [len(run) for run in np.split(voiced, np.flatnonzero(np.diff(voiced) > 2) + 1)]

    def mean(track: npt.NDArray[np.float64], near: int, far: int) -> float:
        return float(track[max(0, end - far) : max(1, end - near)].mean())

    usual_tilt = float(tracks.tilt[:end].mean())
    return np.asarray(
        [
            pitch[-5:].mean(),
            pitch[-12:].mean(),
            np.quantile(pitch, 0.9) - np.quantile(pitch, 0.1),
            mean(tracks.level, 0, 5) - loudest,
            mean(tracks.level, 5, 10) - loudest,
            mean(tracks.level, 10, 25) - loudest,
            min(runs[-1], 40) - np.mean(runs),
            min(end - voiced[-1] - 1, 25),
            mean(tracks.tilt, 0, 5) - usual_tilt,
            mean(tracks.tilt, 5, 15) - usual_tilt,
            mean(tracks.periodicity, 0, 5),
            mean(tracks.periodicity, 5, 15),
            np.log(np.clip(spoken, 0.3, LOOK_SECONDS)),
        ]
    )


_MEAN = np.asarray(
    [-0.8747, -0.6504, 4.523, -15.94, -10.55, -10.86, -3.323, 3.477, 1.705, 2.016, 0.639, 0.7534, 0.6783]
)
_DEVIATION = np.asarray([2.107, 1.569, 2.173, 6.405, 9.566, 9.069, 9.886, 5.654, 8.455, 6.628, 0.2212, 0.206, 0.7149])
_WEIGHTS = np.asarray(
    [-0.2135, -0.1176, -0.03465, -0.5696, 0.05779, 0.01651, -0.1189, -0.07161, 0.1405, 0.1754, -0.3016, -0.5444, 1.069]
)
_BIAS = -0.3629
"""Fitted by tests/benchmarks/endpoint_fit.py on sentences read by 113 people, pauses of their own and put in."""


def finality(samples: npt.NDArray[np.float32], silence: float, spoken: float) -> float:
    """Return 0 (the speaker goes on) to 1 (has finished); 0.5 if there is too little voice to judge.

    Arguments as for ``features``.
    """
    found = features(samples, silence, spoken)
    if found is None:
        return 0.5
    logit = _BIAS + float(np.clip((found - _MEAN) / _DEVIATION, -3, 3) @ _WEIGHTS)
    return 1 / (1 + float(np.exp(-logit)))


class VoiceFinality:
    """Keeps the last seconds of a stream, and judges the voice once in every silence."""

    def __init__(self) -> None:
        self._recent: deque[npt.NDArray[np.float32]] = deque()
        self._filter = voice_filter()
        self.reset()

    def reset(self) -> None:
        """Begin anew: what comes does not follow what was."""
        self._recent.clear()
        self._filter.reset()
        self._kept = 0
        self.begin()

    def begin(self) -> None:
        """Begin an utterance whose first speech was a moment ago."""
        self._spoken = self._silence = self._burst = 0
        self.value = 1.0
        """Finality of the voice before the present silence; 1 while there is none to judge."""
        self._judged = False

    def accept(self, frame: npt.NDArray[np.float32], *, speech: bool, filtered: bool = False) -> None:
        """Take the next frame of audio and whether it is speech; ``filtered`` says that it is ``WebRtcVad.voice``."""
        if not filtered:
            frame = self._filter.accept(frame)
        self._recent.append(frame)
        self._kept += len(frame)
        while self._kept - len(self._recent[0]) >= LOOK_SECONDS * SAMPLE_RATE:
            self._kept -= len(self._recent.popleft())
        self._spoken += len(frame)
        self._burst = self._burst + len(frame) if speech else 0
        self._silence += len(frame)
        if self._burst > GLITCH_SECONDS * SAMPLE_RATE:
            self._silence, self.value, self._judged = 0, 1.0, False
        if speech:  # a click in a silence leaves the voice before it as it was
            return
        if not self._judged and self._silence >= DECIDE_SECONDS * SAMPLE_RATE:
            self._judged = True
            spoken, silence = self._spoken / SAMPLE_RATE, self._silence / SAMPLE_RATE
            audio = np.concatenate(self._recent)[-round((spoken + LEAD_SECONDS) * SAMPLE_RATE) :]
            self.value = finality(audio, silence, spoken - silence)
