"""Where values stand in words, and what they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from .letters import LETTER_BEGINNINGS, read_digits, read_letters
from .numbers import NUMBER_BEGINNINGS, Words, read_number, read_ordinal, word_at
from .times import DATE_BEGINNINGS, TIME_BEGINNINGS, read_date, read_duration, read_time


class ValueKind(str, Enum):
    """What a value is of."""

    number = "number"
    """``value`` such as 21 or 2.5."""
    ordinal = "ordinal"
    """A whole number: 3 for "third"."""
    time = "time"
    """HH:MM; a first digit that is missing (7:30) says that either half of the day may be meant."""
    date = "date"
    """2026-05-03; --05-03 without a year; W-1 a day of the week (1 is Monday), W+1-1 of the next; P1D: from today."""
    duration = "duration"
    """As ISO 8601 has it: PT1H30M, P2W."""
    letters = "letters"
    """Letters in lower case."""
    phrase = "phrase"
    """One of the few values that a slot has, as text, also where it was heard a little wrong."""
    digits = "digits"
    """Digits that were said one by one, as text: 0s at the beginning count."""


@dataclass(frozen=True)
class Value:
    """A value that some words stand for."""

    kind: ValueKind
    """What it is."""
    value: str | int | float
    """The value; see the kinds."""
    first: int
    """Place of its first word."""
    end: int
    """Place behind its last word."""


_Reader = Callable[[Words, int], "tuple[str | int | float, int] | None"]
READERS: tuple[tuple[ValueKind, _Reader], ...] = (
    (ValueKind.letters, read_letters),
    (ValueKind.time, read_time),
    (ValueKind.date, read_date),
    (ValueKind.digits, read_digits),
    (ValueKind.duration, read_duration),
    (ValueKind.ordinal, read_ordinal),
    (ValueKind.number, read_number),
)
"""Of readings of the same length the first wins."""
_COUNTED = {"percent", "degree", "degrees"}
_BEGINNINGS = frozenset({*DATE_BEGINNINGS, *LETTER_BEGINNINGS, *NUMBER_BEGINNINGS, *TIME_BEGINNINGS})
"""Words that a value may begin with, beside single letters and what has digits or hyphens."""


def find_values(words: Sequence[str]) -> list[Value]:
    """Return the values in words, in order, none within another: from each place on the longest.

    Words are as a recogniser writes them, in lower case: "wake me at twenty to nine".
    """
    words = [word.lower() for word in words]
    found: list[Value] = []
    at = 0
    while at < len(words):
        value = _longest(words, at)
        if value is None:
            at += 1
        else:
            found.append(value)
            at = value.end
    return found


def value_of(words: Sequence[str]) -> Value | None:
    """Return the value that all of the words are; None if none.

    "At", "on", "in", "for" or "the" may stand before it, and behind a number what it counts, "percent" or "degrees".
    """
    plain = [word.lower() for word in words]
    counted = len(plain) - 1 if plain and plain[-1] in _COUNTED else len(plain)
    for first in range(len(plain)):
        readings = _readings(plain, first)
        whole = [value for value in readings if value.end == len(plain)]
        whole += [value for value in readings if value.end == counted and value.kind is ValueKind.number]
        if whole:
            return whole[0]
        if word_at(plain, first) not in {"at", "on", "in", "for", "the", "by", "around", "about", "until"}:
            return None
    return None


def _longest(words: Words, at: int) -> Value | None:
    return max(_readings(words, at), key=lambda value: value.end, default=None)


def may_begin(word: str) -> bool:
    """Whether a value may begin with a word: most do not, which is told faster than all readers tell it."""
    return word in _BEGINNINGS or len(word) < 3 or "-" in word or not word.isalpha()


def _readings(words: Words, at: int) -> list[Value]:
    readings: list[Value] = []
    if not may_begin(words[at]):
        return readings
    for kind, read in READERS:
        found = read(words, at)
        if found is not None:
            value, end = found
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            readings.append(Value(kind, value, at, end))
    return readings
