"""Training on what is counted: the expected number of word errors over the n-best list of a beam search.

Minimum word error rate training: Prabhavalkar et al. 2018 (arXiv 1712.01818), for transducers Guo et al. 2020
(arXiv 2007.13802). The list comes of a beam search without a language model, at most one token per frame as the runtime
searches; each hypothesis then counts with its probability over all alignments, beside those of the others.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor
from torch.nn import functional

from .dataset import Batch, padded
from .loss import arc_scores, contexts, transducer_loss
from .model import TransducerModel

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

Tokens = tuple[int, ...]

_FACTOR = 1_000_003
"""Of the numbers that stand for sequences of tokens; they wrap around at 64 bits."""


@torch.no_grad()
def n_best(model: TransducerModel, encoded: Tensor, frames: Tensor, beam: int = 4) -> list[list[Tokens]]:
    """Return for each utterance up to ``beam`` token sequences, the best first.

    Args:
        model: its predictor and joiner are asked.
        encoded: what the encoder makes of the utterances, [N, T, joiner_dim].
        frames: how many of T count, [N].
        beam: hypotheses kept from frame to frame; those with equal tokens are one (their probabilities add up).
    """
    rows, size, device = len(encoded), model.config.context_size, encoded.device
    score = torch.full((rows, beam), -torch.inf, device=device)
    score[:, 0] = 0.0
    name = torch.zeros(rows, beam, dtype=torch.int64, device=device)
    tokens = torch.zeros(rows, beam, int(frames.max()), dtype=torch.int64, device=device)
    count = torch.zeros(rows, beam, dtype=torch.int64, device=device)
    context = contexts(torch.zeros(rows * beam, 0, dtype=torch.int64, device=device), size).view(rows, beam, size)
    ways = 1 + min(beam, model.config.vocab_size - 1)
    order = torch.arange(beam * ways, device=device)
    for t in range(int(frames.max())):
        log_probs = model.joiner(encoded[:, t, None], model.predictor(context)).float().log_softmax(-1)
        added, token = log_probs[..., 1:].topk(ways - 1, -1)
        token = torch.cat([torch.zeros_like(token[..., :1]), token + 1], -1).flatten(1)
        ahead = (score[..., None] + torch.cat([log_probs[..., :1], added], -1)).flatten(1)
        names = name.repeat_interleave(ways, 1)
        names = torch.where(token > 0, names * _FACTOR + token, names)
        same = names[:, :, None] == names[:, None]
        merged = torch.where(same, ahead[:, None], -torch.inf).logsumexp(-1)
        merged = merged.masked_fill(same.int().argmax(-1) != order, -torch.inf)
        best, place = merged.topk(beam, -1)
        parent, chosen = place // ways, token.gather(1, place)
        goes = t < frames[:, None]
        stays = torch.arange(beam, device=device).expand_as(parent)
        parent, chosen = torch.where(goes, parent, stays), torch.where(goes, chosen, 0)
        score = torch.where(goes, best, score)
        name = torch.where(goes, names.gather(1, place), name)
        tokens = tokens.gather(1, parent[..., None].expand_as(tokens))
        count = count.gather(1, parent)
        context = context.gather(1, parent[..., None].expand_as(context))
        emits = chosen > 0
        tokens.scatter_(2, count[..., None].clamp(max=tokens.shape[2] - 1), torch.where(emits, chosen, 0)[..., None])
        count = count + emits
        context = torch.where(emits[..., None], torch.cat([context[..., 1:], chosen[..., None]], -1), context)
    return [
        [tuple(tokens[row, k, : int(count[row, k])].tolist()) for k in range(beam) if score[row, k] > -torch.inf]
        for row in range(rows)
    ]


def expected_word_errors(
    model: TransducerModel, encoded: Tensor, batch: Batch, pieces: "SentencePieceProcessor", beam: int = 4
) -> Tensor:
    """Return how many word errors a hypothesis of the n-best list is expected to have beyond the list's mean.

    Args:
        model: what is trained.
        encoded: [N, T, joiner_dim] of the batch's utterances.
        batch: whose tokens are the truth.
        pieces: makes words of tokens.
        beam: length of the list.

    Returns:
        A number, averaged over the utterances; its gradient goes through the probabilities of the hypotheses.
    """
    listed = n_best(model, encoded, batch.frames, beam)
    truth = [
        pieces.decode(row[:size].tolist()).split()
        for row, size in zip(batch.tokens, batch.token_lengths.tolist(), strict=True)
    ]
    row_of = torch.tensor([row for row, found in enumerate(listed) for _ in found], device=encoded.device)
    hypotheses = [one for found in listed for one in found]
    heard = [pieces.decode(list(tokens)).split() for tokens in hypotheses]
    wrong = [Levenshtein.distance(truth[row], words) for row, words in zip(row_of.tolist(), heard, strict=True)]
    errors = torch.tensor(wrong, dtype=torch.float32, device=encoded.device)
    tokens, sizes = (values.to(encoded.device) for values in padded(hypotheses))
    frames = batch.frames[row_of]
    scored = replace(batch, frames=frames, tokens=tokens, token_lengths=sizes)
    log_blank, log_token = arc_scores(model, encoded[row_of], scored)
    log_prob = -transducer_loss(log_blank, log_token, frames, sizes)
    here = functional.one_hot(row_of, len(listed)).bool()
    total = torch.where(here, log_prob[:, None], -torch.inf).logsumexp(0)
    probability = (log_prob - total[row_of]).exp()
    mean = (here * errors[:, None]).sum(0) / here.sum(0)
    return (probability * (errors - mean[row_of])).sum() / len(listed)
