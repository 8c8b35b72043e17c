"""Weights rounded to fewer levels, and the least of them to zero, after training.

A quantised column (the weights of one output, int8) is cut into groups. In a group every weight becomes a level times a
multiplier: whole numbers both, so that the graph stays what it was, int8 with one scale a column, and only its weights
change. The multiplier is the one with the least squared error, be it that the largest weights are cut off. Zeros are
those of least magnitude in a matrix, scales counted, singly or in blocks of neighbours in a column.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import CompressionError
from .graph_streams import SMALLEST, Levels
from .onnx_tensors import FLOAT, INT8, Span, find_tensors

BITS = (8, 5, 4)
"""Bits that a weight may have."""
LARGEST = 127
"""The largest weight."""
MOST_ZEROS = 0.95
_QUANTISED, _SCALE = "_quantized", "_scale"


@dataclass(frozen=True)
class Rounding:
    """How weights are rounded.

    Raises:
        CompressionError: a number is none of those that are possible.
    """

    bits: int = 8
    """8 changes nothing; 5 and 4 leave 31 and 15 levels."""
    zeros: float = 0.0
    """Share of the weights of a matrix that become zero, 0 to 0.95."""
    group: int = 64
    """Weights of an output that have a multiplier together, 8 to 65535."""
    block: int = 1
    """Neighbours, inputs of one output, that become zero together."""

    def __post_init__(self) -> None:
        if self.bits not in BITS:
            raise CompressionError(f"{self.bits} bits: expected {', '.join(map(str, BITS))}")
        if not 0 <= self.zeros <= MOST_ZEROS:
            raise CompressionError(f"a share of {self.zeros:g} zeros: expected 0 to {MOST_ZEROS}")
        if not (8 <= self.group < 1 << 16 and 1 <= self.block <= 1024):
            raise CompressionError(f"groups of {self.group}, blocks of {self.block}: expected 8 to 65535, 1 to 1024")

    @property
    def changes(self) -> bool:
        """Whether any weight may become another."""
        return self.bits < 8 or self.zeros > 0

    @property
    def top(self) -> int:
        """The largest level."""
        return (1 << self.bits - 1) - 1

    @property
    def coarsest(self) -> int:
        """The largest multiplier: beyond it nothing more is cut off, and all is coarser."""
        return -(-LARGEST // self.top)

    @property
    def full(self) -> int:
        """The largest weight that is a level times a multiplier: where the largest of a column may lie exactly."""
        return max(one * min(self.top, LARGEST // one) for one in range(1, self.coarsest + 1))


def quantised(model: bytes) -> list[tuple[Span, npt.NDArray[np.float32]]]:
    """Return the matrices of int8 in a graph's file, and the scale of each column, [columns] or [1].

    Raises:
        CompressionError: it is no ONNX file.
    """
    spans = find_tensors(model)
    scales = {span.name: span for span in spans if span.kind == FLOAT}
    found = []
    for span in spans:
        if span.kind != INT8 or span.length < SMALLEST or len(span.shape) != 2:
            continue
        scale = scales.get(span.name.removesuffix(_QUANTISED) + _SCALE)
        numbers = np.ones(1, np.float32)
        if scale is not None and scale.length // 4 in (1, span.shape[1]):
            numbers = np.frombuffer(model, "<f4", scale.length // 4, scale.offset).astype(np.float32)
        found.append((span, numbers))
    return found


def with_weights(model: bytes, weights: Sequence[tuple[Span, Levels]]) -> bytes:
    """Return a graph's file with other weights in place of those that lie there."""
    out = bytearray(model)
    for span, values in weights:
        out[span.offset : span.offset + span.length] = values.astype(np.int8).tobytes()
    return bytes(out)


def rounded(model: bytes, rounding: Rounding) -> bytes:
    """Return a graph's file with its quantised weights rounded; one without such weights as it is.

    Raises:
        CompressionError: it is no ONNX file.
    """
    changed = []
    for span, scales in quantised(model) if rounding.changes else ():
        weights = np.frombuffer(model, np.int8, span.length, span.offset).reshape(span.shape)
        columns = np.where(kept(weights, scales, rounding), weights, 0).T
        multipliers = multipliers_of(columns, rounding)
        sizes = np.repeat(multipliers, min(rounding.group, span.shape[0]), 1)[:, : span.shape[0]]
        changed.append((span, nearest(columns, sizes, rounding).T.astype(np.int8)))
    return with_weights(model, changed)


def kept(weights: Levels, scales: npt.NDArray[np.float32], rounding: Rounding) -> npt.NDArray[np.bool_]:
    """Return which weights of a matrix [rows, columns] are not to become zero."""
    size = np.abs(weights.astype(np.float32)) * scales
    return largest(np.square(size), rounding)


def largest(worth: npt.NDArray[np.float32], rounding: Rounding) -> npt.NDArray[np.bool_]:
    """Return what is kept of weights [rows, columns] that are worth so much: all but the share with the least."""
    rows, block = worth.shape[0], min(rounding.block, worth.shape[0])
    padded = np.pad(worth, ((0, -rows % block), (0, 0)))
    worth = padded.reshape(-1, block, worth.shape[1]).sum(1)
    gone = round(rounding.zeros * worth.size)
    keep = np.ones(worth.size, np.bool_)
    keep[np.argsort(worth, axis=None, kind="stable")[:gone]] = False
    return np.repeat(keep.reshape(worth.shape), block, 0)[:rows]


def nearest(
    weights: npt.NDArray[np.number], multipliers: npt.NDArray[np.int16] | np.int16, rounding: Rounding
) -> npt.NDArray[np.float32]:
    """Return the nearest weights that are levels times multipliers, and fit into int8."""
    top = np.minimum(rounding.top, LARGEST // multipliers)
    sizes = np.asarray(multipliers, np.float32)
    levels: npt.NDArray[np.float32] = np.clip(np.rint(weights / sizes), -top, top)
    return levels * sizes


def multipliers_of(columns: npt.NDArray[np.integer], rounding: Rounding) -> npt.NDArray[np.int16]:
    """Return the multiplier of each group, [columns, groups], of weights [columns, rows]."""
    rows = columns.shape[1]
    group = min(rounding.group, rows)
    padded = np.pad(columns, ((0, 0), (0, -rows % group))).reshape(len(columns), -1, group).astype(np.float32)
    best = np.ones(padded.shape[:2], np.int16)
    least = np.full(padded.shape[:2], np.inf, np.float32)
    for multiplier in range(1, rounding.coarsest + 1):
        error = np.square(padded - nearest(padded, np.int16(multiplier), rounding)).sum(2)
        better = error < least
        best[better], least[better] = multiplier, error[better]
    return best
