import numpy as np
import pytest
from definition import earned
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.biasing.graph import BiasGraph, ScoredClass
from nearword.biasing.templates import Templates
from nearword.biasing.trie import PhraseTrie

STARTS = [False, True, True, True, False, False]
"""Token 0 is the blank; 1 to 3 begin words."""


def trie(phrases):
    return PhraseTrie.build(phrases, [weight / len(phrase) for phrase, weight in phrases.items()])


def graph(phrases, **rest):
    return BiasGraph([ScoredClass("x", (trie(phrases),), 1.0)], STARTS, **rest)


def states(graph, tokens):
    out = [graph.start]
    for token in tokens:
        out.append(graph.advance(out[-1], token))
    return out


weights = st.integers(1, 40).map(lambda n: n / 8)
phrases = st.tuples(st.integers(1, 3), st.lists(st.integers(1, 5), max_size=4)).map(lambda p: (p[0], *p[1]))
lists = st.dictionaries(phrases, weights, max_size=8)
strings = st.lists(st.integers(1, 5), max_size=14)


@settings(max_examples=600, deadline=None)
@given(lists, strings)
def test_the_total_is_the_best_set_of_completed_phrases(phrases, tokens):
    assert graph(phrases).score(tokens) == earned(tokens, STARTS, {"x": phrases}, {"x": (1.0, 0.0)})


TEMPLATES = [("a", "$x"), ("b", "a", "$x", "b", "$y"), ("$y", "a", "$x"), ("a", "$y", "$x"), ("b",)]
WORDS = {"a": [(1,), (1, 4)], "b": [(2,), (2, 5)]}


@settings(max_examples=600, deadline=None)
@given(lists, lists, strings, st.lists(st.sampled_from(TEMPLATES), max_size=4), st.sampled_from([0.0, 0.25, 1.0]))
def test_a_class_is_worth_more_where_a_template_has_it(first, second, tokens, templates, outside):
    scales = {"x": (1.0, outside), "y": (2.0, outside)}
    listed = {"x": first, "y": second}
    made = BiasGraph(
        [ScoredClass(name, (trie(listed[name]),), *scales[name]) for name in listed],
        STARTS,
        templates=Templates.parse([" ".join(t) for t in templates]),
        template_words=WORDS,
    )
    assert made.score(tokens) == earned(tokens, STARTS, listed, scales, templates, WORDS)


@settings(max_examples=200, deadline=None)
@given(st.lists(lists, min_size=1, max_size=4), strings)
def test_it_does_not_matter_over_how_many_tries_a_list_is_spread(parts, tokens):
    whole = {}
    for part in parts:
        for phrase, weight in part.items():
            whole[phrase] = max(weight, whole.get(phrase, 0))
    spread = BiasGraph([ScoredClass("x", tuple(trie(p) for p in parts), 1.0)], STARTS)
    assert spread.score(tokens) == graph(whole).score(tokens)


@settings(max_examples=200, deadline=None)
@given(lists, lists, strings)
def test_weights_that_change_give_what_a_new_list_gives(phrases, changes, tokens):
    changed = {p: w for p, w in changes.items() if p in phrases}
    removed = [p for p in phrases if p not in changes][:2]
    original = trie(phrases)
    original.view(1.0)
    new = changed | dict.fromkeys(removed, 0.0)
    edited = original.with_boosts([original.find(p) for p in new], [weight / len(p) for p, weight in new.items()])
    expected = {p: changed.get(p, w) for p, w in phrases.items() if p not in removed}
    made = BiasGraph([ScoredClass("x", (edited,), 1.0)], STARTS)
    assert made.score(tokens) == graph(expected).score(tokens)
    fresh = trie(expected)
    assert edited.best[0] == pytest.approx(fresh.best[0])
    assert edited.boost[0] == pytest.approx(fresh.boost[0])


@settings(max_examples=200, deadline=None)
@given(lists, strings)
def test_rows_say_what_advancing_does(phrases, tokens):
    made = graph(phrases)
    for state in states(made, tokens):
        row = made.scores(state)
        assert row.dtype == np.float32
        assert row[0] == 0
        assert not row.flags.writeable
        assert made.advance(state, 0) == state
        assert made.pending(state) >= 0
        for token in range(1, 6):
            after = made.advance(state, token)
            settled = row[token] - made.pending(after) + made.pending(state)
            assert settled >= 0
            assert settled == 0 or STARTS[token]


@settings(max_examples=200, deadline=None)
@given(lists, strings, strings)
def test_equal_states_have_equal_futures(phrases, first, second):
    made = graph(phrases)
    if states(made, first)[-1] == states(made, second)[-1]:
        for rest in ([], [4], [1], [1, 4, 2], [2, 3], [5, 1]):
            gains = {made.score([*start, *rest]) - made.score(start) for start in (first, second)}
            assert len(gains) == 1


def test_a_phrase_that_begins_another_does_not_starve_it():
    made = graph({(1, 2): 4.0, (1, 2, 3): 6.0})
    assert made.score([1, 2]) == 4
    assert made.score([1, 2, 3]) == 6
    assert made.score([1, 2, 2]) == 4


def test_an_unfinished_phrase_keeps_nothing():
    made = graph({(1, 4, 5, 2): 8.0})
    state = made.replay([1, 4, 5])
    assert made.pending(state) == 6
    assert made.final(state) == -6
    assert made.score([1, 4, 5]) == 0
    assert made.score([1, 4, 5, 3]) == 0


def test_a_phrase_that_ends_within_a_longer_word_is_none():
    made = graph({(1, 4): 3.0})
    assert made.score([1, 4]) == 3
    assert made.score([1, 4, 5]) == 0
    assert made.score([1, 4, 2]) == 3


def test_a_phrase_counts_as_often_as_it_is_said():
    assert graph({(1,): 1.0, (2, 5): 2.0}).score([1, 1, 2, 5, 3, 1]) == 5


def test_of_overlapping_phrases_the_best_set_counts():
    made = graph({(1, 2): 3.0, (2, 3): 4.0, (3, 1): 3.0})
    assert made.score([1, 2, 3]) == 4
    assert made.score([1, 2, 3, 1]) == 6


def test_no_list_gives_only_zeros():
    made = BiasGraph([], STARTS)
    assert made.replay([1, 4, 2, 3]) == made.replay([5]) != 0
    assert not made.scores(made.start).any()
    assert not made.scores(made.replay([1, 4])).any()
    assert made.final(made.replay([1, 4])) == 0


def test_classes_that_do_not_fit_cost_no_states():
    many = trie({(1 + k % 3, 4, 5, 1 + k // 3): 1.0 for k in range(6)})
    made = BiasGraph(
        [ScoredClass("x", (many,), 1.0, 0.0)], STARTS, templates=Templates.parse(["a $x"]), template_words=WORDS
    )
    made.replay([3, 4, 5, 3, 4, 5, 3, 5])
    assert len(made) == 2
    made.replay([1, 3, 4, 5])
    assert made.pending(made.replay([1, 3, 4])) > 0
