import json

import pytest
import soundfile
from demo import DEMO
from nearword.models import read_audio
from nearword.runtime.recognition.events import from_json

GRAMMAR = {
    "templates": {"tell": ["tell my $WHO [that] i am $WHAT"], "alarm": ["(set|make) an alarm for $TIME"]},
    "classes": {"who": ["brother", "sister"], "what": ["late", "on my way"], "time": ["six", "seven"]},
}
ORDERS = {"templates": ["brew [a] [$SIZE] $DRINK"], "classes": {"size": ["large"], "drink": ["mocha", "latte"]}}


@pytest.fixture
def written(tmp_path):
    def write(grammar):
        path = tmp_path / "grammar.json"
        path.write_text(grammar if isinstance(grammar, str) else json.dumps(grammar), encoding="utf-8")
        return path

    return write


def test_each_utterance_becomes_what_it_asks_for(run_cli, written):
    result = run_cli("transcribe", "--grammar", written(GRAMMAR), DEMO)
    assert result.stdout == "tell: who=brother, what=on my way\nalarm: time=seven\n"
    assert (result.returncode, result.stderr) == (0, "")


def test_of_several_recordings_each_line_says_which(run_cli, written):
    result = run_cli("transcribe", "--grammar", written(GRAMMAR), DEMO, DEMO)
    assert result.stdout.splitlines()[::2] == [f"{DEMO}: tell: who=brother, what=on my way"] * 2


def test_a_pipe_is_understood_as_well(run_cli, written):
    samples = (read_audio(DEMO) * 32767).astype("<i2").tobytes()
    result = run_cli("transcribe", "--grammar", written(GRAMMAR), "-", stdin=samples)
    assert result.stdout == "tell: who=brother, what=on my way\nalarm: time=seven\n"


def test_json_has_what_was_heard_and_what_it_asks_for(run_cli, written):
    row = json.loads(run_cli("transcribe", "-f", "json", "--grammar", written(GRAMMAR), DEMO).stdout)
    assert [utterance["text"] for utterance in row["utterances"]] == [
        "tell my brother i am on my way",
        "set an alarm for seven",
    ]
    tell, alarm = row["commands"]
    assert tell.pop("log_odds") > 0
    assert tell == {
        "accepted": True,
        "intent": "tell",
        "slots": {"who": "brother", "what": "on my way"},
        "text": "tell my brother i am on my way",
    }
    assert (alarm["intent"], alarm["slots"]) == ("alarm", {"time": "seven"})


def test_what_is_no_command_is_said_to_be_none(run_cli, written):
    path = written(ORDERS)
    first, second = run_cli("transcribe", "--grammar", path, DEMO).stdout.splitlines()
    assert (first, second) == ("no command: tell my brother i am on my way", "no command: set an alarm for seven")
    row = json.loads(run_cli("transcribe", "-f", "json", "--grammar", path, DEMO).stdout)
    nothing = {"accepted": False, "intent": "", "slots": {}, "text": "", "log_odds": 0.0}
    assert row["commands"] == [nothing] * 2


def test_templates_need_no_names(run_cli, written):
    path = written(GRAMMAR | {"templates": [text for texts in GRAMMAR["templates"].values() for text in texts]})
    assert run_cli("transcribe", "--grammar", path, DEMO).stdout.endswith("\ncommand: time=seven\n")


def test_listening_understands_as_well(run_cli, written):
    samples = (read_audio(DEMO) * 32767).astype("<i2").tobytes()
    path = written(GRAMMAR)
    result = run_cli("listen", "--grammar", path, "-", stdin=samples)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "tell: who=brother, what=on my way\nalarm: time=seven\n"
    lines = run_cli("listen", "--grammar", path, "-f", "json", "-", stdin=samples).stdout.splitlines()
    events = [json.loads(line) for line in lines]
    assert all(("command" in event) == (event["type"] in ("speculative_final", "final")) for event in events)
    finals = [event for event in events if event["type"] == "final"]
    assert [event["command"]["intent"] for event in finals] == ["tell", "alarm"]
    assert finals[1]["text"] == "set an alarm for seven"
    assert from_json(lines[-1]).command.slots == {"time": "seven"}


def test_a_set_of_commands_is_evaluated(run_cli, written, tmp_path):
    tell, alarm = tmp_path / "tell.wav", tmp_path / "alarm.wav"
    samples = read_audio(DEMO)
    soundfile.write(tell, samples[: len(samples) // 2], 16000)
    soundfile.write(alarm, samples[len(samples) // 2 :], 16000)
    slots = {"who": "brother", "what": "on my way"}
    rows = [
        {"path": "tell.wav", "text": "tell my brother i am on my way", "intent": "tell", "slots": slots},
        {"path": "alarm.wav", "text": "set an alarm for seven", "intent": "alarm", "slots": {"time": "six"}},
    ]
    manifest, details = tmp_path / "m.jsonl", tmp_path / "details.jsonl"
    manifest.write_text("\n".join(map(json.dumps, rows)))
    path = written(GRAMMAR)
    shown = run_cli("evaluate", manifest, "--grammar", path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "commands understood  50.0 %" in shown.stdout
    assert "of 2; 1 mistaken, 0 rejected" in shown.stdout
    result = run_cli("evaluate", manifest, "--grammar", path, "-f", "json", "--details", details)
    figures = json.loads(result.stdout)["commands"]
    assert (figures["commands"], figures["understood"], figures["mistaken"]) == (2, 1, 1)
    assert 0 < figures["low"] < figures["understood_share"] == 0.5 < figures["high"] < 1
    said = [json.loads(line)["command"]["slots"] for line in details.read_text().splitlines()]
    assert said == [slots, {"time": "seven"}]


def test_without_labels_evaluation_says_how_many_are_commands(run_cli, written, tmp_path):
    (tmp_path / "m.jsonl").write_text(json.dumps({"path": str(DEMO), "text": "something else"}))
    result = run_cli("evaluate", tmp_path / "m.jsonl", "--grammar", written(ORDERS))
    assert "0 of 1 taken for a command" in result.stdout


@pytest.mark.parametrize("command", ["listen", "evaluate"])
def test_a_bad_grammar_is_one_line_everywhere(run_cli, written, tmp_path, command):
    (tmp_path / "m.jsonl").write_text(json.dumps({"path": str(DEMO), "text": "something"}))
    source = {"listen": "-", "evaluate": tmp_path / "m.jsonl"}[command]
    path = written({"templates": ["wake me at 7"]})
    result = run_cli(command, "--grammar", path, source)
    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
    assert result.stderr.startswith(f"nearword: {path}: ")


def test_labels_that_are_none_name_the_recording(run_cli, written, tmp_path):
    (tmp_path / "m.tsv").write_text("path\ttext\tslots\na.wav\tbrew\tmocha\n")
    result = run_cli("evaluate", tmp_path / "m.tsv", "--grammar", written(ORDERS))
    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
    assert "a.wav: 'slots' is no JSON object of texts" in result.stderr


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        ("{", "is not JSON"),
        ('["phrase"]', 'a grammar needs templates; expected for example {"templates"'),
        ({"templates": ["go ("], "phrases": ["a"]}, "template 'go ("),
        ({"templates": ["go to $PLACE"]}, "a template has $PLACE, a class without phrases"),
        ({"templates": {"go": "now"}}, "'templates' of 'go' is no list of texts"),
        ({"templates": ["wake me at 7"]}, "'7': the model has no tokens"),
    ],
)
def test_what_is_wrong_with_a_grammar_is_one_line_that_names_it(run_cli, written, grammar, message):
    path = written(grammar)
    result = run_cli("transcribe", "--grammar", path, DEMO)
    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
    assert f"nearword: {path}: " in result.stderr
    assert message in result.stderr


def test_phrases_that_are_not_used_are_told(run_cli, written):
    path = written({**GRAMMAR, "classes": {**GRAMMAR["classes"], "time": ["seven", "Seven", ""]}})
    result = run_cli("transcribe", "--grammar", path, DEMO)
    assert result.returncode == 0
    assert [line.split(" is not used: ")[1] for line in result.stderr.splitlines()] == [
        "there already as a time in line 1",
        "empty",
    ]


def test_formats_without_a_place_for_commands_are_refused(run_cli, written):
    result = run_cli("transcribe", "-f", "srt", "--grammar", written(GRAMMAR), DEMO)
    assert result.returncode == 2
    assert "srt has no place for commands" in result.stderr


def test_help_teaches_the_format_with_a_grammar_that_works(run_cli, written):
    said = run_cli("transcribe", "--help").stdout
    shown = " ".join(said[said.index('{"templates"') :].split())
    path = written(shown[: shown.index("}}") + 2])
    assert run_cli("transcribe", "--grammar", path, DEMO).stdout.startswith("tell: who=brother, what=on my way\n")
