"""Augmentation of log-mel features in whole batches, on the device that trains: cheap, and new in every epoch.

Powers add, so noise and late reverberation can be mixed in the mel domain with little error; a vocal tract of
another length or shape is a warp of the mel axis (Jaitly and Hinton 2013), a telephone a band, a microphone a smooth
tilt. Masking after Park et al. 2019 (SpecAugment, arXiv 1904.08779).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

FLOOR = -15.9
"""What Kaldi's filter bank gives for digital silence."""


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


class Draws:
    """Random numbers for a batch of rows, all from one seed: a run that is taken up again draws the same."""

    def __init__(self, rows: int, device: torch.device, seed: int) -> None:
        self.rows, self.device = rows, device
        self._generator = torch.Generator(device).manual_seed(seed)

    def uniform(self, low: float = 0.0, high: float = 1.0, *shape: int) -> Tensor:
        """Return evenly drawn numbers [rows, *shape]."""
        drawn = torch.rand(self.rows, *shape, device=self.device, generator=self._generator)
        return low + (high - low) * drawn

    def normal(self, *shape: int) -> Tensor:
        """Return normally drawn numbers [rows, *shape]."""
        return torch.randn(self.rows, *shape, device=self.device, generator=self._generator)

    def happens(self, probability: float) -> Tensor:
        """Return for each row whether something of this probability happens, [rows]."""
        return self.uniform() < probability

    def places(self, count: Tensor | int) -> Tensor:
        """Return whole numbers [rows] from 0 to before ``count``, one for all or one a row."""
        return (self.uniform() * count).long().clamp(min=0)


def interpolate(x: Tensor, positions: Tensor) -> Tensor:
    """Sample x [N, T, C] along its second axis at fractional ``positions`` [N, T']."""
    low = positions.floor().clamp(0, x.shape[1] - 1).long()
    high = (low + 1).clamp(max=x.shape[1] - 1)
    weight = (positions - low)[..., None]

    def at(index: Tensor) -> Tensor:
        return torch.gather(x, 1, index[..., None].expand(-1, -1, x.shape[2]))

    return at(low) * (1 - weight) + at(high) * weight


def smooth(draws: Draws, knots: int, size: int) -> Tensor:
    """Return normally drawn curves [rows, size], straight between ``knots``."""
    curve = draws.normal(1, knots)
    return functional.interpolate(curve, size=size, mode="linear", align_corners=True)[:, 0]


def loudness(x: Tensor, frames: Tensor) -> Tensor:
    """Return the power of the loudest tenth of each row's frames, [N]."""
    power = x.exp().sum(2)
    counts = torch.arange(x.shape[1], device=x.device)[None] < frames[:, None]
    ordered = power.masked_fill(~counts, -1.0).sort(1).values
    place = x.shape[1] - 1 - (0.1 * frames).long()
    return ordered.gather(1, place[:, None])[:, 0].clamp(min=1e-9)


def noise_at(x: Tensor, noise: Tensor, frames: Tensor, ratio: Tensor) -> Tensor:
    """Return x [N, T, 80] with ``noise`` of the same shape at ``ratio`` [N] dB, measured on the loudest frames."""
    shift = (loudness(x, frames) / loudness(noise, frames)).log() - ratio / 10 * math.log(10)
    return torch.logaddexp(x, noise + shift[:, None, None])


def with_room(x: Tensor, decay: Tensor, ratio: Tensor) -> Tensor:
    """Add late reverberation: a tail that falls by e in ``decay`` [N] frames, at ``ratio`` [N] of the direct power."""
    length = 80
    taps = torch.exp(-torch.arange(1, length + 1, device=x.device)[None] / decay[:, None])
    taps = taps / taps.sum(1, keepdim=True) * ratio[:, None]
    power, total = x.exp(), x.shape[1] + length
    spectrum = torch.fft.rfft(power, total, dim=1) * torch.fft.rfft(taps, total, dim=1)[:, :, None]
    tail = torch.fft.irfft(spectrum, total, dim=1)[:, : x.shape[1] - 1]
    return (power + functional.pad(tail, (0, 0, 1, 0))).clamp(min=1.2e-7).log()


def noise_of(bank: Tensor, draws: Draws, frames: int) -> Tensor:
    """Return stretches [rows, frames, 80] of a noise bank [M, 80], half of them in another colour."""
    start = draws.places(len(bank) - frames + 1)
    noise = bank[start[:, None] + torch.arange(frames, device=bank.device)[None]].float()
    colour = 2.0 * smooth(draws, 5, noise.shape[2]) * draws.happens(0.5)[:, None]
    return noise + colour[:, None]


def distort(x: Tensor, frames: Tensor, bank: Tensor, config: AugmentConfig, draws: Draws) -> Tensor:
    """Return distorted copies of x [N, T, 80], of which ``frames`` [N] of each row count; nothing moves in time."""
    count, bands = x.shape[1], x.shape[2]
    s = config.strength

    def rows(happens: Tensor) -> Tensor:
        return happens[:, None, None]

    if config.warp:
        on = draws.happens(config.warp * s)
        factor = torch.where(on, 1 + draws.uniform(-0.15 * s, 0.17 * s), torch.ones_like(frames, dtype=torch.float32))
        shape = smooth(draws, 6, bands) * s * on[:, None]
        positions = torch.arange(bands, device=x.device)[None] * factor[:, None] + shape
        x = interpolate(x.transpose(1, 2), positions.clamp(0, bands - 1)).transpose(1, 2)
    on = draws.happens(config.room * s)
    if on.any():
        x = torch.where(rows(on), with_room(x, draws.uniform(4, 20), draws.uniform(0.05, 0.7)), x)
    x = x + (smooth(draws, 5, bands) * draws.happens(config.tilt * s)[:, None])[:, None]
    noise, ratio = noise_of(bank, draws, count), draws.uniform(3, 25)
    x = torch.where(rows(draws.happens(config.noise * s)), noise_at(x, noise, frames, ratio), x)
    time = torch.arange(count, device=x.device)[None]
    length = 3 + draws.places(47)
    begin = draws.places((frames - length).clamp(min=1))
    during = (time >= begin[:, None]) & (time < (begin + length)[:, None]) & draws.happens(config.burst * s)[:, None]
    burst = noise_of(bank, draws, count)
    level = (loudness(x, frames) / loudness(burst, frames)).log() - draws.uniform(0, 7)
    x = torch.where(during[..., None], torch.logaddexp(x, burst + level[:, None, None]), x)
    band = torch.arange(bands, device=x.device)[None]
    on = draws.happens(config.telephone * s)[:, None]
    above = on & (band >= (55 + draws.places(7))[:, None])
    x = torch.where(above[:, None], FLOOR + 3 + draws.normal(count, bands), x)
    x = x - 3.0 * (on & (band < 4))[:, None].float()
    x = x + rows(draws.uniform(-3.5 * s, 2.5 * s) * draws.happens(config.level))
    masked, mean = draws.happens(config.mask * s)[:, None], x.mean((1, 2), keepdim=True)
    for _ in range(2):
        wide = draws.places(24)
        low = draws.places(bands - wide)[:, None]
        x = torch.where((masked & (band >= low) & (band < low + wide[:, None]))[:, None], mean, x)
    for number in range(1 + count // 200):
        wide = draws.places((frames // 4).clamp(max=24) + 1)
        begin = draws.places(frames - wide)[:, None]
        at = masked & (time >= begin) & (time < begin + wide[:, None]) & (frames > 200 * number)[:, None]
        x = torch.where(at[..., None], mean, x)
    return x.clamp(min=FLOOR)
