"""From one setting that a person can understand to scores."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import BiasingError

SCORE_PER_TOKEN = 4.0
"""Score (natural logarithm) per token at strength 1 of a phrase with boost 1. In proportion to the length, long and
short names are treated alike: what a recogniser misses by on a rare name grows with every token of it."""
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
        return SCORE_PER_TOKEN * self.strength

    @property
    def outside_score(self) -> float:
        """Score per weight elsewhere."""
        return self.inside_score * self.outside


def phrase_weights(tokens: npt.NDArray[np.int64], boosts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return weights of phrases by their length in tokens; all [phrases].

    The length is that of a phrase's likeliest tokenisation: its others are worth the same.
    """
    return np.asarray(boosts * np.maximum(tokens, 1))
