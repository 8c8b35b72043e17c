import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kneser_ney_reference import Reference
from nearword.lattice.language import LanguageModelError, NgramModel, train_pieces, train_words
from nearword.lattice.language.kneser_ney import discounts_of

LETTERS = ["a", "b", "c", "d"]
TEXTS = st.lists(st.lists(st.sampled_from(LETTERS), max_size=8), min_size=1, max_size=12)


def train(sentences: list[list[str]], order: int, **more) -> NgramModel:
    symbols = ["<blk>", *LETTERS, "e"]  # e is never seen
    return train_pieces(
        map(" ".join, sentences), symbols, lambda s: [symbols.index(w) for w in s.split()], order=order, **more
    )


def sums(model: NgramModel) -> list[float]:
    """For every state of the model, what the probabilities of all tokens and of the end add up to."""
    blank = model.symbols[0] == "<blk>"
    return [
        np.exp(model.scores(state)[int(blank) :].astype(float)).sum() + math.exp(model.final(state))
        for state in range(model.trie.num_nodes)
    ]


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(1, 5))
def test_probabilities_are_those_of_the_formulas(sentences: list[list[str]], order: int) -> None:
    model = train(sentences, order)
    reference = Reference(sentences, [*LETTERS, "e"], order, lambda c: discounts_of(np.array(c)))
    for sentence in [*sentences, ["e", "a"], ["d", "d", "c", "b", "a"]]:
        state, history = model.start, ("<s>",)
        for word in sentence:
            for other in [*LETTERS, "e"]:
                wanted = math.log(reference.probability(history, other))
                number = model.symbols.index(other)
                assert model.score(state, number) == pytest.approx(wanted, abs=1e-4)
                assert model.scores(state)[number] == pytest.approx(wanted, abs=1e-4)
            assert model.final(state) == pytest.approx(math.log(reference.probability(history, "</s>")), abs=1e-4)
            state, history = model.advance(state, model.symbols.index(word)), (*history, word)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(1, 5))
def test_probabilities_add_up_to_one_in_every_state(sentences: list[list[str]], order: int) -> None:
    assert sums(train(sentences, order)) == pytest.approx(np.ones(train(sentences, order).trie.num_nodes), abs=1e-5)


def test_probabilities_add_up_to_one_in_a_pruned_model() -> None:
    rng = np.random.default_rng(3)
    sentences = [rng.choice(LETTERS, rng.integers(1, 20), p=[0.6, 0.25, 0.1, 0.05]).tolist() for _ in range(300)]
    whole = train(sentences, 5)
    assert whole.trie.num_nodes > 800
    pruned = train(sentences, 5, max_bytes=4096 + 8 * 300)
    assert 200 < pruned.trie.num_nodes <= 300
    assert sums(pruned) == pytest.approx(np.ones(pruned.trie.num_nodes), abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(TEXTS, st.integers(1, 5))
def test_a_suffix_found_alone_is_that_of_the_array(sentences: list[list[str]], order: int) -> None:
    model = train(sentences, order)
    trie = model.trie
    assert [trie.suffix_of(node) for node in range(trie.num_nodes)] == trie.suffix.tolist()
    for state in range(trie.num_nodes):
        model.scores(state)  # a row that is kept is what advance looks into
        for token in range(1, len(model.symbols)):  # a blank changes nothing
            found = trie.step(state, token)
            assert model.advance(state, token) == (0 if found is None else trie.shorten(found[0]))


def test_pruning_keeps_what_matters() -> None:
    rng = np.random.default_rng(3)
    usual = [["a", "b", "c"]] * 200
    sentences = usual + [rng.choice(LETTERS, 6).tolist() for _ in range(200)]
    whole, pruned = train(sentences, 3), train(sentences, 3, max_bytes=4096 + 8 * 60)
    scores = [
        model.score(model.advance(model.advance(model.start, 1), 2), 3) for model in (whole, pruned)
    ]  # c after a, b
    assert scores[1] == pytest.approx(scores[0], abs=0.2)


def test_a_size_that_holds_not_even_the_tokens_is_refused() -> None:
    with pytest.raises(LanguageModelError, match="not even the single tokens; needed: 0.00"):
        train([["a"]] * 3 + [["a", "b", "c", "d"]], 3, max_bytes=4000)


def test_rare_words_are_unknown_and_so_are_others() -> None:
    model = train_words(["play jazz", "play jazz", "play chess"], order=2)
    assert model.symbols == ("<unk>", "jazz", "play")
    assert model.number("chess") == model.number("zebra") == 0
    play = model.advance(model.start, model.number("play"))
    assert model.score(play, model.number("jazz")) > model.score(play, model.number("zebra")) > -5


@pytest.mark.parametrize("order", [0, 9])
def test_an_order_out_of_range_is_refused(order: int) -> None:
    with pytest.raises(LanguageModelError, match="expected 1 to 8"):
        train([["a"]], order)


def test_no_text_is_refused() -> None:
    with pytest.raises(LanguageModelError, match="no text"):
        train([], 3)


def test_discounts_are_estimated_from_how_many_were_seen_once_twice_and_so_on() -> None:
    # Chen & Goodman: n1 = 4, n2 = 2, n3 = 1, n4 = 1; Y = 4 / (4 + 4) = 0.5
    counts = np.array([1] * 4 + [2] * 2 + [3] + [4])
    assert discounts_of(counts) == pytest.approx([0, 1 - 2 * 0.5 * 2 / 4, 2 - 3 * 0.5 * 1 / 2, 3 - 4 * 0.5 * 1 / 1])
