import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import DEMO
from nearword.models import Transducer

SAID = "call maria and tell her i am running late set a timer for ten minutes"


def test_version_and_help(run_cli) -> None:
    assert run_cli("--version").stdout.startswith("nearword 0.")
    text = run_cli("--help").stdout
    for command in ("transcribe", "evaluate", "models", "demo"):
        assert command in text
    assert "nearword transcribe meeting.wav" in run_cli("transcribe", "--help").stdout


def test_demo_shows_words_as_they_come_and_the_transcript(run_cli, bundled: Transducer) -> None:
    result = run_cli("demo")
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert "call maria and tell her i am running late set a timer for ten minutes" in lines
    assert any(" s " in line and line.endswith("call maria") for line in lines)
    assert "x real time" in lines[-1]


def test_demo_of_an_own_recording(run_cli, toy_folder: Path, tmp_path: Path, noise: np.ndarray) -> None:
    soundfile.write(tmp_path / "own.wav", noise, 16000)
    assert "own.wav" in run_cli("demo", "-m", toy_folder, tmp_path / "own.wav").stdout
    missing = run_cli("demo", tmp_path / "none.wav")
    assert missing.returncode == 1
    assert missing.stderr == f"nearword: {tmp_path / 'none.wav'}: no such file\n"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "quiet.wav", np.zeros(16000), 16000)
    (tmp_path / "m.tsv").write_text(f"path\ttext\n{DEMO}\t{SAID}\nquiet.wav\thello\nnone.wav\tgone\n")
    return tmp_path / "m.tsv"


def test_evaluate_counts_and_goes_on_past_broken_audio(
    run_cli, bundled: Transducer, manifest: Path, tmp_path: Path
) -> None:
    result = run_cli("evaluate", manifest, "--format", "json", "--details", tmp_path / "details.jsonl")
    assert result.returncode == 1
    assert result.stderr == f"nearword: {tmp_path / 'none.wav'}: no such file\n"
    figures = json.loads(result.stdout)
    assert (figures["utterances"], figures["broken"], figures["words"], figures["deletions"]) == (2, 1, 16, 1)
    assert figures["wer"] == pytest.approx(1 / 16, abs=1e-4)
    assert 0 < figures["real_time_factor"] < 1
    rows = [json.loads(line) for line in (tmp_path / "details.jsonl").read_text().splitlines()]
    assert rows[1] == {"path": str(tmp_path / "quiet.wav"), "text": "hello", "hypothesis": ""}
    assert "word error rate" in run_cli("evaluate", manifest, "--limit", "2").stdout


def test_evaluate_of_a_bad_manifest_is_one_line(run_cli, tmp_path: Path) -> None:
    result = run_cli("evaluate", tmp_path / "none.tsv")
    assert (result.returncode, result.stderr) == (1, f"nearword: {tmp_path / 'none.tsv'}: no such manifest\n")


def test_models_lists_and_shows(run_cli, bundled: Transducer) -> None:
    listing = run_cli("models").stdout
    assert "assistant-en" in listing
    assert "zipformer-en-20m" in listing
    rows = json.loads(run_cli("models", "--format", "json").stdout)
    assert {"name", "origin", "about"} == set(rows[0])
    shown = json.loads(run_cli("models", "show", "assistant-en", "--format", "json").stdout)
    assert shown["chunk_ms"] == 320
    assert shown["vocabulary"] == bundled.info.vocab_size
    assert "chunk_ms" in run_cli("models", "show", "assistant-en").stdout
    assert run_cli("models", "show", "nothing-there").returncode == 1
