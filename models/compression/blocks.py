"""A block: some million small numbers, entropy-coded and checked.

What a block holds is cut into lanes of neighbours, as the weights of one output of a network are. Lanes that hold one
number throughout cost nothing but that; the others fall into classes by how their numbers are spread, each with a table
of frequencies. Numbers of which there are few kinds are joined, so that two weights of 4 bits are one symbol. Of many
kinds the low bits, which are as good as random, are stored as they are where that costs less than one byte in a
hundred: the rest can then be joined, and decoding takes half the time.

A block is a plan (what there is, classes, tables), a CRC-32 of the numbers, and the coded numbers. Plan and numbers
determine every byte, on all machines: so an update sends the plan, and makes the rest anew.
"""

import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import CompressionError
from .rans import Bytes, Frequencies, States, Words, check_tables, decode, encode, frequencies

MAX_BLOCK = 1 << 23
"""Numbers that a block may hold."""
_MAX_STEPS = 2048
"""Symbols in a lane; fewer where there are few in all: steps cost time, lanes six bytes each."""
_MAX_CLASSES = 16
_PER_CLASS = 1 << 17
"""Symbols that pay for a table of their own."""
_CONSTANT = 255
"""Class of a lane that holds one symbol throughout."""
_HEAD = struct.Struct("<BBBBHIII")
"""Kind, low bits, joined, classes, steps, numbers, alphabet, bytes of the packed rest."""
_LOW_BITS = (0, 1, 2, 4)
_LOSS = 1.01
"""Share that storing low bits may cost."""
_STORED, _CODED = 0, 1
_SMALL = 512
"""Fewer numbers are stored as they are."""
_RANDOM = 0.985
"""Numbers that would take more than this share of their bytes are stored as they are."""
_MAX_PACKED = 1 << 18


@dataclass(frozen=True, eq=False)
class _Plan:
    """How the numbers of a block are coded."""

    count: int
    low: int
    """Bits of a number that are stored as they are."""
    joined: int
    """Numbers in a symbol."""
    steps: int
    """Symbols in a lane."""
    alphabet: Bytes
    """[kinds] The numbers that there are, in order."""
    classes: Bytes
    """[lanes]"""
    constants: Bytes
    """[constant lanes] Their symbol."""
    tables: Frequencies
    """[classes, symbols]"""

    @property
    def symbols(self) -> int:
        """How many symbols there may be."""
        return int(_kinds(len(self.alphabet), self.low) ** self.joined)

    def packed(self) -> bytes:
        """Return it as bytes."""
        rest = (self.alphabet, self.classes, self.constants, self.tables.astype("<u2"))
        packed = zlib.compress(b"".join(part.tobytes() for part in rest), 9)
        head = (_CODED, self.low, self.joined, len(self.tables), self.steps)
        return _HEAD.pack(*head, self.count, len(self.alphabet), len(packed)) + packed


def plan_block(numbers: Bytes) -> bytes:
    """Return the plan after which ``numbers``, [n] uint8, are coded in few bytes.

    Raises:
        CompressionError: they are too many for a block.
    """
    if len(numbers) > MAX_BLOCK:
        raise CompressionError(f"{len(numbers)} numbers; the limit of a block is {MAX_BLOCK}")
    counts = np.bincount(numbers, minlength=256)
    if len(numbers) < _SMALL or _bits(counts) @ counts > _RANDOM * 8 * len(numbers):
        return _HEAD.pack(_STORED, 0, 1, 0, 1, len(numbers), 0, 0)
    alphabet = np.flatnonzero(counts).astype(np.uint8)
    low = _low_bits(counts[alphabet])
    joined = next((n for n in (8, 5, 4, 3, 2) if _kinds(len(alphabet), low) ** n <= 256), 1)
    symbols = _ceil(len(numbers), joined)
    steps = min(_MAX_STEPS, int(1.4 * symbols**0.5))
    plan = _Plan(len(numbers), low, joined, steps, alphabet, *_no_tables(_ceil(symbols, steps)))
    lanes = _lanes(numbers, plan)
    constant = (lanes == lanes[:, :1]).all(1)
    classes = np.full(len(lanes), _CONSTANT, np.uint8)
    chosen, tables = _classes(lanes[~constant], plan.symbols)
    classes[~constant] = chosen
    return _Plan(len(numbers), low, joined, steps, alphabet, classes, lanes[constant, 0], tables).packed()


def fill_block(plan: bytes, numbers: Bytes) -> bytes:
    """Return the block of ``numbers`` after a plan for these very numbers.

    Raises:
        CompressionError: the plan is for others.
    """
    parsed = _parsed(plan, len(numbers))
    head = struct.pack("<I", len(plan)) + plan + struct.pack("<I", zlib.crc32(numbers.tobytes()))
    if parsed is None:
        return head + numbers.tobytes()
    if np.setdiff1d(np.flatnonzero(np.bincount(numbers, minlength=256)), parsed.alphabet).size:
        raise CompressionError("a plan does not fit its numbers")
    lanes = _lanes(numbers, parsed)
    coded = parsed.classes != _CONSTANT
    rows = np.ascontiguousarray(lanes[coded].T)
    classes = parsed.classes[coded]
    if not parsed.tables[classes[None], rows].all() or (lanes[~coded] != parsed.constants[:, None]).any():
        raise CompressionError("a plan does not fit its numbers")
    states, words = encode(rows, classes, parsed.tables)
    low = _packed_low(_ranks(numbers, parsed), parsed.low)
    return head + low.tobytes() + states.astype("<u4").tobytes() + words.astype("<u2").tobytes()


def encode_block(numbers: Bytes) -> bytes:
    """Return the block of ``numbers``, [n] uint8, n at most ``MAX_BLOCK``."""
    return fill_block(plan_block(numbers), numbers)


def plan_of(block: bytes) -> bytes:
    """Return the plan of a block, unchecked but for its length."""
    size = int.from_bytes(block[:4], "little")
    if len(block) < 8 + size or size < _HEAD.size:
        raise CompressionError("a block is cut short")
    return bytes(block[4 : 4 + size])


def decode_block(block: bytes, count: int) -> Bytes:
    """Return the ``count`` numbers of a block.

    Raises:
        CompressionError: it is damaged, or holds more or fewer.
    """
    plan = plan_of(block)
    parsed = _parsed(plan, count)
    place = 8 + len(plan)
    checksum = int.from_bytes(block[place - 4 : place], "little")
    rest = np.frombuffer(block, np.uint8, offset=place)
    numbers = rest if parsed is None else _decoded(parsed, rest)
    if len(numbers) != count or zlib.crc32(numbers.tobytes()) != checksum:
        raise CompressionError("a block is damaged (its checksum is wrong)")
    return numbers


def _decoded(plan: _Plan, rest: Bytes) -> Bytes:
    coded = plan.classes != _CONSTANT
    num_coded = int(coded.sum())
    lows, rest = np.split(rest, [_ceil(plan.count * plan.low, 8)])
    if len(rest) < 4 * num_coded or (len(rest) - 4 * num_coded) % 2:
        raise CompressionError("a block is cut short")
    states: States = rest[: 4 * num_coded].view("<u4").astype(np.uint32)
    words: Words = rest[4 * num_coded :].view("<u2").astype(np.uint16)
    rows = decode(states, words, plan.steps, plan.classes[coded], plan.tables)
    lanes = np.empty((len(plan.classes), plan.steps), np.uint8)
    lanes[coded] = rows.T
    lanes[~coded] = plan.constants[:, None]
    return _numbers(lanes.ravel(), lows, plan)


def _parsed(plan: bytes, count: int) -> _Plan | None:
    """Read a plan for ``count`` numbers; None says that they are stored as they are."""
    if len(plan) < _HEAD.size:
        raise CompressionError("a block is cut short")
    kind, low, joined, num_classes, steps, stated, kinds, size = _HEAD.unpack_from(plan)
    if kind not in (_STORED, _CODED) or stated != count or count > MAX_BLOCK or _HEAD.size + size != len(plan):
        raise CompressionError("a block has a plan that says nothing")
    if kind == _STORED:
        return None
    fits = 0 < kinds <= 256 and low in _LOW_BITS and 1 <= joined <= 8 and 1 <= steps <= _MAX_STEPS
    symbols = _kinds(kinds, low) ** joined
    if not fits or symbols > 256 or num_classes > _MAX_CLASSES or size > _MAX_PACKED:
        raise CompressionError("a block has a plan that says nothing")
    lanes = _ceil(_ceil(count, joined), steps)
    least = kinds + lanes + 2 * num_classes * symbols
    try:
        inflate = zlib.decompressobj()
        data = np.frombuffer(inflate.decompress(plan[_HEAD.size :], least + lanes + 1), np.uint8)
    except zlib.error as error:
        raise CompressionError("the plan of a block is damaged") from error
    alphabet, classes = data[:kinds], data[kinds : kinds + lanes]
    num_constant = int((classes == _CONSTANT).sum())
    constants = data[kinds + lanes : kinds + lanes + num_constant]
    if len(data) != least + num_constant or (constants >= symbols).any():
        raise CompressionError("the plan of a block is damaged")
    found = data[kinds + lanes + num_constant :].tobytes()
    tables = np.frombuffer(found, "<u2").astype(np.uint16).reshape(num_classes, symbols)
    check_tables(tables)
    if (classes[classes != _CONSTANT] >= num_classes).any():
        raise CompressionError("the plan of a block is damaged")
    return _Plan(count, low, joined, steps, alphabet, classes, constants, tables)


def _no_tables(lanes: int) -> tuple[Bytes, Bytes, Frequencies]:
    return np.zeros(lanes, np.uint8), np.zeros(0, np.uint8), np.zeros((0, 1), np.uint16)


def _ceil(count: int, size: int) -> int:
    return -(-count // size)


def _kinds(alphabet: int, low: int) -> int:
    """Return how many kinds of numbers there are without their low bits."""
    return (alphabet - 1 >> low) + 1


def _low_bits(counts: npt.NDArray[np.int64]) -> int:
    """Return how many low bits of numbers that occur so often to store as they are."""
    low = next(bits for bits in _LOW_BITS if _kinds(len(counts), bits) <= 16)
    high = np.bincount(np.arange(len(counts)) >> low, counts)
    total = int(counts.sum())
    if (counts * -np.log2(counts / total)).sum() * _LOSS < (high * (low - np.log2(high / total))).sum():
        return 0
    return low


def _ranks(numbers: Bytes, plan: _Plan) -> Bytes:
    """Return which of the alphabet each number is."""
    rank = np.zeros(256, np.uint8)
    rank[plan.alphabet] = np.arange(len(plan.alphabet))
    return rank[numbers]


def _packed_low(ranks: Bytes, bits: int) -> Bytes:
    """Return the low bits of each, the first in the lowest."""
    if not bits:
        return np.zeros(0, np.uint8)
    each = 8 // bits
    low = np.pad(ranks & np.uint8((1 << bits) - 1), (0, -len(ranks) % each)).reshape(-1, each)
    packed: Bytes = np.bitwise_or.reduce(low << np.arange(0, 8, bits, dtype=np.uint8), 1)
    return packed


def _lanes(numbers: Bytes, plan: _Plan) -> Bytes:
    """Return numbers as symbols, [lanes, steps], the last lane filled up."""
    ranks = _ranks(numbers, plan) >> np.uint8(plan.low)
    ranks = np.pad(ranks, (0, -len(ranks) % plan.joined))
    kinds = _kinds(len(plan.alphabet), plan.low)
    symbols = ranks[:: plan.joined].copy()
    for place in range(1, plan.joined):
        symbols *= np.uint8(kinds)
        symbols += ranks[place :: plan.joined]
    out = np.zeros(len(plan.classes) * plan.steps, np.uint8)
    out[: len(symbols)] = symbols
    return out.reshape(len(plan.classes), plan.steps)


def _numbers(symbols: Bytes, lows: Bytes, plan: _Plan) -> Bytes:
    """Return the numbers that symbols and low bits stand for."""
    kinds = _kinds(len(plan.alphabet), plan.low)
    powers = kinds ** np.arange(plan.joined - 1, -1, -1)
    table = np.arange(kinds**plan.joined)[:, None] // powers % kinds << plan.low
    if not plan.low:
        return _taken(plan.alphabet[table], symbols)[: plan.count]
    ranks = _taken(table.astype(np.uint8), symbols)[: plan.count]
    each, mask = 8 // plan.low, np.uint8((1 << plan.low) - 1)
    for place in range(each):
        part = ranks[place::each]
        part |= lows[: len(part)] >> np.uint8(place * plan.low) & mask
    # of a damaged block a rank may be no number's
    return np.pad(plan.alphabet, (0, 256 - len(plan.alphabet)))[ranks]


def _taken(table: npt.NDArray[np.uint8], symbols: Bytes) -> Bytes:
    """Return rows of a table one after the other; short ones as one number each, which takes a third of the time."""
    joined = table.shape[1]
    if joined in (1, 2, 4, 8):
        return np.ascontiguousarray(table).view(f"u{joined}").ravel().take(symbols).view(np.uint8)
    return np.take(table, symbols, axis=0).ravel()


def _classes(lanes: Bytes, symbols: int) -> tuple[Bytes, Frequencies]:
    """Return a class for each lane, [lanes], and a table for each class, [classes, symbols]."""
    if not len(lanes):
        return np.zeros(0, np.uint8), np.zeros((0, symbols), np.uint16)
    counts = np.stack([np.bincount(lane, minlength=symbols) for lane in lanes])
    wanted = int(np.clip(lanes.size // _PER_CLASS, 1, min(_MAX_CLASSES, len(lanes))))
    # the most frequent symbol's share says most of how a lane is spread
    order = np.argsort(counts.max(1), kind="stable")
    classes = np.empty(len(lanes), np.uint8)
    classes[order] = np.arange(len(lanes)) * wanted // len(lanes)
    for _ in range(3 if wanted > 1 else 0):
        bits = np.stack([_bits(counts[classes == one].sum(0)) for one in range(wanted)], 1)
        classes = (counts @ bits).argmin(1).astype(np.uint8)
    present, numbered = np.unique(classes, return_inverse=True)
    tables = np.stack([frequencies(counts[classes == one].sum(0)) for one in present])
    return numbered.astype(np.uint8).ravel(), tables


def _bits(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return what each symbol costs with a table of such counts; one that is not there a good deal."""
    shares: npt.NDArray[np.float64] = (counts + 0.01) / (counts.sum() + 0.01 * len(counts))
    return -np.log2(shares)
