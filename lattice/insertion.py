"""Words that the search did not find, put into a lattice where the phones that were heard are theirs.

Such a word has no score of the transducer or of the language model: it gets those of the words whose place it takes,
so that the phones and what speaks for it beforehand decide.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .alignment import NEVER, Alignment, Chains, Floats, Phones
from .lattice import ACOUSTIC, LANGUAGE, Lattice
from .prune import trim
from .viterbi import best_to_end

EARLY, LATE = 8, 8
"""Frames of the phone model by which a node may lie before and after the end of what is put in before it."""
LONGEST_PHONE, LONGEST_PAUSE = 5, 10
"""Frames that a phone lasts on average at most, and that pauses take beside that."""
SECONDS_PER_PHONE = 0.07
"""For the times of words that are put in where there were none."""


@dataclass(frozen=True)
class Insertion:
    """Words that may have been said."""

    words: tuple[str, ...]
    phones: tuple[Phones, ...]
    """Of each word, at least one."""
    end: int
    """Frame of the phone model after the last phone, roughly."""
    scores: Sequence[float]
    """What speaks for them beforehand where they begin at a node, [nodes] (natural log-probability): -inf if they may
    not."""


class _Way(NamedTuple):
    """What leads from one node to another: the sum of its scores, each of them, and of its phones."""

    total: float
    acoustic: float
    language: float
    phones: float


class _Place(NamedTuple):
    """Between which nodes words go in, the best path that then goes through them, and their scores."""

    best: float
    source: int
    target: int
    scores: tuple[float, float, float]


def insert(lattice: Lattice, alignment: Alignment, weight: float, found: Sequence[Insertion]) -> Lattice:
    """Return a lattice with words put in, each at the one place where it scores best; where none fits, not at all.

    Args:
        lattice: with at least one arc; ``alignment`` times ``weight`` is in its acoustic scores.
        alignment: of this lattice.
        weight: of phones in acoustic scores.
        found: what to put in.
    """
    ways = _Ways(lattice, alignment, weight)
    places = [(one, ways.best_place(one)) for one in found]
    return _with_words(lattice, [(one, place) for one, place in places if place is not None])


class _Ways:
    """What words may take the place of."""

    def __init__(self, lattice: Lattice, alignment: Alignment, weight: float) -> None:
        self._lattice, self._alignment, self._weight = lattice, alignment, weight
        self._before, self._after = alignment.before, alignment.after
        self._to_end = best_to_end(lattice)
        arcs = zip(
            lattice.source.tolist(), lattice.target.tolist(), lattice.totals.tolist(),
            lattice.scores[:, ACOUSTIC].tolist(), lattice.scores[:, LANGUAGE].tolist(), alignment.arcs.tolist(),
            strict=True,
        )  # fmt: skip
        self._arcs = [(source, target, _Way(*scores)) for source, target, *scores in arcs]
        self._from_start = self._from(0)

    def _from(self, source: int) -> dict[int, _Way]:
        """Return the best way from a node to each that it leads to, itself included."""
        best = {source: _Way(0.0, 0.0, 0.0, 0.0)}
        for place in range(int(self._lattice.first_arc[source]), len(self._arcs)):
            node, target, arc = self._arcs[place]
            if node in best:
                way = _Way(*map(sum, zip(best[node], arc, strict=True)))
                if target not in best or way.total > best[target].total:
                    best[target] = way
        return best

    def best_place(self, one: Insertion) -> _Place | None:
        """Return where words fit best, None if they fit nowhere."""
        times = self._alignment.times
        phones = [phone for word in one.phones for phone in word]
        longest = LONGEST_PHONE * len(phones) + LONGEST_PAUSE
        sources = np.flatnonzero(
            (times >= one.end - longest) & (times <= one.end + LATE) & (np.asarray(one.scores) > -math.inf)
        )
        near = (times >= one.end - EARLY) & (times <= one.end + LATE)
        if not len(sources):
            return None
        through = self._through(phones, sources, max(0, one.end - longest), one.end + LATE)
        places = []
        for row, source in enumerate(sources.tolist()):
            for target, way in self._from(source).items():
                said = float(through[row, target]) - float(self._before[source] + self._after[target])
                if said < NEVER / 2 or not (near[target] or target == source):
                    continue
                acoustic = way.acoustic + self._weight * (said - way.phones)
                bias = one.scores[source] + said - way.phones
                best = self._from_start[source].total + acoustic + bias + way.language + self._to_end[target]
                places.append(_Place(best, source, target, (acoustic, bias, way.language)))
        return max(places, default=None)

    def _through(self, phones: Sequence[int], sources: npt.NDArray[np.int64], first: int, last: int) -> Floats:
        """Return the best alignment from each source through the phones to each node, [sources, nodes]."""
        alignment = self._alignment
        chains = Chains([phones] * len(sources))
        rows = alignment.emissions[first:last, chains.labels]
        out = np.full((len(sources), self._lattice.num_nodes), NEVER)
        for frame, row in enumerate(rows, first):
            ends = chains.step(row, alignment.forward[frame, sources])
            np.maximum(out, ends[:, None] + alignment.backward[frame + 1], out=out)
        return out


def _with_words(lattice: Lattice, chosen: Sequence[tuple[Insertion, _Place]]) -> Lattice:
    """Return a lattice with words between nodes. Where source and target are one, it is split: a copy is the target."""
    if not chosen:
        return lattice
    number = {word: place for place, word in enumerate(lattice.words)}
    order = list(map(float, range(lattice.num_nodes)))
    final = list(lattice.final)
    rows: list[tuple[int, int, int, float, float, tuple[float, float, float]]] = []
    copied: list[tuple[int, int]] = []

    def node(after: int) -> int:
        """Make a node that comes after another and before the next."""
        order.append(after + 1 - 1 / (len(order) + 2))
        final.append(np.asarray((-math.inf, 0, 0), np.float32))
        return len(order) - 1

    for one, place in chosen:
        leaving = lattice.start[lattice.source == place.source]
        start = float(leaving.min() if len(leaving) else lattice.end[lattice.target == place.source].max())
        count = sum(map(len, one.phones))
        end = start + SECONDS_PER_PHONE * count
        if place.target != place.source:
            end = max(start, float(lattice.end[lattice.target == place.target].max()))
        here, said = place.source, 0
        for word, phones in zip(one.words, one.phones, strict=True):
            begin, said = start + (end - start) * said / count, said + len(phones)
            there = place.target if said == count else node(place.source)
            if there == place.source:
                there = node(place.source)
                final[there] = final[place.source]
                copied.append((place.source, there))
            share = len(phones) / count
            scores = (place.scores[0] * share, place.scores[1] * share, place.scores[2] * share)
            index = number.setdefault(word, len(number))
            rows.append((here, there, index, begin, start + (end - start) * said / count, scores))
            here = there
    for source, copy in copied:
        rows += [
            (copy, int(lattice.target[arc]), int(lattice.word[arc]), float(lattice.start[arc]), float(lattice.end[arc]),
             tuple(lattice.scores[arc].tolist()))
            for arc in range(lattice.first_arc[source], lattice.first_arc[source + 1])
        ]  # fmt: skip
    sources, targets, said_words, begins, ends, scored = zip(*rows, strict=True)
    place_of = np.empty(len(order), np.int32)
    place_of[np.argsort(order, kind="stable")] = np.arange(len(order))
    return trim(
        tuple(number), place_of[np.append(lattice.source, sources)], place_of[np.append(lattice.target, targets)],
        np.append(lattice.word, said_words).astype(np.int32), np.append(lattice.start, begins).astype(np.float32),
        np.append(lattice.end, ends).astype(np.float32), np.append(lattice.scores, scored, axis=0).astype(np.float32),
        np.asarray(final, np.float32)[np.argsort(order, kind="stable")], lattice.offset,
    )  # fmt: skip
