"""The transducer loss, in plain torch and vectorised.

The topology is the one with at most one token per frame (Tripathi et al. 2019, "Monotonic RNN-T"; k2 calls
it ``modified``): a token arc moves on to the next frame as a blank does. It is what streaming search with one
symbol per frame assumes, and its forward recursion needs no inner loop over labels.
"""

import torch
from torch import Tensor
from torch.nn import functional

from .dataset import Batch
from .model import TransducerModel

NEGATIVE = -1e30


def transducer_loss(
    log_blank: Tensor, log_token: Tensor, frames: Tensor, labels: Tensor, delay_penalty: float = 0.0
) -> Tensor:
    """Return the negative log-probability of each utterance, [N].

    Args:
        log_blank: log-probability of blank, [N, T, U + 1].
        log_token: log-probability of the next label, [N, T, U].
        frames: valid frames per utterance, [N].
        labels: valid labels per utterance, [N]; at most ``frames`` each, else the loss is near 1e30.
        delay_penalty: added to token scores per frame of earliness, as in Kang et al. 2022
            (arXiv 2211.00490): above 0 tokens come earlier.
    """
    batch, max_frames, states = log_blank.shape
    if delay_penalty:
        middle = (frames.to(log_token.dtype) - 1) / 2
        earliness = middle[:, None] - torch.arange(max_frames, device=log_token.device)[None]
        log_token = log_token + delay_penalty * earliness[:, :, None]
    alpha = torch.full((batch, states), NEGATIVE, device=log_blank.device)
    alpha[:, 0] = 0.0
    before_first = torch.full((batch, 1), NEGATIVE, device=log_blank.device)
    rows = [alpha]
    for t in range(max_frames):
        stay = alpha + log_blank[:, t]
        move = torch.cat([before_first, alpha[:, :-1] + log_token[:, t]], dim=1)
        alpha = torch.logaddexp(stay, move)
        rows.append(alpha)
    lattice = torch.stack(rows, dim=1)
    index = torch.arange(batch, device=log_blank.device)
    return -lattice[index, frames, labels]


def contexts(tokens: Tensor, size: int) -> Tensor:
    """Return the predictor's context before each label and after the last: [N, U] -> [N, U + 1, size]."""
    start = torch.full((tokens.shape[0], size), -1, dtype=tokens.dtype, device=tokens.device)
    start[:, -1] = 0
    return torch.cat([start, tokens], dim=1).unfold(1, size, 1)


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
    log_probs = functional.log_softmax(joined.float(), -1)[: len(row)]
    next_token = functional.pad(batch.tokens, (0, 1))[row, behind]
    nowhere = torch.full(reached.shape, NEGATIVE, device=encoded.device)
    log_token = nowhere.masked_scatter(reached, log_probs.gather(1, next_token[:, None]))
    return nowhere.masked_scatter(reached, log_probs[:, 0]), log_token[:, :, :-1]
