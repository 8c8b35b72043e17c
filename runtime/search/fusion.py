"""What biasing and a language model add to the scores of tokens, as one scorer whose states are pairs of theirs."""

import math

import numpy as np
import numpy.typing as npt

from .scorer import BiasScorer, Nothing, TokenScorer

Array = npt.NDArray[np.float32]
States = tuple[int, int]
"""Of the bias and of the language model: equal ones have equal futures."""
KEPT = 512
"""Pairs of states that are remembered."""


class FusedScores:
    """What is added in one pair of states."""

    __slots__ = ("_final", "_follow", "_scorers", "bias", "highest", "item", "pending", "reach", "states", "values")

    def __init__(self, scorers: "ScoreFusion", states: States) -> None:
        self._scorers = scorers
        self._follow: dict[int, States] = {}
        self.states = states
        self.bias = scorers.bias.scores(states[0])
        """By the bias to each token, [vocab_size]."""
        self.values: Array = self.bias
        """By both."""
        if scorers.has_language:
            language = scorers.language.scores(states[1])
            self.values = self.bias + language if scorers.has_bias else language
        self.item = self.values.item
        """Returns the value of one token."""
        self.highest = float(np.maximum.reduce(self.values))
        """The most of it."""
        # without a language model, what the model itself thinks little of is not looked at
        self.reach = self.highest if scorers.has_language else -math.inf
        """The most that tokens are given of which the model itself thinks little; -inf: they are not looked at."""
        self.pending = scorers.bias.pending(states[0])
        """Of it all so far, what was given in advance for phrases that are not finished yet."""
        self._final: float | None = None

    @property
    def final(self) -> float:
        """By ending here."""
        if self._final is None:
            self._final = self._scorers.bias.final(self.states[0]) + self._scorers.language.final(self.states[1])
        return self._final

    def after(self, token: int) -> States:
        """Return the states after ``token``."""
        found = self._follow.get(token)
        if found is None:
            bias, language = self._scorers.bias, self._scorers.language
            found = bias.advance(self.states[0], token), language.advance(self.states[1], token)
            self._follow[token] = found
        return found


class ScoreFusion:
    """Both scorers; what they add in states that were met is remembered."""

    def __init__(self, vocab_size: int, bias: BiasScorer | None, language: TokenScorer | None) -> None:
        nothing = Nothing(vocab_size)
        self.bias: BiasScorer = nothing if bias is None else bias
        self.language: TokenScorer = nothing if language is None else language
        self.has_bias = bias is not None
        self.has_language = language is not None
        self.start: States = (self.bias.start, self.language.start)
        """The states before the first token."""
        self._known: dict[States, FusedScores] = {}

    def at(self, states: States) -> FusedScores:
        """Return what is added in ``states``."""
        found = self._known.get(states)
        if found is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            found = self._known[states] = FusedScores(self, states)
        return found

    def with_bias(self, vocab_size: int, bias: BiasScorer | None) -> "ScoreFusion":
        """Return scorers with another bias."""
        return ScoreFusion(vocab_size, bias, self.language if self.has_language else None)
