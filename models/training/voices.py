"""Recordings in other voices: the same words at another pitch, by another vocal tract, with other breath and tempo.

Few speakers are what a small corpus lacks the most. WORLD (Morise et al. 2016) takes speech apart into pitch, spectral
envelope and noise, which are bent each by itself. Resampling bends them all by one ratio, and a warp of the mel axis
leaves pitch and vocal tract tied to one another.
"""

import math
import warnings
from functools import cache
from typing import Any

import numpy as np

from ..samples import SAMPLE_RATE, Samples

FRAME_MS = 8.0
"""Milliseconds from one frame of the analysis to the next."""
LOWEST, HIGHEST = 60.0, 600.0
"""Hertz between which pitch stays."""


@cache
def world() -> Any:
    """Return pyworld, the analysis and synthesis, imported without its warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks setuptools for its own version, which setuptools warns of
        import pyworld
    return pyworld


def another_voice(samples: Samples, rng: np.random.Generator) -> Samples:
    """Return speech [n], 16 kHz mono in [-1, 1], as somebody else might say it.

    Pitch 0.64 to 1.65 times as high and half to one and a half times as lively, vocal tract 0.83 to 1.22 times as long,
    tempo 0.85 to 1.18 of its own, more or less breath.
    """
    tool, wave = world(), samples.astype(np.float64)
    pitch, times = tool.dio(wave, SAMPLE_RATE, frame_period=FRAME_MS)
    pitch = tool.stonemask(wave, pitch, times, SAMPLE_RATE)
    envelope = tool.cheaptrick(wave, pitch, times, SAMPLE_RATE)
    noise = tool.d4c(wave, pitch, times, SAMPLE_RATE)
    voiced = pitch > 0
    if voiced.any():
        melody = np.log(pitch[voiced])
        centre = melody.mean()
        melody = (melody - centre) * rng.uniform(0.5, 1.5) + centre + rng.uniform(-0.45, 0.5)
        pitch[voiced] = np.exp(np.clip(melody, math.log(LOWEST), math.log(HIGHEST)))
    bins = np.arange(envelope.shape[1])
    places = np.minimum(bins / rng.uniform(0.82, 1.2), bins[-1])
    low = places.astype(np.int64)
    high, share = np.minimum(low + 1, bins[-1]), places - low
    envelope = np.ascontiguousarray(np.exp(np.log(envelope[:, low]) * (1 - share) + np.log(envelope[:, high]) * share))
    noise = np.clip(noise, 1e-3, 1.0) ** rng.uniform(0.6, 1.3)
    spoken = tool.synthesize(pitch, envelope, noise, SAMPLE_RATE, frame_period=FRAME_MS * rng.uniform(0.85, 1.18))
    return np.asarray(np.clip(spoken, -1, 1), np.float32)
