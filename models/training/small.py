"""Weights of a finished encoder trained to be small: few levels, many zeros, and what it hears as before.

The encoder follows its own former self (see ``follow``). While it runs, its weights are rounded to the levels they are
to have, and the gradient passes as if they were not (straight-through, Bengio et al. 2013, arXiv 1308.3432); the loss
pulls what is not rounded to the levels, and more and more weights become zero, both as in ``compress``. Biases and
normalisations learn along; scales of columns stay, so that the weights go back into the file they come from.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.func import functional_call

from .compress import CompressConfig, as_columns, as_weight, kept, matrices
from .follow import Apart, Windows, apart, apart_on
from .levels import Levels
from .model import Encoding, TransducerModel

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"


@dataclass(frozen=True)
class SmallConfig:
    """Settings of a run."""

    compress: CompressConfig = field(default_factory=CompressConfig)
    """Levels, zeros, pull, and from when until when they come."""
    updates: int = 300
    rate: float = 1e-4
    """Highest learning rate."""
    warmup: int = 10
    """Updates in which it rises; then it falls by a cosine to nothing."""
    rows: int = 4
    """Windows of an update."""
    evaluate_every: int = 50
    """Updates between looks at what is held out."""
    seed: int = 1

    def rate_at(self, update: int) -> float:
        """Return the learning rate of an update."""
        if update < self.warmup:
            return self.rate * (update + 1) / self.warmup
        return self.rate * 0.5 * (1 + math.cos(math.pi * (update - self.warmup) / max(1, self.updates - self.warmup)))


class SmallRun:
    """A run in a folder: weights that are becoming small, optimiser, log; taken up again where it was broken off."""

    def __init__(
        self, folder: Path, teacher: TransducerModel, start: TransducerModel, levels: Mapping[str, Levels],
        config: SmallConfig,
    ) -> None:  # fmt: skip
        """Begin a run, or take it up.

        Args:
            folder: of its checkpoint and log.
            teacher: who is followed.
            start: whose weights it begins with.
            levels: of the start's matrices, by name.
            config: settings.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.teacher, self.model, self.config = folder, teacher, start, config
        self.levels = {name: levels[name] for name, _ in matrices(start)}
        self.kept = {name: torch.ones_like(weight) for name, weight in matrices(start)}
        self.trained = {
            name: value
            for name, value in start.named_parameters()
            if name in self.levels or ((name.startswith("encoder.layers") or name in _VECTORS) and value.ndim == 1)
        }
        for name, value in start.named_parameters():
            value.requires_grad_(name in self.trained)
        self.optimizer = torch.optim.Adam(self.trained.values(), lr=config.rate, betas=(0.9, 0.98), fused=True)
        self.update = 0
        if (folder / CHECKPOINT).exists():
            saved = torch.load(folder / CHECKPOINT, weights_only=True)
            start.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.kept, self.update = saved["kept"], int(saved["update"])

    def save(self) -> None:
        """Write the checkpoint."""
        partial = self.folder / f"{CHECKPOINT}.part"
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save({**state, "kept": self.kept, "update": self.update}, partial)
        partial.replace(self.folder / CHECKPOINT)

    def rounded(self) -> dict[str, Tensor]:
        """Return the encoder's parameters as they are used: matrices on their levels, gradients going through."""
        out: dict[str, Tensor] = {}
        for name, weight in self.trained.items():
            value: Tensor = weight
            if name in self.levels:
                value = weight * self.kept[name]
                on = as_weight(self.levels[name].nearest(as_columns(value.detach())), weight)
                value = value + (on - value).detach()
            out[name.removeprefix("encoder.")] = value
        return out

    def encode(self, features: Tensor, first: Tensor) -> Encoding:
        """Run the encoder as it will be."""
        encoding: Encoding = functional_call(self.model.encoder, self.rounded(), (features, first))
        return encoding

    def off_levels(self) -> Tensor:
        """Return how far weights that are kept are off their levels, 0 to 1."""
        parts, count = [], 0.0
        for name, levels in self.levels.items():
            mask = as_columns(self.kept[name])
            steps = levels.steps(as_columns(self.trained[name]))
            parts.append((torch.sin(math.pi * steps).abs() * mask).sum())
            count += float(mask.sum())
        return torch.stack(parts).sum() / count

    def step(self, windows: Windows) -> Apart:
        """Do one update; returns how far the encoder was from its teacher."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.rate_at(self.update)
        self.optimizer.zero_grad()
        found = apart(self.encode(windows.features.float(), windows.first), windows, self.teacher)
        loss = found.total()
        compress = self.config.compress
        pull = compress.strength * compress.progress(self.update)
        if pull:
            loss = loss + pull * self.off_levels()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.trained.values(), 1.0)
        self.optimizer.step()
        self.update += 1
        self._thin()
        return found

    @torch.no_grad()
    def _thin(self) -> None:
        compress = self.config.compress
        share = compress.zeros(self.update)
        if not share or self.update > compress.end or (self.update % compress.every and self.update < compress.end):
            return
        for name in self.levels:
            self.kept[name] = kept(self.trained[name], share, compress.rounding.block)

    @torch.no_grad()
    def state(self) -> dict[str, float]:
        """Return what the log shows: the share of zeros among rounded weights, and how far off levels weights are."""
        used = self.rounded()
        weights = [used[name.removeprefix("encoder.")] for name in self.levels]
        zeros = sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)
        return {"zeros": round(zeros, 4), "off_levels": round(float(self.off_levels()), 4)}

    @torch.no_grad()
    def parameters(self) -> dict[str, Tensor]:
        """Return the parameters by name, as they go into the encoder's file."""
        return {f"encoder.{name}": value for name, value in self.rounded().items()}


_VECTORS = ("encoder.conv2.bias", "encoder.norm.weight", "encoder.norm.bias", "encoder.project.bias",
            "encoder.phone_hidden.bias", "encoder.phone_head.bias")  # fmt: skip


def train(
    run: SmallRun, windows: Windows, held: Windows, *, save_every: float = 60.0,
    progress: Callable[[int], None] = lambda _: None,
) -> None:  # fmt: skip
    """Train until the schedule's end; interrupting saves.

    Args:
        run: to go on with.
        windows: to train on.
        held: to look at from time to time.
        save_every: seconds between checkpoints.
        progress: is told how many updates are done.
    """
    config = run.config
    rng = torch.Generator().manual_seed(config.seed)
    turns = max(1, len(windows) // config.rows)
    orders: dict[int, Tensor] = {}

    def rows_of(update: int) -> Tensor:
        while len(orders) <= update // turns:
            orders[len(orders)] = torch.randperm(len(windows), generator=rng)
        begin = update % turns * config.rows
        return orders[update // turns][begin : begin + config.rows].sort().values

    last, spent = time.monotonic(), time.process_time()
    with (run.folder / LOG).open("a") as log:

        def tell(found: Apart) -> None:
            line = {"update": run.update, **found.values(), **run.state()}
            log.write(json.dumps({**line, "seconds": round(time.process_time() - spent, 1)}) + "\n")
            log.flush()

        try:
            if run.update == 0:
                tell(apart_on(run.encode, held, run.teacher))
            while run.update < config.updates:
                run.step(windows.at(rows_of(run.update)))
                progress(run.update)
                if run.update % config.evaluate_every == 0 or run.update == config.updates:
                    tell(apart_on(run.encode, held, run.teacher))
                if time.monotonic() - last > save_every:
                    run.save()
                    last = time.monotonic()
        finally:
            run.save()
