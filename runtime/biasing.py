"""Phrase lists for a model: what biasing needs to know of it, and lists from files."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..biasing import Biasing, BiasVocabulary, ClassSettings, Refused, read_source
from ..models import Transducer
from ..models.tokens import Vocabulary


def bias_vocabulary(vocabulary: Vocabulary) -> BiasVocabulary:
    """Return the tokens of a model for biasing, with its own tokeniser where the model has one."""
    return BiasVocabulary(vocabulary.tokens, _nbest(vocabulary.bpe_model), blank=vocabulary.blank_id)


def _nbest(bpe_model: Path | None) -> Callable[[str, int], Sequence[Sequence[str]]] | None:
    """Return what gives the likeliest pieces of a word; None without a tokeniser that can."""
    if bpe_model is None:
        return None
    import sentencepiece  # noqa: PLC0415 (only where phrases are boosted)

    try:
        processor = sentencepiece.SentencePieceProcessor(model_file=str(bpe_model))
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
    biasing = Biasing(bias_vocabulary(model.vocabulary), settings=settings)
    refused: list[Refused] = []
    for file in files:
        refused += biasing.load(read_source(file))
    return biasing, refused
