import json

import pytest
from conftest import DEMO
from nearword.models import read_audio

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
    assert row["commands"] == [{"accepted": False}] * 2


def test_templates_need_no_names(run_cli, written):
    path = written(GRAMMAR | {"templates": [text for texts in GRAMMAR["templates"].values() for text in texts]})
    assert run_cli("transcribe", "--grammar", path, DEMO).stdout.endswith("\ncommand: time=seven\n")


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
