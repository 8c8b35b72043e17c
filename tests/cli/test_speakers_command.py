"""``nearword speakers`` and ``--speakers``: enrol, list, verify, remove, and who has said what."""

import json

import numpy as np
import pytest
import soundfile
from demo import DEMO
from nearword.models import read_audio
from nearword.runtime.recognition.events import Final, from_json
from toy_models import write_toy_model

SPLIT = 25
"""Tenths of a second after which the shipped recording has another voice."""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """The two voices of the shipped recording, and silence."""
    folder = tmp_path_factory.mktemp("recordings")
    samples = read_audio(DEMO)
    quiet, half = np.zeros(16000, np.float32), SPLIT * 16000 // 10
    soundfile.write(folder / "anna.wav", np.concatenate([samples[:half], quiet]), 16000)
    soundfile.write(folder / "ben.wav", np.concatenate([quiet, samples[half:]]), 16000)
    soundfile.write(folder / "silence.wav", np.zeros(32000), 16000)
    return folder


@pytest.fixture
def run(run_cli, tmp_path):
    def call(*arguments, **options):
        return run_cli(*arguments, "--speakers", tmp_path / "home.json", **options)

    return call


@pytest.fixture
def enrolled(run, recordings, tmp_path):
    for name in ("anna", "ben"):
        result = run("speakers", "enrol", name, recordings / f"{name}.wav")
        assert result.returncode == 0, result.stderr
    return tmp_path / "home.json"


def test_enrol_list_verify_remove(run, enrolled, recordings):
    listed = run("speakers", "list", "--format", "json")
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [row["name"] for row in rows] == ["anna", "ben"]
    assert all(row["seconds"] > 1 and row["utterances"] >= 1 for row in rows)

    verified = run("speakers", "verify", recordings / "anna.wav", "--format", "json")
    rows = [json.loads(line) for line in verified.stdout.splitlines()]
    assert verified.returncode == 0
    assert {row["name"] for row in rows} == {"anna"}
    assert all(next(iter(row["scores"])) == "anna" and 0 <= row["whispered"] <= 1 for row in rows)

    removed = run("speakers", "remove", "anna")
    assert "anna is forgotten; 1 enrolled" in removed.stdout
    assert "anna" not in enrolled.read_text()
    assert "anna" not in run("speakers", "list").stdout


def test_verify_says_by_its_exit_code_whether_it_is_who_it_should_be(run, enrolled, recordings):
    assert run("speakers", "verify", recordings / "anna.wav", "--name", "anna").returncode == 0
    refused = run("speakers", "verify", recordings / "anna.wav", "--name", "ben", "--threshold", 0.99)
    assert refused.returncode == 1
    assert refused.stderr == ""


def test_who_is_enrolled_again_has_more(run, enrolled, recordings):
    before = json.loads(run("speakers", "list", "--format", "json").stdout.splitlines()[0])
    again = run("speakers", "enrol", "anna", recordings / "anna.wav", recordings / "ben.wav")
    assert "2 enrolled" in again.stdout
    after = json.loads(run("speakers", "list", "--format", "json").stdout.splitlines()[0])
    assert after["utterances"] >= before["utterances"] + 2


def test_a_recording_without_words_enrols_nobody(run, recordings, tmp_path):
    result = run("speakers", "enrol", "anna", recordings / "anna.wav", recordings / "silence.wav")
    assert result.returncode == 1
    assert "silence.wav: no words are heard in it" in result.stderr
    assert not (tmp_path / "home.json").exists()


def one_line(result, code):
    assert result.returncode == code
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    return result.stderr


def test_what_is_wrong_is_told_in_a_line(run, run_cli, enrolled, recordings, tmp_path):
    assert "'carl' is not enrolled" in one_line(run("speakers", "remove", "carl"), 1)
    assert "there are: anna, ben" in one_line(run("speakers", "verify", recordings / "ben.wav", "--name", "carl"), 1)
    assert "none.wav" in one_line(run("speakers", "enrol", "anna", tmp_path / "none.wav"), 1)
    enrolled.write_text("{}")
    for command in (["speakers", "list"], ["transcribe", recordings / "anna.wav"], ["listen", recordings / "anna.wav"]):
        assert "home.json: damaged, or no file of speakers" in one_line(run(*command), 1)
    missing = run_cli("transcribe", recordings / "anna.wav", "--speakers", tmp_path / "no.json")
    assert "no.json" in one_line(missing, 1)
    plain = write_toy_model(tmp_path / "plain")
    told = one_line(run_cli("listen", recordings / "anna.wav", "--model", plain, "--whispers"), 1)
    assert "speaker.onnx: missing: this model cannot tell speakers apart" in told


def test_an_empty_name_and_a_format_without_a_place_are_wrong_usage(run, recordings, enrolled):
    assert run("speakers", "enrol", " ", recordings / "anna.wav").returncode == 2
    refused = run("transcribe", recordings / "anna.wav", "--format", "srt")
    assert refused.returncode == 2
    assert "no place for speakers" in refused.stderr


def test_transcripts_say_who_has_said_what(run, run_cli, enrolled, recordings):
    lines = run("transcribe", recordings / "anna.wav").stdout.splitlines()
    assert lines
    assert all(line.endswith("  [anna]") for line in lines)
    values = json.loads(run("transcribe", "--format", "json", recordings / "anna.wav").stdout)
    assert {voice["speaker"]["name"] for voice in values["voices"]} == {"anna"}
    assert all(voice["whispered"] < 0.5 for voice in values["voices"])
    plain = run_cli("transcribe", "--format", "json", recordings / "anna.wav")
    without = json.loads(plain.stdout)
    assert "voices" not in without
    assert without["words"] == values["words"]


def test_whispers_are_told_without_anybody_enrolled(run_cli, recordings):
    told = run_cli("transcribe", "--format", "json", "--whispers", recordings / "anna.wav")
    voices = json.loads(told.stdout)["voices"]
    assert voices
    assert all(voice["speaker"] is None and voice["whispered"] < 0.5 for voice in voices)


def test_events_say_who_speaks(run, enrolled, recordings):
    lines = run("listen", recordings / "anna.wav", "--format", "json").stdout.splitlines()
    finals = [event for event in map(from_json, lines) if isinstance(event, Final) and event.text]
    assert finals
    assert all(event.speaker.name == "anna" and -1 <= event.speaker.score <= 1 for event in finals)
    shown = run("listen", recordings / "anna.wav").stdout.splitlines()
    assert all("[anna" in line for line in shown)


def wake_word_and(recordings, folder):
    """Anna's first second, then what she says, then what Ben says."""
    first, second = (read_audio(recordings / f"{name}.wav") for name in ("anna", "ben"))
    begin = int(np.flatnonzero(np.abs(first) > 0.02)[0])
    path = folder / "asked.wav"
    soundfile.write(path, np.concatenate([first[begin : begin + 16000], np.zeros(3200), first, second]), 16000)
    return path


@pytest.mark.parametrize("command", ["transcribe", "listen"])
def test_only_who_says_the_wake_word_is_heard(run_cli, recordings, tmp_path, command):
    path = wake_word_and(recordings, tmp_path)
    everybody, followed = (run_cli(command, path, *options) for options in ((), ("--anchor", "1.0")))
    assert followed.returncode == everybody.returncode == 0
    words = [result.stdout.split() for result in (followed, everybody)]
    assert 0 < len(words[0]) < len(words[1])


@pytest.mark.parametrize("command", ["transcribe", "listen"])
@pytest.mark.parametrize("seconds", ["0.1", "9", "nan"])
def test_what_is_no_wake_word_is_wrong_usage(run_cli, command, seconds):
    result = run_cli(command, DEMO, "--anchor", seconds)
    assert result.returncode == 2
    assert "--anchor" in result.stderr
    assert "expected 0.3 to 5 s" in " ".join(result.stderr.replace("│", " ").split())


def test_a_model_that_cannot_follow_is_told_of_in_one_line(run_cli, tmp_path):
    folder = write_toy_model(tmp_path / "toy")
    result = run_cli("transcribe", DEMO, "--model", folder, "--anchor", "1")
    assert result.returncode == 1
    assert "anchor.onnx: missing" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
