"""Numbers and ordinals in words: "twenty one", "three and a half", "two hundred and fifth", "nineteen eighty four".

A reader takes words and a place, and returns what it read there and the place behind it, or None.
"""

import re
from collections.abc import Sequence

Words = Sequence[str]
Read = tuple[int, int] | None
"""A whole number, and the place behind it."""

UNITS = {name: number for number, name in enumerate(
    "zero one two three four five six seven eight nine".split())}  # fmt: skip
TEENS = {name: 10 + number for number, name in enumerate(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split())}  # fmt: skip
TENS = {name: 10 * number for number, name in enumerate(
    "twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}  # fmt: skip
SCALES = {"thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
_ORDINAL_UNITS = {name: number for number, name in enumerate(
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth".split())}  # fmt: skip
_ORDINAL_TENS = {
    "twentieth": 20, "thirtieth": 30, "fortieth": 40, "fiftieth": 50, "sixtieth": 60, "seventieth": 70,
    "eightieth": 80, "ninetieth": 90,
}  # fmt: skip
_ORDINAL_SCALES = {"hundredth": 100, "thousandth": 1000, "millionth": 1_000_000}
NUMBER_BEGINNINGS = frozenset({
    *UNITS, *TEENS, *TENS, *_ORDINAL_UNITS, *_ORDINAL_TENS, *_ORDINAL_SCALES, "minus", "negative", "point", "half", "a",
})  # fmt: skip
"""Words that numbers and ordinals may begin with, beside those with digits and hyphens."""
_DIGITS = re.compile(r"\d{1,3}(,\d{3})+|\d{1,12}", re.ASCII)
_DECIMAL = re.compile(r"\d{1,12}\.\d{1,9}", re.ASCII)
_ORDINAL_DIGITS = re.compile(r"(\d{1,9})(st|nd|rd|th)", re.ASCII)


def word_at(words: Words, at: int) -> str:
    """Return the word at a place, nothing beyond the end."""
    return words[at] if 0 <= at < len(words) else ""


def is_numeral(word: str) -> bool:
    """Whether a word is written in digits."""
    return _DIGITS.fullmatch(word) is not None


def read_below_100(words: Words, at: int) -> Read:
    """Read "seven", "seventeen", "seventy", "seventy seven" or "77"."""
    word = word_at(words, at)
    if word in TENS:
        unit = UNITS.get(word_at(words, at + 1), 0)
        return (TENS[word] + unit, at + 2) if unit else (TENS[word], at + 1)
    if "-" in word:
        tens, _, unit_word = word.partition("-")
        return (TENS[tens] + UNITS[unit_word], at + 1) if tens in TENS and UNITS.get(unit_word) else None
    number = UNITS.get(word, TEENS.get(word))
    if number is None and len(word) <= 2 and is_numeral(word):
        number = int(word)
    return None if number is None else (number, at + 1)


def _read_below_1000(words: Words, at: int) -> Read:
    head = read_below_100(words, at)
    if head is None and word_at(words, at) == "a" and word_at(words, at + 1) == "hundred":
        head = 1, at + 1
    if head is None or head[0] == 0 or word_at(words, head[1]) != "hundred":
        return head
    total, at = 100 * head[0], head[1] + 1
    rest = read_below_100(words, at + (word_at(words, at) == "and"))
    return (total + rest[0], rest[1]) if rest and rest[0] else (total, at)


def read_whole(words: Words, at: int) -> Read:
    """Read a whole number from 0, in words or in digits."""
    word = word_at(words, at)
    if is_numeral(word) and len(word) > 2:
        number = int(word.replace(",", ""))
        scale = SCALES.get(word_at(words, at + 1), 1)
        return number * scale, at + 1 + (scale > 1)
    if word == "a" and word_at(words, at + 1) in SCALES:
        read: Read = (1, at + 1)
    else:
        read = _read_below_1000(words, at)
    if read is None:
        return None
    total, largest = 0, 1 << 60
    while True:
        number, at = read
        scale = SCALES.get(word_at(words, at), 1)
        if scale >= largest:  # "two thousand five thousand" is two numbers
            return total + number, at
        total, largest = total + number * scale, scale
        if scale == 1:
            return total, at
        at += 1
        following = _read_below_1000(words, at + (word_at(words, at) == "and"))
        if following is None or following[0] == 0:
            return total, at
        after = SCALES.get(word_at(words, following[1]), 1)
        if after >= largest:
            return total, at
        read = following


def read_number(words: Words, at: int) -> tuple[float, int] | None:
    """Read a number with a sign, a fraction or decimals: "minus three", "two point five", "one and a half"."""
    sign = 1
    if word_at(words, at) in {"minus", "negative"}:
        sign, at = -1, at + 1
    if _DECIMAL.fullmatch(word_at(words, at)):
        return sign * float(word_at(words, at)), at + 1
    whole = read_whole(words, at)
    year = read_year(words, at)
    if year and (whole is None or year[1] > whole[1]):
        whole = year
    if whole is None:
        part = _read_point(words, at) or _read_fraction(words, at)
        return None if part is None else (sign * part[0], part[1])
    number, at = whole
    if word_at(words, at) == "point":
        decimals, end = _read_digits(words, at + 1)
        if decimals:
            return sign * float(f"{number}.{decimals}"), end
    if word_at(words, at) == "and":
        fraction = _read_fraction(words, at + 1)
        if fraction:
            return sign * (number + fraction[0]), fraction[1]
    if word_at(words, at) == "dozen":
        return sign * 12 * number, at + 1
    return sign * number, at


def _read_point(words: Words, at: int) -> tuple[float, int] | None:
    decimals, end = _read_digits(words, at + 1) if word_at(words, at) == "point" else ("", at)
    return (float(f"0.{decimals}"), end) if decimals else None


def _read_fraction(words: Words, at: int) -> tuple[float, int] | None:
    for phrase, value in (
        (("a", "half"), 0.5), (("one", "half"), 0.5), (("a", "quarter"), 0.25), (("three", "quarters"), 0.75),
        (("a", "third"), 1 / 3), (("two", "thirds"), 2 / 3), (("half", "a", "dozen"), 6), (("a", "dozen"), 12),
        (("half",), 0.5),
    ):  # fmt: skip
        if tuple(words[at : at + len(phrase)]) == phrase:
            return value, at + len(phrase)
    return None


def _read_digits(words: Words, at: int) -> tuple[str, int]:
    digits = ""
    while (word := word_at(words, at)) in UNITS or word == "oh" or (is_numeral(word) and len(word) == 1):
        digits += word if is_numeral(word) else str(UNITS.get(word, 0))
        at += 1
    return digits, at


def read_ordinal(words: Words, at: int) -> Read:
    """Read "third", "twenty third", "two hundred and first" or "23rd"."""
    word = word_at(words, at)
    digits = _ORDINAL_DIGITS.fullmatch(word)
    if digits:
        return int(digits[1]), at + 1
    if word in _ORDINAL_UNITS or word in _ORDINAL_TENS:
        return _ORDINAL_UNITS.get(word, _ORDINAL_TENS.get(word, 0)), at + 1
    if "-" in word:
        tens, _, unit = word.partition("-")
        return (TENS[tens] + _ORDINAL_UNITS[unit], at + 1) if tens in TENS and unit in _ORDINAL_UNITS else None
    if word in TENS and 0 < _ORDINAL_UNITS.get(word_at(words, at + 1), 0) < 10:
        return TENS[word] + _ORDINAL_UNITS[word_at(words, at + 1)], at + 2
    if word in _ORDINAL_SCALES:
        return _ORDINAL_SCALES[word], at + 1
    head = read_below_100(words, at)
    if head is None or head[0] == 0:
        return None
    number, at = head
    if word_at(words, at) in _ORDINAL_SCALES:
        return number * _ORDINAL_SCALES[word_at(words, at)], at + 1
    scale = {"hundred": 100, "thousand": 1000}.get(word_at(words, at))
    if scale is None:
        return None
    at += 1
    rest = read_ordinal(words, at + (word_at(words, at) == "and"))
    return (number * scale + rest[0], rest[1]) if rest and rest[0] < scale else None


def read_year(words: Words, at: int) -> Read:
    """Read a year: "nineteen eighty four", "twenty oh six", "two thousand and ten", "2026"."""
    word = word_at(words, at)
    if is_numeral(word) and len(word) == 4:
        return (int(word), at + 1) if 1000 <= int(word) <= 2999 else None
    century = read_below_100(words, at) if word in TENS or word in TEENS else None
    if century and 10 <= century[0] <= 29:
        number, after = century
        if word_at(words, after) in {"oh", "o"} and UNITS.get(word_at(words, after + 1)):
            return 100 * number + UNITS[word_at(words, after + 1)], after + 2
        rest = read_below_100(words, after)
        if rest and rest[0] >= 10:
            return 100 * number + rest[0], rest[1]
        if word_at(words, after) == "hundred":
            return 100 * number, after + 1
    whole = read_whole(words, at)
    return whole if whole and 1000 <= whole[0] <= 2999 and whole[1] - at > 1 else None
