"""Fewer nodes and arcs for the same paths: nodes from which the same goes on, for the same scores, become one.

Minimisation of acyclic deterministic automata with weights (Mohri 2000, "Minimization algorithms for sequential
transducers"): with all scores pushed towards the start, what follows a node does not depend on what lies before it,
and one pass from the last node to the first finds the nodes with equal futures.
"""

import math

import numpy as np
import numpy.typing as npt

from .lattice import ACOUSTIC, Lattice
from .prune import trim
from .viterbi import best_to_end, losses

Doubles = npt.NDArray[np.float64]
TOLERANCE = 1e-3
"""Scores closer than this (natural logarithm) may become one."""


def minimize(lattice: Lattice, tolerance: float = TOLERANCE, seconds: float = 1e-3) -> Lattice:
    """Return a lattice with the same word sequences and totals, and the fewest nodes.

    Where nodes become one, the scores and times of the most probable stay, so the best path does not change. The total
    of another path, and each of its three scores, changes by less than ``tolerance`` per word.

    Args:
        lattice: where it is not deterministic, there may be more nodes than needed.
        tolerance: by how much scores (natural logarithm) of what becomes one may differ.
        seconds: by how much times of what becomes one may differ.

    Raises:
        ValueError: ``tolerance`` or ``seconds`` is not above 0.
    """
    for name, value in (("tolerance", tolerance), ("seconds", seconds)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} is {value}; expected a number above 0")
    onward = _onward(lattice)
    merged = _merged(lattice, onward, tolerance, seconds)
    if len(set(merged)) == lattice.num_nodes:
        return lattice
    kept = _most_probable(lattice, merged)
    stays = np.isin(lattice.source, list(kept.values()))
    into = lattice.target[stays]
    # what comes after a node that goes may lie a little apart from what comes after the one that stays
    shift = onward[into] - onward[[kept[merged[node]] for node in into.tolist()]]
    place = {last: number for number, last in enumerate(sorted(kept))}
    return trim(
        lattice.words,
        np.array([place[merged[node]] for node in lattice.source[stays].tolist()], np.int32),
        np.array([place[merged[node]] for node in into.tolist()], np.int32),
        lattice.word[stays], lattice.start[stays], lattice.end[stays],
        (lattice.scores[stays] + shift).astype(np.float32),
        lattice.final[[kept[last] for last in sorted(kept)]], lattice.offset,
    )  # fmt: skip


def _onward(lattice: Lattice) -> Doubles:
    """Return the three scores of the best way from each node to an end, [nodes, 3]."""
    best, totals = best_to_end(lattice), lattice.totals.tolist()
    onward = lattice.final.astype(np.float64)
    finals, first, targets = lattice.final_totals.tolist(), lattice.first_arc.tolist(), lattice.target.tolist()
    for node in range(lattice.num_nodes - 1, -1, -1):
        if finals[node] < best[node]:
            arc = max(range(first[node], first[node + 1]), key=lambda arc: totals[arc] + best[targets[arc]])
            onward[node] = lattice.scores[arc] + onward[targets[arc]]
    return onward


def _merged(lattice: Lattice, onward: Doubles, tolerance: float, seconds: float) -> list[int]:
    """Return for each node the last one that has the same future, [nodes]."""
    pushed = lattice.scores + onward[lattice.target] - onward[lattice.source]
    ending = np.where(np.isfinite(lattice.final), lattice.final - onward, -math.inf)
    rows = np.round(pushed / tolerance).astype(np.int64).tolist()
    starts, ends = (np.round(times / seconds).astype(np.int64).tolist() for times in (lattice.start, lattice.end))
    first, targets, words = lattice.first_arc.tolist(), lattice.target.tolist(), lattice.word.tolist()
    merged = [0] * lattice.num_nodes
    known: dict[object, int] = {}
    for node in range(lattice.num_nodes - 1, -1, -1):  # targets come later than sources, so they are settled
        leaving = [
            (words[arc], merged[targets[arc]], starts[arc], ends[arc], *rows[arc])
            for arc in range(first[node], first[node + 1])
        ]
        leaving.sort()
        is_end = ending[node, ACOUSTIC] > -math.inf
        stop = tuple(np.round(ending[node] / tolerance).tolist()) if is_end else None
        merged[node] = known.setdefault((stop, *leaving), node)
    return merged


def _most_probable(lattice: Lattice, merged: list[int]) -> dict[int, int]:
    """Return for each set of nodes that become one, named by the last of them, the one that stays."""
    lost = losses(lattice)
    behind = lost.ends.copy()
    np.minimum.at(behind, lattice.source, lost.arcs)
    kept: dict[int, int] = {}
    for node, last in enumerate(merged):
        if last not in kept or behind[node] < behind[kept[last]]:
            kept[last] = node
    return kept
