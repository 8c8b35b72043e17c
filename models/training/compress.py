"""Weights that are trained to be small: pulled to few levels by the loss, and the least of them to zero, step by step.

The loss has a term that is 0 where every weight lies on a level and largest half-way between two: the mean of
|sin(pi w / step)|, as absolute-cosine regularisation (Nguyen et al. 2020, "Quantization aware training with
absolute-cosine regularization for automatic speech recognition"). Levels are those that a packed model has (see
``compression.rounding``): multiples, a whole number for each group, of the step to which a column is quantised in int8.
So what was trained comes through export and packing as it is.

Zeros come as in Zhu and Gupta 2017 ("To prune, or not to prune", arXiv 1710.01878): their share rises by a cubic from 0
to what is asked for. Those of least magnitude in a matrix go, singly or in blocks of neighbours, and may come back
until the share is reached.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from ..compression.rounding import Rounding
from .model import TransducerModel

FLOAT_PARTS = ("encoder.adapt", "encoder.conv1")
"""Parts of the encoder that stay float when it is exported."""


@dataclass(frozen=True)
class CompressConfig:
    """How weights are made small while training."""

    rounding: Rounding = field(default_factory=Rounding)
    """Levels, share of zeros, groups and blocks at the end."""
    strength: float = 0.0
    """Weight of the term that pulls to levels, at the end; it rises from 0 with the share of zeros."""
    begin: int = 0
    """Update from which on it begins."""
    end: int = 10_000
    """Update at which share and strength have risen to what is asked for."""
    every: int = 50
    """Updates between choices of what is zero."""

    def progress(self, update: int) -> float:
        """Return how far between ``begin`` and ``end`` an update is, 0 to 1."""
        return min(1.0, max(0.0, (update - self.begin) / max(1, self.end - self.begin)))

    def zeros(self, update: int) -> float:
        """Return the share of weights that are zero at an update."""
        return self.rounding.zeros * (1 - (1 - self.progress(update)) ** 3)


class Compressor:
    """What makes a network's weights small; it keeps which of them are zero."""

    def __init__(self, config: CompressConfig) -> None:
        self.config = config
        self._kept: dict[str, Tensor] = {}

    def penalty(self, model: TransducerModel, update: int) -> Tensor:
        """Return the term of the loss that pulls weights to levels."""
        strength = self.config.strength * self.config.progress(update)
        if not strength:
            return torch.zeros((), device=next(model.parameters()).device)
        return strength * self._off_levels(model)

    def _off_levels(self, model: TransducerModel) -> Tensor:
        parts = [off_levels(as_columns(weight), self.config.rounding).flatten() for _, weight in matrices(model)]
        return torch.cat(parts).mean()

    @torch.no_grad()
    def thin(self, model: TransducerModel, average: Mapping[str, Tensor], update: int) -> None:
        """Set to zero what is to be zero after an update, also in the running average."""
        share = self.config.zeros(update)
        if not share:
            return
        for name, weight in matrices(model):
            # at the end the choice stands: what is left learns to do without
            if name not in self._kept or (update % self.config.every == 0 and update <= self.config.end):
                self._kept[name] = kept(weight, share, self.config.rounding.block)
            weight.mul_(self._kept[name])
            average[name].mul_(self._kept[name])

    @torch.no_grad()
    def state(self, model: TransducerModel) -> dict[str, float]:
        """Return what the log shows: the share of zeros, and how far off levels weights are (0.64 where anywhere)."""
        weights = [weight for _, weight in matrices(model)]
        zeros = sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)
        return {"zeros": round(zeros, 4), "off_levels": round(float(self._off_levels(model)), 4)}


def matrices(model: TransducerModel) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights that are quantised when the network is exported, by name."""
    for name, weight in model.named_parameters():
        if name.startswith("encoder.") and weight.ndim > 1 and not name.startswith(FLOAT_PARTS):
            yield name, weight


def as_columns(weight: Tensor) -> Tensor:
    """Return weights [outputs, inputs] in the order in which they are exported; of a convolution frame by frame."""
    return weight.transpose(1, 2).flatten(1) if weight.ndim == 3 else weight


def as_weight(columns: Tensor, like: Tensor) -> Tensor:
    """Return ``columns`` [outputs, inputs] in the shape of a weight; what ``as_columns`` undoes."""
    if like.ndim != 3:
        return columns
    outputs, inputs, frames = like.shape
    return columns.view(outputs, frames, inputs).transpose(1, 2)


def off_levels(columns: Tensor, rounding: Rounding) -> Tensor:
    """Return how far off their levels weights [outputs, inputs] are, 0 to 1, [outputs, groups, inputs of a group]."""
    width = columns.shape[1]
    group = min(rounding.group, width)
    parts = functional.pad(columns, (0, -width % group)).reshape(len(columns), -1, group)
    with torch.no_grad():
        step = columns.abs().amax(1)[:, None, None].clamp(min=1e-8) / rounding.full
        largest = parts.abs().amax(2, keepdim=True)
        multiplier = torch.ceil(largest / step / rounding.top - 1e-3).clamp(1, rounding.coarsest)
        step = step * multiplier
    return torch.sin(math.pi * parts / step).abs()


def kept(weight: Tensor, share: float, block: int) -> Tensor:
    """Return 1 for the weights of a matrix that stay and 0 for the share of least magnitude, in its own shape."""
    columns = as_columns(weight).detach()
    width = columns.shape[1]
    block = min(block, width)
    worth = functional.pad(columns.square(), (0, -width % block)).reshape(len(columns), -1, block).sum(2)
    gone = round(share * worth.numel())
    mask = torch.ones_like(worth).flatten()
    mask[worth.flatten().argsort(stable=True)[:gone]] = 0
    mask = mask.view_as(worth).repeat_interleave(block, 1)[:, :width]
    return as_weight(mask, weight)
