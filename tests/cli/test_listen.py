import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from contract import check_contract
from demo import DEMO
from nearword.models import Transducer, read_audio
from nearword.runtime.recognition.events import Final, from_json
from nearword.runtime.recognition.recognizer import Recognizer

PROGRAM = [sys.executable, "-m", "nearword.runtime.cli", "listen"]


def raw_demo() -> bytes:
    return (read_audio(DEMO) * 32767).astype("<i2").tobytes()


def finals(lines: str) -> list[Final]:
    return [event for event in map(from_json, lines.splitlines()) if isinstance(event, Final)]


def test_json_lines_are_the_events(run_cli, toy: Transducer, toy_folder: Path) -> None:
    result = run_cli("listen", "--format", "json", "--model", toy_folder, "-", stdin=raw_demo())
    assert result.returncode == 0
    assert result.stderr == ""
    events = [from_json(line) for line in result.stdout.splitlines()]
    check_contract(events)
    recognizer = Recognizer(toy)
    samples = np.frombuffer(raw_demo(), "<i2").astype(np.float32) / 32768
    heard = [*recognizer.accept(samples), *recognizer.finish()]
    assert result.stdout.splitlines() == [event.to_json() for event in heard]


def test_text_is_a_line_per_utterance(run_cli, bundled: Transducer) -> None:
    lines = run_cli("listen", "-", stdin=raw_demo()).stdout.splitlines()
    assert len(lines) == 2
    recognizer = Recognizer(bundled)
    events = [*recognizer.accept(read_audio(DEMO)), *recognizer.finish()]
    assert lines == [event.text for event in events if isinstance(event, Final)]


@pytest.mark.parametrize("preset", ["fast", "balanced", "patient"])
def test_every_preset_listens(run_cli, toy_folder: Path, preset: str) -> None:
    result = run_cli("listen", "-f", "json", "-p", preset, "-m", toy_folder, "-", stdin=raw_demo())
    check_contract([from_json(line) for line in result.stdout.splitlines()])


def test_ctrl_c_prints_the_last_words(toy_folder: Path) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "-f", "json", "-m", str(toy_folder), "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(raw_demo()[:32000])
    process.stdin.flush()
    first = process.stdout.readline().decode()
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read().decode()
    assert process.wait(20) == 130
    events = [from_json(line) for line in (first + rest).splitlines()]
    check_contract(events)
    assert isinstance(events[-1], Final)
    process.stdin.close()
    process.stdout.close()


def test_a_reader_that_goes_away_ends_it(toy_folder: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, "-f", "json", "-m", str(toy_folder), str(DEMO)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert "Traceback" not in process.stderr.read().decode()
        assert process.wait(20) != 0


def test_a_terminal_shows_words_meter_and_marks(bundled: Transducer) -> None:
    main, side = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120"}
    with subprocess.Popen([*PROGRAM, str(DEMO)], stdout=side, stderr=side, env=environment) as process:
        os.close(side)
        shown = b""
        while True:
            try:
                shown += os.read(main, 65536)
            except OSError:  # Linux: the other side is closed
                break
        assert process.wait(20) == 0
    os.close(main)
    text = shown.decode()
    assert "probably finished" in text
    assert "\u2588" in text
    assert "ms won" in text
    assert "Traceback" not in text


def test_a_file_that_is_no_audio_is_one_line(run_cli, toy_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"what is this")
    result = run_cli("listen", "-m", toy_folder, tmp_path / "bad.wav")
    assert result.returncode == 1
    assert "bad.wav" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [["--preset", "hasty"], ["--device", "1", "file.wav"], ["--format", "srt"], ["a.wav", "b.wav"]]
)
def test_wrong_usage_ends_with_2(run_cli, arguments: list[str]) -> None:
    assert run_cli("listen", *arguments).returncode == 2


def test_a_device_that_is_not_there_is_one_line(run_cli, toy_folder: Path) -> None:
    result = run_cli("listen", "-m", toy_folder, "--device", "no such device at all")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("nearword: ")


def test_devices_are_listed_or_their_absence_told(run_cli) -> None:
    result = run_cli("listen", "--list-devices", "--format", "json")
    if result.returncode == 0:
        assert all(row.keys() == {"index", "name", "channels", "rate", "default"} for row in json.loads(result.stdout))
    else:
        assert len(result.stderr.splitlines()) == 1


def test_standard_input_is_heard_while_it_comes(toy_folder: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, "-f", "json", "-m", str(toy_folder), "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(raw_demo()[:64000])
        process.stdin.flush()
        assert b"speech_started" in process.stdout.readline()  # while standard input is still open
        time.sleep(0.01)
        process.stdin.close()
        process.stdin = None
        assert finals(process.stdout.read().decode())
        assert process.wait(20) == 0
