"""Confidences that mean what they say: of the words with 0.8, 80 % should be right.

Temperature and bias on the log-odds (Platt 1999; Guo et al. 2017, "On calibration of modern neural networks"), fitted
on words of which it is known whether they were right. Confidences are first drawn a little towards one half: a lattice
of the few best hypotheses has many words without a rival, and cannot tell 0.99 from 1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
MARGINS = (0.001, 0.003, 0.01, 0.03, 0.1)
"""How far confidences may be kept from 0 and 1; the one that fits best is taken."""
ROUNDS = 100
STRENGTH = 1e-3
"""Weight of staying with temperature 1 and bias 0, per pair: decides where the data does not."""


@dataclass(frozen=True)
class Calibration:
    """What makes probabilities of confidences."""

    temperature: float = 1.0
    """What log-odds are divided by; above 1 where confidences are too sure of themselves."""
    bias: float = 0.0
    """What is added to log-odds after that."""
    margin: float = MARGINS[0]
    """How far from 0 and 1 confidences are kept before that, where log-odds have no end."""

    def __call__(self, confidences: npt.ArrayLike) -> Doubles:
        """Return calibrated confidences, in the shape they came in."""
        return _logistic(_log_odds(confidences, self.margin) / self.temperature + self.bias)


@dataclass(frozen=True)
class Bin:
    """A row of the reliability table: words with similar confidences."""

    low: float
    """Confidences from here..."""
    high: float
    """...to here, this included in the last row only."""
    count: int
    """Words."""
    confidence: float
    """Their mean confidence; the middle of the row where there are none."""
    accuracy: float
    """Share of them that were right; not a number where there are none."""


def fit(confidences: npt.ArrayLike, correct: Sequence[bool] | npt.NDArray[np.bool_]) -> Calibration:
    """Return the calibration under which the outcomes are most probable (Newton's method, for each margin).

    Args:
        confidences: of words, 0 to 1.
        correct: whether each was right.

    Raises:
        ValueError: nothing to fit on, different lengths, or a confidence beyond 0 to 1.
    """
    given, right = _checked(confidences, correct)
    fitted = [(*_fit(_log_odds(given, margin), right), margin) for margin in MARGINS]
    _, slope, bias, margin = min(fitted, key=lambda one: one[0])
    # a slope at or below 0 would turn confidences around; that is no calibration but a broken confidence
    return Calibration(1 / max(slope, 0.01), bias, margin)


def _fit(odds: Doubles, right: Doubles) -> tuple[float, float, float]:
    """Return loss, slope and bias of the logistic regression of outcomes on log-odds."""
    design = np.stack([odds, np.ones_like(odds)], 1)
    weights, pull = np.array([1.0, 0.0]), STRENGTH * len(odds) * np.eye(2)
    loss = _loss(design, right, weights)
    for _ in range(ROUNDS):
        predicted = _logistic(design @ weights)
        gradient = design.T @ (predicted - right) + pull @ (weights - (1.0, 0.0))
        curvature = (design.T * (predicted * (1 - predicted))) @ design + pull
        step = np.linalg.solve(curvature, gradient)
        # full steps may overshoot where nearly all words are right
        while (shorter := _loss(design, right, weights - step)) > loss and np.abs(step).max() > 1e-9:
            step /= 2
        weights, loss = weights - step, shorter
        if np.abs(step).max() < 1e-9:
            break
    return loss, float(weights[0]), float(weights[1])


def expected_calibration_error(
    confidences: npt.ArrayLike, correct: Sequence[bool] | npt.NDArray[np.bool_], bins: int = 10
) -> float:
    """Return by how much confidence and share of right words differ, averaged over words in bins of equal width.

    Naeini et al. 2015, "Obtaining well calibrated probabilities using Bayesian binning".

    Raises:
        ValueError: no words, different lengths, or a confidence beyond 0 to 1.
    """
    table = reliability(confidences, correct, bins)
    filled = [row for row in table if row.count]
    return sum(row.count * abs(row.confidence - row.accuracy) for row in filled) / sum(row.count for row in filled)


def reliability(
    confidences: npt.ArrayLike, correct: Sequence[bool] | npt.NDArray[np.bool_], bins: int = 10
) -> list[Bin]:
    """Return how often words of similar confidence were right, in bins of equal width.

    Raises:
        ValueError: no words, different lengths, or a confidence beyond 0 to 1.
    """
    given, right = _checked(confidences, correct)
    place = np.minimum((given * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums, rights = np.bincount(place, given, bins), np.bincount(place, right, bins)
    return [
        Bin(
            row / bins, (row + 1) / bins, int(count),
            float(sums[row] / count) if count else (row + 0.5) / bins,
            float(rights[row] / count) if count else math.nan,
        )
        for row, count in enumerate(counts.tolist())
    ]  # fmt: skip


def _checked(confidences: npt.ArrayLike, correct: Sequence[bool] | npt.NDArray[np.bool_]) -> tuple[Doubles, Doubles]:
    given, right = np.asarray(confidences, np.float64), np.asarray(correct, bool).astype(np.float64)
    if given.ndim != 1 or given.shape != right.shape or not len(given):
        raise ValueError(
            f"{given.shape} confidences and {right.shape} outcomes; expected as many of one as of the other"
        )
    if not ((given >= 0) & (given <= 1)).all():
        raise ValueError("a confidence is not from 0 to 1")
    return given, right


def _log_odds(confidences: npt.ArrayLike, margin: float) -> Doubles:
    inner = margin + (1 - 2 * margin) * np.asarray(confidences, np.float64)
    odds: Doubles = np.log(inner) - np.log1p(-inner)
    return odds


def _logistic(odds: Doubles) -> Doubles:
    shares: Doubles = 0.5 * (1 + np.tanh(odds / 2))
    return shares


def _loss(design: Doubles, right: Doubles, weights: Doubles) -> float:
    odds = design @ weights
    away = weights - (1.0, 0.0)
    return float(np.sum(np.logaddexp(0, odds) - right * odds) + STRENGTH * len(odds) * (away @ away) / 2)
