"""A grammar as a scorer: what fits the templates costs nothing, all else does.

Where everything that may be said is known (orders, menus), this does what rewards for phrases cannot: it keeps the
search to sentences that make sense without making it hear words in noise. With blanks always free, silence stays
silence. Recognisers with a JSGF or a finite-state grammar search in the same way.
"""

import threading
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from .errors import BiasingError
from .slots import SlotGrammar
from .tokenize import Tokenizer

DEFAULT_PENALTY = 8.0
"""Score (natural logarithm) that a token outside of the grammar costs."""
_Position = tuple[int, str, int]
"""A place in the templates, what is said there (a word, or a class as ``$name``), and how much of it: a node of its
tokens. Between words it is ("", 0)."""


class _Tokens:
    """All tokenisations of a word or a class as a trie."""

    def __init__(self, ways: Iterable[tuple[int, ...]]) -> None:
        self.follow: list[dict[int, int]] = [{}]
        self.is_end = [False]
        for way in ways:
            node = 0
            for token in way:
                new = len(self.follow)
                node = self.follow[node].setdefault(token, new)
                if node == new:
                    self.follow.append({})
                    self.is_end.append(False)
            self.is_end[node] = node > 0


class GrammarScorer:
    """A ``TokenScorer`` that keeps a search to the sentences of a grammar. May be shared by threads.

    Every token outside of the grammar costs the penalty, and the grammar goes on after it where it was broken off.
    A sentence that is not finished at the end of the utterance costs one penalty; one that was never begun, nothing.
    """

    start = 0
    """The state before the first token."""

    def __init__(self, grammar: SlotGrammar, tokenizer: Tokenizer, *, penalty: float = DEFAULT_PENALTY) -> None:
        """Make the scorer.

        Args:
            grammar: what may be said.
            tokenizer: of the model that listens.
            penalty: score that a token outside of the grammar costs; greater, the grammar is stricter.

        Raises:
            BiasingError: the model has no tokens for a phrase or a word, or ``penalty`` is negative; names it.
        """
        if not 0 <= penalty < 1e6:
            raise BiasingError(f"penalty is {penalty}: expected 0 or more")
        self._grammar, self._penalty = grammar, penalty
        vocabulary = tokenizer.vocabulary
        self._blank, self._starts = vocabulary.blank, vocabulary.word_starts
        self._tries = {f"${name}": _Tokens(_ways(tokenizer, phrases)) for name, phrases in grammar.phrases.items()} | {
            word: _Tokens(_ways(tokenizer, [word])) for word in {word for edges in grammar.by_word for word in edges}
        }
        self._lock = threading.Lock()
        self._ids: dict[frozenset[_Position], int] = {}
        self._states: list[frozenset[_Position]] = []
        self._follow: list[dict[int, int]] = []
        self._rows: dict[int, npt.NDArray[np.float32]] = {}
        self._intern(frozenset((place, "", 0) for place in grammar.beginning))

    def scores(self, state: int) -> npt.NDArray[np.float32]:
        """Return what each token adds in ``state``, [vocab_size]: 0 or minus the penalty. Not to be written to."""
        row = self._rows.get(state)
        if row is None:
            row = np.full(len(self._starts), -self._penalty, np.float32)
            row[[self._blank, *self._fitting(state)]] = 0.0
            row.flags.writeable = False
            self._rows[state] = row
        return row

    def advance(self, state: int, token: int) -> int:
        """Return the state after ``token``."""
        if token == self._blank:
            return state
        known = self._follow[state]
        follow = known.get(token)
        if follow is None:
            after = self._fitting(state).get(token)
            # a filler breaks off what is being said: it is to be said again
            follow = known[token] = self._intern(
                frozenset(after or {(place, "", 0) for place, _, _ in self._states[state]})
            )
        return follow

    def final(self, state: int) -> float:
        """Return what ending in ``state`` adds: a sentence that is not finished costs a penalty."""
        ends = self._grammar.ends
        fine = state == self.start or any(not edge and ends[place] for place, edge, _ in self._states[state])
        return 0.0 if fine else -self._penalty

    def _fitting(self, state: int) -> Mapping[int, set[_Position]]:
        """Return the tokens that fit in a state, and where they lead."""
        found: dict[int, set[_Position]] = {}
        for place, edge, node in self._states[state]:
            edges = (
                [edge] if edge else [*self._grammar.by_word[place], *(f"${n}" for n in self._grammar.by_class[place])]
            )
            for name in edges:
                for token, child in self._tries[name].follow[node].items():
                    after = found.setdefault(token, set())
                    if self._tries[name].follow[child]:
                        after.add((place, name, child))
                    if self._tries[name].is_end[child]:
                        targets = (
                            self._grammar.by_class[place][name[1:]]
                            if name[0] == "$"
                            else self._grammar.by_word[place][name]
                        )
                        after.update((target, "", 0) for target in targets)
        return found

    def _intern(self, positions: frozenset[_Position]) -> int:
        with self._lock:
            found = self._ids.get(positions)
            if found is None:
                found = self._ids[positions] = len(self._states)
                self._states.append(positions)
                self._follow.append({})
            return found


def _ways(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterable[tuple[int, ...]]:
    for text in texts:
        ways = tokenizer.words(text)
        if not ways:
            raise BiasingError(f"{text!r}: the model has no tokens that spell it; write it as the model does")
        yield from ways
