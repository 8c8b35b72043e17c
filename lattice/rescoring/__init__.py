"""Language models on lattices: n-grams on the device, a service elsewhere if the owner allows it."""

from importlib import import_module
from typing import TYPE_CHECKING

from .errors import ContractError, LanguageModelError
from .ngram import NgramModel, StatefulScorer
from .ngram_files import load_ngram, save_ngram

if TYPE_CHECKING:
    from .client import Rescorer
    from .contract import Answer, Form, Request, ScoredPath
    from .lm_rescore import RescoreLimits, rescore
    from .masking import Masking
    from .result import Reason, Rescored
    from .settings import Compression, RescoringSettings
    from .train import Fit, fit, read_sentences, train_pieces, train_words

_LATER = {
    "Answer": "contract",
    "Compression": "settings",
    "Fit": "train",
    "Form": "contract",
    "Masking": "masking",
    "Reason": "result",
    "Request": "contract",
    "RescoreLimits": "lm_rescore",
    "Rescored": "result",
    "Rescorer": "client",
    "RescoringSettings": "settings",
    "ScoredPath": "contract",
    "fit": "train",
    "read_sentences": "train",
    "rescore": "lm_rescore",
    "train_pieces": "train",
    "train_words": "train",
}
"""What is imported when it is asked for, and from where: recognition needs no network code."""

__all__ = [
    "Answer",
    "Compression",
    "ContractError",
    "Fit",
    "Form",
    "LanguageModelError",
    "Masking",
    "NgramModel",
    "Reason",
    "Request",
    "RescoreLimits",
    "Rescored",
    "Rescorer",
    "RescoringSettings",
    "ScoredPath",
    "StatefulScorer",
    "fit",
    "load_ngram",
    "read_sentences",
    "rescore",
    "save_ngram",
    "train_pieces",
    "train_words",
]


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LATER[name]}", __name__), name)
