import json
from pathlib import Path

import pytest
from nearword.runtime.context import EventKind, open_store

DEMO = Path(__file__).parents[2] / "runtime" / "audio" / "demo.flac"


@pytest.fixture
def kept(tmp_path: Path) -> list[str]:
    with open_store(tmp_path / "context.db", key=tmp_path / "context.key") as store:
        store.write("kitchen-17", EventKind.reply, ["Do you mean Meg Jones or Meg Bauer?"])
        store.write("hall-3", EventKind.heard, ["call meg"])
    return ["--store", str(tmp_path / "context.db")]


def test_show_lists_interactions_and_texts_only_when_asked(run_cli, kept: list[str], tmp_path: Path) -> None:
    key = ["--key", str(tmp_path / "context.key")]
    plain = run_cli("context", "show", *kept, *key)
    assert plain.returncode == 0
    assert "kitchen-17  reply  expires in" in plain.stdout
    assert "Meg" not in plain.stdout
    texts = run_cli("context", "show", "--texts", "--format", "json", *kept, *key)
    rows = {row["interaction"]: row for row in json.loads(texts.stdout)}
    assert rows["kitchen-17"]["texts"] == {"reply": ["Do you mean Meg Jones or Meg Bauer?"]}
    assert rows["hall-3"]["events"].keys() == {"heard"}


def test_purge_needs_no_key_and_removes_what_is_named_or_all(run_cli, kept: list[str]) -> None:
    assert run_cli("context", "purge", *kept).stdout == "0 rows removed\n"
    assert run_cli("context", "purge", "hall-3", *kept).returncode == 0
    gone = run_cli("context", "purge", "hall-3", *kept)
    assert (gone.returncode, gone.stderr) == (
        1,
        "nearword: hall-3: no such interaction; 'nearword context show' lists them\n",
    )
    assert run_cli("context", "purge", "--all", *kept).stdout == "2 rows removed\n"
    assert run_cli("context", "purge", "--all", "x", *kept).returncode == 2


def test_what_is_not_there_is_told_in_one_line(run_cli, kept: list[str], tmp_path: Path) -> None:
    lost = run_cli("context", "show", *kept, "--key", tmp_path / "lost.key")
    assert lost.returncode == 1
    assert lost.stderr.count("\n") == 1
    assert "no key there" in lost.stderr
    absent = run_cli("context", "show", "--store", tmp_path / "absent.db")
    assert absent.returncode == 2
    assert "no store there" in absent.stderr
    assert run_cli("context", "show", env={"XDG_DATA_HOME": str(tmp_path / "empty")}).stdout == "no store\n"


def test_learn_writes_a_handful_of_numbers(run_cli, tmp_path: Path) -> None:
    which = {"reply": "Which one?", "act": "clarify", "screen": ["Take Five", "Blue Train"]}
    rows = [
        {"context": which, "text": "blue train"},
        {"context": which, "text": "the first one"},
        {"context": {"reply": "Shall I?", "act": "yes_no"}, "text": "turn on the light in the kitchen"},
    ]  # fmt: skip
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run_cli("context", "learn", tmp_path / "d.jsonl", "-o", tmp_path / "w.json")
    assert done.returncode == 0, done.stderr
    weights = json.loads((tmp_path / "w.json").read_text())
    assert 0 < weights["expected"] < 1
    assert weights["sources"]["screen"] > 0.05
    (tmp_path / "d.jsonl").write_text('{"text": "x"}\n')
    wrong = run_cli("context", "learn", tmp_path / "d.jsonl", "-o", tmp_path / "w.json")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
    assert "d.jsonl: line 1" in wrong.stderr


def test_a_dialogue_is_played_and_the_events_say_what_came_of_it(run_cli, tmp_path: Path) -> None:
    script = tmp_path / "dialogue.toml"
    script.write_text('[[turn]]\nreply = "What shall I do?"\nscreen = ["Take Five"]\n[[turn]]\nreply = "Which room?"\n')
    done = run_cli("listen", "--dialogue", script, "--format", "json", DEMO)
    assert done.returncode == 0, done.stderr
    finals = [event for event in map(json.loads, done.stdout.splitlines()) if event["type"] == "final"]
    assert finals[0]["context"]["sources"]
    assert "nearword: reply: What shall I do?" in done.stderr
    assert "nearword: reply: Which room?" in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("turn = 3", "expected tables [[turn]]"),
        ('[[turn]]\nreplay = "x"', "turn 1: context has 'replay'"),
        ("[[turn", "is not TOML"),
    ],
)
def test_a_wrong_dialogue_is_told_in_one_line(run_cli, tmp_path: Path, text: str, told: str) -> None:
    script = tmp_path / "dialogue.toml"
    script.write_text(text)
    done = run_cli("listen", "--dialogue", script, DEMO)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert told in done.stderr
