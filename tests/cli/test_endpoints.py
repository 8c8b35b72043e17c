import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from demo import DEMO
from nearword.models import read_audio


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """The first command of the shipped recording, which ends at 2.5 s, with and without silence behind it."""
    samples = read_audio(DEMO)[: int(2.6 * 16000)]
    soundfile.write(tmp_path / "short.wav", samples, 16000)
    noise = np.random.default_rng(0).normal(0, 1e-4, 64000).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", np.concatenate([samples, noise]), 16000)
    rows = [
        {"path": "short.wav", "end": 2.5}, {"path": "long.wav", "end": 2.5}, {"path": "none.wav"},
    ]  # fmt: skip
    path = tmp_path / "m.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_scorecard_of_real_speech(run_cli, manifest: Path, tmp_path: Path) -> None:
    details = tmp_path / "details.jsonl"
    result = run_cli("endpoints", manifest, "-f", "json", "--details", details)
    assert (result.returncode, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert (report["model"], report["broken"]) == ("assistant-en", 0)
    cards = {card["system"]: card for card in report["systems"]}
    assert list(cards) == ["fast", "balanced", "patient"]
    medians = [card["final_latency"]["p50"]["value"] for card in cards.values()]
    assert medians == sorted(medians)
    balanced = cards["balanced"]
    assert (balanced["recordings"], balanced["unheard"], balanced["never_ended"]) == (2, 0, 0)
    assert balanced["early_cut_offs"]["value"] == 0
    assert 0.2 < balanced["final_latency"]["p50"]["value"] < 1.3
    assert balanced["speculation"]["right"]["value"] == 1
    assert balanced["speculation"]["lead"]["p50"]["value"] >= 0.2
    rows = [json.loads(line) for line in details.read_text().splitlines()]
    assert len(rows) == 6
    assert rows[0]["name"] == str(tmp_path / "short.wav")
    assert "brother" in rows[0]["endings"][0]["text"]

    again = run_cli("endpoints", manifest, "--preset", "fast", "--compare", details, "--plot", tmp_path / "p.svg")
    assert (again.returncode, again.stderr) == (0, "")
    assert re.search(r"early cut-offs\W+0\.0 %", again.stdout)
    picture = (tmp_path / "p.svg").read_text()
    assert all(label in picture for label in ("balanced, final", "patient, speculative", "When the end was found"))


def test_the_peer_is_measured_on_the_same_audio(run_cli, manifest: Path) -> None:
    pytest.importorskip("sherpa_onnx")
    result = run_cli("endpoints", manifest, "-f", "json", "--preset", "balanced", "--peer", "sherpa-onnx")
    own, peer = json.loads(result.stdout)["systems"]
    assert (peer["system"], peer["recordings"], peer["speculation"]) == ("sherpa-onnx", 2, None)
    assert peer["final_latency"]["p50"]["value"] > 1 > own["final_latency"]["p50"]["value"]


@pytest.mark.parametrize(
    ("module", "option", "advice"),
    [
        ("matplotlib", ["--plot", "p.png"], "pip install 'nearword[plot]'"),
        ("sherpa_onnx", ["--peer", "sherpa-onnx"], "pip install sherpa-onnx"),
    ],
)
def test_a_missing_package_is_one_line_before_the_work(
    run_cli, manifest: Path, tmp_path: Path, module: str, option: list[str], advice: str
) -> None:
    (tmp_path / "hide").mkdir()
    (tmp_path / "hide" / f"{module}.py").write_text("raise ImportError")
    result = run_cli("endpoints", manifest, *option, env={"PYTHONPATH": str(tmp_path / "hide")})
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert advice in result.stderr


@pytest.mark.parametrize(
    ("content", "options", "problem"),
    [
        ('{"path": "a.wav"}', [], "no column 'end' or 'aligned_end' with the end of speech (found path)"),
        ('{"path": "a.wav", "end": 1}', ["--end-key", "stop"], "no column 'stop'"),
        ('{"path": "a.wav", "end": "soon"}', [], "end of a.wav is 'soon': expected seconds"),
        ('{"path": "a.wav", "end": -1}', [], "end of a.wav is -1: expected seconds, more than 0"),
        ('{"path": "a.wav", "end": null}', [], "no line has both 'path' and 'end'"),
        ("{not json", [], "line 1 is not JSON"),
        ("path\tend\na.wav\tx", [], "end of a.wav is 'x'"),
    ],
)
def test_a_bad_manifest_is_one_line(run_cli, tmp_path: Path, content: str, options: list[str], problem: str) -> None:
    (tmp_path / "m").write_text(content + "\n")
    result = run_cli("endpoints", tmp_path / "m", *options)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"nearword: {tmp_path / 'm'}: ")
    assert problem in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_broken_audio_is_told_and_the_rest_scored(run_cli, manifest: Path, tmp_path: Path) -> None:
    with manifest.open("a") as file:
        file.write('{"path": "gone.wav", "end": 1}\n{"path": "short.wav", "end": 9}\n')
    result = run_cli("endpoints", manifest, "--preset", "balanced", "-f", "json")
    assert result.returncode == 1
    assert (json.loads(result.stdout)["broken"], json.loads(result.stdout)["systems"][0]["recordings"]) == (2, 2)
    gone, late = result.stderr.splitlines()
    assert gone == f"nearword: {tmp_path / 'gone.wav'}: no such file"
    assert "lasts 2.60 s, but its speech is said to end at 9.0 s" in late


def test_without_a_word_heard_there_is_no_scorecard(run_cli, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    (tmp_path / "m.tsv").write_text("path\tend\nsilent.wav\t0.5\n")
    result = run_cli("endpoints", tmp_path / "m.tsv", "--preset", "balanced")
    assert (result.returncode, result.stdout) == (1, "")
    assert "no words in any of 1 recordings" in result.stderr


@pytest.mark.parametrize("option", [["--plot", "p.txt"], ["--plot", "/no/where.png"], ["--details", "/no/where"]])
def test_wrong_usage_is_told_before_the_work(run_cli, manifest: Path, option: list[str]) -> None:
    assert run_cli("endpoints", manifest, *option).returncode == 2


def test_records_of_other_systems_say_what_is_wrong_with_them(run_cli, manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs.jsonl").write_text('{"name": "a", "end": 1, "seconds": 2, "endings": [{}]}\n')
    result = run_cli("endpoints", manifest, "--compare", tmp_path / "theirs.jsonl")
    assert result.returncode == 1
    assert result.stderr == f"nearword: {tmp_path / 'theirs.jsonl'}: a: time is None: expected seconds, a number\n"


def test_ctrl_c_gives_the_figures_so_far(manifest: Path, tmp_path: Path) -> None:
    manifest.write_text('{"path": "short.wav", "end": 2.5}\n' * 5000)
    details = tmp_path / "details.jsonl"
    command = [sys.executable, "-m", "nearword.runtime.cli", "endpoints", manifest, "-f", "json", "--details", details]
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ.copy()
    ) as process:
        while not (details.exists() and details.stat().st_size):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"")
    cards = json.loads(out)["systems"]
    assert 0 < cards[0]["recordings"] == cards[2]["recordings"] < 5000
