"""Whether the one who said the wake word speaks, frame by frame: the network, what it learns from, its training.

What the wake word sounds like (its voice, by attentive statistics as in ``speaker``, and its level and channel, by a
mean) scales and shifts what is heard of each frame (FiLM: Perez et al. 2018, arXiv 1709.07871); two convolutions over
time look at what lies around. After King et al. 2017, "Robust speech recognition via anchor word representations".
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from ..encoder import Tap
from ..transducer import Transducer
from .anchor_scenes import Scenes
from .prepare import complete_lines, fbank
from .speaker_data import POSITIONS, EarlyLayers

CHECKPOINT = "anchor.pt"
FRAMES_PER_SECOND = 25
LONGEST_ANCHOR = 40
"""Frames of a wake word that count."""
SHORTEST_ANCHOR = 8
EARLY = 2
"""Frames before somebody speaks that count as his: the first sound is the softest."""
SPEAKER_LAYERS = ("frame", "attend", "weigh", "vector")
"""Which it has in common with the speaker's graph, and starts from."""


@dataclass(frozen=True)
class AnchorConfig:
    """Shape of the network."""

    width: int = 384
    """Numbers of a frame."""
    pooled: int = 128
    """Of the layer over frames of the wake word."""
    bottleneck: int = 32
    """Of the attention over them."""
    size: int = 128
    """Numbers of its voice."""
    level: int = 16
    """Numbers of its level and channel."""
    hidden: int = 96
    """Of the layer over frames of the stream."""
    last: int = 64
    ahead: int = 4
    """Frames that it sees before it tells of one: no more than the encoder's own delay."""
    back: int = 16
    """Frames that the second convolution sees of the past."""

    @property
    def context(self) -> int:
        """Frames around one that count."""
        return 2 * self.ahead + self.back


class AnchorNetwork(nn.Module):
    """Frames and a wake word to log-odds that the same voice speaks."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: AnchorConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.zeros(config.width))
        self.register_buffer("deviation", torch.ones(config.width))
        self.frame = nn.Linear(config.width, config.pooled)
        self.attend = nn.Linear(config.pooled, config.bottleneck)
        self.weigh = nn.Linear(config.bottleneck, config.pooled)
        self.vector = nn.Linear(2 * config.pooled, config.size)
        self.level = nn.Linear(config.width, config.level)
        self.hear = nn.Linear(config.width, config.hidden)
        self.film = nn.Linear(config.size + config.level, 2 * config.hidden)
        self.near = nn.Conv1d(config.hidden, config.hidden, 2 * config.ahead + 1)
        self.past = nn.Conv1d(config.hidden, config.last, config.back // 2 + 1, dilation=2)
        self.odds = nn.Linear(config.last, 1)
        self.dropout = nn.Dropout(0.15)

    def voice(self, anchor: Tensor, frames: Tensor) -> Tensor:
        """Return what wake words [N, A, width] of so many frames [N] sound like, [N, size + level]."""
        known = (torch.arange(anchor.shape[1])[None] < frames[:, None])[..., None]
        x = functional.relu(self.frame(anchor))
        shares = self.weigh(torch.tanh(self.attend(x))).masked_fill(~known, -math.inf).softmax(1)
        mean = (shares * x).sum(1)
        spread = ((shares * x.square()).sum(1) - mean.square()).clamp(min=1e-4).sqrt()
        vector = 4 * functional.normalize(self.vector(torch.cat([mean, spread], 1)))
        flat = (((anchor - self.mean) / self.deviation) * known).sum(1) / frames[:, None]
        return torch.cat([vector, self.level(flat)], 1)

    def forward(self, heard: Tensor, anchor: Tensor, frames: Tensor) -> Tensor:
        """Return log-odds [N, T - context] of frames [N, T, width]: each but the first and the last few."""
        scale, shift = self.film(self.voice(anchor, frames)).chunk(2, 1)
        x = self.hear((heard - self.mean) / self.deviation)
        x = self.dropout(functional.relu(x * (1 + scale[:, None]) + shift[:, None])).transpose(1, 2)
        x = self.dropout(functional.relu(self.near(x)))
        x = functional.relu(self.past(x)).transpose(1, 2)
        odds: Tensor = self.odds(x)[..., 0]
        return odds

    def start_from(self, graph: onnx.ModelProto) -> None:
        """Take the layers over the wake word from a speaker's graph of the same encoder."""
        found = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
        with torch.no_grad():
            for name in SPEAKER_LAYERS:
                layer = getattr(self, name)
                layer.weight.copy_(torch.from_numpy(found[f"{name}.weight"].T.astype(np.float32)))
                layer.bias.copy_(torch.from_numpy(found[f"{name}.bias"].astype(np.float32)))


def encode_scenes(
    scenes: Scenes,
    count: int,
    model: Transducer,
    tap: Tap,
    folder: Path,
    seed: int = 0,
    progress: Iterable[object] | None = None,
) -> None:
    """Write what an encoder hears of so many scenes into ``folder``, going on where a call was cut off.

    ``heard.f16`` has the frames, ``index.jsonl`` where each scene lies, its wake word and who speaks when.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index, early = folder / "index.jsonl", EarlyLayers(model, tap)
    done = complete_lines(index)
    last = json.loads(done[-1]) if done else {"offset": 0, "frames": 0}
    offset = last["offset"] + last["frames"]
    index.write_text("".join(done))
    steps: Iterator[object] = iter(progress or range(count))
    with (folder / "heard.f16").open("ab") as out, index.open("a") as lines:
        out.truncate(2 * offset * tap.width * len(tap.layers))
        for number in range(count):
            next(steps, None)
            if number < len(done):
                continue
            rng = np.random.default_rng((seed, number))
            scene = scenes.draw(rng)
            heard = early.hear(fbank(scene.samples), int(rng.integers(POSITIONS)))[: len(scene.speaks)]
            out.write(heard.tobytes())
            out.flush()
            line: dict[str, Any] = {
                "offset": offset, "frames": len(heard),
                "anchor": [round(at * FRAMES_PER_SECOND) for at in scene.anchor],
                "speaks": "".join("01"[int(value)] for value in scene.speaks[: len(heard)]),
            }  # fmt: skip
            lines.write(json.dumps(line) + "\n")
            lines.flush()
            offset += len(heard)


class SceneCorpus:
    """What ``encode_scenes`` wrote into some folders, in memory maps."""

    def __init__(self, folders: Sequence[Path], width: int) -> None:
        """Open folders; a frame has ``width`` numbers."""
        self.rows: list[tuple[npt.NDArray[np.float16], tuple[int, int], npt.NDArray[np.float32]]] = []
        """Frames [T, width] of each scene, first and last of the wake word's, and [T] whether its voice speaks."""
        for folder in folders:
            lines = [json.loads(line) for line in complete_lines(folder / "index.jsonl")]
            values = np.memmap(folder / "heard.f16", np.float16, "r")
            heard = values[: len(values) // width * width].reshape(-1, width)
            for row in lines:
                speaks = np.frombuffer(row["speaks"].encode(), np.uint8).astype(np.float32) - ord("0")
                frames = heard[row["offset"] : row["offset"] + row["frames"]]
                self.rows.append((frames, (row["anchor"][0], row["anchor"][1]), speaks))


class SceneBatch(NamedTuple):
    """What an update sees."""

    heard: Tensor
    """[N, T, width]"""
    anchor: Tensor
    """[N, A, width]"""
    frames: Tensor
    """[N] Of the wake words."""
    speaks: Tensor
    """[N, T - context]"""
    counts: Tensor
    """[N, T - context] 1 for the frames after the wake word, 0 for others and for padding."""


def make_batch(
    corpus: SceneCorpus, numbers: Iterable[int], config: AnchorConfig, rng: np.random.Generator | None = None
) -> SceneBatch:
    """Return scenes side by side; with ``rng`` the wake word begins and ends somewhat elsewhere."""
    rows = [corpus.rows[number] for number in numbers]
    longest = max(len(frames) for frames, _, _ in rows)
    heard = np.zeros((len(rows), longest, config.width), np.float32)
    anchor = np.zeros((len(rows), LONGEST_ANCHOR, config.width), np.float32)
    lengths, speaks, counts = np.zeros(len(rows), np.int64), heard[..., 0].copy(), heard[..., 0].copy()
    for row, (frames, (begin, end), said) in enumerate(rows):
        first, last = begin, end
        if rng is not None:
            first, last = max(0, begin + int(rng.integers(-3, 4))), end + int(rng.integers(-3, 4))
        word = frames[first : max(last, first + SHORTEST_ANCHOR)][:LONGEST_ANCHOR]
        heard[row, : len(frames)], heard[row, len(frames) :] = frames, frames[-1]
        anchor[row, : len(word)], lengths[row] = word, len(word)
        speaks[row, : len(frames)] = np.maximum.reduce([np.roll(said, -k) for k in range(EARLY + 1)])
        counts[row, end : len(frames)] = 1
    inside = slice(config.context - config.ahead, longest - config.ahead)
    values = (heard, anchor, lengths, speaks[:, inside], counts[:, inside])
    return SceneBatch(*map(torch.from_numpy, map(np.ascontiguousarray, values)))


@dataclass(frozen=True)
class AnchorTraining:
    """How it is trained."""

    updates: int = 2500
    rows: int = 24
    peak_rate: float = 1.5e-3
    smoothing: float = 0.01
    """Of the labels: whoever speaks softly beside others is a matter of opinion."""
    every: int = 100
    """Updates between two looks at validation; the best weights of all stay."""
    seed: int = 1


@torch.inference_mode()
def judged(network: AnchorNetwork, corpus: SceneCorpus) -> tuple[Tensor, Tensor]:
    """Return log-odds and truth of all frames after the wake words of scenes."""
    network.eval()
    odds, truth = [], []
    for start in range(0, len(corpus.rows), 16):
        batch = make_batch(corpus, range(start, min(start + 16, len(corpus.rows))), network.config)
        counts = batch.counts > 0
        odds.append(network(batch.heard, batch.anchor, batch.frames)[counts])
        truth.append(batch.speaks[counts])
    return torch.cat(odds), torch.cat(truth)


def train(
    network: AnchorNetwork,
    corpus: SceneCorpus,
    kept: SceneCorpus,
    options: AnchorTraining,
    folder: Path,
    progress: Iterable[object] = (),
) -> None:
    """Train a network on scenes; it ends with the weights that were best on those kept. Writes ``log.jsonl``."""
    torch.manual_seed(options.seed)
    some = np.concatenate([frames for frames, _, _ in corpus.rows[:: max(1, len(corpus.rows) // 200)]])
    network.mean.copy_(torch.from_numpy(some.astype(np.float32).mean(0)))
    network.deviation.copy_(torch.from_numpy(some.astype(np.float32).std(0) + 1e-3))
    optimiser = torch.optim.AdamW(network.parameters(), options.peak_rate, weight_decay=0.02)
    steps, summed, best, weights = iter(progress), 0.0, math.inf, dict[str, Tensor]()
    with (folder / "log.jsonl").open("w") as log:
        for update in range(options.updates):
            next(steps, None)
            network.train()
            falling = 0.505 + 0.495 * math.cos(math.pi * update / options.updates)
            for group in optimiser.param_groups:
                group["lr"] = options.peak_rate * min(1, (update + 1) / 50) * falling
            rng = np.random.default_rng((options.seed, update))
            batch = make_batch(corpus, rng.integers(len(corpus.rows), size=options.rows), network.config, rng)
            odds = network(batch.heard, batch.anchor, batch.frames)
            wanted = batch.speaks * (1 - 2 * options.smoothing) + options.smoothing
            losses = functional.binary_cross_entropy_with_logits(odds, wanted, reduction="none")
            loss = (losses * batch.counts).sum() / batch.counts.sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            summed += loss.item()
            if (update + 1) % options.every == 0 or update + 1 == options.updates:
                found = functional.binary_cross_entropy_with_logits(*judged(network, kept)).item()
                row = {"update": update + 1, "loss": round(summed / options.every, 4), "kept": round(found, 4)}
                log.write(json.dumps(row) + "\n")
                log.flush()
                summed = 0.0
                if found < best:
                    best, weights = found, {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(weights)
    network.eval()


def save_network(network: AnchorNetwork, file: Path) -> None:
    """Write a checkpoint."""
    torch.save({"config": asdict(network.config), "weights": network.state_dict()}, file)


def load_network(file: Path) -> AnchorNetwork:
    """Return the network of a checkpoint."""
    saved = torch.load(file, weights_only=True)
    network = AnchorNetwork(AnchorConfig(**saved["config"]))
    network.load_state_dict(saved["weights"])
    network.eval()
    return network
