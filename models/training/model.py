"""The network: depthwise convolutions within reach of a chunk, a stateless predictor and an additive joiner.

Encoder after ConvNeXt (Liu et al. 2022, arXiv 2201.03545) turned streaming: each block is a depthwise convolution
over time and a feed-forward layer. The convolution sees frames before the present one and, as in Zipformer (Yao
et al. 2023, arXiv 2310.11230), those after it in its own chunk, which are there at no delay. Predictor after Ghodsi
et al. 2020 ("RNN-Transducer with stateless prediction network"). The streaming state is nothing but the last frames
each convolution has seen, so chunked and whole-utterance computation are the same sums.
"""

from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

NUM_BINS = 80


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the network."""

    vocab_size: int = 256
    phones: int = 41
    """Classes of the helper CTC at 40 ms, blank included."""
    dim: int = 256
    """Width of the encoder and of the joiner."""
    fast_blocks: int = 3
    """Blocks at 40 ms per frame."""
    slow_blocks: int = 9
    """Blocks at 80 ms per frame."""
    fast_hidden: int = 512
    slow_hidden: int = 1024
    kernel: int = 15
    """Frames a depthwise convolution sees: the present one and those before."""
    look_ahead: int = 3
    """Future frames of 40 ms that the look-ahead layer sees."""
    context_size: int = 2
    """Tokens the predictor sees."""
    chunk_frames: int = 32
    """Feature frames (10 ms) the encoder advances per step; a multiple of 8."""
    dropout: float = 0.1
    """Share of what each layer adds that is left out at random while training."""

    @property
    def blocks(self) -> int:
        """Blocks in all: the number of cached layers."""
        return self.fast_blocks + self.slow_blocks

    @property
    def input_frames(self) -> int:
        """Feature frames the exported encoder is fed per step (metadata ``T``)."""
        return 4 * (self.chunk_frames // 4 + self.look_ahead) + 3

    @property
    def extra_frames(self) -> int:
        """Feature frames beyond the chunk: what the front end and the look-ahead layer need."""
        return self.input_frames - self.chunk_frames

    def padded_frames(self, frames: int) -> int:
        """Return the feature frames that the encoder is fed for ``frames`` of speech: whole chunks and some."""
        return -(-frames // self.chunk_frames) * self.chunk_frames + self.extra_frames

    def to_dict(self) -> dict[str, int | float]:
        """Return the fields as plain values."""
        return asdict(self)


class Subsampling(nn.Module):
    """Log-mel frames at 10 ms to vectors at 40 ms: [N, 4 n + 3, 80] -> [N, n, dim]."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 16, 3, stride=2, padding=(0, 1))
        self.second = nn.Conv2d(16, 32, 3, stride=2, padding=(0, 1))
        self.project = nn.Linear(32 * (NUM_BINS // 4), dim)
        self.norm = nn.LayerNorm(dim)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, 4 n + 3, 80] to [N, n, dim]."""
        x = (x.unsqueeze(1) + 6.0) * 0.25
        x = functional.relu(self.second(functional.relu(self.first(x))))
        out: Tensor = self.norm(self.project(x.transpose(1, 2).flatten(2)))
        return out


class Dropout(nn.Module):
    """Dropout from eight random bits a value, the share in 256ths: torch's own takes a fifth of a block's time."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.left_out = round(256 * share)

    def forward(self, x: Tensor) -> Tensor:
        """Return x, while training with some of its values 0 and the others as much larger."""
        if not (self.training and self.left_out):
            return x
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.left_out
        return x * kept.to(x.dtype).mul_(256 / (256 - self.left_out))


class Block(nn.Module):
    """Depthwise convolution within reach of the chunk, then a feed-forward layer, each residual."""

    def __init__(self, dim: int, hidden: int, kernel: int, chunk: int, dropout: float) -> None:
        super().__init__()
        self.chunk = chunk
        self.conv_norm = nn.LayerNorm(dim)
        self.conv = nn.Conv1d(dim, dim, kernel, groups=dim)
        self.ahead = nn.Parameter(torch.zeros(chunk * (chunk - 1) // 2, dim))
        """Weights of later frames of the chunk: for frame 0 those of 1, 2, ..., for frame 1 those of 2, and so on."""
        self.gate = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, hidden)
        self.contract = nn.Linear(hidden, dim)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.contract.bias)
        with torch.no_grad():
            self.contract.weight.mul_(0.3)

    def forward(self, x: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        """Map x [N, T, dim], T in whole chunks, and the last frames [N, kernel - 1, dim] to the same shapes."""
        present = self.conv_norm(x)
        window = torch.cat([cache, present], dim=1)
        # it returns a frame's channels far apart, as then would be those of all that is computed from it
        mixed = self.conv(window.transpose(1, 2)).transpose(1, 2).contiguous()
        weights = self.ahead.new_zeros(self.chunk, self.chunk, x.shape[2])
        weights[tuple(torch.triu_indices(self.chunk, self.chunk, 1))] = self.ahead
        chunks = present.reshape(len(x), -1, self.chunk, x.shape[2])
        # sums of products: a batch of matrix products for every channel takes five times as long
        later = [(chunks[:, :, t + 1 :] * weights[t, t + 1 :]).sum(2) for t in range(self.chunk - 1)]
        mixed = mixed + torch.stack([*later, torch.zeros_like(chunks[:, :, 0])], 2).reshape(x.shape)
        x = x + self.dropout(self.gate(functional.silu(mixed)))
        x = x + self.dropout(self.contract(functional.silu(self.expand(self.norm(x)))))
        return x, window[:, -cache.shape[1] :]


class Encoding(NamedTuple):
    """What the encoder makes of a batch."""

    out: Tensor
    """[N, T', dim] For the joiner."""
    phones: Tensor
    """[N, 2 T', phones] Logits of the phones that all blocks have heard."""
    early_phones: Tensor
    """[N, 2 T', phones] Those that the fast blocks have heard, with which training begins."""
    state: Tensor
    """[blocks, N, (kernel - 1) * dim] For the next step."""


class Encoder(nn.Module):
    """Log-mel features to joiner inputs at 80 ms, with explicit states."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.subsampling = Subsampling(dim)
        self.look_ahead = nn.Conv1d(dim, dim, config.look_ahead + 1)
        hidden = [config.fast_hidden] * config.fast_blocks + [config.slow_hidden] * config.slow_blocks
        chunks = [config.chunk_frames // 4] * config.fast_blocks + [config.chunk_frames // 8] * config.slow_blocks
        self.blocks = nn.ModuleList(
            Block(dim, size, config.kernel, chunk, config.dropout) for size, chunk in zip(hidden, chunks, strict=True)
        )
        self.merge = nn.Linear(2 * dim, dim)
        self.final_norm = nn.LayerNorm(dim)
        self.project = nn.Linear(dim, dim)
        self.phone_norm = nn.LayerNorm(dim)
        self.phone_head = nn.Linear(dim, config.phones)
        self.phone_hidden = nn.Linear(dim, dim)
        self.phone_refine = nn.Linear(dim, 2 * config.phones)
        nn.init.zeros_(self.phone_refine.weight)
        nn.init.zeros_(self.phone_refine.bias)

    def initial_state(self, batch: int) -> Tensor:
        """Return zero states [blocks, N, (kernel - 1) * dim]."""
        return torch.zeros(self.config.blocks, batch, (self.config.kernel - 1) * self.config.dim)

    def forward(self, x: Tensor, state: Tensor) -> Encoding:
        """Run on x [N, T, 80], where T is ``padded_frames``: whole chunks and what is beyond."""
        config = self.config
        x = self.subsampling(x)
        ahead = self.look_ahead(x.transpose(1, 2)).transpose(1, 2)
        x = x[:, : ahead.shape[1]] + functional.silu(ahead)
        states: list[Tensor] = []
        early_phones = x
        for index, block in enumerate(self.blocks):
            if index == config.fast_blocks:
                early_phones = self.phone_head(self.phone_norm(x))
                x = self.merge(x.reshape(x.shape[0], x.shape[1] // 2, 2 * config.dim))
            x, cache = block(x, state[index].reshape(-1, config.kernel - 1, config.dim))
            states.append(cache.reshape(-1, (config.kernel - 1) * config.dim))
        x = self.final_norm(x)
        refined = self.phone_refine(functional.silu(self.phone_hidden(x))).reshape(early_phones.shape)
        return Encoding(self.project(x), early_phones + refined, early_phones, torch.stack(states))


class Predictor(nn.Module):
    """Stateless predictor: the last ``context_size`` tokens, each with its own weights."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        self.weights = nn.Parameter(torch.full((config.context_size, config.dim), 1.0))
        self.project = nn.Linear(config.dim, config.dim)

    def forward(self, y: Tensor) -> Tensor:
        """Map contexts [..., context_size] (int64, negative: none) to [..., dim]."""
        embedded = self.embedding(y.clamp(min=0)) * (y >= 0).unsqueeze(-1)
        out: Tensor = self.project(functional.relu((embedded * self.weights).sum(-2)))
        return out


class Joiner(nn.Module):
    """tanh(encoder + predictor) to token logits."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.output = nn.Linear(config.dim, config.vocab_size)

    def forward(self, encoder_out: Tensor, decoder_out: Tensor) -> Tensor:
        """Map [..., dim] and [..., dim] to [..., vocab_size]."""
        out: Tensor = self.output(torch.tanh(encoder_out + decoder_out))
        return out


class TransducerModel(nn.Module):
    """Encoder, predictor and joiner, plus the CTC helpers that only training uses."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.predictor = Predictor(config)
        self.joiner = Joiner(config)
        self.token_head = nn.Linear(config.dim, config.vocab_size)

    def parameter_count(self) -> int:
        """Return the number of parameters that are exported."""
        return sum(p.numel() for name, p in self.named_parameters() if "token_head" not in name)
