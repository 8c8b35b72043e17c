"""``--understand`` in transcribe, listen and evaluate: speech in, what it asks for out."""

import json

import pytest
import soundfile
from demo import DEMO
from nearword.models import read_audio
from nearword.runtime import Final, SpeculativeFinal
from nearword.runtime.recognition.events import from_json

ALARM = "alarm: time=seven (7)"
GRAMMAR = {"templates": {"tell": ["tell my $WHO i am $WHAT"]}, "classes": {"who": ["brother"], "what": ["on my way"]}}


@pytest.fixture(scope="module")
def raw_demo():
    return (read_audio(DEMO) * 32767).astype("<i2").tobytes()


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    """Two recordings: an alarm is to be set, and a brother is to be told something, which no home does."""
    folder = tmp_path_factory.mktemp("orders")
    samples = read_audio(DEMO)
    soundfile.write(folder / "alarm.wav", samples[int(2.3 * 16000) :], 16000)
    soundfile.write(folder / "tell.wav", samples[: int(2.3 * 16000)], 16000)
    return folder


def test_transcribe_prints_what_an_utterance_asks_for_or_its_words(run_cli, home_file, orders):
    result = run_cli("transcribe", "--understand", home_file, orders / "alarm.wav", orders / "tell.wav")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        f"{orders / 'alarm.wav'}: {ALARM}",
        f"{orders / 'tell.wav'}: not understood: tell my brother i am on my way",
    ]


def test_json_has_slots_with_times_and_values(run_cli, home_file, orders):
    row = json.loads(run_cli("transcribe", "-f", "json", "--understand", home_file, orders / "alarm.wav").stdout)
    [alarm] = row["understandings"]
    [slot] = alarm["slots"]
    assert (alarm["intent"], alarm["source"], slot["text"], slot["value"]) == ("alarm", "model", "seven", 7)
    assert 1 < slot["start_time"] < slot["end_time"] < 2


def test_what_a_grammar_accepts_stands(run_cli, home_file, tmp_path):
    (tmp_path / "tell.json").write_text(json.dumps(GRAMMAR))
    result = run_cli("transcribe", "--grammar", tmp_path / "tell.json", "--understand", home_file, DEMO)
    assert result.stdout.splitlines() == ["tell: who=brother, what=on my way", ALARM]


def test_listen_understands_already_at_the_speculative_end(run_cli, home_file, raw_demo):
    lines = run_cli("listen", "--understand", home_file, "--format", "json", "-", stdin=raw_demo).stdout.splitlines()
    results = [event for event in map(from_json, lines) if isinstance(event, (SpeculativeFinal, Final))]
    assert all(event.understanding is not None for event in results)
    assert [event.understanding.intent for event in results if isinstance(event, Final)][-1] == "alarm"
    text = run_cli("listen", "--understand", home_file, "-", stdin=raw_demo).stdout.splitlines()
    assert text[-1] == ALARM


def test_evaluate_counts_what_was_understood(run_cli, home_file, orders):
    alarm = {"path": "alarm.wav", "text": "set an alarm for seven", "intent": "alarm"}
    (orders / "other.wav").write_bytes((orders / "alarm.wav").read_bytes())
    rows = [
        alarm | {"slots": {"time": "seven"}}, alarm | {"path": "other.wav", "slots": {"time": "eight"}},
        {"path": "tell.wav", "text": "tell my brother i am on my way", "intent": "", "slots": {}},
    ]  # fmt: skip
    (orders / "orders.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run_cli("evaluate", orders / "orders.jsonl", "--understand", home_file, "-f", "json")
    assert result.returncode == 0, result.stderr
    counts = json.loads(result.stdout)["commands"]
    assert (counts["commands"], counts["understood"], counts["others_accepted"]) == (2, 1, 0)


@pytest.mark.parametrize("command", ["transcribe", "listen"])
@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--understand", "nowhere.nlu"], 1, "nowhere.nlu: no such file; expected one of"),
        (["--understand", "{demo}"], 1, "is none of nearword's files"),
    ],
)
def test_a_model_that_cannot_be_used_is_one_line(run_cli, raw_demo, command, arguments, code, told):
    given = [argument.format(demo=DEMO) for argument in arguments]
    result = run_cli(command, *given, "-", stdin=raw_demo)
    assert (result.returncode, result.stdout) == (code, "")
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_form_without_place_for_requests_is_wrong_usage(run_cli, home_file):
    result = run_cli("transcribe", "-f", "srt", "--understand", home_file, DEMO)
    assert result.returncode == 2
    assert "srt has no place for requests" in result.stderr
