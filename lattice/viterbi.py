"""Best scores through nodes, arcs and ends of a lattice (the max-plus semiring)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .lattice import Lattice

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Losses:
    """By how much the best path falls behind the best of all where it has to go somewhere; 0 on the best path."""

    best: float
    """Total of the best path (natural logarithm)."""
    arcs: Doubles
    """[arcs] Loss of the best path through an arc, never below 0."""
    ends: Doubles
    """[nodes] Loss of the best path that ends in a node; infinite where none does."""


def best_to_end(lattice: Lattice) -> list[float]:
    """Return the total of the best way from each node to an end, [nodes]."""
    best: list[float] = lattice.final_totals.tolist()
    sources, targets, totals = lattice.source.tolist(), lattice.target.tolist(), lattice.totals.tolist()
    for arc in range(len(sources) - 1, -1, -1):  # sources never decrease, so targets are settled
        total = totals[arc] + best[targets[arc]]
        best[sources[arc]] = max(best[sources[arc]], total)
    return best


def losses(lattice: Lattice) -> Losses:
    """Return how far behind the best path each arc and each end is.

    What an arc loses against the best way on from its source is never negative and exactly 0 for the best; the losses
    of a path add up. So one pass backward and one forward suffice, and rounding cannot put the best path behind.
    """
    best = best_to_end(lattice)
    to_end = np.array(best)
    step = to_end[lattice.source] - (lattice.totals + to_end[lattice.target])
    reach = [np.inf] * lattice.num_nodes
    reach[0] = 0.0
    through = []
    for source, target, loss in zip(lattice.source.tolist(), lattice.target.tolist(), step.tolist(), strict=True):
        behind = reach[source] + loss
        through.append(behind)
        reach[target] = min(reach[target], behind)
    return Losses(best[0], np.array(through), np.array(reach) + (to_end - lattice.final_totals))
