"""A graph taken apart: what is left of the file without its weights, and the weights as streams of small numbers.

Quantised weights (int8) go by columns, the inputs of one output after the other. Where all weights of a group are
multiples of a number, as after rounding to fewer bits, the group's multiplier is stored once and the weights without
it: the levels. Floats are cut into planes, all first bytes, all second bytes: exponents repeat, low bits do not, and of
weights that were float16 once the low bytes are zero.

All of it is exact: the file comes back byte for byte.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import CompressionError
from .onnx_tensors import FLOAT, FLOAT16, INT8, ITEM_BYTES, UINT8, find_tensors
from .rans import Bytes

SMALLEST = 256
"""Bytes of the least constant that is taken out of its file."""
MAX_GRAPH = 1 << 30
"""Bytes of a graph."""
GROUPS = (16, 32, 64, 128, 256)
"""Sizes of groups that are tried, beside a whole column and none."""
LEVELS, MULTIPLIERS, BYTES = "levels", "multipliers", "bytes"
_PLANES = {FLOAT: ("float0", "float1", "float2", "float3"), FLOAT16: ("half0", "half1")}
_BIAS = 128
"""A level of -128 is stored as 0."""

Levels = npt.NDArray[np.int8]


@dataclass(frozen=True)
class TensorPlace:
    """A constant that was taken out."""

    kind: int
    """As ONNX numbers the kinds."""
    rows: int
    columns: int
    offset: int
    """Bytes before it in the whole file."""

    @property
    def size(self) -> int:
        """Numbers in it."""
        return self.rows * self.columns

    @property
    def end(self) -> int:
        """Bytes of the whole file up to its end."""
        return self.offset + self.size * ITEM_BYTES[self.kind]


@dataclass(frozen=True, eq=False)
class GraphParts:
    """A graph's file, taken apart."""

    rest: bytes
    """The file without the values of the constants taken out."""
    tensors: tuple[TensorPlace, ...]
    """In the order of the file."""
    group: int
    """Weights of a column with a common multiplier; 0 where there is none."""
    streams: Mapping[str, Bytes]
    """[n] each, by name."""

    def __post_init__(self) -> None:
        end = 0
        for tensor in self.tensors:
            if tensor.kind not in ITEM_BYTES or min(tensor.rows, tensor.columns) < 1 or tensor.offset < end:
                raise CompressionError("the parts of a graph do not fit together")
            end = tensor.end
        if self.size > MAX_GRAPH or end > self.size:
            raise CompressionError("the parts of a graph do not fit together")

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return len(self.rest) + sum(tensor.end - tensor.offset for tensor in self.tensors)


def stream_lengths(tensors: Sequence[TensorPlace], group: int) -> dict[str, int]:
    """Return how many numbers each stream has; empty ones are left out."""
    lengths = dict.fromkeys((LEVELS, MULTIPLIERS, *_PLANES[FLOAT], *_PLANES[FLOAT16], BYTES), 0)
    for tensor in tensors:
        if tensor.kind == INT8:
            lengths[LEVELS] += tensor.size
            lengths[MULTIPLIERS] += tensor.columns * _groups(tensor.rows, group)
        elif tensor.kind == UINT8:
            lengths[BYTES] += tensor.size
        else:
            for name in _PLANES[tensor.kind]:
                lengths[name] += tensor.size
    return {name: length for name, length in lengths.items() if length}


def take_apart(model: bytes) -> GraphParts:
    """Take a graph's file apart.

    Raises:
        CompressionError: it is no ONNX file.
    """
    spans = [span for span in find_tensors(model) if span.length >= SMALLEST]
    spans.sort(key=lambda span: span.offset)
    tensors, rest, end = [], [], 0
    for span in spans:
        columns = span.shape[-1] if span.shape else 1
        tensors.append(TensorPlace(span.kind, span.length // ITEM_BYTES[span.kind] // columns, columns, span.offset))
        rest.append(model[end : span.offset])
        end = span.offset + span.length
    rest.append(model[end:])
    found: dict[str, list[Bytes]] = {}
    quantised: list[Levels] = []
    for tensor in tensors:
        raw = np.frombuffer(model, np.uint8, tensor.end - tensor.offset, tensor.offset)
        if tensor.kind == INT8:
            quantised.append(np.ascontiguousarray(raw.view(np.int8).reshape(tensor.rows, tensor.columns).T))
        elif tensor.kind == UINT8:
            found.setdefault(BYTES, []).append(raw)
        else:
            names = _PLANES[tensor.kind]
            for place, name in enumerate(names):
                found.setdefault(name, []).append(raw[place :: len(names)])
    group = _best_group(quantised)
    for weights in quantised:
        multipliers, levels = _levels(weights, group)
        found.setdefault(LEVELS, []).append((levels.view(np.uint8) + np.uint8(_BIAS)).ravel())
        found.setdefault(MULTIPLIERS, []).append(multipliers.ravel())
    streams = {name: np.concatenate(parts) for name, parts in found.items()}
    return GraphParts(b"".join(rest), tuple(tensors), group, {k: v for k, v in streams.items() if len(v)})


def put_together(parts: GraphParts) -> bytes:
    """Return the file that ``take_apart`` was given.

    Raises:
        CompressionError: the streams are not as long as the constants need.
    """
    for name, length in stream_lengths(parts.tensors, parts.group).items():
        if len(parts.streams.get(name, ())) != length:
            raise CompressionError(f"the stream {name!r} is not as long as its constants need")
    out = np.empty(parts.size, np.uint8)
    rest = np.frombuffer(parts.rest, np.uint8)
    taken = dict.fromkeys(parts.streams, 0)

    def next_of(name: str, count: int) -> Bytes:
        begin = taken[name]
        taken[name] = begin + count
        return parts.streams[name][begin : begin + count]

    done, end = 0, 0
    for tensor in parts.tensors:
        out[end : tensor.offset] = rest[done : done + tensor.offset - end]
        done += tensor.offset - end
        end = tensor.end
        hole = out[tensor.offset : end]
        if tensor.kind == UINT8:
            hole[:] = next_of(BYTES, tensor.size)
        elif tensor.kind == INT8:
            levels = (next_of(LEVELS, tensor.size) - np.uint8(_BIAS)).reshape(tensor.columns, tensor.rows)
            groups = _groups(tensor.rows, parts.group)
            if groups:
                size = -(-tensor.rows // groups)
                multipliers = next_of(MULTIPLIERS, tensor.columns * groups).reshape(tensor.columns, groups)
                # two's complement: products of bytes are those of signed bytes
                levels = levels * np.repeat(multipliers, size, 1)[:, : tensor.rows]
            hole.reshape(tensor.rows, tensor.columns)[:] = levels.T
        else:
            names = _PLANES[tensor.kind]
            for place, name in enumerate(names):
                hole[place :: len(names)] = next_of(name, tensor.size)
    out[end:] = rest[done:]
    return out.tobytes()


def _groups(rows: int, group: int) -> int:
    """Return how many multipliers a column has."""
    return -(-rows // min(group, rows)) if group else 0


def _levels(weights: Levels, group: int) -> tuple[Bytes, Levels]:
    """Return multipliers [columns, groups] and levels [columns, rows] of weights [columns, rows]."""
    columns, rows = weights.shape
    groups = _groups(rows, group)
    if not groups:
        return np.zeros((columns, 0), np.uint8), weights
    size = -(-rows // groups)
    padded = np.pad(weights.astype(np.int16), ((0, 0), (0, groups * size - rows))).reshape(columns, groups, size)
    multipliers = np.maximum(np.gcd.reduce(padded, axis=2), 1)
    levels = (padded // multipliers[:, :, None]).reshape(columns, -1)[:, :rows]
    return multipliers.astype(np.uint8), levels.astype(np.int8)


def _best_group(quantised: Sequence[Levels]) -> int:
    """Return the size of groups with which levels and multipliers take the fewest bits; 0 is none."""
    best, least = 0, sum(map(_bits, quantised)) if quantised else 0.0
    for group in (*GROUPS, 0xFFFF) if quantised else ():
        found = [_levels(weights, group) for weights in quantised]
        bits = sum(_bits(multipliers) + _bits(levels) for multipliers, levels in found)
        if bits < 0.99 * least:
            best, least = group, bits
    return best


def _bits(numbers: npt.NDArray[np.integer]) -> float:
    """Return the entropy of numbers of a byte each, in bits for all of them."""
    counts = np.bincount(numbers.view(np.uint8).ravel(), minlength=256)
    counts = counts[counts > 0]
    return float((counts * np.log2(counts.sum() / counts)).sum())
