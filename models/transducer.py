"""Exported streaming transducers in the icefall / sherpa-onnx layout, on onnxruntime.

Loaded once, shared by any number of streams: what belongs to one stream of audio is in ``encoder.EncoderStream``.
"""

import copy
import logging
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from . import heap
from .branching import Branch, BranchingStream, Effort
from .encoder import PHONES, Encoder, EncoderStream, Tap, seconds_ahead
from .errors import ModelFileError
from .features import FRAME_SECONDS, NUM_BINS
from .graphs import find_graphs, precision_of
from .huge_pages import use_huge_pages
from .model_path import ModelPath, open_model, stored_bytes
from .session import describe, metadata_int, open_session, runner
from .tokens import Vocabulary

_log = logging.getLogger(__name__)
Array = npt.NDArray[np.float32]
PREDICTOR_CACHE = 2048
"""Contexts whose predictor output is kept (1 kB each at width 256)."""
LARGE_BYTES = 10_000_000
"""Graphs from here on lie in huge pages, and memory is given back at once while they are opened; smaller ones open in
less time than moving them takes."""
PRONUNCIATION = "pronounce.onnx"


@dataclass(frozen=True)
class ModelInfo:
    """What a model is, as its files tell."""

    name: str
    """The folder's name, or the packed file's without its ending."""
    folder: ModelPath
    """The folder, or what stands for it in a packed file."""
    model_type: str
    """As the encoder's metadata has it: ``lstm``, ``conformer``, ``zipformer``, ``zipformer2``."""
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
        return seconds_ahead(self.chunk_frames, self.chunk_shift, self.delay_frames)

    @property
    def delay_seconds(self) -> float:
        """Seconds that what comes out of a step lies behind what goes in."""
        return self.delay_frames * FRAME_SECONDS


class Transducer:
    """A loaded model. Safe to share between threads."""

    def __init__(self, folder: Path, *, threads: int = 1, precision: str = "auto") -> None:
        files = open_model(folder)
        paths = find_graphs(folder if folder.suffix == ".onnx" else files, precision)
        self.vocabulary = Vocabulary.load(files)
        """Token ids to text."""
        size = sum(stored_bytes(path) for path in paths.values())
        with heap.opening(large=size >= LARGE_BYTES):
            self.encoder = Encoder(paths["encoder"], threads)
            self._decoder = open_session(paths["decoder"], threads)
            self._joiner = open_session(paths["joiner"], threads)
        context_size = self._read_decoder(paths["decoder"])
        self._read_joiner(paths["joiner"])
        self.predict = lru_cache(PREDICTOR_CACHE)(self._predict)
        """Predictor output [1, joiner_dim] of a context (a tuple of ``context_size`` ids, -1 for none), kept."""
        encoded = self._probe(paths, context_size)
        encoder = self.encoder
        self.info = ModelInfo(
            name=files.name,
            folder=files,
            model_type=encoder.metadata.get("model_type", "unknown"),
            precision=precision_of(paths["encoder"]),
            sample_rate=16000,
            chunk_frames=encoder.chunk_frames,
            chunk_shift=encoder.chunk_shift,
            encoder_frames=len(encoded),
            frame_seconds=encoder.chunk_shift * FRAME_SECONDS / len(encoded),
            delay_frames=encoder.delay_frames,
            vocab_size=len(self.vocabulary),
            context_size=context_size,
            joiner_dim=encoded.shape[1],
            states=len(encoder.states),
            size_bytes=size,
            metadata=encoder.metadata,
            graphs=(paths["encoder"], paths["decoder"], paths["joiner"]),
        )
        """What the model is."""
        if size >= LARGE_BYTES:
            use_huge_pages()
        _log.info(
            "model %s loaded from %s: %s, %s, steps of %d ms, %d tokens",
            self.info.name, self.info.folder, self.info.model_type, self.info.precision,
            round(1000 * encoder.chunk_shift * FRAME_SECONDS), self.info.vocab_size,
        )  # fmt: skip

    @classmethod
    def load(
        cls, folder: str | Path, *, threads: int = 1, precision: str = "auto", look_ahead: float | None = None
    ) -> "Transducer":
        """Load a folder, that of a named encoder, or a packed model; see ``find_graphs`` and ``looking_ahead``.

        Raises:
            ModelError: no such precision, or no such look-ahead.
            ModelNotFoundError: no such folder or file.
            ModelFileError: a file is missing, truncated, damaged, or does not fit the others; names it.
        """
        model = cls(Path(folder), threads=threads, precision=precision)
        return model if look_ahead is None else model.looking_ahead(look_ahead)

    def looking_ahead(self, seconds: float) -> "Transducer":
        """Return this model, its graphs shared, with the longest look-ahead of at most so many ``seconds``.

        A longer one hears more of what follows a sound before it judges it: fewer errors, later partial results.

        Raises:
            ModelError: the model's look-ahead cannot be chosen, or not so.
        """
        other = copy.copy(self)
        other.encoder = self.encoder.looking(self.encoder.frames_ahead(seconds))
        other.info = replace(self.info, delay_frames=other.encoder.delay_frames)
        return other

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
        self._decoder_input, self._decoder_output = inputs[0].name, [self._decoder.get_outputs()[0].name]
        self._run_decoder = runner(self._decoder)
        return context_size

    def _read_joiner(self, path: ModelPath) -> None:
        inputs = describe(path, self._joiner.get_inputs())
        if len(inputs) != 2 or any(len(tensor.shape) != 2 for tensor in inputs):
            listed = ", ".join(tensor.name for tensor in inputs[:4])
            raise ModelFileError(
                path, f"not a joiner: its inputs are {listed}; expected encoder_out and decoder_out, both [N, dim]"
            )
        self._joiner_output, self._run_joiner = [self._joiner.get_outputs()[0].name], runner(self._joiner)
        self._is_half = inputs[0].dtype is np.float16
        # by name where the names are the layout's, by place otherwise
        names = [tensor.name for tensor in inputs]
        self._joiner_inputs = (
            ("encoder_out", "decoder_out") if set(names) == {"encoder_out", "decoder_out"} else (names[0], names[1])
        )

    def _probe(self, paths: dict[str, ModelPath], context_size: int) -> Array:
        """Run every graph once: what does not fit together shows here, not in the middle of an utterance."""
        part = "encoder"
        try:
            encoded = self.encoder.stream().run(np.zeros((self.encoder.chunk_frames, NUM_BINS), np.float32)).out
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

    @cached_property
    def branch(self) -> Branch:
        """The encoder's cheap branch, which a folder need not have; loaded when it is first asked for.

        Raises:
            ModelFileError: a file of it is missing or damaged, or does not fit the encoder; names it.
        """
        return Branch(self.encoder, self.info.folder)

    def encoder_stream(
        self, *, phones: bool = False, tap: Tap | None = None, effort: Effort = "full"
    ) -> EncoderStream | BranchingStream:
        """Return a fresh stream: all states zero. With ``phones`` it tells phones too, if the model does.

        With a ``tap``, which must fit, also what that reads. With less than full ``effort`` some steps are cheap.

        Raises:
            ModelError: less effort is asked for of a model without a cheap branch, or of another look-ahead.
        """
        phones = phones and bool(self.phones)
        if effort == "full":
            return self.encoder.stream(phones=phones, tap=tap)
        return self.branch.beside(self.encoder, effort, phones=phones, tap=tap)

    def _predict(self, context: tuple[int, ...]) -> Array:
        y = np.asarray([context], np.int64)
        out: Array = self._run_decoder(self._decoder_output, {self._decoder_input: y})[0]
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
            feeds = {encoder_name: encoder_out, decoder_name: decoder_out}
            out: Array = self._run_joiner(self._joiner_output, feeds)[0]
            return out.astype(np.float32, copy=False)
        pairs = zip(encoder_out, decoder_out, strict=True)
        each = [{encoder_name: frame[None], decoder_name: predicted[None]} for frame, predicted in pairs]
        return np.concatenate([self._run_joiner(self._joiner_output, feed)[0] for feed in each], dtype=np.float32)
