"""What has to be said to make one file of another: copies of pieces of the old one, and new bytes in between.

As in rsync (Tridgell 1999) pieces of the old file are known by a hash, but those of the new one are looked up at every
place, and what matches is made as long as it can be. Words of 64 bits alone, so it runs over whole arrays.
"""

import lzma

import numpy as np
import numpy.typing as npt

from .errors import CompressionError

PIECE = 24
"""Bytes that have to be equal before anything is copied; shorter copies cost what they save."""
MAX_SIZE = 1 << 30
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 22}]
"""What is inflated looks back 4 MB at most, and takes as much memory."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def byte_delta(old: bytes, new: bytes) -> bytes:
    """Return what makes ``new`` of ``old``, for ``apply_byte_delta``."""
    operations: list[int] = []
    added: list[bytes] = []
    done, last = 0, 0
    for place, source in zip(*_candidates(old, new), strict=True):
        if place < done or old[source : source + PIECE] != new[place : place + PIECE]:
            continue
        length = _common(old, new, source, place)
        # backwards too: matches begin where the old file's pieces do
        earlier = 0
        while place - earlier > done and source > earlier and old[source - earlier - 1] == new[place - earlier - 1]:
            earlier += 1
        operations += [place - earlier - done, length + earlier, _zigzag(source - earlier - last)]
        added.append(new[done : place - earlier])
        done, last = place + length, source + length
    operations += [len(new) - done, 0, 0]
    added.append(new[done:])
    listed = b"".join(map(_varint, operations))
    plain = _varint(len(listed)) + listed + b"".join(added)
    return min(b"\0" + plain, b"\1" + lzma.compress(plain, lzma.FORMAT_RAW, filters=_FILTERS), key=len)


def apply_byte_delta(old: bytes, delta: bytes, size: int) -> bytes:
    """Return the new file of ``size`` bytes.

    Raises:
        CompressionError: the delta is damaged, or for another file.
    """
    if size > MAX_SIZE:
        raise CompressionError(f"{size} bytes; the limit is {MAX_SIZE}")
    plain = _plain(delta, size)
    length, place = _read_varint(plain, 0)
    end = place + length
    if end > len(plain):
        raise CompressionError("a delta is cut short")
    out, added = bytearray(), end
    last = 0
    while place < end:
        fresh, place = _read_varint(plain, place)
        length, place = _read_varint(plain, place)
        moved, place = _read_varint(plain, place)
        source = last + (moved >> 1 ^ -(moved & 1))
        if added + fresh > len(plain) or not 0 <= source <= source + length <= len(old):
            raise CompressionError("a delta copies what is not there")
        if len(out) + fresh + length > size:
            raise CompressionError("a delta makes more than it says")
        out += plain[added : added + fresh]
        out += old[source : source + length]
        added, last = added + fresh, source + length
    if place != end or added != len(plain) or len(out) != size:
        raise CompressionError("a delta makes less than it says")
    return bytes(out)


def _plain(delta: bytes, size: int) -> bytes:
    # operations take less room than what they make, or they would not have been made: three numbers of ten bytes each
    most = 64 + 3 * size
    if delta[:1] == b"\0":
        return delta[1:]
    if delta[:1] != b"\1":
        raise CompressionError("is no delta")
    try:
        inflate = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
        plain = inflate.decompress(delta[1:], most)
    except (lzma.LZMAError, EOFError, MemoryError) as error:
        raise CompressionError(f"a delta cannot be inflated ({error})") from error
    if not inflate.eof:
        raise CompressionError("a delta is cut short, or inflates to more than it may")
    return plain


def _candidates(old: bytes, new: bytes) -> tuple[list[int], list[int]]:
    """Return places in the new file, in order, and for each where in the old one the same bytes seem to be."""
    if min(len(old), len(new)) < PIECE:
        return [], []
    pieces = _hashes(old)[::PIECE]
    order = np.argsort(pieces, kind="stable")
    ordered = pieces[order]
    hashes = _hashes(new)
    at = np.minimum(np.searchsorted(ordered, hashes), len(ordered) - 1)
    places = np.flatnonzero(ordered[at] == hashes)
    return places.tolist(), (order[at[places]] * PIECE).tolist()


def _hashes(data: bytes) -> npt.NDArray[np.uint64]:
    """Return a hash of the ``PIECE`` bytes from each place on."""
    numbers = np.frombuffer(data, np.uint8)
    out = np.zeros(len(numbers) - PIECE + 1, np.uint64)
    for place in range(PIECE):
        out *= _FACTOR
        out += numbers[place : place + len(out)]
        out ^= out >> np.uint64(29)
    return out


def _common(old: bytes, new: bytes, source: int, place: int) -> int:
    """Return how many bytes are the same from two places on."""
    length, step = PIECE, 64
    most = min(len(old) - source, len(new) - place)
    while length < most:
        one = np.frombuffer(old, np.uint8, min(step, most - length), source + length)
        other = np.frombuffer(new, np.uint8, min(step, most - length), place + length)
        differ = np.flatnonzero(one != other)
        if len(differ):
            return length + int(differ[0])
        length += len(one)
        step *= 4
    return length


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < 63:
        value |= (data[place] & 0x7F) << shift
        place += 1
        if not data[place - 1] & 0x80:
            return value, place
        shift += 7
    raise CompressionError("a delta is cut short")
