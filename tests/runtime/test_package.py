"""What users of the package meet first: its version, its names, its silence."""

import contextlib
import subprocess
import sys
import threading
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from demo import DEMO, DEMO_TEXT
from nearword import runtime
from nearword.models import AudioError, Transducer, read_audio
from nearword.runtime import AudioFile, AudioSink, Recognizer, blocks_of


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)


def test_the_package_says_its_version() -> None:
    assert runtime.__version__ == metadata.version("nearword")
    result = subprocess.run([sys.executable, "-m", "nearword.runtime", "--version"], capture_output=True, check=False)
    assert result.stdout.decode() == f"nearword {runtime.__version__}\n"


def test_its_logger_is_silent_until_somebody_listens() -> None:
    program = "import logging, nearword.runtime; {}logging.getLogger('nearword.runtime').warning('heard')"
    assert python(program.format("")).stderr == ""
    assert "heard" in python(program.format("logging.basicConfig(); ")).stderr


def test_the_audio_of_a_source_comes_without_an_event_loop(bundled: Transducer) -> None:
    before = threading.active_count()
    recognizer = Recognizer(bundled)
    events = [event for block in blocks_of(AudioFile(DEMO)) for event in recognizer.accept(block)]
    events += recognizer.finish()
    assert " ".join(event.text for event in events if isinstance(event, runtime.Final)) == DEMO_TEXT
    np.testing.assert_array_equal(np.concatenate(list(blocks_of(AudioFile(DEMO)))), read_audio(DEMO))
    assert threading.active_count() == before


def test_an_error_of_the_source_comes_after_its_audio(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="nothing.wav"):
        list(blocks_of(AudioFile(tmp_path / "nothing.wav")))


def test_a_source_that_is_left_early_ends() -> None:
    ended, told = [], []

    class Endless:
        async def feed(self, sink: AudioSink) -> None:
            try:
                sink.lost(0.5, "the device is gone")
                while True:
                    await sink.put(np.zeros(320, np.float32))
            finally:
                ended.append(True)

    with contextlib.closing(blocks_of(Endless(), lost=lambda *what: told.append(what))) as blocks:
        assert len(next(blocks)) == 320
    assert (ended, told) == ([True], [(0.5, "the device is gone")])


def test_live_audio_that_nobody_takes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[float, str]] = []

    class Live:
        async def feed(self, sink: AudioSink) -> None:
            for _ in range(300):
                sink.offer(np.zeros(1600, np.float32))

    assert len(list(blocks_of(Live(), lost=lambda *what: told.append(what)))) >= 200
    assert all(seconds == pytest.approx(0.1) for seconds, _ in told)


def test_who_reads_no_files_imports_nothing_that_does() -> None:
    program = (
        "import sys\nfrom nearword.runtime import Transcriber, load_model\nTranscriber(load_model()).finish()\n"
        "sys.exit('nearword.models.audio' in sys.modules)"
    )
    assert python(program).returncode == 0
