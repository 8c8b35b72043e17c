"""Learning slots: a linear-chain CRF, first with all features, then with the strongest alone."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..model import transition_keys
from ..weights import ExactWeights, Ints
from ..words import Keys

MAX_ITERATIONS = 12


@dataclass(frozen=True, eq=False)
class SlotData:
    """Features of words, and their labels."""

    features: Sequence[Keys]
    """[words, features] of each text; 0 where there is none."""
    labels: Sequence[Sequence[str]]
    """[words] of each text."""


def learn(
    data: SlotData, labels: Sequence[str], told: Callable[[str], None], kept: Keys | None = None,
    *, rows: Ints | None = None, iterations: int = MAX_ITERATIONS,
) -> ExactWeights:  # fmt: skip
    """Return the weights of labels by feature, and of transitions (see ``model.transition_keys``).

    The CRF is trained by the averaged perceptron (Collins 2002), in a tenth of the time that its likelihood takes and
    as well; its scores become probabilities by a temperature that is fitted on texts that were held out.

    Args:
        data: what to learn of.
        labels: names of all labels, by number.
        told: gets a line now and then.
        kept: features to use, in rising order; all unless given.
        rows: texts to learn of; all unless given.
        iterations: times that all texts are looked at.
    """
    import pycrfsuite

    trainer = pycrfsuite.Trainer(algorithm="ap", verbose=False)
    trainer.set_params({"max_iterations": iterations})
    for number in range(len(data.labels)) if rows is None else rows.tolist():
        keys = data.features[number]
        if not len(keys):
            continue
        used = keys != 0
        if kept is not None and len(kept):
            place = np.minimum(np.searchsorted(kept, keys), len(kept) - 1)
            used &= kept[place] == keys
        words = [["%x" % key for key in row[some].tolist()] for row, some in zip(keys, used, strict=True)]  # noqa: UP031
        trainer.append(words, list(data.labels[number]))
    told(f"slots: {iterations} rounds over the texts")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "slots"))
        trainer.train(path)
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        info = tagger.info()
        tagger.close()
    number_of = {label: number for number, label in enumerate(labels)}
    between = dict(zip(labels, transition_keys(labels).tolist(), strict=True))
    entries = [(int(key, 16), number_of[label], weight) for (key, label), weight in info.state_features.items()]
    entries += [(between[first], number_of[second], weight) for (first, second), weight in info.transitions.items()]
    keys_of = np.array([entry[0] for entry in entries], np.uint64)
    columns = np.array([entry[1] for entry in entries], np.int64)
    weights = np.array([entry[2] for entry in entries], np.float64)
    return ExactWeights.gather(keys_of, columns, weights, len(labels))


def strongest_features(weights: ExactWeights, spared: Keys, bits: float, per_weight: float, per_row: float) -> Keys:
    """Return the features whose largest weights are largest, in rising order, as many as take about so many bits."""
    lengths = np.diff(weights.ends, prepend=0)
    largest = np.maximum.reduceat(np.abs(weights.weights), weights.ends - lengths)
    largest[np.isin(weights.keys, spared)] = np.inf
    order = np.argsort(-largest, kind="stable")
    taken = np.cumsum(per_row + per_weight * lengths[order])
    return np.sort(weights.keys[order[: int(np.searchsorted(taken, bits))]])


def strongest_weights(
    weights: ExactWeights, spared: Keys, bits: float, per_weight: float, per_row: float
) -> ExactWeights:
    """Return the largest weights, as many as take about so many bits."""
    row = weights.row_of
    size = np.abs(weights.weights)
    size = np.where(np.isin(weights.keys, spared)[row], np.inf, size)
    order = np.argsort(-size, kind="stable")
    fresh = np.zeros(len(order), bool)
    fresh[np.unique(row[order], return_index=True)[1]] = True
    taken = np.cumsum(np.where(fresh, per_row, 0.0) + per_weight)
    kept = order[: int(np.searchsorted(taken, bits))]
    return ExactWeights.gather(
        weights.keys[row[kept]], weights.columns[kept], weights.weights[kept], weights.num_columns
    )
