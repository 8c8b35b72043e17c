"""What is spelled: letters, with or without words for them, and digits one by one."""

from .numbers import UNITS, Words, is_numeral, word_at

Text = tuple[str, int] | None

_NATO = {word[0]: word for word in (
    "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo "
    "sierra tango uniform victor whiskey x-ray yankee zulu").split()}  # fmt: skip
_SPELLING_WORDS = set(_NATO.values()) | {"alfa", "juliett", "xray", "whisky"}
_TIMES = {"double": 2, "triple": 3}
LETTER_BEGINNINGS = frozenset({*_SPELLING_WORDS, *_TIMES, "oh"})
"""Words that letters or digits may begin with, beside single letters."""
LEAST_LETTERS = 2
LEAST_DIGITS = 3
"""Fewer are words and numbers."""


def read_letters(words: Words, at: int) -> Text:
    """Read letters: "b as in bravo", "j o n", "double t", "november x-ray".

    Two at least, unless a word stands for the letter; of words alone (as pilots spell) two as well.
    """
    letters, named, end = "", False, at
    while True:
        if tuple(words[end : end + 2]) == ("double", "u"):
            behind = _behind_letter(words, end + 2, "w")
            letters, end, named = letters + "w", behind or end + 2, named or behind is not None
            continue
        repeat = _TIMES.get(word_at(words, end), 1)
        at_letter = end + (repeat > 1)
        word = word_at(words, at_letter).removesuffix(".")
        if len(word) == 1 and word.isalpha():
            letter, behind = word, at_letter + 1
            phrase = _behind_letter(words, behind, letter)
            if phrase:
                behind, named = phrase, True
        elif word in _SPELLING_WORDS:
            letter, behind = word[0], at_letter + 1
        else:
            break
        letters, end = letters + letter * repeat, behind
    if not named and len(letters) < LEAST_LETTERS:
        return None
    # "i a" and the like are more often words than letters
    if not named and all(word_at(words, place) in {"a", "i", "o"} for place in range(at, end)):
        return None
    return letters, end


def _behind_letter(words: Words, at: int, letter: str) -> int | None:
    """Return the place behind "as in bravo" or "for bravo"."""
    for phrase in (("as", "in"), ("for",), ("like",), ("like", "in")):
        end = at + len(phrase)
        if tuple(words[at:end]) == phrase and word_at(words, end).startswith(letter) and len(word_at(words, end)) > 1:
            return end + 1
    return None


def read_digits(words: Words, at: int) -> Text:
    """Read digits one by one: "five double five oh one two", "double oh seven", "007"."""
    word = word_at(words, at)
    if len(word) > 1 and word[0] == "0" and is_numeral(word):
        return word, at + 1
    digits, end = "", at
    while True:
        repeat = _TIMES.get(word_at(words, end), 1)
        word = word_at(words, end + (repeat > 1))
        if word in UNITS:
            digit = str(UNITS[word])
        elif word in {"oh", "o"}:
            digit = "0"
        elif is_numeral(word) and len(word) == 1:
            digit = word
        else:
            break
        digits, end = digits + digit * repeat, end + 1 + (repeat > 1)
    # "oh oh" says nothing
    known = any(word_at(words, place) not in {"oh", "o", *_TIMES} for place in range(at, end))
    return (digits, end) if known and len(digits) >= LEAST_DIGITS else None
