"""The hum of the mains, a motor or a ground loop, taken out of audio before anything listens to it.

A comb of lines that stand still for a second is no voice. Once one was seen, its waveform is what the last two seconds
have in common when they are laid over one another period by period, the quiet blocks before the loud ones; that is
taken off what follows. It looks at the past alone, so nothing waits. Audio without such lines passes as it is, bit for
bit.
"""

from collections import deque
from itertools import islice
from operator import is_
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...models import SAMPLE_RATE
from ...models.samples import Samples

BLOCK = SAMPLE_RATE // 50
"""Samples for which things are decided at once: always the same ones, however audio comes in pieces."""
LOOK_BLOCKS = 8
"""Blocks after which a line is looked for anew, or the comb fitted anew."""
LINE_BLOCKS = 32
"""Blocks in which a line has to stand still."""
SIGHTINGS = 4
"""Looks in a row that have to see the same line; one that sees the mains and next to nothing else counts twice."""
FIT_BLOCKS = 96
"""Blocks that the waveform is fitted to, at most."""
LEAST_POWER = 1e-5
"""Mean square below which a line is left: it does no harm."""
SHARE = 0.6
"""What a line has at least of all that is below 400 Hz."""
BELOW_VOICES, SHARE_BELOW = 80.0, 0.85
"""Hz, and what a line of the mains has of all below, where somebody may be speaking meanwhile."""
PURE = 0.95
"""What it has where there is little else."""
MAINS = (50.0, 60.0)
HIGHEST = 125.0
"""Hz up to which a line is a hum; above, if it is a harmonic of the mains."""
LOWEST = 20.0
"""Hz below which no feature holds a line."""
TOP = 7000.0
"""Hz up to which harmonics are taken out."""
FOLD = 3200
"""Places of a period: samples of a hum of whole Hz fall on them exactly, which else would look like a harmonic."""
_COARSE = 20
"""Samples of which the mean stands for all where lines are looked for."""
_WINDOW = np.hanning(LINE_BLOCKS * BLOCK // _COARSE)
_HERTZ = SAMPLE_RATE / _COARSE / len(_WINDOW)
_LEAST = LEAST_POWER * len(_WINDOW) * float(_WINDOW @ _WINDOW)
"""``LEAST_POWER`` in the spectrum of the window."""
_DROPPED = 3
"""Quiet blocks in a row that became louder, after which there is no hum any more."""
Floats = npt.NDArray[np.float64]


class _Comb(NamedTuple):
    """What is taken out."""

    hertz: float
    """The fundamental."""
    wave: Floats
    """[FOLD] One period, which begins with the stream."""
    weight: float
    """How much quiet it was fitted to."""

    def at(self, first: int, count: int) -> Floats:
        """Return the waveform of ``count`` samples of the stream from ``first`` on."""
        wave: Floats = self.wave[_places(self.hertz, first, count)]
        return wave


class HumFilter:
    """Takes audio in pieces of any length, and gives it back without hum, in whole blocks."""

    def __init__(self) -> None:
        self._rest: Samples = np.zeros(0, np.float32)
        self._count = 0
        self.forget()

    def forget(self) -> None:
        """Begin anew: what comes does not follow what was."""
        self._recent: deque[Samples] = deque(maxlen=FIT_BLOCKS)
        self._residues: deque[Samples] = deque(maxlen=FIT_BLOCKS)
        """What was left of each."""
        self._coarse: deque[Floats] = deque(maxlen=LINE_BLOCKS // LOOK_BLOCKS)
        """What came between the latest looks, for ``steady_line``."""
        self._sightings = self._louder = 0
        self._line = 0.0
        self._comb: _Comb | None = None

    @property
    def active(self) -> bool:
        """Whether something is being taken out."""
        return self._comb is not None

    def accept(self, samples: Samples) -> Samples:
        """Take samples [n] and return what is whole of them; the last ones may wait for more."""
        if len(self._rest):
            samples = np.concatenate([self._rest, samples])
        whole = len(samples) // BLOCK * BLOCK
        self._rest = samples[whole:].copy()
        blocks = [samples[start : start + BLOCK] for start in range(0, whole, BLOCK)]
        out = [self._block(block) for block in blocks]
        if all(map(is_, out, blocks)):
            return samples[:whole]
        return out[0] if len(out) == 1 else np.concatenate(out)

    def finish(self) -> Samples:
        """Return what is left at the end."""
        rest, self._rest = self._rest, self._rest[:0]
        if self._comb is None:
            return rest
        return (rest - self._comb.at(self._count * BLOCK, len(rest))).astype(np.float32)

    def _block(self, block: Samples) -> Samples:
        self._recent.append(block)
        out = block if self._comb is None else self._without(self._comb, block)
        self._residues.append(out)
        self._count += 1
        if self._count % LOOK_BLOCKS == 0:
            self._look()
        return out

    def _without(self, comb: _Comb, block: Samples) -> Samples:
        hum = comb.at(self._count * BLOCK, BLOCK).astype(np.float32)
        out: Samples = block - hum
        if np.dot(block, block) < 2 * np.dot(hum, hum):  # where nobody speaks it shows whether there is a hum still
            self._louder = self._louder + 1 if np.dot(out, out) > np.dot(block, block) else 0
            if self._louder >= _DROPPED:
                self.forget()
                return block
        return out

    def _look(self) -> None:
        if self._comb is not None:
            self._fit(self._comb)
            return
        latest = islice(self._recent, max(0, len(self._recent) - LOOK_BLOCKS), None)
        self._coarse.append(coarse(np.concatenate(list(latest))))
        if len(self._recent) >= LINE_BLOCKS:
            line, seen = steady_line(np.concatenate(self._coarse))
            self._sightings = seen + (self._sightings if abs(line - self._line) < 1.0 else 0)
            self._line = line
            if self._sightings >= SIGHTINGS:
                self._sightings = 0
                self._fit(_Comb(line, np.zeros(FOLD), 0.0))

    def _fit(self, comb: _Comb) -> None:
        """Fit the waveform to the latest blocks, each by how quiet it is.

        Where there was more quiet before, the waveform of that time stays unless it has become a worse one.
        """
        count = len(self._recent) // 2 * 2
        samples = np.concatenate(list(self._recent)[-count:])
        powers = np.square(np.stack(list(self._residues)[-count:])).mean(1, dtype=np.float64)
        weights = 1 / (powers + 0.05 * float(np.median(powers)) + 1e-9)
        weight = float(weights.sum())
        hertz, first = comb.hertz, self._count * BLOCK - len(samples)
        for _ in range(2):
            halves = _halves(samples, weights, hertz, first)
            hertz += _drift(halves, count * BLOCK / SAMPLE_RATE / 2)
        wave = _wave(_halves(samples, weights, hertz, first))
        found = _Comb(hertz, wave, weight)
        if weight < 0.5 * comb.weight:
            recent = samples[-LINE_BLOCKS * BLOCK :]
            left = recent - found.at(self._count * BLOCK - len(recent), len(recent))
            if float(np.square(left).mean()) > 0.5 * float(powers[-LINE_BLOCKS:].mean()):
                found = comb._replace(weight=0.9 * comb.weight)
        self._comb = found
        if 10 * float(np.square(found.wave).mean()) < LEAST_POWER:
            self.forget()


def coarse(samples: Samples) -> Floats:
    """Return the mean of every ``_COARSE`` samples, [n / _COARSE]."""
    means: Floats = np.add.reduce(samples.reshape(-1, _COARSE), axis=1, dtype=np.float64) / _COARSE
    return means


def steady_line(means: Floats) -> tuple[float, int]:
    """Return the fundamental of a line that stands still in ``LINE_BLOCKS`` blocks, and how much that counts.

    The blocks come as ``coarse`` gives them. The former in Hz; both are 0 without a line.
    """
    windowed = (means - np.add.reduce(means) / len(means)) * _WINDOW
    if len(windowed) * float(windowed @ windowed) < 0.99 * _LEAST:  # what all lines have together
        return 0.0, 0
    spectrum = np.abs(np.fft.rfft(windowed)) ** 2
    spectrum[: int(LOWEST / _HERTZ)] = 0
    for top, least, highest in ((BELOW_VOICES, SHARE_BELOW, 0.0), (SAMPLE_RATE, SHARE, HIGHEST)):
        band = spectrum[: int(top / _HERTZ)]
        peak = int(band[2:-3].argmax()) + 2
        line = float(band[peak - 2 : peak + 3].sum())
        share = line / (float(band.sum()) + 1e-30)
        if 2 * line < _LEAST or share < least:
            continue
        below, here, above = np.log(band[peak - 1 : peak + 2] + 1e-30)
        hertz = float(peak + 0.5 * (below - above) / (below - 2 * here + above)) * _HERTZ
        for mains in MAINS:
            harmonic = max(1, round(hertz / mains))
            if abs(hertz / harmonic - mains) < 0.01 * mains:
                return hertz / harmonic, 2 if share > PURE else 1
        if hertz <= highest:
            return hertz, 1
    return 0.0, 0


def _places(hertz: float, first: int, count: int) -> npt.NDArray[np.int64]:
    """Return the place in the period of samples of the stream."""
    turns = hertz / SAMPLE_RATE * np.arange(first, first + count)
    places: npt.NDArray[np.int64] = np.rint((turns - np.floor(turns)) * FOLD).astype(np.int64) % FOLD
    return places


def _halves(samples: Samples, weights: Floats, hertz: float, first: int) -> npt.NDArray[np.complex128]:
    """Return the harmonics of both halves, [2, harmonics + 1] complex, each block by its weight."""
    each = weights.repeat(BLOCK)
    centred = each * (samples - float(np.add.reduce(each * samples)) / float(np.add.reduce(each)))
    places = _places(hertz, first, len(samples))
    middle = len(samples) // 2
    out = [
        np.fft.rfft(np.bincount(places[part], centred[part], FOLD))[: int(TOP / hertz) + 1] / each[part].sum()
        for part in (slice(middle), slice(middle, None))
    ]
    return np.stack(out)


def _drift(halves: npt.NDArray[np.complex128], seconds: float) -> float:
    """Return by how many Hz the fundamental is higher: harmonics turn further between two halves so long."""
    orders = np.arange(halves.shape[1])
    turned = halves[1] * halves[0].conj()
    sure = np.abs(turned) * _share(halves)
    sure[0] = 0.0
    # the low ones first: high harmonics may have turned more than once
    drift = 0.0
    for most in (2, 8, 40):
        angles = np.angle(turned[: most + 1] * np.exp(-2j * np.pi * drift * seconds * orders[: most + 1]))
        weight = float((orders**2 * sure)[: most + 1].sum())
        if weight > 0:
            drift += float((orders * sure)[: most + 1] @ angles) / weight / (2 * np.pi * seconds)
    return float(np.clip(drift, -0.2, 0.2))


def _share(halves: npt.NDArray[np.complex128]) -> Floats:
    """Return how much of each harmonic both halves have in common, [harmonics + 1], 0 to 1."""
    both = np.abs(halves) ** 2
    differing = np.abs(halves[0] - halves[1]) ** 2
    share: Floats = np.clip(1 - differing / (both.sum(0) + 1e-30), 0.0, 1.0)
    return share


def _wave(halves: npt.NDArray[np.complex128]) -> Floats:
    """Return one period of what both halves have in common."""
    spectrum = np.zeros(FOLD // 2 + 1, np.complex128)
    spectrum[1 : halves.shape[1]] = (halves.mean(0) * _share(halves))[1:]
    wave: Floats = np.fft.irfft(spectrum, FOLD) * FOLD
    return wave
