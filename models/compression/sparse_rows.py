"""Weights of a linear model, a row for each feature, most of them zero: found by hash, in a few bits each.

A weight is a step, the same for all rows, times a whole number; zeros are not there. A row says its columns.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import CompressionError
from .fingerprints import FingerprintHash
from .mixing import Keys
from .packed import PIECE, PackedInts
from .sections import Sections

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
PER_START = 16
"""Rows for which it is stored where the first begins."""
_BLOCK_BITS = PER_START.bit_length() - 1
LEVELS = 256
"""Values that a weight may have."""
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
    lengths: PackedInts
    """Weights in each row, at least 1."""
    starts: npt.NDArray[np.uint32]
    """Place of the first weight of every 16th row."""
    columns: PackedInts
    """Column of each weight."""
    levels: PackedInts
    """Each weight: whole steps, and ``zero`` more."""
    num_columns: int
    """Columns of the matrix."""
    step: float
    """What a level is worth."""
    zero: int
    """Level of weight 0, which none has."""
    _behind: npt.NDArray[np.unsignedinteger[Any]] = field(init=False, repr=False)
    """[rows] Place behind the last weight of each row, from the start of its block on."""

    def __post_init__(self) -> None:
        rows, weights = self.keys.count, self.columns.count
        if self.lengths.count != rows or self.levels.count != weights or not 0 <= self.num_columns < 1 << 20:
            raise CompressionError("rows, columns and levels of stored weights do not fit together")
        if self.starts.dtype != np.uint32 or self.starts.shape != (-(-rows // PER_START),):
            raise CompressionError("stored weights do not say where their rows begin")
        if not (np.isfinite(self.step) and self.step > 0):
            raise CompressionError(f"the step of stored weights is {self.step}; expected a number above 0")
        begin = 0
        behind = np.zeros(rows, np.min_scalar_type(PER_START << self.lengths.width))
        for number, lengths in enumerate(self.lengths.pieces()):  # pieces are whole blocks of PER_START
            ends = begin + np.cumsum(lengths)
            first = np.concatenate([[begin], ends[PER_START - 1 :: PER_START]])[: -(-len(lengths) // PER_START)]
            row = number * PIECE
            block = row // PER_START
            if not np.array_equal(self.starts[block : block + len(first)], first):
                raise CompressionError("stored weights say wrongly where their rows begin")
            behind[row : row + len(lengths)] = ends - first.repeat(PER_START)[: len(lengths)]
            begin = int(ends[-1])
        object.__setattr__(self, "_behind", behind)
        if begin != weights:
            raise CompressionError(f"rows of stored weights have {begin} in all; there are {weights}")
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
            step: what a level is worth; what lies beyond the last level becomes the last. By default the smallest
                with which none does.

        Raises:
            CompressionError: a weight is no finite number, or a key is there twice.
        """
        row, column = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
        exact = np.asarray(weights, np.float64)
        if not np.isfinite(exact).all() or not 4 <= levels <= 1 << 16:
            raise CompressionError(f"weights are to be finite, and to have 4 to 65536 levels, not {levels}")
        zero = levels // 2
        largest = float(np.abs(exact).max()) if len(exact) else 0.0
        step = step or (largest or 1.0) / (zero - 1)
        steps = np.clip(np.rint(exact / step), 1 - zero, zero - 1).astype(np.int64)
        kept = np.flatnonzero(steps)
        used, row = np.unique(row[kept], return_inverse=True)
        found = FingerprintHash.build(np.asarray(keys, np.uint64)[used], fingerprint_bits)
        number = found.numbers(np.asarray(keys, np.uint64)[used])[row]
        order = np.lexsort((column[kept], number))
        lengths = np.bincount(number, minlength=len(used))
        starts = np.concatenate([[0], np.cumsum(lengths)])[: len(used) : PER_START].astype(np.uint32)
        return cls(
            found,
            PackedInts.pack(lengths),
            starts,
            PackedInts.pack(column[kept][order], max(num_columns - 1, 0).bit_length()),
            PackedInts.pack(steps[kept][order] + zero, (levels - 1).bit_length()),
            num_columns,
            step,
            zero,
        )

    @cached_property
    def values(self) -> Floats:
        """[levels] What each level is worth."""
        return ((np.arange(1 << self.levels.width) - self.zero) * self.step).astype(np.float32)

    def rows(self, keys: Keys, wanted: npt.NDArray[np.bool_] | None = None) -> Rows:
        """Return all weights of the rows of keys, [n] uint64; a key may come again, and need not be known.

        With ``wanted``, [columns], only those of columns of which it is true.
        """
        asked, number = self.keys.known(np.asarray(keys, np.uint64))
        lengths = self.lengths.take(number)
        ends = lengths.cumsum()
        # every weight of every row: counted on, from where the row ends less what lies before it here
        place = np.arange(int(ends[-1]) if len(ends) else 0)
        place += (self.starts.take(number >> _BLOCK_BITS) + self._behind.take(number) - ends).repeat(lengths)
        key, column = asked.repeat(lengths), self.columns.take(place)
        if wanted is not None:
            kept = wanted.take(column).nonzero()[0]
            key, column, place = key.take(kept), column.take(kept), place.take(kept)
        return Rows(key, column, self.values.take(self.levels.take(place)))

    def sections(self, prefix: str) -> Sections:
        """Return the parts under names that begin with ``prefix``."""
        values = {
            "columns": self.num_columns, "step": self.step, "zero": self.zero, "weights": self.columns.count,
            "length_bits": self.lengths.width, "column_bits": self.columns.width, "level_bits": self.levels.width,
        }  # fmt: skip
        arrays: dict[str, npt.NDArray[np.generic]] = {
            f"{prefix}.lengths": self.lengths.data,
            f"{prefix}.starts": self.starts,
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
        return cls(
            keys,
            PackedInts(stored.array(f"{prefix}.lengths"), values.whole_number("length_bits"), keys.count),
            stored.array(f"{prefix}.starts"),
            PackedInts(stored.array(f"{prefix}.columns"), values.whole_number("column_bits"), weights),
            PackedInts(stored.array(f"{prefix}.levels"), values.whole_number("level_bits"), weights),
            values.whole_number("columns"),
            values.number("step"),
            values.whole_number("zero"),
        )
