import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
from demo import DEMO_TEXT
from nearword.models import Transducer


def test_demo_shows_words_as_they_come_and_the_transcript(run_cli, bundled: Transducer) -> None:
    result = run_cli("demo")
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert DEMO_TEXT in lines
    assert any(" s " in line and line.endswith(f" {DEMO_TEXT.split()[0]}") for line in lines)
    assert "x real time" in lines[-1]


def test_demo_of_an_own_recording_lists_the_times_of_its_words(
    run_cli, toy_folder: Path, tmp_path: Path, noise: np.ndarray
) -> None:
    soundfile.write(tmp_path / "own [1].wav", noise, 16000)
    result = run_cli("demo", "-m", toy_folder, tmp_path / "own [1].wav")
    assert "own [1].wav" in result.stdout
    transcript, times, speed = result.stdout.splitlines()[-3:]
    assert times.split()[0] == transcript.split()[0]
    assert len(times.split()) == 2 * len(transcript.split())
    assert speed.startswith("3.00 s of audio")


def test_lines_do_not_grow_with_the_recording(run_cli, toy_folder: Path, tmp_path: Path, noise: np.ndarray) -> None:
    soundfile.write(tmp_path / "long.wav", np.tile(noise, 10), 16000)
    lines = run_cli("demo", "-m", toy_folder, tmp_path / "long.wav", env={"COLUMNS": "60"}).stdout.splitlines()
    assert all(len(line) <= 60 for line in lines if line[2:10].strip().endswith(" s"))


def test_a_file_that_is_not_there_is_one_line(run_cli, tmp_path: Path) -> None:
    missing = run_cli("demo", tmp_path / "none.wav")
    assert missing.returncode == 1
    assert missing.stderr == f"nearword: {tmp_path / 'none.wav'}: no such file\n"


def test_real_time_takes_the_time_of_the_audio_and_ctrl_c_ends_it_with_what_there_is(
    toy_folder: Path, tmp_path: Path, noise: np.ndarray
) -> None:
    soundfile.write(tmp_path / "long.wav", np.tile(noise, 10), 16000)
    program = [sys.executable, "-m", "nearword.runtime.cli"]
    command = [*program, "demo", "--real-time", "-m", toy_folder, tmp_path / "long.wav"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stdout
        for _ in range(6):
            process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == b""
    assert float(out.splitlines()[-1].split()[0]) < 20
