"""ARPA's text form of n-gram models, read strictly and written."""

import math
from array import array
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np
import numpy.typing as npt

from .errors import LanguageModelError
from .ngram import SENTENCE, SENTENCE_END, NgramModel
from .trie import NgramTrie

MAX_NGRAMS = 50_000_000
MAX_ORDER = 16
MAX_LINE_BYTES = 100_000
LOG_10 = math.log(10.0)
WORD_MARK = "\u2581"
"""What pieces have and words do not."""

Longs = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


def write_arpa(model: NgramModel, file: IO[str]) -> None:
    """Write a model as ARPA text (scores to base 10)."""
    trie, parent = model.trie, model.trie.parent
    names = [*model.symbols, SENTENCE_END, SENTENCE]
    if any(not name or any(mark.isspace() for mark in name) for name in names):
        raise LanguageModelError("a token with a space in it cannot be written as ARPA; use the binary form")
    file.write("\\data\\\n" + "".join(f"ngram {n}={count}\n" for n, count in enumerate(model.counts, 1)))
    texts = [""]
    for n, (begin, end) in enumerate(zip(trie.levels[1:-1], trie.levels[2:], strict=True), 1):
        file.write(f"\n\\{n}-grams:\n")
        words = trie.word[begin:end].tolist()
        scores, backoffs = (trie.log_prob[begin:end] / LOG_10).tolist(), (trie.backoff[begin:end] / LOG_10).tolist()
        has_children = (np.diff(trie.first)[begin:end] > 0).tolist()
        parents = (parent[begin:end] - (trie.levels[n - 1])).tolist()
        texts = [f"{texts[p]} {names[w]}".lstrip() for p, w in zip(parents, words, strict=True)]
        for text, score, backoff, inner in zip(texts, scores, backoffs, has_children, strict=True):
            file.write(f"{score:.7g}\t{text}\t{backoff:.7g}\n" if inner else f"{score:.7g}\t{text}\n")
    file.write("\n\\end\\\n")


def read_arpa(file: Iterable[bytes]) -> NgramModel:
    """Read ARPA text, line by line.

    Raises:
        LanguageModelError: it is not as it should be; says where.
    """
    lines = _lines(file)
    counts, line = _announced(lines)
    symbols = _Symbols()
    levels: list[tuple[Longs, Doubles]] = []
    for n, count in enumerate(counts, 1):
        if line != f"\\{n}-grams:":
            raise LanguageModelError(f"has {line[:40]!r} where \\{n}-grams: was expected")
        words, scores = array("q"), array("d")
        for line in lines:
            if line.startswith("\\"):
                break
            if line:
                symbols.read(line, n, words, scores)
        if len(words) != n * count:
            raise LanguageModelError(f"announces {count} {n}-grams, but has {len(words) // n}")
        levels.append((np.array(words, np.int64).reshape(-1, n), np.array(scores).reshape(-1, 2)))
    if line != "\\end\\":
        raise LanguageModelError("ends before \\end\\: it is cut off")
    names = tuple(symbols.names)
    # the sentence's end and beginning come after all tokens
    numbered = [(np.where(words < 0, len(names) - 1 - words, words), scores) for words, scores in levels]
    unit = "pieces" if any(WORD_MARK in name for name in names) else "words"
    return NgramModel(names, _build(numbered, len(names) + 2), unit)


def _lines(file: Iterable[bytes]) -> Iterator[str]:
    for raw in file:
        if len(raw) > MAX_LINE_BYTES:
            raise LanguageModelError(f"has a line of more than {MAX_LINE_BYTES} bytes")
        yield raw.decode("utf-8").strip(" \t\r\n")


def _announced(lines: Iterator[str]) -> tuple[list[int], str]:
    """Return the numbers of n-grams that the head of a file says, and the line after it."""
    if next((line for line in lines if line), None) != "\\data\\":
        raise LanguageModelError("is no n-gram model: ARPA begins with \\data\\, the binary form with PK")
    counts: list[int] = []
    line = next(lines, "\\end\\")
    while line.startswith("ngram ") or not line:
        if line:
            counts.append(_count(line, len(counts) + 1))
        line = next(lines, "\\end\\")
    if not 1 <= len(counts) <= MAX_ORDER or sum(counts) > MAX_NGRAMS:
        raise LanguageModelError(
            f"announces {len(counts)} orders and {sum(counts)} n-grams; the limits are {MAX_ORDER} and {MAX_NGRAMS}"
        )
    return counts, line


def _count(line: str, n: int) -> int:
    order, _, count = line.removeprefix("ngram ").partition("=")
    if order.strip() != str(n) or not count.strip().isdecimal() or len(count) > 12:
        raise LanguageModelError(f"has {line[:40]!r}; expected 'ngram {n}=COUNT'")
    return int(count)


class _Symbols:
    """The tokens of a file, in the order of its 1-grams."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}

    def read(self, line: str, n: int, words: "array[int]", scores: "array[float]") -> None:
        parts = line.split()
        if len(parts) not in (n + 1, n + 2):
            raise LanguageModelError(f"has {line[:60]!r} among its {n}-grams; expected a score, {n} words, a back-off")
        try:
            values = float(parts[0]), float(parts[n + 1]) if len(parts) == n + 2 else 0.0
        except ValueError:
            raise LanguageModelError(f"has {line[:60]!r}; its scores are no numbers") from None
        if n == 1:
            self._add(parts[1])
        try:
            words.extend([self._numbers[name] for name in parts[1 : n + 1]])
        except KeyError as error:
            raise LanguageModelError(f"has {error!s:.40} in {line[:60]!r}; it is no 1-gram") from None
        scores.extend(values)

    def _add(self, name: str) -> None:
        if name in self._numbers:
            raise LanguageModelError(f"has the 1-gram {name[:40]!r} twice")
        if name in (SENTENCE_END, SENTENCE):
            self._numbers[name] = -1 if name == SENTENCE_END else -2
        else:
            self._numbers[name] = len(self.names)
            self.names.append(name)


def _build(levels: list[tuple[Longs, Doubles]], size: int) -> NgramTrie:
    """Return the trie of n-grams [count, n] with score and back-off to base 10 [count, 2]."""
    word, scores = [np.array([-1])], [np.zeros((1, 2))]
    children: list[Longs] = []
    known: list[Longs] = []  # of each order, sorted: number of the history times size, plus the word
    for n, (words, values) in enumerate(levels, 1):
        parent = np.zeros(len(words), np.int64)
        for level, keys in enumerate(known):
            wanted = parent * size + words[:, level]
            parent = np.searchsorted(keys, wanted)
            if len(wanted) and (not len(keys) or (keys[np.minimum(parent, len(keys) - 1)] != wanted).any()):
                raise LanguageModelError(f"has a {n}-gram whose first {level + 1} words are no {level + 1}-gram")
        keys = parent * size + words[:, -1]
        order = np.argsort(keys)
        known.append(keys[order])
        if (np.diff(known[-1]) == 0).any():
            raise LanguageModelError(f"has a {n}-gram twice")
        children.append(np.bincount(parent, minlength=len(word[-1])))
        word.append(words[order, -1])
        scores.append(values[order])
    children.append(np.zeros(len(word[-1]), np.int64))
    joined = np.concatenate(scores) * LOG_10
    return NgramTrie(
        np.concatenate(word).astype(np.int32),
        joined[:, 0].astype(np.float32),
        joined[:, 1].astype(np.float32),
        np.concatenate([[1], 1 + np.cumsum(np.concatenate(children))]).astype(np.int32),
    )
