"""A model in one file: all files of its folder, the weights of the graphs entropy-coded.

A file of sections (see ``sections``): a group of values for each file, and arrays with what it holds: as it is,
deflated where that is shorter, or, for a graph, its rest, deflated, and its streams in blocks. The whole is checked by
CRC-32 when it is opened, each block when it is decoded, and each file against its SHA-256 when it is unpacked.
"""

import hashlib
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .blocks import MAX_BLOCK, decode_block, encode_block
from .errors import CompressionError
from .graph_streams import GraphParts, TensorPlace, put_together, stream_lengths, take_apart
from .sections import Array, Sections, Values, read_sections, to_bytes

FORM = "nearword model"
SUFFIX = ".nearword"
MOST_PER_BYTE = 64
"""Bytes that one byte of a packed model may become: an honest one has fewer than ten."""
FREE = 1 << 20
"""Bytes beyond that."""
_NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]{0,127}")
_STORED, _DEFLATED, _GRAPH = "stored", "deflated", "graph"
MAX_FILES = 64


@dataclass(frozen=True)
class Entry:
    """A file of a model."""

    name: str
    size: int
    """Bytes."""
    sha256: str
    """Hexadecimal, of its bytes."""
    form: str
    """How it is kept: ``stored``, ``deflated`` or ``graph``."""
    values: Values
    place: int
    """Which one it is."""


class ModelFile:
    """An open model of one file; it is mapped, and a file of it is decoded when it is read."""

    def __init__(self, path: Path) -> None:
        """Open ``path``.

        Raises:
            CompressionError: it is no packed model, or a damaged one.
            OSError: it cannot be read.
        """
        self.path = path
        """Where it is."""
        self.sections = read_sections(path, FORM)
        """What it holds."""
        try:
            self.entries = entries_of(self.sections, path.stat().st_size)
            """Its files by name."""
        except CompressionError as error:
            raise CompressionError(f"{path}: {error}") from error

    def read(self, name: str) -> bytes:
        """Return a file of the model.

        Raises:
            CompressionError: it is damaged.
            KeyError: there is none of that name.
        """
        entry = self.entries[name]
        try:
            data = read_entry(self.sections, entry)
        except CompressionError as error:
            raise CompressionError(f"{self.path}: {name}: {error}") from error
        if len(data) != entry.size:
            raise CompressionError(f"{self.path}: {name}: has {len(data)} bytes; expected {entry.size}")
        return data

    def stored_bytes(self, name: str) -> int:
        """Return how many bytes of the packed model a file of it takes."""
        prefix = f"{self.entries[name].place}"
        arrays = self.sections.arrays.items()
        return sum(array.nbytes for key, array in arrays if key.partition(".")[0] == prefix)


def pack_files(files: Mapping[str, bytes], values: Mapping[str, Any] | None = None) -> bytes:
    """Return a packed model.

    Args:
        files: name to bytes, of all files of the model.
        values: what else is known of it (name, how it was rounded, where updates are), plain JSON.

    Raises:
        CompressionError: a file cannot be packed; names it.
    """
    if not 0 < len(files) <= MAX_FILES:
        raise CompressionError(f"{len(files)} files; expected 1 to {MAX_FILES}")
    sections = Sections({"model": {**(values or {}), "files": len(files)}}, {})
    for place, (name, data) in enumerate(sorted(files.items())):
        if not _NAME.fullmatch(name):
            raise CompressionError(f"{name!r:.80}: expected a name of letters, digits, dots, dashes and underscores")
        try:
            own, arrays = _graph(data) if name.endswith(".onnx") else _plain(data)
        except CompressionError as error:
            raise CompressionError(f"{name}: {error}") from error
        own |= {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        named = {f"{place}.{key}": np.frombuffer(part, np.uint8) for key, part in arrays.items()}
        sections |= Sections({str(place): own}, named)
    packed = to_bytes(FORM, sections)
    if sum(map(len, files.values())) > MOST_PER_BYTE * len(packed) + FREE:
        raise CompressionError(f"becomes more than {MOST_PER_BYTE} times smaller, which nobody would believe")
    return packed


def _plain(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    deflated = zlib.compress(data, 9)
    if len(deflated) < 0.97 * len(data):
        return {"form": _DEFLATED}, {"all": deflated}
    return {"form": _STORED}, {"all": data}


def _graph(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    parts = take_apart(data)
    tensors = [[t.kind, t.rows, t.columns, t.offset] for t in parts.tensors]
    values = {"form": _GRAPH, "tensors": tensors, "group": parts.group, "rest": len(parts.rest)}
    arrays = {"rest": zlib.compress(parts.rest, 9)}
    for name, numbers in parts.streams.items():
        for block, begin in enumerate(range(0, len(numbers), MAX_BLOCK)):
            arrays[f"{name}.{block}"] = encode_block(numbers[begin : begin + MAX_BLOCK])
    return values, arrays


def entries_of(sections: Sections, file_size: int) -> dict[str, Entry]:
    """Return the files of a packed model of ``file_size`` bytes by name.

    Raises:
        CompressionError: they are not described as they should be, or would become too large.
    """
    count = sections.values_of("model").whole_number("files")
    if not 0 < count <= MAX_FILES:
        raise CompressionError(f"has {count} files; expected 1 to {MAX_FILES}")
    found: dict[str, Entry] = {}
    for place in range(count):
        values = sections.values_of(str(place))
        name, form = values.text("name"), values.text("form")
        if not _NAME.fullmatch(name) or name in found or form not in (_STORED, _DEFLATED, _GRAPH):
            raise CompressionError(f"has a file {name!r:.40} of form {form!r:.20}, which cannot be")
        found[name] = Entry(name, values.whole_number("size"), values.text("sha256"), form, values, place)
    if sum(entry.size for entry in found.values()) > MOST_PER_BYTE * file_size + FREE:
        raise CompressionError("would become far larger than an honest model does")
    return found


def read_entry(sections: Sections, entry: Entry) -> bytes:
    """Return a file of a packed model; its size is not checked.

    Raises:
        CompressionError: it is damaged.
    """
    if entry.form == _STORED:
        return _bytes(sections.array(f"{entry.place}.all"))
    if entry.form == _DEFLATED:
        return _inflated(sections.array(f"{entry.place}.all"), entry.size)
    tensors, group = tensors_of(entry)
    rest = _inflated(sections.array(f"{entry.place}.rest"), entry.values.whole_number("rest"))
    # before anything is decoded: nothing larger than what is announced is ever made
    if GraphParts(rest, tensors, group, {}).size != entry.size:
        raise CompressionError("the parts of a graph do not fit together")
    streams = {}
    for name, length in stream_lengths(tensors, group).items():
        blocks = []
        for block, begin in enumerate(range(0, length, MAX_BLOCK)):
            coded = sections.array(f"{entry.place}.{name}.{block}")
            blocks.append(decode_block(_bytes(coded), min(MAX_BLOCK, length - begin)))
        streams[name] = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    return put_together(GraphParts(rest, tensors, group, streams))


def tensors_of(entry: Entry) -> tuple[tuple[TensorPlace, ...], int]:
    """Return the constants that were taken out of a graph, and the size of groups.

    Raises:
        CompressionError: this is no list of constants.
    """
    listed, group = entry.values.values.get("tensors"), entry.values.whole_number("group")
    if not isinstance(listed, list) or group > 0xFFFF:
        raise CompressionError("has no list of constants")
    tensors = []
    for one in listed:
        if not (isinstance(one, list) and len(one) == 4 and all(type(n) is int and 0 <= n < 1 << 31 for n in one)):
            raise CompressionError("has a constant that is none")
        tensors.append(TensorPlace(*one))
    return tuple(tensors), group


def _inflated(data: Array, size: int) -> bytes:
    inflate = zlib.decompressobj()
    try:
        out = inflate.decompress(_bytes(data), size + 1)
    except zlib.error as error:
        raise CompressionError(f"cannot be inflated ({error})") from error
    if len(out) != size:
        raise CompressionError(f"inflates to {len(out)} bytes or more; expected {size}")
    return out


def _bytes(array: Array) -> bytes:
    if array.dtype != np.uint8:
        raise CompressionError("an array is not of bytes")
    data: bytes = array.tobytes()
    return data
