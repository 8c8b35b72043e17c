"""From text to an n-gram model: sentences into tokens, smoothing, pruning; and how well a model fits a text."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import LanguageModelError
from .kneser_ney import estimate
from .ngram import BLANKS, UNKNOWN, NgramModel
from .ngram_prune import to_size

DEFAULT_ORDER = 4
MAX_SENTENCE_CHARACTERS = 10_000


def read_sentences(paths: Iterable[Path]) -> Iterator[str]:
    """Yield the sentences of text files, one a line: lower case, single spaces, empty lines left out.

    Raises:
        LanguageModelError: a file is no UTF-8 text, or a line is too long to be a sentence.
    """
    for path in paths:
        with path.open(encoding="utf-8") as file:
            try:
                for number, line in enumerate(file, 1):
                    if len(line) > MAX_SENTENCE_CHARACTERS:
                        raise LanguageModelError(
                            f"{path}: line {number} has {len(line)} characters; expected a sentence a line"
                        )
                    sentence = " ".join(line.lower().split())
                    if sentence:
                        yield sentence
            except UnicodeDecodeError as error:
                raise LanguageModelError(f"{path}: is no UTF-8 text ({error})") from error


def train_pieces(
    sentences: Iterable[str],
    symbols: Sequence[str],
    encode: Callable[[str], Sequence[int]],
    *,
    order: int = DEFAULT_ORDER,
    max_bytes: int | None = None,
) -> NgramModel:
    """Train a model over the word pieces of a speech model.

    Args:
        sentences: text as the speech model writes it.
        symbols: the pieces by number; a blank at 0 gets no probability.
        encode: returns the pieces of a sentence.
        order: length of the longest n-gram.
        max_bytes: size of the binary form to prune to, unpacked; the file has about half. None to keep all.

    Raises:
        LanguageModelError: there is no text, or a value is out of range.
    """
    absent = [number for number, symbol in enumerate(symbols) if symbol in BLANKS]
    return _train(map(encode, sentences), tuple(symbols), order, max_bytes, "pieces", absent)


def train_words(
    sentences: Iterable[str], *, order: int = DEFAULT_ORDER, max_bytes: int | None = None, min_count: int = 2
) -> NgramModel:
    """Train a model over words. Words seen less than ``min_count`` times are unknown; so are all others later."""
    split = [sentence.split() for sentence in sentences]
    seen = Counter(word for words in split for word in words)
    symbols = (UNKNOWN, *sorted(word for word, count in seen.items() if count >= min_count and word != UNKNOWN))
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    return _train(([numbers.get(word, 0) for word in words] for words in split), symbols, order, max_bytes, "words", [])


def _train(
    sentences: Iterable[Sequence[int]],
    symbols: tuple[str, ...],
    order: int,
    max_bytes: int | None,
    unit: str,
    absent: Sequence[int],
) -> NgramModel:
    trie, seen = estimate(sentences, len(symbols), order, absent)
    if max_bytes is not None:
        names = sum(len(symbol.encode()) + 4 for symbol in symbols)
        trie = to_size(trie, seen, max_bytes - names)
    return NgramModel(symbols, trie, unit)


@dataclass(frozen=True)
class Fit:
    """How well a model fits a text."""

    sentences: int
    """Sentences of the text."""
    words: int
    """Words, by spaces."""
    tokens: int
    """Tokens of the model, one for the end of each sentence included."""
    unknown: int
    """Tokens that the model does not know."""
    log_prob: float
    """Natural logarithm of the probability of the text, ends of sentences included."""

    @property
    def per_token(self) -> float:
        """Perplexity per token."""
        return math.exp(-self.log_prob / self.tokens)

    @property
    def per_word(self) -> float:
        """Perplexity per word and sentence end: comparable between models with other tokens."""
        return math.exp(-self.log_prob / (self.words + self.sentences))


def fit(model: NgramModel, sentences: Iterable[str], encode: Callable[[str], Sequence[int]] | None = None) -> Fit:
    """Score a text.

    Args:
        model: over pieces or words.
        sentences: the text.
        encode: returns the tokens of a sentence; for a model over words, None.

    Raises:
        LanguageModelError: there is no text.
    """
    unknown_token = model.number(UNKNOWN)
    number, words, tokens, unknown, total = 0, 0, 0, 0, 0.0
    for sentence in sentences:
        split = sentence.split()
        ids = [model.number(word) for word in split] if encode is None else encode(sentence)
        number, words, tokens = number + 1, words + len(split), tokens + len(ids) + 1
        unknown += sum(one == unknown_token for one in ids)
        total += model.sentence(ids)
    if not number:
        raise LanguageModelError("there is no text to score")
    return Fit(number, words, tokens, unknown, total)
