"""The cheap branch of a frozen encoder: a small network, a gate on its first block, and how both are trained together.

After Macoskey et al. 2021 ("Bifocal neural ASR", "Amortized neural networks for low-latency speech recognition"). The
branch hears the features of a step and of the one before in units of 40 ms; blocks mix units, each head with weights of
its own, and then the numbers of each unit (Tolstikhin et al. 2021, "MLP-Mixer", arXiv 2105.01601). It follows the
encoder: keys and values of every layer, frames that wait, what goes into the joiner, phones. The gate learns what a
step's cheapness costs, and where it says much, the branch need not follow well: the loss of a step counts as much as
the step is likely to be cheap.
"""

from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .model import NUM_BINS, Joiner, ModelConfig, Predictor, frequencies

CHECKPOINT = "branch.pt"
UNIT = 4
"""Feature frames from one unit to the next; two encoder frames."""
HEARD = 7
"""Feature frames of a unit: what the encoder's convolutions see of two of its frames."""
PHONE_SHARE = 0.3
"""How much the phones' divergence counts in the loss, beside the joiner's."""
SURE = 0.5
"""Loss of a step (nats) at which it counts half in training."""


@dataclass(frozen=True)
class BranchConfig:
    """Shape of the branch."""

    width: int = 192
    hidden: int = 256
    """Of the blocks' second layer."""
    blocks: int = 3
    heads: int = 8
    """With weights of their own between units."""
    neck: int = 64
    """Numbers of a unit from which keys and values of a layer are made."""
    gate: int = 64

    def to_dict(self) -> dict[str, int]:
        """Return the fields as plain values."""
        return asdict(self)


class Block(nn.Module):
    """Units mixed, then the numbers of each unit; both after a normalisation and added to what came in."""

    def __init__(self, config: BranchConfig, units: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.unit_norm = nn.LayerNorm(config.width)
        self.mix = nn.Parameter(0.1 * torch.randn(config.heads, units, units))
        self.norm = nn.LayerNorm(config.width)
        self.expand = nn.Linear(config.width, config.hidden)
        self.contract = nn.Linear(config.hidden, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [N, units, width] to the same shape."""
        batch, units, width = x.shape
        heads = self.unit_norm(x).view(batch, units, self.heads, -1).transpose(1, 2)
        x = x + (self.mix @ heads).transpose(1, 2).reshape(batch, units, width)
        out: Tensor = x + self.contract(functional.silu(self.expand(self.norm(x))))
        return out


class Followed(NamedTuple):
    """What a step comes to, of the branch or of the encoder."""

    out: Tensor
    """[N, T', joiner_dim]"""
    phones: Tensor
    """[N, 2 T', classes] Logits, or log-probabilities."""
    cached: Tensor
    """[N, layers, step, 2 * width] Keys and values."""
    waiting: Tensor
    """[N, layers, look_ahead, width]"""


class Branch(nn.Module):
    """Features of two steps to what the second comes to, and how much would be lost by that (logarithm of nats)."""

    shift: Tensor
    scale: Tensor
    """Mean and deviation of the features, [80]."""
    turns: Tensor

    def __init__(self, config: BranchConfig, model: ModelConfig) -> None:
        super().__init__()
        self.config, self.model = config, model
        units = model.step
        if model.look_ahead != 2:
            raise ValueError(f"the branch fits encoders of look-ahead 2, not {model.look_ahead}")
        self.register_buffer("shift", torch.zeros(NUM_BINS))
        self.register_buffer("scale", torch.ones(NUM_BINS))
        self.register_buffer("turns", frequencies(model), persistent=False)
        self.front = nn.Linear(HEARD * NUM_BINS, config.width)
        self.position = nn.Linear(model.width, config.width, bias=False)
        self.place = nn.Parameter(torch.zeros(units, config.width))
        """Of a unit among those that are heard."""
        self.blocks = nn.ModuleList(Block(config, units) for _ in range(config.blocks))
        self.gate_hidden = nn.Linear(config.width, config.gate)
        self.gate = nn.Linear(2 * config.gate, 1)
        self.norm = nn.LayerNorm(config.width)

        def layers(inner: int, outer: int) -> nn.ModuleList:
            return nn.ModuleList(nn.Linear(inner, outer) for _ in range(model.layers))

        self.cache_neck, self.cache = layers(config.width, config.neck), layers(config.neck, 4 * model.width)
        self.wait_neck, self.wait = layers(config.width, config.neck), layers(config.neck, 2 * model.width)
        self.out = nn.Linear(2 * config.width, model.joiner_dim)
        self.phones = nn.Linear(config.width, model.phones)

    def look(self, x: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gate's loss [N] and the first block's units [N, step, width].

        ``x`` [N, 2 chunk_frames + 3, 80] are features, ``count`` [N] encoder frames before the second step.
        """
        step = self.model.step
        units = ((x - self.shift) / self.scale).unfold(1, HEARD, UNIT).transpose(2, 3).flatten(2)
        places = torch.arange(-step, step, 2, device=x.device)
        angles = (count[:, None] + places)[..., None] * self.turns
        position = self.position(torch.cat([angles.sin(), angles.cos()], -1))
        hidden = self.blocks[0](self.front(units) + position + self.place)
        noticed = torch.tanh(self.gate_hidden(hidden))
        loss: Tensor = self.gate(torch.cat([noticed.mean(1), noticed.amax(1)], -1))
        return loss[:, 0], hidden

    def follow(self, hidden: Tensor) -> Followed:
        """Return what the second step comes to."""
        for block in self.blocks[1:]:
            hidden = block(hidden)
        x, batch = self.norm(hidden), len(hidden)
        units, late, width = self.model.step, self.model.delay // 2, self.model.width
        half = units // 2

        def of_layer(k: int) -> Tensor:
            # each layer lies a unit further behind than the one before
            rows = functional.silu(self.cache_neck[k](x[:, half - k : units - k]))
            made: Tensor = self.cache[k](rows)
            return made.view(batch, -1, 2 * width)

        layers = range(self.model.layers)
        waiting = [self.wait[k](functional.silu(self.wait_neck[k](x[:, units - 1 - k]))) for k in layers]
        told = x[:, half - late : units - late]
        return Followed(
            self.out(told.reshape(batch, half // 2, -1)),
            self.phones(told),
            torch.stack([of_layer(k) for k in layers], 1),
            torch.stack(waiting, 1).view(batch, len(layers), -1, width),
        )


class Heard(NamedTuple):
    """Steps as the encoder heard them."""

    x: Tensor
    """[N, 2 chunk_frames + 3, 80]"""
    before: Tensor
    """[N] Encoder frames before."""
    context: Tensor
    """[N, T', context_size] Tokens before each frame, as greedy search has them; int64."""
    followed: Followed


class Losses(NamedTuple):
    """Of each step of a batch, [N]."""

    joiner: Tensor
    """Divergence of the joiner's posteriors, nats, summed over frames."""
    phones: Tensor
    """The same of the phones'."""
    rest: Tensor
    """Squares of what else differs, by its variance."""
    expected: Tensor
    """What the gate expects of both divergences (logarithm of nats)."""

    @property
    def lost(self) -> Tensor:
        """What the gate is to tell: nats, [N]."""
        return self.joiner + PHONE_SHARE * self.phones

    def total(self) -> Tensor:
        """Return what is minimised."""
        cheap = 0.1 + 0.9 * torch.sigmoid(torch.log(torch.tensor(SURE)) - self.expected.detach())
        told = functional.smooth_l1_loss(self.expected, (self.lost.detach() + 1e-3).log())
        return (cheap * (self.lost + self.rest)).mean() + 0.2 * told


def divergence(sure: Tensor, said: Tensor) -> Tensor:
    """Return the divergence of log-probabilities [N, T, classes] from others, summed over all but rows, [N]."""
    return (sure.exp() * (sure - said)).sum((-1, -2))


def losses(branch: Branch, heard: Heard, predictor: Predictor, joiner: Joiner, spread: tuple[Tensor, Tensor]) -> Losses:
    """Return how far the branch is from the encoder; ``spread``: deviations of what is cached and of what waits."""
    expected, hidden = branch.look(heard.x, heard.before)
    made, wanted = branch.follow(hidden), heard.followed
    with torch.no_grad():
        predicted = predictor(heard.context)
        sure = joiner(wanted.out, predicted).log_softmax(-1)
    said = joiner(made.out, predicted).log_softmax(-1)
    rest = (made.out - wanted.out).square().mean((1, 2))
    rest = rest + ((made.cached - wanted.cached) / spread[0]).square().mean((1, 2, 3))
    rest = rest + 0.5 * ((made.waiting - wanted.waiting) / spread[1]).square().mean((1, 2, 3))
    return Losses(divergence(sure, said), divergence(wanted.phones, made.phones.log_softmax(-1)), rest, expected)
