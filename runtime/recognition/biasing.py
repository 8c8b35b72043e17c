"""Phrase lists for a model: what biasing needs to know of it, and lists from files."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...biasing import Biasing, BiasVocabulary, ClassSettings, Refused, Surprise, read_source
from ...models import Transducer
from ...models.model_path import ModelPath
from ...models.pieces import open_pieces
from ...models.tokens import Vocabulary
from ..search.internal import internal_log_probs

KEPT_BYTES = 16_000_000
"""Memory for what tokens are expected where."""


def bias_vocabulary(vocabulary: Vocabulary, surprise: Surprise | None = None, context_size: int = 2) -> BiasVocabulary:
    """Return the tokens of a model for biasing, with its own tokeniser where the model has one.

    Without ``surprise`` it is good for writing phrases in tokens only; ``load_biasing`` gives what listens.
    """
    return BiasVocabulary(
        vocabulary.tokens,
        _nbest(vocabulary.bpe_model),
        blank=vocabulary.blank_id,
        surprise=surprise,
        context_size=context_size,
    )


def surprise_of(model: Transducer) -> Surprise:
    """Return what tells how unlikely a transducer finds tokens that it cannot hear.

    That is the language model which training left in its predictor and joiner: what they say of tokens when the
    encoder says nothing, its output being zero (Meng et al. 2020, arXiv 2011.01991). Keeps what it computed.
    """
    most = max(1024, KEPT_BYTES // (4 * len(model.vocabulary)))
    known: dict[tuple[int, ...], npt.NDArray[np.float32]] = {}

    def compute(contexts: list[tuple[int, ...]]) -> None:
        if len(known) + len(contexts) > most:
            known.clear()
        if contexts:
            known.update(zip(contexts, -internal_log_probs(model, contexts), strict=True))

    def surprise(contexts: npt.NDArray[np.int32], tokens: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        keys = [*map(tuple, contexts.tolist())]
        compute([key for key in dict.fromkeys(keys) if key not in known])
        return np.asarray([known[key][token] for key, token in zip(keys, tokens.tolist(), strict=True)], np.float32)

    return surprise


def _nbest(bpe_model: ModelPath | None) -> Callable[[str, int], Sequence[Sequence[str]]] | None:
    """Return what gives the likeliest pieces of a word; None without a tokeniser that can."""
    if bpe_model is None:
        return None
    try:
        processor = open_pieces(bpe_model)
        processor.nbest_encode("a", nbest_size=2, out_type=str)
    except (RuntimeError, OSError, ValueError):
        return None  # byte-pair encoding knows one way only: tokens.txt says more

    def nbest(word: str, count: int) -> list[list[str]]:
        found: list[list[str]] = processor.nbest_encode(word, nbest_size=count, out_type=str)
        return found

    return nbest


def load_biasing(
    model: Transducer, files: Iterable[str | Path], *, strength: float | None = None
) -> tuple[Biasing, list[Refused]]:
    """Return the phrases of files for a model, and what of them is not used, with reasons.

    ``strength``, 0 to 1, is that of all classes for which no file says one.

    Raises:
        BiasingError: a file cannot be read at all, or holds no list; names it.
    """
    settings = ClassSettings() if strength is None else ClassSettings(strength)
    vocabulary = bias_vocabulary(model.vocabulary, surprise_of(model), model.info.context_size)
    biasing = Biasing(vocabulary, settings=settings)
    refused: list[Refused] = []
    for file in files:
        refused += biasing.load(read_source(file))
    return biasing, refused
