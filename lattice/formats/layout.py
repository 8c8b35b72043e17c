"""Where nodes and arcs of a drawn lattice go: along time, the best path in the middle, no two labels in one place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..lattice import Lattice

MARGIN = 19.0
"""Length of an arc on each side of its label, in which it bends."""
PIXELS_PER_SECOND = 60.0
LONGEST_PAUSE = 150.0
"""Longer pauses are drawn this wide."""


@dataclass(frozen=True)
class Layout:
    """Places of a drawing in pixels; rows count from the best path, upwards below 0."""

    x: list[float]
    """[nodes] Distance from the left edge."""
    node_row: list[int]
    """[nodes] Row of a node."""
    arc_row: list[int]
    """[arcs] Row in which an arc has its label."""


def lay_out(lattice: Lattice, widths: Sequence[float], probabilities: npt.NDArray[np.float64]) -> Layout:
    """Return where everything goes.

    The best path is a straight line. The most probable arc that is left, with the best way to it and on from it as
    far as these are not placed yet, takes the nearest row that is free over its length; and so on.

    Args:
        lattice: what to draw.
        widths: [arcs] widths of the labels.
        probabilities: [arcs] posteriors.
    """
    sources, targets = lattice.source.tolist(), lattice.target.tolist()
    x = _columns(lattice, sources, targets, widths)
    entering: list[list[int]] = [[] for _ in x]
    leaving: list[list[int]] = [[] for _ in x]
    best_first = np.argsort(-probabilities, kind="stable").tolist()
    for arc in best_first:
        entering[targets[arc]].append(arc)
        leaving[sources[arc]].append(arc)
    node_row: list[int | None] = [None] * len(x)
    node_row[0] = 0
    arc_row: list[int | None] = [None] * lattice.num_arcs
    taken: dict[int, list[tuple[float, float]]] = {}
    best = lattice.best_path()
    for first in [*best[:1], *best_first]:
        if arc_row[first] is not None:
            continue
        chain = best if first in best else _chain(first, sources, targets, entering, leaving, node_row)
        left, right = sources[chain[0]], targets[chain[-1]]
        row = _free_row(
            taken, (x[left], x[right]), [row for row in (node_row[left], node_row[right]) if row is not None]
        )
        taken.setdefault(row, []).append((x[left], x[right]))
        for arc in chain:
            arc_row[arc] = row
            if node_row[targets[arc]] is None:
                node_row[targets[arc]] = row
    return Layout(x, [row or 0 for row in node_row], [row or 0 for row in arc_row])


def _columns(lattice: Lattice, sources: list[int], targets: list[int], widths: Sequence[float]) -> list[float]:
    """Return how far right each node is: every label finds room, and pauses are seen."""
    x = [0.0] * lattice.num_nodes
    times = [0.0] * lattice.num_nodes
    for source, target, width, end in zip(sources, targets, widths, lattice.end.tolist(), strict=True):
        pause = min(PIXELS_PER_SECOND * (end - times[source]), LONGEST_PAUSE) if source else 0.0
        x[target] = max(x[target], x[source] + max(width + 2 * MARGIN, pause))
        times[target] = max(times[target], end)
    return x


def _chain(
    first: int,
    sources: list[int],
    targets: list[int],
    entering: list[list[int]],
    leaving: list[list[int]],
    node_row: list[int | None],
) -> list[int]:
    chain = [first]
    while node_row[targets[chain[-1]]] is None and leaving[targets[chain[-1]]]:
        chain.append(leaving[targets[chain[-1]]][0])
    while node_row[sources[chain[0]]] is None:
        chain.insert(0, entering[sources[chain[0]]][0])
    return chain


def _free_row(taken: dict[int, list[tuple[float, float]]], span: tuple[float, float], near: list[int]) -> int:
    rows = sorted(
        range(-len(taken), len(taken) + 1), key=lambda row: (sum(abs(row - one) for one in near), abs(row), row)
    )
    for row in rows:
        if all(right <= span[0] or left >= span[1] for left, right in taken.get(row, [])):
            return row
    return max(rows) + 1
