"""``--look-ahead``: how far ahead of its words a model hears."""

import json
from pathlib import Path

import pytest
from demo import DEMO


@pytest.mark.parametrize("command", ["transcribe", "listen"])
def test_the_same_words_come_otherwise_scored(run_cli, command: str) -> None:
    near, far = (run_cli(command, DEMO, "-f", "json", *options) for options in ((), ("--look-ahead", "0.67")))
    assert near.returncode == far.returncode == 0, far.stderr
    assert near.stdout != far.stdout
    assert all("alarm" in result.stdout and "seven" in result.stdout for result in (near, far))


def test_errors_and_ends_are_measured_with_it(run_cli, tmp_path: Path) -> None:
    manifest = tmp_path / "set.jsonl"
    manifest.write_text(json.dumps({"path": str(DEMO), "text": "set an alarm for seven", "aligned_end": 3.9}) + "\n")
    for command in ("evaluate", "endpoints"):
        assert run_cli(command, manifest, "--look-ahead", "0.67").returncode == 0
        assert run_cli(command, manifest, "--look-ahead", "9").returncode == 2


@pytest.mark.parametrize(("seconds", "told"), [("0.05", "expected 0.11 to 2.59 s"), ("9", "expected 0.11 to 2.59 s")])
def test_what_a_model_cannot_is_a_wrong_usage(run_cli, seconds: str, told: str) -> None:
    result = run_cli("transcribe", DEMO, "--look-ahead", seconds)
    assert result.returncode == 2
    assert "--look-ahead" in result.stderr
    assert told in " ".join(result.stderr.replace("│", "").split())


def test_a_model_that_lets_none_choose_is_told_in_one_line(run_cli, toy_folder: Path) -> None:
    result = run_cli("transcribe", DEMO, "-m", toy_folder, "--look-ahead", "0.5")
    assert result.returncode == 2
    assert "cannot be chosen" in " ".join(result.stderr.replace("│", "").split())


def test_a_cheap_branch_of_another_look_ahead_is_told(run_cli) -> None:
    result = run_cli("transcribe", DEMO, "--look-ahead", "0.67", "--effort", "low")
    assert result.returncode == 1
    assert result.stderr == (
        "nearword: less than full effort fits a look-ahead of 0.19 s alone, not 0.67; leave one of them as it is\n"
    )
