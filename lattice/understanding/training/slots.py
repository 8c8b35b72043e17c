"""Learning slots: a linear-chain CRF, with all weights, then with few."""

import ctypes
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..model import transition_keys
from ..slot_features import NUM_TEMPLATES
from ..weights import ExactWeights, Ints
from ..words import Keys
from .few_weights import FREQUENT, fitted, strongest

MAX_ITERATIONS = 12
ORDERS = 3
"""Orders in which the texts are looked at; the weights are the mean of what each gives."""
DAMPING = 3.0
"""How much the few weights are held where they were, while they are fitted."""


@dataclass(frozen=True, eq=False)
class SlotData:
    """Features of words, and their labels."""

    features: Sequence[Keys]
    """[words, features] of each text; 0 where there is none."""
    labels: Sequence[Sequence[str]]
    """[words] of each text."""


def learn(
    data: SlotData, labels: Sequence[str], told: Callable[[str], None],
    *, rows: Ints | None = None, iterations: int = MAX_ITERATIONS, orders: int = ORDERS,
) -> ExactWeights:  # fmt: skip
    """Return the weights of labels by feature, and of transitions (see ``model.transition_keys``).

    The CRF is trained by passive-aggressive steps (Crammer et al. 2006), in a tenth of the time that its likelihood
    takes and as well; its scores become probabilities by a temperature that is fitted on texts that were held out.

    Args:
        data: what to learn of.
        labels: names of all labels, by number.
        told: gets a line now and then.
        rows: texts to learn of; all unless given.
        iterations: times that all texts are looked at.
        orders: orders in which they are; what is learnt depends on it a little, the mean less.
    """
    import pycrfsuite

    trainer = pycrfsuite.Trainer(algorithm="pa", verbose=False)
    trainer.set_params({"max_iterations": iterations})
    for number in range(len(data.labels)) if rows is None else rows.tolist():
        keys = data.features[number]
        if not len(keys):
            continue
        words = [["%x" % key for key in row[row != 0].tolist()] for row in keys]  # noqa: UP031
        trainer.append(words, list(data.labels[number]))
    number_of = {label: number for number, label in enumerate(labels)}
    between = dict(zip(labels, transition_keys(labels).tolist(), strict=True))
    sums: dict[tuple[int, int], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "slots"))
        for order in range(1, orders + 1):
            told(f"slots: {iterations} rounds over the texts, order {order} of {orders}")
            _seed(order)
            trainer.train(path)
            with pycrfsuite.Tagger().open(path) as tagger:
                info = tagger.info()
            weights = {(int(key, 16), number_of[label]): weight for (key, label), weight in info.state_features.items()}
            weights |= {
                (between[first], number_of[second]): weight for (first, second), weight in info.transitions.items()
            }
            for place, weight in weights.items():
                sums[place] = sums.get(place, 0.0) + weight / orders
    keys_of = np.array([key for key, _ in sums], np.uint64)
    return ExactWeights.gather(keys_of, [column for _, column in sums], list(sums.values()), len(labels))


def _seed(number: int) -> None:
    """Begin C's random numbers anew: the trainer shuffles by them, and the same texts are to give the same weights."""
    with suppress(OSError, TypeError, AttributeError):  # where the C library goes by another name
        ctypes.CDLL(None).srand(number)


def with_few(
    data: SlotData, weights: ExactWeights, spared: Keys, bits: float, per_weight: float, per_row: float,
    told: Callable[[str], None],
) -> ExactWeights:  # fmt: skip
    """Return the weights that are worth their bits, fitted to the scores of all: the largest, and all ``spared``.

    Those of features that are frequent count a little more.
    """
    from scipy import sparse

    table = _table(data, weights.keys)
    seen = np.bincount(table.indices, minlength=len(weights.keys)).astype(np.float64)
    row = weights.row_of
    always = np.isin(weights.keys, spared)[row]
    sizes = np.where(always, np.inf, np.abs(weights.weights) * seen[row] ** FREQUENT)
    kept = strongest(row, sizes, bits, per_weight, per_row)
    if kept.all():
        return weights
    told(f"slots: {int(kept.sum()):,} of {len(kept):,} weights are kept, and fitted")
    shape = (len(weights.keys), weights.num_columns)

    def matrix(some: npt.NDArray[np.bool_]) -> Any:
        return sparse.csc_matrix((weights.weights[some], (row[some], weights.columns[some])), shape)

    found = fitted(table, matrix(~always), matrix(kept & ~always), DAMPING, told).tocoo()
    return ExactWeights.gather(
        np.concatenate([weights.keys[row[always]], weights.keys[found.row]]),
        np.concatenate([weights.columns[always], found.col]),
        np.concatenate([weights.weights[always], found.data]),
        weights.num_columns,
    )


def _table(data: SlotData, keys: Keys) -> Any:
    """Return which of the features each word has, scipy's sparse matrix [words, features]; ``keys`` in rising order."""
    from scipy import sparse

    asked = np.concatenate([some.reshape(-1, NUM_TEMPLATES) for some in data.features])
    place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    there = keys[place] == asked
    ends = np.concatenate([[0], np.cumsum(there.sum(1))])
    return sparse.csr_matrix((np.ones(int(ends[-1])), place[there], ends), (len(asked), len(keys)))
