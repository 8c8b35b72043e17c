"""A virtual microphone end to end: PulseAudio's null sink, a real recording played into it, ``nearword listen``."""

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from contract import check_contract
from demo import DEMO
from nearword.models import Transducer, read_audio
from nearword.runtime.recognition.events import AudioLost, Event, Final, Partial, from_json
from nearword.runtime.recognition.recognizer import Recognizer

WAIT_SECONDS = 40.0
SINK = "module-null-sink sink_name=vmic rate=16000 channels=1"


class Pulse:
    """A PulseAudio server of its own, with a null sink as the only device."""

    def __init__(self, folder: Path) -> None:
        (folder / "home").mkdir()
        (folder / "home" / ".asoundrc").write_text("pcm.!default { type pulse }\nctl.!default { type pulse }\n")
        self.env = os.environ | {
            "HOME": str(folder / "home"),
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PULSE_RUNTIME_PATH": str(folder),
            "PULSE_STATE_PATH": str(folder),
            "PULSE_SERVER": f"unix:{folder}/native",
        }
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--log-target=null"]
        modules = ["-L", f"module-native-protocol-unix socket={folder}/native auth-anonymous=1", "-L", SINK]
        self._server = subprocess.Popen([*command, *modules], env=self.env, stderr=subprocess.DEVNULL)
        self._players: list[subprocess.Popen[bytes]] = []
        wait_for(lambda: "vmic.monitor" in self.pactl("list", "short", "sources"))

    def pactl(self, *arguments: str) -> str:
        result = subprocess.run(["pactl", *arguments], env=self.env, capture_output=True, text=True, check=False)
        return result.stdout

    def play(self, path: Path) -> None:
        self._players.append(subprocess.Popen(["paplay", "--device=vmic", str(path)], env=self.env))

    def take_device_away(self) -> None:
        self.pactl("unload-module", "module-null-sink")

    def give_device_back(self) -> None:
        self.pactl("load-module", *SINK.split())

    def is_heard(self) -> bool:
        return bool(self.pactl("list", "short", "source-outputs").strip())

    def close(self) -> None:
        for process in (*self._players, self._server):
            process.terminate()
            process.wait(10)


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.05)


@pytest.fixture
def pulse() -> Iterator[Pulse]:
    missing = [name for name in ("pulseaudio", "pactl", "paplay") if shutil.which(name) is None]
    try:
        import sounddevice

        if not any(api["name"] == "ALSA" for api in sounddevice.query_hostapis()):
            missing.append("PortAudio with ALSA")
    except OSError:
        missing.append("libportaudio2")
    if missing:
        reason = f"a virtual microphone needs {', '.join(missing)}"
        if os.environ.get("NEARWORD_REQUIRE_PULSE") == "1":
            pytest.fail(f"NEARWORD_REQUIRE_PULSE is set, but {reason}")
        pytest.skip(reason)
    # the name of a socket must be short
    with tempfile.TemporaryDirectory(prefix="nw", dir="/tmp") as folder:
        server = Pulse(Path(folder))
        try:
            yield server
        finally:
            server.close()


class Listener:
    """``nearword listen --format json``, its events as they come."""

    def __init__(self, pulse: Pulse) -> None:
        command = [sys.executable, "-m", "nearword.runtime.cli", "listen", "--format", "json"]
        self._process = subprocess.Popen(command, env=pulse.env, stdout=subprocess.PIPE, text=True)
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.events: list[Event] = []
        wait_for(pulse.is_heard)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def until(self, kind: type[Event]) -> Event:
        """Return the next event of a kind."""
        while True:
            event = from_json(self._lines.get(timeout=WAIT_SECONDS))
            self.events.append(event)
            if isinstance(event, kind):
                return event

    def end(self) -> None:
        self._process.send_signal(signal.SIGINT)
        assert self._process.wait(20) == 130
        self._reader.join()
        with contextlib.suppress(queue.Empty):
            while True:
                self.events.append(from_json(self._lines.get_nowait()))
        check_contract(self.events)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def listener(pulse: Pulse) -> Iterator[Listener]:
    listening = Listener(pulse)
    try:
        yield listening
    finally:
        listening.kill()


def test_what_is_played_into_the_microphone_is_heard(pulse: Pulse, listener: Listener, bundled: Transducer) -> None:
    recognizer = Recognizer(bundled)
    expected = [*recognizer.accept(read_audio(DEMO)), *recognizer.finish()]
    words = [word.text for event in expected if isinstance(event, Final) for word in event.words]
    pulse.play(DEMO)
    heard: list[str] = []
    while len(heard) < len(words) - 2:
        heard += [word.text for word in listener.until(Final).words]
    listener.end()
    # played through another clock, so not sample by sample the same
    assert len(set(words) & set(heard)) >= 0.5 * len(set(words))
    assert not any(isinstance(event, AudioLost) for event in listener.events)


def test_a_device_taken_away_in_a_sentence_and_given_back_is_heard_again(pulse: Pulse, listener: Listener) -> None:
    pulse.play(DEMO)
    before = listener.until(Partial)
    pulse.take_device_away()
    lost = listener.until(AudioLost)
    assert lost.seconds > 0
    assert lost.reason == "the device is gone"
    time.sleep(0.5)
    pulse.give_device_back()
    wait_for(pulse.is_heard)
    pulse.play(DEMO)
    after = listener.until(Partial)
    assert after.utterance > before.utterance
    assert after.time > before.time + lost.seconds
    assert listener.until(Final).text
    listener.end()
