"""How sure it is what is asked for, in a text and in speech, and when to say no."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .result import FilledSlot
from .weights import Doubles

LEAST_SHARE = 1e-4
"""Confidences below this count as this."""


@dataclass(frozen=True)
class Rejection:
    """When to say no. Confidence is the probability that the intent is right, learnt on texts that were held out."""

    weights: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    """Of the best margin over the mean, of its lead over the next, of its lead over "none of them", and of 1."""
    least: float = 0.0
    """Confidence below which nothing is accepted."""

    def confidence(self, best: float, lead: float, known: float) -> float:
        """Return the probability that the intent is right."""
        odds = float(np.dot(self.weights, (best, lead, known, 1.0)))
        return float(0.5 * (1 + np.tanh(odds / 2)))


@dataclass(frozen=True)
class HeardConfidence:
    """How sure it is that speech was heard and understood right, intent and slots: calibrated with the recogniser.

    Logistic regression, fitted on recognised requests that no model was learnt of.
    """

    intent: float = 0.31
    """Weight of the log-odds of the intent."""
    slots: float = 1.15
    """Weight of the logarithm of the least slot's confidence."""
    words: float = 1.99
    """Weight of the mean logarithm of the confidences of the words that were chosen."""
    bias: float = -0.38
    """What is added."""

    def confidence(self, intent: float, slots: Sequence[FilledSlot], words: Doubles) -> float:
        """Return the probability that all is right, from the confidences of the intent, the slots and the words."""
        least = min((slot.confidence for slot in slots), default=1.0)
        odds = np.log(max(intent, LEAST_SHARE)) - np.log(max(1 - intent, LEAST_SHARE))
        heard = np.log(np.maximum(words, LEAST_SHARE)).mean() if len(words) else 0.0
        total = self.intent * odds + self.slots * np.log(max(least, LEAST_SHARE)) + self.words * heard + self.bias
        return float(0.5 * (1 + np.tanh(total / 2)))


HEARD = HeardConfidence()
