"""Steps of a frozen encoder over training speech: what the cheap branch follows, heard once. No text is needed.

Streams are recordings of one set with pauses between, three in five distorted, since most of what can be cheap is
pauses; some end in digital silence, as a completed utterance does, and some are sounds without words.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ..audio import read_audio
from ..features import NUM_BINS, Features
from ..transducer import Transducer
from .augment import FLOOR, AugmentConfig, Draws, distort
from .branching import Followed, Heard
from .dataset import WEIGHTS
from .model import ModelConfig
from .prepare import Recording, complete_lines, fbank

STEPS, INDEX = "steps.bin", "index.jsonl"
FRAMES = 2000
"""Feature frames of a stream, or twice as many."""
NOISE_ALONE = 0.05
"""Share of the streams that are sounds without words."""
DISTORTED = 0.6
"""Share that is distorted."""
DISTORTION = AugmentConfig(strength=0.8, mask=0.0)
OTHERS = 0.05
"""How often a set is heard that is not in ``WEIGHTS``, beside those."""


class Streams:
    """Makes features of streams out of recordings, each of its number alone."""

    def __init__(self, sets: Mapping[str, Sequence[Recording]], noise: Features, seed: int) -> None:
        self._sets, self._noise, self._seed = sets, torch.from_numpy(noise.astype(np.float32)), seed
        self._names = sorted(name for name, recordings in sets.items() if recordings)
        weights = np.asarray([WEIGHTS.get(name, OTHERS) for name in self._names])
        self._shares = weights / weights.sum()

    def make(self, number: int) -> Features:
        """Return the features [frames, 80] of a stream."""
        rng = np.random.default_rng((self._seed, number))
        parts = [self._piece(rng) for _ in range(2 if rng.random() < 0.25 else 1)]
        return np.concatenate(parts)

    def _piece(self, rng: np.random.Generator) -> Features:
        if not self._names or rng.random() < NOISE_ALONE:
            begin = int(rng.integers(0, len(self._noise) - FRAMES))
            return np.asarray(self._noise[begin : begin + FRAMES].numpy() + rng.uniform(-6, 1), np.float32)
        x = self._spoken(rng)
        digital = x.mean(1) < FLOOR + 0.5
        if rng.random() < DISTORTED:
            draws = Draws(1, torch.device("cpu"), int(rng.integers(2**31)))
            frames = torch.tensor([len(x)])
            x = distort(torch.from_numpy(x)[None], frames, self._noise, DISTORTION, draws)[0].numpy()
            if rng.random() < 0.7:
                x[digital] = FLOOR
        else:
            x = np.maximum(x + rng.uniform(-3, 0.5), FLOOR).astype(np.float32)
        if rng.random() < 0.4:
            x[-int(rng.integers(10, 130)) :] = FLOOR
        return x

    def _spoken(self, rng: np.random.Generator) -> Features:
        """Return recordings of a set one after the other, with pauses of their own quiet, or of digital silence."""
        recordings = self._sets[self._names[rng.choice(len(self._names), p=self._shares)]]
        parts: list[Features] = []
        while sum(map(len, parts)) < FRAMES:
            speech = fbank(read_audio(recordings[int(rng.integers(len(recordings)))].path))[:FRAMES]
            loudness = speech.mean(1)
            floor = speech[np.argsort(loudness)[: max(3, len(speech) // 20)]].mean(0)
            pause = int(rng.integers(0, 60 if rng.random() < 0.5 else 300))
            quiet = floor + 0.4 * rng.normal(0, 1, (pause, NUM_BINS))
            if rng.random() < 0.15:
                quiet[:] = FLOOR
            parts += [quiet.astype(np.float32), speech]
        x = np.concatenate(parts)
        begin = int(rng.integers(0, len(x) - FRAMES + 1)) if rng.random() < 0.3 else 0
        return x[begin : begin + FRAMES]


def step_type(model: Transducer, shape: ModelConfig) -> np.dtype[np.void]:
    """Return what is kept of a step."""
    half, width = np.float16, shape.width
    return np.dtype(
        [
            ("x", half, (shape.chunk_frames + shape.input_frames, NUM_BINS)),
            ("count", np.float32),
            ("context", np.int16, (shape.step // 4, shape.context_size)),
            ("out", half, (shape.step // 4, shape.joiner_dim)),
            ("phones", half, (shape.step // 2, len(model.phones))),
            ("cached", half, (shape.layers, shape.step, 2 * width)),
            ("waiting", half, (shape.layers, shape.look_ahead, width)),
        ]
    )


def hear(model: Transducer, shape: ModelConfig, features: Features) -> npt.NDArray[np.void]:
    """Return the steps of a stream, but for the first, which has nothing before it."""
    info, stream = model.info, model.encoder.stream(phones=True)
    keys, rest = (model.encoder.states.index(name) for name in ("h0", "c0"))
    past, rows = shape.left * shape.width, shape.step * shape.width
    context = (-1,) * (info.context_size - 1) + (model.vocabulary.blank_id,)
    starts = range(0, len(features) - info.chunk_frames + 1, info.chunk_shift)
    steps = np.zeros(len(starts), step_type(model, shape))
    for step, start in zip(steps, starts, strict=True):
        x = features[start : start + info.chunk_frames]
        step["x"][info.chunk_shift :] = x
        step["x"][: info.chunk_shift] = features[start - info.chunk_shift : start] if start else 0
        step["count"] = stream.states[rest][0, 0, -1]
        encoded = stream.run(x)
        newest = [stream.states[place][:, 0, past - rows : past] for place in (keys, rest)]
        step["cached"] = np.concatenate([part.reshape(shape.layers, shape.step, -1) for part in newest], 2)
        step["waiting"] = stream.states[rest][:, 0, past:-1].reshape(step["waiting"].shape)
        step["out"] = encoded.out
        if encoded.phones is not None:
            step["phones"] = encoded.phones
        for frame, row in zip(encoded.out, step["context"], strict=True):
            row[:] = context
            best = int(model.join(frame[None], model.predict(context))[0].argmax())
            if best != model.vocabulary.blank_id:
                context = (*context[1:], best)
    return steps[1:]


def hear_streams(
    streams: Streams, model: Transducer, shape: ModelConfig, folder: Path, wanted: int, progress: Iterable[object]
) -> None:
    """Write ``wanted`` steps and some into ``folder``, going on where a call was cut off."""
    folder.mkdir(parents=True, exist_ok=True)
    done = complete_lines(folder / INDEX)
    kept = sum(json.loads(line)["steps"] for line in done)
    (folder / INDEX).write_text("".join(done))
    told = iter(progress)
    with (folder / STEPS).open("ab") as out, (folder / INDEX).open("a") as index:
        out.truncate(kept * step_type(model, shape).itemsize)
        for number in count(len(done)):
            if kept >= wanted:
                break
            steps = hear(model, shape, streams.make(number))
            out.write(steps.tobytes())
            out.flush()
            index.write(json.dumps({"steps": len(steps)}) + "\n")
            index.flush()
            kept += len(steps)
            for _ in steps:
                next(told, None)


class HeardSteps:
    """What ``hear_streams`` wrote, in a memory map."""

    def __init__(self, folder: Path, kind: np.dtype[np.void]) -> None:
        wanted = sum(json.loads(line)["steps"] for line in complete_lines(folder / INDEX))
        self._steps = np.memmap(folder / STEPS, kind, "r")[:wanted]

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self._steps)

    def take(self, places: npt.NDArray[np.int64]) -> Heard:
        """Return a batch of steps."""
        rows = self._steps[np.sort(places)]

        def floats(name: str) -> torch.Tensor:
            return torch.from_numpy(rows[name].astype(np.float32))

        followed = Followed(floats("out"), floats("phones"), floats("cached"), floats("waiting"))
        return Heard(floats("x"), floats("count"), torch.from_numpy(rows["context"].astype(np.int64)), followed)
