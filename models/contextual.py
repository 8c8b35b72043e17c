"""Attention biasing beside a model: two small graphs that make its joiner expect the phrases of a list.

``bias_encoder.onnx`` makes a vector of each word piece of a phrase, from the pieces before it and the phones around it;
``bias_attention.onnx`` attends over them and over a "none", and gives what is added to the encoder's output before the
joiner. A folder need not have them. See ``training.contextual`` for where the method is from.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import ModelFileError
from .model_path import ModelPath
from .phrase_sounds import PHONES_BEFORE, PIECES, SOUNDS, ByLetter, places_of
from .pronunciation import Pronouncer
from .session import describe, metadata_int, open_session
from .transducer import Transducer

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Tokens = tuple[int, ...]
ENCODER, ATTENTION = "bias_encoder.onnx", "bias_attention.onnx"
KEPT_VECTORS = 4096
"""Places whose vectors are kept (1.5 kB each at the usual width); when there are more, all are forgotten."""
KEPT_PHRASES = 50_000
"""Phrases whose pieces and phones are kept, from one list to the next."""
_INPUTS = ("encoder_out", "phones", "decoder_out", "start_keys", "start_values", "keys", "values", "open")
_NO_PLACES = np.zeros(0, np.int64)


@dataclass(frozen=True)
class PhraseBook:
    """The phrases of a list, by their places: word pieces, one after the other. Never changes."""

    phrases: tuple[Tokens, ...]
    pieces: npt.NDArray[np.int32]
    """[places, PIECES] See ``Places``."""
    sounds: npt.NDArray[np.uint8]
    """[places, SOUNDS]"""
    begins: Ints
    """[phrases] Place at which each begins."""
    opening: Ints
    """[places, 2] The first two phones from each on, 0 for none."""
    going: Mapping[Tokens, Ints]
    """Places that go on after the last pieces of a phrase, up to PIECES - 1 of them; fewer are a phrase's beginning."""

    def __len__(self) -> int:
        """Return the number of phrases."""
        return len(self.phrases)

    def after(self, context: Tokens) -> Ints:
        """Return the places that go on after a predictor's context, the last token last."""
        last = context[-(PIECES - 1) :]
        found = [places for start in range(len(last)) if (places := self.going.get(last[start:])) is not None]
        return (found[0] if len(found) == 1 else np.concatenate(found)) if found else _NO_PLACES


class ContextualBias:
    """Both graphs, loaded. Safe to share between threads."""

    def __init__(self, model: Transducer, *, threads: int = 1) -> None:
        """Load the graphs of a model's folder.

        Raises:
            ModelFileError: a file is missing or damaged, or does not fit the model; names it.
        """
        folder = model.info.folder
        self._tokens = model.vocabulary.tokens
        paths = folder / ENCODER, folder / ATTENTION
        self._encoder, self._attention = (open_session(path, threads) for path in paths)
        inputs = [tensor.name for tensor in describe(paths[0], self._encoder.get_inputs())]
        outputs = [tensor.name for tensor in describe(paths[0], self._encoder.get_outputs())]
        if (inputs, outputs) != (["pieces", "sounds"], ["keys", "values"]):
            raise ModelFileError(
                paths[0], f"has {', '.join(inputs[:4])}; expected pieces and sounds to keys and values"
            )
        tensors = {tensor.name: tensor for tensor in describe(paths[1], self._attention.get_inputs())}
        if tuple(tensors) != _INPUTS:
            raise ModelFileError(paths[1], f"has {', '.join(list(tensors)[:4])}; expected {', '.join(_INPUTS)}")
        metadata = dict(self._attention.get_modelmeta().custom_metadata_map)
        self.past = metadata_int(paths[1], metadata, "past", 0, 100)
        """Encoder frames before a step that are listened to."""
        self._ahead = metadata_int(paths[1], metadata, "ahead", 0, 100)
        self._least = np.float32(-metadata_int(paths[1], metadata, "least_log_prob", 1, 100))
        rows = (self.past + 1 + self._ahead) * 2 * len(model.phones)
        vocab_size = metadata_int(paths[1], metadata, "vocab_size", 2, 10**6)
        found = tensors["encoder_out"].shape[1], tensors["phones"].shape[1], vocab_size
        if found != (model.info.joiner_dim, rows, model.info.vocab_size):
            raise ModelFileError(
                paths[1],
                f"takes {found[0]} numbers of a frame, {found[1]} of its phones, {found[2]} tokens;"
                f" expected {model.info.joiner_dim}, {rows}, {model.info.vocab_size} for this model",
            )
        self._by_letter: ByLetter = Pronouncer.load(model.pronunciation, threads=threads).by_letter
        self._known: dict[Tokens, tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]] = {}
        self._lock = threading.Lock()

    @staticmethod
    def is_in(folder: ModelPath) -> bool:
        """Return whether a model's folder has both graphs."""
        return (folder / ENCODER).is_file() and (folder / ATTENTION).is_file()

    def book(self, phrases: Sequence[Tokens]) -> PhraseBook:
        """Return phrases, given in tokens, by their places; of those that were on a list before this is known."""
        phrases = tuple(dict.fromkeys(phrase for phrase in phrases if phrase))
        with self._lock:
            known = self._known
            missing = [phrase for phrase in phrases if phrase not in known]
            if len(known) + len(missing) > KEPT_PHRASES:
                known = {phrase: known[phrase] for phrase in phrases if phrase in known}
            if missing:
                places = places_of(missing, self._tokens, self._by_letter)
                ends = np.cumsum([len(phrase) for phrase in missing])[:-1]
                pieces = np.split(places.pieces.astype(np.int32), ends)
                sounds = np.split(places.sounds.astype(np.uint8), ends)
                known = {**known, **dict(zip(missing, zip(pieces, sounds, strict=True), strict=True))}
            self._known = known
        parts = [known[phrase] for phrase in phrases]
        lengths = np.asarray([len(phrase) for phrase in phrases], np.int64)
        begins = np.cumsum(lengths) - lengths
        going: dict[Tokens, list[int]] = {}
        for phrase, begin in zip(phrases, begins.tolist(), strict=True):
            for k in range(1, len(phrase)):
                going.setdefault(phrase[max(0, k - PIECES + 1) : k], []).append(begin + k)
        all_sounds = np.concatenate([each for _, each in parts]) if parts else np.zeros((0, SOUNDS), np.uint8)
        return PhraseBook(
            phrases,
            np.concatenate([each for each, _ in parts]) if parts else np.zeros((0, PIECES), np.int32),
            all_sounds,
            begins,
            all_sounds[:, PHONES_BEFORE : PHONES_BEFORE + 2].astype(np.int64),
            {key: np.asarray(places, np.int64) for key, places in going.items()},
        )

    def encode(self, book: PhraseBook, places: Ints) -> tuple[Floats, Floats]:
        """Return keys [n, heads, key] and values [n, heads, value] of places."""
        feeds = {"pieces": book.pieces[places].astype(np.int64), "sounds": book.sounds[places].astype(np.int64)}
        keys, values = self._encoder.run(None, feeds)
        return keys, values

    def heard(self, past: Floats, phones: Floats) -> Floats:
        """Return what of the phones is listened to at each encoder frame of a step, [T, ...].

        Args:
            past: [2 * self.past, classes] Natural log-probabilities of the frames before the step.
            phones: [2 * T, classes] Those of the step.
        """
        count, width = len(phones) // 2, 2 * phones.shape[1]
        rows = np.zeros((count + self.past + self._ahead, width), np.float32)
        known = np.concatenate([past, phones]).reshape(-1, width)
        rows[: len(known)] = np.maximum(known, self._least) / -self._least + np.float32(1)
        windows = np.lib.stride_tricks.sliding_window_view(rows, self.past + 1 + self._ahead, axis=0)
        return np.ascontiguousarray(windows.transpose(0, 2, 1)).reshape(count, -1)

    def attend(self, feeds: Mapping[str, npt.NDArray[np.float32]]) -> tuple[Floats, Floats]:
        """Run the attention; returns ``added`` [K, T, joiner_dim] and ``weights`` [K, T, S + C + 1].

        Args:
            feeds: as the graph's inputs have it, see ``training.contextual_export.attention_graph``.
        """
        added, weights = self._attention.run(None, dict(feeds))
        return added, weights


class PlaceVectors:
    """Vectors of a list's places, computed when they are first asked for. Safe to share between threads."""

    def __init__(self, bias: ContextualBias, book: PhraseBook) -> None:
        self.bias, self.book = bias, book
        self._rows = np.full(len(book.pieces), -1, np.int64)
        self._count = 0
        self._keys: Floats = np.zeros((0, 1, 1), np.float32)
        self._values: Floats = np.zeros((0, 1, 1), np.float32)
        self._lock = threading.Lock()

    def take(self, places: Ints) -> tuple[Floats, Floats]:
        """Return keys [..., heads, key] and values [..., heads, value] of places [...]."""
        with self._lock:
            rows = self._rows[places]
            if (rows < 0).any():
                self._add(np.unique(places[rows < 0]), places)
                rows = self._rows[places]
            return self._keys[rows], self._values[rows]

    def _add(self, missing: Ints, wanted: Ints) -> None:
        if self._count + len(missing) > KEPT_VECTORS:
            self._rows[:] = -1
            self._count = 0
            missing = np.unique(wanted)
        keys, values = self.bias.encode(self.book, missing)
        end = self._count + len(missing)
        if end > len(self._keys):
            room = max(end, min(2 * end, KEPT_VECTORS))
            self._keys = _with_room(self._keys[: self._count], keys, room)
            self._values = _with_room(self._values[: self._count], values, room)
        self._keys[self._count : end], self._values[self._count : end] = keys, values
        self._rows[missing] = np.arange(self._count, end)
        self._count = end


def _with_room(old: Floats, like: Floats, rows: int) -> Floats:
    out = np.empty((rows, *like.shape[1:]), np.float32)
    if len(old):
        out[: len(old)] = old
    return out
