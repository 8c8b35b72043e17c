"""The encoder's cheap branch: steps that need not be computed in full, and a gate that says which.

After Macoskey et al. 2021 ("Bifocal neural ASR: exploiting keyword spotting for inference optimization" and "Amortized
neural networks for low-latency speech recognition"): two branches of different cost, and a gate that chooses step by
step. Here the encoder itself is the costly branch and stays as it is. The cheap one, ``branch.onnx``, hears the
features of a step and of the one before, and gives what the encoder would give, and what the step would leave in its
caches; so either may follow the other. The gate, ``branch_gate.onnx``, tells how much would be lost. It cannot know
what comes next: where a full step follows a cheap one, that is computed in full after all, for what it leaves in the
caches, so that the beginning of a word is heard as ever. A folder need not have these files.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from .encoder import Encoded, Encoder, EncoderStream, Tap
from .errors import ModelError, ModelFileError
from .features import NUM_BINS, Features
from .model_path import ModelPath
from .session import describe, open_session, runner

Array = npt.NDArray[np.float32]
Effort = Literal["full", "balanced", "low"]
"""How much of the encoder is computed: every step; all but those whose loss is small; or somewhat fewer."""
EFFORTS: tuple[Effort, ...] = get_args(Effort)
GATE, BRANCH = "branch_gate.onnx", "branch.onnx"
KEYS, REST = "h0", "c0"
"""States of the encoder: each layer's past keys; its past values, frames that wait, and the number of frames before."""
INPUTS = {GATE: ["x", "count"], BRANCH: ["hidden", "count"]}
OUTPUTS = {GATE: ["loss", "hidden"], BRANCH: ["encoder_out", "keys", "values", "waiting", "next_count", "phones"]}


class Left(NamedTuple):
    """What a cheap step leaves for the encoder's caches."""

    keys: Array
    """[layers, 1, frames * width] Of each layer's newest frames."""
    values: Array
    """[layers, 1, frames * width]"""
    waiting: Array
    """[layers, 1, frames * width] Frames that layers have got and not given out."""
    before: Array
    """[1, 1] Encoder frames before the next step."""


class Branch:
    """Both graphs, loaded. Safe to share between threads."""

    def __init__(self, encoder: Encoder, folder: ModelPath, *, threads: int = 1) -> None:
        """Load the graphs of the folder of an encoder.

        Raises:
            ModelFileError: a file is missing or damaged, or does not fit the encoder; names it.
        """
        gate, branch = folder / GATE, folder / BRANCH
        for path in (gate, branch):
            if not path.is_file():
                raise ModelFileError(path, "missing: this model computes every step in full; leave effort at full")
        sessions = [_open(path, threads) for path in (gate, branch)]
        self.encoder = _looking_as(sessions[1], encoder)
        """With the look-ahead that the branch was made for."""
        self._run_gate, self._run_branch = map(runner, sessions)
        metadata = dict(sessions[0].get_modelmeta().custom_metadata_map)
        self.losses: dict[Effort, float] = {
            "full": 0.0,
            **{effort: _positive(gate, metadata, effort) for effort in EFFORTS if effort != "full"},
        }
        """Up to which loss a step is cheap, by effort: nats of the joiner's and of the phones' posteriors."""
        self._check(gate, branch)

    def _check(self, gate: ModelPath, branch: ModelPath) -> None:
        """Run both once: what does not fit shows here, not in the middle of an utterance."""
        encoder = self.encoder
        if set(encoder.states) != {KEYS, REST}:
            raise ModelFileError(branch, f"fits encoders with the states {KEYS} and {REST}; this one has others")
        path, count = gate, np.zeros((1, 1), np.float32)
        before, features = (
            np.zeros((frames, NUM_BINS), np.float32) for frames in (encoder.chunk_shift, encoder.chunk_frames)
        )
        try:
            _, hidden = self.look(before, features, count)
            path = branch
            step, left = self.step(hidden, count, phones=True)
            caches = self.after(encoder.initial, [left])
            full = encoder.stream(phones=True).run(features)
        except Exception as error:  # onnxruntime's errors have no common base but Exception
            raise ModelFileError(
                path, f"does not run with this encoder: {' '.join(str(error).split())[:160]}"
            ) from error
        made = [step.out.shape, *(state.shape for state in caches)]
        self.kept = caches[encoder.states.index(KEYS)].shape[2] // left.keys.shape[2]
        """Cheap steps before the latest whose rows the caches held."""
        if made != [full.out.shape, *(state.shape for state in encoder.initial)]:
            raise ModelFileError(branch, "leaves caches of another size than this encoder's; it is another model's")

    def beside(
        self, encoder: Encoder, effort: Effort, *, phones: bool = False, tap: Tap | None = None
    ) -> "BranchingStream":
        """Return a fresh stream in the place of one of ``encoder``, which shares its graph.

        Raises:
            ModelError: that one does not look as far ahead as the branch was made for.
        """
        if encoder.look_ahead != self.encoder.look_ahead:
            raise ModelError(
                f"less than full effort fits a look-ahead of {self.encoder.look_ahead_seconds:.2f} s alone, not"
                f" {encoder.look_ahead_seconds:.2f}; leave one of them as it is"
            )
        return self.stream(self.losses[effort], phones=phones, tap=tap)

    def look(self, before: Features, features: Features, count: Array) -> tuple[float, Array]:
        """Return the loss, were a step cheap (nats), and what the branch goes on from.

        Args:
            before: [chunk_shift, 80] Features before the step.
            features: [chunk_frames, 80] Those of the step, as the encoder is fed them.
            count: [1, 1] Encoder frames before the step.
        """
        x = np.concatenate([before, features])[None]
        loss, hidden = self._run_gate(OUTPUTS[GATE], {"x": x, "count": count})
        return math.exp(loss.item()), hidden

    def step(self, hidden: Array, count: Array, *, phones: bool) -> tuple[Encoded, Left]:
        """Return what the encoder would make of a step, about, and what is left of it."""
        outputs = OUTPUTS[BRANCH] if phones else OUTPUTS[BRANCH][:-1]
        out, *left = self._run_branch(outputs, {"hidden": hidden, "count": count})
        # copies: what is kept for long is not to lie in the arena
        told = left.pop()[0].copy() if phones else None
        return Encoded(out[0].copy(), told, runs=0), Left(*left)

    def after(self, states: Sequence[npt.NDArray[np.generic]], steps: Sequence[Left]) -> list[npt.NDArray[np.generic]]:
        """Return the encoder's states after cheap steps that followed ``states``; as they are if there were none."""
        if not steps:
            return list(states)
        named = dict(zip(self.encoder.states, states, strict=True))
        size = named[KEYS].shape[2]
        keys = np.concatenate([named[KEYS], *(step.keys for step in steps)], 2)[:, :, -size:]
        values = np.concatenate([named[REST][:, :, :size], *(step.values for step in steps)], 2)[:, :, -size:]
        last = steps[-1]
        count = np.broadcast_to(last.before, (len(values), 1, 1))
        made = {KEYS: keys, REST: np.concatenate([values, last.waiting, count], 2)}
        return [made[name] for name in self.encoder.states]

    def stream(self, loss: float, *, phones: bool = False, tap: Tap | None = None) -> "BranchingStream":
        """Return a fresh stream whose steps are cheap where the loss is below ``loss`` (nats)."""
        return BranchingStream(self, self.encoder.stream(phones=phones, tap=tap), loss)


class BranchingStream:
    """One stream of an encoder with two branches. Cheap to make and to fork; not to be used by two threads at once."""

    def __init__(self, branch: Branch, full: EncoderStream, loss: float) -> None:
        self._branch, self._full, self._loss = branch, full, loss
        self._latest: Features | None = None
        """The features of the latest step; None at the beginning, where a step is always computed in full."""
        self._left: tuple[Left, ...] = ()
        """Of the cheap steps since the last full one: caches are put together when one needs them."""

    def run(self, features: Features) -> Encoded:
        """Encode one step of features [chunk_frames, 80]; the states move on."""
        branch, latest = self._branch, self._latest
        self._latest = features
        if latest is not None:
            count = self._left[-1].before if self._left else self._count()
            loss, hidden = branch.look(latest[: branch.encoder.chunk_shift], features, count)
            if loss < self._loss:
                step, left = branch.step(hidden, count, phones=self._full.tells_phones)
                self._left = (*self._left[-branch.kept :], left)
                return step._replace(voice=self._voice())
        if latest is None or not self._left:
            return self._full.run(features)
        self._full.states = branch.after(self._full.states, self._left[:-1])
        self._left = ()
        self._full.run(latest)
        return self._full.run(features)._replace(runs=2)

    def _count(self) -> Array:
        """Return how many encoder frames there were, [1, 1]."""
        rest = self._full.states[self._branch.encoder.states.index(REST)]
        return np.asarray(rest[0, :, -1:], np.float32)

    def _voice(self) -> Array | None:
        """Return what the tap reads of a cheap step; None without one."""
        tap, encoder = self._full.tap, self._branch.encoder
        if tap is None:
            return None
        return tap.read(self._branch.after(self._full.states, self._left)[encoder.states.index(tap.state)])

    def fork(self) -> "BranchingStream":
        """Return a stream in the same state that goes its own way."""
        fork = BranchingStream(self._branch, self._full.fork(), self._loss)
        fork._latest, fork._left = self._latest, self._left
        return fork


def _looking_as(branch: ort.InferenceSession, encoder: Encoder) -> Encoder:
    """Return the encoder with a branch's look-ahead, where it can be chosen: as many frames wait as that leaves."""
    waiting = {output.name: output.shape for output in branch.get_outputs()}["waiting"][-1]
    if encoder.growing is None or not isinstance(waiting, int):
        return encoder
    return encoder.looking(waiting // encoder.growing.each)


def _open(path: ModelPath, threads: int) -> ort.InferenceSession:
    session = open_session(path, threads)
    inputs, outputs = (
        [tensor.name for tensor in describe(path, found)] for found in (session.get_inputs(), session.get_outputs())
    )
    if (inputs, outputs) != (INPUTS[path.name], OUTPUTS[path.name]):
        expected = f"{', '.join(INPUTS[path.name])} to {', '.join(OUTPUTS[path.name])}"
        raise ModelFileError(path, f"has {', '.join(inputs[:4])} to {', '.join(outputs[:6])}; expected {expected}")
    return session


def _positive(path: ModelPath, metadata: Mapping[str, str], key: str) -> float:
    """Return a number of the metadata, above 0."""
    try:
        value = float(metadata.get(key, ""))
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ModelFileError(path, f"metadata {key!r} is {metadata.get(key, '')[:40]!r}; expected a number above 0")
    return value
