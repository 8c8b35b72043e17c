"""What may add to a token's score while the search runs: biasing and language models."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

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


class BiasScorer(TokenScorer, Protocol):
    """A scorer of phrases that can take another one's place in the middle of an utterance."""

    def pending(self, state: int) -> float:
        """Return what was given in advance for phrases that are not finished yet."""

    def replay(self, tokens: Iterable[int]) -> int:
        """Return the state after all of ``tokens``."""


@runtime_checkable
class LiveBias(Protocol):
    """Phrase lists that change while one listens, such as ``biasing.Biasing``."""

    def __len__(self) -> int:
        """Return the number of phrases."""

    def snapshot(self, share: float = 1.0) -> BiasScorer:
        """Return what is boosted now, by ``share`` of its strength; the same object if nothing has changed."""

    def layer(self) -> "LiveBias":
        """Return what begins with all of this and is edited by itself: one stream's own."""


class Nothing:
    """A scorer that scores nothing."""

    start = 0

    def __init__(self, vocab_size: int) -> None:
        self._zeros = np.zeros(vocab_size, np.float32)

    def scores(self, state: int) -> npt.NDArray[np.float32]:
        """Return zeros, [vocab_size]."""
        del state
        return self._zeros

    def advance(self, state: int, token: int) -> int:
        """Return the only state."""
        del token
        return state

    def final(self, state: int) -> float:
        """Return 0."""
        del state
        return 0.0

    pending = final

    def replay(self, tokens: Iterable[int]) -> int:
        """Return the only state."""
        del tokens
        return 0
