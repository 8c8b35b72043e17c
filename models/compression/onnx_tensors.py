"""Where the weights of an ONNX file lie in it: a walk over its protocol buffers, which needs no package.

A message is a row of fields: a number and a kind, then a value. Of a model's fields the graph counts here, of that its
constants (initializers), and of those name, type, shape, and the one long field with the values, which lies in the file
as it lies in memory. Everything else is passed over by its length.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .errors import CompressionError

FLOAT, UINT8, INT8, FLOAT16 = 1, 2, 3, 10
ITEM_BYTES = {FLOAT: 4, UINT8: 1, INT8: 1, FLOAT16: 2}
"""Kinds of numbers that are looked at, as ONNX numbers them, to bytes of each."""
_GRAPH = 7
_NODE, _INITIALIZER, _OUTPUT = 1, 5, 12
_NODE_INPUT, _NODE_OUTPUT, _OPERATOR = 1, 2, 4
_VALUE_NAME = 1
_DIMS, _TYPE, _FLOATS, _NAME, _RAW = 1, 2, 4, 8, 9
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DIMS = 8


@dataclass(frozen=True)
class Span:
    """The values of a constant, as they lie in the file."""

    name: str
    kind: int
    """``FLOAT``, ``UINT8``, ``INT8`` or ``FLOAT16``."""
    shape: tuple[int, ...]
    offset: int
    """Bytes before them."""
    length: int
    """Bytes of them."""


def find_tensors(model: bytes) -> list[Span]:
    """Return the constants of a graph whose numbers are float, float16, int8 or uint8, in the order of the file.

    Raises:
        CompressionError: this is no ONNX file, or a damaged one.
    """
    spans = []
    for graph_begin, graph_end in _fields(model, 0, len(model), _GRAPH):
        for begin, end in _fields(model, graph_begin, graph_end, _INITIALIZER):
            span = _tensor(model, begin, end)
            if span is not None:
                spans.append(span)
    return spans


@dataclass(frozen=True)
class Node:
    """An operator of a graph, and what goes in and comes out by name."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def find_nodes(model: bytes) -> list[Node]:
    """Return the operators of a graph, in the order of the file.

    Raises:
        CompressionError: this is no ONNX file, or a damaged one.
    """
    nodes = []
    for graph_begin, graph_end in _fields(model, 0, len(model), _GRAPH):
        for begin, end in _fields(model, graph_begin, graph_end, _NODE):
            said: dict[int, list[str]] = {_NODE_INPUT: [], _NODE_OUTPUT: [], _OPERATOR: [""]}
            for number, kind, first, last in _walk(model, begin, end):
                if number in said and kind == _BYTES:
                    said[number].append(model[first:last].decode("utf-8", "replace"))
            nodes.append(Node(said[_OPERATOR][-1], tuple(said[_NODE_INPUT]), tuple(said[_NODE_OUTPUT])))
    return nodes


def with_outputs(model: bytes, names: Sequence[str]) -> bytes:
    """Return a graph's file that also gives out what has these names within it.

    A message that comes a second time is merged with the first, so what is new stands behind the whole file.
    """
    outputs = [_message(_OUTPUT, _message(_VALUE_NAME, name.encode())) for name in names]
    return model + _message(_GRAPH, b"".join(outputs))


def _message(number: int, value: bytes) -> bytes:
    """Return a field that has a length."""
    size, length = len(value), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | _BYTES, *length, size]) + value


def _fields(data: bytes, begin: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each value of a field that has a length."""
    for number, kind, first, last in _walk(data, begin, end):
        if number == wanted and kind == _BYTES:
            yield first, last


def _walk(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield number and kind of each field, and begin and end of its value."""
    while begin < end:
        key, begin = _varint(data, begin, end)
        kind = key & 7
        if kind == _VARINT:
            _, last = _varint(data, begin, end)
        elif kind == _BYTES:
            length, begin = _varint(data, begin, end)
            last = begin + length
        elif kind in (_FIXED64, _FIXED32):
            last = begin + (8 if kind == _FIXED64 else 4)
        else:
            raise CompressionError("is no ONNX file")
        if last > end or not key >> 3:
            raise CompressionError("is no ONNX file, or is cut short")
        yield key >> 3, kind, begin, last
        begin = last


def _varint(data: bytes, begin: int, end: int) -> tuple[int, int]:
    """Return a number, seven bits a byte, and where the next thing begins."""
    value = 0
    for place in range(begin, min(begin + 10, end)):
        value |= (data[place] & 0x7F) << 7 * (place - begin)
        if not data[place] & 0x80:
            return value, place + 1
    raise CompressionError("is no ONNX file, or is cut short")


def _tensor(data: bytes, begin: int, end: int) -> Span | None:
    """Read a constant; None if its numbers are of another kind, or lie elsewhere."""
    shape: list[int] = []
    name, kind = "", 0
    values: list[tuple[int, int, int]] = []
    for number, wire, first, last in _walk(data, begin, end):
        if number == _DIMS and wire == _VARINT:
            shape.append(_varint(data, first, last)[0])
        elif number == _DIMS and wire == _BYTES:
            place = first
            while place < last:
                size, place = _varint(data, place, last)
                shape.append(size)
        elif number == _TYPE and wire == _VARINT:
            kind = _varint(data, first, last)[0]
        elif number == _NAME and wire == _BYTES:
            name = data[first:last].decode("utf-8", "replace")
        elif number in (_RAW, _FLOATS) and wire == _BYTES:
            values.append((number, first, last))
    if kind not in ITEM_BYTES or len(values) != 1 or len(shape) > _MAX_DIMS:
        return None
    number, first, last = values[0]
    if (number == _FLOATS and kind != FLOAT) or last - first != math.prod(shape) * ITEM_BYTES[kind]:
        return None
    return Span(name, kind, tuple(shape), first, last - first)
