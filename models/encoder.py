"""The encoder of a model and the streams it encodes; states go from step to step as the graph names them."""

import copy
import math
import os
from collections.abc import Sequence
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .errors import ModelError, ModelFileError
from .features import FRAME_SECONDS, NUM_BINS, Features
from .model_path import ModelPath
from .session import Tensor, describe, metadata_int, open_session, runner, zeros

Array = npt.NDArray[np.float32]
FEATURES = ("", "fbank", "kaldi", "kaldi-fbank")
"""What an encoder's metadata may say of its features: nothing, or that they are Kaldi's filter bank."""
PHONES = "phones"
"""Name of the encoder's output, and of its metadata, where it has heard phones; after the layout's own outputs."""
DELAY = "delay_frames"
"""Metadata of an encoder whose output lies behind its input: by how many feature frames, beyond what it is fed."""
AHEAD = "look_ahead"
"""Metadata of an encoder that can look ahead farther or less far: how far it does by default, in frames of its own."""
AHEAD_SIZE = "look_ahead_size"
"""And by how many numbers its one state of open size grows for each; by default it is ``rnn_hidden_size`` long."""
LEAD = "lead_frames"
"""Metadata of an encoder that hears the first words of a stream better behind so many feature frames of silence."""
MOST_AHEAD = 32
"""Frames of look-ahead at most."""
COUNT = "processed_lens"
"""State of an encoder that counts what it has heard; icefall's conformer is told it and does not count on."""


class Encoded(NamedTuple):
    """What the encoder makes of one step."""

    out: Array
    """[encoder_frames, joiner_dim] For the joiner."""
    phones: Array | None = None
    """[phone_frames, classes] Natural log-probabilities of phones, class 0 the blank; None where nobody wants them."""
    voice: Array | None = None
    """[frames, width] What a ``Tap`` has read; None where nobody wants it."""
    runs: int = 1
    """How often the encoder ran for it: 0 where the cheap branch has made it, 2 where the step before, which was cheap,
    was made up for (see ``branching``)."""

    @property
    def is_cheap(self) -> bool:
        """Whether the cheap branch has made it."""
        return not self.runs


class Tap(NamedTuple):
    """Where a stream's state shows what its layers have just heard: a way into the encoder that costs no computing.

    An encoder with cached attention keeps keys and values of each layer, the newest last; so these are rows of a state
    that comes out anyway, and neither the graph nor its words change for whoever reads them.
    """

    state: str
    """Name of the input that the state goes back into, [layers, N, size]."""
    layers: tuple[int, ...]
    """Whose rows are read; they stand side by side."""
    begin: int
    """Place in a layer's row of the first number of this step."""
    end: int
    """Place behind the last."""
    width: int
    """Numbers of a frame."""
    stride: int
    """Every how manyeth frame is read."""

    def read(self, state: npt.NDArray[np.generic]) -> Array:
        """Return what the step that left this state has heard, [frames, layers * width]; a copy."""
        rows = [state[layer, 0, self.begin : self.end].reshape(-1, self.width)[:: self.stride] for layer in self.layers]
        return np.concatenate(rows, 1, dtype=np.float32, casting="same_kind")


def seconds_ahead(chunk_frames: int, chunk_shift: int, delay_frames: int) -> float:
    """Return the seconds beyond a frame that must be heard before it can be encoded, the rest of its step not counted.

    All three in feature frames, as ``Encoder`` has them.
    """
    return (chunk_frames - chunk_shift + delay_frames) * FRAME_SECONDS


class Growing(NamedTuple):
    """How a state grows with the look-ahead."""

    state: int
    """Which one."""
    length: int
    """Its size without any."""
    each: int
    """Numbers that each frame of look-ahead takes."""
    delay: int
    """Feature frames by which each delays what comes out."""

    def grown(self, initial: Sequence[npt.NDArray[np.generic]], frames: int) -> list[npt.NDArray[np.generic]]:
        """Return states at the beginning of a stream, that one as long as so many ``frames`` ask for."""
        layers, batch, _ = initial[self.state].shape
        state = np.zeros((layers, batch, self.length + self.each * frames), initial[self.state].dtype)
        return [*initial[: self.state], state, *initial[self.state + 1 :]]


class Encoder:
    """An encoder's graph, shared by all streams. Safe to share between threads."""

    def __init__(self, path: ModelPath, threads: int) -> None:
        """Open a graph and read what it takes and gives.

        Raises:
            ModelFileError: it is missing or damaged, is no encoder, or hears other features.
        """
        self.session = open_session(path, threads)
        self.run = runner(self.session)
        """Runs the graph."""
        self.turns: SimpleQueue[None] = SimpleQueue()
        """Taken by a step and given back: more at one time than there are cores would only wait, each with its memory.
        A queue of the C library's, since a semaphore of Python's takes longer than all else here."""
        for _ in range(os.cpu_count() or 1):
            self.turns.put(None)
        self.metadata = dict(self.session.get_modelmeta().custom_metadata_map)
        check_features(path, self.metadata)
        inputs = describe(path, self.session.get_inputs())
        features = [tensor for tensor in inputs if tensor.name == "x"]
        if not features or len(features[0].shape) != 3 or features[0].shape[2] not in (NUM_BINS, None):
            names = ", ".join(tensor.name for tensor in inputs[:4])
            raise ModelFileError(
                path, f"not an encoder: its inputs are {names}; expected x [N, T, {NUM_BINS}] and states"
            )
        self.dtype = features[0].dtype
        states = [tensor for tensor in inputs if tensor.name != "x"]
        self.states = [state.name for state in states]
        """Names of the inputs that hold a stream's past."""
        outputs = [tensor for tensor in describe(path, self.session.get_outputs()) if tensor.name != PHONES]
        self.outputs = [tensor.name for tensor in outputs]
        """Names of what comes out, without phones: ``encoder_out``, then the next states."""
        counts_itself = COUNT not in self.states or len(outputs) != len(states)
        self.uncounted = None if counts_itself else self.states.index(COUNT)
        """Place of the state that goes in and does not come out: feature frames before the step, as sherpa-onnx counts,
        though icefall means those after subsampling; it only matters while the caches fill."""
        check_states(path, [state for place, state in enumerate(states) if place != self.uncounted], outputs[1:])
        self.chunk_frames = metadata_int(path, self.metadata, "T", 1, 10_000)
        """Feature frames (10 ms) it is fed per step."""
        if features[0].shape[1] not in (self.chunk_frames, None):
            raise ModelFileError(
                path, f"x takes {features[0].shape[1]} frames, but metadata 'T' is {self.chunk_frames}"
            )
        self.chunk_shift = metadata_int(path, self.metadata, "decode_chunk_len", 1, self.chunk_frames)
        """Feature frames it advances per step."""
        self.delay_frames = metadata_int(path, {DELAY: "0", **self.metadata}, DELAY, 0, 1000)
        """Feature frames that what comes out of a step lies behind what goes in."""
        self.lead_frames = metadata_int(path, {LEAD: "0", **self.metadata}, LEAD, 0, 1000)
        """Feature frames of silence that a search may put before the first of a stream."""
        self.look_ahead = metadata_int(path, {AHEAD: "0", **self.metadata}, AHEAD, 0, MOST_AHEAD)
        """Frames of its own that each layer looks ahead; 0 where that cannot be chosen."""
        self.growing = self._read_look_ahead(path, states) if self.look_ahead else None
        """How its look-ahead may be chosen; None: not at all."""
        self.initial = [zeros(state) for state in states]
        """What states are at the beginning of a stream."""
        if self.growing is not None:
            self.initial = self.growing.grown(self.initial, self.look_ahead)

    def _read_look_ahead(self, path: ModelPath, states: Sequence[Tensor]) -> Growing:
        """Return which state grows with the look-ahead.

        Raises:
            ModelFileError: none has an open size, or the metadata does not say how it grows.
        """
        each = metadata_int(path, self.metadata, AHEAD_SIZE, 1, 100_000)
        length = metadata_int(path, self.metadata, "rnn_hidden_size", each * self.look_ahead, 10**9)
        opened = [place for place, state in enumerate(states) if len(state.shape) == 3 and state.shape[2] is None]
        if len(opened) != 1 or self.delay_frames % self.look_ahead:
            raise ModelFileError(path, f"metadata {AHEAD!r} is {self.look_ahead}, but no state grows with it")
        return Growing(opened[0], length - each * self.look_ahead, each, self.delay_frames // self.look_ahead)

    def looking(self, frames: int) -> "Encoder":
        """Return the same encoder, its graph shared, with another look-ahead in ``frames``."""
        other = copy.copy(self)
        if self.growing is not None:
            other.look_ahead, other.delay_frames = frames, self.growing.delay * frames
            other.initial = self.growing.grown(self.initial, frames)
        return other

    @property
    def look_ahead_seconds(self) -> float:
        """See ``seconds_ahead``."""
        return seconds_ahead(self.chunk_frames, self.chunk_shift, self.delay_frames)

    def frames_ahead(self, seconds: float) -> int:
        """Return the longest look-ahead, in frames, with which what comes out lies no more than ``seconds`` behind.

        Raises:
            ModelError: it cannot be chosen, or not so short or so long.
        """
        beyond = seconds_ahead(self.chunk_frames, self.chunk_shift, 0)
        if self.growing is None:
            raise ModelError(
                f"look-ahead of {seconds:g} s: this model's cannot be chosen, it is {self.look_ahead_seconds:.2f} s"
            )
        each = self.growing.delay * FRAME_SECONDS
        frames = math.floor((seconds - beyond) / each + 1e-6) if math.isfinite(seconds) else 0
        if not 1 <= frames <= MOST_AHEAD:
            raise ModelError(
                f"look-ahead of {seconds:g} s: expected {beyond + each:.2f} to {beyond + MOST_AHEAD * each:.2f} s"
            )
        return frames

    def fits(self, tap: Tap) -> bool:
        """Whether there is such a state, with so many layers and numbers."""
        if tap.state not in self.states:
            return False
        shape = self.initial[self.states.index(tap.state)].shape
        return (
            len(shape) == 3
            and max(tap.layers) < shape[0]
            and tap.end <= shape[2]
            and not (tap.end - tap.begin) % tap.width
        )

    def stream(self, *, phones: bool = False, tap: Tap | None = None) -> "EncoderStream":
        """Return a fresh stream: all states zero; with a ``tap`` that fits it tells what that reads."""
        return EncoderStream(self, self.initial, phones=phones, tap=tap)


class EncoderStream:
    """One stream's encoder states. Cheap to make and to fork; not to be used by two threads at once."""

    def __init__(
        self, encoder: Encoder, states: Sequence[npt.NDArray[np.generic]], *, phones: bool, tap: Tap | None = None
    ) -> None:
        self._encoder = encoder
        self.tap = tap
        """What is read of the states at each step."""
        self.tells_phones = phones
        """Whether each step tells phones."""
        self.states = list(states)
        """As ``Encoder.states`` names them; never written to, only replaced."""
        self._outputs = [*encoder.outputs, PHONES] if phones else encoder.outputs

    def run(self, features: Features) -> Encoded:
        """Encode one step of features [chunk_frames, 80]; the states move on."""
        encoder = self._encoder
        feeds = dict(zip(encoder.states, self.states, strict=True))
        feeds["x"] = features[None].astype(encoder.dtype, copy=False)
        encoder.turns.get()
        try:
            out, *following = encoder.run(self._outputs, feeds)
        finally:
            encoder.turns.put(None)
        # copies: what is kept for long is not to lie in the arena, between what every step needs
        phones = following.pop()[0].copy() if self.tells_phones else None
        if encoder.uncounted is not None:
            following.insert(encoder.uncounted, self.states[encoder.uncounted] + encoder.chunk_shift)
        self.states = following
        return Encoded(np.array(out[0], np.float32), phones, self.voice())

    def voice(self) -> Array | None:
        """Return what the tap reads of the latest step; None without one."""
        return None if self.tap is None else self.tap.read(self.states[self._encoder.states.index(self.tap.state)])

    def fork(self) -> "EncoderStream":
        """Return a stream in the same state that goes its own way; states are never written to, so none is copied."""
        return EncoderStream(self._encoder, self.states, phones=self.tells_phones, tap=self.tap)


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


def check_states(path: ModelPath, states: Sequence[Tensor], following: Sequence[Tensor]) -> None:
    """Check that what comes out of a step can go into the next.

    Raises:
        ModelFileError: there are more of the ones than of the others, or two of a pair differ in shape or type.
    """
    if len(following) != len(states):
        raise ModelFileError(path, f"{len(states)} states go in and {len(following)} come out; expected as many")
    for state, after in zip(states, following, strict=True):
        fits = len(state.shape) == len(after.shape) and all(
            a is None or b is None or a == b for a, b in zip(state.shape, after.shape, strict=True)
        )
        if not fits or state.dtype != after.dtype:
            raise ModelFileError(path, f"state {state.name} and its next value {after.name} differ in shape or type")
