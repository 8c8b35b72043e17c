"""Whole numbers of a few bits each, one after the other, read at any place."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .errors import CompressionError

Ints = npt.NDArray[np.int64]
MAX_WIDTH = 24
"""Bits of a number; it lies within four bytes wherever it begins."""
_PADDING = 4
"""Bytes after the last number, so that four can be read from any."""
PIECE = 1 << 11
"""Numbers that are looked at together where all are."""


@dataclass(frozen=True, eq=False)
class PackedInts:
    """Numbers from 0 to 2 ** ``width`` - 1. The bytes may be a view into a mapped file.

    Raises:
        CompressionError: there are not as many bytes as the numbers need.
    """

    data: npt.NDArray[np.uint8]
    """[bytes] The numbers, the lowest bit first, and padding."""
    width: int
    """Bits of each, 0 to 24; of width 0 all are 0."""
    count: int
    """How many there are."""

    def __post_init__(self) -> None:
        if not (0 <= self.width <= MAX_WIDTH and 0 <= self.count < 1 << 40):
            raise CompressionError(f"{self.count} numbers of {self.width} bits; expected at most {MAX_WIDTH} bits")
        if self.data.dtype != np.uint8 or self.data.shape != (bytes_of(self.count, self.width),):
            raise CompressionError(f"{self.data.size} bytes hold {self.count} numbers of {self.width} bits")

    @classmethod
    def pack(cls, numbers: npt.ArrayLike, width: int | None = None) -> "PackedInts":
        """Return numbers packed, with the fewest bits unless ``width`` says how many.

        Raises:
            CompressionError: a number is below 0, or needs more bits.
        """
        plain = np.asarray(numbers, np.int64)
        least = int(plain.max()).bit_length() if len(plain) else 0
        width = least if width is None else width
        if least > width or width > MAX_WIDTH or (len(plain) and int(plain.min()) < 0):
            raise CompressionError(f"a number needs {least} bits; expected numbers from 0 that fit into {width}")
        bits = (plain[:, None] >> np.arange(width)) & 1
        data = np.zeros(bytes_of(len(plain), width), np.uint8)
        packed = np.packbits(bits.astype(np.uint8), bitorder="little")
        data[: len(packed)] = packed
        return cls(data, width, len(plain))

    def take(self, places: Ints) -> Ints:
        """Return the numbers at places, of any shape; each place from 0 to ``count`` - 1."""
        if not self.width:
            return np.zeros(places.shape, np.int64)
        bit = places * self.width
        numbers: Ints = self._windows[bit >> 3].astype(np.int64)
        bit &= 7
        numbers >>= bit
        numbers &= (1 << self.width) - 1
        return numbers

    @cached_property
    def _windows(self) -> npt.NDArray[np.uint32]:
        """[bytes - 3] Four bytes from any byte on: a view whose items overlap."""
        windows: npt.NDArray[np.uint32] = np.ndarray((len(self.data) - 3,), "<u4", self.data, strides=(1,))
        return windows

    def pieces(self) -> Iterator[Ints]:
        """Yield all numbers, some thousands at a time."""
        for first in range(0, self.count, PIECE):
            yield self.take(np.arange(first, min(first + PIECE, self.count)))


def bytes_of(count: int, width: int) -> int:
    """Return how many bytes so many numbers of so many bits take."""
    return (count * width + 7) // 8 + _PADDING
