import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lattices import all_paths, end_of, lattices, random_lattice, words_of
from nearword.lattice import Lattice, encode, minimize, prune, to_budget, total, trim


def in_eighths(lattice: Lattice) -> Lattice:
    """The same with scores whose sums are exact."""
    return dataclasses.replace(lattice, scores=np.round(lattice.scores * 8) / 8, final=np.round(lattice.final * 8) / 8)


def unrolled(lattice: Lattice) -> Lattice:
    """The same paths as a tree: no node is entered twice."""
    arcs, finals = [], [lattice.final[0]]

    def walk(node: int, copy: int) -> None:
        for arc in range(lattice.first_arc[node], lattice.first_arc[node + 1]):
            finals.append(lattice.final[lattice.target[arc]])
            arcs.append((copy, len(finals) - 1, arc))
            walk(int(lattice.target[arc]), len(finals) - 1)

    walk(0, 0)
    source, target, arc = (np.array(column) for column in zip(*arcs, strict=True))
    return trim(
        lattice.words, source, target, lattice.word[arc], lattice.start[arc], lattice.end[arc],
        lattice.scores[arc], np.array(finals), lattice.offset,
    )  # fmt: skip


def scored(lattice: Lattice) -> dict[tuple[str, ...], np.ndarray]:
    """Every word sequence with its three scores."""
    return {
        words_of(lattice, arcs): lattice.scores[list(arcs)].sum(0, dtype=float) + lattice.final[end_of(lattice, arcs)]
        for arcs, _ in all_paths(lattice)
    }


def futures(lattice: Lattice) -> int:
    """How many different futures nodes have, by the definition: words, times, and scores against the best way on."""
    found = set()
    for node in range(lattice.num_nodes):
        ways = []

        def walk(place: int, path: tuple[int, ...], ways: list) -> None:
            if lattice.final_totals[place] > -np.inf:
                arcs = list(path)
                ways.append((path, lattice.scores[arcs].sum(0, dtype=float) + lattice.final[place]))
            for arc in range(lattice.first_arc[place], lattice.first_arc[place + 1]):
                walk(int(lattice.target[arc]), (*path, arc), ways)

        walk(node, (), ways)
        best = max(ways, key=lambda way: way[1].sum())[1]
        described = frozenset(
            (words_of(lattice, path), lattice.start[list(path)].tobytes(), lattice.end[list(path)].tobytes(),
             tuple(scores - best))
            for path, scores in ways
        )  # fmt: skip
        found.add(described)
    return len(found)


@given(lattices())
def test_a_tree_becomes_the_smallest_lattice_of_its_paths(lattice: Lattice) -> None:
    lattice = in_eighths(lattice)
    tree = unrolled(lattice)
    small = minimize(tree)
    assert small.num_nodes == minimize(lattice).num_nodes == futures(lattice)
    expected, found = scored(lattice), scored(small)
    assert found.keys() == expected.keys()
    assert all(found[words] == pytest.approx(expected[words], abs=1e-4) for words in expected)
    assert total(small) == pytest.approx(total(lattice), abs=1e-4)


@given(lattices(), st.floats(1e-4, 0.5))
def test_the_words_stay_and_totals_stay_within_the_tolerance(lattice: Lattice, tolerance: float) -> None:
    small = minimize(lattice, tolerance, seconds=10.0)
    expected, found = scored(lattice), scored(small)
    assert found.keys() == expected.keys()
    for words, scores in expected.items():
        assert found[words] == pytest.approx(scores, abs=tolerance * (len(words) + 1) + 1e-4)
    best, still = lattice.best_path(), small.best_path()
    assert words_of(small, still) == words_of(lattice, best)
    assert small.start[still].tolist() == lattice.start[best].tolist()
    assert found[words_of(small, still)] == pytest.approx(expected[words_of(lattice, best)], abs=1e-4)


@given(lattices(deterministic=st.just(False)))
def test_any_lattice_keeps_its_paths(lattice: Lattice) -> None:
    paths = sorted((words_of(lattice, arcs), total) for arcs, total in all_paths(lattice))
    small = minimize(lattice)
    left = sorted((words_of(small, arcs), total) for arcs, total in all_paths(small))
    assert [words for words, _ in left] == [words for words, _ in paths]
    assert [total for _, total in left] == pytest.approx([total for _, total in paths], abs=0.02)


@given(lattices())
def test_once_is_enough(lattice: Lattice) -> None:
    small = minimize(unrolled(in_eighths(lattice)))
    assert minimize(small) is small


def test_what_differs_in_time_or_score_stays_apart() -> None:
    lattice = Lattice(
        words=("a", "b", "c"), source=[0, 0, 1, 2], target=[1, 2, 3, 3], word=[0, 1, 2, 2], start=[0, 0, 1, 1.1],
        end=[1, 1, 2, 2], scores=[[-1, 0, 0], [-2, 0, 0], [-1, 0, 0], [-1.5, 0, 0]],
        final=[[-np.inf, 0, 0]] * 3 + [[0, 0, 0]],
    )  # fmt: skip
    assert minimize(lattice).num_nodes == 4
    assert minimize(lattice, seconds=1.0).num_nodes == 3, "all of the score can be taken before"
    ending = dataclasses.replace(lattice, final=[[-np.inf, 0, 0], [0, 0, 0], [-1, 0, 0], [0, 0, 0]])
    assert minimize(ending, seconds=1.0).num_nodes == 4, "who ends early pays more here than there"


def test_a_budget_holds_more_paths_when_nodes_are_merged() -> None:
    tree = unrolled(in_eighths(random_lattice(4, nodes=12)))
    small = to_budget(tree, len(encode(tree)) // 4)
    assert small.num_nodes < tree.num_nodes
    pruned = next(one for beam in np.arange(12, 0, -0.1) if len(encode(one := prune(tree, beam))) <= len(encode(small)))
    assert len(all_paths(small)) > 2 * len(all_paths(pruned))


@pytest.mark.parametrize("values", [(0.0, 1.0), (1.0, 0.0), (float("nan"), 1.0), (-1.0, 1.0), (1.0, float("inf"))])
def test_a_tolerance_is_above_zero(values: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="expected a number above 0"):
        minimize(random_lattice(1), *values)
