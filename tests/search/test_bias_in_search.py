"""Phrases in the search: what is boosted comes out, what is not finished keeps nothing, lists change on the way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.biasing import Biasing, BiasVocabulary, ClassSettings, Phrase
from nearword.lattice import BIAS, DeterminizeSettings, Lattice, determinize, n_best
from nearword.runtime import BeamSettings, SearchOptions
from nearword.runtime.search import BeamSearch
from table_model import TableModel

TOKENS = ("<blk>", "▁a", "b", "▁c", "▁d")
WORDS = ("a", "ab", "abb", "c", "cb", "d", "db")
phrases = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=2).map(" ".join), max_size=4)


def boosting(texts: list[str], strength: float = 0.6) -> Biasing:
    biasing = Biasing(BiasVocabulary(TOKENS), settings=ClassSettings(strength))
    biasing.add_all([Phrase(text) for text in texts])
    return biasing


def run(model: TableModel, options: SearchOptions, edits: dict[int, list[str]] | None = None) -> BeamSearch:
    search = options.begin(model)
    for number, frame in enumerate(model.frames):
        for text in (edits or {}).get(number, ()):
            options.bias.add(Phrase(text))
        options.refresh(search)
        search.advance(frame[None])
    return search


def words(search: BeamSearch, model: TableModel) -> Lattice:
    return determinize(
        search.lattice(),
        model.vocabulary.text,
        model.vocabulary.word_starts,
        frame_seconds=0.08,
        settings=DeterminizeSettings(max_arcs=20_000),
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), texts=phrases)
def test_the_bias_of_every_path_is_what_its_phrases_earn(seed: int, texts: list[str]) -> None:
    model, biasing = TableModel(TOKENS, 7, seed), boosting(texts)
    search = run(model, SearchOptions(BeamSettings(max_active=6), bias=biasing))
    graph = biasing.snapshot()
    for path in n_best(words(search, model), 50):
        tokens = [TOKENS.index(letter if letter == "b" else f"▁{letter}") for word in path.words for letter in word]
        assert path.scores[BIAS] == pytest.approx(graph.score(tokens), abs=1e-3), path.text


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_an_empty_list_changes_nothing(seed: int) -> None:
    model = TableModel(TOKENS, 9, seed)
    plain = run(model, SearchOptions())
    empty = run(model, SearchOptions(bias=boosting([])))
    assert (empty.tokens, empty.frames, empty.log_probs) == (plain.tokens, plain.frames, plain.log_probs)
    assert words(empty, model) == words(plain, model)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), texts=phrases, moment=st.integers(1, 8))
def test_a_list_that_is_rebuilt_the_same_on_the_way_changes_nothing(seed: int, texts: list[str], moment: int) -> None:
    model = TableModel(TOKENS, 9, seed)
    once = run(model, SearchOptions(bias=boosting(texts)))
    again = run(model, SearchOptions(bias=boosting(texts)), {moment: texts[:1]})
    assert again.tokens == once.tokens
    totals = [{path.text: path.total for path in n_best(words(search, model), 20)} for search in (once, again)]
    for text, total in totals[0].items():
        assert totals[1].get(text, total) == pytest.approx(total, abs=2e-2)


def test_a_boosted_phrase_wins_and_one_added_on_the_way_too() -> None:
    def text(options: SearchOptions, edits: dict[int, list[str]] | None = None) -> str:
        return model.vocabulary.text(run(model, options, edits).tokens)

    plain = boosted = late = 0
    for seed in range(30):
        model = TableModel(TOKENS, 8, seed)
        plain += "cb d" in text(SearchOptions())
        boosted += "cb d" in text(SearchOptions(bias=boosting(["cb d"], 1.0)))
        late += "cb d" in text(SearchOptions(bias=boosting([], 1.0)), {3: ["cb d"]})
    assert 2 * plain <= late <= boosted
    assert boosted >= 20


def test_one_active_hypothesis_takes_phrases_too() -> None:
    model = TableModel(TOKENS, 8, 1)
    search = run(model, SearchOptions(BeamSettings(max_active=1), bias=boosting(["cb d"], 1.0)))
    assert isinstance(search, BeamSearch)
    assert np.isfinite(search.log_probs).all()


def test_phrases_under_way_seldom_cost_what_is_found_without_them() -> None:
    never_finished = [" ".join([word, *["ab"] * 7]) for word in WORDS]
    worse = 0
    for seed in range(100):
        model, beam = TableModel(TOKENS, 7, seed), BeamSettings(max_active=3)
        searches = [run(model, SearchOptions(beam, bias=bias)) for bias in (None, boosting(never_finished, 1.0))]
        plain, boosted = (n_best(words(search, model), 1)[0].total for search in searches)
        worse += boosted < plain - 1e-6
    # it loses in 4; with no more nodes than without phrases in 9, with one hypothesis beside the phrases in 53
    assert worse < 7
