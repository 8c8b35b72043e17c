"""What all commands share: help, version, completion, and how errors end."""

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest
from conftest import DEMO

SCRIPT = Path(sysconfig.get_path("scripts"), "nearword")
COMMANDS = ("transcribe", "evaluate", "models", "demo")


def test_version_and_help(run_cli) -> None:
    assert run_cli("--version").stdout.startswith("nearword 0.")
    text = run_cli("--help").stdout
    assert all(command in text for command in COMMANDS)


@pytest.mark.parametrize("command", ["transcribe", "evaluate", "endpoints", "demo", "models pull"])
def test_every_command_teaches_with_examples(run_cli, command: str) -> None:
    text = run_cli(*command.split(), "--help").stdout
    examples = text[text.index("Examples") :]
    assert f"nearword {command} " in examples
    assert "\\b" not in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("nearword tran", "transcribe"),
        ("nearword transcribe --model ass", "assistant-en"),
        ("nearword models pull zip", "zipformer-en-66m"),
    ],
)
def test_the_shell_completes_commands_and_model_names(words: str, expected: str) -> None:
    environment = os.environ | {
        "_NEARWORD_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    result = subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert expected in result.stdout.split()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["transcribe", str(DEMO)], ["models"], ["demo"]])
def test_a_full_disk_is_one_line(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run([SCRIPT, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
    assert b"No space left" in result.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_closed_streams_do_no_harm(closed: str) -> None:
    command = f"'{SCRIPT}' transcribe '{DEMO}' {closed}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert bool(result.stdout) == (closed != ">&-")
