"""Smaller lattices: what is least probable goes, the best path always stays."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .errors import LatticeError
from .lattice import ACOUSTIC, Lattice
from .viterbi import losses

Mask = npt.NDArray[np.bool_]
ROUNDING = 1e-9
"""Losses closer than this (natural logarithm) are one: the arcs of a path come and go together."""
FRAME_SECONDS = 0.01
"""Step in which ``limit_depth`` looks at time."""


def prune(lattice: Lattice, beam: float) -> Lattice:
    """Return the arcs and ends whose best path is within ``beam`` (natural logarithm) of the best path.

    What is left is trimmed; scores and totals of the paths that stay do not change.

    Raises:
        ValueError: ``beam`` is negative or not a number.
    """
    if not beam >= 0:
        raise ValueError(f"beam is {beam}; expected 0 or more")
    lost = losses(lattice)
    return subset(lattice, lost.arcs <= beam + ROUNDING, lost.ends <= beam + ROUNDING)


def limit_arcs(lattice: Lattice, max_arcs: int) -> Lattice:
    """Return the lattice with the widest beam that leaves at most ``max_arcs``, or the best path if even that is more.

    Raises:
        ValueError: ``max_arcs`` is negative.
    """
    if max_arcs < 0:
        raise ValueError(f"max_arcs is {max_arcs}; expected 0 or more")
    return _widest(lattice, lambda pruned: pruned.num_arcs, max_arcs)


def to_budget(lattice: Lattice, max_bytes: int) -> Lattice:
    """Return the lattice with the widest beam that ``encode`` writes in at most ``max_bytes``.

    The best path stays even where it alone takes more. Where something has to go, nodes with equal futures are merged
    as well (see ``minimize``), within what ``encode`` rounds scores and times to.

    Raises:
        ValueError: ``max_bytes`` is negative.
    """
    from .formats.binary import encode  # noqa: PLC0415 (needed here only)
    from .formats.rounding import STEPS, TICKS  # noqa: PLC0415
    from .minimize import minimize  # noqa: PLC0415 (it needs this module)

    if max_bytes < 0:
        raise ValueError(f"max_bytes is {max_bytes}; expected 0 or more")
    return _widest(
        lattice, lambda pruned: len(encode(pruned)), max_bytes, lambda pruned: minimize(pruned, 1 / STEPS, 1 / TICKS)
    )


def limit_depth(lattice: Lattice, depth: int) -> Lattice:
    """Return the lattice with at most ``depth`` arcs at any time, the best ones there; at least the best path.

    Arcs are taken from the best to the worst; one that finds a time at which there are ``depth`` already is dropped.

    Raises:
        ValueError: ``depth`` is below 1.
    """
    if depth < 1:
        raise ValueError(f"depth is {depth}; expected at least 1")
    begin = np.floor(lattice.start / FRAME_SECONDS + 0.5).astype(np.int64)
    finish = np.maximum(np.floor(lattice.end / FRAME_SECONDS + 0.5).astype(np.int64), begin + 1)
    marks, place = np.unique(np.concatenate([begin, finish]), return_inverse=True)
    first, last = place[: lattice.num_arcs].tolist(), place[lattice.num_arcs :].tolist()
    taken = np.zeros(len(marks), np.int64)  # arcs between a mark and the next
    keep = np.zeros(lattice.num_arcs, bool)
    lost = losses(lattice)
    for arc in lattice.best_path():
        keep[arc] = True
        taken[first[arc] : last[arc]] += 1
    for arc in np.argsort(lost.arcs, kind="stable").tolist():
        span = taken[first[arc] : last[arc]]
        if not keep[arc] and span.max() < depth:
            keep[arc] = True
            span += 1
    return subset(lattice, keep, lost.ends < np.inf)


def _widest(
    lattice: Lattice,
    size_of: Callable[[Lattice], int],
    limit: int,
    shrink: Callable[[Lattice], Lattice] = lambda pruned: pruned,
) -> Lattice:
    """Return the lattice with the widest beam whose size, once shrunk, is within the limit, or else its best path."""
    whole = size_of(lattice)
    if whole <= limit:
        return lattice
    shrunk = shrink(lattice)
    if shrunk is not lattice and size_of(shrunk) <= limit:
        return shrunk
    lost = losses(lattice)
    steps = np.concatenate([lost.arcs, lost.ends])
    beams = np.unique(np.round(steps[np.isfinite(steps)] / ROUNDING) * ROUNDING)
    arcs = np.searchsorted(np.sort(lost.arcs), beams + ROUNDING, "right")
    low, high = 0, len(beams) - 1  # the lowest is taken unseen, the highest does not fit
    small, large = (0, 0), (lattice.num_arcs, whole)
    chosen, guess = None, True
    while high - low > 1:
        middle = (low + high) // 2
        if guess:  # size is nearly linear in arcs; every other time the middle, in case it is not
            share = (limit - small[1]) / max(large[1] - small[1], 1)
            expected = small[0] + share * (large[0] - small[0])
            middle = min(max(int(np.searchsorted(arcs, expected, "right")) - 1, low + 1), high - 1)
        guess = not guess
        pruned = shrink(subset(lattice, lost.arcs <= beams[middle] + ROUNDING, lost.ends <= beams[middle] + ROUNDING))
        size = size_of(pruned)
        if size <= limit:
            low, small, chosen = middle, (int(arcs[middle]), size), pruned
        else:
            high, large = middle, (int(arcs[middle]), size)
    if chosen is not None:
        return chosen
    pruned = prune(lattice, 0.0)  # paths that tie with the best one are in it
    return pruned if size_of(pruned) <= limit else best_only(lattice)


def best_only(lattice: Lattice) -> Lattice:
    """Return the best path as a lattice."""
    arcs = lattice.best_path()
    keep = np.zeros(lattice.num_arcs, bool)
    keep[arcs] = True
    ends = np.zeros(lattice.num_nodes, bool)
    ends[lattice.target[arcs[-1]] if arcs else 0] = True
    return subset(lattice, keep, ends)


def subset(lattice: Lattice, keep: Mask, ends: Mask) -> Lattice:
    """Return a lattice of some arcs and ends, trimmed: what no path from start to end uses goes as well.

    Args:
        lattice: what to choose from.
        keep: [arcs] Arcs to keep.
        ends: [nodes] Nodes to end in, as far as paths of the lattice end there.

    Raises:
        LatticeError: no path is left.
    """
    final = lattice.final
    gone = ~ends & (final[:, ACOUSTIC] > -math.inf)
    if gone.any():
        final = final.copy()
        final[gone] = (-math.inf, 0, 0)
    elif keep.all():
        return lattice
    return trim(
        lattice.words, lattice.source[keep], lattice.target[keep], lattice.word[keep], lattice.start[keep],
        lattice.end[keep], lattice.scores[keep], final, lattice.offset,
    )  # fmt: skip


def trim(
    words: tuple[str, ...],
    source: npt.NDArray[np.int32],
    target: npt.NDArray[np.int32],
    word: npt.NDArray[np.int32],
    start: npt.NDArray[np.float32],
    end: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    final: npt.NDArray[np.float32],
    offset: float = 0.0,
) -> Lattice:
    """Return a lattice without nodes, arcs and words that no path from start to end uses.

    Takes what ``Lattice`` takes, nodes in topological order, arcs in any. Nodes and words keep their order.

    Raises:
        LatticeError: no path leads to an end, or the arrays do not fit together.
    """
    order = np.lexsort((word, target, source))
    sources, targets = source[order].tolist(), target[order].tolist()
    reached = [False] * len(final)
    reached[0] = True
    for one, other in zip(sources, targets, strict=True):
        if reached[one]:
            reached[other] = True
    useful = (final[:, ACOUSTIC] > -math.inf).tolist()
    for one, other in zip(reversed(sources), reversed(targets), strict=True):
        if useful[other]:
            useful[one] = True
    nodes = np.array(reached) & np.array(useful)
    if not nodes[0]:
        raise LatticeError("no path leads from the start to an end")
    order = order[nodes[source[order]] & nodes[target[order]]]
    number = np.cumsum(nodes, dtype=np.int32) - 1
    used = np.unique(word[order])
    return Lattice(
        tuple(words[index] for index in used), number[source[order]], number[target[order]],
        np.searchsorted(used, word[order]).astype(np.int32), start[order], end[order], scores[order], final[nodes],
        offset,
    )  # fmt: skip
