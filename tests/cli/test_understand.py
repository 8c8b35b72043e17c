"""``nearword understand``: from examples to answers, and what it says where that fails."""

import json

import pytest
from home_requests import HOME


def test_what_is_trained_can_be_tried_and_measured(run_cli, tmp_path):
    rows = [(f"{verb} the {thing}", verb, thing) for verb in ("open", "close") for thing in ("door", "box", "gate")]
    lines = []
    for text, intent, thing in rows:
        slot = {"slot": "thing", "start": len(text) - len(thing), "end": len(text)}
        lines.append(json.dumps({"text": text, "intent": intent, "slots": [slot]}))
    lines.append(json.dumps({"text": "open the door", "intent": "close"}))
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    trained = run_cli("understand", "train", tmp_path / "a.jsonl", "-o", tmp_path / "a.nlu", "--max-kb", 60)
    assert trained.returncode == 0, trained.stderr
    assert "2 intents, 1 kinds of slot" in trained.stdout
    assert "the data disagree: intent of 'open the door'" in trained.stderr
    measured = run_cli("understand", "evaluate", tmp_path / "a.nlu", tmp_path / "a.jsonl", "-f", "json")
    figures = json.loads(measured.stdout)
    assert figures["requests"] == 7
    assert figures["slots"] == 6
    assert figures["bytes"] <= 66_000


def test_intents_of_texts_beside_are_not_learnt(run_cli, tmp_path):
    for name, intents in (("ours", ("open", "close")), ("beside", ("buy", "sell", "lend"))):
        rows = [{"text": f"{intent} the {thing}", "intent": intent} for intent in intents for thing in ("door", "box")]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    model, ours, beside = (tmp_path / name for name in ("a.nlu", "ours.jsonl", "beside.jsonl"))
    trained = run_cli("understand", "train", ours, "--beside", beside, "-o", model, "--max-kb", 60)
    assert trained.returncode == 0, trained.stderr
    assert json.loads(run_cli("understand", "show", model, "-f", "json").stdout)["intents"].keys() == {"close", "open"}


def test_a_text_is_tried(run_cli, home_file):
    tried = run_cli("understand", "try", home_file, "wake me at twenty to nine", "turn on the kitchen light")
    assert tried.stdout.splitlines()[0].startswith("alarm: time=twenty to nine (8:40)")
    assert tried.stdout.splitlines()[1].startswith("light_on: room=kitchen")
    from_pipe = run_cli("understand", "try", home_file, "--format", "json", stdin=b"call anna\nyes\n")
    first, second = map(json.loads, from_pipe.stdout.splitlines())
    assert first["slots"][0]["text"] == "anna"
    assert second["intent"] == "yes"


def test_a_model_is_shown(run_cli, home_file):
    shown = run_cli("understand", "show", home_file)
    assert "4 intents" in shown.stdout
    assert "alarm: time" in shown.stdout
    figures = json.loads(run_cli("understand", "show", home_file, "-f", "json").stdout)
    assert figures["bytes"] == home_file.stat().st_size
    assert set(figures["intents"]) == {"alarm", "call", "light_off", "light_on"}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["evaluate", "no.nlu", "{data}"], 1, "no.nlu: no such file"),
        (["evaluate", "{data}", "{data}"], 1, "is none of nearword's files"),
        (["try", "{model}", "--format", "srt", "x"], 2, "srt"),
        (["train", "{data}", "-o", "{data}"], 2, "it would be lost"),
        (["train", "{data}", "-o", "no/where.nlu"], 2, "no such folder"),
        (["train", "{broken}", "-o", "x.nlu"], 1, "broken.jsonl:1: is no JSON"),
    ],
)
def test_wrong_usage_and_wrong_files_are_one_line(run_cli, tmp_path, home_file, arguments, code, told):
    (tmp_path / "broken.jsonl").write_text("{\n")
    places = {"data": HOME, "broken": tmp_path / "broken.jsonl", "model": home_file}
    result = run_cli("understand", *(argument.format(**places) for argument in arguments))
    assert result.returncode == code
    assert told in result.stderr
    assert "Traceback" not in result.stderr
