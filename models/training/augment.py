"""Augmentation of log-mel features: cheap, new in every epoch, and close to what happens to sound.

Powers add, so noise and late reverberation can be mixed in the mel domain with little error; a vocal tract of
another length or shape is a warp of the mel axis (Jaitly and Hinton 2013), a telephone a band, a microphone a smooth
tilt.
Masking after Park et al. 2019 (SpecAugment, arXiv 1904.08779).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]
FLOOR = -15.9
"""What kaldi's filter bank gives for digital silence."""


@dataclass(frozen=True)
class AugmentConfig:
    """Probability of each distortion at full strength; all are scaled by ``strength``."""

    strength: float = 1.0
    warp: float = 0.6
    stretch: float = 0.5
    noise: float = 0.5
    burst: float = 0.3
    room: float = 0.35
    telephone: float = 0.2
    tilt: float = 0.5
    mask: float = 0.6
    level: float = 1.0


def interpolate_rows(features: Features, positions: npt.NDArray[np.float64]) -> Features:
    """Sample ``features`` along its first axis at fractional ``positions``."""
    low = np.clip(positions.astype(np.int64), 0, len(features) - 1)
    high = np.minimum(low + 1, len(features) - 1)
    weight = (positions - low).astype(np.float32)[:, None]
    return features[low] * (1 - weight) + features[high] * weight


def pad_with_floor(features: Features, before: int, after: int, rng: np.random.Generator) -> Features:
    """Put silence of the recording's own kind around it: frames drawn from its quietest tenth."""
    loudness = features.mean(1)
    quiet = features[loudness <= np.quantile(loudness, 0.1)]
    pick = rng.integers(0, len(quiet), before + after)
    jitter = rng.normal(0, 0.3, (before + after, features.shape[1])).astype(np.float32)
    silence = quiet[pick] + jitter
    return np.concatenate([silence[:before], features, silence[before:]])


def add_noise(features: Features, noise: Features, snr: float) -> Features:
    """Mix ``noise`` (same shape) in at ``snr`` decibels, measured on the loudest frames of each."""
    speech_power, noise_power = (np.quantile(np.exp(part).sum(1), 0.9) for part in (features, noise))
    shift = np.float32(np.log(speech_power / noise_power) - snr / 10 * np.log(10))
    return np.asarray(np.logaddexp(features, noise + shift), np.float32)


def add_room(features: Features, decay: float, ratio: float) -> Features:
    """Add late reverberation: an exponential tail (``decay`` frames to fall by e) at ``ratio`` of the direct power."""
    taps = np.exp(-np.arange(1, int(4 * decay) + 2) / decay)
    taps *= ratio / taps.sum()
    power = np.exp(features)
    length = len(power) + len(taps)
    tail = np.fft.irfft(np.fft.rfft(power, length, axis=0) * np.fft.rfft(taps, length)[:, None], length, axis=0)[
        : len(power)
    ]
    delayed = np.concatenate([np.zeros((1, power.shape[1])), tail[:-1]])
    return np.asarray(np.log(np.maximum(power + delayed, 1.2e-7)), np.float32)


def change_tempo(features: Features, config: AugmentConfig, rng: np.random.Generator) -> Features:
    """Return features [T, 80], now and then at another tempo: the only distortion that moves anything in time."""
    s = config.strength
    if rng.random() >= config.stretch * s:
        return features
    count = max(8, int(len(features) * rng.uniform(1 - 0.2 * s, 1 + 0.25 * s)))
    # nobody speaks evenly: about three times a second the tempo is another one
    knots = 2 + count // 30
    tempo = np.interp(np.linspace(0, knots - 1, count), np.arange(knots), np.exp(rng.normal(0, 0.15 * s, knots)))
    positions = np.cumsum(tempo) - tempo[0]
    return interpolate_rows(features, positions * ((len(features) - 1) / positions[-1]))


def distort(features: Features, noise_bank: Features, config: AugmentConfig, rng: np.random.Generator) -> Features:
    """Return a distorted copy of features [T, 80]."""
    s = config.strength

    def happens(probability: float) -> bool:
        return bool(rng.random() < probability * s)

    if happens(config.warp):
        factor = rng.uniform(1 - 0.15 * s, 1 + 0.17 * s)
        bins = features.shape[1]
        shape = np.interp(np.linspace(0, 5, bins), np.arange(6), rng.normal(0, 1.0 * s, 6))
        positions = np.clip(np.arange(bins) * factor + shape, 0, bins - 1)
        features = np.ascontiguousarray(interpolate_rows(features.T, positions).T)
    if happens(config.room):
        features = add_room(features, rng.uniform(4, 20), rng.uniform(0.05, 0.7))
    if happens(config.tilt):
        knots = rng.normal(0, 1.0, 5)
        features = features + np.interp(np.linspace(0, 4, 80), np.arange(5), knots).astype(np.float32)
    if happens(config.noise):
        start = rng.integers(0, max(1, len(noise_bank) - len(features)))
        noise = noise_bank[start : start + len(features)]
        if len(noise) == len(features):
            if rng.random() < 0.5:
                noise = noise + np.interp(np.linspace(0, 4, 80), np.arange(5), rng.normal(0, 2.0, 5)).astype(np.float32)
            features = add_noise(features, noise.astype(np.float32), rng.uniform(3, 25))
    if happens(config.burst):
        length = int(rng.integers(3, max(4, min(50, len(features)))))
        start, place = rng.integers(0, len(noise_bank) - length), rng.integers(0, len(features) - length + 1)
        level = np.quantile(features, 0.95) - np.quantile(noise_bank[start : start + length], 0.95)
        burst = noise_bank[start : start + length] + np.float32(level - rng.uniform(0, 7))
        features = features.copy()
        features[place : place + length] = np.logaddexp(features[place : place + length], burst)
    if happens(config.telephone):
        features = features.copy()
        edge = int(rng.integers(55, 62))
        features[:, edge:] = FLOOR + 3 + rng.normal(0, 1, (len(features), 80 - edge))
        features[:, :4] -= 3
    if happens(config.level):
        features = features + np.float32(rng.uniform(-3.5, 2.5) * s)
    if happens(config.mask):
        features = features.copy()
        mean = features.mean()
        for _ in range(2):
            bins = int(rng.integers(0, 24))
            low = int(rng.integers(0, 80 - bins))
            features[:, low : low + bins] = mean
        for _ in range(1 + len(features) // 200):
            frames = int(rng.integers(0, min(24, len(features) // 4) + 1))
            begin = int(rng.integers(0, len(features) - frames + 1))
            features[begin : begin + frames] = mean
    return np.asarray(np.maximum(features, FLOOR), np.float32)
