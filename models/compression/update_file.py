"""From one version of a file to the next: what an update holds, and how it is made and applied.

Of packed models the blocks are compared. A block that is the same is taken over; of one whose weights moved a little
the differences are coded, and the plan after which the new ones lie in the file; all else goes as bytes. Since plan and
numbers say every byte of a block, what is made anew is the new file exactly, and its SHA-256 is checked. Any other file
(an n-gram, a model of requests, a list of phrases) goes as bytes: copies and what is new.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from .blocks import decode_block, encode_block, fill_block, plan_of
from .byte_delta import apply_byte_delta, byte_delta
from .errors import CompressionError
from .model_file import FORM
from .rans import Bytes
from .sections import Array, Sections, from_bytes, header_of, to_bytes

UPDATE_FORM = "nearword update"
MAX_FILE = 1 << 30
"""Bytes that a file may have that is updated."""
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
        steps, parts = _by_arrays(found[0], found[1])
        header = byte_delta(header_of(old), header_of(new))
        values |= {"kind": "model", "header": len(header_of(new)), "arrays": steps}
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


def _by_arrays(old: Sections, new: Sections) -> tuple[list[list[Any]], dict[str, bytes]]:
    """Return how each array that is not the same is made, and of what."""
    steps: list[list[Any]] = []
    parts: dict[str, bytes] = {}
    for name, array in new.arrays.items():
        data = array.tobytes()
        before = old.arrays[name].tobytes() if name in old.arrays else b""
        if data == before:
            continue
        ways = {_BYTES: byte_delta(before, data)}
        moved = _moved(before, data)
        if moved is not None:
            ways[_BLOCK] = moved
        way = min(ways, key=lambda one: len(ways[one]))
        place = str(len(steps))
        steps.append([name, way, len(data)])
        parts[place] = ways[way]
    return steps, parts


def _moved(before: bytes, data: bytes) -> bytes | None:
    """Return a block as the difference to another of as many numbers: plan, and coded differences."""
    try:
        plan, count = plan_of(data), _count(data)
        if count != _count(before):
            return None
        numbers, old = decode_block(data, count), decode_block(before, count)
        if fill_block(plan, numbers) != data:
            return None
    except CompressionError:
        return None
    return b"".join((len(plan).to_bytes(4, "little"), plan, encode_block(_wrapped(numbers - old))))


def _wrapped(difference: Bytes) -> Bytes:
    """Return differences so that small ones of either sign are neighbours."""
    wrapped: Bytes = difference + np.uint8(128)
    return wrapped


def _count(block: bytes) -> int:
    """Return how many numbers a block holds, as its plan says."""
    return int.from_bytes(plan_of(block)[6:10], "little")


def _applied(old: bytes, update: Sections, info: UpdateInfo) -> bytes:
    before = from_bytes(np.frombuffer(old, np.uint8), FORM)
    values = update.values_of("update")
    length = values.whole_number("header")
    header = apply_byte_delta(header_of(old), update.array(_HEADER).tobytes(), min(length, info.size))
    changed: dict[str, Array] = {}
    steps = values.values.get("arrays")
    for place, step in enumerate(steps if isinstance(steps, list) else [None]):
        name, way, size = step if isinstance(step, list) and len(step) == 3 else (None, None, None)
        if not isinstance(name, str) or way not in (_BYTES, _BLOCK) or type(size) is not int or size > info.size:
            raise CompressionError("an update says not what it changes")
        own = before.arrays[name].tobytes() if name in before.arrays else b""
        part = update.array(str(place)).tobytes()
        made = _block(own, part) if way == _BLOCK else apply_byte_delta(own, part, size)
        changed[name] = np.frombuffer(made, np.uint8)
    try:
        said = json.loads(header)
        arrays = {name: {**before.arrays, **changed}[name] for name, _, _ in said["arrays"]}
        return to_bytes(FORM, Sections(said["values"], arrays))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CompressionError("an update has a header that says nothing") from error


def _block(before: bytes, part: bytes) -> bytes:
    """Return a block, made of another and the differences."""
    size = int.from_bytes(part[:4], "little")
    plan, coded = part[4 : 4 + size], part[4 + size :]
    count = _count(before)
    numbers = decode_block(before, count) + decode_block(coded, count) - np.uint8(128)
    return fill_block(plan, numbers)
