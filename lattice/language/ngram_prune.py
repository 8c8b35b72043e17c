"""Smaller n-gram models: those that change the distribution least go first (Stolcke 1998, relative entropy)."""

import numpy as np
import numpy.typing as npt

from .errors import LanguageModelError
from .trie import NgramTrie

Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
BYTES_PER_NGRAM = 8
"""What the binary form takes at most for an n-gram, unpacked: word, number of children, two scores."""
HEADER_BYTES = 4096
"""What it takes beside them, the names of tokens not counted."""


def to_size(trie: NgramTrie, seen: Doubles, max_bytes: int) -> NgramTrie:
    """Return the n-grams worth most of those that fit in ``max_bytes`` of the binary form, unpacked; all if they do.

    How often a history occurs is taken from the text: the lower orders of Kneser-Ney models do not say it
    (Chelba et al. 2010). N-grams that a longer one needs stay; single tokens always do.

    Args:
        trie: smoothed n-grams.
        seen: [nodes] How often each occurs in the text.
        max_bytes: size to keep to.

    Raises:
        LanguageModelError: not even the single tokens fit.
    """
    room = (max_bytes - HEADER_BYTES) // BYTES_PER_NGRAM
    if trie.num_nodes <= room:
        return trie
    singles = trie.levels[2]
    if room < singles:
        needed = (singles * BYTES_PER_NGRAM + HEADER_BYTES) / 1e6
        raise LanguageModelError(f"{max_bytes / 1e6:.4f} MB hold not even the single tokens; needed: {needed:.4f} MB")
    gain = losses(trie, seen)
    steps = np.sort(gain[singles:])
    low, high = 0, len(steps)  # what is above steps[low] is too much; above steps[high - 1] fits
    while high - low > 1:
        middle = (low + high) // 2
        if int(_closure(trie, gain > steps[middle - 1]).sum()) <= room:
            high = middle
        else:
            low = middle
    return subset(trie, _closure(trie, gain > steps[high - 1]))


def losses(trie: NgramTrie, seen: Doubles) -> Doubles:
    """Return for each n-gram how much relative entropy the model would lose without it alone; inf for single tokens."""
    parent = trie.parent
    probability = np.exp(trie.log_prob.astype(np.float64))
    lower = _shorter(trie)  # log-probability of the same word after the shorter history
    inside = np.bincount(parent, probability, trie.num_nodes)
    inside_lower = np.bincount(parent, np.exp(lower), trie.num_nodes)
    rest = np.maximum(1.0 - inside, 1e-12)[parent]
    rest_lower = np.maximum(1.0 - inside_lower, 1e-12)[parent]
    old = trie.backoff.astype(np.float64)[parent]
    new = np.log(rest + probability) - np.log(rest_lower + np.exp(lower))
    history = seen / max(seen[0], 1.0)
    change = probability * (lower + new - trie.log_prob) + (new - old) * rest
    gain = np.maximum(-history[parent] * change, 0.0)
    gain[: trie.levels[2]] = np.inf
    return np.asarray(gain, np.float64)


def subset(trie: NgramTrie, keep: Mask) -> NgramTrie:
    """Return the trie without some n-grams, backed off so that every state adds up to one again.

    Args:
        trie: what to choose from.
        keep: [nodes] N-grams to keep. One whose history or suffix goes must go, too.
    """
    parent = trie.parent
    sizes = np.bincount(parent[1:], keep[1:], trie.num_nodes).astype(np.int64)
    changed = sizes < np.diff(trie.first)
    lower = np.exp(_shorter(trie))
    inside = np.bincount(parent, np.exp(trie.log_prob.astype(np.float64)) * keep, trie.num_nodes)
    inside_lower = np.bincount(parent, lower * keep, trie.num_nodes)
    with np.errstate(invalid="ignore", divide="ignore"):
        fresh = np.log((1.0 - inside) / (1.0 - inside_lower))
    backoff = np.where(changed & (sizes > 0), fresh, trie.backoff)
    backoff[changed & (sizes == 0)] = 0.0
    backoff = np.where(np.isfinite(backoff), backoff, trie.backoff)
    first = np.concatenate([[1], 1 + np.cumsum(sizes[keep])]).astype(np.int32)
    return NgramTrie(trie.word[keep], trie.log_prob[keep], backoff[keep].astype(np.float32), first)


def _shorter(trie: NgramTrie) -> Doubles:
    """Return for each node the log-probability of its word after the history without its first word, [nodes]."""
    suffix, parent = trie.suffix, trie.parent
    # the suffix of an n-gram is one word shorter unless the model lacks it: then a back-off lies between
    scores = trie.log_prob.astype(np.float64)[suffix]
    level = np.repeat(np.arange(len(trie.levels) - 1), np.diff(trie.levels))
    for node in np.flatnonzero((level > 1) & (level[suffix] < level - 1)).tolist():
        history, word = int(suffix[parent[node]]), int(trie.word[node])
        found = trie.step(history, word)
        scores[node] = found[1] if found else -np.inf
    scores[: trie.levels[2]] = 0.0
    return np.asarray(scores, np.float64)


def _closure(trie: NgramTrie, keep: Mask) -> Mask:
    """Return the n-grams to keep with all that they need: their histories and suffixes."""
    keep, parent = keep.copy(), trie.parent
    keep[: trie.levels[2]] = True
    for begin, end in reversed(list(zip(trie.levels[2:-1], trie.levels[3:], strict=True))):
        nodes = begin + np.flatnonzero(keep[begin:end])
        keep[parent[nodes]] = True
        keep[trie.suffix[nodes]] = True
    return keep
