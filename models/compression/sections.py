"""Named arrays and a few values in one file, which is mapped and not read, and is checked when it is opened.

The file: 8 bytes that say so, the version, the length of the header and a CRC-32 of all that follows (32 bits each,
little-endian); the header, JSON with format, values and the name, type and length of each array; the arrays, each from
a multiple of 8 bytes on.
"""

import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import CompressionError

MAGIC = b"nearword"
VERSION = 1
MAX_HEADER = 1 << 20
MAX_FILE = 1 << 31
"""Bytes that a header, and a file, may have."""
TYPES = {"u1": np.uint8, "u4": np.uint32, "u8": np.uint64, "f4": np.float32}
"""What arrays may be of, by name in the header."""
_ALIGNMENT = 8
_FIXED = 20
"""Bytes before the header."""
_MAX_WHOLE = 1 << 53
MAX_NUMBER = 1e30

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Values:
    """A group of values of a header, each checked when it is asked for."""

    name: str
    """Of the group, for errors."""
    values: Mapping[str, Any]
    """What is there."""

    def whole_number(self, name: str) -> int:
        """Return a whole number from 0; raises ``CompressionError`` if it is none."""
        return _whole(self.values.get(name), f"{self.name}.{name}")

    def whole_numbers(self, name: str) -> tuple[int, ...]:
        """Return a list of whole numbers; raises ``CompressionError`` if it is none."""
        return tuple(_whole(one, f"{self.name}.{name}") for one in self._list(name))

    def number(self, name: str) -> float:
        """Return a finite number; raises ``CompressionError`` if it is none."""
        return _number(self.values.get(name), f"{self.name}.{name}")

    def numbers(self, name: str) -> tuple[float, ...]:
        """Return a list of finite numbers; raises ``CompressionError`` if it is none."""
        return tuple(_number(one, f"{self.name}.{name}") for one in self._list(name))

    def text(self, name: str) -> str:
        """Return a text; raises ``CompressionError`` if it is none."""
        value = self.values.get(name)
        if not isinstance(value, str):
            raise CompressionError(f"{self.name}.{name} is {value!r:.40}; expected a text")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; raises ``CompressionError`` if it is none."""
        found = self._list(name)
        if not all(isinstance(one, str) for one in found):
            raise CompressionError(f"{self.name}.{name} holds what is no text")
        return tuple(found)

    def _list(self, name: str) -> list[Any]:
        value = self.values.get(name)
        if not isinstance(value, list):
            raise CompressionError(f"{self.name}.{name} is {value!r:.40}; expected a list")
        return value


@dataclass(frozen=True)
class Sections:
    """What a file holds: values in groups, and arrays."""

    values: Mapping[str, Mapping[str, Any]]
    """Plain JSON values by group and name."""
    arrays: Mapping[str, Array]
    """[n] each; uint8, uint32, uint64 or float32."""

    def __or__(self, other: "Sections") -> "Sections":
        """Return both together."""
        return Sections({**self.values, **other.values}, {**self.arrays, **other.arrays})

    def values_of(self, group: str) -> Values:
        """Return a group of values; raises ``CompressionError`` if there is none."""
        found = self.values.get(group)
        if not isinstance(found, Mapping):
            raise CompressionError(f"has no values {group!r}")
        return Values(group, found)

    def array(self, name: str) -> Array:
        """Return an array; raises ``CompressionError`` if there is none."""
        if name not in self.arrays:
            raise CompressionError(f"has no array {name!r}")
        return self.arrays[name]


def write_sections(path: str | os.PathLike[str], form: str, sections: Sections) -> int:
    """Write a file; it appears only when it is whole. Returns its size in bytes.

    Args:
        path: where to.
        form: name of what it holds, which ``read_sections`` asks for.
        sections: what it holds.

    Raises:
        OSError: it cannot be written.
    """
    data = to_bytes(form, sections)
    write_atomically(Path(path), data)
    return len(data)


def write_atomically(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write a file; it appears only when it is whole, and on the disk, with the permissions of ``mode`` if told.

    Raises:
        OSError: it cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def to_bytes(form: str, sections: Sections) -> bytes:
    """Return the file as bytes; equal sections give equal bytes."""
    names = {np.dtype(kind): name for name, kind in TYPES.items()}
    listed = [[name, names[array.dtype], len(array)] for name, array in sections.arrays.items()]
    header = json.dumps(
        {"format": form, "values": sections.values, "arrays": listed}, ensure_ascii=False, separators=(",", ":")
    ).encode()
    if len(header) > MAX_HEADER:
        raise CompressionError(f"the header has {len(header)} bytes; the limit is {MAX_HEADER}")
    body = [header, _padding(_FIXED + len(header))]
    for array in sections.arrays.values():
        little = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        body += [little, _padding(len(little))]
    rest = b"".join(body)
    numbers = np.array([VERSION, len(header), zlib.crc32(rest)], "<u4")
    return MAGIC + numbers.tobytes() + rest


def read_sections(path: str | os.PathLike[str], form: str) -> Sections:
    """Map a file and return what it holds; arrays are views into it, read-only.

    Raises:
        CompressionError: the file is damaged, or holds something else; names it and what is wrong.
        OSError: it cannot be read.
    """
    path = Path(path)
    size = path.stat().st_size
    if not path.is_file() or not _FIXED <= size <= MAX_FILE:
        raise CompressionError(f"{path}: is no model; {size} bytes")
    mapped = np.memmap(path, np.uint8, "r")
    try:
        return from_bytes(mapped, form)
    except CompressionError as error:
        raise CompressionError(f"{path}: {error}") from error


def header_of(data: bytes) -> bytes:
    """Return the header of a file that was read before, as it stands there."""
    return data[_FIXED : _FIXED + int.from_bytes(data[12:16], "little")]


def from_bytes(mapped: npt.NDArray[np.uint8], form: str) -> Sections:
    """Return what the bytes of a file hold; arrays are views into them.

    Raises:
        CompressionError: they are damaged, or hold something else.
    """
    if len(mapped) < _FIXED:
        raise CompressionError(f"is none of nearword's files; it has {len(mapped)} bytes")
    if mapped[: len(MAGIC)].tobytes() != MAGIC:
        raise CompressionError("is none of nearword's files; expected one that nearword wrote")
    version, length, checksum = np.frombuffer(mapped[len(MAGIC) : _FIXED].tobytes(), "<u4").tolist()
    if version != VERSION:
        raise CompressionError(f"has version {version}; this nearword reads version {VERSION}")
    if length > min(MAX_HEADER, len(mapped) - _FIXED) or zlib.crc32(mapped[_FIXED:].data) != checksum:
        raise CompressionError("is damaged or cut short (its checksum is wrong); fetch or train it again")
    try:
        header = json.loads(mapped[_FIXED : _FIXED + length].tobytes())
        found, values, listed = header["format"], header["values"], header["arrays"]
        entries = [(name, np.dtype(TYPES[kind]), _whole(count, name)) for name, kind, count in listed]
    except CompressionError:
        raise
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CompressionError(f"has a header that says nothing ({error!r:.80})") from error
    if found != form or not isinstance(values, dict):
        raise CompressionError(f"holds {found!r:.40}; expected {form!r}")
    arrays: dict[str, Array] = {}
    begin = _FIXED + length
    for name, kind, count in entries:
        begin += -begin % _ALIGNMENT
        end = begin + count * kind.itemsize
        if end > len(mapped):
            raise CompressionError(f"ends before its array {name!r:.40} does")
        arrays[name] = mapped[begin:end].view(np.ndarray).view(kind.newbyteorder("<")).view(kind)
        begin = end
    return Sections(values, arrays)


def _padding(size: int) -> bytes:
    return b"\0" * (-size % _ALIGNMENT)


def _number(value: object, name: str) -> float:
    # a whole number may be too large for a float; so are infinities
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= MAX_NUMBER:
        raise CompressionError(f"{name} is {value!r:.40}; expected a finite number")
    return float(value)


def _whole(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_WHOLE:
        raise CompressionError(f"{name} is {value!r:.40}; expected a whole number from 0")
    return value
