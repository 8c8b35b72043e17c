"""What models ask of stored weights. How they are stored, and that they are few bits each, is not their concern."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .words import Keys

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


class Found(Protocol):
    """Weights of the rows that were asked for; all arrays are as long."""

    @property
    def key(self) -> npt.NDArray[np.signedinteger[Any]]:
        """Place of the key among those that were asked for."""

    @property
    def column(self) -> npt.NDArray[np.signedinteger[Any]]:
        """Column of the weight."""

    @property
    def weight(self) -> Floats:
        """The weight."""


class Weights(Protocol):
    """A sparse matrix whose rows are named by 64-bit keys."""

    @property
    def num_columns(self) -> int:
        """Columns of the matrix."""

    def rows(self, keys: Keys, wanted: npt.NDArray[np.bool_] | None = None) -> Found:
        """Return all weights of the rows of keys, [n] uint64; a key may come again, and need not be known.

        With ``wanted``, [columns], only those of columns of which it is true.
        """


@dataclass(frozen=True, eq=False)
class ExactWeights:
    """Weights as they were learnt, in full: what is to be stored, and what the stored form is measured against."""

    keys: Keys
    """[rows] Names, each once, in rising order."""
    ends: Ints
    """[rows] Place behind the last weight of each row."""
    columns: Ints
    """[weights] Column of each weight."""
    weights: Doubles
    """[weights] What it is."""
    num_columns: int
    """Columns of the matrix."""

    @classmethod
    def gather(cls, keys: Keys, columns: npt.ArrayLike, weights: npt.ArrayLike, num_columns: int) -> "ExactWeights":
        """Return weights by key, [weights] each; zeros are left out."""
        values = np.asarray(weights, np.float64)
        kept = np.flatnonzero(values)
        named, row = np.unique(np.asarray(keys, np.uint64)[kept], return_inverse=True)
        column = np.asarray(columns, np.int64)[kept]
        order = np.lexsort((column, row))
        ends = np.cumsum(np.bincount(row, minlength=len(named)))
        return cls(named, ends, column[order], values[kept][order], num_columns)

    @property
    def row_of(self) -> Ints:
        """[weights] Row of each weight."""
        return np.repeat(np.arange(len(self.keys)), np.diff(self.ends, prepend=0))

    def rows(self, keys: Keys, wanted: npt.NDArray[np.bool_] | None = None) -> "_FoundRows":
        """Return all weights of the rows of keys; see ``Weights``."""
        place = np.searchsorted(self.keys, keys)
        place[place == len(self.keys)] = 0
        asked = np.flatnonzero(self.keys[place] == keys) if len(self.keys) else np.zeros(0, np.int64)
        row = place[asked]
        lengths = np.diff(self.ends, prepend=0)[row]
        behind = np.cumsum(lengths)
        weight = np.arange(int(lengths.sum())) + np.repeat(self.ends[row] - behind, lengths)
        key = np.repeat(asked, lengths)
        if wanted is not None:
            kept = wanted[self.columns[weight]]
            key, weight = key[kept], weight[kept]
        return _FoundRows(key, self.columns[weight], self.weights[weight].astype(np.float32))


@dataclass(frozen=True, eq=False)
class _FoundRows:
    key: Ints
    column: Ints
    weight: Floats


def summed(found: Found, values: Doubles | None, shape: tuple[int, int], group: Ints | None = None) -> Doubles:
    """Return the sums of weights by group and column.

    Args:
        found: the weights.
        values: [keys] What the weights of a key are multiplied with; None for 1.
        shape: groups and columns.
        group: [keys] Group of each key; None if all are in group 0.
    """
    place = found.column if group is None else group[found.key] * shape[1] + found.column
    weight = found.weight if values is None else found.weight * values[found.key]
    sums: Doubles = np.bincount(place, weight, shape[0] * shape[1]).astype(np.float64).reshape(shape)
    return sums
