"""One engine for all tests of the daemon: a daemon loads its model once, too."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

pytest.importorskip("wyoming")

from clients import heard_by_library, pcm, quiet
from demo import DEMO
from nearword.models import Transducer
from nearword.runtime.daemon import ServeSettings
from nearword.runtime.daemon.engine import Engine

SETTINGS = ServeSettings(uri=("tcp://127.0.0.1:0",), http="127.0.0.1:0")
GRAMMAR = {
    "templates": {"tell": ["tell my $WHO [that] i am $WHAT"], "alarm": ["set an alarm for $TIME"]},
    "classes": {"who": ["brother", "sister"], "what": ["late", "on my way"], "time": ["six", "seven"]},
}


@pytest.fixture(scope="session")
def loaded() -> Engine:
    return Engine.load(SETTINGS)


@pytest.fixture
def engine(loaded: Engine) -> Engine:
    """An engine of its own, with the model of all."""
    return Engine(SETTINGS, loaded.model)


@pytest.fixture
def engine_with(loaded: Engine) -> Callable[..., Engine]:
    """Make an engine with other settings."""

    def make(**settings: object) -> Engine:
        return Engine(replace(SETTINGS, **settings), loaded.model)

    return make


@pytest.fixture(scope="session")
def grammar_engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path = tmp_path_factory.mktemp("grammar") / "orders.json"
    path.write_text(json.dumps(GRAMMAR))
    return Engine.load(replace(SETTINGS, grammar=str(path)))


@pytest.fixture(scope="session")
def demo() -> bytes:
    """The shipped recording and two seconds of quiet: 16 kHz mono 16-bit."""
    return pcm(DEMO) + quiet(2.0)


@pytest.fixture(scope="session")
def demo_texts(bundled: Transducer, demo: bytes) -> list[str]:
    """What the library makes of it, utterance by utterance."""
    return heard_by_library(bundled, demo)
