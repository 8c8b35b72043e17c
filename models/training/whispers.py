"""Whispers made of ordinary speech, for want of real ones: the same words without a voice.

A whisper has no pitch: air rushes through a throat that does not vibrate. Vowels lose some 20 dB, most of it below
500 Hz, consonants little; the first formant lies higher, and the spectrum is flatter (Ito, Takeda and Itakura 2005,
"Analysis and recognition of whispered speech"). Two ways to make one, so that neither's traces are what is learnt:
WORLD's analysis (Morise et al. 2016) with noise in the place of pitch, and noise filtered by a cepstral envelope.
"""

import numpy as np
import numpy.typing as npt

from ..samples import SAMPLE_RATE, Samples
from .voices import FRAME_MS, world

Array = npt.NDArray[np.float64]
WINDOW = 512
"""Samples of a frame of the second way, every quarter of which a new one begins."""
LIFTER = 26
"""Cepstral coefficients that make its envelope: no harmonics are left."""


def whispered(samples: Samples, rng: np.random.Generator) -> Samples:
    """Return speech [n], 16 kHz mono in [-1, 1], whispered: no pitch, a flatter spectrum, quieter vowels."""
    wave = samples.astype(np.float64)
    spoken = _by_world(wave, rng) if rng.random() < 0.5 else _by_envelope(wave, rng)
    peak = float(np.abs(spoken).max()) or 1.0
    return np.asarray(spoken * (float(np.abs(samples).max()) * 10 ** (rng.uniform(-20, 0) / 20) / peak), np.float32)


def _bend(power: Array, voiced: npt.NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """Return an envelope [frames, bins] (power) as a throat that does not vibrate would leave it."""
    bins = power.shape[1]
    hertz = np.linspace(0, SAMPLE_RATE / 2, bins)
    # the first formant lies a tenth to a quarter higher, those above nearly where they were
    places = hertz / (1 + rng.uniform(0.05, 0.3) * np.exp(-hertz / 1500)) / (SAMPLE_RATE / 2) * (bins - 1)
    low = places.astype(np.int64)
    high, share = np.minimum(low + 1, bins - 1), places - low
    logs = np.log(np.maximum(power, 1e-16))
    bent = logs[:, low] * (1 - share) + logs[:, high] * share
    corner, slope = rng.uniform(400, 1200), rng.uniform(1.0, 2.5)
    less = slope * np.log1p((corner / np.maximum(hertz, 50)) ** 2)
    loss = np.log(10) * rng.uniform(0.6, 2.0)
    bent = bent - voiced[:, None] * (less[None] + loss)
    flatter = rng.uniform(0.7, 1.0)
    mean = bent.mean(1, keepdims=True)
    return np.asarray(np.exp((bent - mean) * flatter + mean))


def _by_world(wave: Array, rng: np.random.Generator) -> Array:
    tool = world()
    pitch, times = tool.dio(wave, SAMPLE_RATE, frame_period=FRAME_MS)
    envelope = tool.cheaptrick(wave, pitch, times, SAMPLE_RATE)
    bent = np.ascontiguousarray(_bend(envelope, pitch > 0, rng))
    period = FRAME_MS * rng.uniform(0.9, 1.3)
    spoken = tool.synthesize(np.zeros_like(pitch), bent, np.ones_like(bent), SAMPLE_RATE, frame_period=period)
    return np.asarray(spoken, np.float64)


def _by_envelope(wave: Array, rng: np.random.Generator) -> Array:
    shift = WINDOW // 4
    padded = np.pad(wave, WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::shift] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames)) ** 2 + 1e-12
    cepstrum = np.fft.irfft(np.log(power))
    cepstrum[:, LIFTER : WINDOW - LIFTER] = 0
    smooth = np.exp(np.fft.rfft(cepstrum).real)
    total = power.sum(1)
    lower = power[:, : WINDOW // 16].sum(1)  # below 1 kHz
    voiced = (lower > 0.5 * total) & (total > 1e-4 * total.max())
    magnitude = np.sqrt(_bend(smooth, voiced, rng))
    noise = np.pad(rng.normal(0, 1, len(padded)), 0)
    rushes = np.lib.stride_tricks.sliding_window_view(noise, WINDOW)[::shift] * np.hanning(WINDOW)
    shaped = np.fft.irfft(np.fft.rfft(rushes) * magnitude) * np.hanning(WINDOW)
    out = np.zeros(len(padded))
    for number, frame in enumerate(shaped):
        out[number * shift : number * shift + WINDOW] += frame
    return out[WINDOW:-WINDOW]
