"""Carrier phrases: where a class fits. "call $CONTACT", "turn (on|off) [the] $DEVICE [in the $ROOM]".

Words stand for themselves; ``$NAME`` for a phrase of that class; ``[...]`` may be left out; ``(a|b)`` is one of
several; ``*`` after a group repeats it, also not at all. A template holds from any word on where it begins with a
word, and only from the beginning of the utterance where it begins with a class.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .errors import BiasingError

_PARTS = re.compile(r"\s*(\$\w+|[\[\]()|*]|[^\s\[\]()|*$]+|\$)")
MAX_LENGTH = 10_000
"""Characters of one template."""
MAX_DEPTH = 50
"""Groups within groups."""
Places = frozenset[int]
"""Where in the templates one is, all at once."""


@dataclass
class _Net:
    """States of the automaton while it is built."""

    epsilon: list[list[int]] = field(default_factory=list)
    words: list[dict[str, set[int]]] = field(default_factory=list)
    classes: list[dict[str, set[int]]] = field(default_factory=list)

    def add(self) -> int:
        self.epsilon.append([])
        self.words.append({})
        self.classes.append({})
        return len(self.epsilon) - 1


class _Parser:
    """One template into the net, by recursive descent (Thompson's construction)."""

    def __init__(self, text: str, net: _Net) -> None:
        self._text, self._net = text, net
        self._parts = _PARTS.findall(text)
        self._next = 0
        self._depth = 0

    def parse(self) -> int:
        """Return the first state."""
        start, _ = self._alternatives()
        if self._next < len(self._parts):
            self._fail(f"{self._parts[self._next]!r} closes nothing")
        return start

    def _fail(self, problem: str) -> None:
        raise BiasingError(f"template {self._text[:80]!r}: {problem}; expected for example 'call $CONTACT [please]'")

    def _peek(self) -> str:
        return self._parts[self._next] if self._next < len(self._parts) else ""

    def _alternatives(self) -> tuple[int, int]:
        net = self._net
        start, end = net.add(), net.add()
        while True:
            first, last = self._sequence()
            net.epsilon[start].append(first)
            net.epsilon[last].append(end)
            if self._peek() != "|":
                return start, end
            self._next += 1

    def _sequence(self) -> tuple[int, int]:
        start = end = self._net.add()
        while self._peek() not in ("", "|", ")", "]"):
            first, last = self._one()
            self._net.epsilon[end].append(first)
            end = last
        return start, end

    def _one(self) -> tuple[int, int]:
        net, part = self._net, self._peek()
        self._next += 1
        if part in "([":
            self._depth += 1
            if self._depth > MAX_DEPTH:
                self._fail(f"more than {MAX_DEPTH} groups within groups")
            start, end = self._alternatives()
            if self._peek() != {"(": ")", "[": "]"}[part]:
                self._fail(f"{part!r} is not closed")
            self._next += 1
            self._depth -= 1
            if part == "[":
                net.epsilon[start].append(end)
        elif part in ("*", "$"):
            self._fail(f"a lone {part!r}")
        else:
            start, end = net.add(), net.add()
            edges = net.classes[start] if part[0] == "$" else net.words[start]
            edges[part[1:].lower() if part[0] == "$" else part.lower()] = {end}
        if self._peek() == "*":
            self._next += 1
            around, after = net.add(), net.add()
            net.epsilon[around] += [start, after]
            net.epsilon[end].append(around)
            start, end = around, after
        return start, end


@dataclass(frozen=True)
class Templates:
    """Templates as one automaton over words and classes, followed in all places at once."""

    texts: tuple[str, ...] = ()
    """As they were written."""
    words: tuple[str, ...] = ()
    """The words in them, each once, lower case."""
    classes: frozenset[str] = frozenset()
    """The classes in them, lower case."""
    beginning: Places = frozenset()
    """Where one is when the utterance begins."""
    anywhere: Places = frozenset()
    """Where one is before any word."""
    by_word: tuple[dict[str, Places], ...] = ()
    """[places] From each place, where a word leads."""
    by_class: tuple[dict[str, Places], ...] = ()
    """[places] From each place, where a phrase of a class leads."""

    @classmethod
    def parse(cls, texts: Sequence[str]) -> "Templates":
        """Read templates.

        Raises:
            BiasingError: a template is too long, or its brackets do not fit; names it.
        """
        net = _Net()
        starts = []
        for text in texts:
            if len(text) > MAX_LENGTH:
                raise BiasingError(f"template {text[:40]!r}...: {len(text)} characters; at most {MAX_LENGTH} are used")
            starts.append(_Parser(text, net).parse())
        closures: dict[int, Places] = {}

        def closure(states: set[int]) -> Places:
            seen: set[int] = set()
            for state in states:
                if state not in closures:
                    reached, waiting = {state}, [state]
                    while waiting:
                        new = [k for k in net.epsilon[waiting.pop()] if k not in reached]
                        reached.update(new)
                        waiting += new
                    # the last place of all stays: being there says that a template has been said
                    closures[state] = frozenset(k for k in reached if net.words[k] or net.classes[k]) or frozenset(
                        [state]
                    )
                seen |= closures[state]
            return frozenset(seen)

        beginning = closure(set(starts))
        return cls(
            tuple(texts),
            tuple(sorted({word for edges in net.words for word in edges})),
            frozenset(name for edges in net.classes for name in edges),
            beginning,
            frozenset(place for place in beginning if net.words[place]),
            tuple({word: closure(targets) for word, targets in edges.items()} for edges in net.words),
            tuple({name: closure(targets) for name, targets in edges.items()} for edges in net.classes),
        )

    def after_word(self, places: Places, words: frozenset[str]) -> Places:
        """Return where one of ``words`` leads from ``places``."""
        found: Places = frozenset()
        for place in places:
            for word, target in self.by_word[place].items():
                if word in words:
                    found |= target
        return found

    def after_class(self, places: Places, name: str) -> Places:
        """Return where a phrase of a class leads from ``places``: nowhere if it does not fit there."""
        found: Places = frozenset()
        for place in places:
            found |= self.by_class[place].get(name, frozenset())
        return found
