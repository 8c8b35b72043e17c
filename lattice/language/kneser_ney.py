"""Interpolated modified Kneser-Ney smoothing (Chen & Goodman 1998, "An empirical study of smoothing techniques")."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from .counts import Counts, count_ngrams
from .errors import LanguageModelError
from .trie import NgramTrie

Doubles = npt.NDArray[np.float64]
MAX_ORDER = 8
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""For n-grams seen once, twice and more often, where the text is too small or too odd to estimate them."""
NEVER = -99.0 * np.log(10.0)
"""Log-probability of what no history predicts, the beginning of a sentence: ARPA's customary -99."""


def estimate(
    sentences: Iterable[Sequence[int]], num_symbols: int, order: int, absent: Iterable[int] = ()
) -> tuple[NgramTrie, npt.NDArray[np.float64]]:
    """Return the smoothed n-grams of a text, and how often each was seen (for pruning).

    Args:
        sentences: token numbers from 0 to ``num_symbols`` - 1.
        num_symbols: number of tokens. All of them get a probability in every state, seen or not.
        order: length of the longest n-gram, 1 to 8.
        absent: tokens that never occur and get none: the blank.

    Raises:
        LanguageModelError: ``order`` is out of range, or there is no sentence.
    """
    if not 1 <= order <= MAX_ORDER:
        raise LanguageModelError(f"order is {order}; expected 1 to {MAX_ORDER}")
    counts = count_ngrams(sentences, num_symbols, order)
    predicted = np.ones(num_symbols + 2, bool)
    predicted[[*absent, num_symbols + 1]] = False
    probability = [_unigrams(counts[0], predicted)]
    backoffs: list[Doubles] = []
    for level, one in enumerate(counts[1:], 1):
        discount = discounts_of(one.adjusted)[np.minimum(one.adjusted, 3)]
        size = len(counts[level - 1].word)
        total = np.bincount(one.parent, one.adjusted, size)
        with np.errstate(invalid="ignore", divide="ignore"):
            backoff = np.where(total > 0, np.bincount(one.parent, discount, size) / total, 1.0)
        probability.append(
            (one.adjusted - discount) / total[one.parent] + backoff[one.parent] * probability[level - 1][one.suffix]
        )
        backoffs.append(backoff)
    backoffs.append(np.ones(len(counts[-1].word)))
    return _trie(counts, probability, backoffs, predicted)


def discounts_of(adjusted: npt.NDArray[np.int64]) -> Doubles:
    """Return what is taken from n-grams of adjusted count 0, 1, 2 and 3 or more."""
    n1, n2, n3, n4 = np.bincount(np.minimum(adjusted, 5), minlength=6)[1:5].tolist()
    if min(n1, n2, n3) == 0:
        return np.array([0.0, *FALLBACK_DISCOUNTS])
    ratio = n1 / (n1 + 2 * n2)
    found = [1 - 2 * ratio * n2 / n1, 2 - 3 * ratio * n3 / n2, 3 - 4 * ratio * n4 / n3]
    if any(not 0 < one < count for count, one in enumerate(found, 1)):
        return np.array([0.0, *FALLBACK_DISCOUNTS])
    return np.array([0.0, *found])


def _unigrams(counts: Counts, predicted: npt.NDArray[np.bool_]) -> Doubles:
    # interpolated with the uniform distribution, so that every token can be said
    discount = discounts_of(counts.adjusted)[np.minimum(counts.adjusted, 3)]
    total = counts.adjusted.sum()
    share = discount.sum() / total / predicted.sum()
    return np.asarray((counts.adjusted - discount) / total + predicted * share, np.float64)


def _trie(
    counts: list[Counts], probability: list[Doubles], backoffs: list[Doubles], predicted: npt.NDArray[np.bool_]
) -> tuple[NgramTrie, Doubles]:
    # tokens without a probability are left out; the beginning of a sentence stays, it is a history
    begin = len(predicted) - 1
    stays = predicted.copy()
    stays[begin] = True
    kept = np.flatnonzero(stays)
    number = np.cumsum(stays) - 1
    word = [np.array([-1]), kept, *(one.word for one in counts[1:])]
    children = [np.array([len(kept)])]
    for level, one in enumerate(counts[1:], 1):
        parent = number[one.parent] if level == 1 else one.parent
        children.append(np.bincount(parent, minlength=len(kept) if level == 1 else len(counts[level - 1].word)))
    children.append(np.zeros(len(kept) if len(counts) == 1 else len(counts[-1].word), np.int64))
    with np.errstate(divide="ignore"):
        first_order = np.log(probability[0])
    first_order[begin] = NEVER
    log_probs = [np.zeros(1), first_order[kept], *(np.log(one) for one in probability[1:])]
    log_backoffs = [np.zeros(1), np.log(backoffs[0])[kept], *(np.log(one) for one in backoffs[1:])]
    seen = [np.array([counts[0].raw.sum()]), counts[0].raw[kept], *(one.raw for one in counts[1:])]
    trie = NgramTrie(
        np.concatenate(word).astype(np.int32),
        np.concatenate(log_probs).astype(np.float32),
        np.concatenate(log_backoffs).astype(np.float32),
        np.concatenate([[1], 1 + np.cumsum(np.concatenate(children))]).astype(np.int32),
    )
    return trie, np.concatenate(seen).astype(np.float64)
