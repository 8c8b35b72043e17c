"""Contextual biasing: contacts, devices and what is on the screen."""

from .errors import BiasingError
from .graph import BiasGraph, ScoredClass
from .live import Biasing
from .phrases import CLASSES, DEFAULT_CLASS, Phrase, PhraseList, Refused
from .sources import BiasSource, read_lines, read_source
from .spotting import Spot, Spotter
from .templates import Templates
from .tokenize import TokenizedPhrase, Tokenizer
from .vocabulary import BiasVocabulary, Surprise
from .weights import ClassSettings

__all__ = [
    "CLASSES",
    "DEFAULT_CLASS",
    "BiasGraph",
    "BiasSource",
    "BiasVocabulary",
    "Biasing",
    "BiasingError",
    "ClassSettings",
    "Phrase",
    "PhraseList",
    "Refused",
    "ScoredClass",
    "Spot",
    "Spotter",
    "Surprise",
    "Templates",
    "TokenizedPhrase",
    "Tokenizer",
    "read_lines",
    "read_source",
]
