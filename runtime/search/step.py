"""What the model says of the encoder frames of one step, for every predictor context that the search comes to."""

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...models import Transducer
from .nodes import Node
from .settings import BeamSettings

Array = npt.NDArray[np.float32]
KEPT_CANDIDATES = 3
"""Tokens followed per frame, as a multiple of ``max_active``: those that recombine add arcs, not nodes."""
LEAST_SCORE = -1e30
"""Below it are only tokens that are never put out."""


class Rows(NamedTuple):
    """What follows one predictor context, on the frames from ``first`` on; the blank is not among the tokens."""

    first: int
    blank: list[float]
    """[frames] Log-probability of the blank."""
    best: list[list[tuple[float, int]]]
    """[frames] Log-probability and number of the best tokens."""
    top: list[float]
    """[frames] Log-probability of the best token."""
    least: list[float]
    """[frames] All tokens that are not among the best have less."""
    tokens: Array
    """[frames, vocab_size] Log-probabilities; -inf for blank and unknown."""


class Step:
    """Log-probabilities of the encoder frames of one step, for every predictor context that comes up."""

    def __init__(self, model: Transducer, settings: BeamSettings, encoder_out: Array) -> None:
        self._model, self._settings, self._encoder_out = model, settings, encoder_out
        self._silenced = [model.vocabulary.blank_id]
        if model.vocabulary.unk_id is not None:
            self._silenced.append(model.vocabulary.unk_id)
        self._known: dict[tuple[int, ...], Rows] = {}

    def need(self, live: list[tuple[Node, float]], position: int) -> None:
        """Compute what is missing for the contexts of live nodes, from frame ``position`` on."""
        missing = list({node.context: None for node, _ in live if node.context not in self._known})
        if not missing:
            return
        model, settings = self._model, self._settings
        encoded = self._encoder_out[position:]
        left = len(encoded)
        if len(missing) == 1:
            logits = model.join(encoded, model.predict(missing[0]))
        else:
            predicted = np.concatenate([model.predict(context) for context in missing]).repeat(left, 0)
            logits = model.join(np.concatenate([encoded] * len(missing)), predicted)
        blank_id = model.vocabulary.blank_id
        if settings.temperature != 1.0:
            logits = logits / np.float32(settings.temperature)
        if settings.blank_penalty:
            logits = logits.copy()
            logits[:, blank_id] -= settings.blank_penalty
        logits = logits - logits.max(axis=1, keepdims=True)
        normalizer = np.log(np.exp(logits).sum(axis=1, keepdims=True))
        logits -= normalizer
        # a token so much worse than the best, be that the blank, is out whatever the hypothesis before it
        floor = np.maximum(-normalizer - np.float32(settings.beam), np.float32(LEAST_SCORE))
        blank = logits[:, blank_id].tolist()
        logits[:, self._silenced] = -np.inf
        top = logits.max(axis=1)
        if (top < floor[:, 0]).all():  # silence: nothing but the blank
            best: list[list[tuple[float, int]]] = [[]] * len(logits)
        else:
            floor = _raised(logits, floor, KEPT_CANDIDATES * settings.max_active)
            best = _best_of(logits, floor)
        least, tops = floor[:, 0].tolist(), top.tolist()
        for k, context in enumerate(missing):
            part = slice(k * left, (k + 1) * left)
            self._known[context] = Rows(position, blank[part], best[part], tops[part], least[part], logits[part])

    def blank(self, node: Node, position: int) -> float:
        """Return the log-probability of the blank."""
        rows = self._known[node.context]
        return rows.blank[position - rows.first]

    def best(self, node: Node, position: int) -> list[tuple[float, int]]:
        """Return the log-probabilities and numbers of the best tokens."""
        rows = self._known[node.context]
        return rows.best[position - rows.first]

    def range(self, node: Node, position: int) -> tuple[float, float]:
        """Return the log-probability of the best token, and what all that are not among the best stay below."""
        rows = self._known[node.context]
        return rows.top[position - rows.first], rows.least[position - rows.first]

    def tokens(self, node: Node, position: int) -> Array:
        """Return the log-probabilities of all tokens, [vocab_size]."""
        rows = self._known[node.context]
        tokens: Array = rows.tokens[position - rows.first]
        return tokens


def _raised(log_probs: Array, floor: Array, count: int) -> Array:
    """Return the floor of each row, [rows, 1], raised so that about ``count`` entries are not below it."""
    if count >= log_probs.shape[1]:
        return floor
    worst = log_probs.shape[1] - count
    raised: Array = np.maximum(floor, np.partition(log_probs, worst, axis=1)[:, worst : worst + 1])
    return raised


def _best_of(log_probs: Array, floor: Array) -> list[list[tuple[float, int]]]:
    """Return for each row the entries that are not below its floor [rows, 1], by token."""
    rows, tokens = np.nonzero(log_probs >= floor)
    pairs = list(zip(log_probs[rows, tokens].tolist(), tokens.tolist(), strict=True))
    ends = np.searchsorted(rows, np.arange(len(log_probs) + 1)).tolist()
    return [pairs[begin:end] for begin, end in itertools.pairwise(ends)]
