"""How likely a word is behind the two before it: what tells, in a lattice, which path makes sense."""

import numpy as np

from .graph import Graph
from .slot_features import BEFORE
from .weights import Doubles, Ints, Weights
from .words import PLAIN, Keys, combined, continued, hash_of

ORDER = 3
LOG_PROB, BACKOFF = 0, 1
"""Columns of the weights."""
UNKNOWN = -9.0
"""Log-probability of a word that is not known."""
_ORDERS = tuple(hash_of(f"language {order}") for order in range(1, ORDER + 1))

_FIRST, _SECOND, _THIRD = range(3)
_BEGUN = combined([np.array([_ORDERS[number] for number in (0, 0, 1, 1, 2)], np.uint64)])[:, None]
"""Keys of the third word, the second, first and second, second and third, all three; hashed together, word by word."""
_HEADS, _NEXT = [_THIRD, _SECOND, _FIRST, _SECOND, _FIRST], [_SECOND, _THIRD, _SECOND]
"""First word of each key, and second of those that have two and more, which are the last."""


def ngram_keys(words: Keys) -> Keys:
    """Return the keys of n-grams of words, given as hashes [n-grams, 1 to 3]."""
    return combined([_ORDERS[words.shape[1] - 1], *words.T])


def language_scores(graph: Graph, windows: Ints, weights: Weights) -> Doubles:
    """Return the log-probability of the middle word of windows, [windows], by an n-gram model with backoff.

    Args:
        graph: where the words stand.
        windows: [windows, 5] Words by number in the graph.
        weights: log-probability and backoff of each n-gram.
    """
    near = graph.attributes[:, PLAIN].take(windows.T[: BEFORE + 1])
    keys = continued(_BEGUN, near[_HEADS])
    keys[2:] = continued(keys[2:], near[_NEXT])
    keys[4] = continued(keys[4], near[_THIRD])
    found = weights.rows(keys.ravel())
    table = np.zeros((keys.size, 2))
    table[found.key, found.column] = found.weight
    one, shorter, longer, two, three = table.reshape(*keys.shape, 2)
    out = np.where(one[:, LOG_PROB] < 0, one[:, LOG_PROB], UNKNOWN)
    out = np.where(two[:, LOG_PROB] < 0, two[:, LOG_PROB], shorter[:, BACKOFF] + out)
    scores: Doubles = np.where(three[:, LOG_PROB] < 0, three[:, LOG_PROB], longer[:, BACKOFF] + out)
    return scores
