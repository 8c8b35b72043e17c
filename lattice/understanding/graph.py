"""Words with what may stand beside them: a text, or a lattice with its posteriors, in the same form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..lattice import Lattice
from ..posterior import posteriors
from ..prune import limit_arcs
from .weights import Doubles, Ints, Weights
from .words import BEGIN, END, NUM_ATTRIBUTES, Keys, attributes, hash_of

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
        found = self.fine.rows(words)
        out = np.zeros(len(words), np.int64)
        out[found.key] = np.clip(np.rint(found.weight), 0, len(self.coarse) - 1)
        return out


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


def graph_of_lattice(lattice: Lattice, classes: WordClasses | None, max_arcs: int, scale: float) -> Graph:
    """Return the graph of a lattice, in which at most ``max_arcs`` are left, or its best path.

    Args:
        lattice: what may have been said.
        classes: of words, if there are any.
        max_arcs: the best that are kept; a bound on time.
        scale: of scores where they become probabilities, as for ``posteriors``.
    """
    small = limit_arcs(lattice, max_arcs)
    words = tuple(word.lower() for word in small.words)
    return Graph(
        words,
        _attributes(words, classes),
        small.source.astype(np.int64),
        small.target.astype(np.int64),
        small.word.astype(np.int64),
        posteriors(small, scale),
        small.totals,
        small.final_totals,
        small,
    )


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
