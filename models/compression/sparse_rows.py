"""Weights of a linear model, a row for each feature, most of them zero: found by hash, in a few bits each.

A weight is a step, the same for all rows, times a power of a whole number; zeros are not there. Small weights are many,
and many of them add up: with a power above 1 they are rounded less, the few large ones more (companding). A weight says
its column, and whether it is the last of its row: a bit each takes less than the lengths of rows, most of them short.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import CompressionError
from .fingerprints import FingerprintHash
from .mixing import Keys
from .packed import PackedInts
from .sections import Sections

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
_PIECE = 1 << 11
"""Weights that are looked at together while a file is opened."""
_BLOCK_BITS = 4
_BLOCK = 1 << _BLOCK_BITS
"""Rows for which it is kept where the first begins; of the others, how far behind it."""
LEVELS = 256
"""Values that a weight may have."""
MAX_POWER = 4.0
"""Of a level's distance from zero that it may be worth."""
FINGERPRINT_BITS = 8
"""So one feature in 256 that the model does not know is taken for another."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Weights that were found, in no order; all arrays are as long."""

    key: Ints
    """Place of the key among those that were asked for."""
    column: Ints
    """Column of the weight."""
    weight: Floats
    """The weight."""


@dataclass(frozen=True, eq=False)
class SparseRows:
    """A sparse matrix whose rows are named by 64-bit keys."""

    keys: FingerprintHash
    """Which row a key has."""
    last: PackedInts
    """1 for each weight that is the last of its row, 0 for all others."""
    columns: PackedInts
    """Column of each weight."""
    levels: PackedInts
    """Each weight: whole steps, and ``zero`` more."""
    num_columns: int
    """Columns of the matrix."""
    step: float
    """What the first level above 0 is worth."""
    zero: int
    """Level of weight 0, which none has."""
    power: float = 1.0
    """A level is worth the step times this power of its distance from zero, 1 to 4."""
    _blocks: npt.NDArray[np.uint32] = field(init=False, repr=False)
    """Place of the first weight of every 16th row."""
    _behind: npt.NDArray[np.unsignedinteger[Any]] = field(init=False, repr=False)
    """[rows + 1] Place of the first weight of each row, from that of its block on; then where all end."""

    def __post_init__(self) -> None:
        rows, weights = self.keys.count, self.columns.count
        if self.levels.count != weights or not 0 <= self.num_columns < 1 << 20:
            raise CompressionError("rows, columns and levels of stored weights do not fit together")
        if self.last.count != weights or (weights and self.last.width != 1):
            raise CompressionError("stored weights do not say where their rows end")
        if not (np.isfinite(self.step) and self.step > 0):
            raise CompressionError(f"the step of stored weights is {self.step}; expected a number above 0")
        if not 1 <= self.power <= MAX_POWER:
            raise CompressionError(f"the power of stored weights is {self.power}; expected 1 to {MAX_POWER:g}")
        blocks = np.zeros((rows >> _BLOCK_BITS) + 1, np.uint32)
        row = end = 0
        for ends in _ends_of_rows(self.last):
            if row + len(ends) <= rows:
                skipped = -(row + 1) % _BLOCK
                first, begins = (row + 1 + skipped) >> _BLOCK_BITS, ends[skipped::_BLOCK]
                blocks[first : first + len(begins)] = begins
            row, end = row + len(ends), int(ends[-1]) if len(ends) else end
        if (row, end) != (rows, weights):
            raise CompressionError(f"stored weights have {row} rows up to {end}; expected {rows} up to {weights}")
        longest = int(np.diff(blocks, append=np.uint32(weights)).max())
        behind, row = np.zeros(rows + 1, np.min_scalar_type(longest)), 0
        for ends in _ends_of_rows(self.last):
            number = np.arange(row + 1, row + 1 + len(ends))
            behind[number] = ends - blocks.take(number >> _BLOCK_BITS)
            row += len(ends)
        object.__setattr__(self, "_blocks", blocks)
        object.__setattr__(self, "_behind", behind)
        if any(len(piece) and int(piece.max()) >= self.num_columns for piece in self.columns.pieces()):
            raise CompressionError(f"a stored weight names a column beyond {self.num_columns - 1}")

    @classmethod
    def build(
        cls,
        keys: Keys,
        rows: npt.ArrayLike,
        columns: npt.ArrayLike,
        weights: npt.ArrayLike,
        num_columns: int,
        *,
        levels: int = LEVELS,
        fingerprint_bits: int = FINGERPRINT_BITS,
        step: float | None = None,
        power: float = 1.0,
    ) -> "SparseRows":
        """Return weights rounded and packed; what rounds to zero is dropped, and rows with nothing left too.

        Args:
            keys: [rows] names of the rows, each once.
            rows: [weights] row of each weight.
            columns: [weights] column of each weight; a place at most once.
            weights: [weights] what is stored.
            num_columns: columns of the matrix.
            levels: values that a weight may have, 4 to 65,536.
            fingerprint_bits: one in 2 to this number of unknown keys is taken for a known one.
            step: what the first level is worth; what lies beyond the last level becomes the last. By default the
                smallest with which none does.
            power: of a level's distance from zero that it is worth.

        Raises:
            CompressionError: a weight is no finite number, or a key is there twice.
        """
        row, column = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
        exact = np.asarray(weights, np.float64)
        if not np.isfinite(exact).all() or not 4 <= levels <= 1 << 16:
            raise CompressionError(f"weights are to be finite, and to have 4 to 65536 levels, not {levels}")
        zero = levels // 2
        largest = float(np.abs(exact).max()) if len(exact) else 0.0
        step = step or (largest or 1.0) / (zero - 1) ** power
        worth = step * np.arange(zero) ** power
        steps = np.searchsorted((worth[1:] + worth[:-1]) / 2, np.abs(exact)) * np.sign(exact).astype(np.int64)
        kept = np.flatnonzero(steps)
        used, row = np.unique(row[kept], return_inverse=True)
        found = FingerprintHash.build(np.asarray(keys, np.uint64)[used], fingerprint_bits)
        number = found.numbers(np.asarray(keys, np.uint64)[used])[row]
        order = np.lexsort((column[kept], number))
        return cls(
            found,
            _last_of_rows(np.bincount(number, minlength=len(used))),
            PackedInts.pack(column[kept][order], max(num_columns - 1, 0).bit_length()),
            PackedInts.pack(steps[kept][order] + zero, (levels - 1).bit_length()),
            num_columns,
            step,
            zero,
            power,
        )

    @cached_property
    def values(self) -> Floats:
        """[levels] What each level is worth."""
        distance = np.arange(1 << self.levels.width) - self.zero
        return (np.sign(distance) * np.abs(distance) ** self.power * self.step).astype(np.float32)

    def rows(self, keys: Keys, wanted: npt.NDArray[np.bool_] | None = None) -> Rows:
        """Return all weights of the rows of keys, [n] uint64; a key may come again, and need not be known.

        With ``wanted``, [columns], only those of columns of which it is true.
        """
        asked, number = self.keys.known(np.asarray(keys, np.uint64))
        begins, ends = self._begins(number), self._begins(number + 1)
        lengths = ends - begins
        behind = lengths.cumsum()
        # every weight of every row: counted on, from where the row begins less what lies before it here
        place = np.arange(int(behind[-1]) if len(behind) else 0)
        place += (ends - behind).repeat(lengths)
        key, column = asked.repeat(lengths), self.columns.take(place)
        if wanted is not None:
            kept = wanted.take(column).nonzero()[0]
            key, column, place = key.take(kept), column.take(kept), place.take(kept)
        return Rows(key, column, self.values.take(self.levels.take(place)))

    def _begins(self, number: Ints) -> Ints:
        """Return the place of the first weight of rows; of the row behind the last, where all end."""
        begins: Ints = self._blocks.take(number >> _BLOCK_BITS).astype(np.int64)
        begins += self._behind.take(number)
        return begins

    def sections(self, prefix: str) -> Sections:
        """Return the parts under names that begin with ``prefix``."""
        values = {
            "columns": self.num_columns, "step": self.step, "zero": self.zero, "power": self.power,
            "weights": self.columns.count,
            "column_bits": self.columns.width, "level_bits": self.levels.width,
        }  # fmt: skip
        arrays: dict[str, npt.NDArray[np.generic]] = {
            f"{prefix}.last": self.last.data,
            f"{prefix}.columns": self.columns.data,
            f"{prefix}.levels": self.levels.data,
        }
        return Sections({prefix: values}, arrays) | self.keys.sections(f"{prefix}.keys")

    @classmethod
    def from_sections(cls, stored: Sections, prefix: str) -> "SparseRows":
        """Return what ``sections`` was called on.

        Raises:
            CompressionError: parts are missing or do not fit together.
        """
        values = stored.values_of(prefix)
        keys, weights = FingerprintHash.from_sections(stored, f"{prefix}.keys"), values.whole_number("weights")
        if f"{prefix}.last" not in stored.arrays and f"{prefix}.lengths" in stored.arrays:
            raise CompressionError("was written by a version before this one; make it anew")
        return cls(
            keys,
            PackedInts(stored.array(f"{prefix}.last"), 1, weights),
            PackedInts(stored.array(f"{prefix}.columns"), values.whole_number("column_bits"), weights),
            PackedInts(stored.array(f"{prefix}.levels"), values.whole_number("level_bits"), weights),
            values.whole_number("columns"),
            values.number("step"),
            values.whole_number("zero"),
            values.number("power") if "power" in values.values else 1.0,
        )


def _last_of_rows(lengths: Ints) -> PackedInts:
    """Return which weights are the last of their row, of how many each row has; none has none."""
    last = np.zeros(int(lengths.sum()), np.int64)
    last[np.cumsum(lengths) - 1] = 1
    return PackedInts.pack(last, 1)


def _ends_of_rows(last: PackedInts) -> Iterator[Ints]:
    """Yield the places behind the last weights of rows, of some thousand weights at a time: all take much memory."""
    for first in range(0, last.count, _PIECE):
        count = min(_PIECE, last.count - first)
        bits = np.unpackbits(last.data[first >> 3 :], count=count, bitorder="little")
        yield bits.view(np.bool_).nonzero()[0] + (first + 1)
