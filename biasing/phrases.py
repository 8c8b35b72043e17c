"""What is to be boosted: phrases with their class, and what cannot be used, with the reason."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

CLASSES = ("contact", "device", "room", "media", "screen")
"""Classes that mean something here; any other name is the user's own."""
DEFAULT_CLASS = "phrase"
"""Class of what comes without one."""
MAX_CHARACTERS = 200
"""A phrase is what one says in one breath; longer ones are refused."""
MIN_BOOST, MAX_BOOST = 0.1, 10.0
SHOWN = 60
"""Characters of a text that a message shows."""
LOST_LETTER = "\ufffd"
"""What stands for a letter that could not be read."""


@dataclass(frozen=True)
class Phrase:
    """One phrase to boost."""

    text: str
    """As it was written, single spaces."""
    cls: str = DEFAULT_CLASS
    """Class, lower case."""
    boost: float = 1.0
    """Weight relative to the other phrases of the class."""
    source: str = ""
    """Where it comes from, for messages: a file name."""
    line: int = 0
    """Line, or number of the entry, in the source; 0 where there is none."""


@dataclass(frozen=True)
class Refused:
    """Something that cannot be used; all the rest is. Or that can, but is not as it should be."""

    line: int
    """Line, or number of the entry, in the source; 0 where there is none."""
    text: str
    """What was there, shortened."""
    reason: str
    """What is wrong with it."""
    source: str = ""
    """Where it comes from: a file name."""
    is_used: bool = False
    """Whether it is used all the same."""

    def __str__(self) -> str:
        """Return one line for people."""
        place = ":".join(str(part) for part in (self.source, self.line) if part)
        used = "is used, but see" if self.is_used else "is not used"
        return f"{place + ': ' if place else ''}{self.text!r} {used}: {self.reason}"


@dataclass(frozen=True)
class PhraseList:
    """Phrases that can be used, each once, and what was refused."""

    phrases: tuple[Phrase, ...] = ()
    refused: tuple[Refused, ...] = ()

    @classmethod
    def of(cls, phrases: Iterable[Phrase], refused: Iterable[Refused] = ()) -> "PhraseList":
        """Sort out what is empty, over-long, not text, or there already."""
        kept: dict[tuple[str, str], Phrase] = {}
        out = list(refused)
        for phrase in phrases:
            problem = problem_of(phrase)
            if problem is None:
                text, name = " ".join(phrase.text.split()), phrase.cls.strip().lower()
                if (text, name) != (phrase.text, phrase.cls):
                    phrase = replace(phrase, text=text, cls=name)  # noqa: PLW2901
                first = kept.setdefault((phrase.cls, phrase.text.casefold()), phrase)
                if first is not phrase:
                    problem = f"there already as a {phrase.cls}" + (f" in line {first.line}" if first.line else "")
            if problem is not None:
                out.append(Refused(phrase.line, shortened(phrase.text), problem, phrase.source))
        return cls(tuple(kept.values()), tuple(out))


def problem_of(phrase: Phrase) -> str | None:
    """Return what is wrong with a phrase whatever the model, None if nothing is."""
    if len(phrase.text) > MAX_CHARACTERS:
        return f"{len(phrase.text)} characters; at most {MAX_CHARACTERS} are used, say what is distinctive"
    if not phrase.text.strip():
        return "empty"
    strange = (
        ""
        if phrase.text.isprintable() and LOST_LETTER not in phrase.text
        else next(filter(_is_strange, phrase.text), "")
    )
    if strange:
        return f"holds U+{ord(strange):04X}, which is no character of a text"
    if not MIN_BOOST <= phrase.boost <= MAX_BOOST:  # also refuses NaN
        return f"its boost is {phrase.boost:g}; expected {MIN_BOOST:g} to {MAX_BOOST:g}, 1 where nothing is said"
    name = phrase.cls.strip()
    if not name.replace("_", "").replace("-", "").isalnum() or len(name) > SHOWN:
        return f"its class is {shortened(phrase.cls)!r}; expected a word such as contact"
    return None


def shortened(text: str) -> str:
    """Return a text short enough for a message."""
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _is_strange(char: str) -> bool:
    # emoji of a newer Unicode than Python's are no reason to refuse a name
    newer = "\U0001f000" <= char <= "\U0001fbff"
    return char == LOST_LETTER or (char != "\t" and not newer and unicodedata.category(char) in ("Cc", "Cs", "Cn"))
