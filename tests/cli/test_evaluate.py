import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from nearword.models import Transducer
from nearword.runtime import transcribe_file


@pytest.fixture
def manifest(toy_folder: Path, tmp_path: Path, noise: np.ndarray) -> Path:
    """What the toy model hears, once with a word more, and a file that is not there."""
    soundfile.write(tmp_path / "noise.wav", noise, 16000)
    soundfile.write(tmp_path / "long.wav", np.tile(noise, 2), 16000)
    model = Transducer.load(toy_folder)
    heard, longer = (transcribe_file(model, tmp_path / name).text for name in ("noise.wav", "long.wav"))
    lines = ["path\ttext", f"noise.wav\t{heard.upper()}, Hello!", f"long.wav\t{longer}", "none.wav\tgone"]
    (tmp_path / "m.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path / "m.tsv"


def test_evaluate_counts_and_goes_on_past_broken_audio(
    run_cli, toy_folder: Path, manifest: Path, tmp_path: Path
) -> None:
    result = run_cli("evaluate", manifest, "-m", toy_folder, "-f", "json", "--details", tmp_path / "details.jsonl")
    assert result.returncode == 1
    assert result.stderr == f"nearword: {tmp_path / 'none.wav'}: no such file\n"
    figures = json.loads(result.stdout)
    assert (figures["utterances"], figures["broken"], figures["audio_seconds"]) == (2, 1, 9.0)
    assert (figures["substitutions"], figures["deletions"], figures["insertions"]) == (0, 1, 0)
    assert figures["wer"] == pytest.approx(1 / figures["words"], abs=1e-4)
    assert 0 < figures["real_time_factor"] < 1
    assert 0 < figures["wall_real_time_factor"] < 10
    assert 20e6 < figures["peak_memory_bytes"] < 1e9
    first, second = [json.loads(line) for line in (tmp_path / "details.jsonl").read_text().splitlines()]
    assert first["text"].endswith(", Hello!")
    assert first["reference"] == f"{first['hypothesis']} hello"
    assert (second["path"], second["seconds"]) == (str(tmp_path / "long.wav"), 6.0)
    limited = run_cli("evaluate", manifest, "-m", toy_folder, "--limit", "2")
    assert (limited.returncode, limited.stderr) == (0, "")
    assert "word error rate" in limited.stdout


def test_without_any_usable_audio_there_is_no_rate(run_cli, toy_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text("path\ttext\nnone.wav\tgone\n")
    result = run_cli("evaluate", tmp_path / "m.tsv", "-m", toy_folder, "-f", "json")
    assert result.returncode == 1
    figures = json.loads(result.stdout)
    assert (figures["wer"], figures["wer_low"], figures["broken"]) == (None, None, 1)
    assert "0.0 %" not in run_cli("evaluate", tmp_path / "m.tsv", "-m", toy_folder).stdout


def test_a_bad_manifest_is_one_line(run_cli, tmp_path: Path) -> None:
    result = run_cli("evaluate", tmp_path / "none.tsv")
    assert (result.returncode, result.stderr) == (1, f"nearword: {tmp_path / 'none.tsv'}: no such manifest\n")
    folder = run_cli("evaluate", tmp_path)
    assert (folder.returncode, folder.stderr) == (1, f"nearword: {tmp_path}: cannot be read (Is a directory)\n")


def test_details_that_cannot_be_written_are_told_before_the_work(run_cli, manifest: Path, tmp_path: Path) -> None:
    result = run_cli("evaluate", manifest, "--details", tmp_path / "no" / "details.jsonl")
    assert (result.returncode, result.stdout) == (2, "")
    assert "cannot be written" in result.stderr
    before = manifest.read_text()
    assert run_cli("evaluate", manifest, "--details", manifest).returncode == 2
    assert manifest.read_text() == before


def test_ctrl_c_gives_the_figures_so_far(toy_folder: Path, tmp_path: Path, noise: np.ndarray) -> None:
    soundfile.write(tmp_path / "a.wav", noise, 16000)
    (tmp_path / "m.tsv").write_text("path\ttext\n" + "a.wav\tyes\n" * 20_000)
    details = tmp_path / "details.jsonl"
    program = [sys.executable, "-m", "nearword.runtime.cli"]
    command = [*program, "evaluate", tmp_path / "m.tsv", "-m", toy_folder, "-f", "json", "--details", details]
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ.copy()
    ) as process:
        while not (details.exists() and details.stat().st_size):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == b""
    assert 0 < json.loads(out)["utterances"] == len(details.read_text().splitlines()) < 20_000


def test_real_manifests_are_read_where_they_lie(run_cli, bundled: Transducer, speech_folder: Path) -> None:
    for arguments in (["speechocean762.tsv"], ["barista.jsonl", "--text-key", "aligned_text"]):
        name, *options = arguments
        result = run_cli("evaluate", speech_folder / "dev" / name, *options, "--limit", 10, "-f", "json")
        assert (result.returncode, result.stderr) == (0, "")
        figures = json.loads(result.stdout)
        assert (figures["utterances"], figures["broken"]) == (10, 0)
        assert figures["wer_low"] <= figures["wer"] <= figures["wer_high"]
