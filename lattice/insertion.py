"""Words that the search did not find, put into a lattice where the phones that were heard are theirs.

Such words have no scores of the transducer or of the language model: they get those of the words whose place they
take, on the best path or one of the next best. What decides is how much better the phones fit than on the best path,
what speaks for the new words beforehand, and how sure the search was of the old ones. Measured against any other words
of the lattice nearly everything would win.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .alignment import NEVER, Alignment, Chains, Floats, Phones
from .lattice import ACOUSTIC, LANGUAGE, Lattice
from .prune import subset, trim

EVIDENCE = 0.5
"""How much the phones count that fit better, or worse, with the new words: neighbouring frames say the same."""
CAUTION = 0.5
"""How much the log-odds of the words whose place is taken count, of each that the search was rather sure of."""
LESS = 0.5
"""By so much at least words come after those that the phones fit as well and that the search did not doubt."""
DOUBTED = 0.5
"""Words that are less probable are more likely wrong than right."""
SUREST = 0.98
"""No word is surer than this."""
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
    scores: Sequence[Sequence[float]]
    """What speaks for them beforehand where they begin before each word of each path, and at its end, [words + 1]
    (natural log-probability): -inf if they may not."""


@dataclass(frozen=True)
class AlignedPath:
    """A path of a lattice, laid along the phones by itself."""

    arcs: tuple[int, ...]
    """Of the lattice."""
    words: tuple[str, ...]
    alignment: Alignment
    """Its nodes are those of the path, from the first to the last."""
    confidences: tuple[float, ...]
    """How probable it is that each word is right, 0 to 1."""


class _Place(NamedTuple):
    """What a place of words adds to a path, the words of the path that they stand for, and their scores."""

    gain: float
    begin: int
    end: int
    scores: tuple[float, float, float]


def path_alone(lattice: Lattice, path: Sequence[int]) -> Lattice:
    """Return a lattice of one path of a lattice."""
    keep, ends = np.zeros(lattice.num_arcs, bool), np.zeros(lattice.num_nodes, bool)
    keep[list(path)] = True
    ends[lattice.target[path[-1]]] = True
    return subset(lattice, keep, ends)


def insert(lattice: Lattice, paths: Sequence[AlignedPath], weight: float, found: Sequence[Insertion]) -> Lattice:
    """Return a lattice with words put in, each at the one place where it is worth most; where none fits, not at all.

    Words that the best path has where they were heard are not put in again. Words of it that the phones fit at least as
    well stay before all that are put in their place, unless the search itself doubted one of them.

    Args:
        lattice: with at least one arc; alignments times ``weight`` are in its acoustic scores.
        paths: its best path, and others in whose words the new ones may stand.
        weight: of phones in acoustic scores.
        found: what to put in.
    """
    usual = float(paths[0].alignment.forward[-1, -1])
    totals = [float(lattice.totals[list(path.arcs)].sum()) for path in paths]
    chosen = []
    for one in found:
        if _is_there(paths[0], one):
            continue
        places = [
            (place.gain + total - totals[0], number, place)
            for number, (path, total) in enumerate(zip(paths, totals, strict=True))
            if (place := _best_place(lattice, path, one, one.scores[number], weight, usual)) is not None
        ]
        if places:
            _, number, place = max(places)
            nodes = [0, *lattice.target[list(paths[number].arcs)].tolist()]
            chosen.append((one, nodes[place.begin], nodes[place.end], place.scores))
    return _with_words(lattice, chosen)


def _is_there(best: AlignedPath, one: Insertion) -> bool:
    times, count = best.alignment.times.tolist(), len(one.words)
    said = [word.lower() for word in best.words]
    return any(
        tuple(said[place : place + count]) == one.words
        and times[place] - EARLY <= one.end <= times[place + count] + LATE
        for place in range(len(said) - count + 1)
    )


def _best_place(
    lattice: Lattice, path: AlignedPath, one: Insertion, priors: Sequence[float], weight: float, usual: float
) -> _Place | None:
    """Return where on a path words are worth most; ``usual`` is how well the phones fit the best path."""
    times, arcs = path.alignment.times.tolist(), list(path.arcs)
    own = float(path.alignment.forward[-1, -1])
    through = _through(path.alignment, one)
    odds = [math.log(sure / (1 - sure)) for sure in np.clip(path.confidences, DOUBTED, SUREST).tolist()]
    places = []
    for begin, prior in enumerate(priors):
        for end in range(begin, len(times)) if prior > -math.inf else ():
            near = end == begin or one.end - EARLY <= times[end] <= one.end + LATE
            fits = float(through[begin, end])
            if not near or fits < NEVER / 2:
                continue
            agreed = fits <= usual and all(sure >= DOUBTED for sure in path.confidences[begin:end])
            heard = EVIDENCE * (fits - usual) - weight * (own - usual)
            gain = (min(prior, -LESS) if agreed else prior) + heard - CAUTION * sum(odds[begin:end])
            place = lattice.scores[arcs[begin:end]].sum(0)
            acoustic = float(place[ACOUSTIC]) + weight * (fits - own)
            scores = (acoustic, gain - weight * (fits - own), float(place[LANGUAGE]))
            places.append(_Place(gain, begin, end, scores))
    return max(places, default=None)


def _through(alignment: Alignment, one: Insertion) -> Floats:
    """Return the best alignment from each node of a path through new phones to each other, [nodes, nodes]."""
    phones = [phone for word in one.phones for phone in word]
    nodes = len(alignment.times)
    first = max(0, one.end - LONGEST_PHONE * len(phones) - LONGEST_PAUSE)
    chains = Chains([phones] * nodes)
    rows = alignment.emissions[first : one.end + LATE, chains.labels]
    out = np.full((nodes, nodes), NEVER)
    for frame, row in enumerate(rows, first):
        ends = chains.step(row, alignment.forward[frame])
        np.maximum(out, ends[:, None] + alignment.backward[frame + 1], out=out)
    return out


def _with_words(lattice: Lattice, chosen: Sequence[tuple[Insertion, int, int, tuple[float, float, float]]]) -> Lattice:
    """Return a lattice with words between nodes: each with source, target and scores.

    Where source and target are one, it is split: a copy is the target.
    """
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

    for one, source, target, scores in chosen:
        leaving = lattice.start[lattice.source == source]
        start = float(leaving.min() if len(leaving) else lattice.end[lattice.target == source].max())
        count = sum(map(len, one.phones))
        end = start + SECONDS_PER_PHONE * count
        if target != source:
            end = max(start, float(lattice.end[lattice.target == target].max()))
        here, said = source, 0
        for word, phones in zip(one.words, one.phones, strict=True):
            begin, said = start + (end - start) * said / count, said + len(phones)
            there = target if said == count else node(source)
            if there == source:
                there = node(source)
                final[there] = final[source]
                copied.append((source, there))
            share = len(phones) / count
            part = (scores[0] * share, scores[1] * share, scores[2] * share)
            index = number.setdefault(word, len(number))
            rows.append((here, there, index, begin, start + (end - start) * said / count, part))
            here = there
    for node_of, copy in copied:
        rows += [
            (copy, int(lattice.target[arc]), int(lattice.word[arc]), float(lattice.start[arc]), float(lattice.end[arc]),
             tuple(lattice.scores[arc].tolist()))
            for arc in range(lattice.first_arc[node_of], lattice.first_arc[node_of + 1])
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
