"""Sizes of the encoder found by search: size, operations and error of many, the error of most of them estimated.

After de Wynter 2020 ("An approximation algorithm for optimal subarchitecture extraction", arXiv 2010.08512): depth,
width, heads and feed-forward width are variables, below those of a trained encoder; size and operations of every
candidate are polynomials of these and cost nothing to know; the error takes a training, a short one, as what counts is
who is better. The approximation parameter is the stride of the grid: the share of the largest by which neighbours
differ. Here candidates begin with a part of the trained weights and follow the whole encoder; a surrogate (the
logarithm of the error, linear in those of the variables) is fitted to what has been trained, and what it expects on the
front is trained next, farthest from what is known first.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .model import NUM_BINS, ModelConfig, TransducerModel

FRAMES_A_SECOND = 50
"""Encoder frames."""
SMALLEST = 0.25
"""Of the largest, below which no variable goes."""
_RIDGE = 0.03

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, order=True)
class Size:
    """What is searched for."""

    layers: int
    width: int
    heads: int
    feed: int

    def config(self, largest: ModelConfig) -> ModelConfig:
        """Return the network of this size, else as the largest."""
        return replace(largest, **asdict(self), dropout=0.0)

    @staticmethod
    def of(config: ModelConfig) -> "Size":
        """Return the size of a network."""
        return Size(config.layers, config.width, config.heads, config.feed_width)


def grid(largest: ModelConfig, stride: float) -> list[Size]:
    """Return the candidates: each variable in steps of ``stride`` of the largest; heads divide an even width."""
    shares = [1 - k * stride for k in range(math.floor((1 - SMALLEST) / stride + 1e-9) + 1)]
    values = [
        sorted({max(1, round(share * whole)) for share in shares}, reverse=True) for whole in astuple(Size.of(largest))
    ]
    candidates = (Size(*each) for each in product(*values))
    return [size for size in candidates if size.width % (2 * size.heads) == 0]


def parameters(config: ModelConfig) -> int:
    """Return the number of parameters of the encoder; most are a byte each in int8."""
    width, feed, joiner = config.width, config.feed_width, config.joiner_dim
    front_end = NUM_BINS * NUM_BINS + NUM_BINS + 3 * NUM_BINS * width + width + 3 * width * width + width
    layer = 4 * width * width + 2 * width * feed + feed + 9 * width
    heads = 6 * width * joiner + 2 * joiner + joiner * config.phones + config.phones
    return front_end + config.layers * layer + 2 * width + heads


def operations(config: ModelConfig) -> float:
    """Return the multiplications of the encoder's products for a second of audio."""
    width, joiner = config.width, config.joiner_dim
    ends = 2 * NUM_BINS * NUM_BINS + 2 * 3 * NUM_BINS * width + 3 * width * width
    ends += 4 * width * joiner // 4 + (2 * width * joiner + joiner * config.phones) // 2
    layer = 4 * width * width + 2 * width * config.feed_width + 2 * width * (config.left + config.step)
    return float(FRAMES_A_SECOND * (ends + config.layers * layer))


def part_of(model: TransducerModel, config: ModelConfig) -> TransducerModel:
    """Return a smaller network that begins with a part of a trained one's weights.

    Layers evenly from the first to the last; channels evenly, outside in both halves, so that sines and cosines of the
    positions stay what they were, and inside attention, so that heads become narrower; the inner units of the
    feed-forward layers that weigh most.
    """
    old, weights = model.config, model.state_dict()
    half = evenly(old.width // 2, config.width // 2)
    outside, inside = torch.cat([half, old.width // 2 + half]), evenly(old.width, config.width)
    taken = {name: value for name, value in weights.items() if not name.startswith("encoder.layers.")}
    for name in ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "norm.weight", "norm.bias"):
        taken[f"encoder.{name}"] = taken[f"encoder.{name}"][outside]
    taken["encoder.conv2.weight"] = taken["encoder.conv2.weight"][:, outside]
    for name, frames in (("project", 4), ("phone_hidden", 2)):
        value = taken[f"encoder.{name}.weight"].unflatten(1, (frames, old.width))[:, :, outside]
        taken[f"encoder.{name}.weight"] = value.flatten(1)
    for target, source in enumerate(evenly(old.layers, config.layers).tolist()):
        start = start_of(source)
        layer = {name.removeprefix(start): value for name, value in weights.items() if name.startswith(start)}
        worth = layer["expand.weight"].square().sum(1) * layer["contract.weight"].square().sum(0)
        units = worth.topk(config.feed_width).indices.sort().values
        both = torch.cat([inside, old.width + inside])
        rows = {"query": inside, "key_value": both, "expand": units}
        columns = {"out": inside, "contract": units}
        for name, value in layer.items():
            module = name.partition(".")[0]
            part = value[rows.get(module, outside)]
            taken[start_of(target) + name] = part if part.ndim == 1 else part[:, columns.get(module, outside)]
    small = TransducerModel(config)
    small.load_state_dict(taken)
    return small


def start_of(layer: int) -> str:
    """Return how the names of a layer's parameters begin."""
    return f"encoder.layers.{layer}."


def evenly(count: int, wanted: int) -> Tensor:
    """Return ``wanted`` of ``count`` places, from the first to the last; of one the last."""
    return torch.linspace(count - 1, 0, wanted).round().long().flip(0)


@dataclass(frozen=True)
class Tried:
    """A candidate that was trained."""

    size: Size
    error: float
    """Divergence of its tokens from the whole encoder's, nats a frame."""
    seconds: float
    """Processor time that its training took."""


class Surrogate:
    """What the error of a candidate is expected to be, after those that were tried."""

    def __init__(self, tried: Sequence[Tried]) -> None:
        rows, errors = _rows(one.size for one in tried), np.log([one.error for one in tried])
        penalty = np.diag([0.0, *[_RIDGE] * (rows.shape[1] - 1)])
        inverse = np.linalg.inv(rows.T @ rows + penalty)
        self._weights = inverse @ rows.T @ errors
        left, share = errors - rows @ self._weights, np.einsum("ij,jk,ik->i", rows, inverse, rows)
        self.off = float(np.sqrt(np.mean((left / np.maximum(1 - share, 0.05)) ** 2)))
        """Root mean square of the logarithm's error for one that is left out of the fit."""

    def __call__(self, sizes: Iterable[Size]) -> Floats:
        """Return the errors that are expected."""
        expected: Floats = np.exp(_rows(sizes) @ self._weights)
        return expected


def _rows(sizes: Iterable[Size]) -> Floats:
    return np.asarray([[1.0, *map(math.log, astuple(size))] for size in sizes])


def front(costs: Floats) -> npt.NDArray[np.bool_]:
    """Return which rows of ``costs`` [n, objectives] no other is as good as in all and better than in one."""
    as_good = (costs[:, None] <= costs[None]).all(2)
    better = (costs[:, None] < costs[None]).any(2)
    return np.asarray(~(as_good & better).any(0), np.bool_)


def costs_of(sizes: Sequence[Size], errors: Sequence[float] | Floats, largest: ModelConfig) -> Floats:
    """Return parameters, operations and error of each, [n, 3]."""
    configs = [size.config(largest) for size in sizes]
    return np.asarray([(parameters(c), operations(c), e) for c, e in zip(configs, errors, strict=True)], np.float64)


def first_ones(candidates: Sequence[Size], largest: ModelConfig) -> list[Size]:
    """Return what is tried first: the largest, each variable alone one stride down, then half-way, the smallest."""
    whole = Size.of(largest)
    alone = [[one for one in candidates if _differs_only_in(one, whole, place)] for place in range(len(astuple(whole)))]
    nearest = [some[0] for some in alone if some]
    half_way = [some[len(some) // 2] for some in alone if some]
    smallest = min(candidates, key=lambda one: parameters(one.config(largest)))
    return list(dict.fromkeys([whole, *nearest, *half_way, smallest]))


def _differs_only_in(one: Size, other: Size, place: int) -> bool:
    different = [k for k, (a, b) in enumerate(zip(astuple(one), astuple(other), strict=True)) if a != b]
    return different == [place]


def next_one(candidates: Sequence[Size], tried: Sequence[Tried], largest: ModelConfig) -> Size | None:
    """Return what is tried next: on the front that is expected, the farthest from all that were; None: nothing left."""
    known = {one.size: one.error for one in tried}
    if len(known) == len(candidates):
        return None
    waiting = [size for size in first_ones(candidates, largest) if size not in known]
    if waiting:
        return waiting[0]
    # the largest is the teacher itself: it says nothing about what training reaches
    expected = Surrogate([one for one in tried if one.size != Size.of(largest)])(candidates)
    errors = [known.get(size, float(error)) for size, error in zip(candidates, expected, strict=True)]
    on_front = front(costs_of(candidates, errors, largest))
    open_ = [size for size in candidates if size not in known]
    best = [size for size, on in zip(candidates, on_front, strict=True) if on and size not in known] or open_
    places = _rows(known)
    return max(best, key=lambda size: float(np.abs(_rows([size]) - places).sum(1).min()))
