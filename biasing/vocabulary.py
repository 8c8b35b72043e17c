"""The tokens of a model as biasing needs them: words to tokens, in several ways."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

WORD_MARK = "\u2581"
"""SentencePiece writes a space so."""
MAX_WORD = 60
"""Characters of one word."""
Ways = tuple[tuple[int, ...], ...]
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Surprise = Callable[[Ints, Ints], Floats]
"""How unlikely a model finds tokens [n] before it hears anything, as minus log-probabilities [n], after the tokens
before them [n, context]: blank where an utterance begins, -1 before that."""
USUAL_SURPRISE = 4.0
"""Of a token of a rare name, where no model says how unlikely it is."""
LEAST_SURPRISE, GREATEST_SURPRISE = 0.25, 12.0
"""Tokens that go without saying still count a little; those that a model never puts out are no treasure."""
Ranked = tuple[tuple[int, tuple[int, ...]], ...]
_FOLDED = str.maketrans({
    "ß": "ss", "\u0131": "i", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ħ": "h",
    "ŋ": "ng", "Æ": "AE", "Œ": "OE", "Ø": "O", "Đ": "D", "Ð": "D", "Þ": "TH", "Ł": "L", "İ": "I",
    "Ħ": "H", "ẞ": "SS",
})  # fmt: skip
_SPECIAL = re.compile(r"<.+>")


class BiasVocabulary:
    """What a word may look like in the tokens of a model."""

    def __init__(
        self,
        tokens: Sequence[str],
        nbest: Callable[[str, int], Sequence[Sequence[str]]] | None = None,
        *,
        blank: int = 0,
        surprise: Surprise | None = None,
        context_size: int = 2,
    ) -> None:
        """Take the tokens of a model.

        Args:
            tokens: as in ``tokens.txt``.
            nbest: pieces of a word in the best ways, best first, from the tokeniser the model was trained with;
                without, the ways with the fewest tokens are taken.
            blank: id of the blank.
            surprise: what the model makes of tokens that it cannot hear; without, all are equally unlikely.
            context_size: tokens that ``surprise`` wants to know the past by.
        """
        self.tokens = tuple(tokens)
        self.blank = blank
        self._surprise = surprise
        self._context_size = context_size
        self._nbest = nbest
        self._ids = {
            token: number
            for number, token in reversed(list(enumerate(tokens)))
            if token and not _SPECIAL.fullmatch(token) and number != blank
        }
        self._longest = max(map(len, self._ids), default=0)
        self.marked = any(token.startswith(WORD_MARK) for token in self._ids)
        """Whether tokens say where words begin."""
        self._ranked: dict[tuple[str, int], Ranked] = {}

    @cached_property
    def word_starts(self) -> tuple[bool, ...]:
        """For each token, whether a word begins with it; without marks all do, and so do tokens of Chinese letters."""
        return tuple(
            not self.marked or token.startswith(WORD_MARK) or (token[:1] != "" and _is_ideograph(token[0]))
            for token in self.tokens
        )

    @cached_property
    def letters(self) -> frozenset[str]:
        """All characters that occur in tokens."""
        return frozenset("".join(self._ids))

    @cached_property
    def cases(self) -> frozenset[str]:
        """Of ``lower`` and ``upper``, the letter cases that the model writes."""
        letters = self.letters
        return frozenset(
            name
            for name, found in (("lower", any(map(str.islower, letters))), ("upper", any(map(str.isupper, letters))))
            if found
        )

    @cached_property
    def whole_words(self) -> frozenset[str]:
        """Words of three letters or more that are one token."""
        return frozenset(
            token[1:].lower()
            for token in self._ids
            if token.startswith(WORD_MARK) and token[3:] and token[1:].isalpha()
        )

    def folded(self, text: str) -> str:
        """Return the text with letters that the model does not have as those they are built on (é as e)."""
        out = []
        known = self.letters
        for char in text:
            if char.isascii() or any(form in known for form in (char, char.lower(), char.upper())):
                out.append(char)
            else:
                plain = unicodedata.normalize("NFKD", char.translate(_FOLDED))
                out.append("".join(part for part in plain if not unicodedata.combining(part)))
        return "".join(out)

    def cased(self, word: str) -> tuple[str, ...]:
        """Return a word in the letter case of the model; all likely ones, if it writes both."""
        if self.cases == {"upper"}:
            return (word.upper(),)
        if self.cases == {"upper", "lower"}:
            return tuple(dict.fromkeys((word, word.lower(), word[:1].upper() + word[1:].lower(), word.upper())))
        return (word.lower(),)

    @property
    def forms(self) -> int:
        """How many letter cases of a word may matter."""
        return 1 if len(self.cases) < 2 else 4

    def costs(self, parent: Ints, token: Ints, depth: Ints) -> Floats:
        """Return how unlikely the token of each node of a trie is after those before it, [nodes]; 0 for the root."""
        costs = np.full(len(token), USUAL_SURPRISE, np.float32)
        if self._surprise is not None and len(token) > 1:
            contexts = np.empty((len(token), self._context_size), np.int32)
            before = parent
            for place in range(self._context_size - 1, -1, -1):
                # of the root, and of what is before it
                contexts[:, place] = np.where(before > 0, token[before], -1)
                contexts[depth == self._context_size - place, place] = self.blank
                before = parent[before]
            surprise = self._surprise(contexts[1:], token[1:])
            costs[1:] = np.clip(surprise, LEAST_SURPRISE, GREATEST_SURPRISE)
        costs[0] = 0.0
        return costs

    def ranked(self, word: str, count: int) -> Ranked:
        """Return the tokens of a word in up to ``count`` ways for each letter case, with ranks, the likeliest first."""
        key = (word, count)
        found = self._ranked.get(key)
        if found is None:
            if len(self._ranked) > 200_000:
                self._ranked.clear()
            options: dict[tuple[int, ...], int] = {}
            for form, cased in enumerate(self.cased(word)):
                for rank, way in enumerate(self.ways(cased, count)):
                    options.setdefault(way, rank + form)
            found = self._ranked[key] = tuple(sorted((rank, way) for way, rank in options.items()))
        return found

    def ways(self, word: str, count: int) -> Ways:
        """Return the tokens of one word, as it is, in up to ``count`` ways, the likeliest first; none: it has none."""
        if not word or len(word) > MAX_WORD:
            return ()
        found: dict[tuple[int, ...], None] = {}
        if self._nbest is not None:
            for pieces in self._nbest(word, count):
                way = tuple(self._ids.get(piece, -1) for piece in pieces)
                if way and min(way) >= 0 and self.word_starts[way[0]]:
                    found.setdefault(way)
        if len(found) < (count if self._nbest is None else 1):
            begun = f"{WORD_MARK}{word}" if self.marked else word
            ways = self._segment(begun, count)
            if not ways and _is_ideograph(word[0]):
                ways = self._segment(word, count)
            for way in ways:
                found.setdefault(way)
        return tuple(found)[:count]

    def _segment(self, text: str, count: int) -> list[tuple[int, ...]]:
        """Return the ways to write ``text`` with the fewest tokens, then those whose first tokens are longest."""
        best: list[list[tuple[int, ...]]] = [[] for _ in range(len(text))] + [[()]]
        for begin in range(len(text) - 1, -1, -1):
            ways = []
            for end in range(min(len(text), begin + self._longest), begin, -1):
                number = self._ids.get(text[begin:end])
                if number is not None:
                    ways += [(number, *rest) for rest in best[end]]
            best[begin] = sorted(ways, key=len)[:count]
        return best[0]


def _is_ideograph(char: str) -> bool:
    return "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or "\U00020000" <= char <= "\U0003ffff"
