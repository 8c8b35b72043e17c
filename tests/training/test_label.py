"""Recordings without text, labelled by a bigger recogniser: the unsure is left out, an interruption costs nothing."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")
from demo import DEMO
from nearword.models import NearwordError
from nearword.models.training.label import Label, label_folder, recordings_in


class Scripted:
    """Says what it is told to, by the length of the recording."""

    def __init__(self, answers: dict[float, Label]) -> None:
        self.answers, self.asked = answers, 0

    def __call__(self, samples: np.ndarray) -> Label:
        self.asked += 1
        return self.answers[round(len(samples) / 16000, 1)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "speech" / "deep").mkdir(parents=True)
    for name, seconds in (("a.wav", 1.0), ("deep/b.flac", 2.0), ("c.wav", 3.0), ("short.wav", 0.1), ("long.wav", 31.0)):
        soundfile.write(tmp_path / "speech" / name, rng.normal(0, 0.1, int(16000 * seconds)), 16000)
    (tmp_path / "speech" / "broken.wav").write_bytes(b"RIFF")
    (tmp_path / "speech" / "notes.txt").write_text("no audio")
    return tmp_path / "speech"


ANSWERS = {
    1.0: Label("Turn it off, please!", 0.92),
    2.0: Label("mumble", 0.31),
    3.0: Label("", 0.0),
}


def rows(manifest: Path) -> list[dict[str, str]]:
    with manifest.open() as table:
        return list(csv.DictReader(table, delimiter="\t"))


def test_what_is_unsure_is_left_out_and_another_bound_needs_no_new_labels(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher = Scripted(ANSWERS)
    assert label_folder(folder, tmp_path / "out.tsv", teacher, 0.7) == (5, 1)
    [row] = rows(tmp_path / "out.tsv")
    assert row == {"path": "speech/a.wav", "seconds": "1.00", "certainty": "0.920", "text": "turn it off please"}
    assert "broken.wav" in capsys.readouterr().out
    # too short and too long ones are not even asked for
    assert teacher.asked == 3
    assert label_folder(folder, tmp_path / "out.tsv", teacher, 0.3) == (5, 2)
    assert teacher.asked == 3


def test_labelling_goes_on_where_it_was_interrupted(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        label_folder(folder, tmp_path / "out.tsv", Scripted({1.0: ANSWERS[1.0], 3.0: ANSWERS[3.0]}), 0.7)
    assert not (tmp_path / "out.tsv").exists()
    with (tmp_path / "out.all.tsv").open("a") as cut_off:
        cut_off.write("speech/deep/b.fl")
    rest = Scripted(ANSWERS)
    assert label_folder(folder, tmp_path / "out.tsv", rest, 0.7) == (5, 1)
    assert rest.asked == 1


def test_a_folder_without_recordings_is_told(tmp_path: Path) -> None:
    with pytest.raises(NearwordError, match=r"no recordings there; expected files that end in \.wav"):
        recordings_in(tmp_path)


def test_the_manifest_is_what_prepare_takes(folder: Path, tmp_path: Path) -> None:
    from nearword.models.training.prepare import read_manifest

    shutil.copy(DEMO, folder / "demo.flac")
    seconds = round(soundfile.info(DEMO).duration, 1)
    label_folder(folder, tmp_path / "out.tsv", Scripted({**ANSWERS, seconds: Label("tell my brother", 0.99)}), 0.9)
    recordings = read_manifest(tmp_path / "out.tsv", tmp_path, "extra")
    assert sorted(one.text for one in recordings) == ["tell my brother", "turn it off please"]
    assert all(one.path.exists() for one in recordings)
