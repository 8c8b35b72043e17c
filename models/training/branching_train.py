"""The run that trains the cheap branch and its gate: resumable."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .branching import CHECKPOINT, Branch, BranchConfig, losses
from .branching_data import HeardSteps
from .export import read_weights
from .model import Joiner, ModelConfig, Predictor

QUANTILES = (0.2, 0.3, 0.4, 0.5, 0.6)
"""Shares of the steps, cheapest first, whose loss is told."""


@dataclass(frozen=True)
class BranchTraining:
    """Settings of a run."""

    updates: int = 2000
    rows: int = 32
    """Steps of a batch."""
    peak_rate: float = 2e-3
    """Highest learning rate; falls as a cosine after the warm-up."""
    warmup: int = 100
    save_every: float = 60.0
    """Seconds between checkpoints."""
    told_every: int = 100
    """Updates between two lines of the log."""
    seed: int = 1


def frozen_parts(folder: Path, shape: ModelConfig) -> tuple[Predictor, Joiner]:
    """Return the predictor and joiner of a model folder, which stay as they are."""
    weights = read_weights(folder)
    predictor, joiner = Predictor(shape), Joiner(shape)
    for name, part in (("predictor", predictor), ("joiner", joiner)):
        part.load_state_dict({k.removeprefix(f"{name}."): v for k, v in weights.items() if k.startswith(f"{name}.")})
        part.requires_grad_(False).eval()
    return predictor, joiner


class BranchRun:
    """Weights and the optimiser, in a folder."""

    def __init__(
        self, folder: Path, steps: HeardSteps, model: Path, shape: ModelConfig, options: BranchTraining
    ) -> None:
        """Begin, or go on from the folder's checkpoint."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self.options, self.steps = folder / CHECKPOINT, options, steps
        self.predictor, self.joiner = frozen_parts(model, shape)
        torch.manual_seed(options.seed)
        self.branch = Branch(BranchConfig(), shape)
        self.spread = self._measure()
        self.optimiser = torch.optim.AdamW(self.branch.parameters(), weight_decay=0.01)
        self.update = 0
        if self.path.exists():
            saved = torch.load(self.path, weights_only=True)
            self.branch.load_state_dict(saved["branch"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.update = saved["update"]

    def _measure(self) -> tuple[Tensor, Tensor]:
        """Take mean and deviation of the features; return deviations of what is cached and of what waits."""
        rng = np.random.default_rng(self.options.seed)
        some = self.steps.take(rng.choice(len(self.steps), min(600, len(self.steps)), replace=False))
        frames = some.x.flatten(0, 1)
        self.branch.shift.copy_(frames.mean(0))
        self.branch.scale.copy_(frames.std(0).clamp(min=1e-3))
        cached, waiting = (
            values.std((0, 2), keepdim=True).clamp(min=1e-3)[0]
            for values in (some.followed.cached, some.followed.waiting)
        )
        return cached, waiting

    def save(self) -> None:
        """Write the checkpoint whole."""
        saved = {
            "branch": self.branch.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "update": self.update,
            "config": self.branch.config.to_dict(),
            "shape": self.branch.model.to_dict(),
        }
        torch.save(saved, self.path.with_suffix(".new"))
        self.path.with_suffix(".new").replace(self.path)

    def rate(self) -> float:
        """Return the learning rate of this update."""
        options = self.options
        rise = min(1.0, (self.update + 1) / options.warmup)
        fall = 0.02 + 0.49 * (1 + math.cos(math.pi * min(1.0, self.update / options.updates)))
        return options.peak_rate * rise * fall

    def batch(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Return the steps of this update: each of them once, in a new order, before any comes again."""
        rows, count = self.options.rows, len(self.steps)
        epoch, place = divmod(self.update, max(1, count // rows))
        order = np.random.default_rng((self.options.seed, epoch)).permutation(count)
        return order[place * rows : (place + 1) * rows]

    def train(self, until: float, tell: Callable[[str], None]) -> None:
        """Train on, at most ``until`` (``time.monotonic``)."""
        lost: list[Tensor] = []
        saved = time.monotonic()
        while self.update < self.options.updates and time.monotonic() < until:
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate()
            found = losses(self.branch, self.steps.take(self.batch()), self.predictor, self.joiner, self.spread)
            self.optimiser.zero_grad()
            found.total().backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.branch.parameters(), 2.0)
            self.optimiser.step()
            self.update += 1
            order = found.expected.detach().argsort()
            lost.append(found.lost.detach()[order])
            if self.update % self.options.told_every == 0:
                tell(f"{self.update}: {told(lost)}")
                lost = []
            if time.monotonic() - saved > self.options.save_every:
                self.save()
                saved = time.monotonic()
        self.save()


def told(lost: list[Tensor]) -> str:
    """Return what the cheapest steps lose, by the gate's word: ``lost`` of batches, cheapest first."""
    shares = []
    for share in QUANTILES:
        mean = torch.cat([one[: int(share * len(one))] for one in lost]).mean()
        shares.append(f"{100 * share:.0f} % lose {mean:.3f}")
    return ", ".join(shares)


def load_branch(checkpoint: Path) -> Branch:
    """Return the branch of a run."""
    saved = torch.load(checkpoint, weights_only=True)
    branch = Branch(BranchConfig(**saved["config"]), ModelConfig(**saved["shape"]))
    branch.load_state_dict(saved["branch"])
    return branch.eval()
