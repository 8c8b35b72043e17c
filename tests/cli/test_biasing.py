import json

import pytest
from demo import DEMO, DEMO_TEXT


def test_check_shows_how_each_phrase_is_written_and_what_is_refused(run_cli, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("Meg Bauer\n\u0412\u043b\u0430\u0434\n[device]\nden lamp :2\nDen Lamp\n", encoding="utf-8")
    result = run_cli("biasing", "check", listed)
    assert result.returncode == 0
    assert "Meg Bauer  [phrase]\n    \u2581me g" in result.stdout
    assert "den lamp :2  [device]" in result.stdout
    assert "    sounds like: d eh n / l ae m p\n" in result.stdout
    assert result.stdout.endswith("list.txt: 2 phrases used, 2 refused\n")
    first, second = result.stderr.splitlines()
    assert first.startswith("nearword: list.txt:2: '\u0412\u043b\u0430\u0434' is not used: the model has no tokens for")
    assert second == "nearword: list.txt:5: 'Den Lamp' is not used: there already as a device in line 4"


def test_check_as_json_holds_the_same(run_cli, tmp_path):
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps({"classes": {"contact": ["Meg", ""]}, "templates": ["call $CONTACT"]}))
    result = json.loads(run_cli("biasing", "check", listed, "--format", "json").stdout)
    assert result["used"] == 1
    assert result["phrases"][0]["spellings"] == ["Meg", "Meg's"]
    assert "".join(result["phrases"][0]["tokens"][0]) == "\u2581meg"
    assert result["phrases"][0]["sounds"] == ["m eh g"]
    assert result["refused"] == [{"line": 2, "text": "", "reason": "empty", "used": False}]


def test_check_shows_as_many_as_asked_for(run_cli, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("one\ntwo\nthree\n")
    result = run_cli("biasing", "check", listed, "--limit", 1)
    assert "one" in result.stdout
    assert "two" not in result.stdout
    assert "3 phrases used (2 more not shown), 0 refused" in result.stdout


def test_a_list_of_nothing_useful_ends_in_1_and_broken_files_in_one_line(run_cli, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.write_text("# nothing\n")
    assert run_cli("biasing", "check", empty).returncode == 1
    broken = tmp_path / "broken.json"
    for content, message in (
        (b"{", "is not JSON"),
        (b'{"templates": ["call ("], "phrases": ["a"]}', "template 'call ('"),
    ):
        broken.write_bytes(content)
        result = run_cli("biasing", "check", broken)
        assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
        assert message in result.stderr
    assert run_cli("biasing", "check", tmp_path / "none.txt").returncode == 1
    assert run_cli("biasing", "check").returncode == 2


@pytest.fixture
def calls(tmp_path):
    """One recording and a manifest of it, with a list that has a phrase of it."""
    (tmp_path / "calls.jsonl").write_text(json.dumps({"path": str(DEMO), "text": DEMO_TEXT}) + "\n")
    (tmp_path / "list.txt").write_text("my brother\nMeg Bauer\nden lamp\n")
    return tmp_path


def test_report_splits_errors_and_tells_the_cost(run_cli, calls):
    result = run_cli(
        "biasing", "report", calls / "calls.jsonl", "--bias", calls / "list.txt", "--sizes", "1", "--format", "json"
    )
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)["rows"]
    assert [row["phrases"] for row in rows] == [0, 1, 3]
    assert all((row["biased_words"], row["said"], row["false_accepts"]) == (2, 1, 0) for row in rows)
    assert rows[1]["found"] == 1  # the one that is said stays on the shorter list
    assert rows[2]["bytes_per_phrase"] > 0
    assert "whole list" in run_cli("biasing", "report", calls / "calls.jsonl", "--bias", calls / "list.txt").stdout


def test_tune_writes_settings_that_bias_takes(run_cli, calls):
    command = ("biasing", "tune", calls / "calls.jsonl", "--bias", calls / "list.txt")
    result = run_cli(*command, "--output", calls / "strengths.json")
    assert result.returncode == 0, result.stderr
    assert "tuned: " in result.stderr
    settings = json.loads((calls / "strengths.json").read_text())
    assert 0 <= settings["classes"]["phrase"]["strength"] <= 1
    again = run_cli(*command[:2], *command[2:], "--bias", calls / "strengths.json")
    assert json.loads(again.stdout) == settings


def test_wrong_usage_of_report_and_tune_is_told(run_cli, calls):
    listed = ("--bias", calls / "list.txt")
    assert run_cli("biasing", "report", calls / "calls.jsonl").returncode == 2
    assert run_cli("biasing", "report", calls / "calls.jsonl", *listed, "--sizes", "many").returncode == 2
    (calls / "empty.txt").write_text("# nothing\n")
    assert run_cli("biasing", "tune", calls / "calls.jsonl", "--bias", calls / "empty.txt").returncode == 2
    missing = run_cli("biasing", "tune", calls / "none.tsv", *listed)
    assert (missing.returncode, len(missing.stderr.splitlines())) == (1, 1)


def test_attention_needs_a_list_and_leaves_words_that_are_right(run_cli, tmp_path):
    listed = tmp_path / "names.txt"
    listed.write_text("Meg Bauer\nXavier Knight\n")
    result = run_cli("transcribe", DEMO, "--bias", listed, "--attention", "--one-line")
    assert (result.returncode, result.stdout.strip()) == (0, DEMO_TEXT)
    without = run_cli("transcribe", DEMO, "--attention")
    assert without.returncode == 2
    assert "there is nothing to attend to; give --bias FILE too" in without.stderr
