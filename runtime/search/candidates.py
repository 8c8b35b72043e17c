"""Live hypotheses with a token or a blank after them, and which of them are worth following."""

import math
from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .nodes import Node
from .step import LEAST_SCORE

Array = npt.NDArray[np.float32]


class Candidate(NamedTuple):
    """A live hypothesis, and a token or a blank after it."""

    score: float
    key: Hashable
    """What decides its future."""
    node: Node
    blanks: float
    """Log-probability of the blanks since ``node`` was made."""
    token: int
    log_prob: float
    bias: float = 0.0
    language: float = 0.0


def boosted(log_probs: Array, added: Array, best: list[tuple[float, int]], least: float) -> list[tuple[float, int]]:
    """Return the tokens that are not among the model's best, but with what is added have at least ``least``."""
    total = log_probs + added
    total[[token for _, token in best]] = -np.inf
    found = np.flatnonzero(total >= max(least, LEAST_SCORE))
    return list(zip(log_probs[found].tolist(), found.tolist(), strict=True))


def best_of(candidates: list[Candidate], limit: int, spare: Candidate | None) -> list[Candidate]:
    """Return the best candidates, and the spare one."""
    if len(candidates) > limit:
        candidates.sort(key=candidate_score, reverse=True)
        del candidates[limit:]
        if spare is not None and spare.score < candidates[-1].score:
            candidates.append(spare)
    return candidates


def candidate_score(candidate: Candidate) -> float:
    """Return what candidates are sorted by."""
    return candidate.score


def log_sum(values: list[float]) -> float:
    """Return the logarithm of the sum of probabilities that are given as logarithms."""
    highest = max(values)
    return highest + math.log(sum(math.exp(value - highest) for value in values))
