"""An n-gram language model that scores tokens: in shallow fusion while the search runs, and on lattices."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .trie import NgramTrie

Row = npt.NDArray[np.float32]
States = npt.NDArray[np.int32]
CACHED_BYTES = 2_000_000
"""Rows that are kept, the last used ones, in bytes."""
BLANKS = ("<blk>", "<blank>", "<eps>")
"""Names of the token that says nothing; always token 0."""
UNKNOWN = "<unk>"
SENTENCE = "<s>"
SENTENCE_END = "</s>"
UNKNOWN_LOG_PROB = -16.0
"""Of a symbol that a model without ``<unk>`` has never seen (natural logarithm)."""


class _Rows:
    """What was last made for states; safe in several threads."""

    def __init__(self, row_bytes: int, make: Callable[[int], tuple[Row, States]]) -> None:
        self._limit = max(16, CACHED_BYTES // max(row_bytes, 1))
        self._make = make
        self._rows: OrderedDict[int, tuple[Row, States]] = OrderedDict()
        self._lock = threading.Lock()
        self.peek = self._rows.get
        """Returns what is kept for a state, None if nothing is; does not count as a use."""

    def get(self, state: int) -> tuple[Row, States]:
        with self._lock:
            row = self._rows.get(state)
            if row is not None:
                self._rows.move_to_end(state)
                return row
        row = self._make(state)
        with self._lock:
            self._rows[state] = row
            while len(self._rows) > self._limit:
                self._rows.popitem(last=False)
        return row


class StatefulScorer(Protocol):
    """What scores tokens one after the other by a small number, the state; the search's scorers are such."""

    @property
    def start(self) -> int:
        """The state before the first token."""

    def scores(self, state: int) -> Row:
        """Return what each token would add in ``state``, [vocab_size]; 0 for blank."""

    def advance(self, state: int, token: int) -> int:
        """Return the state after ``token``."""

    def final(self, state: int) -> float:
        """Return what ending in ``state`` adds."""


@dataclass(frozen=True, eq=False)
class NgramModel:
    """A back-off n-gram model over tokens 0 to V - 1. States are nodes of the trie; scores are natural logarithms.

    In every state the probabilities of all tokens and of the end of the sentence add up to one. A token that is not
    in the model has the score of ``<unk>``; a blank scores 0 and changes nothing.
    """

    symbols: tuple[str, ...]
    """The tokens by number: word pieces as in ``tokens.txt``, or words."""
    trie: NgramTrie
    """N-grams over token numbers; V is the end of a sentence and V + 1 its beginning."""
    unit: str = "pieces"
    """What a token is: ``pieces`` or ``words``."""
    _rows: _Rows = field(init=False, repr=False)
    _numbers: dict[str, int] = field(init=False, repr=False)
    _unknown: float = field(init=False, repr=False)
    _blank: int = field(init=False, repr=False)
    _start: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rows", _Rows(8 * len(self.symbols), self._make_row))
        numbers = {symbol: number for number, symbol in enumerate(self.symbols)}
        object.__setattr__(self, "_numbers", numbers)
        unknown = self.trie.step(0, numbers[UNKNOWN]) if UNKNOWN in numbers else None
        object.__setattr__(self, "_unknown", UNKNOWN_LOG_PROB if unknown is None else unknown[1])
        blank = 0 if self.symbols and self.symbols[0] in BLANKS else -1
        object.__setattr__(self, "_blank", blank)
        begun = self.trie.child(0, len(self.symbols) + 1)
        object.__setattr__(self, "_start", self.trie.shorten(begun) if begun >= 0 else 0)

    @property
    def order(self) -> int:
        """Length of the longest n-gram."""
        return self.trie.order

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of n-grams of each order, from 1 on."""
        return tuple(np.diff(self.trie.levels[1:]).tolist())

    @property
    def start(self) -> int:
        """The state at the beginning of a sentence."""
        return self._start

    def scores(self, state: int) -> Row:
        """Return the log-probability of each token in ``state``, [V]; 0 for blank. Not to be written to."""
        return self._rows.get(state)[0]

    def score(self, state: int, token: int) -> float:
        """Return the log-probability of one token; the same as in ``scores``, without making the row."""
        if token == self._blank:
            return 0.0
        found = self.trie.step(state, token)
        return self._unknown_after(state) if found is None else found[1]

    def advance(self, state: int, token: int) -> int:
        """Return the state after ``token``; the smallest one that tells apart what can follow."""
        if token == self._blank:
            return state
        kept = self._rows.peek(state)
        if kept is not None:
            return int(kept[1].item(token))
        found = self.trie.step(state, token)
        return 0 if found is None else self.trie.shorten(found[0])

    def follow(self, state: int, token: int) -> tuple[float, int]:
        """Return ``score`` and ``advance`` of a token at once."""
        found = None if token == self._blank else self.trie.step(state, token)
        if found is None:
            return self.score(state, token), self.advance(state, token)
        return found[1], self.trie.shorten(found[0])

    def final(self, state: int) -> float:
        """Return the log-probability that the sentence ends in ``state``; 0 in a model without sentence ends."""
        found = self.trie.step(state, len(self.symbols))
        return 0.0 if found is None else found[1]

    def number(self, symbol: str) -> int:
        """Return the token of a symbol; that of ``<unk>`` where it has none, -1 where that is none either."""
        return self._numbers.get(symbol, self._numbers.get(UNKNOWN, -1))

    def sentence(self, tokens: Sequence[int]) -> float:
        """Return the log-probability of a whole sentence, its end included."""
        state, total = self.start, 0.0
        for token in tokens:
            score, state = self.follow(state, token)
            total += score
        return total + self.final(state)

    def aligned(self, symbols: Sequence[str]) -> "NgramModel":
        """Return the same model over the tokens of ``symbols``, by name: a speech model's ``vocabulary.tokens``."""
        if tuple(symbols) == self.symbols:
            return self
        numbers = {symbol: number for number, symbol in enumerate(symbols)}
        size = len(symbols)
        extra = {SENTENCE_END: size, SENTENCE: size + 1}
        missing = iter(range(size + 2, size + 2 + len(self.symbols)))
        table = [numbers[symbol] if symbol in numbers else next(missing) for symbol in self.symbols]
        table += [extra[SENTENCE_END], extra[SENTENCE], *missing]
        return NgramModel(tuple(symbols), _renumbered(self.trie, np.array(table, np.int32)), self.unit)

    def _unknown_after(self, state: int) -> float:
        total = self._unknown
        while state:
            total += float(self.trie.backoff[state])
            state = self.trie.suffix_of(state)
        return total

    def _make_row(self, state: int) -> tuple[Row, States]:
        """Return the scores of all tokens in a state, and the states after them."""
        trie, size = self.trie, len(self.symbols)
        if state:
            row, after = (values.copy() for values in self._rows.get(trie.suffix_of(state)))
            row += trie.backoff[state]
        else:
            row, after = np.full(size, self._unknown, np.float32), np.zeros(size, np.int32)
        begin, end = int(trie.first[state]), int(trie.first[state + 1])
        # the sentence's end and beginning are no tokens; they have the highest numbers
        end = begin + int(np.searchsorted(trie.word[begin:end], size))
        words = trie.word[begin:end]
        row[words] = trie.log_prob[begin:end]
        # a child of which nothing is said leads where it does after the shorter history
        told = (trie.first[begin:end] < trie.first[begin + 1 : end + 1]) | (trie.backoff[begin:end] != 0.0)
        after[words[told]] = np.arange(begin, end, dtype=np.int32)[told]
        if self._blank >= 0:
            row[self._blank], after[self._blank] = 0.0, state
        row.flags.writeable = after.flags.writeable = False
        return row, after


def _renumbered(trie: NgramTrie, table: npt.NDArray[np.int32]) -> NgramTrie:
    """Return the trie with other numbers for the words, sorted by them again."""
    word = np.concatenate([[-1], table[trie.word[1:]]]).astype(np.int32)
    place = np.zeros(trie.num_nodes, np.int64)  # the new number of each node
    order, parent = np.zeros(trie.num_nodes, np.int64), trie.parent
    for begin, end in zip(trie.levels[1:-1], trie.levels[2:], strict=True):
        nodes = np.arange(begin, end)
        nodes = nodes[np.lexsort((word[nodes], place[parent[nodes]]))]
        order[begin:end] = nodes
        place[nodes] = np.arange(begin, end)
    sizes = np.diff(trie.first)[order]
    first = np.concatenate([[1], 1 + np.cumsum(sizes)]).astype(np.int32)
    return NgramTrie(word[order], trie.log_prob[order], trie.backoff[order], first)
