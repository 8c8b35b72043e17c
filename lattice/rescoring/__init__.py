"""Language models on lattices: n-grams on the device, a service elsewhere if the owner allows it."""

from .errors import ContractError, LanguageModelError
from .lm_rescore import RescoreLimits, rescore
from .ngram import NgramModel, StatefulScorer, Weighted
from .ngram_files import load_ngram, save_ngram
from .train import Fit, fit, read_sentences, train_pieces, train_words

__all__ = [
    "ContractError",
    "Fit",
    "LanguageModelError",
    "NgramModel",
    "RescoreLimits",
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
