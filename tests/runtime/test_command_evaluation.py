from pathlib import Path

import pytest
from nearword.runtime import Command
from nearword.runtime.evaluation.commands import Labels, labels_of, score_commands
from nearword.runtime.evaluation.word_errors import Entry, ManifestError, read_manifest

SIX = Command(True, "alarm", {"time": "six"})
NONE = Command(False)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, None),
        ({"intent": "alarm"}, Labels("alarm", None)),
        ({"intent": "alarm", "slots": {"Time": "Six "}}, Labels("alarm", {"time": "six"})),
        ({"intent": "alarm", "slots": '{"time": "six"}'}, Labels("alarm", {"time": "six"})),
        ({"slots": {"time": "six"}}, Labels(None, {"time": "six"})),
        ({"intent": None, "slots": {"time": "six"}}, Labels(None, {"time": "six"})),
        ({"intent": "stop", "slots": ""}, Labels("stop", {})),
        ({"slots": {}}, Labels(None, {})),
        ({"intent": ""}, Labels("", None)),
        ({"intent": None, "slots": None}, Labels("", {})),
    ],
)
def test_columns_say_what_is_asked_for(labels, expected):
    assert labels_of(Entry(Path("a.wav"), "text", labels)) == expected


@pytest.mark.parametrize("slots", ["six", "[1]", ["six"], {"time": 6}, 7])
def test_slots_that_are_none_are_told(slots):
    with pytest.raises(ManifestError, match=r"a\.wav: 'slots' is no JSON object of texts; expected for example"):
        labels_of(Entry(Path("a.wav"), "text", {"slots": slots}))


@pytest.mark.parametrize(
    ("labels", "command", "fits"),
    [
        (Labels("alarm", {"time": "six"}), SIX, True),
        (Labels("Alarm", None), SIX, True),
        (Labels(None, {"time": "six"}), SIX, True),
        (Labels("alarm", {"time": "six"}), Command(True, "", {"time": "six"}), True),
        (Labels("timer", {"time": "six"}), SIX, False),
        (Labels("alarm", {"time": "seven"}), SIX, False),
        (Labels("alarm", {}), SIX, False),
        (Labels("alarm", {"time": "six", "day": "today"}), SIX, False),
        (Labels("alarm", None), NONE, False),
        (Labels(None, {}), NONE, False),
        (Labels("", {}), NONE, True),
        (Labels("", None), SIX, False),
    ],
)
def test_a_command_is_understood_if_all_of_it_is_right(labels, command, fits):
    assert labels.fit(command) == fits


def test_what_becomes_of_commands_is_counted():
    alarm = Labels("alarm", {"time": "six"})
    labels = [alarm, alarm, alarm, Labels("", None), Labels("", {}), None, None]
    score = score_commands(labels, [SIX, NONE, Command(True, "stop"), SIX, NONE, SIX, NONE])
    assert (score.commands, score.understood, score.mistaken) == (3, 1, 1)
    assert (score.others, score.others_accepted) == (2, 1)
    assert (score.unlabelled, score.unlabelled_accepted) == (2, 1)
    assert score.share.low < 1 / 3 < score.share.high


def test_a_table_has_slots_as_json(tmp_path):
    (tmp_path / "m.tsv").write_text('path\ttext\tintent\tslots\na.wav\tat six\talarm\t{"time": "six"}\n')
    [entry] = read_manifest(tmp_path / "m.tsv")
    assert labels_of(entry) == Labels("alarm", {"time": "six"})
