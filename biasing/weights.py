"""From one setting that a person can understand to scores.

A recogniser carries a language model of its training in it, to which a rare name is most unlikely, however clearly it
is said. A phrase is worth what that model has against its tokens, less what a pick from the list is unlikely: so
far would a language model of the list itself raise it (a density ratio, McDermott et al. 2019, arXiv 2002.11268).
Long and short, rare and common phrases are treated alike, and longer lists do not make more up.
"""

import math
from dataclasses import dataclass

from .errors import BiasingError

PRIOR = 1.5
"""How unlikely it is that what is said is on the list at all, as minus log-probability."""
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
    """Share of what the model has against a phrase before it hears anything that is made up for: 0 nothing, 1 all.
    At half, a list of a thousand names makes one up in one or two utterances of a hundred; fitted by ``nearword biasing
    tune``."""
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
        return self.strength

    @property
    def outside_score(self) -> float:
        """Score per weight elsewhere."""
        return self.inside_score * self.outside


def price(phrases: int) -> float:
    """Return what being one of so many phrases takes from each one's weight: the longer a list, the less likely each.

    Rounded, so that not every edit changes all scores.
    """
    return PRIOR + round(4 * math.log(max(1, phrases))) / 4
