"""What may add to a token's score while the search runs: biasing and language models."""

from typing import Protocol

import numpy as np
import numpy.typing as npt


class TokenScorer(Protocol):
    """Scores tokens one after the other; all that matters of the tokens so far is a state, a small number.

    Hypotheses with equal states have equal futures, so the search may recombine them. Blanks change nothing.
    """

    @property
    def start(self) -> int:
        """The state before the first token."""

    def scores(self, state: int) -> npt.NDArray[np.float32]:
        """Return what each token would add in ``state``, [vocab_size]; 0 for blank. Not to be written to."""

    def advance(self, state: int, token: int) -> int:
        """Return the state after ``token``."""

    def final(self, state: int) -> float:
        """Return what ending in ``state`` adds: what an unfinished phrase got is taken back, the end of a sentence."""
