import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lattices import all_paths, end_of, lattices, random_lattice, word_errors, words_of
from nearword.lattice import (
    Lattice,
    LatticeError,
    decode,
    encode,
    limit_arcs,
    limit_depth,
    n_best,
    oracle,
    posteriors,
    prune,
    to_budget,
    total,
    trim,
    word_confidences,
)
from nearword.lattice.viterbi import losses


@given(lattices(), st.sampled_from([0.3, 1.0, 2.5]))
def test_total_and_posteriors_are_what_all_paths_say(lattice: Lattice, scale: float) -> None:
    paths = all_paths(lattice)
    weights = np.exp([scale * score for _, score in paths])
    assert total(lattice, scale) == pytest.approx(math.log(weights.sum()))
    expected = np.zeros(lattice.num_arcs)
    for (arcs, _), weight in zip(paths, weights, strict=True):
        expected[list(arcs)] += weight / weights.sum()
    np.testing.assert_allclose(posteriors(lattice, scale), expected, atol=1e-12)


@given(lattices())
def test_posteriors_over_every_cut_sum_to_one(lattice: Lattice) -> None:
    through = posteriors(lattice)
    weights = dict.fromkeys(range(lattice.num_nodes), 0.0)
    for arcs, score in all_paths(lattice):
        weights[end_of(lattice, arcs)] += math.exp(score - total(lattice))
    for cut in range(1, lattice.num_nodes):
        crossing = (lattice.source < cut) & (lattice.target >= cut)
        ended = sum(weights[node] for node in range(cut))
        assert through[crossing].sum() + ended == pytest.approx(1)


@given(lattices(deterministic=st.booleans()), st.integers(1, 60))
def test_n_best_are_the_best_word_sequences_each_once_in_order(lattice: Lattice, n: int) -> None:
    best: dict[tuple[str, ...], float] = {}
    for arcs, score in all_paths(lattice):
        words = words_of(lattice, arcs)
        best[words] = max(score, best.get(words, -math.inf))
    expected = sorted(best.values(), reverse=True)[:n]
    found = n_best(lattice, n)
    assert [path.total for path in found] == pytest.approx(expected)
    assert len({path.words for path in found}) == len(found)
    for path in found:
        assert path.total == pytest.approx(best[path.words])
        assert path.total == pytest.approx(sum(path.scores))
        assert path.posterior == pytest.approx(math.exp(path.total - total(lattice)))
        assert words_of(lattice, path.arcs) == path.words
        assert path.starts == tuple(lattice.start[list(path.arcs)].tolist())
    assert list(found[0].arcs) == lattice.best_path()


def test_n_best_of_a_lattice_full_of_ties_is_found_at_once() -> None:
    count = 400
    source = np.repeat(np.arange(count), 2)
    word = np.tile([0, 1], count)
    lattice = Lattice(
        ("no", "yes"), source, source + 1, word, source * 0.1, source * 0.1 + 0.1, np.full((2 * count, 3), -0.1),
        np.array([[-np.inf, 0, 0]] * count + [[0, 0, 0]]),
    )  # fmt: skip
    found = n_best(lattice, 20)
    assert len({path.words for path in found}) == 20
    assert found[0].words == ("no",) * count
    assert total(lattice) == pytest.approx(count * (math.log(2) - 0.3), rel=1e-5)


@given(lattices(), st.floats(0, 12))
def test_pruning_keeps_the_arcs_within_the_beam_and_no_others(lattice: Lattice, beam: float) -> None:
    paths = all_paths(lattice)
    best = max(score for _, score in paths)
    kept = {arc for arcs, score in paths if score >= best - beam - 1e-8 for arc in arcs}
    pruned = prune(lattice, beam)
    assert pruned.num_arcs == len(kept)
    assert sorted(pruned.totals) == sorted(lattice.totals[list(kept)])
    left = {(words_of(pruned, arcs), round(score, 6)) for arcs, score in all_paths(pruned)}
    assert left <= {(words_of(lattice, arcs), round(score, 6)) for arcs, score in paths}
    assert {(words_of(lattice, arcs), round(score, 6)) for arcs, score in paths if score >= best - beam} <= left
    assert pruned.text(pruned.best_path()) == lattice.text(lattice.best_path())


@given(lattices(), st.integers(0, 30))
def test_limits_hold_and_the_best_path_survives(lattice: Lattice, limit: int) -> None:
    best = lattice.text(lattice.best_path())
    few = limit_arcs(lattice, limit)
    assert few.num_arcs <= max(limit, len(lattice.best_path()))
    shallow = limit_depth(lattice, 1 + limit % 4)
    small = to_budget(lattice, 12 * limit)
    assert len(encode(small)) <= max(12 * limit, len(encode(to_budget(lattice, 0))))
    for pruned in (few, shallow, small, to_budget(lattice, 0), decode(encode(small))):
        assert pruned.text(pruned.best_path()) == best
    assert to_budget(lattice, 0).num_arcs == len(lattice.best_path())


@given(lattices(), st.integers(1, 4))
def test_at_no_time_are_there_more_arcs_than_the_depth(lattice: Lattice, depth: int) -> None:
    pruned = limit_depth(lattice, depth)
    best = set(pruned.best_path())
    begin, finish = np.rint(pruned.start * 100).astype(int), np.rint(pruned.end * 100).astype(int)
    for frame in range(int(finish.max(initial=0)) + 1):
        there = set(np.flatnonzero((begin <= frame) & (frame < np.maximum(finish, begin + 1))).tolist())
        assert len(there) <= depth or there <= best
    assert limit_depth(pruned, depth).num_arcs == pruned.num_arcs


@given(lattices(), st.integers(0, 20))
def test_no_wider_beam_would_have_kept_the_limit(lattice: Lattice, limit: int) -> None:
    few = limit_arcs(lattice, limit)
    sizes = {prune(lattice, beam).num_arcs for beam in [0.0, *losses(lattice).arcs.tolist()]}
    assert few.num_arcs == max((size for size in sizes if size <= limit), default=len(lattice.best_path()))


@given(lattices(), st.lists(st.sampled_from("abcdz"), max_size=7))
def test_oracle_is_the_fewest_errors_of_any_path(lattice: Lattice, reference: list[str]) -> None:
    result = oracle(lattice, reference)
    assert result.errors == min(word_errors(words_of(lattice, arcs), reference) for arcs, _ in all_paths(lattice))
    assert word_errors(result.words, reference) == result.errors
    assert result.path in [arcs for arcs, _ in all_paths(lattice)]
    assert words_of(lattice, result.path) == result.words


@given(lattices())
def test_confidence_of_a_word_is_a_probability_and_at_least_its_arcs(lattice: Lattice) -> None:
    path = lattice.best_path()
    confidence = word_confidences(lattice, path)
    assert ((confidence >= posteriors(lattice)[path] - 1e-12) & (confidence <= 1)).all()


def test_the_same_word_a_little_later_adds_to_the_confidence() -> None:
    lattice = Lattice(
        ("play", "pay", "jazz"), [0, 0, 0, 1, 2], [1, 1, 2, 3, 3], [0, 1, 0, 2, 2], [0, 0, 0.1, 0.5, 0.6],
        [0.4, 0.4, 0.5, 1, 1], np.log([[0.5, 1, 1], [0.2, 1, 1], [0.3, 1, 1], [1, 1, 1], [1, 1, 1]]),
        [[-np.inf, 0, 0]] * 3 + [[0, 0, 0]],
    )  # fmt: skip
    assert word_confidences(lattice) == pytest.approx([0.8, 1.0])


def test_trim_takes_what_leads_nowhere_away() -> None:
    scores = np.zeros((4, 3))
    end = [[-np.inf, 0, 0]] * 3 + [[0, 0, 0], [-np.inf, 0, 0]]
    lattice = trim(
        ("a", "b", "c"), np.array([2, 0, 0, 1]), np.array([3, 3, 4, 3]), np.array([0, 1, 2, 0]), np.zeros(4),
        np.ones(4), scores, np.array(end),
    )  # fmt: skip
    assert (lattice.words, lattice.num_nodes, lattice.num_arcs) == (("b",), 2, 1)
    with pytest.raises(LatticeError, match="no path"):
        trim(("a",), np.array([0]), np.array([1]), np.array([0]), [0], [1], scores[:1], np.full((2, 3), -np.inf))


def test_nothing_said_is_a_lattice_too() -> None:
    none = np.zeros(0)
    lattice = Lattice((), none, none, none, none, none, np.zeros((0, 3)), np.array([[-0.5, 0, 0]]))
    assert total(lattice) == -0.5
    assert [path.text for path in n_best(lattice, 3)] == [""]
    assert oracle(lattice, ["stop"]).errors == 1
    for same in (prune(lattice, 0), limit_depth(lattice, 1), to_budget(lattice, 100), limit_arcs(lattice, 0)):
        assert same.num_nodes == 1
    assert word_confidences(lattice).shape == (0,)
    assert random_lattice(1).num_arcs > 0
