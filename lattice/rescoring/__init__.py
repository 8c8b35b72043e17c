"""Language models on lattices: n-grams on the device, a service elsewhere if the owner allows it."""

from .client import Rescorer
from .contract import Answer, Form, Request, ScoredPath
from .errors import ContractError, LanguageModelError
from .lm_rescore import RescoreLimits, rescore
from .masking import Masking
from .ngram import NgramModel, StatefulScorer, Weighted
from .ngram_files import load_ngram, save_ngram
from .result import Reason, Rescored
from .settings import Compression, RescoringSettings
from .train import Fit, fit, read_sentences, train_pieces, train_words

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
    "Weighted",
    "fit",
    "load_ngram",
    "read_sentences",
    "rescore",
    "save_ngram",
    "train_pieces",
    "train_words",
]
