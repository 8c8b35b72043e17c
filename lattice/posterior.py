"""How probable paths, arcs and words are: forward and backward in the log semiring."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .lattice import Lattice

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.signedinteger[Any]]
MAX_CELLS = 500_000
"""Words times arcs that are compared at one time; a bound on memory."""


def total(lattice: Lattice, scale: float = 1.0) -> float:
    """Return the log-sum of the totals of all paths, each times ``scale``."""
    return _to_end(lattice.source, lattice.target, lattice.totals, lattice.final_totals, scale)[0]


def posteriors(lattice: Lattice, scale: float = 1.0) -> Doubles:
    """Return the probability that a path goes through each arc, [arcs].

    Paths are as probable as the exponential of ``scale`` times their total; 1 / ``scale`` is a temperature. The
    probabilities over any cut through the lattice, ends that lie before it included, sum to one.
    """
    return arc_posteriors(lattice.source, lattice.target, lattice.totals, lattice.final_totals, scale)


def arc_posteriors(
    source: Numbers, target: Numbers, totals: Doubles, final_totals: Doubles, scale: float = 1.0
) -> Doubles:
    """Return the same of the arrays of a lattice, for those who have them without a lattice."""
    to_end = np.array(_to_end(source, target, totals, final_totals, scale))
    onward = np.exp(scale * totals + to_end[target] - to_end[source])
    visits = [0.0] * len(to_end)
    visits[0] = 1.0
    through = []
    # the forward pass runs on probabilities: what is too small for them does not matter to any sum
    for leaves, enters, share in zip(source.tolist(), target.tolist(), onward.tolist(), strict=True):
        probability = visits[leaves] * share
        through.append(probability)
        visits[enters] += probability
    return np.array(through, np.float64)


def word_confidences(
    lattice: Lattice, path: Sequence[int] | None = None, probabilities: Doubles | None = None
) -> Doubles:
    """Return how sure each word of a path is: the probability that this word was said at about this time.

    That is the sum of the posteriors of all arcs with the same word that overlap in time (Wessel et al. 2001,
    "Confidence measures for large vocabulary continuous speech recognition"), at most 1. Other paths that place the
    same word a little earlier or later so speak for it, not against it.

    Args:
        lattice: where the path lies.
        path: arcs; the best path unless given.
        probabilities: what ``posteriors`` returned, to choose a scale or to save the time.
    """
    if probabilities is None:
        probabilities = posteriors(lattice)
    chosen = np.array(lattice.best_path() if path is None else path, np.intp)
    return arc_confidences(lattice.word, lattice.start, lattice.end, chosen, probabilities)


def arc_confidences(
    word: Numbers, start: Floats, end: Floats, chosen: npt.NDArray[np.intp], probabilities: Doubles
) -> Doubles:
    """Return the same of the arrays of a lattice, for the arcs that are chosen."""
    confidences = np.zeros(len(chosen))
    step = max(1, MAX_CELLS // max(1, len(word)))
    for first in range(0, len(chosen), step):
        some = chosen[first : first + step]
        overlap = (start < end[some, None]) & (end > start[some, None])
        overlap[np.arange(len(some)), some] = True  # a word without length too
        overlap &= word[some, None] == word
        confidences[first : first + step] = np.where(overlap, probabilities, 0.0).sum(1)
    return np.minimum(confidences, 1.0)


def _to_end(source: Numbers, target: Numbers, totals: Doubles, final_totals: Doubles, scale: float) -> list[float]:
    """Return the log-sum over all ways from each node to an end, [nodes]."""
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale is {scale}; expected a number above 0")
    sums: list[float] = (scale * final_totals).tolist()
    first, targets = source.searchsorted(np.arange(len(sums) + 1)).tolist(), target.tolist()
    weights: list[float] = (scale * totals).tolist()
    exp, log, nothing = math.exp, math.log, -math.inf
    # plain floats: the loop is sequential, and most nodes have a few arcs only
    for node in range(len(sums) - 1, -1, -1):
        ways = [weights[arc] + sums[targets[arc]] for arc in range(first[node], first[node + 1])]
        if sums[node] > nothing:
            ways.append(sums[node])
        highest = max(ways)
        sums[node] = highest + log(sum([exp(way - highest) for way in ways])) if len(ways) > 1 else highest
    return sums
