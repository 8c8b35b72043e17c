"""A small model of requests at home, learnt once for all tests."""

from functools import cache
from pathlib import Path

from nearword.lattice.understanding import UnderstandingModel
from nearword.lattice.understanding.training import Example, Settings, read_examples, train
from nearword.runtime.recognition.understanding_file import load_word_classes

HOME = Path(__file__).with_name("home_requests.json")
OTHER = [
    "what do you think of the election", "my car needs new tyres", "she said that it would rain", "how tall is he",
    "the committee will report in autumn", "i have read that book twice", "nobody knows where it went",
    "we should have left much earlier", "is this the way to the station", "dogs like to chase cats",
    "his brother is a doctor in london", "there were nine people in the room", "that was a bright idea",
]  # fmt: skip


@cache
def home_examples() -> list[Example]:
    """Return what it is learnt of."""
    return read_examples([HOME])


@cache
def home_model() -> UnderstandingModel:
    """Return the model with exact weights."""
    settings = Settings(max_bytes=None)
    return train(home_examples(), other=OTHER * 3, classes=load_word_classes(), settings=settings).model
