"""From one version of a file to the next: what an update holds, and how it is made and applied.

Of packed models the blocks are compared. A block that is the same is taken over; of one whose weights moved or grew the
differences to the constants of the same names are coded (``block_delta``); all else goes as bytes. What is made anew is
the new file exactly, and its SHA-256 is checked. Any other file (an n-gram, a model of requests, a list of phrases)
goes as bytes: copies and what is new.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .block_delta import (
    Graph,
    Segment,
    apply_block_delta,
    block_delta,
    graphs_of,
    predicted,
    segments_between,
    stream_of,
)
from .blocks import MAX_BLOCK
from .byte_delta import apply_byte_delta, byte_delta
from .errors import CompressionError
from .model_file import FORM
from .rans import Bytes
from .sections import Array, Sections, from_bytes, header_of, to_bytes

UPDATE_FORM = "nearword update"
MAX_FILE = 1 << 30
"""Bytes that a file may have that is updated."""
_PER_BYTE = 16
"""Numbers of a stream that a byte of old version and update may stand for: an honest one has fewer than ten."""
_HEADER, _BYTES, _BLOCK = "header", "bytes", "block"


@dataclass(frozen=True)
class UpdateInfo:
    """Which files an update is for."""

    old: str
    """SHA-256 of the file that it is for, hexadecimal."""
    new: str
    """SHA-256 of the file that it makes."""
    size: int
    """Bytes of that."""


def make_update(old: bytes, new: bytes) -> bytes:
    """Return the update that makes ``new`` of ``old``.

    Raises:
        CompressionError: a file is too large.
    """
    if max(len(old), len(new)) > MAX_FILE:
        raise CompressionError(f"{max(len(old), len(new))} bytes; the limit is {MAX_FILE}")
    found = [_sections(old), _sections(new)]
    whole = {"0": byte_delta(old, new)}
    values: dict[str, Any] = {"old": sha256(old), "new": sha256(new), "size": len(new)}
    payload = _payload({**values, "kind": "whole", "arrays": []}, whole)
    if found[0] is not None and found[1] is not None:
        how, parts = _by_arrays(found[0], found[1], (len(old), len(new)))
        header = byte_delta(header_of(old), header_of(new))
        values |= {"kind": "model", "header": len(header_of(new)), **how}
        payload = min(payload, _payload(values, {_HEADER: header, **parts}), key=len)
    return payload


def info_of(update: bytes) -> UpdateInfo:
    """Return which files an update is for.

    Raises:
        CompressionError: it is damaged, or is none.
    """
    values = from_bytes(np.frombuffer(update, np.uint8), UPDATE_FORM).values_of("update")
    return UpdateInfo(values.text("old"), values.text("new"), values.whole_number("size"))


def apply_update(old: bytes, update: bytes) -> bytes:
    """Return the new version of a file.

    Raises:
        CompressionError: the update is damaged, or for another version; then there is no new one.
    """
    sections = from_bytes(np.frombuffer(update, np.uint8), UPDATE_FORM)
    values = sections.values_of("update")
    info = info_of(update)
    if info.size > MAX_FILE:
        raise CompressionError(f"makes {info.size} bytes; the limit is {MAX_FILE}")
    if sha256(old) != info.old:
        raise CompressionError("is for another version of the file")
    if values.text("kind") == "whole":
        new = apply_byte_delta(old, sections.array("0").tobytes(), info.size)
    else:
        new = _applied(old, sections, info)
    if sha256(new) != info.new:
        raise CompressionError("makes something else than it says")
    return new


def sha256(data: bytes) -> str:
    """Return the checksum of data, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _sections(data: bytes) -> Sections | None:
    """Return what a packed model holds; None of anything else, or of one that would not be written like this again."""
    try:
        found = from_bytes(np.frombuffer(data, np.uint8), FORM)
    except CompressionError:
        return None
    return found if to_bytes(FORM, found) == data else None


def _payload(values: dict[str, Any], parts: dict[str, bytes]) -> bytes:
    arrays = {name: np.frombuffer(part, np.uint8) for name, part in parts.items()}
    return to_bytes(UPDATE_FORM, Sections({"update": values}, arrays))


def _by_arrays(old: Sections, new: Sections, sizes: tuple[int, int]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return how each array that is not the same is made, and of what."""
    graphs = [graphs_of(sections, size) for sections, size in zip((old, new), sizes, strict=True)]
    places = {str(place): str(graphs[0][name].place) for name, place in _places(new).items() if name in graphs[0]}
    steps: list[list[Any]] = []
    parts: dict[str, bytes] = {}
    streams: dict[str, Any] = {}
    known = _known(old, graphs[0], graphs[1], streams)
    for name, array in new.arrays.items():
        place, _, rest = name.partition(".")
        source = f"{places.get(place, place)}.{rest}"
        data = array.tobytes()
        before = old.arrays[source].tobytes() if source in old.arrays else b""
        if data == before and source == name:
            continue
        ways = {_BYTES: byte_delta(before, data)}
        stream, _, block = name.rpartition(".")
        if stream in known:
            begin = int(block) * MAX_BLOCK
            moved = block_delta(known[stream][begin : begin + MAX_BLOCK], data)
            if moved is not None:
                ways[_BLOCK] = moved
        way = min(ways, key=lambda one: len(ways[one]))
        parts[str(len(steps))] = ways[way]
        steps.append([name, way, len(data), source])
    used = {step[0].rpartition(".")[0] for step in steps if step[1] == _BLOCK}
    return {"arrays": steps, "streams": {name: one for name, one in streams.items() if name in used}}, parts


def _places(sections: Sections) -> dict[str, int]:
    """Return the place of each file of a packed model by its name."""
    count = sections.values_of("model").whole_number("files")
    return {sections.values_of(str(place)).text("name"): place for place in range(count)}


def _known(
    old: Sections, before: Mapping[str, Graph], after: Mapping[str, Graph], streams: dict[str, Any]
) -> dict[str, Bytes]:
    """Return what stands for the numbers of each stream of the new model; ``streams`` gets how that is found."""
    known = {}
    for name, graph in after.items():
        for stream, constants in graph.streams.items():
            earlier = before.get(name)
            source = "" if earlier is None else f"{earlier.place}.{stream}"
            segments = segments_between({} if earlier is None else earlier.streams.get(stream, {}), constants)
            streams[f"{graph.place}.{stream}"] = [source, [[one.count, one.source] for one in segments]]
            known[f"{graph.place}.{stream}"] = predicted(stream_of(old, source), segments)
    return known


def _applied(old: bytes, update: Sections, info: UpdateInfo) -> bytes:
    before = from_bytes(np.frombuffer(old, np.uint8), FORM)
    values = update.values_of("update")
    length = values.whole_number("header")
    header = apply_byte_delta(header_of(old), update.array(_HEADER).tobytes(), min(length, info.size))
    changed: dict[str, Array] = {}
    known: dict[str, Bytes] = {}
    most = _PER_BYTE * (len(old) + sum(array.nbytes for array in update.arrays.values()))
    steps, streams = values.values.get("arrays"), values.values.get("streams")
    for place, step in enumerate(steps if isinstance(steps, list) else [None]):
        name, way, size, source = step if isinstance(step, list) and len(step) == 4 else (None, None, None, None)
        if not isinstance(name, str) or not isinstance(source, str) or type(size) is not int or size > info.size:
            raise CompressionError("an update says not what it changes")
        part = update.array(str(place)).tobytes()
        if way == _BLOCK:
            stream, _, block = name.rpartition(".")
            if stream not in known:
                known[stream] = _foretold(before, streams, stream, most)
            begin = int(block) * MAX_BLOCK if block.isdecimal() and len(block) < 4 else 0
            made = apply_block_delta(known[stream][begin : begin + MAX_BLOCK], part)
        elif way == _BYTES:
            own = before.arrays[source].tobytes() if source in before.arrays else b""
            made = apply_byte_delta(own, part, size)
        else:
            raise CompressionError("an update says not what it changes")
        changed[name] = np.frombuffer(made, np.uint8)
    try:
        said = json.loads(header)
        arrays = {name: {**before.arrays, **changed}[name] for name, _, _ in said["arrays"]}
        return to_bytes(FORM, Sections(said["values"], arrays))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CompressionError("an update has a header that says nothing") from error


def _foretold(before: Sections, streams: object, stream: str, most: int) -> Bytes:
    """Return what stands for the numbers of a stream, as an update says."""
    said = streams.get(stream) if isinstance(streams, dict) else None
    source, listed = said if isinstance(said, list) and len(said) == 2 else (None, None)
    if not isinstance(source, str) or not isinstance(listed, list):
        raise CompressionError("an update says not what stands for its numbers")
    segments = []
    for one in listed:
        if not (isinstance(one, list) and len(one) == 2 and all(type(number) is int for number in one)):
            raise CompressionError("an update says not what stands for its numbers")
        segments.append(Segment(*one))
    if sum(one.count for one in segments) > most:
        raise CompressionError("an update would make far more than an honest one does")
    return predicted(stream_of(before, source), segments)
