"""Whole numbers in as few bytes as they need: 7 bits a byte, low ones first, the high bit says that more follow."""

import numpy as np
import numpy.typing as npt

from ..errors import LatticeError

Longs = npt.NDArray[np.int64]
MAX_BYTES = 6
"""Bytes of a number at most: 42 bits."""


def pack(values: Longs) -> bytes:
    """Return numbers from 0 to 2**42 - 1 as bytes."""
    groups = values[:, None] >> np.arange(0, 7 * MAX_BYTES, 7)
    used = groups > 0
    used[:, 0] = True
    more = np.zeros_like(groups)
    more[:, :-1] = used[:, 1:]
    return ((groups & 127) | more << 7)[used].astype(np.uint8).tobytes()


def unpack(data: bytes, start: int, count: int) -> tuple[Longs, int]:
    """Return ``count`` numbers that begin at byte ``start``, and the byte after them.

    Raises:
        LatticeError: the data ends before, or a number is not in its shortest form.
    """
    if count == 0:
        return np.zeros(0, np.int64), start
    raw = np.frombuffer(data[start : start + MAX_BYTES * count], np.uint8)
    lasts = np.flatnonzero(raw < 128)[:count]
    if len(lasts) < count:
        raise LatticeError(f"binary lattice: the data ends at byte {len(data)}, within its numbers; it was cut off")
    firsts = np.concatenate([[0], lasts[:-1] + 1])
    lengths = lasts - firsts + 1
    if lengths.max() > MAX_BYTES or ((raw[lasts] == 0) & (lengths > 1)).any():
        raise LatticeError("binary lattice: a number is not in its shortest form of at most 6 bytes")
    used = raw[: lasts[-1] + 1].astype(np.int64)
    places = np.arange(len(used)) - np.repeat(firsts, lengths)
    return np.add.reduceat((used & 127) << (7 * places), firsts), start + len(used)


def zigzag(values: Longs) -> Longs:
    """Return numbers of either sign as numbers from 0: 0, -1, 1, -2, ... become 0, 1, 2, 3, ..."""
    return (values << 1) ^ (values >> 63)


def unzigzag(values: Longs) -> Longs:
    """Undo ``zigzag``."""
    return (values >> 1) ^ -(values & 1)
