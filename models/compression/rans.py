"""Entropy coding of small numbers, thousands of lanes at a time: range asymmetric numeral systems (rANS).

Duda 2013, "Asymmetric numeral systems". Symbols are cut into lanes of equal length. A lane has a state of its own and
one table of frequencies of several (its class); all lanes go forward together, a symbol each, and take 16 bits from one
common stream when their state runs low, in the order of the lanes (Giesen 2014, "Interleaved entropy coders"). So each
step is a dozen operations of numpy over all lanes. Whole numbers alone: every machine gives the same bytes.
"""

import numpy as np
import numpy.typing as npt

from .errors import CompressionError

PRECISION = 14
"""Bits of a frequency: those of a table add up to 2 to this."""
_LOW = 1 << 16
"""A state is at least this, and below 2 to the 32."""
_TOTAL = 1 << PRECISION

Bytes = npt.NDArray[np.uint8]
Frequencies = npt.NDArray[np.uint16]
States = npt.NDArray[np.uint32]
Words = npt.NDArray[np.uint16]


def frequencies(counts: npt.NDArray[np.int64]) -> Frequencies:
    """Return a table for symbols that occur so often, [alphabet]: what occurs has a frequency of at least 1."""
    if not 0 < len(counts) <= 256 or not int(counts.sum()):
        raise CompressionError("nothing to be counted")
    seen = counts > 0
    table = np.where(seen, 1 + counts * (_TOTAL - int(seen.sum())) // int(counts.sum()), 0)
    table[int(table.argmax())] += _TOTAL - int(table.sum())
    return table.astype(np.uint16)


def check_tables(tables: Frequencies) -> None:
    """Check tables [classes, alphabet] that were read.

    Raises:
        CompressionError: one does not add up.
    """
    if not (tables.sum(1, dtype=np.int64) == _TOTAL).all():
        raise CompressionError("a table of frequencies does not add up")


def encode(symbols: Bytes, classes: Bytes, tables: Frequencies) -> tuple[States, Words]:
    """Return the state of each lane, [lanes], and the common stream.

    Args:
        symbols: [steps, lanes], each with a frequency in its lane's table.
        classes: [lanes] Which table each lane has.
        tables: [classes, alphabet].
    """
    frequency = tables.ravel().astype(np.uint64)
    start = (np.cumsum(tables, 1, dtype=np.uint64) - tables).ravel()
    base = classes.astype(np.int64) * tables.shape[1]
    state = np.full(len(classes), _LOW, np.uint64)
    full, shift, word = np.uint64(32 - PRECISION), np.uint64(PRECISION), np.uint64(16)
    out: list[Words] = []
    for row in symbols[::-1]:  # what goes in last comes out first
        place = base + row
        f = frequency[place]
        high = np.flatnonzero(state >= f << full)
        out.append(state[high].astype(np.uint16))
        state[high] >>= word
        quotient = state // f
        state = (quotient << shift) + (state - quotient * f) + start[place]
    return state.astype(np.uint32), np.concatenate([np.zeros(0, np.uint16), *out[::-1]])


def decode(states: States, words: Words, steps: int, classes: Bytes, tables: Frequencies) -> Bytes:
    """Return the symbols, [steps, lanes], that ``encode`` was given.

    Raises:
        CompressionError: this is not what ``encode`` returned for such tables.
    """
    check_tables(tables)
    if classes.shape != states.shape or (len(classes) and int(classes.max()) >= len(tables)):
        raise CompressionError("lanes and their tables do not fit together")
    alphabet = tables.shape[1]
    repeats = tables.astype(np.int64).ravel()
    symbol_of = np.repeat(np.tile(np.arange(alphabet, dtype=np.uint8), len(tables)), repeats)
    # frequency, and place within the symbol, in one number: one look-up less
    start = (np.cumsum(tables, 1, dtype=np.int64) - tables).ravel()
    within = np.tile(np.arange(_TOTAL), len(tables)) - np.repeat(start, repeats)
    entry_of = (np.repeat(repeats, repeats) << 16 | within).astype(np.uint32)

    lanes = len(states)
    base = classes.astype(np.uint32) << np.uint32(PRECISION)
    state = states.astype(np.uint32)
    stream = words.astype(np.uint32)
    out = np.empty((steps, lanes), np.uint8)
    place, entry, scaled = (np.empty(lanes, np.uint32) for _ in range(3))
    is_low = np.empty(lanes, np.bool_)
    mask, shift, low, half = np.uint32(_TOTAL - 1), np.uint32(PRECISION), np.uint32(_LOW), np.uint32(16)
    below = np.uint32(0xFFFF)
    taken = 0
    for row in out:
        np.bitwise_and(state, mask, out=place)
        np.bitwise_or(place, base, out=place)
        index = place.astype(np.intp)
        # "clip" writes straight into ``out``; places are within the tables by their making
        symbol_of.take(index, out=row, mode="clip")
        entry_of.take(index, out=entry, mode="clip")
        np.right_shift(state, shift, out=state)
        np.right_shift(entry, half, out=scaled)
        np.multiply(state, scaled, out=state)
        np.bitwise_and(entry, below, out=entry)
        np.add(state, entry, out=state)
        np.less(state, low, out=is_low)
        (empty,) = is_low.nonzero()
        end = taken + len(empty)
        if end > len(stream):
            raise CompressionError("the coded stream is too short")
        state[empty] = state[empty] << half | stream[taken:end]
        taken = end
    if taken != len(stream) or not (state == low).all():
        raise CompressionError("the coded stream does not end where it should")
    return out
