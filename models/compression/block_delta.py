"""From the blocks of one packed model to those of the next: differences of numbers, constant by constant.

A stream of a packed graph (``graph_streams``) is the numbers of its constants one after the other. What a constant of
the same name was before stands for each of the new one, wherever it lay, and the differences are coded as any block is;
a constant that is new is coded as it is. Plan and numbers say every byte of a block, so it comes out as published.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .blocks import MAX_BLOCK, decode_block, encode_block, fill_block, plan_of
from .errors import CompressionError
from .graph_streams import stream_lengths
from .model_file import Entry, entries_of, read_entry, tensors_of
from .onnx_tensors import find_tensors
from .rans import Bytes
from .sections import Sections

NOWHERE = -1
"""Source of numbers that nothing stood for."""
MAX_NUMBERS = 1 << 30
_UNKNOWN = np.uint8(128)
"""What stands for a number of which nothing is known: its difference to it is the number itself."""


@dataclass(frozen=True)
class Segment:
    """Neighbours of a new stream, and where in the old one the numbers lie that stand for them."""

    count: int
    source: int
    """First of them in the old stream; ``NOWHERE`` if there are none."""


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph of a packed model, as far as differences need it."""

    place: int
    streams: Mapping[str, Mapping[str, tuple[int, int]]]
    """By stream, then by name of the constant in the order of the stream: first number and count."""


def graphs_of(sections: Sections, size: int) -> dict[str, Graph]:
    """Return the graphs of a packed model of ``size`` bytes by name.

    Raises:
        CompressionError: it is damaged.
    """
    entries = entries_of(sections, size)
    return {name: _graph(sections, entry) for name, entry in entries.items() if entry.form == "graph"}


def _graph(sections: Sections, entry: Entry) -> Graph:
    tensors, group = tensors_of(entry)
    names = {span.offset: span.name for span in find_tensors(read_entry(sections, entry))}
    streams: dict[str, dict[str, tuple[int, int]]] = {}
    for tensor in tensors:
        for stream, count in stream_lengths([tensor], group).items():
            own = streams.setdefault(stream, {})
            own[names.get(tensor.offset, "")] = (sum(n for _, n in own.values()), count)
    return Graph(entry.place, streams)


def segments_between(old: Mapping[str, tuple[int, int]], new: Mapping[str, tuple[int, int]]) -> list[Segment]:
    """Return what stands for each number of a stream, neighbours together; constants by name, see ``Graph.streams``."""
    found: list[Segment] = []
    for name, (_, count) in new.items():
        source, before = old.get(name, (NOWHERE, 0))
        one = Segment(count, source if before == count else NOWHERE)
        last = found[-1] if found else Segment(0, 0)
        follows = last.source + last.count == one.source if one.source >= 0 else last.source == NOWHERE
        if found and follows and (last.source >= 0) == (one.source >= 0):
            found[-1] = Segment(last.count + one.count, last.source)
        else:
            found.append(one)
    return found


def stream_of(sections: Sections, name: str) -> Bytes:
    """Return the numbers of a stream, of all its blocks; none if there is no such stream.

    Raises:
        CompressionError: a block is damaged.
    """
    parts: list[Bytes] = []
    total = 0
    for data in blocks_of(sections, name):
        total += block_count(data)
        if total > MAX_NUMBERS:
            raise CompressionError("a stream is too long")
        parts.append(decode_block(data, block_count(data)))
    return np.concatenate(parts) if parts else np.zeros(0, np.uint8)


def blocks_of(sections: Sections, name: str) -> Iterator[bytes]:
    """Yield the blocks of a stream in order."""
    block = 0
    while (key := f"{name}.{block}") in sections.arrays:
        yield sections.arrays[key].tobytes()
        block += 1


def block_count(block: bytes) -> int:
    """Return how many numbers a block holds, as its plan says."""
    count = int.from_bytes(plan_of(block)[6:10], "little")
    if count > MAX_BLOCK:
        raise CompressionError(f"a block of {count} numbers; the limit is {MAX_BLOCK}")
    return count


def predicted(old: Bytes, segments: Sequence[Segment]) -> Bytes:
    """Return what stands for each number of a new stream, [n].

    Raises:
        CompressionError: a segment takes what the old stream does not have.
    """
    total = sum(one.count for one in segments)
    if total > MAX_NUMBERS or any(one.count < 1 or one.source < NOWHERE for one in segments):
        raise CompressionError("an update says not what stands for its numbers")
    out = np.full(total, _UNKNOWN)
    done = 0
    for one in segments:
        if one.source != NOWHERE:
            if one.source + one.count > len(old):
                raise CompressionError("an update takes numbers that are not there")
            out[done : done + one.count] = old[one.source : one.source + one.count]
        done += one.count
    return out


def block_delta(known: Bytes, block: bytes) -> bytes | None:
    """Return what makes a block of the numbers that stand for its own, [n]; None if it was not written by this code.

    Its plan, and the differences as a block of their own.
    """
    try:
        plan = plan_of(block)
        numbers = decode_block(block, len(known))
        if fill_block(plan, numbers) != block:
            return None
    except CompressionError:
        return None
    differences: Bytes = numbers - known + _UNKNOWN
    return b"".join((len(plan).to_bytes(4, "little"), plan, encode_block(differences)))


def apply_block_delta(known: Bytes, delta: bytes) -> bytes:
    """Return the block that ``block_delta`` was given.

    Raises:
        CompressionError: the delta is damaged, or for other numbers.
    """
    size = int.from_bytes(delta[:4], "little")
    plan, coded = delta[4 : 4 + size], delta[4 + size :]
    numbers: Bytes = known + decode_block(coded, len(known)) - _UNKNOWN
    return fill_block(plan, numbers)
