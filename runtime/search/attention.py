"""Attention to the phrases of a list, in the search: what each predictor context makes the joiner expect.

At each frame all phrases may begin and, of those under way, the pieces may follow whose phrase the predictor's context
is in; see ``models.contextual``. Of lists longer than ``ATTENDED`` only those may begin whose first two phones were
heard best lately. What is added depends on frame and context alone, so equal futures stay equal.
"""

import numpy as np
import numpy.typing as npt

from ...models import Transducer
from ...models.contextual import ContextualBias, Ints, PhraseBook, PlaceVectors

Array = npt.NDArray[np.float32]
ATTENDED = 300
"""Phrases that may begin at a frame."""
UNDER_WAY = 64
"""Places that may go on after one predictor context."""
REACH = 8
"""Phone frames within which a phrase's second phone follows its first."""
UNHEARD = -2.0
"""Log-probability of a second phone that has had no time to come."""
OPEN, NOWHERE = np.float32(0.0), np.float32(-1e9)


class ListAttention:
    """A list that searches attend to. Never changes; may be shared."""

    def __init__(self, model: Transducer, bias: ContextualBias, book: PhraseBook) -> None:
        self._model, self.book = model, book
        self._bias, self._vectors = bias, PlaceVectors(bias, book)

    def past(self, phones: Array) -> Array:
        """Return what a search has to remember of the phones it has heard, [frames, classes]."""
        kept = 2 * self._bias.past
        known = phones[max(0, len(phones) - kept) :]
        quiet = np.zeros((kept - len(known), phones.shape[1]), np.float32)
        quiet[:, 1:] = -100.0
        return np.concatenate([quiet, known])

    def listen(self, encoder_out: Array, phones: Array, past: Array) -> "StepAttention":
        """Return what is added on the frames of a step.

        Args:
            encoder_out: [T, joiner_dim]
            phones: [2 * T, classes] Natural log-probabilities.
            past: [..., classes] Those of the frames before; see ``past``.
        """
        starts = self.book.begins
        if len(starts) > ATTENDED:
            fits = self._fits(np.concatenate([past, phones]))
            starts = starts[np.argpartition(-fits, ATTENDED)[:ATTENDED]]
        keys, values = self._vectors.take(starts)
        feeds = {
            "encoder_out": encoder_out,
            "phones": self._bias.heard(past, phones),
            "start_keys": np.ascontiguousarray(keys.transpose(1, 2, 0)),
            "start_values": np.ascontiguousarray(values.transpose(1, 0, 2)),
        }
        return StepAttention(self._model, self._bias, self._vectors, feeds)

    def _fits(self, phones: Array) -> Array:
        """Return how well the beginning of each phrase was heard in the last frames [frames, classes], [phrases]."""
        relative = phones - phones.max(1, keepdims=True)
        after = np.full_like(relative, -np.inf)
        for step in range(1, REACH + 1):
            np.maximum(after[:-step], relative[step:], out=after[:-step])
        after[-REACH // 2 :] = np.maximum(after[-REACH // 2 :], np.float32(UNHEARD))
        pairs = (relative[:, :, None] + after[:, None]).max(0)
        # a phrase of which nobody knows how it sounds, or with one phone alone, fits by what is known
        pairs[:, 0] = relative.max(0)
        pairs[0] = 0.0
        fits: Array = pairs[self.book.opening[:, 0], self.book.opening[:, 1]]
        return fits


class StepAttention:
    """What is added on the frames of one step, after each predictor context that comes up."""

    def __init__(self, model: Transducer, bias: ContextualBias, vectors: PlaceVectors, feeds: dict[str, Array]) -> None:
        self._model, self._bias, self._vectors, self._feeds = model, bias, vectors, feeds

    def added(self, contexts: list[tuple[int, ...]], position: int) -> Array:
        """Return what is added before the joiner to the frames from ``position`` on, [contexts, frames, joiner_dim]."""
        book = self._vectors.book
        going = [book.after(tuple([max(token, 0) for token in context]))[:UNDER_WAY] for context in contexts]
        most = max(1, *map(len, going))
        chosen: Ints = np.zeros((len(going), most), np.int64)
        open_ = np.full((len(going), 1, 1, most), NOWHERE, np.float32)
        for row, places in enumerate(going):
            chosen[row, : len(places)] = places
            open_[row, ..., : len(places)] = OPEN
        keys, values = self._vectors.take(chosen)
        feeds = {
            **self._feeds,
            "encoder_out": self._feeds["encoder_out"][position:],
            "phones": self._feeds["phones"][position:],
            "decoder_out": np.concatenate([self._model.predict(context) for context in contexts]),
            "keys": np.ascontiguousarray(keys.transpose(0, 2, 3, 1)),
            "values": np.ascontiguousarray(values.transpose(0, 2, 1, 3)),
            "open": open_,
        }
        return self._bias.attend(feeds)[0]
