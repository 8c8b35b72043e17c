"""The network: Whisper's encoder made streaming, a stateless predictor and an additive joiner.

Encoder after Radford et al. 2022 ("Robust speech recognition via large-scale weak supervision", Whisper): two
convolutions and a few layers of self-attention over frames of 20 ms. It becomes streaming by what each layer may see:
audio comes in chunks, each layer gives out what lies ``look_ahead`` frames behind its newest input, and attends to the
frames of that step and to ``left`` frames before (chunk-wise attention with a look-ahead per layer, as in Shi et al.
2021, "Emformer", arXiv 2010.10759, without computing anything twice). Positions are Whisper's sinusoids, each frequency
moved to the nearest that repeats after ``positions`` frames: a stream of any length goes round and never runs out.
Predictor after Ghodsi et al. 2020 ("RNN-Transducer with stateless prediction network").

Training computes whole utterances with masks, the exported graph one step at a time with keys and values of the past
as caches: the same sums.
"""

import math
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

NUM_BINS = 80


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the network; by default that of Whisper tiny's encoder."""

    vocab_size: int = 256
    phones: int = 41
    """Classes of the phones' CTC at 40 ms, blank included."""
    width: int = 384
    """Of the encoder; Whisper tiny has 384, base 512."""
    heads: int = 6
    layers: int = 4
    feed: int = 0
    """Width inside the feed-forward layers; 0: four times ``width``."""
    joiner_dim: int = 256
    context_size: int = 2
    """Tokens the predictor sees."""
    chunk_frames: int = 32
    """Feature frames (10 ms) the encoder advances per step; a multiple of 8."""
    look_ahead: int = 2
    """Encoder frames (20 ms) that each layer's output lies behind its newest input, and so sees ahead at least."""
    left: int = 192
    """Encoder frames before the step that each layer attends to."""
    positions: int = 3000
    """Encoder frames after which positions begin anew."""
    dropout: float = 0.05
    """Share of what each layer adds that is left out at random while training."""

    @property
    def feed_width(self) -> int:
        """Width inside the feed-forward layers."""
        return self.feed or 4 * self.width

    @property
    def step(self) -> int:
        """Encoder frames (20 ms) per step."""
        return self.chunk_frames // 2

    @property
    def delay(self) -> int:
        """Encoder frames that the output lies behind the newest input: the look-ahead of all layers."""
        return self.layers * self.look_ahead

    @property
    def input_frames(self) -> int:
        """Feature frames the exported encoder is fed per step (metadata ``T``): the convolutions want three more."""
        return self.chunk_frames + 3

    def padded_frames(self, frames: int) -> int:
        """Return the feature frames that the encoder is fed for ``frames`` of speech: whole chunks and three."""
        return -(-frames // self.chunk_frames) * self.chunk_frames + 3

    def to_dict(self) -> dict[str, int | float]:
        """Return the fields as plain values."""
        return asdict(self)


def frequencies(config: ModelConfig) -> Tensor:
    """Return the angular frequencies of the positions, [width / 2]: each a whole number of turns in ``positions``."""
    count = config.width // 2
    whisper = torch.exp(-math.log(10_000) / (count - 1) * torch.arange(count, dtype=torch.float64))
    turn = 2 * math.pi / config.positions
    return (turn * torch.round(whisper / turn)).float()


def position_codes(positions: Tensor, config: ModelConfig) -> Tensor:
    """Return the codes [..., width] of ``positions`` [...], in frames."""
    angles = (positions % config.positions).float()[..., None] * frequencies(config).to(positions.device)
    return torch.cat([angles.sin(), angles.cos()], -1)


class Dropout(nn.Module):
    """Dropout from eight random bits a value, the share in 256ths: torch's own takes a fifth of a layer's time."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.left_out = round(256 * share)

    def forward(self, x: Tensor) -> Tensor:
        """Return x, while training with some of its values 0 and the others as much larger."""
        if not (self.training and self.left_out):
            return x
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device).random_(-(2**63), None)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.left_out
        return x * kept.to(x.dtype).mul_(256 / (256 - self.left_out))


class Layer(nn.Module):
    """Self-attention and a feed-forward layer, each after a normalisation and added to what came in."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, width = config.heads, config.width
        self.attention_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.feed_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, config.feed_width)
        self.contract = nn.Linear(config.feed_width, width)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Map x [N, T, width] to the same shape; ``mask`` [T, T] says what each frame may attend to, None: all."""
        batch, frames, width = x.shape
        normed = self.attention_norm(x)

        def by_head(values: Tensor) -> Tensor:
            return values.view(batch, frames, self.heads, width // self.heads).transpose(1, 2)

        keys, values = map(by_head, self.key_value(normed).chunk(2, -1))
        heard = functional.scaled_dot_product_attention(by_head(self.query(normed)), keys, values, attn_mask=mask)
        x = x + self.dropout(self.out(heard.transpose(1, 2).reshape(batch, frames, width)))
        out: Tensor = x + self.dropout(self.contract(functional.gelu(self.expand(self.feed_norm(x)))))
        return out


class Encoding(NamedTuple):
    """What the encoder makes of a batch."""

    out: Tensor
    """[N, T, joiner_dim] For the joiner, a frame per 80 ms."""
    phones: Tensor
    """[N, 2 T, phones] Logits of the phones."""
    frames: Tensor
    """[N, 4 T, width] What both are made of, a frame per 20 ms."""


class Encoder(nn.Module):
    """Log-mel features to joiner inputs at 80 ms."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.adapt = nn.Linear(NUM_BINS, NUM_BINS)
        """Our filter bank's logarithms to Whisper's."""
        self.conv1 = nn.Conv1d(NUM_BINS, width, 3)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(4 * width, config.joiner_dim)
        self.phone_hidden = nn.Linear(2 * width, config.joiner_dim)
        self.phone_head = nn.Linear(config.joiner_dim, config.phones)

    def masks(self, frames: int, device: torch.device) -> list[Tensor]:
        """Return for each layer which frames each of ``frames`` may attend to, [frames, frames]."""
        config = self.config
        query = torch.arange(frames, device=device)[:, None]
        key = torch.arange(frames, device=device)[None]
        masks = []
        for index in range(config.layers):
            behind = index * config.look_ahead
            begin = (query + behind + config.look_ahead) // config.step * config.step - behind
            masks.append((key < begin + config.step) & (key >= begin - config.left))
        return masks

    def forward(self, x: Tensor, first: Tensor | None = None) -> Encoding:
        """Run on x [N, T, 80], T as ``padded_frames`` has it, from position ``first`` [N] on."""
        x = functional.gelu(self.conv1(self.adapt(x).transpose(1, 2)))
        x = functional.gelu(self.conv2(x)).transpose(1, 2)
        frames = x.shape[1] // 4 * 4
        positions = torch.arange(frames, device=x.device)[None]
        if first is not None:
            positions = positions + first[:, None]
        x = x[:, :frames] + position_codes(positions, self.config).to(x.dtype)
        for layer, mask in zip(self.layers, self.masks(frames, x.device), strict=True):
            x = layer(x, mask)
        return self.heads(self.norm(x))

    def heads(self, frames: Tensor) -> Encoding:
        """Return what is read off frames [N, 4 T, width] of the last layer."""
        batch, count, _ = frames.shape
        out = self.project(frames.reshape(batch, count // 4, -1))
        hidden = functional.silu(self.phone_hidden(frames.reshape(batch, count // 2, -1)))
        return Encoding(out, self.phone_head(hidden), frames)


class Predictor(nn.Module):
    """Stateless predictor: the last ``context_size`` tokens, each with its own weights."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.joiner_dim)
        self.weights = nn.Parameter(torch.full((config.context_size, config.joiner_dim), 1.0))
        self.project = nn.Linear(config.joiner_dim, config.joiner_dim)

    def forward(self, y: Tensor) -> Tensor:
        """Map contexts [..., context_size] (int64, negative: none) to [..., joiner_dim]."""
        embedded = self.embedding(y.clamp(min=0)) * (y >= 0).unsqueeze(-1)
        out: Tensor = self.project(functional.relu((embedded * self.weights).sum(-2)))
        return out


class Joiner(nn.Module):
    """tanh(encoder + predictor) to token logits."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.output = nn.Linear(config.joiner_dim, config.vocab_size)

    def forward(self, encoder_out: Tensor, decoder_out: Tensor) -> Tensor:
        """Map [..., joiner_dim] and [..., joiner_dim] to [..., vocab_size]."""
        out: Tensor = self.output(torch.tanh(encoder_out + decoder_out))
        return out


class TransducerModel(nn.Module):
    """Encoder, predictor and joiner, plus the CTC over word pieces that only training uses."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.predictor = Predictor(config)
        self.joiner = Joiner(config)
        self.token_head = nn.Linear(config.joiner_dim, config.vocab_size)

    def parameter_count(self) -> int:
        """Return the number of parameters that are exported."""
        return sum(p.numel() for name, p in self.named_parameters() if "token_head" not in name)
