"""What is asked for: intents and slots, in text and in lattices, with an honest no."""

from .basic import BASIC_INTENTS, basic_intent
from .errors import UnderstandingError
from .graph import NOTHING_LISTED, Listed, WordClasses
from .model import PathSettings, Rejection, UnderstandingModel
from .result import NOTHING_UNDERSTOOD, FilledSlot, Understanding
from .values import Value, ValueKind, find_values, resolve, value_of
from .weights import ExactWeights, Weights

__all__ = [
    "BASIC_INTENTS",
    "NOTHING_LISTED",
    "NOTHING_UNDERSTOOD",
    "ExactWeights",
    "FilledSlot",
    "Listed",
    "PathSettings",
    "Rejection",
    "Understanding",
    "UnderstandingError",
    "UnderstandingModel",
    "Value",
    "ValueKind",
    "Weights",
    "WordClasses",
    "basic_intent",
    "find_values",
    "resolve",
    "value_of",
]
