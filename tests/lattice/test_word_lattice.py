import numpy as np
import pytest
from nearword.lattice import Lattice, LatticeError

END = (0.0, 0.0, 0.0)
NO_END = (-np.inf, 0.0, 0.0)


def make(**changes: object) -> Lattice:
    """Two words, or the second alone."""
    fields: dict[str, object] = {
        "words": ("call", "ann"),
        "source": [0, 0, 1],
        "target": [1, 2, 2],
        "word": [0, 1, 1],
        "start": [0.1, 0.5, 0.5],
        "end": [0.4, 0.9, 0.9],
        "scores": [(-1.0, 0.5, -0.5), (-4.0, 0.0, 0.0), (-1.0, 0.0, -1.0)],
        "final": [NO_END, NO_END, END],
    }
    return Lattice(**(fields | changes))


def test_the_best_path_has_the_highest_total() -> None:
    lattice = make()
    assert lattice.text(lattice.best_path()) == "call ann"
    assert lattice.totals.tolist() == [-1.0, -4.0, -2.0]
    likelier = make(scores=[(-1.0, 0.0, -2.5), (-4.0, 0.0, 0.0), (-1.0, 0.0, -1.0)])
    assert likelier.text(likelier.best_path()) == "ann"


def test_arcs_of_a_node_stand_together() -> None:
    assert make().first_arc.tolist() == [0, 2, 3, 3]


def test_a_path_is_found_by_its_words() -> None:
    assert make().find(["call", "ann"]) == [0, 2]
    assert make().find(["ann"]) == [1]
    assert make().find(["call"]) is None, "no path ends there"
    assert make().find(["bob"]) is None
    assert make().find([]) is None


def test_what_was_not_said_is_a_lattice_too() -> None:
    empty = Lattice((), [], [], [], [], [], np.zeros((0, 3)), [END])
    assert empty.best_path() == []
    assert empty.find([]) == []


def test_lattices_are_equal_to_the_last_bit_and_cannot_be_written_to() -> None:
    lattice = make()
    assert lattice == make()
    assert hash(lattice) == hash(make())
    assert lattice != make(start=[0.1, 0.5, 0.500001])
    assert lattice != "a lattice"
    with pytest.raises(ValueError, match="read-only"):
        lattice.scores[0, 0] = 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": [1, 2, 1]}, "arc 2 leads from node 1 to 1"),
        ({"target": [2, 1, 0]}, "expected a later node"),
        ({"target": [1, 2, 3]}, "a node beyond 0 to 2"),
        ({"source": [0, 1, 0]}, "not sorted by source"),
        ({"word": [0, 1, 2]}, "names word 2; there are 2"),
        ({"start": [0.1, np.nan, 0.5]}, "start holds a value"),
        ({"scores": [END, END, (0.0, np.inf, 0.0)]}, "scores holds a value"),
        ({"final": [NO_END, NO_END, (np.inf, 0.0, 0.0)]}, "final holds a value"),
        ({"final": [NO_END, (-np.inf, np.nan, 0.0), END]}, "final holds a value"),
        ({"end": [0.4, 0.9]}, r"end has shape \(2,\)"),
        ({"scores": [END, END]}, r"scores has shape \(2, 3\)"),
        ({"final": np.zeros((0, 3))}, "final has shape"),
        ({"final": [NO_END, NO_END, END, END]}, "node 3 cannot be reached"),
        ({"final": [NO_END, NO_END, NO_END]}, "node 2 leads to no end"),
    ],
)
def test_what_is_no_lattice_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(LatticeError, match=message):
        make(**changes)


def test_it_is_shown_in_one_line_and_told_in_a_few() -> None:
    import numpy as np

    count = 60
    final = np.full((count + 1, 3), -np.inf, np.float32)
    final[:, 1:], final[-1] = 0, 0
    places = np.arange(count, dtype=np.int32)
    lattice = Lattice(
        ("hello",), places, places + 1, np.zeros(count, np.int32), places.astype(np.float32),
        (places + 1).astype(np.float32), np.zeros((count, 3), np.float32), final,
    )  # fmt: skip
    assert len(repr(lattice)) < 140
    assert "\n" not in repr(lattice)
    assert "61 nodes and 60 arcs" in repr(lattice)
    lines = str(lattice).splitlines()
    assert lines[0].startswith("hello hello")
    assert len(lines) < 50
    assert "0.00 to 1.00 s" in lines[2]
    assert "array" not in str(lattice)
