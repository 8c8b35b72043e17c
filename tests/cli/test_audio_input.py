"""What people bring to the command line: files by pipe, raw samples, several channels, and an early end."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from demo import DEMO, DEMO_TEXT
from nearword.models import Transducer, read_audio
from nearword.runtime.recognition.events import Final, from_json
from sounds import wav

PROGRAM = [sys.executable, "-m", "nearword.runtime.cli"]
FIRST = "tell my brother i am on my way"
"""What is said in the first 2.6 s of the shipped recording."""


@pytest.fixture(scope="module")
def first(bundled: Transducer) -> np.ndarray:
    return read_audio(DEMO)[: int(2.6 * 16000)]


def words(text: str) -> list[str]:
    return text.split()


@pytest.mark.parametrize("form", ["WAV", "FLAC", "MP3"])
def test_a_file_on_standard_input_is_heard(run_cli, bundled: Transducer, tmp_path: Path, form: str) -> None:
    soundfile.write(tmp_path / "a", read_audio(DEMO), 16000, format=form)
    data = (tmp_path / "a").read_bytes()
    result = run_cli("transcribe", "-", stdin=data)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == run_cli("transcribe", tmp_path / "a").stdout != ""
    lines = run_cli("listen", "-f", "json", "-", stdin=data).stdout.splitlines()
    texts = [event.text for event in map(from_json, lines) if isinstance(event, Final)]
    assert words(" ".join(texts)) == words(DEMO_TEXT)


@pytest.mark.parametrize("command", ["transcribe", "listen"])
@pytest.mark.parametrize("data", [b"\0\0\0\x1cftypM4A \0\0\0\0" + bytes(99), b"<html>\n<body>\n" * 20, b""])
def test_what_is_no_audio_on_standard_input_is_one_line(
    run_cli, bundled: Transducer, command: str, data: bytes
) -> None:
    result = run_cli(command, "-", stdin=data)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("nearword: standard input: ")
    assert len(result.stderr.splitlines()) == 1
    assert "ffmpeg -i FILE" in result.stderr or not data


def test_a_named_pipe_and_what_the_shell_makes_of_one_are_files(
    run_cli, bundled: Transducer, tmp_path: Path, first: np.ndarray
) -> None:
    soundfile.write(tmp_path / "a.wav", first, 16000)
    (tmp_path / "empty.wav").write_bytes(b"")
    script = '"$0" -m nearword.runtime.cli transcribe <(cat a.wav) /dev/stdin empty.wav <(cat a.wav) < a.wav'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "nearword: empty.wav: the file is empty\n"
    assert [line.split(": ")[1] for line in done.stdout.splitlines()] == [FIRST] * 3
    os.mkfifo(tmp_path / "fifo")
    for command in ("transcribe", "listen", "demo"):
        writer = threading.Thread(target=lambda: (tmp_path / "fifo").write_bytes((tmp_path / "a.wav").read_bytes()))
        writer.start()
        result = run_cli(command, tmp_path / "fifo")
        writer.join()
        assert FIRST in result.stdout, result.stderr


def test_raw_samples_are_read_as_the_options_say(
    run_cli, bundled: Transducer, tmp_path: Path, first: np.ndarray
) -> None:
    both = np.stack([np.zeros_like(first), first], 1)
    (tmp_path / "a.raw").write_bytes((both * 32767).astype(">i2").tobytes())
    soundfile.write(tmp_path / "b.wav", first, 16000)
    (tmp_path / "b.wav").rename(tmp_path / "b.raw")
    raw = ["--sample-format", "S16_BE", "--rate", "16000", "--channels", "2", "--channel", "2"]
    result = run_cli("transcribe", *raw, tmp_path / "a.raw")
    assert (result.stdout, result.stderr) == (f"{FIRST}\n", "")
    assert run_cli("listen", *raw, "-", stdin=(tmp_path / "a.raw").read_bytes()).stdout == f"{FIRST}\n"
    batch = run_cli("transcribe", tmp_path / "a.raw", tmp_path / "b.raw")
    assert batch.returncode == 1
    assert batch.stdout == f"{tmp_path / 'b.raw'}: {FIRST}\n"
    assert batch.stderr.startswith(f"nearword: {tmp_path / 'a.raw'}: has no header: say how")
    assert len(batch.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "options",
    [
        ["--rate", "5"], ["--channels", "0"], ["--sample-format", "int12"], ["--channel", "0"], ["--channel", "left"],
        ["--channel", "-1"],
    ],
)  # fmt: skip
def test_audio_that_cannot_be_is_wrong_usage(run_cli, toy_folder: Path, options: list[str]) -> None:
    command = "transcribe" if options[1].isdecimal() else "listen"
    result = run_cli(command, "-m", toy_folder, *options, "-", stdin=bytes(64000))
    assert result.returncode == 2
    assert options[0] in result.stderr


def test_every_channel_has_its_transcript(run_cli, bundled: Transducer, tmp_path: Path) -> None:
    speech = read_audio(DEMO)
    call = np.stack([speech[: int(2.6 * 16000)], speech[-int(2.6 * 16000) :]], 1)
    soundfile.write(tmp_path / "call.wav", call, 16000)
    lines = run_cli("transcribe", "--channel", "each", tmp_path / "call.wav").stdout.splitlines()
    assert {line.split(": ")[0] for line in lines} == {"channel 1", "channel 2"}
    assert f"channel 1: {FIRST}" in lines
    assert any(line.startswith("channel 2: ") and "alarm for seven" in line for line in lines)
    one = run_cli("transcribe", "--channel", "1", tmp_path / "call.wav")
    assert one.stdout == f"{FIRST}\n"
    rows = run_cli("transcribe", "--channel", "each", "-f", "json", tmp_path / "call.wav").stdout.splitlines()
    assert [json.loads(row)["channel"] for row in rows] == [1, 2]
    assert json.loads(rows[0])["text"] == FIRST
    vtt = run_cli("transcribe", "--channel", "each", "-f", "vtt", tmp_path / "call.wav").stdout
    assert "<v channel 1>" in vtt
    assert "<v channel 2>" in vtt
    ctm = run_cli("transcribe", "--channel", "each", "-f", "ctm", tmp_path / "call.wav").stdout.splitlines()
    assert {line.split()[1] for line in ctm} == {"1", "2"}
    stdin = (tmp_path / "call.wav").read_bytes()
    assert sorted(run_cli("transcribe", "--channel", "each", "-", stdin=stdin).stdout.splitlines()) == sorted(lines)
    missing = run_cli("transcribe", "--channel", "3", tmp_path / "call.wav")
    assert missing.stderr == f"nearword: {tmp_path / 'call.wav'}: no channel 3: there are 2 channels\n"
    assert run_cli("listen", "--channel", "each", tmp_path / "call.wav").returncode == 2


def test_channels_wired_the_wrong_way_round_are_heard(run_cli, bundled: Transducer, tmp_path: Path, first) -> None:
    soundfile.write(tmp_path / "turned.wav", np.stack([first, -first], 1), 16000)
    assert run_cli("transcribe", tmp_path / "turned.wav").stdout == f"{FIRST}\n"


def test_a_line_per_utterance_comes_when_the_utterance_has_ended(bundled: Transducer, first: np.ndarray) -> None:
    twice = (np.concatenate([first, np.zeros(24000, np.float32), first]) * 32767).astype("<i2").tobytes()
    command = [*PROGRAM, "transcribe", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(wav(0xFFFFFFFF, data=twice[: len(twice) - 60_000]))
        assert process.stdout.readline().decode() == f"{FIRST}\n"  # while standard input is open
        process.stdin.write(twice[len(twice) - 60_000 :])
        process.stdin.close()
        process.stdin = None
        assert process.stdout.read().decode() == f"{FIRST}\n"
    data = wav(len(twice), data=twice)
    one = subprocess.run([*command, "--one-line"], input=data, capture_output=True, timeout=60, check=True)
    assert one.stdout.decode() == f"{FIRST} {FIRST}\n"


def test_a_recording_without_words_is_an_empty_line(run_cli, toy_folder: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "quiet.wav", np.zeros(8000), 16000)
    assert run_cli("transcribe", tmp_path / "quiet.wav").stdout == "\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("command", ["transcribe", "listen"])
def test_a_signal_prints_what_was_recognised(
    bundled: Transducer, first: np.ndarray, command: str, number: int, code: int
) -> None:
    twice = np.concatenate([first, np.zeros(24000, np.float32), first])
    data = wav(0xFFFFFFFF, data=(twice * 32767).astype("<i2").tobytes())
    with subprocess.Popen(
        [*PROGRAM, command, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(data)
        assert process.stdout.readline().decode() == f"{FIRST}\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (code, b"")
    assert FIRST.startswith(out.decode().strip())


def test_a_signal_while_the_command_begins_ends_it_quietly() -> None:
    for wait in (0.2, 0.4, 0.6):
        with subprocess.Popen(
            [*PROGRAM, "transcribe", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            threading.Event().wait(wait)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
        assert (out.strip(), err) == (b"", b"")
        assert process.returncode in (143, -signal.SIGTERM)


def test_the_exit_code_tells_the_signal_wherever_it_falls(tmp_path: Path) -> None:
    (tmp_path / "falls.py").write_text(
        "import signal, sys\n"
        "from nearword.runtime.cli.interrupt import exit_code, install\n"
        "install()\n"
        "try:\n"
        "    exec('signal.raise_signal(signal.SIGTERM)')  # as data classes and named tuples are made\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(exit_code())\n"
    )
    result = subprocess.run([sys.executable, "-m", "falls"], cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert (result.returncode, result.stderr) == (143, b"")


def test_sigterm_ends_demo_and_evaluate_with_what_there_is(toy_folder: Path, tmp_path: Path, noise: np.ndarray) -> None:
    soundfile.write(tmp_path / "a.wav", np.tile(noise, 4), 16000)
    (tmp_path / "m.tsv").write_text("path\ttext\n" + "a.wav\tyes\n" * 20_000)
    demo = [*PROGRAM, "demo", "--real-time", "-m", toy_folder, tmp_path / "a.wav"]
    evaluate = [*PROGRAM, "evaluate", "-f", "json", "-m", toy_folder, "--details", tmp_path / "d", tmp_path / "m.tsv"]
    unbuffered = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(demo, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, env=unbuffered) as process:
        assert process.stdout
        for _ in range(5):
            process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (143, b"")
    assert b"x real time" in out
    with subprocess.Popen(evaluate, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not (tmp_path / "d").exists() or not (tmp_path / "d").stat().st_size:
            threading.Event().wait(0.05)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (143, b"")
    assert json.loads(out)["utterances"] > 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_names_that_an_output_stream_has_no_letters_for_are_escaped(
    run_cli, toy_folder: Path, tmp_path: Path, noise: np.ndarray, encoding: str, form: str
) -> None:
    name = "Zoë 你 😀.wav"
    soundfile.write(tmp_path / "a.wav", noise[:16000], 16000)
    (tmp_path / "a.wav").rename(tmp_path / name)
    files = [tmp_path / name, tmp_path / f"no {name}"]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    command = [*PROGRAM, "transcribe", "-f", form, "-m", str(toy_folder), *map(str, files)]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"\\u4f60 \\ud83d\\ude00.wav" in done.stdout
    assert b"no such file" in done.stderr
    if form == "json":
        assert json.loads(done.stdout.decode(encoding))["path"] == str(tmp_path / name)


def test_no_exception_of_a_library_ends_a_batch(run_cli, toy_folder: Path, tmp_path: Path, noise: np.ndarray) -> None:
    soundfile.write(tmp_path / "good.wav", noise, 16000)
    bad = {
        "empty.wav": b"", "a.raw": b"\1\2" * 999, "head.flac": b"fLaC" + bytes(99), "some.ogg": b"OggS" + bytes(999),
        "text.mp3": b"hello\n" * 99, "a.gsm": b"\xd2" * 10, "b.vox": b"", "c.sd2": bytes(999),
        "d.m4a": b"\0\0\0\x20ftypM4A ",
    }  # fmt: skip
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    names = [*bad, "none.wav", "x" * 300, "good.wav"]
    result = run_cli("transcribe", "--one-line", "-m", toy_folder, *[tmp_path / name for name in names])
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stdout.splitlines()[-1].startswith(f"{tmp_path / 'good.wav'}: ")
    (tmp_path / "m.tsv").write_text("path\ttext\tend\n" + "".join(f"{name}\tyes\t1.0\n" for name in names))
    figures = json.loads(run_cli("evaluate", "-f", "json", "-m", toy_folder, tmp_path / "m.tsv").stdout)
    assert figures["utterances"] >= 1
    assert figures["utterances"] + figures["broken"] == len(names)
    ends = run_cli("endpoints", "-f", "json", "--preset", "fast", "-m", toy_folder, tmp_path / "m.tsv")
    assert json.loads(ends.stdout)["systems"]
    for name in ("a.raw", "x" * 300):
        for command in ("demo", "listen"):
            alone = run_cli(command, "-m", toy_folder, tmp_path / name)
            assert "Traceback" not in alone.stderr
            assert len(alone.stderr.splitlines()) <= 1
