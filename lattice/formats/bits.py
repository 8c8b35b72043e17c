"""Whole numbers in few bits: Exponential-Golomb codes (Teuhola 1978), whose order suits a column of numbers.

A number of order k is its low k bits after the rest plus one, which is written as so many zeros as it has further
bits, then itself. So small numbers take few bits, and one that is much larger than the others does no harm.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..errors import LatticeError

Longs = npt.NDArray[np.int64]
MAX_ORDER = 15
LARGEST_BITS = 40
"""Bits of a number at most."""
_ORDERS = np.arange(MAX_ORDER + 1)[:, None]


class BitWriter:
    """Writes numbers one after the other."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def bits(self, value: int, width: int) -> None:
        """Write a number from 0 in ``width`` bits."""
        self._parts.append(f"{value:0{width}b}")

    def code(self, code: str) -> None:
        """Write a text of zeros and ones."""
        self._parts.append(code)

    def number(self, value: int, order: int) -> None:
        """Write a number from 0."""
        self._parts.append(golomb(value, order))

    def signed(self, value: int, order: int) -> None:
        """Write a number of either sign."""
        self.number(value << 1 if value >= 0 else -2 * value - 1, order)

    def column(self, values: Longs) -> None:
        """Write numbers from 0 [count] with the order that suits them best; the reader has to know how many."""
        if len(values):
            sizes = 2 * np.frexp((values >> _ORDERS) + 1)[1].sum(1) + (_ORDERS[:, 0] - 1) * len(values)
            order = int(np.argmin(sizes))
            self.bits(order, 4)
            self._parts += [golomb(value, order) for value in values.tolist()]

    def getvalue(self) -> bytes:
        """Return all that was written, filled up with zeros to whole bytes."""
        text = "".join(self._parts)
        size = -(-len(text) // 8)
        return int(text.ljust(8 * size, "0") or "0", 2).to_bytes(size, "big")


class BitReader:
    """Reads what ``BitWriter`` wrote. Everything that is not there is a LatticeError."""

    def __init__(self, data: bytes) -> None:
        self._text = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}" if data else ""
        self._place = 0

    def bits(self, width: int) -> int:
        """Read a number of ``width`` bits."""
        end = self._place + width
        if end > len(self._text):
            raise _cut_off()
        value = int(self._text[self._place : end], 2)
        self._place = end
        return value

    def number(self, order: int) -> int:
        """Read a number from 0."""
        first = self._text.find("1", self._place, self._place + LARGEST_BITS)
        if first < 0:
            raise _cut_off()
        end = 2 * first - self._place + 1 + order
        if end > len(self._text):
            raise _cut_off()
        high = int(self._text[first : end - order], 2) - 1
        low = int(self._text[end - order : end], 2) if order else 0
        self._place = end
        return high << order | low

    def signed(self, order: int) -> int:
        """Read a number of either sign."""
        value = self.number(order)
        return value >> 1 ^ -(value & 1)

    def column(self, count: int) -> Longs:
        """Read ``count`` numbers from 0, [count]."""
        if count == 0:
            return np.zeros(0, np.int64)
        if count > len(self._text) - self._place:
            raise _cut_off()
        order = self.bits(4)
        return np.array([self.number(order) for _ in range(count)], np.int64)

    def code(self, codes: dict[str, int], longest: int) -> int:
        """Read one of some codes of which none begins another; returns what it stands for."""
        for width in range(1, longest + 1):
            found = codes.get(self._text[self._place : self._place + width])
            if found is not None:
                self._place += width
                return found
        raise _cut_off()

    def end(self) -> None:
        """Make sure that nothing is left."""
        if len(self._text) - self._place >= 8 or "1" in self._text[self._place :]:
            raise LatticeError("binary lattice: there is more in it than its lattice")


@lru_cache(2048)
def golomb(value: int, order: int) -> str:
    """Return the code of a number from 0."""
    high = (value >> order) + 1
    code = f"{high:0{2 * high.bit_length() - 1}b}"
    return f"{code}{value & (1 << order) - 1:0{order}b}" if order else code


def zigzag(values: Longs) -> Longs:
    """Return numbers of either sign as numbers from 0: 0, -1, 1, -2, ... become 0, 1, 2, 3, ..."""
    return (values << 1) ^ (values >> 63)


def unzigzag(values: Longs) -> Longs:
    """Undo ``zigzag``."""
    return (values >> 1) ^ -(values & 1)


def _cut_off() -> LatticeError:
    return LatticeError("binary lattice: damaged, or cut off within its numbers")
