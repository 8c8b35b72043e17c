"""The compact form for the wire.

``NL`` and a version in three bytes, then bits (see ``bits``; a column of numbers has four bits for its order before):

- five flags: bias, language model, ends, offset, backward
- number of arcs (order 3) and nodes (3); first time (8, signed, 10 ms); step of time less 1 (2); best total (10,
  signed, 1/64); where flagged, time offset (16, signed, ms)
- per node but the last: how many arcs leave it
- per arc, sorted by source, target and word: target, from the node after the source, or from the target of the arc
  before with the same source; word: 0 for one that was not there yet, else how many back it came first
- per arc: start, from the end of the first arc that enters the source (for the first node: from the first time);
  per arc that is the first to enter its target: length (with sign where flagged backward); per other arc: end, from
  the end of that first one. All in steps of time
- per arc: by how much the best path through it falls behind the best way on from its source (1/64); where flagged,
  bias (1/64), language-model score (1/64)
- where flagged: number of ends less 1 (order 3); nodes in which paths end, but the last, from the one before; the
  same scores for these. The last node is always an end; it has bias and language-model scores too, where flagged
- the words that came first, in order (see ``spelling``)

What is lost: times are rounded to 10 ms, scores to 1/64 (natural logarithm). Totals of paths are kept, but not how
they are spread along the path: the acoustic score of an arc becomes what it costs against the best way on, and the
first arc takes the rest. The best path stays the best; its total is off by at most 1/128, others by at most 1/64 more
for each place at which they leave the best way on. Encoding what was decoded gives the same bytes.
"""

import math

import numpy as np
import numpy.typing as npt

from ..errors import LatticeError
from ..lattice import ACOUSTIC, BIAS, LANGUAGE, NUM_SCORES, Lattice
from .bits import BitReader, BitWriter, Longs, unzigzag, zigzag
from .limits import DEFAULT_LIMITS, Limits
from .rounding import MAX_SECONDS, STEPS, TICKS, check_range, round_losses, round_scores, round_times
from .spelling import read_words, write_words

VERSION = 1
MAGIC = b"NL"
WITH_BIAS, WITH_LANGUAGE, WITH_ENDS, WITH_OFFSET, BACKWARD = 1, 2, 4, 8, 16
"""Flags; BACKWARD: an arc ends before it starts."""
NUM_FLAGS = 5
KEPT_APART = ((BIAS, WITH_BIAS), (LANGUAGE, WITH_LANGUAGE))
Order = npt.NDArray[np.intp]


def encode(lattice: Lattice) -> bytes:
    """Return the lattice in the compact form.

    Raises:
        LatticeError: a score or a time is too large for it, or a word no Unicode text.
    """
    check_range(lattice)
    words, names, order = _in_order(lattice)
    source, target = lattice.source[order].astype(np.int64), lattice.target[order].astype(np.int64)
    first, step, starts, lengths, ends_after = _relative_times(lattice, order)
    best, lost, lost_ends = round_losses(lattice)
    extra = np.flatnonzero(lattice.final[:-1, ACOUSTIC] > -np.inf)
    ending = np.append(extra, lattice.num_nodes - 1)
    apart = [
        (flag, round_scores(lattice.scores[order, column]), round_scores(lattice.final[ending, column]))
        for column, flag in KEPT_APART
    ]
    apart = [row for row in apart if row[1].any() or row[2].any()]
    offset = round(lattice.offset * 1000)
    flags = sum(flag for flag, _, _ in apart)
    flags += WITH_ENDS * bool(len(extra)) + WITH_OFFSET * bool(offset) + BACKWARD * bool((lengths < 0).any())
    bits = BitWriter()
    bits.bits(flags, NUM_FLAGS)
    bits.number(lattice.num_arcs, 3)
    bits.number(lattice.num_nodes, 3)
    bits.signed(first, 8)
    bits.number(step - 1, 2)
    bits.signed(best, 10)
    if offset:
        bits.signed(offset, 16)
    bits.column(np.diff(lattice.first_arc)[:-1].astype(np.int64))
    again = np.concatenate([[False], source[1:] == source[:-1]])[: len(source)]
    bits.column(target - np.where(again, np.roll(target, 1), source + 1))
    bits.column(names)
    bits.column(zigzag(starts))
    bits.column(zigzag(lengths) if flags & BACKWARD else lengths)
    bits.column(zigzag(ends_after))
    bits.column(lost[order])
    for _, scores, _ in apart:
        bits.column(zigzag(scores))
    if flags & WITH_ENDS:
        bits.number(len(extra), 3)
        bits.column(np.diff(extra, prepend=-1) - 1)
        bits.column(lost_ends[extra])
    for _, _, final in apart:
        bits.column(zigzag(final))
    write_words(words, bits)
    return MAGIC + bytes([VERSION]) + bits.getvalue()


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Lattice:
    """Return the lattice that ``encode`` wrote.

    Raises:
        LatticeError: the data is none, of a later version, damaged, or beyond the limits.
    """
    if data[:2] != MAGIC:
        raise LatticeError(f"binary lattice: the data begins with {data[:2]!r}; expected {MAGIC!r}")
    if len(data) > limits.max_bytes:
        raise LatticeError(f"binary lattice: {len(data)} bytes; the limit is {limits.max_bytes}")
    if data[2:3] != bytes([VERSION]):
        raise LatticeError(f"binary lattice: version {data[2:3]!r}; this release reads {bytes([VERSION])!r}: update it")
    return _Reader(BitReader(data[3:]), limits).lattice()


class _Reader:
    """Takes columns off the bits, one after the other."""

    def __init__(self, bits: BitReader, limits: Limits) -> None:
        self.bits, self.limits = bits, limits
        self.flags = bits.bits(NUM_FLAGS)
        self.num_arcs, self.num_nodes = bits.number(3), bits.number(3)
        for what, count, limit in (
            ("arcs", self.num_arcs, limits.max_arcs), ("nodes", self.num_nodes, limits.max_nodes),
        ):  # fmt: skip
            if count > limit:
                raise LatticeError(f"binary lattice: {count} {what}; the limit is {limit}")
        if not 1 <= self.num_nodes <= self.num_arcs + 1:
            raise LatticeError(f"binary lattice: {self.num_nodes} nodes with {self.num_arcs} arcs")

    def lattice(self) -> Lattice:
        bits, num_arcs = self.bits, self.num_arcs
        first, step = bits.signed(8), bits.number(2) + 1
        best = bits.signed(10)
        offset = bits.signed(16) / 1000 if self.flags & WITH_OFFSET else 0.0
        source, target = self._nodes()
        word, num_words = self._names()
        begin, finish = self._times(source, target, first, step)
        scores = np.zeros((num_arcs, NUM_SCORES), np.int64)
        scores[:, ACOUSTIC] = np.where(source == 0, best, 0) - bits.column(num_arcs)
        for column, flag in KEPT_APART:
            if self.flags & flag:
                scores[:, column] = unzigzag(bits.column(num_arcs))
                scores[:, ACOUSTIC] -= scores[:, column]
        final = self._ends(best)
        words = read_words(num_words, bits, self.limits)
        bits.end()
        if max(np.abs(times).max(initial=0) for times in (begin, finish)) > MAX_SECONDS * TICKS * 2:
            raise LatticeError("binary lattice: a time is larger than the form allows")
        return Lattice(
            words, source.astype(np.int32), target.astype(np.int32), word.astype(np.int32), _singles(begin / TICKS),
            _singles(finish / TICKS), _singles(scores / STEPS), _singles(final), offset,
        )  # fmt: skip

    def _nodes(self) -> tuple[Longs, Longs]:
        leaving = self.bits.column(self.num_nodes - 1)
        if leaving.sum() != self.num_arcs:
            raise LatticeError(f"binary lattice: {leaving.sum()} arcs leave its nodes; expected {self.num_arcs}")
        source = np.repeat(np.arange(self.num_nodes - 1), leaving)
        # within the arcs of a node each target counts from the one before
        moved = np.cumsum(self.bits.column(self.num_arcs))
        firsts = np.cumsum(leaving) - leaving
        before = np.where(firsts > 0, np.append(moved, 0)[firsts - 1], 0)
        target = source + 1 + moved - np.repeat(before, leaving)
        if target.max(initial=0) >= self.num_nodes:
            raise LatticeError(f"binary lattice: an arc names node {target.max()}; there are {self.num_nodes}")
        return source, target

    def _names(self) -> tuple[Longs, int]:
        known, words = 0, []
        for back in self.bits.column(self.num_arcs).tolist():
            if back > known:
                raise LatticeError("binary lattice: an arc names a word that there is not")
            words.append(known - back)
            known += back == 0
        return np.array(words, np.int64), known

    def _times(self, source: Longs, target: Longs, first: int, step: int) -> tuple[Longs, Longs]:
        if len(np.unique(target)) != self.num_nodes - 1:
            raise LatticeError("binary lattice: a node cannot be reached from the start")
        starts = unzigzag(self.bits.column(self.num_arcs)).tolist()
        lengths = self.bits.column(self.num_nodes - 1)
        length = iter((unzigzag(lengths) if self.flags & BACKWARD else lengths).tolist())
        later = iter(unzigzag(self.bits.column(self.num_arcs - self.num_nodes + 1)).tolist())
        times: list[int | None] = [0, *[None] * (self.num_nodes - 1)]
        begin, finish = [], []
        for one, other, start in zip(source.tolist(), target.tolist(), starts, strict=True):
            begin.append((times[one] or 0) + start)
            entered = times[other]
            if entered is None:
                finish.append(begin[-1] + next(length))
                times[other] = finish[-1]
            else:
                finish.append(entered + next(later))
        return first + step * np.array(begin, np.int64), first + step * np.array(finish, np.int64)

    def _ends(self, best: int) -> npt.NDArray[np.float64]:
        extra = np.zeros(0, np.int64)
        lost = extra
        if self.flags & WITH_ENDS:
            count = self.bits.number(3)
            if count >= self.num_nodes:
                raise LatticeError(f"binary lattice: {count + 1} ends with {self.num_nodes} nodes")
            extra = np.cumsum(self.bits.column(count) + 1) - 1
            lost = self.bits.column(count)
            if extra.max(initial=0) >= self.num_nodes - 1:
                raise LatticeError("binary lattice: an end names a node that there is not")
        nodes = np.append(extra, self.num_nodes - 1)
        scores = np.zeros((len(nodes), NUM_SCORES), np.int64)
        scores[:, ACOUSTIC] = np.where(nodes == 0, best, 0) - np.append(lost, 0)
        for column, flag in KEPT_APART:
            if self.flags & flag:
                scores[:, column] = unzigzag(self.bits.column(len(nodes)))
                scores[:, ACOUSTIC] -= scores[:, column]
        final = np.zeros((self.num_nodes, NUM_SCORES))
        final[:, ACOUSTIC] = -np.inf
        final[nodes] = scores / STEPS
        return final


def _in_order(lattice: Lattice) -> tuple[list[bytes], Longs, Order]:
    """Return the words as they come first, per arc where its word is among them, and the arcs in their order."""
    number: dict[int, int] = {}
    first_use = np.array([number.setdefault(word, len(number)) for word in lattice.word.tolist()], np.int64)
    order = np.lexsort((first_use, lattice.target, lattice.source))
    known, names = 0, []
    for word in first_use[order].tolist():
        names.append(known - word)  # 0 for the next new one
        known += word == known
    try:
        words = [lattice.words[word].encode() for word in number]
    except UnicodeEncodeError:
        raise LatticeError("binary lattice: a word is no Unicode text") from None
    return words, np.array(names, np.int64), order


def _relative_times(lattice: Lattice, order: Order) -> tuple[int, int, Longs, Longs, Longs]:
    """Return first time, step, and in steps: starts [arcs], lengths [nodes - 1], ends of the other arcs."""
    begin, finish = round_times(lattice.start[order]), round_times(lattice.end[order])
    first = int(begin.min()) if len(begin) else 0
    begin, finish = begin - first, finish - first
    step = math.gcd(int(np.gcd.reduce(begin)), int(np.gcd.reduce(finish))) or 1
    begin, finish = begin // step, finish // step
    target = lattice.target[order]
    entered, arcs = np.unique(target, return_index=True)
    times = np.zeros(lattice.num_nodes, np.int64)
    times[entered] = finish[arcs]
    arcs.sort()
    after = (finish - times[target])[np.setdiff1d(np.arange(len(target)), arcs)]
    return first, step, begin - times[lattice.source[order]], (finish - begin)[arcs], after


def _singles(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    return values.astype(np.float32)
