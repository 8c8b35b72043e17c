"""What a rescoring service scores with, how scores are weighted, and n-grams over the lattice itself."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..language.errors import LanguageModelError
from ..language.ngram import UNKNOWN, NgramModel
from ..language.ngram_files import load_ngram
from ..lattice import Lattice
from ..nbest import n_best
from ..rescoring.contract import ScoredPath
from ..rescoring.lm_rescore import RescoreLimits, rescore
from ..rescoring.masking import PLACEHOLDER
from .tokenizers import Encode, ngram_piece_encoder


class LanguageModel(Protocol):
    """Finds the best paths of a lattice. Called in several threads at once."""

    @property
    def name(self) -> str:
        """What answers name it."""

    def best_paths(self, lattice: Lattice, count: int) -> list[ScoredPath]:
        """Return the best paths, best first; at least one, at most ``count``."""


@dataclass(frozen=True)
class Weights:
    """How the scores of a path are added up.

    acoustic + bias * bias score + word_bonus * words + language * (log-probability + token_bonus * tokens)
    """

    language: float = 0.5
    """Share of the language model's score."""
    bias: float = 1.0
    """Share of what biasing added; 0 takes it away."""
    word_bonus: float = 0.5
    """Added for every word (natural logarithm): makes up for words the search leaves out."""
    token_bonus: float = 3.0
    """Added to the log-probability for every token of the language model: about its price, else words are left out."""


DEFAULT_WEIGHTS = Weights()
RESCORE_LIMITS = RescoreLimits(states_per_node=16, beam=15.0, max_arcs=20_000)
"""What a request may cost: below a tenth of a second."""


def bias_weighted(lattice: Lattice, weights: Weights, tokenize: Encode | None = None) -> Lattice:
    """Return the lattice with weighted bias scores and the bonus of words and their tokens, no language scores."""
    scores, final = lattice.scores * (1, weights.bias, 0), lattice.final.copy()
    scores[:, 0] += weights.word_bonus
    if weights.token_bonus and tokenize is not None:
        tokens = np.array([len(tokenize(word)) for word in lattice.words], np.float32)
        scores[:, 0] += weights.language * weights.token_bonus * tokens[lattice.word]
    final[:, 1:] *= (weights.bias, 0)
    return Lattice(
        lattice.words, lattice.source, lattice.target, lattice.word, lattice.start, lattice.end,
        scores.astype(np.float32), final, lattice.offset,
    )  # fmt: skip


class NgramLanguageModel:
    """An n-gram model over all paths of the lattice."""

    def __init__(
        self,
        model: NgramModel,
        encode: Encode | None = None,
        *,
        name: str = "ngram",
        weights: Weights = DEFAULT_WEIGHTS,
    ) -> None:
        """Take a model.

        Args:
            model: over words or pieces.
            encode: returns the tokens of a word; without, the model is over words.
            name: what answers name it.
            weights: how scores are added up.
        """
        self.name = name
        self._model, self._weights = model, weights
        self._encode = encode or (lambda word: [model.number(word)])
        self._placeholder = [model.number(UNKNOWN)]

    def best_paths(self, lattice: Lattice, count: int) -> list[ScoredPath]:
        """Return the best paths, best first."""
        weight = self._weights.language
        scored = rescore(
            bias_weighted(lattice, self._weights, self._tokens), self._model, self._tokens, weight,
            limits=RESCORE_LIMITS,
        )  # fmt: skip
        return [
            ScoredPath(path.words, path.scores[2] / weight if weight else 0.0, path.total)
            for path in n_best(scored, count)
        ]

    def _tokens(self, word: str) -> Sequence[int]:
        return self._placeholder if PLACEHOLDER.fullmatch(word) else self._encode(word)


def load_ngram_language_model(
    path: Path, pieces: Path | None = None, weights: Weights = DEFAULT_WEIGHTS
) -> NgramLanguageModel:
    """Read an n-gram model to serve.

    Args:
        path: ARPA or binary.
        pieces: the SentencePiece model, for a model over pieces.
        weights: how scores are added up.

    Raises:
        LanguageModelError: a file is none, or a model over pieces comes without them.
    """
    model = load_ngram(path)
    encode: Encode | None = None
    if model.unit == "pieces":
        if pieces is None:
            raise LanguageModelError(
                f"{path}: is over word pieces; name the SentencePiece model that makes them (--pieces)"
            )
        encode = ngram_piece_encoder(pieces, model)
    return NgramLanguageModel(model, encode, name=path.name.split(".")[0], weights=weights)


def finite(paths: Sequence[ScoredPath]) -> bool:
    """Return whether all scores are finite numbers."""
    return all(math.isfinite(path.total) and math.isfinite(path.language) for path in paths)
