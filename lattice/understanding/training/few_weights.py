"""From all weights that were learnt to the few that are stored: which they are, and what they become.

Those that are left are fitted to the scores that all weights give to the texts (distillation: Hinton, Vinyals and Dean
2015), so that they make up for those that are gone.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..weights import Doubles, Ints

FREQUENT = 0.25
"""Exponent of how often a feature was seen, by which labels' weights count more where the largest are chosen; with
intents it does harm."""
STEPS = 40
"""Of the search for the few weights."""


def strongest(rows: Ints, sizes: Doubles, bits: float, per_weight: float, per_row: float) -> npt.NDArray[np.bool_]:
    """Return which weights to keep, so that they take about so many bits: the largest, [weights].

    Args:
        rows: [weights] Feature of each.
        sizes: [weights] What each counts; of 0 none is kept.
        bits: room for all.
        per_weight: bits of a weight.
        per_row: bits of a feature beside its weights.
    """
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > 0]
    fresh = np.zeros(len(order), bool)
    fresh[np.unique(rows[order], return_index=True)[1]] = True
    taken = np.cumsum(np.where(fresh, per_row, 0.0) + per_weight)
    kept = np.zeros(len(rows), bool)
    kept[order[: int(np.searchsorted(taken, bits))]] = True
    return kept


def fitted(table: Any, whole: Any, few: Any, damping: float, told: Callable[[str], None]) -> Any:
    """Return few weights that give nearly the scores of all: damped least squares (LSMR: Fong and Saunders 2011).

    Args:
        table: [texts or words, features] scipy's sparse matrix of what features are there.
        whole: [features, columns] scipy's sparse matrix of all weights.
        few: [features, columns] The same of those that are kept.
        damping: how much these are held where they were.
        told: gets a line now and then.

    Returns:
        Sparse, [features, columns], with weights where ``few`` has some.
    """
    from scipy.sparse.linalg import lsmr

    by_feature, rest = table.tocsc(), (whole - few).tocsc()
    out = few.tocsc().copy()
    for column in range(out.shape[1]):
        part = slice(out.indptr[column], out.indptr[column + 1])
        if part.start < part.stop:
            missing = table @ rest[:, [column]].toarray()[:, 0]
            chosen = by_feature[:, out.indices[part]].tocsr()
            out.data[part] += lsmr(chosen, missing, damp=damping, maxiter=STEPS)[0]
        if column % 20 == 19:
            told(f"few weights: {column + 1} of {out.shape[1]}")
    return out
