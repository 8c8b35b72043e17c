"""Text to words, and what of a word features are made of: hashes of its bytes, never the bytes themselves."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
_APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
_WORD = re.compile(rf"[^\W_]+(?:['{_APOSTROPHE}][^\W_]+)*")
KEPT_WORDS = 128
"""Words whose hashes are kept; frequent ones come again. All together they take less than a model's file."""
LONGEST_WORD = 60
"""Characters of a word that are looked at."""
CHARACTERS = (3, 4, 5)
"""Lengths of the character n-grams of a word, its ends marked."""
PLAIN, PREFIX_2, PREFIX_3, SUFFIX_2, SUFFIX_3, SHAPE = range(6)
"""Columns of ``attributes``."""
NUM_ATTRIBUTES = 6
_ATTRIBUTE_BYTES = 8 * NUM_ATTRIBUTES
BEGIN, END = "\x02", "\x03"
"""What stands before the first word, and behind the last."""
_BEGUN = hashlib.blake2b(digest_size=8)
_FACTOR = np.uint64(0x9FB21C651E98DF25)
_SHIFT = np.uint64(32)


@dataclass(frozen=True)
class Token:
    """A word of a text."""

    text: str
    """In lower case."""
    start: int
    """Place of its first character in the text."""
    end: int
    """Place behind its last character."""
    case: str = ""
    """Where it had capitals: ``Xx`` at the beginning, ``x`` nowhere; empty where no word of the text has any."""


def tokenize(text: str) -> list[Token]:
    """Return the words of a text in lower case, without punctuation; apostrophes within words stay."""
    cased = text != text.lower()
    return [
        Token(match[0].lower().replace(_APOSTROPHE, "'"), *match.span(), _case(match[0]) if cased else "")
        for match in _WORD.finditer(text)
    ]


def hash_of(text: str) -> int:
    """Return 64 bits that stand for a text (BLAKE2b of its UTF-8)."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def hashes_of(texts: Sequence[str]) -> Keys:
    """Return ``hash_of`` of each text, [texts], read-only."""
    copy, digests = _BEGUN.copy, []
    for text in texts:  # a copy takes half the time of beginning anew
        one = copy()
        one.update(text.encode("utf-8", "surrogatepass"))
        digests.append(one.digest())
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64, copy=False)


def combined(parts: Sequence[Keys | int]) -> Keys:
    """Return one key for several, in this order; arrays are combined place by place."""
    out = np.zeros(1, np.uint64)
    for part in parts:
        out = continued(out, np.asarray(part, np.uint64))
    return out


def continued(keys: Keys, part: Keys) -> Keys:
    """Return keys with one more part: ``combined([a, b])`` is ``continued(combined([a]), b)``."""
    out = keys ^ part
    out *= _FACTOR
    out ^= out >> _SHIFT
    return out


def distinct(keys: Keys) -> tuple[Keys, Ints]:
    """Return what ``np.unique`` does with ``return_inverse``, of [n] keys, in less time where they are few."""
    order = keys.argsort()
    ordered = keys.take(order)
    fresh = np.ones(len(keys), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=fresh[1:])
    place = np.empty(len(keys), np.int64)
    place[order] = fresh.cumsum()
    place -= 1
    return ordered[fresh], place


@lru_cache(KEPT_WORDS)
def hashed(word: str) -> bytes:
    """Return hashes of a word: its ``attributes``, then its ``character_grams``, eight bytes each."""
    word = word[:LONGEST_WORD]
    texts = ["w" + word, "<" + word[:2], "<" + word[:3], word[-2:] + ">", word[-3:] + ">", "s" + _shape(word)]
    marked = f"<{word}>"
    grams = ["#" + marked[at : at + n] for n in CHARACTERS for at in range(len(marked) - n + 1)]
    return hashes_of(texts + list(dict.fromkeys(grams))).tobytes()


def attributes(words: Sequence[str]) -> Keys:
    """Return hashes of words, their beginnings, ends and shapes, [words, 6]; see the columns above."""
    joined = b"".join([hashed(word)[:_ATTRIBUTE_BYTES] for word in words])
    return np.frombuffer(joined, np.uint64).reshape(len(words), NUM_ATTRIBUTES)


def character_grams(words: Sequence[str]) -> tuple[Keys, Ints]:
    """Return hashes of the character n-grams of words, those of a word each once, and how many each word has."""
    grams = [hashed(word)[_ATTRIBUTE_BYTES:] for word in words]
    return np.frombuffer(b"".join(grams), np.uint64), np.array([len(some) // 8 for some in grams], np.int64)


def _case(word: str) -> str:
    return re.sub(r"(.)\1+", r"\1", "".join("X" if letter.isupper() else "x" for letter in word[:LONGEST_WORD]))


def _shape(word: str) -> str:
    """Return digits as 0, letters as x, and runs of them as one; numbers keep how long they are."""
    if word.isalpha():
        return "x"
    if word.isdecimal():
        return "0" * min(len(word), 5)
    return re.sub(r"(.)\1+", r"\1", re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "0", word)))
