"""The n-gram model of requests that helps to choose a path of a lattice."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ...language import train_words
from ...language.ngram_prune import BYTES_PER_NGRAM, HEADER_BYTES
from ..path_language import BACKOFF, LOG_PROB, ORDER, UNKNOWN, ngram_keys
from ..weights import ExactWeights
from ..words import BEGIN, END, PLAIN, attributes

MIN_COUNT = 2
"""Words seen less often are unknown."""


def learn(texts: Sequence[Sequence[str]], most: int) -> ExactWeights:
    """Return an n-gram model of texts, pruned to about ``most`` n-grams, as weights (see ``path_language``).

    Interpolated modified Kneser-Ney smoothing, pruned by relative entropy, as ``lattice.language`` has it.
    """
    seen = Counter(word for words in texts for word in words)
    least = MIN_COUNT
    while sum(count >= least for count in seen.values()) > most // 3:
        least += 1
    sentences = (" ".join(words) for words in texts if words)
    model = train_words(sentences, order=ORDER, min_count=least, max_bytes=HEADER_BYTES + most * BYTES_PER_NGRAM)
    trie = model.trie
    hashes = attributes((*model.symbols, END, BEGIN))[:, PLAIN]
    parents = np.repeat(np.arange(len(trie.word)), np.diff(trie.first))
    depth = np.zeros(len(trie.word), np.int64)
    before = np.zeros((len(trie.word), ORDER), np.uint64)
    for node in range(1, len(trie.word)):
        parent = int(parents[node - 1])
        depth[node] = depth[parent] + 1
        before[node, : depth[parent]] = before[parent, : depth[parent]]
        before[node, depth[parent]] = hashes[trie.word[node]]
    keys: list[np.ndarray[tuple[int, ...], np.dtype[np.uint64]]] = []
    values, columns = [], []
    for order in range(1, ORDER + 1):
        nodes = np.flatnonzero(depth == order)
        named = ngram_keys(before[nodes, :order])
        keys += [named, named]
        values += [np.maximum(trie.log_prob[nodes], 2 * UNKNOWN), np.maximum(trie.backoff[nodes], UNKNOWN)]
        columns += [np.full(len(nodes), LOG_PROB), np.full(len(nodes), BACKOFF)]
    return ExactWeights.gather(np.concatenate(keys), np.concatenate(columns), np.concatenate(values), 2)
