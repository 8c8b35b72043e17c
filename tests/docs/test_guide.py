"""The code of the guide's pages and the programs beside them run as they stand."""

import asyncio
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from demo import DEMO, DEMO_TEXT

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = sorted(path.name for path in (DOCS / "guide").glob("*.md") if path.name != "README.md")
CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAID = {
    "audio.md": "channel 1: tell my brother i am on my way",
    "recordings.md": "confidence 0.9",
    "listening.md": "you said: set an alarm for seven\n",
    "phrases.md": "5 phrases here, 2 for all\n",
    "commands.md": "tell {'who': 'brother', 'what': 'on my way'}\nalarm {'time': 'seven'}\n",
    "requests.md": "alarm_set: time=twenty to nine (8:40)\n",
    "stages.md": "set an alarm for seven Rescoring(reason=",
    "embedding.md": "missing.wav",
    "updates.md": "bytes for a list of 1404",
    "dialogues.md": "set an alarm for seven (",
}
"""What stands in what each page prints."""


def run(program: str, folder: Path, *arguments: object) -> str:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs_from_top_to_bottom(page: str, tmp_path: Path) -> None:
    shutil.copy(DEMO, tmp_path / "talk.flac")
    (tmp_path / "contacts.txt").write_text("Anna Kowalski\n")
    code = "\n".join(CODE.findall((DOCS / "guide" / page).read_text()))
    assert SAID[page] in run(code, tmp_path)


def test_the_guide_lists_all_its_pages() -> None:
    listed = re.findall(r"\[(\w+\.md)\]", (DOCS / "guide" / "README.md").read_text())
    assert sorted(listed) == PAGES
    programs = re.findall(r"`(\w+\.py)`", (DOCS / "examples" / "README.md").read_text())
    assert sorted(programs) == sorted(path.name for path in (DOCS / "examples").glob("*.py"))


def test_a_program_prints_the_words_of_a_file(tmp_path: Path) -> None:
    shown = run((DOCS / "examples" / "file.py").read_text(), tmp_path, DEMO)
    words = [line.split()[-1] for line in shown.splitlines() if not line.startswith("utterance")]
    assert " ".join(words) == DEMO_TEXT
    assert "utterance 1, or perhaps: " in shown


def test_a_device_obeys_while_its_loop_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    from nearword.runtime import AudioFile

    program = runpy.run_path(str(DOCS / "examples" / "device_loop.py"))
    device = asyncio.run(program["run"](AudioFile(DEMO)))
    assert device.done == ["tell: brother, on my way", "alarm: seven"]
    assert device.ticks > 5
    assert "begun before" in capsys.readouterr().out


def test_a_program_without_a_microphone_says_so(tmp_path: Path) -> None:
    program = (DOCS / "examples" / "microphone.py").read_text()
    command = [sys.executable, "-c", program, "no such device"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.stderr


def test_a_program_prints_what_the_microphone_hears(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from nearword import runtime

    monkeypatch.setattr(runtime, "Microphone", lambda device: runtime.AudioFile(DEMO), raising=False)
    monkeypatch.setattr(sys, "argv", ["microphone.py"])
    runpy.run_path(str(DOCS / "examples" / "microphone.py"), run_name="__main__")
    assert "tell my brother i am on my way." in capsys.readouterr().out


def test_a_client_of_the_daemon_prints_each_utterance(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("wyoming")
    from nearword.runtime.daemon import ServeSettings
    from nearword.runtime.daemon.engine import Engine
    from serving import served

    engine = Engine.load(ServeSettings(uri=("tcp://127.0.0.1:0",), http="127.0.0.1:0"))
    program = runpy.run_path(str(DOCS / "examples" / "daemon_client.py"))
    served(engine, lambda ports: program["listen"](DEMO, ports.url("/v1/stream")))
    assert "tell my brother i am on my way  (" in capsys.readouterr().out
