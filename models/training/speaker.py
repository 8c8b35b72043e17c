"""A speaker vector and a whisper's odds from a frozen encoder: the network, its losses, and how it is trained.

One layer over frames, pooled by attentive statistics (Okabe et al. 2018, arXiv 1803.10963), one layer to the vector;
speakers are told apart by an additive angular margin (Deng et al. 2019, arXiv 1801.07698) that grows from nothing.
Layers of a recogniser's encoder tell speakers apart, the early ones the best (Chen et al. 2022, "WavLM").
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .speaker_data import Piece, VoiceCorpus

CHECKPOINT = "speaker.pt"
SECONDS_FRAMES = 25
"""Frames of a second, at the stride at which they are kept."""


@dataclass(frozen=True)
class HeadConfig:
    """Shape of the network."""

    layers: tuple[int, ...] = (0,)
    """Of the encoder, whose values are heard."""
    width: int = 384
    """Numbers of a frame from each of them."""
    hidden: int = 128
    bottleneck: int = 32
    """Of the attention over frames."""
    size: int = 128
    """Numbers of the vector."""


class SpeakerHead(nn.Module):
    """Frames to a vector and the log-odds of a whisper."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        self.norm = nn.BatchNorm1d(config.width * len(config.layers), affine=False)
        self.frame = nn.Linear(config.width * len(config.layers), config.hidden)
        self.frame_norm = nn.BatchNorm1d(config.hidden)
        self.attend = nn.Linear(config.hidden, config.bottleneck)
        self.weigh = nn.Linear(config.bottleneck, config.hidden)
        self.pooled_norm = nn.BatchNorm1d(2 * config.hidden)
        self.vector = nn.Linear(2 * config.hidden, config.size)
        self.whispered = nn.Linear(2 * config.hidden, 1)

    def forward(self, heard: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return vectors [N, size], not of length 1 yet, and log-odds [N] of frames [N, T, width], so many of each."""
        known = torch.arange(heard.shape[1])[None] < frames[:, None]
        x = self.norm(heard[known])  # statistics of what counts, not of padding
        x = functional.relu(self.frame_norm(self.frame(x)))
        rows = heard.new_zeros(*known.shape, x.shape[1])
        rows[known] = x
        scores = self.weigh(torch.tanh(self.attend(rows)))
        shares = scores.masked_fill(~known[..., None], -math.inf).softmax(1)
        mean = (shares * rows).sum(1)
        spread = ((shares * rows.square()).sum(1) - mean.square()).clamp(min=1e-4).sqrt()
        pooled = self.pooled_norm(torch.cat([mean, spread], 1))
        vector: Tensor = self.vector(pooled)
        return vector, self.whispered(pooled)[:, 0]


def angular_margin_loss(vectors: Tensor, centres: Tensor, labels: Tensor, margin: float, scale: float = 30.0) -> Tensor:
    """Return the mean cross-entropy of speakers by angle, the right one's made larger by ``margin`` (radians)."""
    cosines = functional.normalize(vectors) @ functional.normalize(centres).T
    own = functional.one_hot(labels, len(centres)).bool()
    angles = torch.acos(cosines.clamp(-1 + 1e-6, 1 - 1e-6))
    return functional.cross_entropy(scale * torch.where(own, torch.cos(angles + margin), cosines), labels)


@dataclass(frozen=True)
class HeadTraining:
    """How it is trained."""

    updates: int = 3000
    rows: int = 96
    """Pieces of a batch, each of another speaker mostly."""
    whispers: int = 24
    """Whispered pieces of a batch, beside them."""
    peak_rate: float = 2e-3
    margin: float = 0.2
    shortest: float = 0.7
    """Seconds of a piece that is heard; each batch has one length."""
    longest: float = 3.6
    weight: float = 0.3
    """Of the whisper's loss."""
    seed: int = 1


class Batch(NamedTuple):
    """What an update sees."""

    heard: Tensor
    """[N, T, width]"""
    frames: Tensor
    """[N]"""
    speakers: Tensor
    """[rows]"""
    whispered: Tensor
    """[N]"""


class Batches:
    """Draws pieces, a speaker at a time, so that nobody who read for long is heard more often."""

    def __init__(self, corpora: Sequence[VoiceCorpus], options: HeadTraining) -> None:
        self._corpora, self._options = corpora, options
        pieces: dict[str, list[tuple[int, Piece]]] = {}
        self._whispers: list[tuple[int, Piece]] = []
        for number, corpus in enumerate(corpora):
            for speaker, found in corpus.by_speaker.items():
                pieces.setdefault(speaker, []).extend((number, piece) for piece in found)
            self._whispers += [(number, piece) for piece in corpus.whispers]
        self.speakers = tuple(sorted(pieces))
        """Everybody who is told apart; at another speed or bent, somebody is another."""
        self._pieces = [pieces[speaker] for speaker in self.speakers]

    def draw(self, update: int) -> Batch:
        """Return the batch of an update: always the same."""
        options, rng = self._options, np.random.default_rng((self._options.seed, update))
        most = int(SECONDS_FRAMES * rng.uniform(options.shortest, options.longest))
        labels = rng.integers(len(self.speakers), size=options.rows)
        chosen = [self._pieces[label][rng.integers(len(self._pieces[label]))] for label in labels]
        if self._whispers:
            chosen += [self._whispers[rng.integers(len(self._whispers))] for _ in range(options.whispers)]
        heard = np.zeros((len(chosen), most, self._corpora[0].heard.shape[1]), np.float32)
        frames = np.zeros(len(chosen), np.int64)
        for row, (number, piece) in enumerate(chosen):
            frames[row] = min(most, piece.frames)
            begin = piece.offset + int(rng.integers(piece.frames - frames[row] + 1))
            heard[row, : frames[row]] = self._corpora[number].heard[begin : begin + frames[row]]
        whispered = np.asarray([piece.kind == "whispered" for _, piece in chosen], np.float32)
        return Batch(*map(torch.from_numpy, (heard, frames, labels, whispered)))


def train(
    head: SpeakerHead, batches: Batches, options: HeadTraining, folder: Path, progress: Iterable[object] = ()
) -> None:
    """Train a head; writes ``log.jsonl`` on the way."""
    torch.manual_seed(options.seed)
    centres = nn.Parameter(0.05 * torch.randn(len(batches.speakers), head.config.size))
    optimiser = torch.optim.AdamW([*head.parameters(), centres], options.peak_rate, weight_decay=1e-3)
    steps, summed = iter(progress), np.zeros(2)
    head.train()
    with (folder / "log.jsonl").open("w") as log:
        for update in range(options.updates):
            next(steps, None)
            done = update / options.updates
            for group in optimiser.param_groups:
                group["lr"] = options.peak_rate * min(1, (update + 1) / 50) * (0.505 + 0.495 * math.cos(math.pi * done))
            batch = batches.draw(update)
            vectors, odds = head(batch.heard, batch.frames)
            margin = options.margin * min(1.0, done / 0.3)
            speaker = angular_margin_loss(vectors[: options.rows], centres, batch.speakers, margin)
            whisper = functional.binary_cross_entropy_with_logits(odds, batch.whispered)
            optimiser.zero_grad()
            loss = speaker + options.weight * whisper
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            summed += speaker.item(), whisper.item()
            if (update + 1) % 100 == 0:
                row = {"update": update + 1, "speaker": summed[0] / 100, "whisper": summed[1] / 100}
                log.write(json.dumps({key: round(value, 4) for key, value in row.items()}) + "\n")
                log.flush()
                summed[:] = 0
    head.eval()


@torch.inference_mode()
def vectors_of(head: SpeakerHead, corpus: VoiceCorpus) -> dict[str, Tensor]:
    """Return the vectors [pieces, size] of each speaker's pieces, not of length 1."""

    def vector(piece: Piece) -> Tensor:
        heard = corpus.heard[piece.offset : piece.offset + piece.frames].astype(np.float32)
        found: Tensor = head(torch.from_numpy(heard)[None], torch.tensor([piece.frames]))[0]
        return found

    return {speaker: torch.cat(list(map(vector, pieces))) for speaker, pieces in corpus.by_speaker.items()}


def save_head(head: SpeakerHead, threshold: float, file: Path) -> None:
    """Write a checkpoint."""
    torch.save({"config": asdict(head.config), "weights": head.state_dict(), "threshold": threshold}, file)


def load_head(file: Path) -> tuple[SpeakerHead, float]:
    """Return the head of a checkpoint, and its threshold."""
    saved = torch.load(file, weights_only=True)
    head = SpeakerHead(HeadConfig(**{**saved["config"], "layers": tuple(saved["config"]["layers"])}))
    head.load_state_dict(saved["weights"])
    head.eval()
    return head, float(saved["threshold"])
