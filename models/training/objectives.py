"""What an update minimises: transducer, phones and tokens by CTC, two views that agree, a teacher, word errors."""

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from .curriculum import Stage
from .dataset import Batch
from .loss import arc_scores, transducer_loss
from .model import TransducerModel
from .mwer import expected_word_errors

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

IMPOSSIBLE = 1e6
"""Loss of an utterance that has more labels than frames; it teaches nothing."""


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


class Losses(NamedTuple):
    """What an update minimises, each per label or frame; 0 where the stage has no use for it."""

    transducer: Tensor
    phone: Tensor
    token: Tensor
    follow: Tensor
    risk: Tensor
    """Expected word errors of an utterance, beside the mean of its n-best list."""

    def weighted(self, stage: Stage) -> Tensor:
        """Return their sum as ``stage`` weights them."""
        return (
            stage.transducer * self.transducer
            + stage.phone * self.phone
            + stage.token * self.token
            + stage.follow * self.follow
            + stage.risk * self.risk
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


def losses(
    model: TransducerModel, batch: Batch, stage: Stage, pieces: "SentencePieceProcessor | None" = None
) -> Losses:
    """Return what ``stage`` asks for; CTC with what two views differ in.

    Without ``pieces``, which make words of tokens, no word errors are counted.
    """
    with torch.set_grad_enabled(torch.is_grad_enabled() and stage.encoder > 0):
        encoding = model.encoder(batch.features, batch.first)
    if stage.encoder == 0:
        encoding = model.encoder.heads(encoding.frames.detach())
    zero = encoding.out.new_zeros(())
    follow = following_loss(encoding.frames, batch) if stage.follow else zero
    if not (stage.transducer or stage.phone or stage.token):
        return Losses(zero, zero, zero, follow, zero)
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
        return Losses(zero, phone, token / labels, follow, zero)
    log_blank, log_token = arc_scores(model, encoded, batch)
    value = transducer_loss(log_blank, log_token, frames, batch.token_lengths, stage.delay_penalty)
    possible = value < IMPOSSIBLE
    transducer = torch.where(possible, value, 0.0).sum() / labels
    risk = expected_word_errors(model, encoded, batch, pieces) if stage.risk and pieces is not None else zero
    return Losses(transducer, phone, token / labels, follow, risk)
