"""From one setting that a person can understand to scores."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import BiasingError

FULL_SCORE = 10.0
"""Score (natural logarithm) at strength 1 of a phrase of ``TYPICAL_TOKENS`` tokens with boost 1."""
TYPICAL_TOKENS = 6
"""Length in tokens of a first and a last name."""
LENGTH_POWER = 0.5
"""How the score of a phrase grows with its length: 0 not at all, 1 in proportion. What a recogniser misses by on a
rare phrase grows with every token, but one that knows the first tokens misses less on the rest."""
DEFAULT_STRENGTH = 0.5
DEFAULT_OUTSIDE = 0.25
"""Share of the strength that a class keeps where no template has it."""


@dataclass(frozen=True)
class ClassSettings:
    """How much a class counts.

    Raises:
        BiasingError: a value is not between 0 and 1; names it.
    """

    strength: float = DEFAULT_STRENGTH
    """0 nothing, 1 as much as can be useful; fitted by ``nearword biasing tune``."""
    outside: float = DEFAULT_OUTSIDE
    """Share of the strength where no template has the class; of no effect if no template names it."""

    def __post_init__(self) -> None:
        for name in ("strength", "outside"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise BiasingError(f"{name} is {value}: expected 0 to 1")

    @property
    def inside_score(self) -> float:
        """Score per weight where the class fits."""
        return FULL_SCORE * self.strength

    @property
    def outside_score(self) -> float:
        """Score per weight elsewhere."""
        return self.inside_score * self.outside


def phrase_weights(tokens: npt.NDArray[np.int64], boosts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return weights of phrases by their length in tokens, 1 for a typical one of boost 1; all [phrases]."""
    return np.asarray(boosts * (np.maximum(tokens, 1) / TYPICAL_TOKENS) ** LENGTH_POWER)
