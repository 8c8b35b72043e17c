"""A language model's scores onto a lattice: nodes are split by what the model remembers, so that they are exact."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..language.ngram import NgramModel, StatefulScorer
from ..lattice import ACOUSTIC, LANGUAGE, Lattice
from ..prune import trim

Doubles = npt.NDArray[np.float64]
Tokenize = Callable[[str], Sequence[int]]
"""The tokens of a word, as the model numbers them."""


@dataclass(frozen=True)
class RescoreLimits:
    """How much a lattice may grow; within the limits the result is exact.

    Raises:
        ValueError: a value is out of range; names the field.
    """

    states_per_node: int = 64
    """Histories kept in a node of the lattice, the best ones by the new scores."""
    beam: float = 30.0
    """How much worse than the best one (natural logarithm) a history in a node may be."""
    max_arcs: int = 50_000
    """Arcs of the result at most: what is dear beyond it is left out, one history per node always stays."""

    def __post_init__(self) -> None:
        if self.states_per_node < 1 or self.max_arcs < 1 or not self.beam > 0:
            raise ValueError(f"{self}: states_per_node, max_arcs and beam must be at least 1")


DEFAULT_RESCORE_LIMITS = RescoreLimits()


def rescore(
    lattice: Lattice,
    scorer: StatefulScorer,
    tokenize: Tokenize,
    weight: float = 1.0,
    *,
    keep: bool = False,
    limits: RescoreLimits = DEFAULT_RESCORE_LIMITS,
) -> Lattice:
    """Return the lattice with the model's scores as language scores of arcs and ends.

    Every word sequence has the same acoustic and bias scores as before. With an n-gram model this is exact: the
    nodes are split into as many as there are model states that paths reach them in (but see ``limits``).

    Args:
        lattice: what may have been said.
        scorer: the language model; states that are equal must have equal futures.
        tokenize: returns the tokens of a word.
        weight: what the model's scores are multiplied by.
        keep: whether to add to the language scores that are there; else they are replaced.
        limits: how large the result may become.
    """
    base = lattice.scores.astype(np.float64)
    ends = lattice.final.astype(np.float64)
    if not keep:
        base[:, LANGUAGE] = 0.0
        ends[:, LANGUAGE] = 0.0
    spread = _Spread(lattice, scorer, tokenize, weight, base, ends)
    return spread.run(limits)


class _Spread:
    """One lattice being split."""

    def __init__(
        self,
        lattice: Lattice,
        scorer: StatefulScorer,
        tokenize: Tokenize,
        weight: float,
        base: Doubles,
        ends: Doubles,
    ) -> None:
        self._lattice, self._scorer, self._weight = lattice, scorer, weight
        # an n-gram model knows single scores without the whole row
        self._step = scorer.follow if isinstance(scorer, NgramModel) else self._by_rows
        self._tokens = [tuple(tokenize(word)) for word in lattice.words]
        self._base, self._ends = base, ends
        self._known: dict[tuple[int, int], tuple[float, int]] = {}

    def run(self, limits: RescoreLimits) -> Lattice:
        lattice = self._lattice
        totals = self._base.sum(1).tolist()
        first, targets, words = lattice.first_arc.tolist(), lattice.target.tolist(), lattice.word.tolist()
        reached: list[dict[int, float]] = [{} for _ in range(lattice.num_nodes)]
        reached[0][self._scorer.start] = 0.0
        number: dict[tuple[int, int], int] = {}
        entries: list[tuple[int, int, int, int, float]] = []  # node, state, arc, state after, language score
        for node in range(lattice.num_nodes):
            states = sorted(reached[node].items(), key=lambda item: -item[1])[: limits.states_per_node]
            for place, (state, score) in enumerate(states):
                if place and (score < states[0][1] - limits.beam or len(entries) >= limits.max_arcs):
                    break
                number[node, state] = len(number)
                for arc in range(first[node], first[node + 1]):
                    target = targets[arc]
                    language, after = self._follow(state, words[arc])
                    entries.append((node, state, arc, after, language))
                    total = score + totals[arc] + language
                    if total > reached[target].get(after, -np.inf):
                        reached[target][after] = total
        return self._lattice_of(number, [entry for entry in entries if (targets[entry[2]], entry[3]) in number])

    def _by_rows(self, state: int, token: int) -> tuple[float, int]:
        return float(self._scorer.scores(state)[token]), self._scorer.advance(state, token)

    def _follow(self, state: int, word: int) -> tuple[float, int]:
        found = self._known.get((state, word))
        if found is None:
            score, after = 0.0, state
            for token in self._tokens[word]:
                one, after = self._step(after, token)
                score += one
            found = self._known[state, word] = (score * self._weight, after)
        return found

    def _lattice_of(
        self, number: dict[tuple[int, int], int], entries: list[tuple[int, int, int, int, float]]
    ) -> Lattice:
        lattice = self._lattice
        arcs = np.array([entry[2] for entry in entries], np.int64)
        targets = lattice.target.tolist()
        source = [number[node, state] for node, state, *_ in entries]
        target = [number[targets[arc], after] for _, _, arc, after, _ in entries]
        scores = self._base[arcs].reshape(-1, lattice.scores.shape[1])
        scores[:, LANGUAGE] += [entry[4] for entry in entries]
        final = self._ends[[node for node, _ in number]]
        open_ = final[:, ACOUSTIC] > -np.inf
        for place, (_, state) in enumerate(number):
            if open_[place]:
                final[place, LANGUAGE] += self._weight * self._scorer.final(state)
        final[~open_, 1:] = 0.0
        return trim(
            lattice.words, np.array(source, np.int32), np.array(target, np.int32), lattice.word[arcs],
            lattice.start[arcs], lattice.end[arcs], scores.astype(np.float32), final.astype(np.float32), lattice.offset,
        )  # fmt: skip
