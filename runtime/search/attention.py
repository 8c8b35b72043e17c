"""Attention to the phrases of a list, in the search: what each predictor context makes the joiner expect.

At each frame all phrases may begin and, of those under way, the pieces may follow whose phrase the predictor's context
is in; see ``models.contextual``. Of more than ``ATTENDED`` phrases, and more than ``UNDER_WAY`` pieces, those whose
first two phones were heard best lately. What is added depends on frame and context alone, so equal futures stay equal.
"""

import numpy as np
import numpy.typing as npt

from ...models import Transducer
from ...models.contextual import ContextualBias, Ints, PhraseBook, PlaceVectors

Array = npt.NDArray[np.float32]
ATTENDED = 300
"""Phrases that may begin at a frame."""
UNDER_WAY = 32
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
        self._starts: dict[str, Array] | None = None
        """Where phrases begin, as the attention takes it, if it is the same for all steps."""

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
        begins, starts = self.book.begins, self._starts
        heard = heard_pairs(np.concatenate([past, phones]))
        if len(begins) > ATTENDED:
            starts = self._beginning(likeliest(self.book, begins, heard, ATTENDED))
        elif starts is None:
            starts = self._starts = self._beginning(begins)
        feeds = {"encoder_out": encoder_out, "phones": self._bias.heard(past, phones), **starts}
        return StepAttention(self._model, self._bias, self._vectors, feeds, heard)

    def _beginning(self, places: Ints) -> dict[str, Array]:
        keys, values = self._vectors.take(places)
        return {
            "start_keys": np.ascontiguousarray(keys.transpose(1, 2, 0)),
            "start_values": np.ascontiguousarray(values.transpose(1, 0, 2)),
        }


def heard_pairs(phones: Array) -> Array:
    """Return how well each two phones were heard, soon after one another, in the last frames, [classes, classes].

    ``phones`` [frames, classes] are natural log-probabilities; what is returned is relative to the likeliest phones.
    """
    relative = phones - phones.max(1, keepdims=True)
    after = np.full_like(relative, -np.inf)
    for step in range(1, REACH + 1):
        np.maximum(after[:-step], relative[step:], out=after[:-step])
    after[-REACH // 2 :] = np.maximum(after[-REACH // 2 :], np.float32(UNHEARD))
    pairs: Array = (relative[:, :, None] + after[:, None]).max(0)
    # what nobody knows how it sounds, or is one phone alone, fits by what is known
    pairs[:, 0] = relative.max(0)
    pairs[0] = 0.0
    return pairs


def likeliest(book: PhraseBook, places: Ints, heard: Array, most: int) -> Ints:
    """Return the places, ``most`` of them, whose own two first phones were heard best; see ``heard_pairs``."""
    if len(places) <= most:
        return places
    first, second = book.opening[places].T
    fits = heard[first, second]
    return places[np.argpartition(-fits, most)[:most]]


class StepAttention:
    """What is added on the frames of one step, after each predictor context that comes up."""

    def __init__(
        self,
        model: Transducer,
        bias: ContextualBias,
        vectors: PlaceVectors,
        feeds: dict[str, Array],
        heard: Array,
    ) -> None:
        self._model, self._bias, self._vectors, self._feeds, self._heard = model, bias, vectors, feeds, heard

    def added(self, contexts: list[tuple[int, ...]], position: int) -> Array:
        """Return what is added before the joiner to the frames from ``position`` on, [contexts, frames, joiner_dim]."""
        book = self._vectors.book
        following = (book.after(tuple([max(token, 0) for token in context])) for context in contexts)
        going = [likeliest(book, places, self._heard, UNDER_WAY) for places in following]
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
