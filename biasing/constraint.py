"""A grammar as a scorer: the search is kept to what fits the templates.

Where everything that may be said is known (orders, menus), this does what rewards for phrases cannot: only sentences
that make sense are heard. Recognisers with a JSGF or a finite-state grammar search in the same way.

Two things in a transducer are at odds with a grammar. It expects the word sequences that it was trained on: that is
taken back in part, as with another language model (Meng et al. 2020, arXiv 2011.01991). And it leaves out what it is
not sure of, though the grammar would be: so every token that fits earns a little.
"""

import threading
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from .errors import BiasingError
from .slots import SlotGrammar
from .token_trie import TokenTrie
from .tokenize import Tokenizer
from .vocabulary import GREATEST_SURPRISE, Surprise

DEFAULT_PENALTY = 30.0
"""Score (natural logarithm) that a token outside of the grammar costs."""
DEFAULT_REWARD = 1.0
"""Score that each token of the grammar earns."""
DEFAULT_SHARE = 0.3
"""Share of how unlikely the model itself finds a token that is given back to it."""
_Position = tuple[int, str, int]
"""A place in the templates, what is said there (a word, or a class as ``$name``), and how much of it: a node of its
tokens. Between words it is ("", 0)."""
_State = tuple[frozenset[_Position], tuple[int, ...]]
"""All places at once, and the tokens before, if they matter."""


class GrammarScorer:
    """A ``TokenScorer`` that keeps a search to the sentences of a grammar. May be shared by threads.

    Every token that fits is rewarded; every other one costs the penalty, and the grammar goes on after it where it was
    broken off. A sentence that is not finished at the end of the utterance costs one penalty; one that was never
    begun, nothing.
    """

    start = 0
    """The state before the first token."""

    def __init__(
        self,
        grammar: SlotGrammar,
        tokenizer: Tokenizer,
        *,
        penalty: float = DEFAULT_PENALTY,
        reward: float = DEFAULT_REWARD,
        surprise: Surprise | None = None,
        share: float = DEFAULT_SHARE,
        context_size: int = 2,
    ) -> None:
        """Make the scorer.

        Args:
            grammar: what may be said.
            tokenizer: of the model that listens.
            penalty: score that a token outside of the grammar costs; greater, the grammar is stricter.
            reward: score that each token of the grammar earns; greater, less is left out and more is made up.
            surprise: what the model makes of tokens that it cannot hear.
            share: of ``surprise`` that a token of the grammar earns beside the reward, 0 to 1.
            context_size: tokens that ``surprise`` wants to know the past by.

        Raises:
            BiasingError: the model has no tokens for a phrase or a word, or a number is out of range; names it.
        """
        for name, value, most in (("penalty", penalty, 1e6), ("reward", reward, 1e3), ("share", share, 1.0)):
            if not 0 <= value <= most:
                raise BiasingError(f"{name} is {value}: expected 0 to {most:g}")
        self._grammar, self._penalty, self._reward = grammar, penalty, reward
        self._surprise, self._share = surprise, share
        vocabulary = tokenizer.vocabulary
        self._blank, self._vocab_size = vocabulary.blank, len(vocabulary.tokens)
        self._tries = {
            f"${name}": TokenTrie({name: _ways(tokenizer, phrases)}) for name, phrases in grammar.phrases.items()
        } | {
            word: TokenTrie({word: _ways(tokenizer, [word])})
            for word in {word for edges in grammar.by_word for word in edges}
        }
        self._lock = threading.Lock()
        self._ids: dict[_State, int] = {}
        self._states: list[_State] = []
        self._follow: list[dict[int, int]] = []
        self._rows: dict[int, npt.NDArray[np.float32]] = {}
        context = (-1,) * (context_size - 1) + (self._blank,)
        self._intern((frozenset((place, "", 0) for place in grammar.beginning), context if surprise else ()))

    def scores(self, state: int) -> npt.NDArray[np.float32]:
        """Return what each token adds in ``state``, [vocab_size]. Not to be written to."""
        row = self._rows.get(state)
        if row is None:
            row = np.full(self._vocab_size, -self._penalty, np.float32)
            row[self._blank] = 0.0
            positions, context = self._states[state]
            tokens = np.asarray(sorted(self._fitting(positions)), np.int32)
            row[tokens] = self._reward
            if self._surprise is not None and len(tokens):
                surprise = self._surprise(np.asarray([context] * len(tokens), np.int32), tokens)
                row[tokens] += self._share * np.clip(surprise, 0.0, GREATEST_SURPRISE)
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
            positions, context = self._states[state]
            after = self._fitting(positions).get(token)
            if after is None:
                # a filler breaks off what is being said: it is to be said again, and what was before does not matter
                broken = frozenset((place, "", 0) for place, _, _ in positions), self._states[self.start][1]
                follow = self._intern(broken)
            else:
                follow = self._intern((frozenset(after), (*context[1:], token) if context else ()))
            known[token] = follow
        return follow

    def final(self, state: int) -> float:
        """Return what ending in ``state`` adds: a sentence that is not finished costs a penalty."""
        positions, _ = self._states[state]
        begun = positions != self._states[self.start][0]
        fine = not begun or any(not edge and self._grammar.ends[place] for place, edge, _ in positions)
        return 0.0 if fine else -self._penalty

    def _fitting(self, positions: frozenset[_Position]) -> Mapping[int, set[_Position]]:
        """Return the tokens that fit, and where they lead."""
        found: dict[int, set[_Position]] = {}
        for place, edge, node in positions:
            edges = (
                [edge] if edge else [*self._grammar.by_word[place], *(f"${n}" for n in self._grammar.by_class[place])]
            )
            for name in edges:
                for token, child in self._tries[name].follow[node].items():
                    after = found.setdefault(token, set())
                    if self._tries[name].follow[child]:
                        after.add((place, name, child))
                    if self._tries[name].ends[child]:
                        targets = (
                            self._grammar.by_class[place][name[1:]]
                            if name[0] == "$"
                            else self._grammar.by_word[place][name]
                        )
                        after.update((target, "", 0) for target in targets)
        return found

    def _intern(self, state: _State) -> int:
        with self._lock:
            found = self._ids.get(state)
            if found is None:
                found = self._ids[state] = len(self._states)
                self._states.append(state)
                self._follow.append({})
            return found


def _ways(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterable[tuple[int, ...]]:
    for text in texts:
        ways = tokenizer.words(text)
        if not ways:
            raise BiasingError(f"{text!r}: the model has no tokens that spell it; write it as the model does")
        yield from ways
