"""The compact form for the wire.

Four bytes ``NWL`` and a version; a byte of flags; then numbers (see ``varints``) and the words' text, together
deflated where that is smaller. The numbers, all of a kind one after the other:

- number of words, nodes, arcs; time offset where flagged (milliseconds)
- length of every word (bytes)
- per node but the last: how many arcs leave it
- per arc: target - source - 1; word; start and length (10 ms); total, bias and language-model score (1/64)
- where flagged: number of nodes to end in but the last, these, and their total, bias and language-model scores

Starts are relative to the end of the first arc that enters the source. Bias and language-model columns are left out
where they are zero. Without the flag for ends a path ends in the last node, at no cost.

What is lost: times are rounded to 10 ms, scores to 1/64 (natural logarithm). The rounding of totals is chosen so that
the best path stays the best, is off by at most 1/128, and other paths are off by at most 1/64 per place at which they
leave the best way on. Encoding what was decoded gives the same bytes.
"""

import zlib

import numpy as np
import numpy.typing as npt

from ..errors import LatticeError
from ..lattice import ACOUSTIC, BIAS, LANGUAGE, NUM_SCORES, Lattice
from ..viterbi import best_to_end
from .limits import DEFAULT_LIMITS, Limits
from .varints import Longs, pack, unpack, unzigzag, zigzag

MAGIC = b"NWL"
VERSION = 1
STEPS = 64
"""Steps of a score per unit of natural logarithm."""
TICKS = 100
"""Steps of time per second."""
MAX_SCORE = 2.0**24 / STEPS
"""Scores beyond this cannot be written: single precision could not give them back."""
MAX_SECONDS = 2.0**24 / TICKS
"""Times beyond this cannot be written."""
DEFLATED, WITH_BIAS, WITH_LANGUAGE, WITH_ENDS, WITH_OFFSET, BACKWARD = 1, 2, 4, 8, 16, 32
"""Flags; BACKWARD: an arc ends before it starts, so lengths have a sign."""


def encode(lattice: Lattice) -> bytes:
    """Return the lattice in the compact form.

    Raises:
        LatticeError: a score or a time is too large for it.
    """
    _check_range(lattice)
    totals, ends = _round_totals(lattice)
    begin = np.rint(lattice.start.astype(float) * TICKS).astype(np.int64)
    finish = np.rint(lattice.end.astype(float) * TICKS).astype(np.int64)
    length = finish - begin
    texts = [word.encode() for word in lattice.words]
    offset = round(lattice.offset * 1000)
    flags = WITH_OFFSET if offset else 0
    columns = [np.array([len(texts), lattice.num_nodes, lattice.num_arcs] + [zigzag_one(offset)] * bool(offset))]
    columns += [np.array([len(text) for text in texts], np.int64), np.diff(lattice.first_arc)[:-1]]
    columns += [lattice.target - lattice.source - 1, lattice.word]
    columns += [zigzag(begin - _node_times(lattice.target, finish, lattice.num_nodes)[lattice.source])]
    if (length < 0).any():
        flags |= BACKWARD
        length = zigzag(length)
    columns += [length, zigzag(totals)]
    last = lattice.num_nodes - 1
    extra = np.flatnonzero(lattice.final[:-1, ACOUSTIC] > -np.inf)
    ending = np.append(extra, last)
    kept = [
        (flag, _round(lattice.scores[:, column]), _round(lattice.final[ending, column]))
        for column, flag in ((BIAS, WITH_BIAS), (LANGUAGE, WITH_LANGUAGE))
    ]
    kept = [(flag, scores, final) for flag, scores, final in kept if scores.any() or final.any()]
    flags |= sum(flag for flag, _, _ in kept)
    columns += [zigzag(scores) for _, scores, _ in kept]
    if len(extra) or ends[last] or any(final.any() for _, _, final in kept):
        flags |= WITH_ENDS
        columns += [np.array([len(extra)]), np.diff(extra, prepend=-1) - 1, zigzag(ends[ending])]
        columns += [zigzag(final) for _, _, final in kept]
    body = pack(np.concatenate(columns).astype(np.int64)) + b"".join(texts)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    smaller = packer.compress(body) + packer.flush()
    if len(smaller) < len(body):
        flags, body = flags | DEFLATED, smaller
    return MAGIC + bytes([VERSION, flags]) + body


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Lattice:
    """Return the lattice that ``encode`` wrote.

    Raises:
        LatticeError: the data is none, of a later version, damaged, or beyond the limits.
    """
    if data[:3] != MAGIC:
        raise LatticeError(f"binary lattice: the data begins with {data[:3]!r}; expected {MAGIC!r}")
    if len(data) < 5:
        raise LatticeError(f"binary lattice: {len(data)} bytes are too few; it was cut off")
    if data[3] != VERSION:
        raise LatticeError(f"binary lattice: version {data[3]}; this release reads version {VERSION}: update it")
    flags = data[4]
    if flags >= 2 * BACKWARD:
        raise LatticeError(f"binary lattice: unknown flags {flags:#x}")
    if len(data) > limits.max_bytes:
        raise LatticeError(f"binary lattice: {len(data)} bytes; the limit is {limits.max_bytes}")
    body = _inflate(data[5:], limits) if flags & DEFLATED else data[5:]
    return _Reader(body, flags, limits).lattice()


class _Reader:
    """Takes columns off the unpacked data, one after the other."""

    def __init__(self, body: bytes, flags: int, limits: Limits) -> None:
        self.body, self.flags, self.limits = body, flags, limits
        self.place = 0

    def take(self, count: int) -> Longs:
        values, self.place = unpack(self.body, self.place, count)
        return values

    def take_signed(self, count: int) -> Longs:
        return unzigzag(self.take(count))

    def lattice(self) -> Lattice:
        num_words, num_nodes, num_arcs = self.take(3).tolist()
        for what, count, limit in (  # every node but the start is entered by an arc
            ("words", num_words, self.limits.max_arcs),
            ("nodes", num_nodes, min(num_arcs + 1, self.limits.max_nodes)),
            ("arcs", num_arcs, self.limits.max_arcs),
        ):
            if count > limit:
                raise LatticeError(f"binary lattice: {count} {what} with {num_arcs} arcs; the limit is {limit}")
        if num_nodes < 1:
            raise LatticeError("binary lattice: it has no nodes; expected at least the start")
        offset = float(self.take_signed(1)[0]) / 1000 if self.flags & WITH_OFFSET else 0.0
        lengths = self.take(num_words)
        leaving = self.take(num_nodes - 1)
        if leaving.sum() != num_arcs:
            raise LatticeError(f"binary lattice: {leaving.sum()} arcs leave its nodes; expected {num_arcs}")
        source = np.repeat(np.arange(num_nodes - 1), leaving)
        target = source + 1 + self.take(num_arcs)
        word = self.take(num_arcs)
        if num_arcs and (target.max() >= num_nodes or word.max() >= num_words):
            raise LatticeError("binary lattice: an arc names a node or a word that there is not")
        begin = self.take_signed(num_arcs)
        length = self.take_signed(num_arcs) if self.flags & BACKWARD else self.take(num_arcs)
        begin, finish = _absolute(source, target, begin, length, num_nodes)
        scores = np.zeros((num_arcs, NUM_SCORES), np.int64)
        scores[:, ACOUSTIC] = self.take_signed(num_arcs)
        self._kept_apart(scores)
        final = self._ends(num_nodes)
        if np.abs(scores).max(initial=0) > 3 * MAX_SCORE * STEPS or np.abs(begin).max(initial=0) > MAX_SECONDS * TICKS:
            raise LatticeError("binary lattice: a score or a time is larger than the form allows")
        return Lattice(
            self._words(lengths), source.astype(np.int32), target.astype(np.int32), word.astype(np.int32),
            _singles(begin / TICKS), _singles(finish / TICKS), _singles(scores / STEPS), _singles(final), offset,
        )  # fmt: skip

    def _kept_apart(self, scores: Longs) -> None:
        for column, flag in ((BIAS, WITH_BIAS), (LANGUAGE, WITH_LANGUAGE)):
            if self.flags & flag:
                scores[:, column] = self.take_signed(len(scores))
                scores[:, ACOUSTIC] -= scores[:, column]

    def _ends(self, num_nodes: int) -> npt.NDArray[np.float64]:
        final = np.zeros((num_nodes, NUM_SCORES))
        final[:-1, ACOUSTIC] = -np.inf
        if self.flags & WITH_ENDS:
            count = int(self.take(1)[0])
            if count >= num_nodes:
                raise LatticeError(f"binary lattice: {count + 1} ends with {num_nodes} nodes")
            nodes = np.append(np.cumsum(self.take(count) + 1) - 1, num_nodes - 1)
            if count and nodes[-2] >= num_nodes - 1:
                raise LatticeError("binary lattice: an end names a node that there is not")
            scores = np.zeros((count + 1, NUM_SCORES), np.int64)
            scores[:, ACOUSTIC] = self.take_signed(count + 1)
            self._kept_apart(scores)
            final[nodes] = scores / STEPS
        return final

    def _words(self, lengths: Longs) -> tuple[str, ...]:
        if len(self.body) - self.place != lengths.sum():
            raise LatticeError(
                f"binary lattice: {len(self.body) - self.place} bytes of words; expected {lengths.sum()}"
            )
        if lengths.max(initial=0) > 4 * self.limits.max_word_characters:
            raise LatticeError(
                f"binary lattice: a word of {lengths.max()} bytes; the limit is "
                f"{self.limits.max_word_characters} characters"
            )
        ends = (self.place + np.cumsum(lengths)).tolist()
        try:
            words = tuple(
                self.body[end - length : end].decode() for end, length in zip(ends, lengths.tolist(), strict=True)
            )
        except UnicodeDecodeError:
            raise LatticeError("binary lattice: a word is not UTF-8") from None
        if len(set(words)) != len(words):
            raise LatticeError("binary lattice: a word occurs twice in its list")
        return words


def _check_range(lattice: Lattice) -> None:
    if max(np.abs(scores).max(initial=0) for scores in (lattice.totals, lattice.scores)) > MAX_SCORE:
        raise LatticeError(f"a score is beyond {MAX_SCORE:.0f}, the largest that the binary form can hold")
    if max(np.abs(times).max(initial=0) for times in (lattice.start, lattice.end)) > MAX_SECONDS:
        raise LatticeError(f"a time is beyond {MAX_SECONDS:.0f} s, the largest that the binary form can hold")


def zigzag_one(value: int) -> int:
    """Return ``zigzag`` of one number."""
    return value << 1 if value >= 0 else -value * 2 - 1


def _singles(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    return values.astype(np.float32)


def _round(scores: npt.NDArray[np.float32]) -> Longs:
    steps: Longs = np.rint(scores.astype(float) * STEPS).astype(np.int64)
    return steps


def _round_totals(lattice: Lattice) -> tuple[Longs, Longs]:
    """Return totals of arcs [arcs] and ends [nodes] in steps, so rounded that the best path stays the best."""
    to_end = np.array(best_to_end(lattice))
    goal = np.rint(to_end * STEPS).astype(np.int64)
    through = lattice.totals + to_end[lattice.target]
    behind = to_end[lattice.source] - through
    lost = np.maximum(np.rint(behind * STEPS).astype(np.int64), 1)
    # the one best way on from each node loses nothing: its first best arc, or else ending there
    best = np.flatnonzero(behind == 0)
    nodes, place = np.unique(lattice.source[best], return_index=True)
    lost[best[place]] = 0
    ends = lattice.final_totals > -np.inf
    lost_ends = np.maximum(np.rint((to_end - np.where(ends, lattice.final_totals, to_end)) * STEPS).astype(np.int64), 1)
    stops = np.ones(lattice.num_nodes, bool)
    stops[nodes] = False
    lost_ends[stops] = 0
    return goal[lattice.source] - lost - goal[lattice.target], np.where(ends, goal - lost_ends, 0)


def _node_times(target: npt.NDArray[np.int32], finish: Longs, num_nodes: int) -> Longs:
    """Return when the first arc that enters a node ends, [nodes]; 0 for the start."""
    times = np.zeros(num_nodes, np.int64)
    entered, first = np.unique(target, return_index=True)
    times[entered] = finish[first]
    return times


def _absolute(source: Longs, target: Longs, begin: Longs, length: Longs, num_nodes: int) -> tuple[Longs, Longs]:
    """Return starts and ends of arcs from starts relative to their source and lengths."""
    times: list[int | None] = [None] * num_nodes
    times[0] = 0
    starts = []
    for one, other, after, lasts in zip(source.tolist(), target.tolist(), begin.tolist(), length.tolist(), strict=True):
        # a node that no arc has entered yet never will be: the lattice is refused later on
        start = (times[one] or 0) + after
        starts.append(start)
        if times[other] is None:
            times[other] = start + lasts
    result = np.array(starts, np.int64).reshape(-1)
    return result, result + length


def _inflate(data: bytes, limits: Limits) -> bytes:
    unpacker = zlib.decompressobj(-15)
    try:
        body = unpacker.decompress(data, limits.max_bytes)
    except zlib.error as error:
        raise LatticeError(f"binary lattice: damaged ({error})") from None
    if unpacker.unconsumed_tail:
        raise LatticeError(f"binary lattice: unpacks to more than the limit of {limits.max_bytes} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise LatticeError("binary lattice: damaged; what was packed ends too early or too late")
    return body
