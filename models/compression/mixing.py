"""From one 64-bit number to others that seem to have nothing to do with it."""

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_30, _27, _31, _32 = (np.uint64(shift) for shift in (30, 27, 31, 32))


def mixed(keys: Keys, salt: int) -> Keys:
    """Return other numbers for keys, by ``salt`` (the finaliser of SplitMix64: Steele, Lea and Flood 2014)."""
    return _finished(keys + np.uint64(salt * _GOLDEN & (1 << 64) - 1))


def _finished(out: Keys) -> Keys:
    out = (out ^ (out >> _30)) * _FIRST
    out = (out ^ (out >> _27)) * _SECOND
    out ^= out >> _31
    return out


def below(keys: Keys, size: int, salt: int) -> Keys:
    """Return a number from 0 to ``size`` - 1 for each key; ``size`` is at most 2 to the 32."""
    scaled: Keys = (mixed(keys, salt) >> _32) * np.uint64(size) >> _32
    return scaled


def spread(count: int, salt: int) -> Keys:
    """Return what ``below_each`` adds to keys for salts that count up from ``salt``, [count]."""
    return np.array([(salt + place) * _GOLDEN & (1 << 64) - 1 for place in range(count)], np.uint64)


def below_each(keys: Keys, sizes: Keys, salts: Keys) -> Keys:
    """Return the same for several sizes, [sizes] each with what ``spread`` says of its salt: [keys, sizes]."""
    out = keys[:, None] + salts
    # in place: for a few keys the making of arrays takes as long as the work
    shifted = out >> _30
    out ^= shifted
    out *= _FIRST
    np.right_shift(out, _27, out=shifted)
    out ^= shifted
    out *= _SECOND
    np.right_shift(out, _31, out=shifted)
    out ^= shifted
    out >>= _32
    out *= sizes
    out >>= _32
    return out
