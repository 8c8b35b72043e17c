"""The language model of a turn: that of the model, the answers that context makes likely, and a cache of the dialogue.

A mixture of whole-utterance models, followed by its posterior: the probability of the next token is that of general
speech and of every answer that is still possible, each by how well it has foretold the tokens so far (a sentence-level
mixture as in Iyer and Ostendorf 1999, with a stochastic grammar per source). What does not fit the context loses at
most minus the logarithm of the prior of general speech, once in an utterance, however wrong the context is. General
speech is the n-gram interpolated with a small one of the dialogue's own words (a cache; Kuhn and De Mori 1990).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from ...lattice.language import NgramModel, StatefulScorer
from .network import Network

Row = npt.NDArray[np.float32]
LEAST_SHARE = 1e-5
"""Posterior below which an answer is given up."""
STEPS_PER_NAT = 8
"""Posteriors are rounded to so many steps of their logarithm: hypotheses that hardly differ can be recombined."""
LEAST_GENERAL = -18.0
"""Log-probability of a token in general speech, at least: an answer makes no more up than the rest."""
MAX_STATES = 50_000


@dataclass(frozen=True)
class _State:
    base: int
    """Of what is added without context."""
    general: int
    """Of the n-gram."""
    cache: int
    """Of the cache."""
    share: float
    """Posterior of general speech."""
    nodes: tuple[tuple[int, float], ...]
    """Posteriors of places in answers."""


class ContextLanguage:
    """A ``TokenScorer``: what a language model adds, and what context makes of it. For one turn and one thread."""

    def __init__(
        self,
        base: StatefulScorer,
        general: NgramModel,
        network: Network,
        *,
        word_starts: npt.NDArray[np.bool_],
        blank: int,
        scale: float,
        cache: NgramModel | None = None,
        cache_share: float = 0.0,
    ) -> None:
        """Weigh answers against general speech.

        Args:
            base: what is added without context, weighted.
            general: probabilities of general speech over the same tokens.
            network: likely answers; what its starts leave of one is the prior of general speech.
            word_starts: [vocab_size] Whether a word begins with each token.
            blank: token that changes nothing.
            scale: how much the logarithm of the ratio counts.
            cache: over the same tokens, of the dialogue's words.
            cache_share: probability of the cache within general speech.
        """
        self.base = base
        """What is added without context."""
        self._general, self._network, self._scale = general, network, scale
        self._word_starts, self._blank = word_starts, blank
        self._cache, self._cache_share = (cache, cache_share) if cache_share > 0 else (None, 0.0)
        self._states: list[_State] = []
        self._ids: dict[_State, int] = {}
        self._rows: dict[int, Row] = {}
        self._back: dict[tuple[int, int], Row] = {}
        prior = 1.0 - sum(network.starts.values())
        nodes = tuple(network.starts.items())
        cached = 0 if self._cache is None else self._cache.start
        self.start = self._intern(_State(base.start, general.start, cached, prior, nodes))

    def scores(self, state: int) -> Row:
        """Return what each token adds in ``state``, [vocab_size]; 0 for blank."""
        row = self._rows.get(state)
        if row is None:
            row = self._rows[state] = self._row(self._states[state])
        return row

    def advance(self, state: int, token: int) -> int:
        """Return the state after ``token``; a blank changes nothing."""
        if token == self._blank:
            return state
        known = self._states[state]
        spoken, back = self._escaping(known, token), self._background(known)
        share = spoken * math.exp(back.item(token))
        after: dict[int, float] = {}
        nodes = self._network.nodes
        for number, weight in known.nodes:
            for target, probability in nodes[number].arcs.get(token, ()):
                after[target] = after.get(target, 0.0) + weight * probability
        total = share + sum(after.values())
        cache = 0 if self._cache is None else self._cache.advance(known.cache, token)
        return self._intern(
            _State(
                self.base.advance(known.base, token),
                self._general.advance(known.general, token),
                cache,
                share / total,
                tuple((node, weight / total) for node, weight in after.items()),
            )
        )

    def final(self, state: int) -> float:
        """Return what ending in ``state`` adds."""
        known = self._states[state]
        end = self._general.final(known.general)
        ends = sum(weight * self._network.nodes[number].end for number, weight in known.nodes)
        likely = known.share + ends * math.exp(-max(end, LEAST_GENERAL))
        return self.base.final(known.base) + self._scale * math.log(max(likely, LEAST_SHARE))

    def answered(self, tokens: Iterable[int]) -> float:
        """Return how probable it is that an utterance of these tokens is an answer, by the words alone."""
        known = self._states[reduce(self.advance, tokens, self.start)]
        general = known.share * math.exp(max(self._general.final(known.general), LEAST_GENERAL))
        answers = sum(weight * self._network.nodes[number].end for number, weight in known.nodes)
        return answers / (answers + general)

    def _background(self, state: _State) -> Row:
        """Return the log-probabilities of general speech, [vocab_size]."""
        if self._cache is None:
            return self._general.scores(state.general)
        key = (state.general, state.cache)
        row = self._back.get(key)
        if row is None:
            known = np.float32(self._cache_share)
            general, cache = self._general.scores(state.general), self._cache.scores(state.cache)
            row = self._back[key] = np.logaddexp(general + np.log1p(-known), cache + np.log(known))
        return row

    def _escaping(self, state: _State, token: int) -> float:
        """Return the posterior of general speech before a token: new words may follow an answer."""
        if not self._word_starts[token]:
            return state.share
        nodes = self._network.nodes
        return state.share + sum(weight * nodes[number].escape for number, weight in state.nodes)

    def _row(self, state: _State) -> Row:
        base, general = self.base.scores(state.base), self._general.scores(state.general)
        back, nodes = self._background(state), self._network.nodes
        escapes = sum(weight * nodes[number].escape for number, weight in state.nodes)
        share = np.where(self._word_starts, state.share + escapes, state.share)
        ratio = np.log(np.maximum(share, LEAST_SHARE)).astype(np.float32) + (back - general)
        likely: dict[int, float] = {}
        for number, weight in state.nodes:
            for token, arcs in nodes[number].arcs.items():
                likely[token] = likely.get(token, 0.0) + weight * sum(probability for _, probability in arcs)
        if likely:
            tokens = np.fromiter(likely, np.int64, len(likely))
            answers = np.log(np.fromiter(likely.values(), np.float64, len(likely)))
            answers -= np.maximum(general[tokens], LEAST_GENERAL)
            ratio[tokens] = np.logaddexp(ratio[tokens], answers)
        row: Row = base + np.float32(self._scale) * ratio
        row[self._blank] = 0.0
        row.flags.writeable = False
        return row

    def _intern(self, state: _State) -> int:
        kept = tuple(sorted((node, _rounded(weight)) for node, weight in state.nodes if weight >= LEAST_SHARE))
        state = _State(state.base, state.general, state.cache, _rounded(state.share) if kept else 1.0, kept)
        found = self._ids.get(state)
        if found is None:
            found = self._ids[state] = len(self._states)
            self._states.append(state)
        return found


def _rounded(weight: float) -> float:
    return math.exp(round(math.log(max(weight, LEAST_SHARE)) * STEPS_PER_NAT) / STEPS_PER_NAT)
