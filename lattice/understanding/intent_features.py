"""Features of what is asked for, and how often each is to be expected in a lattice.

Words, pairs of words, character n-grams within words, classes of words and pairs of them, classes of listed phrases.
In a text each counts once. In a lattice a feature counts as often as it is to be expected under the posteriors (Cortes,
Haffner and Mohri 2004, "Rational kernels"), at most once: what may have been said instead speaks too, less loudly.
"""

import numpy as np

from .graph import COARSE, FINE, Graph, Listed
from .weights import Doubles, Ints
from .words import PLAIN, Keys, character_grams, combined, continued, distinct, hash_of

_SINGLE = tuple(hash_of("intent " + name) for name in ("word", "coarse", "fine", "characters", "listed"))
_PAIR = tuple(hash_of("intent " + name) for name in ("pair", "coarse pair"))
_BEGUN = combined([np.array([*_SINGLE, *_PAIR], np.uint64)])
"""Keys of which each kind's are continued."""
ALWAYS = np.array([hash_of("intent always")], np.uint64)
"""The feature that is always there."""


def intent_features(graph: Graph, listed: Listed) -> tuple[Keys, Doubles]:
    """Return features of a graph, each once and in rising order, and how often they are to be expected, from 0 to 1."""
    words, posterior = graph.word, graph.posterior
    first, second, together = _pairs_of_path(graph) if graph.heard is None else _pairs(graph)
    plain, coarse, fine = (graph.attributes[:, column] for column in (PLAIN, COARSE, FINE))
    grams, lengths = character_grams(graph.words)
    named = _listed(graph, listed)
    classes = np.array([hash_of(name) for name in named], np.uint64)
    # all are hashed together: first what they begin with, then pairs go on
    arcs, pairs = len(words), len(first)
    begun = _BEGUN.repeat([arcs, arcs, arcs, len(grams), len(named), pairs, pairs])
    parts = [plain[words], coarse[words], fine[words], grams, classes, plain[first], coarse[first]]
    keys = continued(begun, np.concatenate(parts))
    singles = len(keys) - 2 * pairs
    keys[singles:] = continued(keys[singles:], np.concatenate([plain[second], coarse[second]]))
    keys = np.concatenate([ALWAYS, keys])
    if graph.heard is None and not named:  # all are sure
        keys.sort()
        fresh = np.ones(len(keys), bool)
        np.not_equal(keys[1:], keys[:-1], out=fresh[1:])
        unique = keys[fresh]
        return unique, np.ones(len(unique))
    held = np.bincount(words, posterior, len(graph.words)).repeat(lengths)
    counts = [np.ones(1), posterior, posterior, posterior, held, np.array(list(named.values())), together, together]
    unique, place = distinct(keys)
    return unique, np.minimum(np.bincount(place, np.concatenate(counts)), 1.0)


def _pairs_of_path(graph: Graph) -> tuple[Ints, Ints, Doubles]:
    """Return what ``_pairs`` does of a graph of one path."""
    first, second = np.append(graph.begin, graph.word), np.append(graph.word, graph.end)
    return first, second, np.ones(len(first))


def _pairs(graph: Graph) -> tuple[Ints, Ints, Doubles]:
    """Return words that follow each other, both ends included, and how probable that is."""
    source, target, posterior = graph.source, graph.target, graph.posterior
    visits = np.bincount(target, posterior, graph.num_nodes)
    visits[0] = 1.0
    gone = np.bincount(source, posterior, graph.num_nodes)
    with np.errstate(divide="ignore", invalid="ignore"):
        onward = np.where(visits[source] > 0, posterior / visits[source], 0.0)
        # what of the visits of a node does not go on ends there
        ending = np.where(visits > 0, np.maximum(visits - gone, 0.0) / visits, 0.0)
    first_arc = source.searchsorted(np.arange(graph.num_nodes + 1))
    begins = first_arc[target]
    many = first_arc[target + 1] - begins
    before = np.arange(len(graph.word)).repeat(many)
    after = np.arange(int(many.sum())) + (begins - (many.cumsum() - many)).repeat(many)
    starts = np.arange(first_arc[1])
    ends = (graph.final_totals[target] > -np.inf).nonzero()[0]
    return (
        np.concatenate([graph.word[before], np.full(len(starts), graph.begin), graph.word[ends]]),
        np.concatenate([graph.word[after], graph.word[starts], np.full(len(ends), graph.end)]),
        np.concatenate([posterior[before] * onward[after], posterior[starts], posterior[ends] * ending[target[ends]]]),
    )


def _listed(graph: Graph, listed: Listed) -> dict[str, float]:
    """Return the classes of phrases that stand in a graph, and how probable they are there, at most 1."""
    found: dict[str, float] = {}
    if not listed.phrases:
        return found
    visits = np.zeros(graph.num_nodes)
    visits[0] = 1.0
    np.add.at(visits, graph.target, graph.posterior)
    begins = np.searchsorted(graph.source, np.arange(graph.num_nodes + 1)).tolist()

    def follow(node: int, words: tuple[str, ...], probability: float) -> None:
        for arc in range(begins[node], begins[node + 1]):
            longer = (*words, graph.words[graph.word[arc]])
            onward = probability * (graph.posterior[arc] / visits[node] if visits[node] else 0.0)
            name = listed.phrases.get(longer)
            if name is not None:
                found[name] = min(1.0, found.get(name, 0.0) + onward)
            if len(longer) < listed.longest:
                follow(int(graph.target[arc]), longer, onward)

    for node in range(graph.num_nodes):
        follow(node, (), float(visits[node]))
    return found
