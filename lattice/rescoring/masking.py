"""Private words stay here: placeholders go out in their place, and come back as the words."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..lattice import Lattice

PLACEHOLDER = re.compile(r"<([^<>:\s]+):\d+>")
"""What stands for a private word: its class and a number."""


@dataclass(frozen=True)
class Masking:
    """Which words are private, by class. Phrases of several words are private word by word."""

    classes: Mapping[str, Collection[str]] = field(default_factory=dict, repr=False)
    """Words or phrases of each class, such as the names of ``contact``."""

    @property
    def words(self) -> dict[str, str]:
        """Each private word, in lower case, with its class."""
        return {
            word: name
            for name, phrases in self.classes.items()
            for phrase in phrases
            for word in phrase.lower().split()
        }

    def __or__(self, other: "Masking") -> "Masking":
        """Return what masks the words of both."""
        if not self.classes or not other.classes:
            return self if self.classes else other
        names = {*self.classes, *other.classes}
        return Masking({name: [*self.classes.get(name, ()), *other.classes.get(name, ())] for name in names})

    def mask(self, lattice: Lattice) -> "Masked":
        """Return the lattice with placeholders; the same word gets the same, other words get others.

        A word that is private is masked wherever it stands, also where something else was meant.
        """
        private = self.words
        there = set(lattice.words)
        names: list[str] = []
        back: dict[str, str] = {}
        for word in lattice.words:
            name = private.get(_bare(word))
            if name is None:
                names.append(word)
                continue
            number = len(back) + 1
            while f"<{name}:{number}>" in there:
                number += 1
            there.add(f"<{name}:{number}>")
            names.append(f"<{name}:{number}>")
            back[names[-1]] = word
        return Masked(replace(lattice, words=tuple(names)), back)

    def without_private(self, phrases: Iterable[str]) -> tuple[str, ...]:
        """Return the phrases in which no word is private."""
        private = self.words
        return tuple(phrase for phrase in phrases if not any(_bare(word) in private for word in phrase.split()))


def _bare(word: str) -> str:
    # of "Anna's", "anna"
    lower = word.lower()
    return lower[:-2] if lower.endswith(("'s", "\u2019s")) else lower


@dataclass(frozen=True)
class Masked:
    """A lattice with placeholders, and what they stand for."""

    lattice: Lattice
    """What may leave the device."""
    back: Mapping[str, str] = field(repr=False)
    """The word of each placeholder; never sent."""

    def unmask(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return the words with what the placeholders stand for."""
        return tuple(self.back.get(word, word) for word in words)


NOTHING_PRIVATE = Masking()
