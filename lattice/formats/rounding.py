"""Scores and times in whole steps, so that what matters of a lattice survives the rounding."""

import numpy as np
import numpy.typing as npt

from ..errors import LatticeError
from ..lattice import Lattice
from ..viterbi import best_to_end
from .bits import Longs

STEPS = 64
"""Steps of a score per unit of natural logarithm."""
TICKS = 100
"""Steps of time per second."""
MAX_SCORE = 2.0**22 / STEPS
"""Scores and totals beyond this cannot be written: single precision could not give back what is added up of them."""
MAX_SECONDS = 2.0**24 / TICKS
"""Times beyond this cannot be written."""


def check_range(lattice: Lattice) -> None:
    """Make sure that scores and times are not too large to be written.

    Raises:
        LatticeError: one is.
    """
    finite = lattice.final[np.isfinite(lattice.final)]
    if max(np.abs(scores).max(initial=0) for scores in (lattice.scores, finite)) > MAX_SCORE:
        raise _too_large()
    if max(np.abs(times).max(initial=0) for times in (lattice.start, lattice.end)) > MAX_SECONDS:
        raise LatticeError(f"a time is beyond {MAX_SECONDS:.0f} s, the largest that the binary form can hold")


def round_scores(scores: npt.NDArray[np.float32]) -> Longs:
    """Return scores in steps."""
    steps: Longs = np.rint(scores.astype(float) * STEPS).astype(np.int64)
    return steps


def round_times(times: npt.NDArray[np.float32]) -> Longs:
    """Return times in ticks."""
    ticks: Longs = np.rint(times.astype(float) * TICKS).astype(np.int64)
    return ticks


def round_losses(lattice: Lattice) -> tuple[int, Longs, Longs]:
    """Return the best total, and what arcs [arcs] and ends [nodes] lose against the best way on, all in steps.

    Just one way on from each node loses nothing, so that the best path stays the best.
    """
    to_end = np.array(best_to_end(lattice))
    behind = to_end[lattice.source] - (lattice.totals + to_end[lattice.target])
    lost = np.maximum(np.rint(behind * STEPS).astype(np.int64), 1)
    # the same choice as Lattice.best_path: the first best arc, or else ending here
    best = np.flatnonzero(behind == 0)
    nodes, place = np.unique(lattice.source[best], return_index=True)
    lost[best[place]] = 0
    ends = np.where(lattice.final_totals > -np.inf, lattice.final_totals, to_end)
    lost_ends = np.maximum(np.rint((to_end - ends) * STEPS).astype(np.int64), 1)
    stops = np.ones(lattice.num_nodes, bool)
    stops[nodes] = False
    lost_ends[stops] = 0
    if max(abs(to_end[0]) * STEPS, lost.max(initial=0), lost_ends.max()) > MAX_SCORE * STEPS:
        raise _too_large()
    return round(float(to_end[0]) * STEPS), lost, lost_ends


def _too_large() -> LatticeError:
    return LatticeError(f"a score is beyond {MAX_SCORE:.0f}, the largest that the binary form can hold")
