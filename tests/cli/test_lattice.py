import json
from pathlib import Path

import numpy as np
import pytest
from lattices import random_lattice
from nearword.lattice import FORMATS, Lattice, read_lattice, write_lattice
from nearword.runtime.cli.lattice import FileFormat


@pytest.fixture
def heard(tmp_path: Path) -> Path:
    """Play or pay, then jazz or chess."""
    scores = np.zeros((4, 3))
    scores[:, 0] = np.log([0.8, 0.2, 0.6, 0.4])
    final = np.array([[-np.inf, 0, 0], [-np.inf, 0, 0], [0, 0, 0]])
    lattice = Lattice(
        ("play", "pay", "jazz", "chess"), [0, 0, 1, 1], [1, 1, 2, 2], [0, 1, 2, 3], [0.1, 0.1, 0.5, 0.5],
        [0.4, 0.4, 0.9, 0.9], scores, final,
    )  # fmt: skip
    write_lattice(lattice, tmp_path / "heard.json")
    return tmp_path / "heard.json"


def test_show_prints_words_alternatives_and_places(run_cli, heard: Path) -> None:
    text = run_cli("lattice", "show", heard).stdout
    assert "3 nodes, 4 arcs over 0.8 s; 1.75 arcs at one time" in text
    assert "   0.10    0.40  0.80  play" in text
    assert "fewest expected errors (0.60): play jazz" in text
    shown = json.loads(run_cli("lattice", "show", heard, "-n", 3, "--format", "json").stdout)
    assert [(row["text"], row["probability"]) for row in shown["alternatives"]] == [
        ("play jazz", 0.48), ("play chess", 0.32), ("pay jazz", 0.12),
    ]  # fmt: skip
    assert [slot["choices"][0] for slot in shown["slots"]] == [
        {"word": "play", "probability": 0.8}, {"word": "jazz", "probability": 0.6},
    ]  # fmt: skip


def test_prune_writes_a_smaller_lattice_with_the_best_path(run_cli, heard: Path, tmp_path: Path) -> None:
    result = run_cli("lattice", "prune", heard, tmp_path / "small.nwl", "--beam", 0.5)
    assert result.stdout.startswith("arcs 4 to 3, ")
    small = read_lattice(tmp_path / "small.nwl")
    assert {small.words[word] for word in small.word} == {"play", "jazz", "chess"}
    for option in (("--bytes", 40), ("--max-arcs", 2), ("--depth", 1)):
        assert run_cli("lattice", "prune", heard, tmp_path / "tiny.slf", *option).returncode == 0
        tiny = read_lattice(tmp_path / "tiny.slf")
        assert tiny.text(tiny.best_path()) == "play jazz"
    result = run_cli("lattice", "prune", heard, tmp_path / "small.nwl")
    assert result.returncode == 2
    assert "--beam" in result.stderr


def test_convert_goes_through_every_format(run_cli, heard: Path, tmp_path: Path) -> None:
    source = heard
    for name, form in FORMATS.items():
        target = tmp_path / f"next{form.suffixes[0]}"
        assert run_cli("lattice", "convert", source, target).returncode == 0
        if form.read:
            lattice = read_lattice(target)
            assert lattice.text(lattice.best_path()) == "play jazz", name
            source = target
    assert run_cli("lattice", "convert", heard, tmp_path / "any", "--to", "slf").returncode == 0
    assert (tmp_path / "any").read_text().startswith("VERSION=1.0")


def test_convert_writes_a_symbol_table_for_openfst(run_cli, heard: Path, tmp_path: Path) -> None:
    target, symbols = tmp_path / "heard.att", tmp_path / "words.txt"
    assert run_cli("lattice", "convert", heard, target, "--symbols", symbols).returncode == 0
    assert symbols.read_text().splitlines() == ["<eps>\t0", "play\t1", "pay\t2", "jazz\t3", "chess\t4"]
    assert target.read_text().split("\n")[0].split("\t")[:3] == ["0", "1", "1"]
    assert run_cli("lattice", "convert", heard, tmp_path / "heard.slf", "--symbols", symbols).returncode == 2


def test_oracle_counts_the_fewest_errors(run_cli, heard: Path) -> None:
    assert run_cli("lattice", "oracle", heard, "pay chess now").stdout.splitlines() == [
        "closest path: 1 errors of 3 words: pay chess",
        "best path:    3 errors of 3 words: play jazz",
        "1.3 arcs per word said, 1.8 at one time",
    ]
    found = json.loads(run_cli("lattice", "oracle", heard, "pay chess", "--format", "json").stdout)
    assert (found["errors"], found["best_path_errors"], found["density"]) == (0, 2, 2.0)


def test_draw_makes_a_picture_beside_the_file(run_cli, heard: Path, tmp_path: Path) -> None:
    assert run_cli("lattice", "draw", heard).stdout == f"{heard.with_suffix('.svg')}: 4 of 4 arcs\n"
    assert "play" in heard.with_suffix(".svg").read_text()
    write_lattice(random_lattice(1, nodes=40), tmp_path / "large.nwl")
    assert run_cli("lattice", "draw", tmp_path / "large.nwl", tmp_path / "x.dot", "--max-arcs", 45).returncode == 0
    assert 20 <= (tmp_path / "x.dot").read_text().count("penwidth") <= 45
    assert run_cli("lattice", "draw", heard, tmp_path / "x.png").returncode == 2


@pytest.mark.parametrize("content", [b"", b"hello", b"NL\x01", b"{}", b"VERSION=1.0\nJ=0", b"0 1 a nan\n1"])
def test_a_file_that_holds_no_lattice_is_one_line(run_cli, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    result = run_cli("lattice", "show", path)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert str(path) in result.stderr


def test_the_command_line_knows_every_format() -> None:
    assert [form.value for form in FileFormat] == list(FORMATS)
