"""A trie over token sequences as arrays: built in one go, never changed; an edit makes a copy of a few columns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
GRID = 1024.0
"""Scores are multiples of 1 / GRID: their sums are exact, so equal states have equal scores, to the last bit."""


def on_grid(values: Floats) -> Floats:
    """Round scores to what adds up without error."""
    return np.rint(values * GRID) / GRID


@dataclass(frozen=True, eq=False)
class Trie:
    """Token sequences by their common beginnings. Node 0 is the root; children have greater numbers than parents."""

    parent: Ints
    """[nodes] Node before; 0 for the root."""
    token: Ints
    """[nodes] Token that leads to the node; -1 for the root."""
    depth: Ints
    """[nodes] Tokens from the root."""
    first_child: Ints
    """[nodes + 1] Children of node n are ``children[first_child[n]:first_child[n + 1]]``."""
    child_token: Ints
    """[nodes - 1] Token of each child, ascending within a node."""
    children: Ints
    """[nodes - 1] Child nodes, in the order of ``child_token``."""
    end: Floats
    """[nodes] Weight of the sequence that ends here; 0 where none does."""
    best: Floats
    """[nodes] Greatest weight of what ends here or further down."""
    rate: Floats
    """[nodes] Greatest weight per token, whole length counted, of what ends here or further down."""

    @classmethod
    def build(cls, sequences: Sequence[npt.NDArray[np.int32]], weights: Floats) -> "Trie":
        """Build from sequences of one token or more and their weights [sequences], greater than 0.

        Of a sequence that is there more than once the greatest weight counts.
        """
        count = len(sequences)
        lengths = np.fromiter(map(len, sequences), np.int32, count)
        width = int(lengths.max()) if count else 0
        columns = np.arange(width)
        matrix = np.full((count, width), -1, np.int32)
        if count:
            matrix[columns < lengths[:, None]] = np.concatenate(sequences)
        order = np.lexsort(matrix.T[::-1]) if width else np.zeros(0, np.intp)
        matrix, lengths, weights = matrix[order], lengths[order], np.asarray(weights, np.float64)[order]
        # a row makes the nodes beyond what it has in common with the row before
        fresh = np.ones((count, width), bool)
        if count > 1:
            fresh[1:] = ~np.logical_and.accumulate(matrix[1:] == matrix[:-1], axis=1)
        fresh &= columns < lengths[:, None]
        number = np.cumsum(fresh.ravel(), dtype=np.int64).reshape(fresh.shape)
        path = np.maximum.accumulate(np.where(fresh, number, 0), axis=0).astype(np.int32)
        before = np.concatenate([np.zeros((count, 1), np.int32), path[:, :-1]], axis=1) if width else path
        root = np.zeros(1, np.int32)
        parent = np.concatenate([root, before[fresh]])
        token = np.concatenate([root - 1, matrix[fresh]])
        depth = np.concatenate([root, (np.broadcast_to(columns + 1, fresh.shape)[fresh]).astype(np.int32)])
        nodes = len(parent)
        by_parent = np.lexsort((token[1:], parent[1:])) + 1
        first = np.searchsorted(parent[by_parent], np.arange(nodes + 1)).astype(np.int32)
        end = np.zeros(nodes)
        if count:
            np.maximum.at(end, path[np.arange(count), lengths - 1], weights)
        best, rate = end.copy(), end / np.maximum(depth, 1)
        layers = np.argsort(depth, kind="stable")
        bounds = np.searchsorted(depth[layers], np.arange(width + 2))
        for level in range(width, 0, -1):
            layer = layers[bounds[level] : bounds[level + 1]]
            np.maximum.at(best, parent[layer], best[layer])
            np.maximum.at(rate, parent[layer], rate[layer])
        return cls(parent, token, depth, first, token[by_parent], by_parent.astype(np.int32), end, best, rate)

    def __len__(self) -> int:
        """Return the number of nodes, the root included."""
        return len(self.parent)

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return sum(array.nbytes for array in vars(self).values() if isinstance(array, np.ndarray))

    def child(self, node: int, token: int) -> int:
        """Return the node after ``token``, -1 if there is none."""
        low, high = self.first_child[node], self.first_child[node + 1]
        place = low + self.child_token[low:high].searchsorted(token)
        return int(self.children[place]) if place < high and self.child_token[place] == token else -1

    def find(self, sequence: npt.NDArray[np.int32]) -> int:
        """Return the node of a sequence, -1 if it is not there."""
        node = 0
        for token in sequence.tolist():
            node = self.child(node, token)
            if node < 0:
                break
        return node

    def with_weights(self, changed: Sequence[tuple[npt.NDArray[np.int32], float]]) -> "Trie":
        """Return a trie of the same nodes in which sequences that are there have other weights; 0 takes one out."""
        end, best, rate = self.end.copy(), self.best.copy(), self.rate.copy()
        for sequence, weight in changed:
            node = self.find(sequence)
            end[node] = weight
            while True:
                below = self.children[self.first_child[node] : self.first_child[node + 1]]
                best[node] = max(end[node], best[below].max(initial=0.0))
                rate[node] = max(end[node] / max(1, self.depth[node]), rate[below].max(initial=0.0))
                if node == 0:
                    break
                node = int(self.parent[node])
        return replace(self, end=end, best=best, rate=rate)


@dataclass(frozen=True, eq=False)
class View:
    """A trie whose weights are scaled to scores."""

    trie: Trie
    scale: float
    """Score per weight."""

    @cached_property
    def end(self) -> Floats:
        """[nodes] Score of the phrase that ends here, 0 where none does."""
        return on_grid(self.trie.end * self.scale)

    @cached_property
    def best(self) -> Floats:
        """[nodes] Greatest score that can still come."""
        return on_grid(self.trie.best * self.scale)

    @cached_property
    def going(self) -> Floats:
        """[nodes] What is given in advance, as the phrase goes along: its share of the best phrase per token."""
        return np.minimum(on_grid(self.trie.depth * self.trie.rate * self.scale), self.best)

    def root_row(self, vocab_size: int) -> Floats:
        """Return what beginning with each token gives in advance, [vocab_size]."""
        row = np.zeros(vocab_size)
        children = self.trie.children[: self.trie.first_child[1]]
        row[self.trie.token[children]] = self.going[children]
        return row
