"""A trie over token sequences as arrays: built in one go, never changed; an edit makes a copy of a few columns."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
GRID = 1024.0
"""Scores are multiples of 1 / GRID: their sums are exact, so equal states have equal scores, to the last bit."""


PRICE_SHARE = 0.75
"""Of what a phrase is worth, its price takes this share at most: all on a list earn something."""
KEPT_VIEWS = 4
"""Of one trie: inside and outside of templates, now and before."""
Costs = Callable[[Ints, Ints, Ints], Floats]
"""What each node's token costs, [nodes]: of parents, tokens and depths, [nodes] each, the root being the first."""


def on_grid(values: Floats) -> Floats:
    """Round scores to what adds up without error."""
    rounded: Floats = np.rint(values * np.float32(GRID)) / np.float32(GRID)
    return rounded


@dataclass(frozen=True, eq=False)
class PhraseTrie:
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
    cost: Floats
    """[nodes] Sum of the costs of the tokens up to here: how unlikely the model finds them."""
    end: Floats
    """[nodes] Weight of the sequence that ends here, its boost times its cost; 0 where none does."""
    best: Floats
    """[nodes] Greatest weight of what ends here or further down."""
    boost: Floats
    """[nodes] Greatest boost of what ends here or further down."""

    views: "dict[tuple[float, float], View]" = field(default_factory=dict)
    """By scale and price, what was made of it before."""

    @classmethod
    def build(
        cls, sequences: Iterable[Sequence[int]], boosts: Iterable[float], costs: Costs | None = None
    ) -> "PhraseTrie":
        """Build from sequences of one token or more and their boosts, greater than 0; without costs, a token costs 1.

        Of a sequence that is there more than once the greatest boost counts.
        """
        return cls.build_with_ends(sequences, boosts, costs)[0]

    @classmethod
    def build_with_ends(
        cls, sequences: Iterable[Sequence[int]], boosts: Iterable[float], costs: Costs | None = None
    ) -> "tuple[PhraseTrie, Ints]":
        """Build; returns also the node at which each sequence ends, [sequences]."""
        sequences = list(sequences)
        count = len(sequences)
        lengths = np.fromiter(map(len, sequences), np.int32, count)
        width = int(lengths.max()) if count else 0
        columns = np.arange(width)
        matrix = np.full((count, width), -1, np.int32)
        if count:
            matrix[columns < lengths[:, None]] = np.fromiter(
                itertools.chain.from_iterable(sequences), np.int32, int(lengths.sum())
            )
        order = np.lexsort(matrix.T[::-1]) if width else np.zeros(0, np.intp)
        matrix, lengths, own = matrix[order], lengths[order], np.fromiter(boosts, np.float32, count)[order]
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
        boost = np.zeros(nodes, np.float32)
        ends = np.zeros(count, np.int32)
        if count:
            last = path[np.arange(count), lengths - 1]
            np.maximum.at(boost, last, own)
            ends[order] = last
        layers = np.argsort(depth, kind="stable")
        bounds = np.searchsorted(depth[layers], np.arange(width + 2))
        levels = [layers[begin:end] for begin, end in itertools.pairwise(bounds.tolist())][1:]
        cost = depth.astype(np.float32) if costs is None else costs(parent, token, depth)
        if costs is not None:
            for layer in levels:
                cost[layer] += cost[parent[layer]]
        end = boost * cost
        best = end.copy()
        for layer in reversed(levels):
            np.maximum.at(best, parent[layer], best[layer])
            np.maximum.at(boost, parent[layer], boost[layer])
        children = by_parent.astype(np.int32)
        return cls(parent, token, depth, first, token[by_parent], children, cost, end, best, boost), ends

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

    def view(self, scale: float, price: float = 0.0) -> "View":
        """Return the trie with its weights less the price scaled to scores; the same again and again."""
        view = self.views.get((scale, price))
        if view is None:
            while len(self.views) >= KEPT_VIEWS:  # prices change with the length of a list
                del self.views[next(iter(self.views))]
            view = self.views[scale, price] = View(self, scale, price, *_scores(self, scale, price, slice(None)))
        return view

    def with_boosts(self, nodes: Sequence[int], boosts: Sequence[float]) -> "PhraseTrie":
        """Return a trie in which what ends in ``nodes`` has other boosts; 0 takes a sequence out."""
        end, best, boost = self.end.copy(), self.best.copy(), self.boost.copy()
        touched: dict[int, None] = {}
        for last, new in zip(nodes, boosts, strict=True):
            end[last] = new * self.cost[last]
            node = last
            while True:
                touched[node] = None
                below = self.children[self.first_child[node] : self.first_child[node + 1]]
                best[node] = max(end[node], best[below].max(initial=0.0))
                own = end[node] / self.cost[node] if node else np.float32(0.0)
                boost[node] = max(own, boost[below].max(initial=0.0))
                if node == 0:
                    break
                node = int(self.parent[node])
        edited = replace(self, end=end, best=best, boost=boost, views={})
        changed = np.fromiter(touched, np.int32, len(touched))
        for key, view in list(self.views.items()):
            edited.views[key] = view.patched(edited, changed)
        return edited


def _scores(trie: PhraseTrie, scale: float, price: float, nodes: Ints | slice) -> tuple[Floats, Floats, Floats]:
    """Return what ``View`` has of the nodes: end, best and going."""
    end, best = trie.end[nodes], trie.best[nodes]
    factor, price = np.float32(scale), np.float32(price)
    priced = [on_grid((each - np.minimum(price, PRICE_SHARE * each)) * factor) for each in (end, best)]
    return priced[0], priced[1], on_grid(np.minimum(trie.cost[nodes] * trie.boost[nodes], best) * factor)


@dataclass(frozen=True, eq=False)
class View:
    """A trie whose weights are scaled to scores."""

    trie: PhraseTrie
    scale: float
    """Score per weight."""
    price: float
    """Weight that every phrase costs, but never more than its ``PRICE_SHARE``."""
    end: Floats
    """[nodes] Score of the phrase that ends here, 0 where none does."""
    best: Floats
    """[nodes] Greatest score that can still come."""
    going: Floats
    """[nodes] What is given in advance, as the phrase goes along: that of its tokens so far, the price to come."""

    def root_row(self, vocab_size: int) -> Floats:
        """Return what beginning with each token gives in advance, [vocab_size]."""
        row = np.zeros(vocab_size, np.float32)
        children = self.trie.children[: self.trie.first_child[1]]
        row[self.trie.token[children]] = self.going[children]
        return row

    def patched(self, trie: PhraseTrie, nodes: Ints) -> "View":
        """Return the view of a trie that differs in ``nodes``."""
        arrays = self.end.copy(), self.best.copy(), self.going.copy()
        for array, scores in zip(arrays, _scores(trie, self.scale, self.price, nodes), strict=True):
            array[nodes] = scores
        return View(trie, self.scale, self.price, *arrays)
