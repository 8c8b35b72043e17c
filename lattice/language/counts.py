"""Counting n-grams: a text of token numbers becomes the trie's nodes and how often each was seen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import LanguageModelError

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Counts:
    """The n-grams of one order. Those of order 1 are all symbols, seen or not; the others were seen."""

    parent: Longs
    """[n-grams] The n-gram of one order less that is left without the last word; ascending."""
    word: Longs
    """[n-grams] The last word; ascending among those with the same parent."""
    suffix: Longs
    """[n-grams] The n-gram of one order less that is left without the first word."""
    raw: Longs
    """[n-grams] How often it occurs."""
    adjusted: Longs
    """[n-grams] What Kneser-Ney smoothing counts: different words before it; all occurrences at the highest order and
    at the beginning of a sentence."""


def count_ngrams(sentences: Iterable[Sequence[int]], num_symbols: int, order: int) -> list[Counts]:
    """Count the n-grams of orders 1 to ``order`` in sentences of tokens 0 to ``num_symbols`` - 1.

    Every sentence ends in the token ``num_symbols`` and begins after ``num_symbols + 1``, once.

    Raises:
        LanguageModelError: there is no sentence.
    """
    end, begin = num_symbols, num_symbols + 1
    parts: list[int] = []
    lengths: list[int] = []
    for sentence in sentences:
        parts += [begin, *sentence, end]
        lengths.append(len(sentence) + 2)
    if not lengths:
        raise LanguageModelError("there is no text to train on")
    words = np.array(parts, np.int64)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(words))  # words from here to the sentence's end
    size = num_symbols + 2
    at = words  # [positions] the n-gram that begins here
    found = [_unigrams(words, size)]
    for n in range(2, order + 1):
        positions = np.flatnonzero(left >= n)
        if not len(positions):
            break
        keys = at[positions] * size + words[positions + n - 1]
        distinct, first, inverse, raw = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        found.append(Counts(distinct // size, distinct % size, at[positions[first] + 1], raw, raw))
        at = np.full(len(words), -1, np.int64)
        at[positions] = inverse
    return [_adjusted(lower, higher, begin, found) for lower, higher in zip(found, [*found[1:], None], strict=True)]


def _unigrams(words: Longs, size: int) -> Counts:
    raw = np.bincount(words, minlength=size).astype(np.int64)
    none = np.zeros(size, np.int64)
    return Counts(none, np.arange(size), none, raw, raw)


def _adjusted(counts: Counts, higher: Counts | None, begin: int, found: list[Counts]) -> Counts:
    if higher is None:
        adjusted = counts.raw.copy()
    else:
        before = np.bincount(higher.suffix, minlength=len(counts.word)).astype(np.int64)
        adjusted = np.where(_begins(counts, begin, found), counts.raw, before)
    if counts is found[0]:
        adjusted[begin] = 0  # nothing ever predicts it
    return Counts(counts.parent, counts.word, counts.suffix, counts.raw, adjusted)


def _begins(counts: Counts, begin: int, found: list[Counts]) -> npt.NDArray[np.bool_]:
    """Return for each n-gram whether it begins with the beginning of a sentence."""
    level = next(n for n, one in enumerate(found) if one is counts)
    at = np.arange(len(counts.word))
    for lower in range(level, 0, -1):
        at = found[lower].parent[at]
    return np.asarray(at == begin)
