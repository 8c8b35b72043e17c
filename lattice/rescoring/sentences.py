"""A causal transformer's scores onto a lattice: whole sentences count, not just the last few words.

Each word is scored behind the best way to where it begins, so a lattice of any size is one tree of tokens, its nodes
stay as they are, and a run of the network is all it takes (lattice rescoring with one history a node: Sundermeyer et
al. 2014, "Lattice decoding and rescoring with long-span neural network language models").
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..lattice import LANGUAGE, Lattice
from .token_tree import Floats, Longs, TokenTree

Tokenize = Callable[[str], Sequence[int]]
"""The tokens of a word, as the model numbers them."""
MAX_TREE = 192
"""Tokens of a tree; what comes behind is in the next one, since attention grows with the square."""


class SentenceScorer(Protocol):
    """A causal language model over word pieces."""

    begin: int
    """Token before the first."""
    end: int
    """Token behind the last."""
    positions: int
    """Tokens of a sentence at most, the first one included."""

    def logits(self, tokens: Longs, mask: Longs, positions: Longs) -> Floats:
        """Return the log-odds of what follows each token of a tree, [n, vocabulary]; see ``TokenTree.feeds``."""
        ...


@dataclass(frozen=True)
class SentenceWeights:
    """What is added to a path's language score: language * (log-probability + token_bonus * tokens)."""

    language: float
    """Share of the model's log-probability."""
    token_bonus: float
    """Added to it for every token, part of its price: else words are left out."""


def rescore_sentences(lattice: Lattice, model: SentenceScorer, tokenize: Tokenize, weights: SentenceWeights) -> Lattice:
    """Return the lattice with the model's scores added to its language scores; nodes, words and times stay.

    Where the best path has more tokens than the model has positions, it is no sentence, and nothing is added: of many
    sentences in one piece the model knows nothing, and would have words left out.
    """
    best = lattice.word[lattice.best_path()].tolist()
    if sum(len(tokenize(lattice.words[word])) for word in best) >= model.positions:
        return lattice
    arcs, ends, counts = sentence_scores(lattice, model, tokenize)
    scores, final = lattice.scores.copy(), lattice.final.copy()
    scores[:, LANGUAGE] += weights.language * (arcs + weights.token_bonus * counts)
    final[:, LANGUAGE] += weights.language * ends
    return replace(lattice, scores=scores, final=final)


def sentence_scores(
    lattice: Lattice, model: SentenceScorer, tokenize: Tokenize
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return what words and ending are worth (natural logarithm), [arcs] and [nodes], and tokens of words [arcs].

    Ending is worth 0 where no path does. Of the way to a node the last ``positions`` tokens count.
    """
    spelled = [tuple(tokenize(word)) for word in lattice.words]
    counts = np.array([len(tokens) for tokens in spelled], np.int64)[lattice.word]
    histories = best_histories(lattice, spelled, model.begin, model.positions)
    first, words = lattice.first_arc.tolist(), lattice.word.tolist()
    out = np.zeros(lattice.num_arcs + lattice.num_nodes)
    tree, asked_by = TokenTree(), list[int]()
    for node, ends in enumerate((lattice.final_totals > -np.inf).tolist()):
        if len(tree) > MAX_TREE:
            np.add.at(out, asked_by, _answers(model, tree))
            tree, asked_by = TokenTree(), []
        here = tree.walk(histories[node])
        for arc in range(first[node], first[node + 1]):
            before = here
            for place, token in enumerate(spelled[words[arc]]):
                before = tree.child(before, spelled[words[arc]][place - 1]) if place else here
                tree.ask(before, token)
                asked_by.append(arc)
        if ends:
            tree.ask(here, model.end)
            asked_by.append(lattice.num_arcs + node)
    np.add.at(out, asked_by, _answers(model, tree))
    return out[: lattice.num_arcs], out[lattice.num_arcs :], counts


def _answers(model: SentenceScorer, tree: TokenTree) -> Floats:
    return tree.answers(model.logits(*tree.feeds(model.positions)))


def best_histories(
    lattice: Lattice, spelled: Sequence[tuple[int, ...]], begin: int, most: int
) -> list[tuple[int, ...]]:
    """Return the tokens of the best way to each node, ``begin`` first and the last ``most`` of the others behind it.

    ``spelled`` are the tokens of ``lattice.words``.
    """
    reached = [-np.inf] * lattice.num_nodes
    histories: list[tuple[int, ...]] = [()] * lattice.num_nodes
    reached[0] = 0.0
    for source, target, word, total in zip(
        lattice.source.tolist(), lattice.target.tolist(), lattice.word.tolist(), lattice.totals.tolist(), strict=True
    ):
        if reached[source] + total > reached[target]:
            reached[target] = reached[source] + total
            histories[target] = (*histories[source], *spelled[word])[-most:]
    return [(begin, *history) for history in histories]
