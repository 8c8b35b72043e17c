"""Token lattice to word lattice: epsilon-free, each word sequence once, with its best segmentation.

Subset construction with weights (Mohri 1997), on words: a node of the result is the set of places in the token lattice
where one word sequence may have got to, each with what it lies behind. In the semiring of the maximum a path's total
is its best alignment, with sums it is all of them. Scores stay apart; what is left out is worse than ``beam``.
"""

import heapq
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from .errors import LatticeError
from .lattice import Lattice
from .token_lattice import TokenArc, TokenLattice

END = -1
"""In a set: the path may end here."""
SLACK = 1e-6
FRAMES = 128
"""Encoder frames that ``max_arcs`` is for."""
STEPS = 20
"""Steps along arcs of the token lattice per arc of ``max_arcs``: words without end have too many beginnings."""
NARROWER = 0.6
"""How much narrower the beam becomes when there are too many arcs."""
LEAST = 0.3
"""A beam below it becomes 0."""
EQUAL = 1e-5
"""Scores this near are equal but for rounding."""


@dataclass(frozen=True)
class DeterminizeSettings:
    """How much of the token lattice becomes words."""

    beam: float = 6.0
    """Paths worse than the best one by more (natural logarithm) are left out."""
    max_arcs: int = 500
    """Arcs per ten seconds (128 encoder frames); with more, the beam is narrowed until there are not."""
    summed: bool = True
    """Whether a word sequence's score is the sum over its alignments or the best of them.

    With more than ``max_arcs`` it is the best: over a minute without a pause, no two histories lie behind by the same.
    """


DEFAULT_SETTINGS = DeterminizeSettings()


class _Place(NamedTuple):
    """Where a word sequence may have got to, and the scores by which this lies behind its set's best."""

    total: float
    bias: float
    language: float
    start: int
    """Frame of the first token of the word that is begun here."""
    token: int
    """That token."""


class _Partial(NamedTuple):
    total: float
    bias: float
    language: float
    start: int
    last: int
    """Frame of the word's latest token."""


class _Exit(NamedTuple):
    """A place behind a word, and the word's own times."""

    place: _Place
    start: int
    last: int


_WordArc = tuple[int, str, int, int, float, float, float]
"""Target, word, first and last frame, acoustic, bias and language score."""


def determinize(
    tokens: TokenLattice,
    text: Callable[[tuple[int, ...]], str],
    word_starts: Sequence[bool],
    *,
    frame_seconds: float,
    offset: float = 0.0,
    settings: DeterminizeSettings = DEFAULT_SETTINGS,
) -> Lattice:
    """Return the word lattice of ``tokens``.

    Args:
        tokens: what the search left.
        text: a word's tokens to its letters; empty for tokens that make no word.
        word_starts: for each token, whether a new word begins with it.
        frame_seconds: length of an encoder frame.
        offset: seconds of the stream at frame 0.
        settings: how much of it.

    Raises:
        LatticeError: no path ends.
    """
    backward = _backward(tokens)
    if backward[0] == -math.inf:
        raise LatticeError("the token lattice has no path that ends")
    frames = max((arc.frame for arcs in tokens.arcs for arc in arcs), default=0)
    limit = settings.max_arcs * max(1.0, frames / FRAMES)
    beam = settings.beam
    while True:
        work = _Determinizer(tokens, text, word_starts, backward, beam, settings)
        if work.run(limit) or not beam:
            return work.result(frame_seconds, offset)
        if settings.summed:
            settings = replace(settings, summed=False)
        else:
            beam = beam * NARROWER if beam > LEAST else 0.0


def _backward(tokens: TokenLattice) -> list[float]:
    """Return the score of the best path from each node to the end."""
    out = [-math.inf] * len(tokens.arcs)
    for node in range(len(out) - 1, -1, -1):
        final = tokens.final[node]
        best = -math.inf if final is None else sum(final)
        for arc in tokens.arcs[node]:
            best = max(best, arc.acoustic + arc.bias + arc.language + out[arc.target])
        out[node] = best
    return out


def _log_sum(values: Sequence[float]) -> float:
    if len(values) == 1:
        return values[0]
    highest = max(values)
    if highest == -math.inf:
        return highest
    return highest + math.log(sum(math.exp(value - highest) for value in values))


class _Determinizer:
    """The construction, breadth first in the order of the token lattice."""

    def __init__(
        self,
        tokens: TokenLattice,
        text: Callable[[tuple[int, ...]], str],
        word_starts: Sequence[bool],
        backward: list[float],
        beam: float,
        settings: DeterminizeSettings,
    ) -> None:
        self._tokens, self._text, self._word_starts = tokens, text, word_starts
        self._backward, self._beam, self._settings = backward, beam, settings
        self._threshold = backward[0] - beam - SLACK
        self._known: dict[object, int] = {}
        self._sets: list[dict[int, _Place]] = []
        self._forward: list[float] = []
        self._arcs: list[list[_WordArc]] = []
        self._final: list[_Place | None] = []
        self._waiting: list[tuple[int, int]] = []
        """Nodes to expand, by their first place."""
        self._order: list[int] = []
        self._steps, self._most_steps = 0, math.inf

    def run(self, limit: float) -> bool:
        """Build all; returns False if that is more than ``limit`` arcs. With a beam of 0 there is no limit."""
        built, self._most_steps = 0, STEPS * limit
        self._node({0: _Place(0.0, 0.0, 0.0, 0, 0)}, 0.0)
        while self._waiting:
            # arcs lead to later places: in the order of their first place, nodes are in topological order
            _, node = heapq.heappop(self._waiting)
            self._order.append(node)
            exits, self._final[node] = self._expand(node)
            for word, places in exits.items():
                self._follow(node, word, places)
            built += len(exits)
            if self._beam and (built > limit or self._steps > self._most_steps):
                return False
        return True

    def result(self, frame_seconds: float, offset: float) -> Lattice:
        """Return the lattice that was built."""
        number = {node: k for k, node in enumerate(self._order)}
        words: dict[str, int] = {}
        rows = sorted(
            (number[node], number[target], words.setdefault(word, len(words)), start, last, *scores)
            for node in self._order
            for target, word, start, last, *scores in self._arcs[node]
        )
        columns = list(zip(*rows, strict=True)) if rows else [()] * 8
        finals = [self._final[node] for node in self._order]
        return Lattice(
            words=tuple(words),
            source=np.asarray(columns[0], np.int32),
            target=np.asarray(columns[1], np.int32),
            word=np.asarray(columns[2], np.int32),
            start=np.asarray(columns[3], np.float32) * np.float32(frame_seconds),
            end=(np.asarray(columns[4], np.float32) + 1) * np.float32(frame_seconds),
            scores=np.asarray(columns[5:], np.float32).T.reshape(len(rows), 3),
            final=np.asarray(
                [
                    (-math.inf, 0.0, 0.0) if f is None else (f.total - f.bias - f.language, f.bias, f.language)
                    for f in finals
                ],
                np.float32,
            ),
            offset=offset,
        )

    def _node(self, places: dict[int, _Place], forward: float) -> int:
        key = self._key(places)
        node = self._known.get(key)
        if node is None:
            node = self._known[key] = len(self._sets)
            self._sets.append(places)
            self._forward.append(forward)
            self._arcs.append([])
            self._final.append(None)
            heapq.heappush(self._waiting, (min((n for n in places if n != END), default=sys.maxsize), node))
        elif forward > self._forward[node]:
            self._forward[node] = forward
        return node

    def _key(self, places: dict[int, _Place]) -> object:
        if len(places) == 1:  # it lies behind nothing
            return next(iter(places))
        return tuple(
            sorted(
                (n, round(p.total / EQUAL), round(p.bias / EQUAL), round(p.language / EQUAL)) for n, p in places.items()
            )
        )

    def _follow(self, node: int, word: str, exits: dict[int, _Exit]) -> None:
        """Add the arc of ``word`` from ``node``."""
        if not self._settings.summed:
            exits = self._undominated(exits)
        leading = max(exits.values(), key=lambda e: e.place.total)
        total = _log_sum([e.place.total for e in exits.values()]) if self._settings.summed else leading.place.total
        bias, language = leading.place.bias, leading.place.language
        places = {
            n: _Place(p.total - total, p.bias - bias, p.language - language, p.start, p.token)
            for n, (p, _, _) in exits.items()
        }
        target = self._node(places, self._forward[node] + total)
        self._arcs[node].append((target, word, leading.start, leading.last, total - bias - language, bias, language))

    def _undominated(self, exits: dict[int, _Exit]) -> dict[int, _Exit]:
        """Leave out places that are reached better through another one by blanks alone: the same future, later."""
        if len(exits) == 1:
            return exits
        last = max(exits)
        out = dict(exits)
        for node in sorted(exits):
            if node == END or node not in out:
                continue
            total, step = out[node].place.total, node
            while True:
                arc = next((arc for arc in self._tokens.arcs[step] if not arc.token), None)
                if arc is None or arc.target > last:
                    break
                total, step = total + arc.acoustic, arc.target
                other = out.get(step)
                if other is not None and other.place.total <= total + SLACK:
                    del out[step]
        return out

    def _expand(self, node: int) -> tuple[dict[str, dict[int, _Exit]], _Place | None]:
        """Return, for each word that may come next, where it leads to, and what ending here scores."""
        arcs, finals, backward = self._tokens.arcs, self._tokens.final, self._backward
        floor = self._threshold - self._forward[node]
        final: _Place | None = None
        exits: dict[str, dict[int, _Exit]] = {}
        partials: dict[int, dict[tuple[int, ...], _Partial]] = {}
        for place, value in self._sets[node].items():
            if place == END:
                final = value
                continue
            begun = (value.token,) if value.token else ()
            partials[place] = {begun: _Partial(value.total, value.bias, value.language, value.start, value.start)}
        queue = list(partials)
        heapq.heapify(queue)
        while queue and (self._steps <= self._most_steps or not self._beam):
            place = heapq.heappop(queue)
            leaving, ending = arcs[place], finals[place]
            for prefix, partial in partials.pop(place).items():
                if ending is not None:
                    total = partial.total + sum(ending)
                    if total >= floor:
                        end = _Place(total, partial.bias + ending[1], partial.language + ending[2], 0, 0)
                        word = self._text(prefix) if prefix else ""
                        if word:
                            self._add(exits, word, END, _Exit(end, partial.start, partial.last))
                        else:
                            final = end if final is None else self._merge(final, end)
                for arc in leaving:
                    total = partial.total + arc.acoustic + arc.bias + arc.language
                    if total + backward[arc.target] < floor:
                        continue
                    self._step(exits, partials, queue, prefix, partial, arc, total)
        return exits, final

    def _step(
        self,
        exits: dict[str, dict[int, _Exit]],
        partials: dict[int, dict[tuple[int, ...], _Partial]],
        queue: list[int],
        prefix: tuple[int, ...],
        partial: _Partial,
        arc: TokenArc,
        total: float,
    ) -> None:
        """Go along one arc of the token lattice."""
        self._steps += 1
        bias, language = partial.bias + arc.bias, partial.language + arc.language
        start, last = partial.start, partial.last
        if arc.token:
            if prefix and self._word_starts[arc.token]:
                word = self._text(prefix)
                if word:
                    self._add(
                        exits, word, arc.target, _Exit(_Place(total, bias, language, arc.frame, arc.token), start, last)
                    )
                    return
                prefix = ()
            if not prefix:
                start = arc.frame
            prefix, last = (*prefix, arc.token), arc.frame
        row = partials.get(arc.target)
        if row is None:
            row = partials[arc.target] = {}
            heapq.heappush(queue, arc.target)
        entry = _Partial(total, bias, language, start, last)
        known = row.get(prefix)
        if known is None:
            row[prefix] = entry
        else:
            better = entry if entry.total > known.total else known
            row[prefix] = (
                better._replace(total=_log_sum((entry.total, known.total))) if self._settings.summed else better
            )

    def _add(self, exits: dict[str, dict[int, _Exit]], word: str, place: int, entry: _Exit) -> None:
        row = exits.setdefault(word, {})
        known = row.get(place)
        if known is None:
            row[place] = entry
            return
        better = entry if entry.place.total > known.place.total else known
        row[place] = better._replace(place=self._merge(entry.place, known.place))

    def _merge(self, one: _Place, other: _Place) -> _Place:
        better = one if one.total > other.total else other
        return better._replace(total=_log_sum((one.total, other.total))) if self._settings.summed else better
