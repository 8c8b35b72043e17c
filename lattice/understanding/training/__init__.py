"""How a model of requests is learnt: scikit-learn and python-crfsuite, which nothing needs at run time."""

from .disagreements import Disagreement, disagreements
from .examples import Example, Span, read_examples, read_texts, write_examples
from .sentence_encoder import SentenceEncoder
from .train import Settings, Trained, train
from .vary import known_values, varied
from .word_classes import LearntClasses, learn_classes

__all__ = [
    "Disagreement",
    "Example",
    "LearntClasses",
    "SentenceEncoder",
    "Settings",
    "Span",
    "Trained",
    "disagreements",
    "known_values",
    "learn_classes",
    "read_examples",
    "read_texts",
    "train",
    "varied",
    "write_examples",
]
