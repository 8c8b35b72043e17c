"""Learning intents: one linear classifier for each against all others, first with all weights, then with few.

Names such as ``light_on`` and ``light_off`` say that intents have something in common: what all of them share is
learnt as well, of the examples of all (as in Evgeniou and Pontil 2004, "Regularized multi-task learning"). Texts that
were labelled for another purpose may help: how a classifier of their intents judges a text is a feature while ours are
learnt (Ando and Zhang 2005, "A framework for learning predictive structures from multiple tasks and unlabeled data").
Both classifiers are linear, so what is learnt is still one weight for each word and intent. Texts that nobody labelled
help where a teacher labels them (see ``distillation``).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..confidence import Rejection
from ..intent_features import ALWAYS
from ..model import lead_of
from ..weights import Doubles, ExactWeights, Ints
from ..words import Keys
from .distillation import TEACHER_COST, Unlabelled, led
from .few_weights import fitted, strongest

FOLDS = 3
"""Parts of the data, each understood by what was learnt of the others, for confidences and the refusal."""
SHARED = 0.6
"""Weight of what intents have in common that share the beginning or the end of their names."""
BESIDE_TOLERANCE = 1e-2
"""How exactly the classifier of texts beside is learnt: it need not be good, and takes long."""
DAMPING = 3.0
"""How much the few weights are held where they were, while they are fitted."""
FREQUENT = 0.1
"""Exponent of how often a feature was seen in all texts, those without labels included, where weights are chosen."""
_JOINT = re.compile(r"[_.:/ ]")


@dataclass(frozen=True, eq=False)
class Beside:
    """Texts that were labelled for another purpose."""

    table: Any
    """[texts, features] scipy's sparse matrix of how often each feature is there."""
    weights: Doubles
    """[features, other intents] What tells them apart."""


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
    groups: tuple[Ints, ...] = field(default_factory=tuple)
    """[intents] each: number of the group of an intent; those of a group have something in common."""
    beside: Beside | None = None
    """Texts of other intents that are to help."""
    unlabelled: Unlabelled | None = None
    """Texts that nobody labelled, and what a teacher reads."""

    @cached_property
    def all_texts(self) -> Any:
        """[texts of ours, then those without labels; features] scipy's sparse matrix of how often each is there."""
        from scipy import sparse

        return self.table if self.unlabelled is None else sparse.vstack([self.table, self.unlabelled.table]).tocsr()


def groups_of(names: Sequence[str]) -> tuple[Ints, ...]:
    """Return the groups of intents whose names begin alike, and of those whose names end alike.

    A name has a beginning and an end where it is joined by ``_``, ``.``, ``:``, ``/`` or a space.
    """
    both = (beginnings_of(names), _alike([_parted(name)[1] for name in names]))
    return tuple(group for group in both if 0 < int(group.max()) < len(names) - 1)


def beginnings_of(names: Sequence[str]) -> Ints:
    """Return the number of the group of each intent, [intents]: those whose names begin alike."""
    return _alike([_parted(name)[0] for name in names])


def _parted(name: str) -> tuple[str, str]:
    """Return beginning and end of a name, both the whole of it where it has no joint."""
    at = _JOINT.search(name)
    return (name, name) if at is None else (name[: at.start()], name[at.end() :])


def _alike(parts: Sequence[str]) -> Ints:
    number = {part: place for place, part in enumerate(dict.fromkeys(parts))}
    return np.array([number[part] for part in parts], np.int64)


def gather(
    features: Sequence[tuple[Keys, Doubles]],
    intents: Sequence[int],
    num_intents: int,
    groups: tuple[Ints, ...] = (),
    *,
    beside: Sequence[int] = (),
    vectors: Doubles | None = None,
    cost: float = 1.0,
) -> IntentData:
    """Return the features of texts as a sparse matrix.

    Args:
        features: of all texts, behind ours those without labels, those beside last.
        intents: number of the intent of each text of ours.
        num_intents: how many there are.
        groups: of intents that have something in common.
        beside: number of the intent of each text that was labelled for another purpose.
        vectors: what an encoder makes of our texts and of those without labels, if there are any.
        cost: of errors, as ``learn`` has it, where texts beside are told apart.
    """
    from scipy import sparse

    lengths = [len(keys) for keys, _ in features]
    columns, place = np.unique(np.concatenate([keys for keys, _ in features]), return_inverse=True)
    counts = np.concatenate([some for _, some in features])
    ends = np.concatenate([[0], np.cumsum(lengths)])
    table = sparse.csr_matrix((counts, place.astype(np.int32), ends), (len(features), len(columns)))
    first_beside = len(features) - len(beside)
    data = IntentData(columns, table[: len(intents)], np.array(intents, np.int64), num_intents, groups)
    if vectors is not None:
        data = replace(data, unlabelled=Unlabelled(table[len(intents) : first_beside], vectors))
    if not len(beside):
        return data
    other, always = table[first_beside:], np.searchsorted(columns, ALWAYS)
    weights = _each_against_all(other, np.array(beside, np.int64), max(beside) + 1, cost, always, BESIDE_TOLERANCE)
    return replace(data, beside=Beside(other, weights))


def learn(data: IntentData, cost: float, rows: Ints | None = None) -> Doubles:
    """Return weights, [features, intents]: support vector machines with squared hinge loss, one against all.

    Over the intents the weights of a feature have mean 0: which intent wins does not depend on it, and fewer are large.

    Args:
        data: what to learn of.
        cost: of errors, against the size of weights (C of liblinear: Fan et al. 2008).
        rows: texts to learn of; all unless given.
    """
    table = data.all_texts
    if data.beside is not None:
        from scipy import sparse

        table = sparse.hstack([table, sparse.csr_matrix(table @ data.beside.weights)], format="csr")
    ours = np.arange(len(data.intents)) if rows is None else rows
    weights = _together(data, table[ours], data.intents[ours], cost)
    if data.beside is not None:
        plain, of_beside = np.split(weights, [len(data.columns)])
        weights = plain + data.beside.weights @ of_beside
    weights -= weights.mean(1, keepdims=True)
    return weights if data.unlabelled is None else _taught(data, data.unlabelled, table, weights, ours, cost)


def _together(data: IntentData, table: Any, intents: Ints, cost: float) -> Doubles:
    """Return the weights of texts' features, [features, intents], with what intents of a group have in common."""
    always = np.searchsorted(data.columns, ALWAYS)
    weights = _each_against_all(table, intents, data.num_intents, cost, always)
    for group in data.groups:
        shared = _each_against_all(table, group[intents], int(group.max()) + 1, cost, always)
        weights += SHARED * shared[:, group]
    return weights


def _taught(data: IntentData, unlabelled: Unlabelled, table: Any, weights: Doubles, ours: Ints, cost: float) -> Doubles:
    """Return weights led to what a teacher says of our texts in ``ours`` and of all that have no label."""
    from scipy import sparse

    seen = sparse.hstack([table, sparse.csr_matrix(unlabelled.vectors)], format="csr")
    teacher = _together(data, seen[ours], data.intents[ours], TEACHER_COST * cost)
    teacher -= teacher.mean(1, keepdims=True)
    rows = np.concatenate([ours, np.arange(len(data.intents), table.shape[0])])
    return led(data.all_texts[rows], weights, np.asarray(seen[rows] @ teacher))


def _each_against_all(
    table: Any, wanted: Ints, count: int, cost: float, always: npt.NDArray[np.intp], tolerance: float = 1e-4
) -> Doubles:
    from sklearn.svm import LinearSVC

    weights = np.zeros((table.shape[1], count))
    seen = np.unique(wanted)
    # what was never seen is not to win where all others lose
    weights[always, np.setdiff1d(np.arange(count), seen)] = -1.0
    if len(seen) < 2:
        return weights
    found = LinearSVC(C=cost, tol=tolerance, fit_intercept=False, random_state=0).fit(table, wanted)
    # of two classes there is one row of weights, for the second
    weights[:, seen] = np.concatenate([-found.coef_, found.coef_]).T if len(seen) == 2 else found.coef_.T
    return weights


def with_few(
    data: IntentData, weights: Doubles, bits: float, per_weight: float, per_row: float, told: Callable[[str], None]
) -> Doubles:
    """Return the weights that are worth their bits, fitted, and zeros, [features, intents]: the largest are kept.

    Where there are texts without labels, those of features that are frequent count a little more.
    """
    from scipy import sparse

    rows, sizes = np.repeat(np.arange(len(weights)), data.num_intents), np.abs(weights)
    if data.unlabelled is not None:  # of all that may be said much more was seen
        sizes *= np.asarray(data.all_texts.sum(0)).reshape(-1, 1) ** FREQUENT
    kept = strongest(rows, sizes.ravel(), bits, per_weight, per_row).reshape(weights.shape)
    total = int(np.count_nonzero(weights))
    if int(kept.sum()) == total:
        return weights
    told(f"intents: {int(kept.sum()):,} of {total:,} weights are kept, and fitted")
    few = sparse.csc_matrix(np.where(kept, weights, 0.0))
    out: Doubles = fitted(data.all_texts, sparse.csc_matrix(weights), few, DAMPING, told).toarray()
    return out


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


def hold_out(
    data: IntentData, sources: Ints, cost: float, none_of_them: bool, loss: float, told: Callable[[str], None]
) -> HeldOut:
    """Return when to say no: confidences, and the threshold that refuses a share ``loss`` of the requests.

    Margins are those of texts that were held out, so that they are not surer than they will be. ``sources`` says of
    which text each is a variant: these are held out together.
    """
    order = np.random.default_rng(0).permutation(int(sources.max()) + 1)
    count = len(data.intents)
    features = np.zeros((count, 4))
    guessed = np.zeros(count, np.int64)
    for fold in range(FOLDS):
        told(f"confidences: part {fold + 1} of {FOLDS}")
        out = np.isin(sources, order[fold::FOLDS])
        held, others = np.flatnonzero(out), np.flatnonzero(~out)
        margins = np.asarray(data.table[held] @ learn(data, cost, others))
        for text, row in zip(held.tolist(), margins, strict=True):
            known = row[:-1] if none_of_them else row
            features[text] = (*lead_of(row, none_of_them), 1.0)
            guessed[text] = known.argmax()
    right = guessed == data.intents
    weights = _logistic(features, right)
    confidences = 0.5 * (1 + np.tanh(features @ weights / 2))
    asking = data.intents != data.num_intents - 1 if none_of_them else np.ones(count, bool)
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
