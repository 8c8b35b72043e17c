import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from demo import DEMO, DEMO_TEXT
from nearword.lattice import read_lattice
from nearword.models import Transducer, read_audio
from nearword.runtime.cli.transcribe_output import GrowingLine
from terminal import on_terminal

PROGRAM = [sys.executable, "-m", "nearword.runtime.cli"]


@pytest.fixture
def noise_file(tmp_path: Path, noise: np.ndarray) -> Path:
    soundfile.write(tmp_path / "noise.wav", noise, 16000)
    return tmp_path / "noise.wav"


def test_text_is_the_words_and_nothing_else(run_cli, bundled: Transducer) -> None:
    result = run_cli("transcribe", DEMO)
    assert result.stdout == DEMO_TEXT + "\n"
    assert result.stderr == ""
    assert result.returncode == 0


def test_json_has_words_with_times(run_cli, toy_folder: Path, noise_file: Path) -> None:
    result = run_cli("transcribe", "--format", "json", "--model", toy_folder, noise_file, noise_file)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == 2
    assert rows[0] == rows[1]
    assert rows[0].keys() == {"path", "seconds", "text", "words", "utterances", "model"}
    assert rows[0]["seconds"] == 3.0
    assert rows[0]["model"] == "toy"
    assert " ".join(word["word"] for word in rows[0]["words"]) == rows[0]["text"]
    assert " ".join(utterance["text"] for utterance in rows[0]["utterances"]) == rows[0]["text"]
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
        "transcribe",
        "--one-line",
        "-m",
        toy_folder,
        noise_file,
        tmp_path / "bad.wav",
        tmp_path / "none.wav",
        noise_file,
    )
    assert result.returncode == 1
    assert result.stdout.count(f"{noise_file}: ") == 2
    assert len(result.stderr.splitlines()) == 2
    assert "bad.wav: not an audio file" in result.stderr
    assert "none.wav: no such file" in result.stderr


def test_of_a_file_that_breaks_off_the_words_before_are_printed(run_cli, tmp_path: Path) -> None:
    (tmp_path / "half.flac").write_bytes(DEMO.read_bytes()[: DEMO.stat().st_size * 2 // 3])
    result = run_cli("transcribe", tmp_path / "half.flac")
    assert result.returncode == 1
    assert result.stdout.startswith(" ".join(DEMO_TEXT.split()[:4]))
    assert re.fullmatch(r"nearword: \S+half\.flac: broken after \d\.\d s .*\n", result.stderr)

    soundfile.write(tmp_path / "half.wav", read_audio(DEMO), 16000)
    (tmp_path / "half.wav").write_bytes((tmp_path / "half.wav").read_bytes()[:100_000])
    result = run_cli("transcribe", tmp_path / "half.wav")
    assert result.returncode == 0
    assert result.stdout.startswith(" ".join(DEMO_TEXT.split()[:4]))
    assert re.fullmatch(r"nearword: \S+half\.wav: cut short: .* promises \d\.\d s, 3\.1 s are there\n", result.stderr)


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


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_subtitles_are_of_one_recording(run_cli, toy_folder: Path, noise_file: Path, name: str) -> None:
    result = run_cli("transcribe", "-m", toy_folder, "-f", name, noise_file, noise_file)
    assert (result.returncode, result.stdout) == (2, "")


def test_the_output_is_never_the_recording(run_cli, toy_folder: Path, noise_file: Path) -> None:
    before = noise_file.read_bytes()
    assert run_cli("transcribe", "-m", toy_folder, noise_file, "-o", noise_file).returncode == 2
    assert noise_file.read_bytes() == before


def pcm(samples: np.ndarray) -> bytes:
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def test_standard_input_gives_what_the_file_gives(run_cli, bundled: Transducer) -> None:
    raw = pcm(read_audio(DEMO))
    assert run_cli("transcribe", "-", stdin=raw).stdout == run_cli("transcribe", DEMO).stdout
    assert run_cli("transcribe", "-", stdin=raw + b"\x01").returncode == 0


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


def test_standard_input_is_named_among_several_and_read_once(
    run_cli, toy_folder: Path, noise_file: Path, noise: np.ndarray
) -> None:
    lines = run_cli("transcribe", "-m", toy_folder, noise_file, "-", stdin=pcm(noise)).stdout.splitlines()
    assert list(dict.fromkeys(line.split(": ")[0] for line in lines)) == [str(noise_file), "-"]
    assert run_cli("transcribe", "-m", toy_folder, "-", "-", stdin=pcm(noise)).returncode == 2


def test_a_terminal_on_standard_input_or_error_takes_no_audio_away(toy_folder: Path, noise: np.ndarray) -> None:
    main, side = pty.openpty()
    command = [*PROGRAM, "transcribe", "-m", str(toy_folder), "-"]
    heard = subprocess.run(command, input=pcm(noise), capture_output=True, timeout=60, check=True)
    beside = subprocess.run(command, input=pcm(noise), stdout=subprocess.PIPE, stderr=side, timeout=60, check=True)
    assert beside.stdout == heard.stdout
    assert heard.stdout.strip()
    typed = subprocess.run(command, stdin=side, capture_output=True, timeout=60, check=False)
    assert typed.returncode == 2
    assert b"arecord" in typed.stderr
    os.close(main)
    os.close(side)


def test_a_growing_line_waits_for_whole_characters() -> None:
    out = io.StringIO()
    line = GrowingLine(out, "-: ")
    for text in ("the", "the caf", "the caf\ufffd", "the café", "the café s"):
        line.show(text)
    assert out.getvalue() == "-: the café s"
    line.end("the café song")
    assert out.getvalue() == "-: the café song\n"


def test_ctrl_c_prints_what_was_recognised_so_far(toy_folder: Path, noise: np.ndarray) -> None:
    command = [*PROGRAM, "transcribe", "--format", "json", "-m", str(toy_folder), "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(pcm(noise))
        process.stdin.flush()
        time.sleep(2.5)  # nothing is printed before the end: there is no sign to wait for
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert json.loads(out)["text"]
    assert b"Traceback" not in err


def test_ctrl_c_within_a_file_prints_what_was_recognised_so_far(
    toy_folder: Path, tmp_path: Path, noise: np.ndarray
) -> None:
    soundfile.write(tmp_path / "long.wav", np.tile(noise, 40), 16000)
    files = [str(tmp_path / "long.wav")] * 50
    command = [*PROGRAM, "transcribe", "--format", "json", "-m", str(toy_folder), *files]
    # unbuffered: communicate does not see what readline took beyond the line
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout
        whole = json.loads(process.stdout.readline())
        # between two files there is nothing to print
        time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"")
    *_, last = map(json.loads, out.splitlines())
    assert len(out.splitlines()) < 49
    assert last["seconds"] < whole["seconds"] == 120
    assert whole["text"].startswith(last["text"][:-20])


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
    for seconds in (90, 30):
        soundfile.write(tmp_path / "a.wav", np.zeros(16000 * seconds), 16000)
        command = [*PROGRAM, "transcribe", "-m", str(toy_folder), str(tmp_path / "a.wav")]
        shown, out = on_terminal(command, stdout_too=False)
        assert ("90 s of audio" in shown) == (seconds == 90)
        assert "audio" not in out


def test_words_and_progress_bar_share_a_terminal(toy_folder: Path, tmp_path: Path, noise: np.ndarray) -> None:
    soundfile.write(tmp_path / "long.wav", np.tile(noise, 10), 16000)
    command = [*PROGRAM, "transcribe", "--one-line", "-m", str(toy_folder), *[str(tmp_path / "long.wav")] * 4]
    words = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode().splitlines()
    shown, _ = on_terminal(command, stdout_too=True)
    assert "120 s of audio" in shown
    lines = shown.replace("\r", "").split("\n")
    assert len([line for line in lines if any(line.endswith(said) for said in words)]) == 4


def test_a_lattice_per_utterance_is_written(run_cli, bundled: Transducer, tmp_path: Path) -> None:
    demo = read_audio(DEMO)
    soundfile.write(tmp_path / "twice.wav", np.concatenate([demo, np.zeros(32000), demo]), 16000)
    folder = tmp_path / "new" / "lattices"
    result = run_cli("transcribe", "--lattice-dir", folder, tmp_path / "twice.wav", "-f", "json")
    utterances = json.loads(result.stdout)["utterances"]
    files = sorted(folder.iterdir())
    assert [path.name for path in files] == [f"twice-{number}.nwl" for number in range(1, len(utterances) + 1)]
    for path, utterance in zip(files, utterances, strict=True):
        lattice = read_lattice(path)
        assert lattice.find(utterance["text"].split()) is not None
        assert lattice.offset + lattice.start.min() == pytest.approx(utterance["start"], abs=0.3)


@pytest.mark.parametrize("form", ["json", "slf", "att", "dot", "svg"])
def test_lattices_in_other_forms(run_cli, bundled: Transducer, tmp_path: Path, form: str) -> None:
    raw = pcm(read_audio(DEMO))
    assert run_cli("transcribe", "-", "--lattice-dir", tmp_path / "d", "--lattice-format", form, stdin=raw).stdout
    names = [path.name for path in (tmp_path / "d").iterdir()]
    assert names
    assert all(name.startswith("stdin-") and name.endswith(f".{form}") for name in names)


def test_lattices_of_recordings_with_one_name_do_not_meet(
    run_cli, toy_folder: Path, tmp_path: Path, noise: np.ndarray
) -> None:
    files = [tmp_path / name for name in ("a/talk.wav", "b/Talk.wav", "b/talk~2.wav", "c/talk.flac")]
    for number, path in enumerate(files, 1):
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, noise[: 16000 + 8000 * number], 16000)
    folder = tmp_path / "d"
    together = run_cli("transcribe", "-m", toy_folder, "--lattice-dir", folder, *files)
    assert together.returncode == 0, together.stderr
    names = ("talk", "Talk~2", "talk~2~2", "talk~3")
    for path, name in zip(files, names, strict=True):
        run_cli("transcribe", "-m", toy_folder, "--lattice-dir", tmp_path / "alone", path)
        alone = tmp_path / "alone" / f"{path.stem}-1.nwl"
        assert (folder / f"{name}-1.nwl").read_bytes() == alone.read_bytes()
    assert {path.name.rsplit("-", 1)[0] for path in folder.iterdir()} == set(names)


def test_a_lattice_folder_that_is_a_file_is_wrong_usage(run_cli, toy_folder: Path, noise_file: Path) -> None:
    result = run_cli("transcribe", "-m", toy_folder, "--lattice-dir", noise_file, noise_file)
    assert (result.returncode, result.stdout) == (2, "")
    assert "no folder can be made there" in result.stderr
