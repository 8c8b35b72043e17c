"""Prepared features to batches: sets mixed by weight, bucketed by length, augmented on the way."""

import json
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..pieces import open_pieces
from .augment import AugmentConfig, Features, change_tempo, distort, pad_with_floor
from .model import ModelConfig

WEIGHTS = {"speechocean762": 0.20, "wuw": 0.09, "wakeword": 0.02, "digits": 0.02, "rhvoice": 0.11, "synthetic": 0.56}
"""Share of the training frames each set gets; real voices are emphasised far beyond their hours."""


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


@dataclass(frozen=True)
class Batch:
    """Padded tensors of one update; with two views the second half of the rows is the first, distorted otherwise."""

    features: Tensor
    """[N, T, 80] float32, T = whole chunks and the model's ``extra_frames``."""
    frames: Tensor
    """Encoder frames (80 ms) that count, [N]."""
    tokens: Tensor
    """[N, U] int64, padded with 0."""
    token_lengths: Tensor
    phones: Tensor
    """[N, P] int64, padded with 0."""
    phone_lengths: Tensor


class Corpus:
    """A prepared folder, in memory maps."""

    def __init__(self, folder: Path) -> None:

        self.folder = folder
        self.features = np.memmap(folder / "features.f16", np.float16, mode="r").reshape(-1, 80)
        self.noise = np.load(folder / "noise.npy").astype(np.float32)
        lexicon = json.loads((folder / "lexicon.json").read_text())
        pieces = open_pieces(folder / "bpe.model")
        self.vocab_size = pieces.get_piece_size()
        self.items: list[Item] = []
        for line in (folder / "index.jsonl").read_text().splitlines():
            row = json.loads(line)
            phones = tuple(phone for word in row["text"].split() for phone in lexicon[word])
            tokens = tuple(pieces.encode(row["text"]))
            if len(tokens) * 8 <= row["frames"] + 16 and row["frames"] <= 1600:
                self.items.append(Item(row["offset"], row["frames"], row["corpus"], tokens, phones))
        self.by_corpus = {name: [i for i in self.items if i.corpus == name] for name in {i.corpus for i in self.items}}

    def load(self, item: Item) -> npt.NDArray[np.float32]:
        """Return the features of ``item``, [frames, 80]."""
        return np.asarray(self.features[item.offset : item.offset + item.frames], np.float32)


class Batches:
    """An endless stream of batches, made in a thread ahead of the updates that use them."""

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
    ) -> None:
        self.corpus, self.model, self.batch_frames, self.augmentation = corpus, model, batch_frames, augmentation
        self.views = views
        self.rng = np.random.default_rng(seed)
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

    def draw(self, count: int) -> list[Item]:
        """Draw ``count`` items, sets by weight, items of a set evenly."""
        choice = self.rng.choice(len(self.pools), count, p=self.shares)
        return [self.pools[k][int(self.rng.integers(len(self.pools[k])))] for k in choice]

    def example(self, item: Item) -> tuple[list[Features], Item]:
        """Return views of a recording with silence around it; now and then of noise alone, or of two in a row."""
        rng, strength = self.rng, self.augmentation.strength
        features = self.corpus.load(item)
        if rng.random() < 0.06 * strength:
            # as long as the recording it stands for: what lasts must stay without words, too
            length = max(200, item.frames)
            start = int(rng.integers(0, len(self.corpus.noise) - length))
            noise = self.corpus.noise[start : start + length] + np.float32(rng.uniform(-6, 1))
            quiet = rng.normal(rng.uniform(-15, -9), 1.0, (length, 80)).astype(np.float32)
            return self.distorted(noise if rng.random() < 0.75 else quiet), replace(item, tokens=(), phones=())
        if item.frames < 300 and rng.random() < 0.12 * strength:
            other = self.pools[int(rng.integers(len(self.pools)))]
            second = other[int(rng.integers(len(other)))]
            if second.frames < 300:
                gap = pad_with_floor(features, 0, int(rng.integers(10, 80)), rng)
                features = np.concatenate([gap, self.corpus.load(second)])
                item = replace(item, tokens=item.tokens + second.tokens, phones=item.phones + second.phones)
        longest = 5 + int(60 * strength)
        features = pad_with_floor(features, int(rng.integers(0, longest)), int(rng.integers(0, longest)), rng)
        features = change_tempo(features, self.augmentation, rng)
        needed = max(8 * (len(item.tokens) + 1), 4 * (len(item.phones) + 6)) - len(features)
        if needed > 0:
            features = pad_with_floor(features, 0, needed, rng)
        return self.distorted(features), item

    def distorted(self, features: Features) -> list[Features]:
        """Return each view of features [T, 80], distorted in its own way."""
        return [distort(features, self.corpus.noise, self.augmentation, self.rng) for _ in range(self.views)]

    def collate(self, drawn: list[tuple[list[Features], Item]]) -> Batch:
        """Pad examples to one batch."""
        examples = [(views[k], item) for k in range(self.views) for views, item in drawn]
        lengths = [(len(features) + 7) // 8 for features, _ in examples]
        total = self.model.padded_frames(8 * max(lengths))
        features = np.empty((len(examples), total, 80), np.float32)
        for row, (values, _) in zip(features, examples, strict=True):
            pad = total - len(values)
            row[:] = pad_with_floor(values, 0, pad, self.rng)

        def padded(rows: list[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
            sizes = [len(row) for row in rows]
            out = torch.zeros(len(rows), max(1, *sizes) if sizes else 1, dtype=torch.int64)
            for target, row in zip(out, rows, strict=True):
                target[: len(row)] = torch.tensor(row, dtype=torch.int64)
            return out, torch.tensor(sizes)

        tokens, token_lengths = padded([item.tokens for _, item in examples])
        phones, phone_lengths = padded([item.phones for _, item in examples])
        return Batch(torch.from_numpy(features), torch.tensor(lengths), tokens, token_lengths, phones, phone_lengths)

    def generate(self) -> Iterator[Batch]:
        """Yield batches without end: a large draw, sorted by the lengths it ends up with, cut, and shuffled."""
        while True:
            drawn = self.draw(int(40 * self.batch_frames / self.views / 250))
            examples = sorted(map(self.example, drawn), key=lambda example: len(example[0][0]))
            groups: list[list[tuple[list[Features], Item]]] = [[]]
            for example in examples:
                if (len(groups[-1]) + 1) * len(example[0][0]) * self.views > self.batch_frames and groups[-1]:
                    groups.append([])
                groups[-1].append(example)
            for k in self.rng.permutation(len(groups)):
                yield self.collate(groups[k])

    def __iter__(self) -> Iterator[Batch]:
        """Yield what ``generate`` yields, made ahead in a thread."""
        ready: queue.Queue[Batch] = queue.Queue(4)

        def work() -> None:
            for batch in self.generate():
                ready.put(batch)

        threading.Thread(target=work, daemon=True).start()
        while True:
            yield ready.get()
