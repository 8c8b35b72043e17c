"""Learning intents: one linear classifier for each against all others, first with all weights, then with few."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..intent_features import ALWAYS
from ..model import Rejection, lead_of
from ..weights import Doubles, ExactWeights, Ints
from ..words import Keys

FOLDS = 3
"""Parts of the data, each understood by what was learnt of the others, for confidences and the refusal."""


@dataclass(frozen=True, eq=False)
class IntentData:
    """Features of texts, and what they ask for."""

    columns: Keys
    """[features] Each feature that occurs, in rising order."""
    table: Any
    """[texts, features] scipy's sparse matrix of how often each is there."""
    intents: Ints
    """[texts] Number of the intent."""
    num_intents: int
    """How many there are."""


def gather(features: Sequence[tuple[Keys, Doubles]], intents: Sequence[int], num_intents: int) -> IntentData:
    """Return the features of texts as a sparse matrix."""
    from scipy import sparse

    lengths = [len(keys) for keys, _ in features]
    columns, place = np.unique(np.concatenate([keys for keys, _ in features]), return_inverse=True)
    counts = np.concatenate([some for _, some in features])
    ends = np.concatenate([[0], np.cumsum(lengths)])
    table = sparse.csr_matrix((counts, place.astype(np.int32), ends), (len(features), len(columns)))
    return IntentData(columns, table, np.array(intents, np.int64), num_intents)


def learn(data: IntentData, cost: float, rows: Ints | None = None) -> Doubles:
    """Return weights, [features, intents]: support vector machines with squared hinge loss, one against all.

    Args:
        data: what to learn of.
        cost: of errors, against the size of weights (C of liblinear: Fan et al. 2008).
        rows: texts to learn of; all unless given.
    """
    from sklearn.svm import LinearSVC

    table, intents = (data.table, data.intents) if rows is None else (data.table[rows], data.intents[rows])
    weights = np.zeros((len(data.columns), data.num_intents))
    seen = np.unique(intents)
    # what was never seen is not to win where all others lose
    weights[np.searchsorted(data.columns, ALWAYS), np.setdiff1d(np.arange(data.num_intents), seen)] = -1.0
    if len(seen) < 2:
        return weights
    found = LinearSVC(C=cost, fit_intercept=False, random_state=0).fit(table, intents)
    # of two classes there is one row of weights, for the second
    weights[:, seen] = np.concatenate([-found.coef_, found.coef_]).T if len(seen) == 2 else found.coef_.T
    return weights


def learn_again(data: IntentData, kept: npt.NDArray[np.bool_], cost: float, told: Callable[[str], None]) -> Doubles:
    """Return weights learnt once more with those alone that are ``kept``, [features, intents]."""
    from sklearn.svm import LinearSVC

    table = data.table.tocsc()
    weights = np.zeros(kept.shape)
    for intent in range(data.num_intents):
        chosen = np.flatnonzero(kept[:, intent])
        positive = data.intents == intent
        if len(chosen) and positive.any() and not positive.all():
            found = LinearSVC(C=cost, fit_intercept=False, random_state=0).fit(table[:, chosen].tocsr(), positive)
            weights[chosen, intent] = found.coef_[0]
        if intent % 20 == 19:
            told(f"intents with few weights: {intent + 1} of {data.num_intents}")
    return weights


def strongest(weights: Doubles, bits: float, per_weight: float, per_row: float) -> npt.NDArray[np.bool_]:
    """Return which weights to keep, so that they take about so many bits: the largest."""
    flat = np.flatnonzero(weights)
    order = flat[np.argsort(-np.abs(weights.ravel()[flat]), kind="stable")]
    row = order // weights.shape[1]
    fresh = np.zeros(len(order), bool)
    fresh[np.unique(row, return_index=True)[1]] = True
    taken = np.cumsum(np.where(fresh, per_row, 0.0) + per_weight)
    kept = np.zeros(weights.shape, bool)
    kept.ravel()[order[: int(np.searchsorted(taken, bits))]] = True
    return kept


def as_exact(columns: Keys, weights: Doubles) -> ExactWeights:
    """Return dense weights by key."""
    row, column = np.nonzero(weights)
    return ExactWeights.gather(columns[row], column, weights[row, column], weights.shape[1])


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What becomes of texts that were held out."""

    rejection: Rejection
    """When to say no."""
    guessed: Ints
    """[texts] The best intent, "none of them" aside."""
    accuracy: float
    """Share of texts that ask for something whose intent was right."""
    refused: float
    """Share of texts that ask for nothing which are refused; NaN without such."""


def hold_out(data: IntentData, cost: float, none_of_them: bool, loss: float, told: Callable[[str], None]) -> HeldOut:
    """Return when to say no: confidences, and the threshold that refuses a share ``loss`` of the requests.

    Margins are those of texts that were held out, so that they are not surer than they will be.
    """
    order = np.random.default_rng(0).permutation(len(data.intents))
    features = np.zeros((len(order), 4))
    guessed = np.zeros(len(order), np.int64)
    for fold in range(FOLDS):
        told(f"confidences: part {fold + 1} of {FOLDS}")
        held = order[fold::FOLDS]
        others = np.setdiff1d(order, held)
        margins = np.asarray(data.table[held] @ learn(data, cost, others))
        for text, row in zip(held.tolist(), margins, strict=True):
            known = row[:-1] if none_of_them else row
            features[text] = (*lead_of(row, none_of_them), 1.0)
            guessed[text] = known.argmax()
    right = guessed == data.intents
    weights = _logistic(features, right)
    confidences = 0.5 * (1 + np.tanh(features @ weights / 2))
    asking = data.intents != data.num_intents - 1 if none_of_them else np.ones(len(order), bool)
    least = float(np.quantile(confidences[asking], loss)) if loss > 0 else 0.0
    best, lead, over, bias = weights.tolist()
    refused = float(np.mean(confidences[~asking] < least)) if not asking.all() else float("nan")
    return HeldOut(Rejection((best, lead, over, bias), least), guessed, float(right[asking].mean()), refused)


def _logistic(features: Doubles, right: npt.NDArray[np.bool_]) -> Doubles:
    """Return the weights of a logistic regression (Newton's method, lightly regularised)."""
    weights = np.zeros(features.shape[1])
    pull = 1e-3 * len(features) * np.diag([1.0] * (features.shape[1] - 1) + [0.0]) / 10
    for _ in range(50):
        shares = 0.5 * (1 + np.tanh(features @ weights / 2))
        gradient = features.T @ (shares - right) + pull @ weights
        curvature = (features.T * (shares * (1 - shares))) @ features + pull + 1e-6 * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        step *= min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-9))
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return weights
