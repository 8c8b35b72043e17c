"""What an update minimises: transducer, phones and tokens by CTC, two views that agree, a teacher that is followed."""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from .curriculum import Stage
from .dataset import Batch
from .loss import NEGATIVE, transducer_loss
from .model import TransducerModel

IMPOSSIBLE = 1e6
"""Loss of an utterance that has more labels than frames; it teaches nothing."""


def contexts(tokens: Tensor, size: int) -> Tensor:
    """Return the predictor's context before each label and after the last: [N, U] -> [N, U + 1, size]."""
    start = torch.full((tokens.shape[0], size), -1, dtype=tokens.dtype, device=tokens.device)
    start[:, -1] = 0
    return torch.cat([start, tokens], dim=1).unfold(1, size, 1)


def disagreement(log_probs: Tensor, frames: Tensor) -> Tensor:
    """Return how far the CTC outputs [2 N, T, classes] of two views are apart.

    CR-CTC, Yao et al. 2024 (arXiv 2410.05101): each one's Kullback-Leibler divergence from the other, which is
    taken as given, summed over ``frames`` [2 N].
    """
    first, second = log_probs.chunk(2)
    other = torch.cat([second, first]).detach()
    per_frame = (other.exp() * (other - log_probs)).sum(-1)
    return (per_frame * (torch.arange(log_probs.shape[1], device=log_probs.device) < frames[:, None])).sum()


def phone_loss(logits: Tensor, batch: Batch, consistency: float) -> Tensor:
    """Return the CTC loss per phone of ``logits`` [N, T, phones], with what two views differ in, so weighted."""
    log_probs, frames = functional.log_softmax(logits, -1), 2 * batch.frames
    loss = functional.ctc_loss(
        log_probs.transpose(0, 1), batch.phones, frames, batch.phone_lengths, reduction="sum", zero_infinity=True
    )
    if consistency:
        loss = loss + consistency * disagreement(log_probs, frames)
    return loss / batch.phone_lengths.sum().clamp(min=1)


def arc_scores(model: TransducerModel, encoded: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return what ``transducer_loss`` takes, of ``encoded`` [N, T, dim]: [N, T, U + 1] and [N, T, U].

    With a token per frame at most, no path has more tokens behind it than frames, or more ahead than frames are left.
    The joiner runs where paths can be, which is a third of all; elsewhere is ``NEGATIVE``.
    """
    predicted = model.predictor(contexts(batch.tokens, model.config.context_size))
    frame = torch.arange(encoded.shape[1], device=encoded.device)[None, :, None]
    label = torch.arange(predicted.shape[1], device=encoded.device)[None, None, :]
    frames_left, labels_left = batch.frames[:, None, None] - frame, batch.token_lengths[:, None, None] - label
    reached = (label <= frame) & (labels_left >= 0) & (frames_left > 0) & (labels_left <= frames_left)
    row, at, behind = reached.nonzero(as_tuple=True)
    # as few sizes as may be, for each of which oneDNN makes itself a program
    fill = (0, -len(row) % 512)
    # an embedding's backward pass is faster than an index's
    joined = model.joiner(
        functional.embedding(functional.pad(row * encoded.shape[1] + at, fill), encoded.flatten(0, 1)),
        functional.embedding(functional.pad(row * predicted.shape[1] + behind, fill), predicted.flatten(0, 1)),
    )
    log_probs = functional.log_softmax(joined, -1)[: len(row)]
    next_token = functional.pad(batch.tokens, (0, 1))[row, behind]
    nowhere = torch.full(reached.shape, NEGATIVE, device=encoded.device)
    log_token = nowhere.masked_scatter(reached, log_probs.gather(1, next_token[:, None]))
    return nowhere.masked_scatter(reached, log_probs[:, 0]), log_token[:, :, :-1]


class Losses(NamedTuple):
    """What an update minimises, each per label or frame; 0 where the stage has no use for it."""

    transducer: Tensor
    phone: Tensor
    token: Tensor
    follow: Tensor

    def weighted(self, stage: Stage) -> Tensor:
        """Return their sum as ``stage`` weights them."""
        return (
            stage.transducer * self.transducer
            + stage.phone * self.phone
            + stage.token * self.token
            + stage.follow * self.follow
        )


def following_loss(frames: Tensor, batch: Batch) -> Tensor:
    """Return how far frames [N, T, width] are from the teacher's: 1 - cosine, and a tenth of smooth L1."""
    if batch.teacher is None or batch.followed is None:
        return frames.new_zeros(())
    count = frames.shape[1]
    followed = batch.followed[:, :count]
    if not followed.any():
        return frames.new_zeros(())
    own, other = frames[followed], batch.teacher[:, :count][followed]
    apart = 1 - functional.cosine_similarity(own, other, dim=-1)
    return apart.mean() + 0.1 * functional.smooth_l1_loss(own, other)


def losses(model: TransducerModel, batch: Batch, stage: Stage) -> Losses:
    """Return what ``stage`` asks for; CTC with what two views differ in."""
    with torch.set_grad_enabled(torch.is_grad_enabled() and stage.encoder > 0):
        encoding = model.encoder(batch.features, batch.first)
    if stage.encoder == 0:
        encoding = model.encoder.heads(encoding.frames.detach())
    zero = encoding.out.new_zeros(())
    follow = following_loss(encoding.frames, batch) if stage.follow else zero
    if not (stage.transducer or stage.phone or stage.token):
        return Losses(zero, zero, zero, follow)
    encoded = encoding.out.float()
    frames = batch.frames.clamp(max=encoded.shape[1])
    batch = replace(batch, frames=frames)
    labels = batch.token_lengths.sum().clamp(min=1)
    phone = phone_loss(encoding.phones.float(), batch, stage.consistency)
    log_probs = functional.log_softmax(model.token_head(functional.silu(encoded)).float(), -1)
    token = functional.ctc_loss(
        log_probs.transpose(0, 1), batch.tokens, frames, batch.token_lengths, reduction="sum", zero_infinity=True
    )
    if stage.consistency:
        token = token + stage.consistency * disagreement(log_probs, frames)
    if stage.transducer == 0:
        return Losses(zero, phone, token / labels, follow)
    log_blank, log_token = arc_scores(model, encoded, batch)
    value = transducer_loss(log_blank, log_token, frames, batch.token_lengths, stage.delay_penalty)
    possible = value < IMPOSSIBLE
    return Losses(torch.where(possible, value, 0.0).sum() / labels, phone, token / labels, follow)
