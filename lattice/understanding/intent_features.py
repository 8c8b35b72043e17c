"""Features of what is asked for, and how often each is to be expected in a lattice.

Words, pairs of words, character n-grams within words, classes of words and pairs of them, classes of listed phrases.
In a text each counts once. In a lattice a feature counts as often as it is to be expected under the posteriors (Cortes,
Haffner and Mohri 2004, "Rational kernels"), at most once: what may have been said instead speaks too, less loudly.
"""

import numpy as np

from .graph import COARSE, FINE, Graph, Listed
from .weights import Doubles, Ints
from .words import PLAIN, Keys, character_grams, combined, hash_of

_WORD, _PAIR, _CHARACTERS, _COARSE_PAIR, _FINE, _COARSE, _LISTED = (
    hash_of("intent " + name) for name in ("word", "pair", "characters", "coarse pair", "fine", "coarse", "listed")
)
ALWAYS = np.array([hash_of("intent always")], np.uint64)
"""The feature that is always there."""


def intent_features(graph: Graph, listed: Listed) -> tuple[Keys, Doubles]:
    """Return features of a graph, each once, and how often they are to be expected, from 0 to 1."""
    words, posterior = graph.word, graph.posterior
    first, second, together = _pairs(graph)
    plain, coarse, fine = (graph.attributes[:, column] for column in (PLAIN, COARSE, FINE))
    keys = [
        ALWAYS,
        combined([_WORD, plain[words]]),
        combined([_PAIR, plain[first], plain[second]]),
        combined([_COARSE_PAIR, coarse[first], coarse[second]]),
        combined([_FINE, fine[words]]),
        combined([_COARSE, coarse[words]]),
    ]
    counts = [np.ones(1), posterior, together, together, posterior, posterior]
    grams = [character_grams(word) for word in graph.words]
    lengths = np.array([len(some) for some in grams], np.int64)
    if len(words):
        held = np.bincount(words, posterior, len(grams))
        keys.append(combined([_CHARACTERS, np.concatenate(grams)]))
        counts.append(np.repeat(held, lengths))
    named = _listed(graph, listed)
    if named:
        keys.append(combined([_LISTED, np.array([hash_of(name) for name in named], np.uint64)]))
        counts.append(np.array(list(named.values())))
    unique, place = np.unique(np.concatenate(keys), return_inverse=True)
    return unique, np.minimum(np.bincount(place, np.concatenate(counts)), 1.0)


def _pairs(graph: Graph) -> tuple[Ints, Ints, Doubles]:
    """Return words that follow each other, both ends included, and how probable that is."""
    visits = np.zeros(graph.num_nodes)
    visits[0] = 1.0
    np.add.at(visits, graph.target, graph.posterior)
    gone = np.bincount(graph.source, graph.posterior, graph.num_nodes)
    with np.errstate(divide="ignore", invalid="ignore"):
        onward = np.where(visits[graph.source] > 0, graph.posterior / visits[graph.source], 0.0)
    begins = np.searchsorted(graph.source, graph.target)
    many = np.searchsorted(graph.source, graph.target, "right") - begins
    before = np.repeat(np.arange(len(graph.word)), many)
    after = np.arange(int(many.sum())) + np.repeat(begins - (np.cumsum(many) - many), many)
    starts = np.flatnonzero(graph.source == 0)
    # what of the visits of a node does not go on ends there
    ends = np.flatnonzero(graph.final_totals[graph.target] > -np.inf)
    into = graph.target[ends]
    with np.errstate(divide="ignore", invalid="ignore"):
        ending = np.where(visits[into] > 0, np.maximum(visits[into] - gone[into], 0.0) / visits[into], 0.0)
    return (
        np.concatenate([graph.word[before], np.full(len(starts), graph.begin), graph.word[ends]]),
        np.concatenate([graph.word[after], graph.word[starts], np.full(len(ends), graph.end)]),
        np.concatenate(
            [graph.posterior[before] * onward[after], graph.posterior[starts], graph.posterior[ends] * ending]
        ),
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
