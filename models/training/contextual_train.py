"""The run that trains attention biasing: resumable, the weights' moving average is what is exported."""

import itertools
import json
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ..transducer import Transducer
from .contextual import Adapter, AttentionConfig, ListedBatch, Losses, losses
from .contextual_data import named
from .contextual_lists import ListOptions, PhraseLists, Tokens
from .export import read_weights
from .model import Joiner, ModelConfig, Predictor

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class AttentionTraining:
    """Settings of a run."""

    updates: int = 6000
    """Length of the schedule."""
    rows: int = 20
    """Utterances of a batch."""
    peak_rate: float = 2e-3
    """Highest learning rate; falls as a cosine after the warm-up."""
    warmup: int = 200
    """Updates over which the learning rate rises."""
    guided: float = 0.3
    """How much it counts that the right place is attended to, beside what the transducer makes of it."""
    average: float = 0.998
    """Share that the moving average keeps at each update."""
    save_every: float = 60.0
    """Seconds between checkpoints."""
    told_every: int = 50
    """Updates between two lines of the log."""
    width: int = 192
    """Of the hidden layers."""
    seed: int = 1
    lists: ListOptions = field(default_factory=ListOptions)
    weights: dict[str, float] = field(default_factory=lambda: {"named": 6.0})
    """How often sets are drawn, beside one another; a set that is not named 1."""


def frozen_parts(folder: Path, config: AttentionConfig) -> tuple[Predictor, Joiner, ModelConfig]:
    """Return the predictor and joiner of a model folder, which stay as they are."""
    shape = ModelConfig(vocab_size=config.vocab_size, phones=config.phones, joiner_dim=config.joiner_dim)
    weights = read_weights(folder)
    predictor, joiner = Predictor(shape), Joiner(shape)
    for name, part in (("predictor", predictor), ("joiner", joiner)):
        part.load_state_dict({k.removeprefix(f"{name}."): v for k, v in weights.items() if k.startswith(f"{name}.")})
        part.requires_grad_(False).eval()
    return predictor, joiner, shape


def absent_phrases(encode: Callable[[str], list[int]], count: int, seed: int) -> list[Tokens]:
    """Return names and rare words that are on lists and, as far as is known, in no recording, in tokens."""
    names = (name for _, name in named(seed))
    return [tuple(encode(name)) for name in itertools.islice(names, count)]


class AttentionRun:
    """Weights, their moving average and the optimiser, in a folder."""

    def __init__(self, folder: Path, model: Transducer, options: AttentionTraining) -> None:
        """Begin, or go on from the folder's checkpoint."""
        folder.mkdir(parents=True, exist_ok=True)
        info = model.info
        self.path, self.options, self.step = folder / CHECKPOINT, options, info.encoder_frames
        self.config = AttentionConfig(info.vocab_size, len(model.phones), info.joiner_dim, options.width)
        self.predictor, self.joiner, self.shape = frozen_parts(Path(str(info.folder)), self.config)
        torch.manual_seed(options.seed)
        self.adapter = Adapter(self.config)
        self.adapter.start_from(self.joiner)
        self.optimizer = torch.optim.AdamW(self.adapter.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
        self.average = {k: v.clone() for k, v in self.adapter.state_dict().items()}
        self.update, self.seconds = 0, 0.0
        if self.path.exists():
            saved = torch.load(self.path, weights_only=True)
            self.adapter.load_state_dict(saved["weights"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.average, self.update, self.seconds = saved["average"], saved["update"], saved["seconds"]

    @property
    def rate(self) -> float:
        """The learning rate of the next update."""
        options = self.options
        warm = min(1.0, (self.update + 1) / options.warmup)
        return options.peak_rate * warm * 0.5 * (1 + math.cos(math.pi * self.update / options.updates))

    def learn(self, batch: ListedBatch) -> Losses:
        """Make one update."""
        found = losses(self.adapter, self.predictor, self.joiner, self.shape, batch, self.step)
        self.optimizer.zero_grad()
        loss = found.transducer + self.options.guided * found.attention
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.adapter.parameters(), 2.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        self.optimizer.step()
        self.update += 1
        keep = min(self.options.average, self.update / (self.update + 10))
        with torch.no_grad():
            for name, value in self.adapter.state_dict().items():
                self.average[name].lerp_(value, 1 - keep)
        return found

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "weights": self.adapter.state_dict(), "optimizer": self.optimizer.state_dict(), "average": self.average,
            "update": self.update, "seconds": self.seconds, "config": self.config.to_dict(),
        }  # fmt: skip
        partial = self.path.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(self.path)


def train(
    run: AttentionRun, lists: PhraseLists, told: Callable[[str], None] = print, until: float = math.inf
) -> Adapter:
    """Train, or go on; returns the averaged weights.

    ``until`` is a time (``time.monotonic``) at which to stop and save, whatever is left to do.
    """
    options, log = run.options, run.path.with_name("log.jsonl")
    sums: list[Tensor] = []
    frames = 0.0
    last_log = last_save = time.monotonic()
    while run.update < options.updates and time.monotonic() < until:
        rng = random.Random(f"{options.seed} {run.update}")
        batch = lists.batch(lists.draw(options.rows, options.weights, rng), rng)
        sums.append(torch.stack([part.detach() for part in run.learn(batch)]))
        frames += float(batch.frames.sum())
        now = time.monotonic()
        if run.update % options.told_every == 0:
            run.seconds += now - last_log
            mean = zip(Losses._fields, torch.stack(sums).mean(0).tolist(), strict=True)
            line = {
                "update": run.update, "minutes": round(run.seconds / 60, 2),
                "frames": round(frames / (now - last_log)), **{name: round(value, 4) for name, value in mean},
            }  # fmt: skip
            told(json.dumps(line))
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")
            sums, frames, last_log = [], 0.0, now
        if now - last_save > options.save_every:
            run.save()
            last_save = now
    run.save()
    return load_adapter(run.path.parent)


def load_adapter(folder: Path) -> Adapter:
    """Return the averaged weights of the run in ``folder``."""
    saved = torch.load(folder / CHECKPOINT, weights_only=True)
    adapter = Adapter(AttentionConfig(**saved["config"]))
    adapter.load_state_dict(saved["average"])
    return adapter.eval()
