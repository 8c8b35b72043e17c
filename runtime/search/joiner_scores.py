"""What the model says of the encoder frames of one step, for every predictor context that the search comes to."""

import numpy as np
import numpy.typing as npt

from ...models import Transducer
from .attention import StepAttention
from .nodes import Node
from .settings import BeamSettings

Array = npt.NDArray[np.float32]
KEPT_CANDIDATES = 2
"""Tokens followed per frame, as a multiple of ``max_active``: those that recombine add arcs, not nodes."""
LEAST_SCORE = -1e30
"""Below it are only tokens that are never put out."""
Following = tuple[float, list[tuple[float, int]], float]
"""What may follow a predictor context on one frame: log-probability of the blank; log-probability and number of the
best tokens; what no other token has more than. (A plain tuple: there are hundreds a second.)"""


class JoinerScores:
    """Log-probabilities of the encoder frames of one step, for every predictor context that comes up."""

    def __init__(
        self,
        model: Transducer,
        settings: BeamSettings,
        encoder_out: Array,
        attention: StepAttention | None = None,
    ) -> None:
        self._model, self._settings, self._encoder_out = model, settings, encoder_out
        self._attention = attention
        self._known: dict[tuple[int, ...], list[Following]] = {}
        """By frame, counted from the end of the step: before a context comes up, nothing is known of it."""
        self._tokens: dict[tuple[int, ...], tuple[Array, Array]] = {}
        """[frames, vocab_size] and [frames]: the difference is the log-probability; -inf for blank and unknown."""
        self._plain: dict[tuple[int, ...], tuple[Array, Array]] = {}
        """The same without attention to phrases, where there is any."""

    def following(self, live: list[tuple[Node, float]], position: int) -> list[Following]:
        """Return what may follow live nodes on frame ``position``; may not be asked for an earlier frame later on."""
        known = self._known
        missing = {node.context: None for node, _ in live if node.context not in known}
        if missing:
            self._compute(list(missing), self._encoder_out[position:])
        place = position - len(self._encoder_out)
        return [known[node.context][place] for node, _ in live]

    def tokens(self, node: Node, position: int) -> Array:
        """Return the log-probabilities of all tokens, [vocab_size]."""
        place = position - len(self._encoder_out)
        logits, normalizer = self._tokens[node.context]
        tokens: Array = logits[place] - normalizer[place]
        return tokens

    def given(self, node: Node, position: int, token: int) -> float:
        """Return how much of a token's log-probability comes of attention to phrases."""
        plain = self._plain.get(node.context)
        if plain is None:
            return 0.0
        place, (logits, normalizer) = position - len(self._encoder_out), self._tokens[node.context]
        without = plain[0].item(place, token) - plain[1].item(place)
        return logits.item(place, token) - normalizer.item(place) - without

    def _compute(self, contexts: list[tuple[int, ...]], encoded: Array) -> None:
        model, left = self._model, len(encoded)
        if len(contexts) == 1:
            predicted, rows = model.predict(contexts[0]), encoded
        else:
            predicted = np.concatenate([model.predict(context) for context in contexts]).repeat(left, 0)
            rows = np.concatenate([encoded] * len(contexts))
        count = len(rows)
        if self._attention is not None:
            added = self._attention.added(contexts, len(self._encoder_out) - left)
            rows = np.concatenate([rows + added.reshape(rows.shape), rows])
            predicted = np.concatenate([predicted.repeat(count // len(predicted), 0)] * 2)
        logits, normalizer, blanks = self._log_probs(model.join(rows, predicted))
        found = self._following(logits[:count], normalizer[:count].tolist(), blanks[:count])
        for k, context in enumerate(contexts):
            part = slice(k * left, (k + 1) * left)
            self._known[context] = found[part]
            self._tokens[context] = logits[part], normalizer[part]
            if self._attention is not None:
                without = slice(count + part.start, count + part.stop)
                self._plain[context] = logits[without], normalizer[without]

    def _log_probs(self, logits: Array) -> tuple[Array, Array, list[float]]:
        """Return logits of tokens, what makes log-probabilities of them, and the blank's logits."""
        settings = self._settings
        blank, unknown = self._model.vocabulary.blank_id, self._model.vocabulary.unk_id
        if settings.temperature != 1.0:
            logits = logits / np.float32(settings.temperature)
        if settings.blank_penalty:
            logits = logits.copy()
            logits[:, blank] -= settings.blank_penalty
        logits = logits - np.maximum.reduce(logits, axis=1, keepdims=True)
        normalizer = np.log(np.add.reduce(np.exp(logits), axis=1))
        blanks = logits[:, blank].tolist()
        logits[:, blank] = -np.inf
        if unknown is not None:
            logits[:, unknown] = -np.inf
        return logits, normalizer, blanks

    def _following(self, logits: Array, normalizer: list[float], blanks: list[float]) -> list[Following]:
        # a token so much worse than the best, be that the blank, is out whatever the hypothesis before it
        size, most = logits.shape[1], min(KEPT_CANDIDATES * self._settings.max_active, logits.shape[1])
        floor = np.partition(logits, size - most, axis=1)[:, size - most, None]
        floor = np.maximum(floor, np.float32(max(-self._settings.beam, LEAST_SCORE)))
        flat = logits.ravel()
        places = (logits >= floor).ravel().nonzero()[0]
        best: list[list[tuple[float, int]]] = [[] for _ in blanks]
        for place, value in zip(places.tolist(), flat[places].tolist(), strict=True):
            row = place // size
            best[row].append((value - normalizer[row], place - row * size))
        return [
            (blank - normal, pairs, least - normal)
            for blank, normal, pairs, least in zip(blanks, normalizer, best, floor.ravel().tolist(), strict=True)
        ]
