"""The transducer loss, in plain torch and vectorised.

The topology is the one with at most one token per frame (Tripathi et al. 2019, "Monotonic RNN-T"; k2 calls
it ``modified``): a token arc moves on to the next frame as a blank does. It is what streaming search with one
symbol per frame assumes, and its forward recursion needs no inner loop over labels.
"""

import torch
from torch import Tensor

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
