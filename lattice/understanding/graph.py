"""Words with what may stand beside them: a text, or a lattice with its posteriors, in the same form."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..lattice import Lattice
from ..posterior import arc_posteriors
from ..prune import Mask
from .weights import Doubles, Ints, Weights
from .words import BEGIN, END, NUM_ATTRIBUTES, Keys, attributes, hash_of

NO_CLASS = 0
"""Class of words that have none."""
COARSE, FINE, CASE = range(NUM_ATTRIBUTES, NUM_ATTRIBUTES + 3)
"""Columns of ``Graph.attributes`` behind those of ``words.attributes``."""
KEPT_CLASSES = 2048
"""Places for words whose classes are kept, a power of 2: looking one up takes as long as looking up all of a text."""
_KEPT = np.uint64(KEPT_CLASSES - 1)
_BEGIN_END = np.array([[hash_of(BEGIN)], [hash_of(END)]], np.uint64)


@dataclass(frozen=True, eq=False)
class WordClasses:
    """Which words are used alike: learnt from text without labels, so that a word no label was seen on is known."""

    fine: Weights
    """One column: number of the fine class by hash of the word, from 1."""
    coarse: npt.NDArray[np.integer]
    """[fine classes + 1] Coarse class of each fine class."""

    def of(self, words: Keys) -> Ints:
        """Return the fine class of each word, [n]; 0 where there is none."""
        kept_words, kept_numbers = self._kept
        place = (words & _KEPT).view(np.int64)
        numbers: Ints = kept_numbers[place].astype(np.int64)
        strange = (kept_words[place] != words).nonzero()[0]
        if len(strange):
            found = self.fine.rows(words[strange])
            numbers[strange] = NO_CLASS
            numbers[strange[found.key]] = np.clip(np.rint(found.weight), 0, len(self.coarse) - 1)
            # what has the place of another takes it, word by word: of several the last
            for at, word, number in zip(
                place[strange].tolist(), words[strange].tolist(), numbers[strange].tolist(), strict=True
            ):
                kept_words[at], kept_numbers[at] = word, number
        return numbers

    @cached_property
    def _kept(self) -> tuple[Keys, npt.NDArray[np.uint16]]:
        """Words that were asked for of late, each in the place its last bits name, and their classes."""
        return np.zeros(KEPT_CLASSES, np.uint64), np.zeros(KEPT_CLASSES, np.uint16)


@dataclass(frozen=True, eq=False)
class Heard:
    """When the words of a lattice were heard."""

    start: npt.NDArray[np.float32]
    """[arcs] Seconds at which the word begins."""
    end: npt.NDArray[np.float32]
    """[arcs] Seconds at which it ends."""
    offset: float
    """Seconds of the stream at which time 0 lies."""


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
    heard: Heard | None = None
    """When each word was heard, if it was."""

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


def graph_of_lattice(
    lattice: Lattice, classes: WordClasses | None, scale: float, kept: tuple[Mask, Mask] | None = None
) -> Graph:
    """Return the graph of a lattice.

    Args:
        lattice: what may have been said.
        classes: of words, if there are any.
        scale: of scores where they become probabilities, as for ``posteriors``.
        kept: [arcs] and [nodes] Which arcs to take, and in which nodes paths may end; all unless given. Each arc and
            end lies on a path of others.
    """
    chosen, ends = kept or (np.ones(lattice.num_arcs, bool), np.ones(lattice.num_nodes, bool))
    arcs = chosen.nonzero()[0]
    entered, said = lattice.target[arcs], lattice.word[arcs]
    # nodes and words are counted anew, in the order they had
    nodes, spoken = np.zeros(len(ends), bool), np.zeros(len(lattice.words), bool)
    nodes[0] = True
    nodes[entered] = True
    spoken[said] = True
    number = nodes.cumsum() - 1
    source, target, word = number[lattice.source[arcs]], number[entered], (spoken.cumsum() - 1)[said]
    final_totals = np.where(ends, lattice.final_totals, -np.inf)[nodes]
    totals = lattice.totals[arcs]
    words = tuple([lattice.words[place].lower() for place in spoken.nonzero()[0].tolist()])
    return Graph(
        words,
        _attributes(words, classes),
        source,
        target,
        word,
        arc_posteriors(source, target, totals, final_totals, scale),
        totals,
        final_totals,
        Heard(lattice.start[arcs], lattice.end[arcs], lattice.offset),
    )


def share_within(graph: Graph, words: Collection[str]) -> float:
    """Return how probable it is that a path has no other words than these."""
    inside = [word in words for word in graph.words]
    if not any(inside) and graph.final_totals[0] == -np.inf:
        return 0.0
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
    count = len(words)
    out = np.zeros((count + 2, NUM_ATTRIBUTES + 3), np.uint64)
    out[:, :NUM_ATTRIBUTES] = attributes((*words, BEGIN, END))
    out[count:, COARSE : FINE + 1] = _BEGIN_END
    if classes is not None and words:
        fine = classes.of(out[:count, 0])
        out[:count, FINE] = fine + 1
        out[:count, COARSE] = classes.coarse[fine].astype(np.uint64) + 1
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
