"""Exported streaming transducers in the icefall / sherpa-onnx layout, on onnxruntime.

Loaded once, shared by any number of streams: what belongs to one stream of audio is in ``EncoderStream``.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from threading import BoundedSemaphore
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .errors import ModelFileError
from .features import FRAME_SECONDS, NUM_BINS, Features
from .graphs import find_graphs, precision_of
from .model_path import ModelPath, open_model, stored_bytes
from .session import Tensor, describe, metadata_int, open_session, zeros
from .tokens import Vocabulary

_log = logging.getLogger(__name__)
Array = npt.NDArray[np.float32]
PREDICTOR_CACHE = 2048
"""Contexts whose predictor output is kept (1 kB each at width 256)."""
FEATURES = ("", "fbank", "kaldi", "kaldi-fbank")
"""What an encoder's metadata may say of its features: nothing, or that they are Kaldi's filter bank."""
PHONES = "phones"
"""Name of the encoder's output, and of its metadata, where it has heard phones; after the layout's own outputs."""
PRONUNCIATION = "pronounce.onnx"
DELAY = "delay_frames"
"""Metadata of an encoder whose output lies behind its input: by how many feature frames, beyond what it is fed."""


@dataclass(frozen=True)
class ModelInfo:
    """What a model is, as its files tell."""

    name: str
    """The folder's name, or the packed file's without its ending."""
    folder: ModelPath
    """The folder, or what stands for it in a packed file."""
    model_type: str
    """As the encoder's metadata has it: ``lstm``, ``zipformer``, ``zipformer2``."""
    precision: str
    """Of the encoder that runs: ``int8``, ``fp16`` or ``float``."""
    sample_rate: int
    """Samples per second."""
    chunk_frames: int
    """Feature frames (10 ms) the encoder is fed per step."""
    chunk_shift: int
    """Feature frames it advances per step."""
    encoder_frames: int
    """Encoder frames that come out per step."""
    frame_seconds: float
    """Seconds per encoder frame."""
    delay_frames: int
    """Feature frames that what comes out of a step lies behind what goes in."""
    vocab_size: int
    """Tokens, blank included."""
    context_size: int
    """Tokens the predictor sees."""
    joiner_dim: int
    """Width of what goes into the joiner."""
    states: int
    """State tensors of the encoder."""
    size_bytes: int
    """Of the three graphs in use, on disk."""
    metadata: dict[str, str]
    """The encoder's metadata, as it stands."""
    graphs: tuple[ModelPath, ModelPath, ModelPath]
    """The files in use: encoder, decoder, joiner."""

    @property
    def look_ahead_seconds(self) -> float:
        """Seconds beyond a frame that must be heard before it can be encoded, the rest of its step not counted."""
        return (self.chunk_frames - self.chunk_shift + self.delay_frames) * FRAME_SECONDS

    @property
    def delay_seconds(self) -> float:
        """Seconds that what comes out of a step lies behind what goes in."""
        return self.delay_frames * FRAME_SECONDS


def check_features(path: ModelPath, metadata: dict[str, str]) -> None:
    """Check that an encoder hears the features that are computed here.

    Raises:
        ModelFileError: it says that it was trained on others, as those of Whisper; its words would be wrong, silently.
    """
    said = metadata.get("feature", "").strip()
    if said.lower() not in FEATURES:
        raise ModelFileError(
            path,
            f"metadata 'feature' is {said[:40]!r}; only models trained on Kaldi's filter bank ({NUM_BINS} mel bins) run"
            " here: take one of those, or run this one with sherpa-onnx",
        )


class Encoded(NamedTuple):
    """What the encoder makes of one step."""

    out: Array
    """[encoder_frames, joiner_dim] For the joiner."""
    phones: Array | None = None
    """[phone_frames, classes] Natural log-probabilities of phones, class 0 the blank; None where nobody wants them."""


class EncoderStream:
    """One stream's encoder states. Cheap to make and to fork; not to be used by two threads at once."""

    def __init__(self, model: "Transducer", states: Sequence[npt.NDArray[np.generic]], *, phones: bool) -> None:
        self._model = model
        self._states = list(states)
        self._phones = phones
        self._outputs = [*model.encoder_outputs, PHONES] if phones else model.encoder_outputs

    def run(self, features: Features) -> Encoded:
        """Encode one step of features [chunk_frames, 80]; the states move on."""
        model = self._model
        feeds = dict(zip(model.state_inputs, self._states, strict=True))
        feeds[model.encoder_input] = features[None].astype(model.encoder_dtype, copy=False)
        with model.encoder_turns:
            out, *self._states = model.encoder.run(self._outputs, feeds)
        # copies: what is kept for long is not to lie in the arena, between what every step needs
        phones = self._states.pop()[0].copy() if self._phones else None
        return Encoded(np.array(out[0], np.float32), phones)

    def fork(self) -> "EncoderStream":
        """Return a stream in the same state that goes its own way; states are never written to, so none is copied."""
        return EncoderStream(self._model, self._states, phones=self._phones)


class Transducer:
    """A loaded model. Safe to share between threads."""

    def __init__(self, folder: Path, *, threads: int = 1, precision: str = "auto") -> None:
        files = open_model(folder)
        paths = find_graphs(folder if folder.suffix == ".onnx" else files, precision)
        self.vocabulary = Vocabulary.load(files)
        """Token ids to text."""
        self.encoder = open_session(paths["encoder"], threads)
        self.encoder_turns = BoundedSemaphore(os.cpu_count() or 1)
        """Held by a step: more at one time than there are cores would only wait, each with its memory."""
        self._decoder = open_session(paths["decoder"], threads)
        self._joiner = open_session(paths["joiner"], threads)
        metadata = dict(self.encoder.get_modelmeta().custom_metadata_map)
        check_features(paths["encoder"], metadata)
        states = self._read_encoder(paths["encoder"])
        chunk_frames = self._read_chunk(paths["encoder"], metadata)
        chunk_shift = metadata_int(paths["encoder"], metadata, "decode_chunk_len", 1, chunk_frames)
        delay = metadata_int(paths["encoder"], {DELAY: "0", **metadata}, DELAY, 0, 1000)
        self._initial_states = [zeros(state) for state in states]
        context_size = self._read_decoder(paths["decoder"])
        self._read_joiner(paths["joiner"])
        self.predict = lru_cache(PREDICTOR_CACHE)(self._predict)
        """Predictor output [1, joiner_dim] of a context (a tuple of ``context_size`` ids, -1 for none), kept."""
        encoded = self._probe(paths, chunk_frames, context_size)
        self.info = ModelInfo(
            name=files.name,
            folder=files,
            model_type=metadata.get("model_type", "unknown"),
            precision=precision_of(paths["encoder"]),
            sample_rate=16000,
            chunk_frames=chunk_frames,
            chunk_shift=chunk_shift,
            encoder_frames=len(encoded),
            frame_seconds=chunk_shift * FRAME_SECONDS / len(encoded),
            delay_frames=delay,
            vocab_size=len(self.vocabulary),
            context_size=context_size,
            joiner_dim=encoded.shape[1],
            states=len(states),
            size_bytes=sum(stored_bytes(path) for path in paths.values()),
            metadata=metadata,
            graphs=(paths["encoder"], paths["decoder"], paths["joiner"]),
        )
        """What the model is."""
        _log.info(
            "model %s loaded from %s: %s, %s, steps of %d ms, %d tokens",
            self.info.name, self.info.folder, self.info.model_type, self.info.precision,
            round(1000 * chunk_shift * FRAME_SECONDS), self.info.vocab_size,
        )  # fmt: skip

    @classmethod
    def load(cls, folder: str | Path, *, threads: int = 1, precision: str = "auto") -> "Transducer":
        """Load a model folder, that of a named encoder, or a packed model; for ``precision`` see ``find_graphs``.

        Raises:
            ModelNotFoundError: no such folder or file.
            ModelFileError: a file is missing, truncated, damaged, or does not fit the others; names it.
        """
        return cls(Path(folder), threads=threads, precision=precision)

    def _read_chunk(self, path: ModelPath, metadata: dict[str, str]) -> int:
        frames = metadata_int(path, metadata, "T", 1, 10_000)
        x = next(tensor for tensor in describe(path, self.encoder.get_inputs()) if tensor.name == self.encoder_input)
        if x.shape[1] not in (frames, None):
            raise ModelFileError(path, f"x takes {x.shape[1]} frames, but metadata 'T' is {frames}")
        return frames

    def _read_encoder(self, path: ModelPath) -> list[Tensor]:
        inputs = describe(path, self.encoder.get_inputs())
        outputs = [tensor for tensor in describe(path, self.encoder.get_outputs()) if tensor.name != PHONES]
        features = [tensor for tensor in inputs if tensor.name == "x"]
        if not features or len(features[0].shape) != 3 or features[0].shape[2] not in (NUM_BINS, None):
            names = ", ".join(tensor.name for tensor in inputs[:4])
            raise ModelFileError(
                path, f"not an encoder: its inputs are {names}; expected x [N, T, {NUM_BINS}] and states"
            )
        states = [tensor for tensor in inputs if tensor.name != "x"]
        if len(outputs) != len(states) + 1:
            raise ModelFileError(path, f"{len(states)} states go in and {len(outputs) - 1} come out; expected as many")
        for state, following in zip(states, outputs[1:], strict=True):
            fits = len(state.shape) == len(following.shape) and all(
                a is None or b is None or a == b for a, b in zip(state.shape, following.shape, strict=True)
            )
            if not fits or state.dtype != following.dtype:
                raise ModelFileError(
                    path, f"state {state.name} and its next value {following.name} differ in shape or type"
                )
        self.encoder_input = "x"
        self.encoder_dtype = features[0].dtype
        self.state_inputs = [state.name for state in states]
        self.encoder_outputs = [tensor.name for tensor in outputs]
        return states

    def _read_decoder(self, path: ModelPath) -> int:
        inputs = describe(path, self._decoder.get_inputs())
        metadata = dict(self._decoder.get_modelmeta().custom_metadata_map)
        if len(inputs) != 1 or inputs[0].dtype is not np.int64 or len(inputs[0].shape) != 2:
            names = ", ".join(tensor.name for tensor in inputs[:4])
            raise ModelFileError(
                path, f"not a stateless decoder: its inputs are {names}; expected y [N, context_size] int64"
            )
        context_size = metadata_int(path, metadata, "context_size", 1, 16)
        vocab_size = metadata_int(path, metadata, "vocab_size", 2, 10**6)
        if inputs[0].shape[1] not in (context_size, None):
            raise ModelFileError(
                path,
                f"{inputs[0].name} takes {inputs[0].shape[1]} tokens, but metadata 'context_size' is {context_size}",
            )
        if vocab_size != len(self.vocabulary):
            raise ModelFileError(
                path, f"metadata 'vocab_size' is {vocab_size}, but tokens.txt has {len(self.vocabulary)} tokens"
            )
        self._decoder_input = inputs[0].name
        return context_size

    def _read_joiner(self, path: ModelPath) -> None:
        inputs = describe(path, self._joiner.get_inputs())
        if len(inputs) != 2 or any(len(tensor.shape) != 2 for tensor in inputs):
            listed = ", ".join(tensor.name for tensor in inputs[:4])
            raise ModelFileError(
                path, f"not a joiner: its inputs are {listed}; expected encoder_out and decoder_out, both [N, dim]"
            )
        self._is_half = inputs[0].dtype is np.float16
        # by name where the names are the layout's, by place otherwise
        names = [tensor.name for tensor in inputs]
        self._joiner_inputs = (
            ("encoder_out", "decoder_out") if set(names) == {"encoder_out", "decoder_out"} else (names[0], names[1])
        )

    def _probe(self, paths: dict[str, ModelPath], chunk_frames: int, context_size: int) -> Array:
        """Run every graph once: what does not fit together shows here, not in the middle of an utterance."""
        part = "encoder"
        try:
            encoded = self.encoder_stream().run(np.zeros((chunk_frames, NUM_BINS), np.float32)).out
            part = "decoder"
            predicted = self.predict((-1,) * (context_size - 1) + (self.vocabulary.blank_id,))
            part = "joiner"
            self._rows_together = True
            # of small, usual and large values; numpy's generators take as long to import as a graph to open
            values = np.sin(np.arange(1.0, 3 * encoded.shape[1] + 1) ** 2).reshape(3, -1)
            rows = (values * [[0.05], [1.0], [5.0]]).astype(np.float32)
            together = self.join(rows, predicted)
            apart = np.concatenate([self.join(row[None], predicted) for row in rows])
        except Exception as error:  # onnxruntime's errors have no common base but Exception
            reason = str(error).replace("\n", " ")[:160]
            raise ModelFileError(paths[part], f"does not run with the folder's other files: {reason}") from error
        if encoded.ndim != 2 or not len(encoded):
            raise ModelFileError(paths["encoder"], f"encoder_out has shape {encoded.shape}; expected [N, frames, dim]")
        if together.shape != (3, len(self.vocabulary)):
            raise ModelFileError(
                paths["joiner"],
                f"gives {together.shape[-1]} logits per frame, but tokens.txt has {len(self.vocabulary)} tokens",
            )
        # A dynamically quantised joiner scales by the whole batch: one row's logits then depend on its neighbours.
        self._rows_together = bool(np.allclose(together, apart, rtol=1e-4, atol=1e-5))
        return encoded

    @cached_property
    def phones(self) -> tuple[str, ...]:
        """Names of the phone classes that the encoder tells, blank first; empty if it tells none.

        Without a file that says how words are pronounced they are of no use, so then it tells none either.
        """
        return tuple(self.info.metadata.get(PHONES, "").split()) if self.pronunciation.is_file() else ()

    @property
    def pronunciation(self) -> ModelPath:
        """The file of the model that says how words are pronounced; it need not be there."""
        return self.info.folder / PRONUNCIATION

    def encoder_stream(self, *, phones: bool = False) -> EncoderStream:
        """Return a fresh stream: all states zero. With ``phones`` it tells phones too, if the model does."""
        return EncoderStream(self, self._initial_states, phones=phones and bool(self.phones))

    def _predict(self, context: tuple[int, ...]) -> Array:
        y = np.asarray([context], np.int64)
        out: Array = self._decoder.run(None, {self._decoder_input: y})[0]
        return out.reshape(1, -1).astype(np.float32, copy=False)

    def join(self, encoder_out: Array, decoder_out: Array) -> Array:
        """Return logits [n, vocab_size] of encoder frames [n, dim] with predictor outputs [n, dim] or [1, dim].

        Rows are computed together where that gives the same numbers as one by one.
        """
        encoder_name, decoder_name = self._joiner_inputs
        if len(decoder_out) != len(encoder_out):
            decoder_out = decoder_out.repeat(len(encoder_out), 0)
        if self._is_half:
            encoder_out, decoder_out = encoder_out.astype(np.float16), decoder_out.astype(np.float16)
        if self._rows_together or len(encoder_out) == 1:
            out: Array = self._joiner.run(None, {encoder_name: encoder_out, decoder_name: decoder_out})[0]
            return out.astype(np.float32, copy=False)
        pairs = zip(encoder_out, decoder_out, strict=True)
        rows = [self._joiner.run(None, {encoder_name: e[None], decoder_name: d[None]})[0] for e, d in pairs]
        return np.concatenate(rows, dtype=np.float32)
