"""Words with what may stand beside them: a text, or a lattice with its posteriors, in the same form."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..lattice import Lattice
from ..posterior import posteriors
from .weights import Doubles, Ints, Weights
from .words import BEGIN, END, KEPT_WORDS, NUM_ATTRIBUTES, Keys, attributes, hash_of

NO_CLASS = 0
"""Class of words that have none."""
COARSE, FINE, CASE = range(NUM_ATTRIBUTES, NUM_ATTRIBUTES + 3)
"""Columns of ``Vocabulary.attributes`` behind those of ``words.attributes``."""


@dataclass(frozen=True, eq=False)
class WordClasses:
    """Which words are used alike: learnt from text without labels, so that a word no label was seen on is known."""

    fine: Weights
    """One column: number of the fine class by hash of the word, from 1."""
    coarse: npt.NDArray[np.integer]
    """[fine classes + 1] Coarse class of each fine class."""

    def of(self, words: Keys) -> Ints:
        """Return the fine class of each word, [n]; 0 where there is none."""
        kept = self._kept
        known = {word: kept.get(word) for word in words.tolist()}
        strange = np.array([word for word, number in known.items() if number is None], np.uint64)
        if len(strange):
            found = self.fine.rows(strange)
            numbers = np.zeros(len(strange), np.int64)
            numbers[found.key] = np.clip(np.rint(found.weight), 0, len(self.coarse) - 1)
            looked_up = dict(zip(strange.tolist(), numbers.tolist(), strict=True))
            known |= looked_up
            if len(kept) > KEPT_WORDS:
                kept.clear()
            if len(looked_up) <= KEPT_WORDS:
                kept.update(looked_up)
        return np.array([known[word] for word in words.tolist()], np.int64)

    @cached_property
    def _kept(self) -> dict[int, int]:
        """Classes of words that were asked for of late: frequent ones come again."""
        return {}


@dataclass(frozen=True, eq=False)
class Graph:
    """Words between nodes, and how probable each is. Node 0 is the start; sources never decrease."""

    words: tuple[str, ...]
    """The words that occur. Behind them two more have numbers: what stands before and after all."""
    attributes: Keys
    """[words + 2, 9] Hashes of each word, its classes, and its capitals in a text that has some."""
    source: Ints
    """[arcs] Node an arc leaves."""
    target: Ints
    """[arcs] Node an arc enters; always greater than its source."""
    word: Ints
    """[arcs] Index into ``words``."""
    posterior: Doubles
    """[arcs] Probability of a path through the arc."""
    totals: Doubles
    """[arcs] Score of the search (natural logarithm)."""
    final_totals: Doubles
    """[nodes] Score of ending there; -inf where no path ends."""
    lattice: Lattice | None = None
    """The lattice with the same arcs, if it is of one."""

    @property
    def begin(self) -> int:
        """Number of what stands before the first word."""
        return len(self.words)

    @property
    def end(self) -> int:
        """Number of what stands behind the last word."""
        return len(self.words) + 1

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return len(self.final_totals)


def graph_of_words(words: Sequence[str], classes: WordClasses | None, cases: Sequence[str] = ()) -> Graph:
    """Return the graph of a text: one path.

    Args:
        words: in lower case.
        classes: of words, if there are any.
        cases: capitals of each word, as ``Token`` has them; none if they are not known.
    """
    said = list(zip(words, cases, strict=True)) if cases else [(word, "") for word in words]
    named = {one: number for number, one in enumerate(dict.fromkeys(said))}
    spelled = tuple(word for word, _ in named)
    attributes_of_words = _attributes(spelled, classes)
    if cases and any(cases):
        attributes_of_words[: len(spelled), CASE] = [hash_of("case " + case) for _, case in named]
        attributes_of_words[len(spelled) :, CASE] = [hash_of(BEGIN), hash_of(END)]
    count = len(words)
    finals = np.full(count + 1, -np.inf)
    finals[count] = 0.0
    return Graph(
        spelled,
        attributes_of_words,
        np.arange(count),
        np.arange(1, count + 1),
        np.array([named[one] for one in said], np.int64),
        np.ones(count),
        np.zeros(count),
        finals,
    )


def graph_of_lattice(lattice: Lattice, classes: WordClasses | None, scale: float) -> Graph:
    """Return the graph of a lattice.

    Args:
        lattice: what may have been said.
        classes: of words, if there are any.
        scale: of scores where they become probabilities, as for ``posteriors``.
    """
    words = tuple(word.lower() for word in lattice.words)
    return Graph(
        words,
        _attributes(words, classes),
        lattice.source.astype(np.int64),
        lattice.target.astype(np.int64),
        lattice.word.astype(np.int64),
        posteriors(lattice, scale),
        lattice.totals,
        lattice.final_totals,
        lattice,
    )


def share_within(graph: Graph, words: Collection[str]) -> float:
    """Return how probable it is that a path has no other words than these."""
    inside = [word in words for word in graph.words]
    visits, share = [0.0] * graph.num_nodes, [0.0] * graph.num_nodes
    visits[0] = share[0] = 1.0
    arcs = zip(*(row.tolist() for row in (graph.source, graph.target, graph.word, graph.posterior)), strict=True)
    left = [0.0] * graph.num_nodes
    for source, target, word, probability in arcs:
        visits[target] += probability
        left[source] += probability
        if inside[word] and visits[source] > 0:
            share[target] += share[source] * probability / visits[source]
    # what of the visits of a node does not go on ends there
    ends = [max(0.0, come - gone) / come if come else 0.0 for come, gone in zip(visits, left, strict=True)]
    return float(np.dot(share, ends))


def _attributes(words: tuple[str, ...], classes: WordClasses | None) -> Keys:
    out = np.zeros((len(words) + 2, NUM_ATTRIBUTES + 3), np.uint64)
    for number, word in enumerate((*words, BEGIN, END)):
        out[number, :NUM_ATTRIBUTES] = attributes(word)
    if classes is not None and words:
        fine = classes.of(out[: len(words), 0])
        out[: len(words), FINE] = fine + 1
        out[: len(words), COARSE] = classes.coarse[fine].astype(np.uint64) + 1
    out[len(words) :, COARSE : FINE + 1] = [[hash_of(BEGIN)], [hash_of(END)]]
    return out


@dataclass(frozen=True)
class Listed:
    """Phrases of classes that are known when words are heard, such as contacts: they may change at any time."""

    phrases: Mapping[tuple[str, ...], str]
    """Words of a phrase, in lower case, to the name of its class."""

    def class_of(self, words: Sequence[str], at: int) -> str:
        """Return the class of the longest phrase that holds the word at a place; empty if none does."""
        best, longest = "", 0
        for first in range(max(0, at - self.longest + 1), at + 1):
            for end in range(min(len(words), first + self.longest), at, -1):
                if end - first <= longest:
                    break
                name = self.phrases.get(tuple(words[first:end]))
                if name is not None:
                    best, longest = name, end - first
                    break
        return best

    @property
    def longest(self) -> int:
        """Words of the longest phrase that can be found: no more than are seen to either side."""
        return 3


NOTHING_LISTED = Listed({})
