"""What all commands share: help, version, completion, and how errors end."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from demo import DEMO

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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named_and_figures_are_not_lost(run_cli, tmp_path: Path) -> None:
    full = "/dev/full: No space left on device"
    result = run_cli("transcribe", "-o", "/dev/full", DEMO)
    assert (result.returncode, result.stderr) == (1, f"nearword: {full}\n")
    (tmp_path / "m.tsv").write_text(f"path\ttext\n{DEMO}\thello\n")
    result = run_cli("evaluate", tmp_path / "m.tsv", "--details", "/dev/full")
    assert (result.returncode, result.stderr) == (1, f"nearword: {full}\n")
    assert "word error rate" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["transcribe", "--lm", "none.bin", str(DEMO)], "none.bin: No such file or directory"),
        (["transcribe", "--lm", str(DEMO), str(DEMO)], f"{DEMO}: is no language model; expected ARPA text"),
        (["transcribe", "-m", ".", str(DEMO)], f"encoder.onnx: missing; expected encoder*.onnx in {Path.cwd()}"),
        (["lattice", "show", "none.nwl"], "none.nwl: No such file or directory"),
        (["lattice", "draw", "."], ".: Is a directory"),
        (["lm", "train", "/dev/null", "-o", "lm.bin"], "/dev/null: no text to train on; expected a sentence a line"),
        (["transcribe", "-"], "standard input: no audio came"),
        (["listen", "-"], "standard input: no audio came"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_it(run_cli, arguments: list[str], told: str) -> None:
    result = run_cli(*arguments)
    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
    assert result.stderr.startswith(f"nearword: {told}")


def test_a_list_without_phrases_is_told(run_cli, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n")
    result = run_cli("transcribe", "--bias", tmp_path / "names.txt", DEMO)
    assert (result.returncode, result.stderr) == (0, f"nearword: {tmp_path / 'names.txt'}: no phrase to boost\n")
    assert result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["transcribe", "a.wav", "-o", "a.wav"],
        ["evaluate", "a.tsv", "--details", "a.tsv"],
        ["endpoints", "a.tsv", "--details", "a.tsv"],
        ["lm", "train", "a.txt", "-o", "a.txt"],
    ],
)
def test_nothing_is_written_over_what_is_read(run_cli, tmp_path: Path, arguments: list[str]) -> None:
    paths = [tmp_path / word if word.startswith("a.") else word for word in arguments]
    paths[-1].write_text("precious")
    result = run_cli(*paths)
    assert (result.returncode, paths[-1].read_text()) == (2, "precious")
    assert "it would be lost" in result.stderr


@pytest.mark.parametrize("output", ["", "/dev/null"])
def test_a_language_model_replaces_files_only(run_cli, tmp_path: Path, output: str) -> None:
    (tmp_path / "a.txt").write_text("go home")
    result = run_cli("lm", "train", tmp_path / "a.txt", "-o", output or tmp_path)
    assert result.returncode == 2
    assert "is no file that could be replaced" in result.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_closed_streams_do_no_harm(closed: str) -> None:
    command = f"'{SCRIPT}' transcribe '{DEMO}' {closed}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert bool(result.stdout) == (closed != ">&-")


def test_an_interrupt_while_libraries_load_leaves_no_trace() -> None:
    program = (
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'numpy':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from nearword.runtime.cli import main\n"
        "main()\n"
    )
    result = subprocess.run([sys.executable, "-c", program, "demo"], capture_output=True, timeout=60, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (130, b"", b"")


def test_every_public_name_is_there_when_it_is_asked_for() -> None:
    program = "from nearword.runtime import *; import nearword.runtime as r; print(callable(speculate)); r.nothing"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False, text=True)
    assert result.stdout == "True\n"
    assert "AttributeError: No nearword.runtime attribute nothing" in result.stderr


def test_one_command_imports_none_of_the_others() -> None:
    program = (
        "import sys\n"
        "from nearword.runtime.cli.app import app\n"
        "try:\n"
        "    app(['models', '--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "print('loaded:', *sorted(m for m in sys.modules if m.startswith('nearword.runtime.cli.')))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = result.stdout.splitlines()[-1]
    assert "nearword.runtime.cli.models" in loaded
    assert not any(f"cli.{other}" in loaded for other in ("listen", "evaluate", "serve", "understand", "lattice"))
