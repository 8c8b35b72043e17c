"""A trie over token sequences as arrays: built in one go, never changed; an edit makes a copy of a few columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
GRID = 1024.0
"""Scores are multiples of 1 / GRID: their sums are exact, so equal states have equal scores, to the last bit."""


def on_grid(values: Floats) -> Floats:
    """Round scores to what adds up without error."""
    rounded: Floats = np.rint(values * np.float32(GRID)) / np.float32(GRID)
    return rounded


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

    views: "dict[float, View]" = field(default_factory=dict)
    """By scale, what was made of it before."""

    @classmethod
    def build(cls, sequences: Iterable[Sequence[int]], weights: Iterable[float]) -> "Trie":
        """Build from sequences of one token or more and their weights, greater than 0.

        Of a sequence that is there more than once the greatest weight counts.
        """
        return cls.build_with_ends(sequences, weights)[0]

    @classmethod
    def build_with_ends(cls, sequences: Iterable[Sequence[int]], weights: Iterable[float]) -> "tuple[Trie, Ints]":
        """Build; returns also the node at which each sequence ends, [sequences]."""
        sequences = list(sequences)
        count = len(sequences)
        lengths = np.fromiter(map(len, sequences), np.int32, count)
        width = int(lengths.max()) if count else 0
        columns = np.arange(width)
        matrix = np.full((count, width), -1, np.int32)
        if count:
            matrix[columns < lengths[:, None]] = np.fromiter(
                chain.from_iterable(sequences), np.int32, int(lengths.sum())
            )
        order = np.lexsort(matrix.T[::-1]) if width else np.zeros(0, np.intp)
        matrix, lengths, worth = matrix[order], lengths[order], np.fromiter(weights, np.float32, count)[order]
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
        end = np.zeros(nodes, np.float32)
        ends = np.zeros(count, np.int32)
        if count:
            last = path[np.arange(count), lengths - 1]
            np.maximum.at(end, last, worth)
            ends[order] = last
        best, rate = end.copy(), end / np.maximum(depth, 1).astype(np.float32)
        layers = np.argsort(depth, kind="stable")
        bounds = np.searchsorted(depth[layers], np.arange(width + 2))
        for level in range(width, 0, -1):
            layer = layers[bounds[level] : bounds[level + 1]]
            np.maximum.at(best, parent[layer], best[layer])
            np.maximum.at(rate, parent[layer], rate[layer])
        return cls(parent, token, depth, first, token[by_parent], by_parent.astype(np.int32), end, best, rate), ends

    def __len__(self) -> int:
        """Return the number of nodes, the root included."""
        return len(self.parent)

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        of_views = sum(view.end.nbytes + view.best.nbytes + view.going.nbytes for view in self.views.values())
        return of_views + sum(array.nbytes for array in vars(self).values() if isinstance(array, np.ndarray))

    def child(self, node: int, token: int) -> int:
        """Return the node after ``token``, -1 if there is none."""
        low, high = self.first_child[node], self.first_child[node + 1]
        place = low + self.child_token[low:high].searchsorted(token)
        return int(self.children[place]) if place < high and self.child_token[place] == token else -1

    def find(self, sequence: Sequence[int]) -> int:
        """Return the node of a sequence, -1 if it is not there."""
        node = 0
        for token in sequence:
            node = self.child(node, token)
            if node < 0:
                break
        return node

    def view(self, scale: float) -> "View":
        """Return the trie with its weights scaled to scores; the same again and again."""
        view = self.views.get(scale)
        if view is None:
            going = np.minimum(
                on_grid(self.depth * self.rate * np.float32(scale)), on_grid(self.best * np.float32(scale))
            )
            end, best = on_grid(self.end * np.float32(scale)), on_grid(self.best * np.float32(scale))
            view = self.views[scale] = View(self, scale, end, best, going)
        return view

    def with_weights(self, nodes: Sequence[int], weights: Sequence[float]) -> "Trie":
        """Return a trie in which what ends in ``nodes`` has other weights; 0 takes a sequence out."""
        end, best, rate = self.end.copy(), self.best.copy(), self.rate.copy()
        touched: dict[int, None] = {}
        for last, weight in zip(nodes, weights, strict=True):
            end[last] = weight
            node = last
            while True:
                touched[node] = None
                below = self.children[self.first_child[node] : self.first_child[node + 1]]
                best[node] = max(end[node], best[below].max(initial=0.0))
                rate[node] = max(end[node] / np.float32(max(1, self.depth[node])), rate[below].max(initial=0.0))
                if node == 0:
                    break
                node = int(self.parent[node])
        edited = replace(self, end=end, best=best, rate=rate, views={})
        changed = np.fromiter(touched, np.int32, len(touched))
        for scale, view in list(self.views.items()):
            edited.views[scale] = view.patched(edited, changed)
        return edited


@dataclass(frozen=True, eq=False)
class View:
    """A trie whose weights are scaled to scores."""

    trie: Trie
    scale: float
    """Score per weight."""
    end: Floats
    """[nodes] Score of the phrase that ends here, 0 where none does."""
    best: Floats
    """[nodes] Greatest score that can still come."""
    going: Floats
    """[nodes] What is given in advance, as the phrase goes along: its share of the best phrase per token."""

    def root_row(self, vocab_size: int) -> Floats:
        """Return what beginning with each token gives in advance, [vocab_size]."""
        row = np.zeros(vocab_size, np.float32)
        children = self.trie.children[: self.trie.first_child[1]]
        row[self.trie.token[children]] = self.going[children]
        return row

    def patched(self, trie: Trie, nodes: Ints) -> "View":
        """Return the view of a trie that differs in ``nodes``."""
        scale = np.float32(self.scale)
        end, best, going = self.end.copy(), self.best.copy(), self.going.copy()
        end[nodes] = on_grid(trie.end[nodes] * scale)
        best[nodes] = on_grid(trie.best[nodes] * scale)
        going[nodes] = np.minimum(on_grid(trie.depth[nodes] * trie.rate[nodes] * scale), best[nodes])
        return View(trie, self.scale, end, best, going)
