"""A minimal perfect hash: n keys to the numbers 0 to n - 1, each once, in about three bits a key.

The cascade of bit arrays of Limasset, Rizk, Chikhi and Peterlongo 2017, "Fast and scalable minimal perfect hashing for
massive key sets" (BBHash). Every key is thrown at the first array, which has a bit for each; where a key falls alone
its bit is set; all others go on to the next, smaller array. A key's number is the count of set bits before its own.
With arrays as large as the keys that reach them, e = 2.72 bits a key are spent on arrays; no method needs less than
1.44.

What is not a key gets a number too, or none: ``FingerprintHash`` tells most of it apart.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .errors import CompressionError
from .mixing import Keys, below, below_each, spread

MAX_LEVELS = 64
"""Arrays of a cascade; a million keys need about 35."""
MAX_KEYS = 1 << 30
TOGETHER = 2048
"""Places that are looked at together, at least one array's: for a few keys calls cost more than numbers."""
SEEDS = 16
"""Cascades that are tried before giving up."""
WORD, BLOCK = 64, 256
"""Bits of a word, and bits that are counted ahead together."""
_WORDS_PER_BLOCK = BLOCK // WORD
_ONE = np.uint64(1)
_BIT = np.array([1, 2, 4, 8, 16, 32, 64, 128], np.uint8)
_SUM, _56 = np.uint64(0x0101010101010101), np.uint64(56)
_BYTE_ONES = np.array([number.bit_count() for number in range(256)], np.uint8)
"""Set bits of each byte."""


@dataclass(frozen=True, eq=False)
class PerfectHash:
    """Numbers for keys. Arrays may be views into a mapped file; they are checked when it is made.

    Raises:
        CompressionError: the parts do not fit together.
    """

    bits: Keys
    """[words] All arrays one after the other, 64 bits a word, the lowest bit first."""
    ranks: npt.NDArray[np.uint32]
    """[blocks] Set bits before each block of 256 bits."""
    sizes: tuple[int, ...]
    """Bits of each array, multiples of 64."""
    seed: int = 0
    """Which cascade it is."""

    def __post_init__(self) -> None:
        blocks = -(-len(self.bits) // _WORDS_PER_BLOCK)
        if (
            self.bits.dtype != np.uint64
            or self.bits.ndim != 1
            or self.ranks.dtype != np.uint32
            or self.ranks.shape != (blocks,)
            or len(self.sizes) > MAX_LEVELS
            or any(size <= 0 or size % WORD or size > 4 * MAX_KEYS for size in self.sizes)
            or sum(self.sizes) != WORD * len(self.bits)
            or not 0 <= self.seed < SEEDS
        ):
            raise CompressionError("the arrays of a perfect hash do not fit together")
        if not np.array_equal(_ranks(self.bits), self.ranks):
            raise CompressionError("a perfect hash counts its bits wrong")

    @classmethod
    def build(cls, keys: Keys) -> "PerfectHash":
        """Return the hash of keys, [n] uint64: hashes of what they stand for, each once.

        Raises:
            CompressionError: a key is there twice, or there are more than 2 to the 30.
        """
        if len(keys) > MAX_KEYS:
            raise CompressionError(f"{len(keys)} keys; the limit is {MAX_KEYS}")
        ordered = np.sort(np.asarray(keys, np.uint64))
        twice = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(twice):
            raise CompressionError(f"the key {ordered[twice[0]]:#x} is there twice; expected each once")
        for seed in range(SEEDS):
            levels = _cascade(ordered, seed)
            if levels is not None:
                bits = np.concatenate([np.zeros(0, np.uint64), *levels])
                return cls(bits, _ranks(bits), tuple(WORD * len(level) for level in levels), seed)
        raise CompressionError(f"{len(keys)} keys do not come apart; expected well-mixed hashes of 64 bits")

    @cached_property
    def count(self) -> int:
        """Keys that it was built of."""
        if not len(self.bits):
            return 0
        last = (len(self.ranks) - 1) * _WORDS_PER_BLOCK
        return int(self.ranks[-1]) + int(_ones(self.bits[last:]).sum())

    @property
    def num_bits(self) -> int:
        """Size in bits, ranks included."""
        return 8 * (self.bits.nbytes + self.ranks.nbytes)

    def numbers(self, keys: Keys) -> npt.NDArray[np.int64]:
        """Return the number of each key, [n]; -1, or any number, for what is none."""
        place = self.places(keys)
        numbers = self.ranks_of(place)
        numbers[place < 0] = -1
        return numbers

    def places(self, keys: Keys) -> npt.NDArray[np.int64]:
        """Return the place of the bit of each key, [n]; -1, or any place, for what is none."""
        return self._places(np.asarray(keys, np.uint64), 0)

    def _places(self, keys: Keys, level: int) -> npt.NDArray[np.int64]:
        """Return the place of the bit of each key in the arrays from ``level`` on; -1 where none is set."""
        sizes, salts, begins = self._arrays
        if level >= len(sizes) or not len(keys):
            return np.full(len(keys), -1, np.int64)
        end = min(len(sizes), level + max(1, TOGETHER // len(keys)))
        bit = below_each(keys, sizes[level:end], salts[level:end]).view(np.int64)
        bit += begins[level:end]
        found = (self._bytes.take(bit >> 3) & _BIT.take(bit & 7)) != 0
        # the first array in which a key has a bit
        number = found.argmax(1)
        number += np.arange(0, bit.size, end - level)
        place: npt.NDArray[np.int64] = bit.take(number)
        hit = found.take(number)
        if not hit.all():
            missed = (~hit).nonzero()[0]
            place[missed] = self._places(keys[missed], end)
        return place

    @cached_property
    def _arrays(self) -> tuple[Keys, Keys, npt.NDArray[np.int64]]:
        """Size of each array, what is added to keys for it, and the place of its first bit, [arrays] each."""
        begins = np.cumsum([0, *self.sizes], dtype=np.int64)[:-1]
        return np.array(self.sizes, np.uint64), spread(len(self.sizes), _salt(self.seed, 0)), begins

    @cached_property
    def _bytes(self) -> npt.NDArray[np.uint8]:
        """The bits eight by eight, the lowest first."""
        return np.ascontiguousarray(self.bits, "<u8").view(np.uint8)

    @cached_property
    def _before(self) -> npt.NDArray[np.uint32]:
        """[words] Bits that are set before each word; ``ranks``, which the file has, count every fourth."""
        ones = _ones(self.bits)
        return (np.cumsum(ones) - ones).astype(np.uint32)

    def ranks_of(self, bit: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return how many bits are set before each place; before place -1, any number up to ``count``."""
        word = bit >> 6
        below_place = (_ONE << (bit & 63).view(np.uint64)) - _ONE
        return self._before.take(word) + _ones(self.bits.take(word) & below_place)


def _salt(seed: int, level: int) -> int:
    return 1 + level + seed * MAX_LEVELS


def _cascade(keys: Keys, seed: int) -> list[Keys] | None:
    """Return the arrays, None if keys are left after the last."""
    levels: list[Keys] = []
    while len(keys):
        if len(levels) == MAX_LEVELS:
            return None
        size = -(-len(keys) // WORD) * WORD
        bit = below(keys, size, _salt(seed, len(levels))).astype(np.int64)
        alone = np.bincount(bit, minlength=size) == 1
        levels.append(np.packbits(alone, bitorder="little").view("<u8").astype(np.uint64))
        keys = keys[~alone[bit]]
    return levels


def _ranks(bits: Keys) -> npt.NDArray[np.uint32]:
    ones = np.zeros(-(-len(bits) // _WORDS_PER_BLOCK) * _WORDS_PER_BLOCK, np.int64)
    ones[: len(bits)] = _ones(bits)
    blocks = np.cumsum(ones.reshape(-1, _WORDS_PER_BLOCK).sum(1))
    return np.concatenate([[0], blocks])[: len(ones) // _WORDS_PER_BLOCK].astype(np.uint32)


def _ones(words: Keys) -> npt.NDArray[np.int64]:
    """Return the number of set bits of each word."""
    counts = _BYTE_ONES.take(words.view(np.uint8)).view(np.uint64)  # eight counts each, of which the product's top
    counts *= _SUM  # byte holds the sum
    counts >>= _56
    return counts.view(np.int64)
