"""Attention biasing: small layers beside a frozen transducer that listen for the phrases of a list.

Contextual adapters (Sathyendra et al. 2022, arXiv 2205.13660) on a transducer whose weights stay: each phrase becomes a
few vectors, what was heard attends over them and over a "none", and what it takes is added before the joiner. As in
PROCTER (Pandey et al. 2023, arXiv 2303.17131) a phrase is its pieces and its phones; here one vector for each piece,
which stands for "this piece comes next". Which of them may be next follows from the pieces before, as in a tree of
phrases (Sun et al. 2021, arXiv 2109.00627), so that of long lists little more is looked at than where phrases begin.
"""

from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..phrase_sounds import LONGEST_PIECE, PIECES, SOUNDS
from .loss import NEGATIVE, contexts, transducer_loss
from .model import Joiner, ModelConfig, Predictor

PAST, AHEAD = 4, 3
"""Encoder frames before and after the present whose phones are listened to; after it as far as they are of a step."""
LEAST_LOG_PROB = -8.0
"""Phones less likely than this are as likely as this."""


@dataclass(frozen=True)
class AttentionConfig:
    """Shape of the layers."""

    vocab_size: int = 256
    phones: int = 41
    """Classes of phones, the blank included."""
    joiner_dim: int = 256
    width: int = 192
    """Of hidden layers."""
    heads: int = 4
    key: int = 32
    """Width of a head's queries and keys."""
    value: int = 64
    """Width of a head's values."""

    @property
    def heard(self) -> int:
        """Numbers that tell what was heard at a frame, beside the encoder's output."""
        return (PAST + 1 + AHEAD) * 2 * self.phones

    def to_dict(self) -> dict[str, int]:
        """Return the fields as plain values."""
        return asdict(self)


class PhraseEncoder(nn.Module):
    """Places of phrases to the vectors that are attended to."""

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        self.config = config
        sizes = [config.vocab_size] * PIECES + [config.phones] * (SOUNDS - 1) + [LONGEST_PIECE + 1]
        first = [sum(sizes[:k]) for k in range(len(sizes))]
        self.first: Tensor
        self.register_buffer("first", torch.tensor(first), persistent=False)
        self.table = nn.Embedding(sum(sizes), config.width)
        nn.init.normal_(self.table.weight, std=len(sizes) ** -0.5)
        self.norm = nn.LayerNorm(config.width)
        self.hidden = nn.Linear(config.width, config.width)
        self.keys = nn.Linear(config.width, config.heads * config.key)
        self.values = nn.Linear(config.width, config.heads * config.value)
        self.piece = nn.Embedding(config.vocab_size, config.heads * config.value)

    def forward(self, pieces: Tensor, sounds: Tensor) -> tuple[Tensor, Tensor]:
        """Map places [M, PIECES] and [M, SOUNDS] to keys [M, heads * key] and values [M, heads * value]."""
        summed = self.table(torch.cat([pieces, sounds], 1) + self.first).sum(1)
        x = functional.relu(self.norm(summed))
        x = functional.relu(self.hidden(x))
        return self.keys(x), self.values(x) + self.piece(pieces[:, -1])


class PhraseAttention(nn.Module):
    """What is heard, and was said before, attends over places and none."""

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        self.config = config
        self.hear = nn.Linear(config.joiner_dim + config.heard, config.width)
        self.said = nn.Linear(config.joiner_dim, config.width, bias=False)
        self.query = nn.Linear(config.width, config.heads * config.key)
        self.none = nn.Linear(config.width, config.heads)
        nn.init.constant_(self.none.bias, 2.0)
        self.out = nn.Linear(config.heads * config.value, config.joiner_dim, bias=False)

    def forward(
        self, heard: Tensor, predicted: Tensor, starts: tuple[Tensor, Tensor], more: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return what is added before the joiner, and how much each place counts.

        Args:
            heard: [N, joiner_dim + heard] What was heard.
            predicted: [N, joiner_dim] The predictor's output.
            starts: keys [S, ...] and values [S, ...] of places where phrases begin, for all.
            more: keys [N, C, ...] and values [N, C, ...] of those that go on, and [N, C] 0, or much less where none is.

        Returns:
            [N, joiner_dim], and log-weights [N, heads, S + C + 1], the last of none.
        """
        return self.attend(self.hear(heard) + self.said(predicted), starts, more)

    def attend(
        self, x: Tensor, starts: tuple[Tensor, Tensor], more: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the same of x [N, width], what was heard and what was predicted as they are added up."""
        config, rows = self.config, len(x)
        x = functional.relu(x)
        query = self.query(x).view(rows, config.heads, config.key) * config.key**-0.5
        begin = torch.einsum("nhk,shk->nhs", query, starts[0].view(-1, config.heads, config.key))
        count = more[0].shape[1]
        keys = more[0].view(rows, count, config.heads, config.key)
        going = torch.einsum("nhk,nchk->nhc", query, keys) + more[2][:, None]
        log_weights = functional.log_softmax(torch.cat([begin, going, self.none(x)[..., None]], 2), 2)
        weights = log_weights.exp()
        size = starts[0].shape[0]
        taken = torch.einsum("nhs,shv->nhv", weights[..., :size], starts[1].view(-1, config.heads, config.value))
        values = more[1].view(rows, count, config.heads, config.value)
        taken = taken + torch.einsum("nhc,nchv->nhv", weights[..., size : size + count], values)
        return self.out(taken.flatten(1)), log_weights


class Adapter(nn.Module):
    """Both, beside the predictor and joiner of the frozen model."""

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = PhraseEncoder(config)
        self.attention = PhraseAttention(config)

    def start_from(self, joiner: Joiner) -> None:
        """Begin where attending to a place makes its piece likelier: along the piece's weights in the joiner."""
        width = self.config.heads * self.config.value
        with torch.no_grad():
            if width == self.config.joiner_dim:
                self.encoder.piece.weight.copy_(joiner.output.weight)
                self.attention.out.weight.copy_(torch.eye(width))


def heard_frames(encoded: Tensor, phones: Tensor, step: int) -> Tensor:
    """Return what is listened to at each frame, [N, T, joiner_dim + (PAST + 1 + AHEAD) * 2 * classes].

    Args:
        encoded: [N, T, joiner_dim] The encoder's output.
        phones: [N, T, 2 * classes] Natural log-probabilities of phones, two frames of them a frame.
        step: encoder frames of a step: what comes after it is not known yet.
    """
    scaled = phones.clamp(min=LEAST_LOG_PROB) / -LEAST_LOG_PROB + 1
    padded = functional.pad(scaled, (0, 0, PAST, AHEAD))
    count = encoded.shape[1]
    place = torch.arange(count, device=encoded.device) % step
    parts = [encoded]
    for offset in range(-PAST, AHEAD + 1):
        part = padded[:, PAST + offset : PAST + offset + count]
        if offset > 0:
            part = part * (place + offset < step)[None, :, None]
        parts.append(part)
    return torch.cat(parts, 2)


@dataclass(frozen=True)
class ListedBatch:
    """Utterances as the frozen model heard them, and a list of phrases for all."""

    encoded: Tensor
    """[N, T, joiner_dim]"""
    phones: Tensor
    """[N, T, 2 * classes]"""
    frames: Tensor
    """[N] Frames that count."""
    tokens: Tensor
    """[N, U]"""
    token_lengths: Tensor
    """[N]"""
    emitted: Tensor
    """[N, U] At which frame the frozen model puts out each."""
    pieces: Tensor
    """[M, PIECES] Places of the list."""
    sounds: Tensor
    """[M, SOUNDS]"""
    begins: Tensor
    """[S] Which of them begin phrases."""
    going: Tensor
    """[N, U + 1, C] Which may go on after so many tokens; -1 for none."""
    target: Tensor
    """[N, U] The place that each token is; -1 where it is of no phrase."""


class Losses(NamedTuple):
    """What is minimised, and what is told."""

    transducer: Tensor
    """Negative log-probability per token."""
    attention: Tensor
    """Negative log-weight of the right place, or none."""
    listed: Tensor
    """Mean log-weight of the right place where a phrase is said."""


BAND = 3
"""Frames by which tokens may come earlier or later than the frozen model puts them out."""


def losses(
    adapter: Adapter, predictor: Predictor, joiner: Joiner, config: ModelConfig, batch: ListedBatch, step: int
) -> Losses:
    """Return the losses of a batch; paths far from those of the frozen model are left out."""
    count = batch.encoded.shape[1]
    device = batch.encoded.device
    predicted = predictor(contexts(batch.tokens, config.context_size))
    states = predicted.shape[1]
    frame = torch.arange(count, device=device)[None, :, None]
    label = torch.arange(states, device=device)[None, None]
    early = functional.pad(batch.emitted, (1, 0))
    late = functional.pad(batch.emitted, (0, 1), value=count)
    last = batch.token_lengths[:, None, None]
    late = torch.where(label[:, 0] >= batch.token_lengths[:, None], count, late)
    early = torch.where(label[:, 0] == 0, -BAND, early)
    near = (frame >= early[:, None] - BAND) & (frame <= late[:, None] + BAND)
    left = batch.frames[:, None, None] - frame
    reached = near & (label <= frame) & (label <= last) & (left > 0) & (last - label <= left)
    row, at, behind = reached.nonzero(as_tuple=True)
    keys, values = adapter.encoder(batch.pieces, batch.sounds)
    going = batch.going[row, behind]
    open_ = (going < 0).float() * NEGATIVE
    chosen = going.clamp(min=0)
    size = len(batch.begins)
    # once for each frame and each label, not where they meet
    attention = adapter.attention
    heard = attention.hear(heard_frames(batch.encoded, batch.phones, step)).flatten(0, 1)
    said = attention.said(predicted).flatten(0, 1)
    added, log_weights = attention.attend(
        functional.embedding(row * count + at, heard) + functional.embedding(row * states + behind, said),
        (keys[batch.begins], values[batch.begins]),
        (functional.embedding(chosen, keys), functional.embedding(chosen, values), open_),
    )
    joined = joiner(batch.encoded[row, at] + added, predicted[row, behind])
    log_probs = functional.log_softmax(joined, -1)
    following = functional.pad(batch.tokens, (0, 1))[row, behind]
    nowhere = torch.full(reached.shape, NEGATIVE, device=device)
    log_token = nowhere.masked_scatter(reached, log_probs.gather(1, following[:, None]))[:, :, :-1]
    log_blank = nowhere.masked_scatter(reached, log_probs[:, 0])
    transducer = transducer_loss(log_blank, log_token, batch.frames, batch.token_lengths)

    # the right place at the frame where a token comes, none well apart from any
    mean = log_weights.logsumexp(1) - torch.log(torch.tensor(float(adapter.config.heads)))
    wanted = functional.pad(batch.target, (0, 1), value=-1)[row, behind]
    place = torch.full_like(wanted, mean.shape[1] - 1)
    begin = torch.full((len(batch.pieces) + 1,), -1, dtype=torch.int64, device=device)
    begin[batch.begins] = torch.arange(size, device=device)
    place = torch.where((wanted >= 0) & (begin[wanted] >= 0), begin[wanted], place)
    same = (chosen == wanted[:, None]) & (going >= 0)
    place = torch.where(same.any(1), size + same.int().argmax(1), place)
    distance = at - late[row, behind]
    listed = (wanted >= 0) & (distance == 0)
    apart = (distance == 0) & (wanted < 0) | (distance <= -3) & (at > early[row, behind] + 1) | (distance > count)
    place = torch.where(listed, place, mean.shape[1] - 1)
    right = -mean.gather(1, place[:, None])[:, 0]
    right_place = right[listed].mean() if listed.any() else right.sum() * 0
    none = right[apart].mean() if apart.any() else right.sum() * 0
    total = batch.token_lengths.sum()
    return Losses(transducer.clamp(max=1e4).sum() / total, right_place + none, right_place.detach())
