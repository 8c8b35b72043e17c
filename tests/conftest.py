"""What tests share: toy model folders, the bundled model, real speech where there is some."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from demo import DEMO, DEMO_TEXT  # noqa: F401 (where some tests look for them)
from hypothesis import settings
from nearword.models import Transducer, resolve
from toy_models import ToyModel, write_toy_model

# on a busy machine any example may take long; timing belongs in benchmarks
settings.register_profile("nearword", deadline=None)
settings.load_profile("nearword")


@pytest.fixture(scope="session")
def speech_folder() -> Path:
    """Real speech: the folder that NEARWORD_SPEECH names."""
    named = os.environ.get("NEARWORD_SPEECH")
    if named and Path(named, "dev").is_dir():
        return Path(named)
    if os.environ.get("NEARWORD_REQUIRE_SPEECH") == "1":
        pytest.fail("NEARWORD_REQUIRE_SPEECH is set, but NEARWORD_SPEECH names no folder with dev/")
    return pytest.skip("needs real speech: set NEARWORD_SPEECH to its folder")


@pytest.fixture(scope="session")
def toy_with_phones(bundled: Transducer, tmp_path_factory: pytest.TempPathFactory) -> Transducer:
    """A model of random weights that tells phones."""
    toy = ToyModel(phones=bundled.phones, pronunciation=bundled.pronunciation)
    return Transducer.load(write_toy_model(tmp_path_factory.mktemp("phones") / "toy", toy))


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("models") / "toy")


@pytest.fixture(scope="session")
def toy(toy_folder: Path) -> Transducer:
    return Transducer.load(toy_folder)


@pytest.fixture(scope="session")
def bundled() -> Transducer:
    return Transducer.load(resolve("assistant-en"))


@pytest.fixture(scope="session")
def home_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of requests at home, as it is stored."""
    from home_requests import home_model
    from nearword.runtime.recognition.understanding_file import save_understanding

    path = tmp_path_factory.mktemp("requests") / "home.nlu"
    save_understanding(home_model(), path)
    return path


@pytest.fixture(scope="session")
def home(home_file: Path):
    """The same, loaded."""
    from nearword.runtime.recognition.understanding_file import load_understanding

    return load_understanding(home_file)


@pytest.fixture
def noise() -> np.ndarray:
    """Three seconds of loud noise: on random weights it gives tokens."""
    return np.random.default_rng(5).normal(0, 0.2, 48000).astype(np.float32)


@pytest.fixture
def run_cli(tmp_path: Path):
    """Run ``nearword`` as a user does, in a process of its own."""

    def run(
        *arguments: object, stdin: bytes | None = None, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        environment = (
            os.environ
            | {"NEARWORD_MODELS": str(tmp_path / "downloaded"), "COLUMNS": "200", "NO_COLOR": "1"}
            | (env or {})
        )
        result = subprocess.run(
            [sys.executable, "-c", "from nearword.runtime.cli import main; main()", *map(str, arguments)],
            input=stdin if stdin is not None else b"",
            capture_output=True,
            timeout=60,
            env=environment,
            check=False,
        )
        return subprocess.CompletedProcess(
            result.args, result.returncode, result.stdout.decode(), result.stderr.decode()
        )

    return run
