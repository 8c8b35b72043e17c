"""What was asked for: the phrases that fill the classes of a template, found in words or in a lattice of them.

A command such as "make me a $SIZE [$ROAST] $DRINK [with $MILK]" fits words in which its own words and one phrase for
each class stand in order. Whatever else was said counts as filler, at a price. In a lattice, the best path that fits
need not be the best of all: what the search held less likely but makes sense wins against what does not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .errors import BiasingError
from .templates import Templates

DEFAULT_FILLER = 2.0
"""Price of a word that the template does not have (natural logarithm)."""
_END = "__end"
"""Begins the class that stands behind the templates of each intent, so that one can tell where they may end."""


class WordGraph(Protocol):
    """Words between nodes in topological order, as a word lattice has them; paths begin in node 0."""

    @property
    def words(self) -> Sequence[str]:
        """The words that occur."""

    @property
    def source(self) -> npt.NDArray[np.signedinteger[Any]]:
        """[arcs] Node an arc leaves, never decreasing."""

    @property
    def target(self) -> npt.NDArray[np.signedinteger[Any]]:
        """[arcs] Node an arc enters, greater than its source."""

    @property
    def word(self) -> npt.NDArray[np.signedinteger[Any]]:
        """[arcs] Index into ``words``."""

    @property
    def totals(self) -> npt.NDArray[np.float64]:
        """[arcs] Score (natural logarithm)."""

    @property
    def final_totals(self) -> npt.NDArray[np.float64]:
        """[nodes] Score of ending there; -inf where no path ends."""


@dataclass(frozen=True)
class Filled:
    """A command that was understood."""

    slots: dict[str, str]
    """Class to phrase, as it was listed; classes are those of the template, lower case."""
    words: tuple[str, ...]
    """All words of the path, fillers too."""
    fillers: int
    """Words of them that are no part of the template."""
    score: float
    """Total of the path less the price of its fillers."""
    intent: str = ""
    """What the template stands for; empty where the templates have no names."""


@dataclass(frozen=True)
class _Chain:
    """Words one after the other."""

    words: Sequence[str]

    @property
    def source(self) -> npt.NDArray[np.int64]:
        return np.arange(len(self.words))

    @property
    def target(self) -> npt.NDArray[np.int64]:
        return np.arange(1, len(self.words) + 1)

    word = source

    @property
    def totals(self) -> npt.NDArray[np.float64]:
        return np.zeros(len(self.words))

    @property
    def final_totals(self) -> npt.NDArray[np.float64]:
        return np.where(np.arange(len(self.words) + 1) == len(self.words), 0.0, -np.inf)


_State = tuple[int, str, int]
"""Place in the templates, class of the phrase that is being said ("" for none) and where in its phrases."""


@dataclass(frozen=True)
class _Step:
    """The best way to a state at a node."""

    score: float
    before: "_Step | None"
    word: str
    filler: bool
    filled: tuple[str, str] | None
    """Class and phrase that is said in full with this word."""


class SlotGrammar:
    """Templates and the phrases of their classes.

    >>> grammar = SlotGrammar(["[make me] a [$SIZE] $DRINK"], {"size": ["large"], "drink": ["mocha"]})
    >>> grammar.fill("make me a large mocha please".split()).slots
    {'size': 'large', 'drink': 'mocha'}
    """

    def __init__(
        self,
        templates: Sequence[str] | Mapping[str, Sequence[str]],
        classes: Mapping[str, Iterable[str]],
        *,
        filler: float = DEFAULT_FILLER,
    ) -> None:
        """Make the grammar.

        Args:
            templates: as for biasing; words and classes in order. By intent, if there are several.
            classes: name to phrases; letter case does not matter.
            filler: price of a word that is no part of a template.

        Raises:
            BiasingError: a template cannot be read or names a class without phrases; ``filler`` is negative.
        """
        if not filler >= 0:
            raise BiasingError(f"filler is {filler}: expected 0 or more")
        intents = templates if isinstance(templates, Mapping) else {"": templates}
        named = Templates.parse([text for texts in intents.values() for text in texts]).classes
        listed = {name.lower(): tuple(phrases) for name, phrases in classes.items()}
        for name in sorted(named - listed.keys()):
            raise BiasingError(f"a template has ${name.upper()}, a class without phrases; there are {sorted(listed)}")
        self.phrases = {name: listed[name] for name in sorted(named)}
        """Of the classes that templates name."""
        ends = {f"{_END}{number}": intent for number, intent in enumerate(intents)}
        net = Templates.parse([f"({text}) ${end}" for end, intent in ends.items() for text in intents[intent]])
        self.beginning = net.beginning
        """Places where a template begins."""
        self.ends = tuple(tuple(ends[name] for name in by_class if name in ends) for by_class in net.by_class)
        """[places] Intents whose templates may end there."""
        self.by_word = net.by_word
        """[places] Where each word leads."""
        self.by_class = tuple(
            {name: after for name, after in by_class.items() if name not in ends} for by_class in net.by_class
        )
        """[places] Where a phrase of each class leads."""
        self._filler = filler
        # entries of phrases are numbered, so that a state is a small tuple
        self._next: dict[str, list[dict[str, int]]] = {}
        self._said: dict[str, list[str | None]] = {}
        for name, phrases in self.phrases.items():
            self._add(name, phrases)

    def fill(self, words: Sequence[str]) -> Filled | None:
        """Return what the words ask for, with as few fillers as possible; None if no template fits."""
        return self.fill_best(_Chain(words))

    def fill_best(self, graph: WordGraph) -> Filled | None:
        """Return what the path with the highest score asks for; None if no template fits any path.

        A path's score is its total less the price of its fillers. Exact, in time that grows with arcs times places.
        """
        at: list[dict[_State, _Step]] = [{} for _ in range(len(graph.final_totals))]
        at[0] = {(place, "", 0): _Step(0.0, None, "", False, None) for place in self.beginning}
        words = [word.lower() for word in graph.words]
        rows = zip(
            graph.source.tolist(), graph.target.tolist(), graph.word.tolist(), graph.totals.tolist(), strict=True
        )
        for source, target, number, total in rows:  # sources never decrease and come before targets: all is settled
            entering = at[target]
            for state, step in at[source].items():
                for after, filler, filled in self._follow(state, words[number]):
                    score = step.score + total - self._filler * filler
                    known = entering.get(after)
                    if known is None or score > known.score:
                        entering[after] = _Step(score, step, graph.words[number], filler, filled)
        ends = [
            (step.score + final, step, self.ends[place][0])
            for states, final in zip(at, graph.final_totals.tolist(), strict=True)
            for (place, name, _), step in states.items()
            if final > -np.inf and not name and self.ends[place]
        ]
        return _filled(*max(ends, key=itemgetter(0))) if ends else None

    def _add(self, name: str, phrases: Iterable[str]) -> None:
        follow: list[dict[str, int]] = [{}]
        said: list[str | None] = [None]
        for phrase in phrases:
            entry = 0
            for word in phrase.lower().split():
                new = len(follow)
                entry = follow[entry].setdefault(word, new)
                if entry == new:
                    follow.append({})
                    said.append(None)
            if entry and said[entry] is None:
                said[entry] = phrase
        self._next[name], self._said[name] = follow, said

    def _follow(self, state: _State, word: str) -> Iterable[tuple[_State, bool, tuple[str, str] | None]]:
        """Yield the states to which a word leads, whether it is a filler, and what it completes."""
        place, name, entry = state
        if name:
            yield from self._phrase(place, name, entry, word)
            return
        yield state, True, None
        for after in self.by_word[place].get(word, ()):
            yield (after, "", 0), False, None
        for name in self.by_class[place]:
            yield from self._phrase(place, name, 0, word)

    def _phrase(
        self, place: int, name: str, entry: int, word: str
    ) -> Iterable[tuple[_State, bool, tuple[str, str] | None]]:
        entry = self._next[name][entry].get(word, 0)
        if entry:
            yield (place, name, entry), False, None
            said = self._said[name][entry]
            if said is not None:
                for after in self.by_class[place][name]:
                    yield (after, "", 0), False, (name, said)


def _filled(score: float, last: _Step, intent: str) -> Filled:
    path: list[_Step] = []
    step: _Step | None = last
    while step is not None and step.before is not None:
        path.append(step)
        step = step.before
    path.reverse()
    return Filled(
        dict(each.filled for each in path if each.filled is not None),
        tuple(each.word for each in path),
        sum(each.filler for each in path),
        score,
        intent,
    )
