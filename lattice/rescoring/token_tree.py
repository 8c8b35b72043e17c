"""Token sequences as one tree, for a causal transformer: what they begin with in common is computed once.

A transformer whose attention mask is an input reads a whole tree at once, if each token may see those on the way to it
and is told how many they are.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class TokenTree:
    """Tokens, each with the one before it, and which tokens are asked for behind them."""

    def __init__(self) -> None:
        self._number: dict[tuple[int, int], int] = {}
        self._parents: list[int] = []
        self._tokens: list[int] = []
        self._asked: list[int] = []
        self._following: list[int] = []

    def __len__(self) -> int:
        """Return how many tokens there are."""
        return len(self._tokens)

    def child(self, node: int, token: int) -> int:
        """Return the number of ``token`` behind a node; behind -1 sequences begin."""
        key = node, token
        number = self._number.get(key)
        if number is None:
            number = self._number[key] = len(self._tokens)
            self._parents.append(node)
            self._tokens.append(token)
        return number

    def walk(self, tokens: Iterable[int], node: int = -1) -> int:
        """Return the number of the last of ``tokens`` that come behind a node."""
        for token in tokens:
            node = self.child(node, token)
        return node

    def ask(self, node: int, token: int) -> int:
        """Ask how probable ``token`` is behind a node; returns which question this is."""
        self._asked.append(node)
        self._following.append(token)
        return len(self._asked) - 1

    def feeds(self, positions: int) -> tuple[Longs, Longs, Longs]:
        """Return tokens [1, n], mask [1, n, n] and positions [1, n], these below ``positions``.

        Row t of the mask holds 1 for what token t may see: itself, and what is before it.
        """
        mask = np.eye(len(self._tokens), dtype=np.int64)
        for node, parent in enumerate(self._parents):
            if parent >= 0:
                mask[node] |= mask[parent]
        places = np.minimum(mask.sum(1) - 1, positions - 1)
        return np.array([self._tokens], np.int64), mask[None], places[None]

    def answers(self, logits: Floats) -> Floats:
        """Return the log-probability (natural) of what was asked, [questions], from logits [n, vocabulary]."""
        if not self._asked:
            return np.zeros(0, np.float32)
        highest = logits.max(-1)
        sums = highest + np.log(np.exp(logits - highest[:, None]).sum(-1))
        return np.asarray(logits[self._asked, self._following] - sums[self._asked], np.float32)
