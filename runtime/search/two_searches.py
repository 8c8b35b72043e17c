"""Two searches over one encoder: one as ever, and beside it one that knows what is likely now.

What the second finds is used only if it is worth it. So knowledge that is wrong costs nothing but time: the words of
the first are still there, found as if there had been no second.
"""

from itertools import takewhile

import numpy as np
import numpy.typing as npt

from ...lattice import TokenLattice
from .beam import BeamSearch


class TwoSearches:
    """A search in the place of one; goes by whichever of the two holds its words likelier."""

    def __init__(self, plain: BeamSearch, informed: BeamSearch | None = None) -> None:
        """Go by one search, until ``informed`` there is another."""
        self.plain = plain
        """The search without."""
        self.informed = informed
        """The search that knows more; None while nothing is known."""
        self._leading: BeamSearch | None = None

    @property
    def leading(self) -> BeamSearch:
        """The search whose best path has the better score; without an informed one the plain one."""
        if self.informed is None:
            return self.plain
        if self._leading is None:
            self._leading = self.informed if self.informed.best_score > self.plain.best_score else self.plain
        return self._leading

    @property
    def tokens(self) -> list[int]:
        """Token ids of the leading search's best path so far."""
        return self.leading.tokens

    @property
    def frames(self) -> list[int]:
        """Encoder frame of each token of it."""
        return self.leading.frames

    @property
    def log_probs(self) -> list[float]:
        """Log-probability of each token of it at its frame."""
        return self.leading.log_probs

    @property
    def trailing_blanks(self) -> int:
        """Encoder frames since its last token."""
        return self.leading.trailing_blanks

    @property
    def blank_probability(self) -> float:
        """Mean probability of the blank in its best hypothesis over the latest step."""
        return self.leading.blank_probability

    @property
    def frames_seen(self) -> int:
        """Encoder frames searched."""
        return self.plain.frames_seen

    @property
    def stable_tokens(self) -> int:
        """How many tokens will not change any more, whichever search is right in the end."""
        if self.informed is None:
            return self.plain.stable_tokens
        both = (search.tokens[: search.stable_tokens] for search in (self.plain, self.informed))
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*both, strict=False)))

    def advance(self, encoder_out: npt.NDArray[np.float32], phones: npt.NDArray[np.float32] | None = None) -> None:
        """Search on through encoder frames [n, joiner_dim], with phones [2 * n, classes] where they are told."""
        self._leading = None
        self.plain.advance(encoder_out, phones)
        if self.informed is not None:
            self.informed.advance(encoder_out, phones)

    def inform(self, informed: BeamSearch | None) -> None:
        """Go on with another search beside the plain one, or none."""
        self.informed, self._leading = informed, None

    def fork(self) -> "TwoSearches":
        """Return searches in the same state that go their own way."""
        return TwoSearches(self.plain.fork(), None if self.informed is None else self.informed.fork())

    def drop(self, tokens: int) -> TokenLattice:
        """Forget the first tokens and return the lattice up to there; what leads goes on alone."""
        self.plain, self.informed, self._leading = self.leading, None, None
        return self.plain.drop(tokens)

    def lattice(self) -> TokenLattice:
        """Return all paths of the leading search."""
        return self.leading.lattice()
