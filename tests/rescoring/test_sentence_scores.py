"""Whole sentences on a lattice: every word is scored behind the best way to it, however large the lattice is."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lattices import all_paths, lattices
from nearword.lattice import ACOUSTIC, BIAS, LANGUAGE, Lattice, path_alone
from nearword.lattice.rescoring import sentences
from nearword.lattice.rescoring.sentences import SentenceWeights, rescore_sentences, sentence_scores
from nearword.lattice.rescoring.token_tree import TokenTree

PIECES = {"a": [1], "b": [1, 2], "c": [2, 3], "d": [3, 3, 1], "e": [2], "f": [3], "g": [1, 1], "h": [2, 2]}
tokens_of = PIECES.__getitem__


class LongMemory:
    """What follows depends on all that a token may see, in order."""

    begin, end, positions = 0, 4, 96

    def log_probs(self, seen: tuple[int, ...]) -> np.ndarray:
        logits = np.random.default_rng([*seen]).normal(0, 2, 5)
        return logits - np.log(np.exp(logits).sum())

    def logits(self, tokens: np.ndarray, mask: np.ndarray, positions: np.ndarray) -> np.ndarray:
        rows = []
        for row in mask[0].astype(bool):
            order = np.argsort(positions[0][row])
            assert positions[0][row][order].tolist() == list(range(row.sum()))
            rows.append(self.log_probs(tuple(tokens[0][row][order].tolist())) + 7)
        return np.array(rows, np.float32)


def spelled(lattice: Lattice, arcs) -> list[int]:
    return [0, *(token for arc in arcs for token in PIECES[lattice.words[lattice.word[arc]]])]


def behind(history: list[int], following: list[int]) -> float:
    scorer, total = LongMemory(), 0.0
    for place, token in enumerate(following):
        total += scorer.log_probs((*history, *following[:place]))[token]
    return total


@settings(max_examples=60, deadline=None)
@given(lattice=lattices(), room=st.sampled_from((1, 8, 192)))
def test_each_word_is_scored_behind_the_best_way_to_it(lattice: Lattice, room: int) -> None:
    with mock.patch.object(sentences, "MAX_TREE", room):
        arcs, ends, counts = sentence_scores(lattice, LongMemory(), tokens_of)
    ways: dict[int, tuple[float, list[int]]] = {0: (0.0, [0])}

    def walk(node: int, taken: tuple[int, ...], total: float) -> None:
        if taken and total > ways.get(node, (-np.inf, []))[0]:
            ways[node] = total, spelled(lattice, taken)
        for arc in range(lattice.first_arc[node], lattice.first_arc[node + 1]):
            walk(int(lattice.target[arc]), (*taken, arc), total + float(lattice.totals[arc]))

    walk(0, (), 0.0)
    for arc in range(lattice.num_arcs):
        pieces = PIECES[lattice.words[lattice.word[arc]]]
        assert arcs[arc] == pytest.approx(behind(ways[int(lattice.source[arc])][1], pieces), abs=1e-4)
        assert counts[arc] == len(pieces)
    for node, final in enumerate(lattice.final_totals):
        wanted = behind(ways[node][1], [4]) if final > -np.inf else 0.0
        assert ends[node] == pytest.approx(wanted, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(lattice=lattices(), which=st.integers(0, 10**6))
def test_a_sentence_alone_gets_its_probability_and_the_rest_stays(lattice: Lattice, which: int) -> None:
    paths = [arcs for arcs, _ in all_paths(lattice) if arcs]
    if not paths:
        return
    alone = path_alone(lattice, paths[which % len(paths)])
    rescored = rescore_sentences(alone, LongMemory(), tokens_of, SentenceWeights(0.5, 1.5))
    tokens = spelled(alone, range(alone.num_arcs))
    language = behind([0], [*tokens[1:], 4]) + 1.5 * (len(tokens) - 1)
    there = alone.scores[:, LANGUAGE].sum() + alone.final[-1, LANGUAGE]
    found = rescored.scores[:, LANGUAGE].sum() + rescored.final[-1, LANGUAGE]
    assert found == pytest.approx(there + 0.5 * language, abs=1e-3)
    assert rescored.words == alone.words
    for name in ("source", "target", "word", "start", "end"):
        assert np.array_equal(getattr(rescored, name), getattr(alone, name))
    for column in (ACOUSTIC, BIAS):
        assert np.array_equal(rescored.scores[:, column], alone.scores[:, column])
        assert np.array_equal(rescored.final[:, column], alone.final[:, column])


def one_path(count: int) -> Lattice:
    """Words of two tokens and of one by turns."""
    source = np.arange(count)
    return Lattice(
        ("b", "e"), source, source + 1, source % 2, source * 0.1, source * 0.1 + 0.1,
        np.zeros((count, 3)), np.vstack([np.tile([-np.inf, 0, 0], (count, 1)), np.zeros(3)]),
    )  # fmt: skip


def test_what_is_longer_than_a_sentence_stays_as_it_is() -> None:
    weights = SentenceWeights(0.5, 1.5)
    longest = one_path(63)
    tokens = spelled(longest, range(63))
    assert len(tokens) == LongMemory.positions
    rescored = rescore_sentences(longest, LongMemory(), tokens_of, weights)
    found = rescored.scores[:, LANGUAGE].sum() + rescored.final[-1, LANGUAGE]
    assert found == pytest.approx(0.5 * (behind([0], [*tokens[1:], 4]) + 1.5 * 95), abs=1e-3)
    assert rescore_sentences(one_path(64), LongMemory(), tokens_of, weights) == one_path(64)


def test_of_a_long_way_the_last_tokens_count() -> None:
    lattice = one_path(64)
    tokens = spelled(lattice, range(64))

    class Forgetful(LongMemory):
        positions = 40

        def logits(self, tokens: np.ndarray, mask: np.ndarray, positions: np.ndarray) -> np.ndarray:
            assert positions.max() == 39
            whole = (mask[0].sum(1) - 1)[None]
            return super().logits(tokens, mask, whole)

    arcs, ends, _ = sentence_scores(lattice, Forgetful(), tokens_of)
    assert ends[-1] == pytest.approx(behind([0, *tokens[-40:]], [4]), abs=1e-4)
    assert arcs[-1] == pytest.approx(behind([0, *tokens[:-1][-40:]], tokens[-1:]), abs=1e-4)


def test_nothing_said_is_an_empty_sentence() -> None:
    nothing = Lattice((), [], [], [], [], [], np.zeros((0, 3)), np.zeros((1, 3)))
    arcs, ends, counts = sentence_scores(nothing, LongMemory(), tokens_of)
    assert (len(arcs), len(counts)) == (0, 0)
    assert ends.tolist() == pytest.approx([behind([0], [4])], abs=1e-4)


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=8))
def test_a_tree_holds_each_beginning_once(rows: list[list[int]]) -> None:
    tree = TokenTree()
    ends = [tree.walk(row) for row in rows]
    beginnings = {tuple(row[: k + 1]) for row in rows for k in range(len(row))}
    assert len(tree) == len(beginnings)
    tokens, mask, positions = tree.feeds(4)
    for row, end in zip(rows, ends, strict=True):
        seen = np.flatnonzero(mask[0, end])
        assert tokens[0, seen].tolist() == row
        assert positions[0, seen].tolist() == [min(k, 3) for k in range(len(row))]
