"""What a teacher who knows more makes of texts that nobody labelled, and weights that are led to say the same.

The teacher is a linear classifier as well, but it also reads what a sentence encoder makes of a text, which knows words
that no label was seen on. It is not stored: it says how loudly each intent is asked for in many texts, and weights of
words learn to repeat that (Bucila, Caruana and Niculescu-Mizil 2006, "Model compression"; Hinton, Vinyals and Dean
2015).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..weights import Doubles, Floats

LENGTH = 10.0
"""Length of an encoder's vector beside counts of features: that of a hundred which are there."""
TEACHER_COST = 0.5
"""Of the teacher's errors, in costs of a classifier that reads words alone."""
DAMPING = 5.5
"""How much weights are held where they were."""
STEPS = 30
"""Of the search for weights."""


class Encoder(Protocol):
    """What teachers know beside words: a sentence encoder."""

    def texts(self, texts: Sequence[str]) -> Doubles:
        """Return a vector of each text, [texts, size]."""

    def words(self, texts: Sequence[Sequence[str]]) -> list[Floats]:
        """Return a vector of each word in its text, [words, size] of each text."""


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """Texts that nobody labelled, and what an encoder makes of all."""

    table: Any
    """[unlabelled texts, features] scipy's sparse matrix of how often each feature is there."""
    vectors: Doubles
    """[texts of ours, then these; size] What an encoder makes of each, see ``scaled``."""


def scaled(vectors: Doubles) -> Doubles:
    """Return vectors of texts so that directions alone count, their mean does not, and they are about ``LENGTH``."""
    directions = vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9)
    directions -= directions.mean(0)
    out: Doubles = directions * LENGTH / (np.sqrt(np.square(directions).sum(1).mean()) + 1e-9)
    return out


def led(table: Any, weights: Doubles, scores: Doubles) -> Doubles:
    """Return weights that give scores nearly: damped least squares (LSMR: Fong and Saunders 2011).

    Args:
        table: [texts, features] scipy's sparse matrix of what features are there.
        weights: [features, intents] Where they begin, and are held.
        scores: [texts, intents] What they are to give.
    """
    from scipy.sparse.linalg import lsmr

    out: Doubles = weights.copy()
    missing = scores - table @ weights
    for column in range(out.shape[1]):
        out[:, column] += lsmr(table, missing[:, column], damp=DAMPING, maxiter=STEPS)[0]
    return out
