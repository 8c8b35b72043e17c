import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lattices import lattices, random_lattice
from nearword.lattice import Lattice, LatticeError
from nearword.lattice.formats.svg import FONT, SMALL, text_width, to_svg

SVG = "{http://www.w3.org/2000/svg}"


def labels(picture: str) -> list[tuple[str, str, float, float, float, float]]:
    """Kind, text, and the box of every label: left, right, top, bottom."""
    found = []
    for text in ET.fromstring(picture).iter(f"{SVG}text"):
        kind = text.get("class")
        if kind in {"word", "time"}:
            size = FONT if kind == "word" else SMALL
            x, y, half = float(text.get("x")), float(text.get("y")), text_width(text.text, size) / 2
            found.append((kind, text.text, x - half, x + half, y - 0.8 * size, y + 0.2 * size))
    return found


@settings(max_examples=60, deadline=None)
@given(st.one_of(lattices(), st.builds(random_lattice, st.integers(0, 1000), nodes=st.integers(30, 45))))
def test_no_two_labels_lie_on_each_other(lattice: Lattice) -> None:
    boxes = labels(to_svg(lattice))
    assert len([box for box in boxes if box[0] == "word"]) == lattice.num_arcs
    for index, (_, one, left, right, top, bottom) in enumerate(boxes):
        for _, other, from_x, to_x, from_y, to_y in boxes[:index]:
            assert right <= from_x or to_x <= left or bottom <= from_y or to_y <= top, (one, other)


@given(lattices())
def test_the_best_path_is_bold_and_everything_lies_inside(lattice: Lattice) -> None:
    root = ET.fromstring(to_svg(lattice))
    bold = [
        text.text
        for group in root.iter(f"{SVG}g")
        if group.get("class") == "best"
        for text in group.iter(f"{SVG}text")
        if text.get("class") == "word"
    ]
    best = [lattice.words[lattice.word[arc]] for arc in lattice.best_path()]
    assert sorted(bold) == sorted(best)
    width, height = float(root.get("width")), float(root.get("height"))
    for _, _, left, right, top, bottom in labels(to_svg(lattice)):
        assert left >= 0
        assert right <= width
        assert top >= 0
        assert bottom <= height


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9))
def test_any_word_can_be_drawn(word: str) -> None:
    place = np.zeros(1, int)
    final = np.array([[-np.inf, 0, 0], [0, 0, 0]])
    ET.fromstring(to_svg(Lattice((word,), place, place + 1, place, place, place + 1, np.full((1, 3), -1), final)))


def test_wide_arcs_are_the_probable_ones() -> None:
    final = np.array([[-np.inf, 0, 0], [0, 0, 0]])
    scores = np.zeros((2, 3))
    scores[:, 0] = np.log([0.75, 0.25])
    lattice = Lattice(("yes", "yet"), [0, 0], [1, 1], [0, 1], [0, 0], [1, 1], scores, final)
    widths = [float(path.get("stroke-width")) for path in ET.fromstring(to_svg(lattice)).iter(f"{SVG}path")]
    assert widths == pytest.approx([1 + 5 * 0.25, 1 + 5 * 0.75])


def test_too_large_a_picture_is_refused() -> None:
    with pytest.raises(LatticeError, match="prune"):
        to_svg(random_lattice(0, nodes=800, vocabulary=10))
