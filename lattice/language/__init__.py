"""N-gram language models: train, store, query."""

from importlib import import_module
from typing import TYPE_CHECKING

from .errors import LanguageModelError
from .ngram import NgramModel, StatefulScorer

if TYPE_CHECKING:
    from .ngram_files import load_ngram, save_ngram
    from .train import Fit, fit, read_sentences, train_pieces, train_words

_LATER = {
    "Fit": "train", "fit": "train", "read_sentences": "train", "train_pieces": "train", "train_words": "train",
    "load_ngram": "ngram_files", "save_ngram": "ngram_files",
}  # fmt: skip
"""What is imported when it is asked for, and from where: recognition without an n-gram needs none of it."""

__all__ = [
    "Fit",
    "LanguageModelError",
    "NgramModel",
    "StatefulScorer",
    "fit",
    "load_ngram",
    "read_sentences",
    "save_ngram",
    "train_pieces",
    "train_words",
]


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LATER[name]}", __name__), name)
