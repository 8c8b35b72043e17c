"""``--effort``: how much of the encoder is computed."""

import json
from pathlib import Path

import pytest
from demo import DEMO


@pytest.mark.parametrize("command", ["transcribe", "listen"])
def test_a_model_without_a_cheap_branch_is_told_in_one_line(run_cli, toy_folder: Path, command: str) -> None:
    result = run_cli(command, DEMO, "-m", toy_folder, "--effort", "balanced")
    assert result.returncode == 1
    told = "missing: this model computes every step in full; leave effort at full"
    assert result.stderr == f"nearword: {toy_folder / 'branch_gate.onnx'}: {told}\n"
    assert not result.stdout


def test_an_effort_that_there_is_not_is_refused(run_cli) -> None:
    result = run_cli("transcribe", DEMO, "--effort", "none")
    assert result.returncode == 2
    assert "'full', 'balanced', 'low'" in result.stderr


def test_words_come_with_every_effort(run_cli) -> None:
    full, default, low = (
        run_cli("transcribe", DEMO, "-f", "json", *options)
        for options in (("--effort", "full"), (), ("--effort", "low"))
    )
    assert full.stdout == default.stdout
    assert full.stdout != low.stdout  # some steps were cheap: times or confidences differ
    assert low.returncode == 0
    assert json.loads(low.stdout.splitlines()[0])["words"]
