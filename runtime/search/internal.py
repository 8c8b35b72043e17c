"""The language model that training left in a transducer's predictor and joiner."""

import numpy as np
import numpy.typing as npt

from ...models import Transducer

ROWS_AT_ONCE = 1024
"""Predictor contexts that are joined in one call."""


def internal_log_probs(model: Transducer, contexts: list[tuple[int, ...]]) -> npt.NDArray[np.float32]:
    """Return what a transducer says of tokens after each context when it hears nothing, [len(contexts), vocab_size].

    The encoder's output is taken as zero (Meng et al. 2020, arXiv 2011.01991). Natural logarithms over all tokens
    but the blank, whose column is -inf.
    """
    rows = []
    for begin in range(0, len(contexts), ROWS_AT_ONCE):
        part = contexts[begin : begin + ROWS_AT_ONCE]
        predicted = np.concatenate([model.predict(context) for context in part])
        logits = model.join(np.zeros((len(part), model.info.joiner_dim), np.float32), predicted).astype(np.float32)
        logits[:, model.vocabulary.blank_id] = -np.inf
        logits -= logits.max(axis=1, keepdims=True)
        rows.append(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
    return np.concatenate(rows)
