"""The recipe's commands: what they refuse, in one line, and recordings of sets that the recipe does not know."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from nearword.models.training.__main__ import main
from nearword.models.training.dataset import WEIGHTS, shares
from nearword.models.training.synthesize import read_texts


def refusal(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple:
    monkeypatch.setattr(sys, "argv", ["training", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    told = str(exit_.value.code) if isinstance(exit_.value.code, str) else capsys.readouterr().err
    return (1 if isinstance(exit_.value.code, str) else exit_.value.code), told.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        ("train --work none", 2, "no prepared/index.jsonl there; `prepare --work none` makes it"),
        ("export --work none model", 2, "no run/checkpoint.pt there; `train --work none` makes it"),
        ("ablate parts --work none", 2, "no prepared/index.jsonl there; `prepare --work none` makes it"),
        ("log --work none", 2, "no run/log.jsonl there; `train --work none` makes it"),
        ("prepare --speech none", 2, "none: no train/, dev/ or text/ there; models/training/README.md has the layout"),
        ("prepare --synthetic 0", 2, "speech: no train/*.tsv there, and nothing to synthesise"),
        ("texts none/texts.txt", 2, "none/texts.txt: no folder none; make it first"),
        ("pronunciation none/pronounce.onnx", 2, "none/pronounce.onnx: no folder none; make it first"),
        (
            "follow-prepare speech",
            1,
            "error: speech: has neither encoder.int8.onnx nor encoder.onnx; expected a model of `export`",
        ),
        ("small-train speech out --work none", 2, "no followed.pt there; `follow-prepare --work none` makes it"),
        ("sizes-search speech --work none", 2, "no followed.pt there; `follow-prepare --work none` makes it"),
        ("sizes-search speech -o none/front.svg", 2, "none/front.svg: no folder none; make it first"),
        ("card none", 1, "error: none: no such model folder, no packed model (*.nearword), and no encoder (*.onnx)"),
        ("texts texts.txt", 1, "error: speech: no sentences; expected text/*.txt in it, one a line"),
        ("prepare", 1, "error: speech: no sentences; expected text/*.txt in it, one a line"),
        ("texts texts.txt --exclude none.tsv", 1, "error: none.tsv: No such file or directory"),
    ],
)
def test_what_is_missing_is_told_before_any_work(
    arguments: str,
    code: int,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "speech" / "train").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEARWORD_SPEECH", "speech")
    ended, told = refusal(arguments.split(), monkeypatch, capsys)
    assert ended == code
    assert told.endswith(expected)
    assert [path.name for path in tmp_path.iterdir()] == ["speech"]


def test_a_library_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "dev").mkdir()
    monkeypatch.setenv("NEARWORD_SPEECH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "nearword.models.training.card", raising=False)
    monkeypatch.delitem(sys.modules, "nearword.models.training.train", raising=False)
    code, told = refusal(["ablate", "parts"], monkeypatch, capsys)
    assert (code, told) == (1, "error: torch is not installed; expected `pip install 'nearword[train]'`")


def test_sentences_need_no_particular_training_set(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "mine.txt").write_text("Open the hatch\nClose it.\n")
    assert read_texts(tmp_path) == ["open the hatch", "close it"]


def test_sets_without_a_weight_are_heard_for_as_long_as_they_are() -> None:
    frames = {"speechocean762": 100_000, "synthetic": 300_000, "mine": 100_000}
    by_set = shares(frames, WEIGHTS)
    assert sum(by_set.values()) == pytest.approx(1)
    assert by_set["mine"] == pytest.approx(0.2)
    assert by_set["speechocean762"] / by_set["synthetic"] == pytest.approx(
        WEIGHTS["speechocean762"] / WEIGHTS["synthetic"]
    )
    assert shares({"a": 1, "b": 3}, WEIGHTS) == pytest.approx({"a": 0.25, "b": 0.75})
    assert list(shares(dict.fromkeys("cab", 1), {})) == ["a", "b", "c"]
    assert np.allclose(list(shares(dict.fromkeys(WEIGHTS, 1), WEIGHTS).values()), [WEIGHTS[k] for k in sorted(WEIGHTS)])
