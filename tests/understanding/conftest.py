"""A small model of requests at home, learnt once."""

from pathlib import Path

import pytest
from nearword.lattice.understanding.training import Settings, read_examples, train
from nearword.runtime.recognition.understanding_file import load_understanding, load_word_classes, save_understanding

HOME = Path(__file__).parent / "home.json"
OTHER = [
    "what do you think of the election", "my car needs new tyres", "she said that it would rain", "how tall is he",
    "the committee will report in autumn", "i have read that book twice", "nobody knows where it went",
    "we should have left much earlier", "is this the way to the station", "dogs like to chase cats",
    "his brother is a doctor in london", "there were nine people in the room", "that was a bright idea",
]  # fmt: skip


@pytest.fixture(scope="session")
def examples():
    return read_examples([HOME])


@pytest.fixture(scope="session")
def exact(examples):
    """The model with exact weights."""
    return train(examples, other=OTHER * 3, classes=load_word_classes(), settings=Settings(max_bytes=None)).model


@pytest.fixture(scope="session")
def home_file(exact, tmp_path_factory):
    path = tmp_path_factory.mktemp("nlu") / "home.nlu"
    save_understanding(exact, path)
    return path


@pytest.fixture(scope="session")
def home(home_file):
    """The model as it is stored."""
    return load_understanding(home_file)
