"""Prepared features to batches: sets mixed by weight, recordings of one length together, augmented on the device."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..pieces import open_pieces
from .augment import AugmentConfig, Draws, distort, interpolate, noise_of
from .model import ModelConfig

WEIGHTS = {
    "speechocean762": 0.20,
    "wuw": 0.10,
    "wakeword": 0.015,
    "digits": 0.01,
    "kathleen": 0.07,
    "librispeech": 0.10,
    "librispeech_voices": 0.13,
    "ljprompts": 0.08,
    "commonvoice": 0.02,
    "rhvoice": 0.05,
    "synthetic": 0.225,
}
"""Share of the training frames each set gets; real voices are emphasised far beyond their hours."""
NOISE_ALONE = 0.06
"""Share of the rows that are noise without words."""


def shares(frames: Mapping[str, int], weights: Mapping[str, float]) -> dict[str, float]:
    """Return the share of the training frames that each set of so many ``frames`` gets; they add up to 1.

    Those in ``weights`` get as much beside one another as these say, all others as much as their own length asks for.
    """
    named = [name for name in frames if name in weights]
    rate = sum(weights[name] for name in named) / sum(frames[name] for name in named) if named else 1.0
    parts = {name: weights.get(name, rate * frames[name]) for name in sorted(frames)}
    return {name: part / sum(parts.values()) for name, part in parts.items()}


@dataclass(frozen=True)
class Item:
    """One prepared recording."""

    offset: int
    frames: int
    corpus: str
    tokens: tuple[int, ...]
    phones: tuple[int, ...]
    teacher: int = -1
    """Where the teacher's frames begin; -1: there are none."""
    teacher_frames: int = 0


@dataclass(frozen=True)
class Batch:
    """Padded tensors of one update; with two views the second half of the rows is the first, distorted otherwise."""

    features: Tensor
    """[N, T, 80] float32, T as ``ModelConfig.padded_frames`` has it."""
    frames: Tensor
    """Frames of 80 ms that count, [N]."""
    tokens: Tensor
    """[N, U] int64, padded with 0."""
    token_lengths: Tensor
    phones: Tensor
    """[N, P] int64, padded with 0."""
    phone_lengths: Tensor
    first: Tensor
    """Position of the first encoder frame, [N]."""
    teacher: Tensor | None = None
    """[N, T', width] What the teacher makes of the same speech without distortion, a frame per 20 ms."""
    followed: Tensor | None = None
    """[N, T'] Where it says something."""


class Corpus:
    """A prepared folder: features and teacher's frames in memory maps, or on the device that trains."""

    def __init__(self, folder: Path, device: torch.device | str = "cpu") -> None:

        self.folder = folder
        self.device = torch.device(device)
        self.features = self._matrix("features.f16", 80)
        self.noise = torch.from_numpy(np.load(folder / "noise.npy").astype(np.float32)).to(self.device)
        lexicon = json.loads((folder / "lexicon.json").read_text())
        pieces = open_pieces(folder / "bpe.model")
        self.vocab_size = pieces.get_piece_size()
        self.items: list[Item] = []
        for line in (folder / "index.jsonl").read_text().splitlines():
            row = json.loads(line)
            phones = tuple(phone for word in row["text"].split() for phone in lexicon[word])
            tokens = tuple(pieces.encode(row["text"]))
            if len(tokens) * 8 <= row["frames"] + 16 and row["frames"] <= 1600:
                self.items.append(
                    Item(
                        row["offset"],
                        row["frames"],
                        row["corpus"],
                        tokens,
                        phones,
                        row.get("teacher", -1),
                        row.get("teacher_frames", 0),
                    )
                )
        self.by_corpus = {name: [i for i in self.items if i.corpus == name] for name in {i.corpus for i in self.items}}
        start = folder / "start.pt"
        self.start: dict[str, Tensor] = torch.load(start, weights_only=True) if start.exists() else {}
        """Weights that the network starts from, by name; empty: from nothing."""
        teacher = folder / "teacher.f16"
        width = self.start["encoder.norm.weight"].numel() if self.start else 0
        self.teacher = self._matrix("teacher.f16", width) if width and teacher.exists() else None

    def _matrix(self, name: str, width: int) -> Tensor:
        values = np.memmap(self.folder / name, np.float16, mode="c").reshape(-1, width)
        return torch.from_numpy(values).to(self.device)


class Batches:
    """An endless stream of batches, each made from a seed of its own."""

    def __init__(
        self,
        corpus: Corpus,
        model: ModelConfig,
        *,
        batch_frames: int,
        max_frames: int,
        augmentation: AugmentConfig,
        seed: int,
        weights: Mapping[str, float] = WEIGHTS,
        views: int = 1,
        follow: bool = False,
    ) -> None:
        self.corpus, self.model, self.batch_frames, self.augmentation = corpus, model, batch_frames, augmentation
        self.views, self.seed, self.follow = views, seed, follow and corpus.teacher is not None
        pools = {
            name: pool
            for name, items in corpus.by_corpus.items()
            if (pool := [item for item in items if item.frames <= max_frames])
        }
        frames = {name: sum(item.frames for item in corpus.by_corpus[name]) for name in pools}
        by_set = shares(frames, weights)
        self.pools = [pools[name] for name in by_set]
        drawn = np.asarray(
            [share * len(pools[name]) / sum(item.frames for item in pools[name]) for name, share in by_set.items()]
        )
        self.shares = drawn / drawn.sum()

    def draw(self, rng: np.random.Generator) -> list[Item]:
        """Draw recordings that fill a batch, of about one length: sets by weight, recordings of a set evenly."""
        count = max(16, int(8 * self.batch_frames / self.views / 200))
        choice = rng.choice(len(self.pools), count, p=self.shares)
        drawn = [self.pools[k][int(rng.integers(len(self.pools[k])))] for k in choice]
        pivot = drawn[0].frames
        chosen: list[Item] = []
        longest = 0
        for item in sorted(drawn, key=lambda item: abs(item.frames - pivot)):
            longest = max(longest, item.frames + 60)
            if chosen and (len(chosen) + 1) * longest * self.views > self.batch_frames:
                break
            chosen.append(item)
        return chosen

    def batch(self, number: int) -> Batch:
        """Return the batch of a number; the same for the same seed."""
        rng = np.random.default_rng((self.seed, number))
        return self.collate(self.draw(rng), int(rng.integers(2**31)))

    def collate(self, items: Sequence[Item], seed: int) -> Batch:
        """Make a batch of recordings: tempo, silence around, distortions, each view its own."""
        corpus, device, s = self.corpus, self.corpus.device, self.augmentation.strength
        draws = Draws(len(items), device, seed)

        def column(values: list[int]) -> Tensor:
            return torch.tensor(values, device=device)

        frames, offset = column([item.frames for item in items]), column([item.offset for item in items])
        labels = column([max(8 * (len(item.tokens) + 1), 4 * (len(item.phones) + 6)) for item in items])
        tempo = torch.where(
            draws.happens(self.augmentation.stretch * s),
            draws.uniform(1 - 0.16 * s, 1 + 0.2 * s),
            torch.ones(len(items), device=device),
        )
        spoken = torch.maximum((frames * tempo).long(), torch.full_like(frames, 8))
        # whole encoder frames before, so that the teacher's frames fall on the student's
        before = 2 * draws.places(int(3 + 30 * s))
        after = 10 + draws.places(int(5 + 60 * s))
        after = torch.maximum(after, labels - before - spoken)
        heard = before + spoken + after
        total = self.model.padded_frames(int(heard.max()))
        time = torch.arange(total, device=device)[None]
        place = ((time - before[:, None]) * (frames / spoken)[:, None]).clamp(min=0)
        place = torch.minimum(place, (frames - 1)[:, None].float())
        low = place.floor().long()
        weight = (place - low)[..., None]
        high = torch.minimum(low + 1, (frames - 1)[:, None])
        x = corpus.features[offset[:, None] + low].float() * (1 - weight)
        x += corpus.features[offset[:, None] + high].float() * weight
        x = self._with_silence(x, (time >= before[:, None]) & (time < (before + spoken)[:, None]), draws)
        alone = draws.happens(NOISE_ALONE * s)
        noise = noise_of(corpus.noise, draws, total) + draws.uniform(-6, 1)[:, None, None]
        x = torch.where(alone[:, None, None], noise, x)
        views = [
            distort(x, heard, corpus.noise, self.augmentation, Draws(len(items), device, seed + 1 + view))
            for view in range(self.views)
        ]
        silent = alone.tolist()
        tokens, token_lengths = self._labels([() if out else i.tokens for i, out in zip(items, silent, strict=True)])
        phones, phone_lengths = self._labels([() if out else i.phones for i, out in zip(items, silent, strict=True)])
        teacher, followed = self._teacher(items, before, tempo, alone, (total - 3) // 2)

        def each(values: Tensor) -> Tensor:
            return torch.cat([values] * self.views)

        first = Draws(len(items) * self.views, device, seed).places(self.model.positions)
        return Batch(
            torch.cat(views),
            each((heard + 7) // 8),
            each(tokens),
            each(token_lengths),
            each(phones),
            each(phone_lengths),
            first,
            None if teacher is None else each(teacher),
            None if followed is None else each(followed),
        )

    def _with_silence(self, x: Tensor, spoken: Tensor, draws: Draws) -> Tensor:
        """Return x [N, T, 80] with silence of each recording's own kind where ``spoken`` [N, T] is not."""
        loud = x.mean(2).masked_fill(~spoken, torch.inf)
        quietest = loud.topk(min(6, x.shape[1]), dim=1, largest=False).indices
        floor = torch.gather(x, 1, quietest[..., None].expand(-1, -1, x.shape[2])).mean(1)
        return torch.where(spoken[..., None], x, floor[:, None] + 0.4 * draws.normal(x.shape[1], x.shape[2]))

    def _teacher(
        self, items: Sequence[Item], before: Tensor, tempo: Tensor, alone: Tensor, count: int
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the teacher's frames [N, count, width] at the student's places, and where there are any."""
        if not self.follow or self.corpus.teacher is None:
            return None, None
        device = self.corpus.device
        begin = torch.tensor([item.teacher for item in items], device=device)
        size = torch.tensor([item.teacher_frames for item in items], device=device)
        # the convolutions' first frame is the teacher's second
        place = (torch.arange(count, device=device)[None] + 1 - before[:, None] // 2) / tempo[:, None]
        inside = (place >= 0) & (place <= (size - 1)[:, None]) & (begin >= 0)[:, None] & ~alone[:, None]
        place = torch.minimum(place.clamp(min=0), (size - 1).clamp(min=0)[:, None].float())
        rows = begin.clamp(min=0)[:, None] + torch.arange(int(size.max().clamp(min=1)), device=device)[None]
        frames = self.corpus.teacher[rows.clamp(max=len(self.corpus.teacher) - 1)].float()
        return interpolate(frames, place), inside

    def _labels(self, rows: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        labels, sizes = padded(rows)
        return labels.to(self.corpus.device), sizes.to(self.corpus.device)


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return labels [N, longest] with zeros at the end, and how many there are of each, [N]."""
    sizes = [len(row) for row in rows]
    out = torch.zeros(len(rows), max(1, *sizes) if sizes else 1, dtype=torch.int64)
    for target, row in zip(out, rows, strict=True):
        target[: len(row)] = torch.tensor(row, dtype=torch.int64)
    return out, torch.tensor(sizes)
