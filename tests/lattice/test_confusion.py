import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lattices import all_paths, lattices, word_errors, words_of
from nearword.lattice import Lattice, LatticeError, posteriors, total
from nearword.lattice.confusion import confusion_network


def expected_errors(lattice: Lattice, words) -> float:
    whole = total(lattice)
    return sum(
        math.exp(score - whole) * word_errors(words, words_of(lattice, arcs)) for arcs, score in all_paths(lattice)
    )


@given(lattices())
def test_expected_errors_are_not_less_than_they_are(lattice: Lattice) -> None:
    network = confusion_network(lattice)
    assert expected_errors(lattice, network.words) <= network.expected_errors + 1e-9


@given(lattices())
def test_every_slot_has_probabilities_that_sum_to_one(lattice: Lattice) -> None:
    for slot in confusion_network(lattice).slots:
        shares = [choice.posterior for choice in slot.choices]
        assert sum(shares) == pytest.approx(1, abs=2e-3)
        assert shares == sorted(shares, reverse=True)
        assert len({choice.word for choice in slot.choices}) == len(shares)


@given(lattices())
def test_every_arc_votes_once(lattice: Lattice) -> None:
    network = confusion_network(lattice)
    votes = sum(choice.posterior for slot in network.slots for choice in slot.choices if choice.word is not None)
    assert votes <= posteriors(lattice).sum() + 1e-6
    if lattice.num_arcs:
        times = [time for slot in network.slots for time in (slot.start, slot.end)]
        assert all(lattice.start.min() - 1e-4 <= time <= lattice.end.max() + 1e-4 for time in times)


def test_the_fewest_expected_errors_may_be_on_no_best_path() -> None:
    # the best path has 0.4, but each of its words alone is less likely than its rival
    arcs = [(0, 1, "a", 0.4), (1, 4, "b", 1.0), (0, 2, "c", 0.3), (2, 4, "d", 1.0), (0, 3, "e", 0.3), (3, 4, "d", 1.0)]
    words = ("a", "b", "c", "d", "e")
    scores = np.zeros((6, 3))
    scores[:, 0] = [math.log(share) for *_, share in arcs]
    final = np.array([[-np.inf, 0, 0]] * 4 + [[0, 0, 0]])
    order = sorted(range(6), key=lambda arc: arcs[arc][0])
    lattice = Lattice(
        words, [arcs[arc][0] for arc in order], [arcs[arc][1] for arc in order],
        [words.index(arcs[arc][2]) for arc in order], [arcs[arc][0] > 0 for arc in order],
        [1 + (arcs[arc][0] > 0) for arc in order], scores[order], final,
    )  # fmt: skip
    assert lattice.text(lattice.best_path()) == "a b"
    network = confusion_network(lattice)
    assert network.text == "a d"
    assert network.expected_errors == pytest.approx(1.0, abs=1e-4)
    assert [(slot.start, slot.end) for slot in network.slots] == [(0, 1), (1, 2)]


@given(lattices(), st.sampled_from([0.5, 2.0]))
def test_few_lattices_have_better_words_than_those_found(lattice: Lattice, scale: float) -> None:
    found = expected_errors(lattice, confusion_network(lattice).words)
    best_path = expected_errors(lattice, words_of(lattice, lattice.best_path()))
    candidates = {words_of(lattice, arcs) for arcs, _ in all_paths(lattice)}
    fewest = min(expected_errors(lattice, words) for words in candidates)
    # an approximation: what it gives up is small
    assert found <= max(fewest, best_path) + 0.15
    assert confusion_network(lattice, scale).expected_errors >= 0


def test_too_long_a_lattice_is_refused_before_it_takes_memory() -> None:
    place = np.arange(3000)
    final = np.zeros((3001, 3))
    final[:-1, 0] = -np.inf
    lattice = Lattice(("a",), place, place + 1, 0 * place, place, place + 1, np.full((3000, 3), -0.1), final)
    with pytest.raises(LatticeError, match="3001 nodes and 3000 words"):
        confusion_network(lattice)


def test_nothing_said_is_an_empty_network() -> None:
    none = np.zeros(0)
    lattice = Lattice((), none, none, none, none, none, np.zeros((0, 3)), np.array([[-0.5, 0, 0]]))
    network = confusion_network(lattice)
    assert (network.slots, network.words, network.text, network.expected_errors) == ((), (), "", 0.0)
