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
import soundfile
from conftest import DEMO
from nearword.models import Transducer, read_audio

PROGRAM = [sys.executable, "-c", "from nearword.runtime.cli import main; main()"]


@pytest.fixture
def noise_file(tmp_path: Path, noise: np.ndarray) -> Path:
    soundfile.write(tmp_path / "noise.wav", noise, 16000)
    return tmp_path / "noise.wav"


def test_text_is_the_words_and_nothing_else(run_cli, bundled: Transducer) -> None:
    result = run_cli("transcribe", DEMO)
    assert result.stdout == "call maria and tell her i am running late set a timer for ten minutes\n"
    assert result.stderr == ""
    assert result.returncode == 0


def test_json_has_words_with_times(run_cli, toy_folder: Path, noise_file: Path) -> None:
    result = run_cli("transcribe", "--format", "json", "--model", toy_folder, noise_file, noise_file)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == 2
    assert rows[0] == rows[1]
    assert rows[0].keys() == {"path", "seconds", "text", "words", "model"}
    assert rows[0]["seconds"] == 3.0
    assert rows[0]["model"] == "toy"
    assert " ".join(word["word"] for word in rows[0]["words"]) == rows[0]["text"]
    assert rows[0]["text"] == rows[0]["text"].lower() != ""


@pytest.mark.parametrize(("name", "beginning"), [("srt", "1\n00:00:0"), ("vtt", "WEBVTT\n"), ("ctm", "/")])
def test_other_formats(run_cli, toy_folder: Path, noise_file: Path, name: str, beginning: str) -> None:
    result = run_cli("transcribe", "-f", name, "-m", toy_folder, noise_file)
    assert result.stdout.startswith(beginning)


def test_a_broken_file_is_reported_and_the_rest_goes_on(
    run_cli, toy_folder: Path, noise_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.wav").write_bytes(b"RIFF what is this")
    result = run_cli(
        "transcribe", "-m", toy_folder, noise_file, tmp_path / "bad.wav", tmp_path / "none.wav", noise_file
    )
    assert result.returncode == 1
    assert result.stdout.count(f"{noise_file}: ") == 2
    assert len(result.stderr.splitlines()) == 2
    assert "bad.wav: not an audio file" in result.stderr
    assert "none.wav: no such file" in result.stderr


@pytest.mark.parametrize("arguments", [["--format", "doc"], ["--no-such-option"], ["--threads", "0"], []])
def test_wrong_usage_ends_with_2(run_cli, arguments: list[str]) -> None:
    assert run_cli("transcribe", *arguments, *([DEMO] if arguments else [])).returncode == 2


def test_an_unknown_model_is_one_line(run_cli) -> None:
    result = run_cli("transcribe", "-m", "no-such", DEMO)
    assert result.returncode == 1
    assert result.stderr.startswith("nearword: no model 'no-such'")
    assert len(result.stderr.splitlines()) == 1
    assert "nearword models pull zipformer-en-20m" in run_cli("transcribe", "-m", "zipformer-en-20m", DEMO).stderr


def test_output_file_and_one_that_cannot_be_written(
    run_cli, toy_folder: Path, noise_file: Path, tmp_path: Path
) -> None:
    assert run_cli("transcribe", "-m", toy_folder, noise_file, "-o", tmp_path / "out.txt").stdout == ""
    assert (tmp_path / "out.txt").read_text().strip()
    result = run_cli("transcribe", "-m", toy_folder, noise_file, "-o", tmp_path / "no" / "out.txt")
    assert result.returncode == 2
    assert "cannot be written" in result.stderr


def pcm(samples: np.ndarray) -> bytes:
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def test_standard_input_gives_what_the_file_gives(run_cli, bundled: Transducer) -> None:
    raw = pcm(read_audio(DEMO))
    assert run_cli("transcribe", "-", stdin=raw).stdout == run_cli("transcribe", DEMO).stdout
    assert run_cli("transcribe", "-", stdin=raw + b"\x01").returncode == 0
    assert run_cli("transcribe", "-", stdin=b"").stdout == "\n"


def test_words_are_printed_before_the_input_ends(toy_folder: Path, noise: np.ndarray) -> None:
    with subprocess.Popen(
        [*PROGRAM, "transcribe", "-m", str(toy_folder), "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(pcm(noise))
        process.stdin.flush()
        early = os.read(process.stdout.fileno(), 1000)
        assert early.strip()
        process.stdin.close()
        rest = process.stdout.read()
    assert rest.endswith(b"\n")


def test_ctrl_c_prints_what_was_recognised_so_far(toy_folder: Path, noise: np.ndarray) -> None:
    command = [*PROGRAM, "transcribe", "--format", "json", "-m", str(toy_folder), "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(pcm(noise))
        process.stdin.flush()
        time.sleep(2.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert json.loads(out)["text"]
    assert b"Traceback" not in err


def test_a_reader_that_goes_away_ends_it_quietly(toy_folder: Path, noise_file: Path) -> None:
    files = [str(noise_file)] * 50
    with subprocess.Popen(
        [*PROGRAM, "transcribe", "-m", str(toy_folder), *files], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr
        assert process.stderr.read() == b""
    assert process.returncode != 0


def test_progress_bar_only_on_a_terminal_and_for_long_work(toy_folder: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros(16000 * 90), 16000)
    main, side = pty.openpty()
    result = subprocess.run(
        [*PROGRAM, "transcribe", "-m", str(toy_folder), str(tmp_path / "long.wav")],
        stdout=subprocess.PIPE,
        stderr=side,
        check=True,
        timeout=60,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(side)
    shown = b""
    while True:
        try:
            block = os.read(main, 10_000)
        except OSError:
            break
        if not block:
            break
        shown += block
    os.close(main)
    assert b"90 s of audio" in shown
    assert b"audio" not in result.stdout
