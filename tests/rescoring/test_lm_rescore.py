import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lattices import all_paths, lattices, words_of
from nearword.lattice import LANGUAGE, Lattice
from nearword.lattice.language import NgramModel, train_pieces
from nearword.lattice.rescoring import RescoreLimits, rescore

SYMBOLS = ("<blk>", "x", "y", "z")
PIECES = {"a": [1], "b": [1, 2], "c": [2, 3], "d": [3, 3, 1], "e": [2], "f": [3], "g": [1, 1], "h": [2, 2]}


@pytest.fixture(scope="module")
def model() -> NgramModel:
    rng = np.random.default_rng(7)
    sentences = [" ".join(map(str, rng.choice([1, 2, 3], rng.integers(1, 12), p=[0.6, 0.3, 0.1]))) for _ in range(80)]
    return train_pieces(sentences, SYMBOLS, lambda s: list(map(int, s.split())), order=3)


def totals(lattice: Lattice) -> dict[tuple[str, ...], float]:
    return {words_of(lattice, arcs): total for arcs, total in all_paths(lattice)}


@settings(max_examples=60, deadline=None)
@given(lattice=lattices(), weight=st.floats(0.1, 2), keep=st.booleans())
def test_every_path_gets_the_score_of_its_words(model: NgramModel, lattice: Lattice, weight: float, keep: bool) -> None:
    rescored = rescore(lattice, model, PIECES.__getitem__, weight, keep=keep, limits=RescoreLimits(beam=np.inf))
    wanted = {}
    for arcs, total in all_paths(lattice):
        words = words_of(lattice, arcs)
        language = weight * model.sentence([token for word in words for token in PIECES[word]])
        end = int(lattice.target[arcs[-1]]) if arcs else 0
        there = lattice.scores[list(arcs), LANGUAGE].sum() + lattice.final[end, LANGUAGE]
        wanted[words] = total + language - (0 if keep else there)
    assert totals(rescored) == pytest.approx(wanted, abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(lattice=lattices())
def test_within_limits_what_is_left_has_its_true_score(model: NgramModel, lattice: Lattice) -> None:
    whole = totals(rescore(lattice, model, PIECES.__getitem__, limits=RescoreLimits(beam=np.inf)))
    small = totals(rescore(lattice, model, PIECES.__getitem__, limits=RescoreLimits(states_per_node=1)))
    assert small
    assert all(small[words] == pytest.approx(whole[words], abs=1e-3) for words in small)


def test_the_result_stays_within_its_limits(model: NgramModel) -> None:
    nodes, words = 400, 8
    source = np.repeat(np.arange(nodes - 1), words)
    lattice = Lattice(
        tuple("abcdefgh"), source, source + 1, np.tile(np.arange(words), nodes - 1), source * 0.1,
        source * 0.1 + 0.1, np.zeros((len(source), 3)),
        np.vstack([np.tile([-np.inf, 0, 0], (nodes - 1, 1)), np.zeros(3)]),
    )  # fmt: skip
    wide = rescore(lattice, model, PIECES.__getitem__)
    assert wide.num_arcs > 10_000
    limits = RescoreLimits(max_arcs=4000)
    small = rescore(lattice, model, PIECES.__getitem__, limits=limits)
    assert small.num_arcs <= 4000 + len(source)
    assert len(small.best_path()) == nodes - 1


def test_nothing_said_stays_nothing(model: NgramModel) -> None:
    lattice = Lattice((), [], [], [], [], [], np.zeros((0, 3)), np.zeros((1, 3)))
    rescored = rescore(lattice, model, PIECES.__getitem__)
    assert rescored.final[0, LANGUAGE] == pytest.approx(model.final(model.start))
