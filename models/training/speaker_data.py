"""Voices as the frozen encoder hears them: what the speaker vector is trained on, encoded once.

Every recording is heard plainly and, of some seconds of each speaker, at another speed (which makes another speaker of
it, as in Yamamoto et al. 2019, "Speaker augmentation and bandwidth extension"), in another voice, and whispered.
Pieces of at most a few seconds are distorted each for itself, so that no channel tells who speaks.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import onnx
import onnx.utils
import onnxruntime
import torch

from ..audio import read_audio
from ..encoder import Tap
from ..errors import ModelFileError
from ..features import NUM_BINS, Features
from ..samples import SAMPLE_RATE, Samples
from ..transducer import Transducer
from .augment import FLOOR, AugmentConfig, Draws, distort
from .prepare import complete_lines, fbank, trim
from .speaker_sets import Utterance, some_of_each
from .voices import another_voice
from .whispers import whispered

Halves = npt.NDArray[np.float16]
PIECE = 3.5
"""Seconds of a piece, about."""
SHORTEST = 0.5
"""Seconds of one that is taken."""
DISTORTED = 0.8
"""Share of the pieces that are distorted."""
DISTORTION = AugmentConfig(strength=0.8, warp=0.0, mask=0.0)
"""The mel axis is not warped: that would make another speaker."""
STRIDE = 2
"""Every how manyeth frame of the encoder is kept: neighbours say the same of a voice."""
SPEEDS = (0.9, 1.1)
POSITIONS = 3000
"""Encoder frames after which positions go round."""
QUIETEST = (-24.0, -34.0)
"""Decibels of the quietest speech and the quietest whisper below full scale."""


@dataclass(frozen=True)
class Take:
    """One way in which a recording is heard."""

    utterance: Utterance
    kind: str
    """``plain``, ``slow``, ``fast``, ``bent`` (another voice) or ``whispered``."""

    @property
    def speaker(self) -> str:
        """Whose voice it is then."""
        return self.utterance.speaker + ("" if self.kind == "plain" else f"@{self.kind}")


def plan(utterances: Sequence[Utterance], *, again: float = 20.0, special: float = 8.0) -> list[Take]:
    """Return what is heard: all plainly, so many seconds of each speaker at each speed, bent and whispered."""
    takes = [Take(one, "plain") for one in some_of_each(utterances)]
    for kinds, seconds in ((("slow", "fast"), again), (("bent", "whispered"), special)):
        takes += [Take(one, kind) for one in some_of_each(utterances, seconds) for kind in kinds]
    # in an order of chance, so that half of it is half of everything; what is read once serves all its takes
    return sorted(takes, key=lambda take: (crc32(str(take.utterance.path).encode()), take.kind))


@lru_cache(1)
def _read(path: Path) -> Samples:
    return trim(read_audio(path))


def cache_tap(model: Transducer, layers: Iterable[int]) -> Tap:
    """Return what reads the newest values of layers of an encoder as ``export`` writes it, from its state ``c0``.

    A row of ``c0`` holds past values, then the frames that wait, then how many there were; one of ``h0`` past keys.

    Raises:
        ModelFileError: it is no such encoder.
    """
    sizes = {name: state.shape for name, state in zip(model.encoder.states, model.encoder.initial, strict=True)}
    if sizes.keys() != {"h0", "c0"} or not model.info.delay_frames:
        raise ModelFileError(
            model.info.graphs[0], "keeps no keys and values as h0 and c0; expected a model of `export`"
        )
    depth, _, past = sizes["h0"]
    ahead, step = model.info.delay_frames // 2 // depth, model.info.chunk_shift // 2
    width = (sizes["c0"][2] - 1 - past) // ahead
    return Tap("c0", tuple(layers), past - step * width, past, width, STRIDE)


def spoken(take: Take, rng: np.random.Generator) -> Samples:
    """Return the samples of a take, [n]."""
    import soxr

    samples = _read(take.utterance.path)
    if take.kind in ("slow", "fast"):
        speed = SPEEDS[take.kind == "fast"]
        return np.asarray(soxr.resample(samples, SAMPLE_RATE * speed, float(SAMPLE_RATE)), np.float32)
    if take.kind == "bent":
        # a speaker's recordings are bent all in the same way
        return another_voice(samples[: 8 * SAMPLE_RATE], np.random.default_rng(crc32(take.speaker.encode())))
    if take.kind == "whispered":
        return whispered(samples[: 8 * SAMPLE_RATE], rng)
    return samples


def features_of(
    samples: Samples, noise: torch.Tensor, rng: np.random.Generator, quietest: float, distorted: float
) -> Features:
    """Return the features of a piece [frames, 80] at some level, with silence around, some of them distorted."""
    peak = float(np.abs(samples).max()) or 1.0
    samples = samples * np.float32(10 ** (rng.uniform(quietest, -1) / 20) / peak)
    samples = samples + rng.normal(0, 10 ** (rng.uniform(-85, -60) / 20), len(samples)).astype(np.float32)
    speech = fbank(samples)
    quiet = np.sort(speech.mean(1))[: max(1, len(speech) // 20)].mean() - speech.mean()
    floor = speech.mean(0) + quiet

    def silence(frames: int) -> Features:
        return np.asarray(floor + 0.4 * rng.normal(0, 1, (frames, NUM_BINS)), np.float32)

    features = np.concatenate([silence(int(rng.integers(0, 60))), speech, silence(int(rng.integers(5, 40)))])
    if rng.random() < distorted:
        draws = Draws(1, torch.device("cpu"), int(rng.integers(2**31)))
        frames = torch.tensor([len(features)])
        changed = distort(torch.from_numpy(features)[None], frames, noise, DISTORTION, draws)
        features = np.asarray(changed[0].numpy(), np.float32)
    # a completed utterance ends in digital silence
    return np.concatenate([features, np.full((int(rng.integers(0, 40)), NUM_BINS), FLOOR, np.float32)])


class EarlyLayers:
    """As much of an encoder as comes before what a tap reads; the layers behind need not be computed."""

    def __init__(self, model: Transducer, tap: Tap) -> None:
        """Cut the graph of a model's encoder.

        Raises:
            ModelFileError: it does not put the states of its layers together as ``export`` does.
        """
        path, last = model.info.graphs[0], max(tap.layers)
        whole = onnx.load_from_string(path.read_bytes())
        made = {name: node for node in whole.graph.node for name in node.output}
        self._rows = {state: list(made[f"next_{state}"].input[: last + 1]) for state in model.encoder.states}
        if any(made[f"next_{state}"].op_type != "Concat" for state in model.encoder.states):
            raise ModelFileError(path, "does not put states together layer by layer, as the recipe's own encoders do")
        names = [name for rows in self._rows.values() for name in rows]
        cut = onnx.utils.Extractor(whole).extract_model(["x", *model.encoder.states], names)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(cut.SerializeToString(), options)
        self._model, self._tap, self._names = model, tap, names

    def hear(self, features: Features, before: int = 0) -> Halves:
        """Return what the tap reads of features [frames, 80], [frames, width].

        ``before`` is how many encoder frames the stream had before them. Their positions are in what is heard, and
        nothing is to depend on them.
        """
        frames, shift = self._model.info.chunk_frames, self._model.info.chunk_shift
        steps = max(1, -(-len(features) // shift))
        padded = np.full(((steps - 1) * shift + frames, NUM_BINS), FLOOR, np.float32)
        padded[: len(features)] = features
        encoder = self._model.encoder
        states = {name: state.copy() for name, state in zip(encoder.states, encoder.initial, strict=True)}
        states["c0"][:, :, -1] = before
        heard = []
        for k in range(steps):
            out = self._session.run(self._names, {"x": padded[None, k * shift : k * shift + frames], **states})
            rows = dict(zip(self._names, out, strict=True))
            for state, names in self._rows.items():
                for layer, name in enumerate(names):
                    states[state][layer] = rows[name][0]
            heard.append(self._tap.read(states[self._tap.state]))
        return np.concatenate(heard).astype(np.float16)


def encode_voices(
    takes: Sequence[Take],
    noise: Features,
    model: Transducer,
    tap: Tap,
    folder: Path,
    seed: int = 0,
    distorted: float = DISTORTED,
    progress: Iterable[object] | None = None,
) -> None:
    """Write ``heard.f16`` and ``index.jsonl`` into ``folder``, going on where a call was cut off.

    Args:
        takes: what is heard.
        noise: [frames, 80] Features of sounds without words.
        model: the frozen one.
        tap: what of it is kept.
        folder: made if need be.
        seed: of levels, silences and distortions.
        distorted: share of the pieces that are distorted.
        progress: takes a step for each take.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index, bank = folder / "index.jsonl", torch.from_numpy(noise)
    done = complete_lines(index)
    last = json.loads(done[-1]) if done else {"number": -1, "offset": 0, "frames": 0}
    offset, first = last["offset"] + last["frames"], last["number"] + 1
    index.write_text("".join(done))
    steps: Iterator[object] = iter(progress or range(len(takes)))
    early = EarlyLayers(model, tap)
    width = tap.width * len(tap.layers)
    with (folder / "heard.f16").open("ab") as out, index.open("a") as lines:
        out.truncate(offset * width * 2)
        for number, take in enumerate(takes):
            next(steps, None)
            if number < first:
                continue
            rng = np.random.default_rng((seed, number))
            samples = spoken(take, rng)
            pieces = np.array_split(samples, max(1, round(len(samples) / SAMPLE_RATE / PIECE)))
            heard = [
                early.hear(
                    features_of(piece, bank, rng, QUIETEST[take.kind == "whispered"], distorted),
                    int(rng.integers(POSITIONS)),
                )
                for piece in pieces
                if len(piece) >= SHORTEST * SAMPLE_RATE
            ]
            out.write(b"".join(rows.tobytes() for rows in heard))
            out.flush()
            line: dict[str, Any] = {
                "number": number, "offset": offset, "frames": sum(map(len, heard)), "pieces": [*map(len, heard)],
                "speaker": take.speaker, "corpus": take.utterance.corpus, "kind": take.kind,
            }  # fmt: skip
            lines.write(json.dumps(line) + "\n")
            lines.flush()
            offset += line["frames"]


@dataclass(frozen=True)
class Piece:
    """Some seconds of a voice."""

    offset: int
    frames: int
    kind: str
    corpus: str


class VoiceCorpus:
    """What ``encode_voices`` wrote, in a memory map."""

    def __init__(self, folder: Path, width: int) -> None:
        """Open a folder.

        Args:
            folder: of ``encode_voices``.
            width: numbers of a frame.
        """
        # the index first: what stands in it is written whole
        lines = complete_lines(folder / "index.jsonl")
        values = np.memmap(folder / "heard.f16", np.float16, "r")
        self.heard: Halves = values[: len(values) // width * width].reshape(-1, width)
        """[frames, width]"""
        self.by_speaker: dict[str, list[Piece]] = defaultdict(list)
        """Voices with a name; whispers have none."""
        self.whispers: list[Piece] = []
        for line in lines:
            row, offset = json.loads(line), 0
            for frames in row["pieces"]:
                piece = Piece(row["offset"] + offset, frames, row["kind"], row["corpus"])
                (self.whispers if row["kind"] == "whispered" else self.by_speaker[row["speaker"]]).append(piece)
                offset += frames
