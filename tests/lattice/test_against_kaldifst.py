"""OpenFst, by way of kaldifst, as a second opinion."""

import kaldifst
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lattices import all_paths, lattices, words_of
from nearword.lattice import Lattice, n_best, prune
from nearword.lattice.formats.att import from_att, to_att, to_symbols

EVERY = 2000


def compiled(lattice: Lattice):
    return kaldifst.compile(to_att(lattice, numbered=True), acceptor=True)


def paths_of(fst, lattice: Lattice) -> list[tuple[tuple[str, ...], float]]:
    """Word sequences and totals of an FST of alternatives, in OpenFst's order."""
    found = []
    for path in kaldifst.convert_nbest_to_vector(fst):
        _, labels, _, cost = kaldifst.get_linear_symbol_sequence(path)
        found.append((tuple(lattice.words[label - 1] for label in labels), -float(getattr(cost, "value", cost))))
    return found


@settings(max_examples=60, deadline=None)
@given(lattices(), st.integers(2, 12))
def test_shortest_paths_agree(lattice: Lattice, n: int) -> None:
    theirs = paths_of(kaldifst.shortest_path(compiled(lattice), n=n), lattice)
    ours = n_best(lattice, n)
    assert sorted(path.total for path in ours) == pytest.approx(sorted(total for _, total in theirs), abs=1e-4)
    totals = dict(theirs)
    for path in ours:
        # single precision may swap paths of equal totals at the end of the list
        if path.words in totals:
            assert path.total == pytest.approx(totals[path.words], abs=1e-4)
    assert len({path.words for path in ours} - set(totals)) <= 1


@settings(max_examples=60, deadline=None)
@given(lattices(), st.floats(0.5, 8))
def test_pruning_keeps_every_path_within_the_beam_that_openfst_finds(lattice: Lattice, beam: float) -> None:
    theirs = paths_of(kaldifst.shortest_path(compiled(lattice), n=EVERY), lattice)
    best = max(total for _, total in theirs)
    pruned = prune(lattice, beam)
    left = {words_of(pruned, arcs) for arcs, _ in all_paths(pruned)}
    assert {words for words, total in theirs if total > best - beam + 1e-4} <= left
    # and every arc that is left is on one of these
    within = [words for words, total in theirs if total > best - beam - 1e-4]
    used = {arc for arcs, _ in all_paths(pruned) if words_of(pruned, arcs) in within for arc in arcs}
    assert used == set(range(pruned.num_arcs))


@settings(max_examples=40, deadline=None)
@given(lattices(deterministic=st.just(False)))
def test_each_word_sequence_comes_once_as_after_determinisation(lattice: Lattice) -> None:
    determinized = kaldifst.determinize(compiled(lattice))
    theirs = paths_of(kaldifst.shortest_path(determinized, n=EVERY), lattice)
    ours = n_best(lattice, EVERY)
    assert {path.words: pytest.approx(path.total, abs=1e-3) for path in ours} == dict(theirs)


@settings(max_examples=40, deadline=None)
@given(lattices())
def test_what_openfst_writes_is_read_with_the_same_paths(lattice: Lattice) -> None:
    text = str(compiled(lattice))
    symbols = to_symbols(lattice)
    again = from_att(text.replace("\t", " "), symbols=symbols)
    ours = {words_of(lattice, arcs): pytest.approx(score, abs=1e-4) for arcs, score in all_paths(lattice)}
    assert {words_of(again, arcs): score for arcs, score in all_paths(again)} == ours
