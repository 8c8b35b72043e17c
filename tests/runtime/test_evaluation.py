import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from nearword.models import AudioError
from nearword.runtime.evaluation.word_errors import (
    Entry,
    ManifestError,
    Result,
    normalise,
    read_manifest,
    recognise_all,
    score,
)


def results(*pairs: tuple[str, str]) -> list[Result]:
    return [Result(Entry(Path("x"), reference), hypothesis, 2.0) for reference, hypothesis in pairs]


def test_errors_are_told_apart() -> None:
    figures = score(
        results(("call meg bauer now", "call mad bauer"), ("lights off", "the lights off"), ("stop", "stop")), 1.2, 2.0
    )
    assert (figures.words, figures.substitutions, figures.deletions, figures.insertions) == (7, 1, 1, 1)
    assert figures.error_rate == pytest.approx(3 / 7)
    assert 0 <= figures.low <= figures.error_rate <= figures.high
    assert figures.real_time_factor == pytest.approx(1.2 / 6)
    assert figures.peak_memory > 10_000_000


def test_words_where_nothing_was_said_count_as_insertions() -> None:
    figures = score(results(("", "oh no"), ("yes", "yes")), 0, 0)
    assert figures.insertions == 2
    assert figures.error_rate == 2.0


def test_without_reference_words_there_is_no_rate() -> None:
    for figures in (score([], 0, 0), score(results(("", "oh")), 0, 0)):
        assert all(math.isnan(value) for value in (figures.error_rate, figures.low, figures.high))


def test_the_interval_covers_what_more_data_would_show() -> None:
    """The error rate of a whole population lies in 95 of 100 intervals of samples, give or take."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(60):
        wrong = rng.random(60) < 0.3
        figures = score(results(*[("a b c d", "x x c d" if bad else "a b c d") for bad in wrong]), 0, 0)
        hits += figures.low <= 0.15 <= figures.high
    assert 51 <= hits <= 60


def test_peak_memory_is_this_process_alone() -> None:
    """A child of a large process does not inherit its figure."""
    child = "from nearword.runtime.evaluation.word_errors import peak_memory; print(peak_memory())"
    parent = (
        "import subprocess, sys; held = b'x' * 600_000_000;"
        f"subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    )
    result = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
    assert 10e6 < int(result.stdout) < 400e6


def test_the_interval_is_the_same_every_time_and_narrows_with_more_data() -> None:
    few = results(*[("a b c d", "a b c x"), ("a b c d", "a b c d")] * 10)
    many = results(*[("a b c d", "a b c x"), ("a b c d", "a b c d")] * 400)
    assert score(few, 0, 0).low == score(few, 0, 0).low
    wide, narrow = score(few, 0, 0), score(many, 0, 0)
    assert narrow.high - narrow.low < (wide.high - wide.low) / 2


def test_case_and_punctuation_do_not_count() -> None:
    assert normalise("Don't—STOP, me_now!  Don\u2019t.") == "don't stop me now don't"


def test_broken_audio_is_told_and_left_out() -> None:
    def recognise(path: Path) -> tuple[str, float]:
        if path.name == "bad":
            raise AudioError(path, "is empty")
        return "Yes.", 1.0

    told = []
    entries = [Entry(Path("good"), "yes"), Entry(Path("bad"), "no")]
    found = list(recognise_all(entries, recognise, lambda entry, error: told.append((entry.path.name, str(error)))))
    assert [r.hypothesis for r in found] == ["yes"]
    assert told == [("bad", "bad: is empty")]


def test_tsv_and_json_lines_with_paths_beside_and_above(tmp_path: Path) -> None:
    (tmp_path / "dev" / "set").mkdir(parents=True)
    (tmp_path / "dev" / "set" / "a.wav").touch()
    tsv = tmp_path / "dev" / "above.tsv"
    tsv.write_text('path\tseconds\ttext\ndev/set/a.wav\t1.0\tsay "hi"\n')
    assert read_manifest(tsv) == [Entry(tmp_path / "dev/set/a.wav", 'say "hi"')]
    lines = tmp_path / "dev" / "beside.jsonl"
    lines.write_text('{"path": "set/a.wav", "aligned_text": "hi"}\n\n{"path": "set/b.wav"}\n')
    assert read_manifest(lines, text_key="aligned_text") == [Entry(tmp_path / "dev/set/a.wav", "hi")]
    assert read_manifest(lines, text_key="aligned_text", root=tmp_path)[0].path == tmp_path / "set/a.wav"


def test_every_file_is_looked_for_beside_the_manifest_and_above(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    for place in ("dev/beside.wav", "above.wav", "both.wav", "dev/both.wav"):
        (tmp_path / place).touch()
    manifest = tmp_path / "dev" / "m.tsv"
    manifest.write_text("path\ttext\nnone.wav\ta\nbeside.wav\tb\nabove.wav\tc\nboth.wav\td\n/abs.wav\te\n")
    found = [entry.path for entry in read_manifest(manifest)]
    assert found == [
        tmp_path / "dev/none.wav",
        tmp_path / "dev/beside.wav",
        tmp_path / "above.wav",
        tmp_path / "dev/both.wav",
        Path("/abs.wav"),
    ]


def test_manifests_of_spreadsheets_and_other_line_ends(tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_bytes(b"\xef\xbb\xbfpath\ttext\r\na.wav\tyes\r\n")
    assert read_manifest(tmp_path / "m.tsv") == [Entry(tmp_path / "a.wav", "yes")]
    (tmp_path / "m.jsonl").write_text('{"path": "a.wav", "text": "one\u2028two"}\n', encoding="utf-8")
    assert read_manifest(tmp_path / "m.jsonl")[0].text == "one\u2028two"
    (tmp_path / "wide.tsv").write_text("path\ttext\na.wav\tyes\tand\tmore\n")
    assert read_manifest(tmp_path / "wide.tsv")[0].text == "yes"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("file\ttext\na\tb\n", "no column 'path'"),
        ("path\ttext\n", "no column|no line"),
        ("", "no column"),
        ('{"path": 1\n', "line 1 is not JSON"),
        ('{"path": "a", "text": "b"}\n[1]\n', "line 2 is not a JSON object"),
        ("path\ttext\na.wav\t\n", "no line has both"),
        ("path\ttext\na.wav\t" + "x" * 200_000, "not a table"),
    ],
)
def test_bad_manifests_say_what_is_wrong(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "m.tsv").write_text(content)
    with pytest.raises(ManifestError, match=problem):
        read_manifest(tmp_path / "m.tsv")


def test_missing_and_binary_manifests(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no such manifest"):
        read_manifest(tmp_path / "none.tsv")
    (tmp_path / "m.tsv").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(ManifestError, match="UTF-8"):
        read_manifest(tmp_path / "m.tsv")
