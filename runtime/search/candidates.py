"""Live hypotheses with a token or a blank after them, and which of them are worth following."""

import math
from heapq import nlargest
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .fusion import ScoreFusion, States
from .joiner_scores import LEAST_SCORE, Following, JoinerScores
from .nodes import EPSILON, Key, Node

Array = npt.NDArray[np.float32]
ROUNDING = 1e-6
"""By which a bound on sums of scores is loosened, since they are rounded."""


class Candidate(NamedTuple):
    """A live hypothesis, and a token or a blank after it."""

    score: float
    key: Key
    node: Node
    blanks: float
    """Log-probability of the blanks since ``node`` was made."""
    token: int
    log_prob: float
    bias: float = 0.0
    language: float = 0.0


candidate_score = attrgetter("score")
"""What candidates are sorted by."""


class Limits(NamedTuple):
    """How good a token on one frame must be."""

    threshold: float
    """Least score of a hypothesis within the beam."""
    floor: float
    """Least score of one that meets no other."""
    lead: float
    """Least score, less what was given in advance for phrases, of what may live on by that; what has more is followed
    too."""
    most: int
    """Tokens that are followed."""
    recombine: bool
    """Whether equal futures are one."""


def states_of(candidate: Candidate, scorers: ScoreFusion) -> States:
    """Return the states of the scorers after a candidate."""
    states = candidate.node.states
    return states if candidate.token == EPSILON else scorers.at(states).after(candidate.token)


def pending(candidate: Candidate, scorers: ScoreFusion) -> float:
    """Return what a candidate was given in advance for phrases."""
    node, token = candidate.node, candidate.token
    if token == EPSILON:
        return scorers.at(node.states).pending
    return scorers.bias.pending(scorers.bias.advance(node.states[0], token))


def follow(
    step: JoinerScores,
    position: int,
    live: list[tuple[Node, float]],
    following: list[Following],
    scores: list[float],
    scorers: ScoreFusion,
    limits: Limits,
) -> list[Candidate]:
    """Return the tokens worth following on a frame after live hypotheses, which have ``scores``."""
    threshold, floor, lead, most, recombine = limits
    meeting = floor > threshold
    met = {(node.key, node.states) for node, _ in live} if meeting else ()
    met_tokens = {node.context[-1] for node, _ in live} if meeting else ()
    without_pending: list[tuple[float, int]] = []
    out: list[Candidate] = []
    for (node, blanks), (_, pairs, least), score in zip(live, following, scores, strict=True):
        added = scorers.at(node.states)
        worth, enough, leading = pairs, floor - score, lead - score + added.pending
        if least + added.reach >= enough:
            worth = pairs + _boosted(step.tokens(node, position), added.values, pairs, enough)
        possible = min((threshold - score if meeting else enough) - added.highest - ROUNDING, leading)
        item, bias_of = added.item, added.bias.item
        for log_prob, token in worth:
            if log_prob < possible:
                continue
            gain = log_prob + item(token)
            plain = gain - bias_of(token) if scorers.has_bias else -math.inf
            good = gain >= enough or plain > leading
            if good or (token in met_tokens and score + gain >= threshold):
                key = (*node.context[1:], token) if recombine else (node.key, token)
                if good or (key, added.after(token)) in met:
                    if plain > leading:
                        without_pending.append((score - added.pending + plain, len(out)))
                    bias, given = bias_of(token), step.given(node, position, token)
                    added_by_language = item(token) - bias
                    out.append(
                        Candidate(
                            score + gain, key, node, blanks, token, log_prob - given, bias + given, added_by_language
                        )
                    )
    return _best_of(out, most, without_pending)


def _boosted(log_probs: Array, added: Array, best: list[tuple[float, int]], least: float) -> list[tuple[float, int]]:
    """Return the tokens that are not among the model's best, but with what is added have at least ``least``."""
    found = (log_probs + added >= np.float32(max(least, LEAST_SCORE))).nonzero()[0]
    taken = {token for _, token in best}
    return [(log_probs.item(token), token) for token in found.tolist() if token not in taken]


def _best_of(candidates: list[Candidate], limit: int, without_pending: list[tuple[float, int]]) -> list[Candidate]:
    """Return the best candidates, and as many of those with the best of other scores, which come with their places."""
    if len(candidates) <= limit:
        return candidates
    best = sorted(candidates, key=candidate_score, reverse=True)[:limit]
    least = best[-1].score
    others = [candidates[place] for _, place in nlargest(limit, without_pending)]
    return best + [candidate for candidate in others if candidate.score < least]


def log_sum(values: list[float]) -> float:
    """Return the logarithm of the sum of probabilities that are given as logarithms."""
    highest = max(values)
    if len(values) == 2:  # nearly always
        return highest + math.log(1.0 + math.exp(min(values) - highest))
    return highest + math.log(sum([math.exp(value - highest) for value in values]))
