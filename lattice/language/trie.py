"""N-grams as a trie in a few arrays: the histories are nodes, and the children of a node stand side by side."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import numpy.typing as npt

from .errors import LanguageModelError

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class NgramTrie:
    """N-grams with their log-probabilities. Node 0 is the empty history; nodes are numbered level by level.

    Raises:
        LanguageModelError: the arrays do not make a trie.
    """

    word: Ints
    """[nodes] The last word of the n-gram a node stands for; -1 for node 0. Ascending among the children of a node."""
    log_prob: Floats
    """[nodes] Natural logarithm of the probability of that word after the ones before it."""
    backoff: Floats
    """[nodes] Natural logarithm of what words that are no child get, over their score after the shorter history."""
    first: Ints
    """[nodes + 1] The children of node n are ``first[n]`` up to ``first[n + 1]``."""

    def __post_init__(self) -> None:
        nodes = len(self.word)
        fits = (
            nodes > 0
            and self.log_prob.shape == self.backoff.shape == (nodes,)
            and self.first.shape == (nodes + 1,)
            and self.first[0] == 1
            and self.first[-1] == nodes
            and bool((np.diff(self.first) >= 0).all())
            and bool((self.first[:-1] > np.arange(nodes, dtype=np.int32)).all())
        )
        if not fits:
            raise LanguageModelError("the n-grams do not make a trie: sizes or order of their arrays are wrong")
        # a number that is none shows in the least and the greatest
        if not all(np.isfinite((scores.min(), scores.max())).all() for scores in (self.log_prob, self.backoff)):
            raise LanguageModelError("an n-gram has a score that is not a finite number")
        siblings = np.ones(nodes + 1, bool)
        siblings[self.first] = False
        if (np.diff(self.word)[siblings[1:-1]] <= 0).any():
            raise LanguageModelError("n-grams with the same history are not sorted by word, or one stands twice")

    @property
    def num_nodes(self) -> int:
        """Number of n-grams of all orders, and one."""
        return len(self.word)

    @property
    def parent(self) -> Ints:
        """[nodes] The node of the history; 0 for node 0. Computed anew: a search never asks, and it is large."""
        parent = np.zeros(self.num_nodes, np.int32)
        parent[1:] = np.repeat(np.arange(self.num_nodes, dtype=np.int32), np.diff(self.first))
        return parent

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """First node of each order from 0 on, and the number of nodes at the end."""
        bounds = [0, 1]
        while bounds[-1] < self.num_nodes:
            bounds.append(int(self.first[bounds[-1]]))
        return tuple(bounds)

    @property
    def order(self) -> int:
        """Length of the longest n-gram."""
        return len(self.levels) - 2

    @cached_property
    def suffix(self) -> Ints:
        """[nodes] The node of the longest n-gram that is left when words are taken away at the front; 0 for node 0."""
        suffix, parent = np.zeros(self.num_nodes, np.int32), self.parent
        keys = parent.astype(np.int64) * self._stride + self.word
        for begin, end in zip(self.levels[2:-1], self.levels[3:], strict=True):
            nodes = np.arange(begin, end)
            history = suffix[parent[nodes]]
            while len(nodes):
                found = self._find(keys, history, self.word[nodes])
                suffix[nodes] = np.maximum(found, 0)
                open_ = (found < 0) & (history > 0)
                nodes, history = nodes[open_], suffix[history[open_]]
        return suffix

    @cached_property
    def _stride(self) -> int:
        return int(self.word.max()) + 2

    def _find(self, keys: Longs, history: Ints, word: Ints) -> Ints:
        """Return the children of nodes ``history`` with the words, [n]; -1 where there is none.

        ``keys`` are those of all nodes, which ascend: parent and word in one number.
        """
        wanted = history.astype(np.int64) * self._stride + word
        place = np.minimum(np.searchsorted(keys[1:], wanted) + 1, self.num_nodes - 1)
        return np.where((keys[place] == wanted) & (word < self._stride), place, -1).astype(np.int32)

    @cached_property
    def _lists(self) -> "tuple[memoryview[int], memoryview[int], memoryview[float], memoryview[float]]":
        # python's own numbers: looking one up takes a tenth of the time it takes in an array
        arrays = (self.first, self.word, self.log_prob, self.backoff)
        views = tuple(memoryview(cast("bytes", np.ascontiguousarray(array))) for array in arrays)
        return cast("tuple[memoryview[int], memoryview[int], memoryview[float], memoryview[float]]", views)

    @cached_property
    def _suffixes(self) -> dict[int, int]:
        return {}

    def suffix_of(self, node: int) -> int:
        """Return ``suffix`` of one node, found when it is asked for: a search sees few of a million."""
        if node < self.levels[2]:
            return 0
        known = self._suffixes.get(node)
        if known is not None:
            return known
        first, words, *_ = self._lists
        history, word = self.suffix_of(bisect_right(first, node) - 1), words[node]
        while (found := self.child(history, word)) < 0 and history:
            history = self.suffix_of(history)
        self._suffixes[node] = found = max(found, 0)
        return found

    def child(self, node: int, word: int) -> int:
        """Return the child of ``node`` with ``word``, -1 if there is none."""
        first, words, *_ = self._lists
        begin, end = first[node], first[node + 1]
        place = bisect_left(words, word, begin, end)
        return place if place < end and words[place] == word else -1

    def step(self, node: int, word: int) -> tuple[int, float] | None:
        """Return the longest n-gram for ``word`` after ``node`` and the word's score there; None: not even alone."""
        _, _, log_prob, backoff = self._lists
        score = 0.0
        while True:
            found = self.child(node, word)
            if found >= 0:
                return found, score + log_prob[found]
            if not node:
                return None
            score += backoff[node]
            node = self.suffix_of(node)

    def shorten(self, node: int) -> int:
        """Return the longest suffix of ``node`` that says something of what follows: the state after it."""
        first, _, _, backoff = self._lists
        while node and first[node] == first[node + 1] and backoff[node] == 0.0:
            node = self.suffix_of(node)
        return node
