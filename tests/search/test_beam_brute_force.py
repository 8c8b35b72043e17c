"""The beam search and its lattice against every alignment there is."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.lattice import ACOUSTIC, BIAS, LANGUAGE, DeterminizeSettings, Lattice, determinize, n_best, posteriors
from nearword.runtime import BeamSettings
from nearword.runtime.search import BeamSearch, GreedySearch
from table_model import TableModel, TableScorer, alignments

TOKENS = ("<blk>", "▁a", "b", "▁", "▁c")
ALL = 100_000


def log_sum(values: list[float]) -> float:
    highest = max(values)
    return highest + math.log(sum(math.exp(value - highest) for value in values))


def by_words(model: TableModel, summed: bool, max_symbols: int = 1, scorers: tuple[TableScorer, ...] = ()):
    """Return each word sequence's total, by the definition."""
    groups: dict[str, list[float]] = {}
    for tokens, scores in alignments(model, max_symbols).items():
        extra = sum(scorer.of(tokens) for scorer in scorers)
        groups.setdefault(model.vocabulary.text(tokens), []).extend(score + extra for score in scores)
    return {text: log_sum(scores) if summed else max(scores) for text, scores in groups.items()}


def search_all(model: TableModel, wide: BeamSettings, **scorers: TableScorer) -> BeamSearch:
    search = BeamSearch(model, wide, **scorers)
    cut = len(model.frames) // 2
    search.advance(model.frames[:cut])
    search.advance(model.frames[cut:])
    return search


def to_words(search: BeamSearch, model: TableModel, summed: bool, beam: float = math.inf) -> Lattice:
    return determinize(
        search.lattice(),
        model.vocabulary.text,
        model.vocabulary.word_starts,
        frame_seconds=0.08,
        settings=DeterminizeSettings(beam=beam, max_arcs=ALL, summed=summed),
    )


@pytest.mark.parametrize("summed", [True, False])
@pytest.mark.parametrize("max_symbols", [1, 2])
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(2, 5), frames=st.integers(1, 6), context=st.integers(1, 2))
def test_with_a_wide_beam_the_lattice_is_all_word_sequences_with_their_totals(
    summed: bool, max_symbols: int, seed: int, size: int, frames: int, context: int
) -> None:
    frames = min(frames, 3) if max_symbols == 2 else min(frames, 5 if size == 5 else 6)
    model = TableModel(TOKENS[:size], frames, seed, context)
    wide = BeamSettings(max_active=1024, beam=math.inf, max_symbols=max_symbols, summed=summed)
    lattice = to_words(search_all(model, wide), model, summed)
    expected = by_words(model, summed, max_symbols)
    paths = n_best(lattice, ALL)
    assert {path.text for path in paths} == set(expected)
    assert len(paths) == len(expected), "each word sequence stands once"
    for path in paths:
        assert path.total == pytest.approx(expected[path.text], abs=2e-3)
    ranked = [expected[path.text] for path in paths]
    assert all(a >= b - 2e-3 for a, b in itertools.pairwise(ranked))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 5), summed=st.booleans())
def test_scores_of_scorers_are_told_apart_from_the_transducers(seed: int, frames: int, summed: bool) -> None:
    model = TableModel(TOKENS[:3], frames, seed)
    bias, language = TableScorer(3, seed + 1), TableScorer(3, seed + 2)
    wide = BeamSettings(max_active=1024, beam=math.inf, summed=summed)
    search = search_all(model, wide, bias=bias, language=language)
    expected = by_words(model, summed, scorers=(bias, language))
    lattice = to_words(search, model, summed)
    # with tokens that are whole words a word sequence has one token sequence, and its own scores
    for path in n_best(lattice, ALL):
        assert path.total == pytest.approx(expected[path.text], abs=2e-3)
        tokens = tuple(t for word in path.words for t in ((1,) + (2,) * (len(word) - 1) if word[0] == "a" else ()))
        if len("".join(path.words)) == len(tokens):
            assert path.scores[BIAS] == pytest.approx(bias.of(tokens), abs=2e-3)
            assert path.scores[LANGUAGE] == pytest.approx(language.of(tokens), abs=2e-3)
            assert path.scores[ACOUSTIC] == pytest.approx(path.total - bias.of(tokens) - language.of(tokens), abs=4e-3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), beam=st.floats(0.5, 4.0))
def test_a_narrow_lattice_holds_what_is_within_the_beam_and_the_best(seed: int, beam: float) -> None:
    model = TableModel(TOKENS[:4], 5, seed)
    wide = BeamSettings(max_active=1024, beam=math.inf, summed=False)
    lattice = to_words(search_all(model, wide), model, summed=False, beam=beam)
    expected = by_words(model, summed=False)
    best = max(expected.values())
    found = {path.text: path.total for path in n_best(lattice, ALL)}
    assert {text for text, total in expected.items() if total >= best - beam + 1e-3} <= set(found)
    for text, total in found.items():
        assert total == pytest.approx(expected[text], abs=2e-3) or total < expected[text]
    assert max(found, key=found.__getitem__) == max(expected, key=expected.__getitem__)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 12), max_active=st.integers(1, 6))
def test_the_best_path_of_a_maximum_search_is_the_lattices(seed: int, frames: int, max_active: int) -> None:
    model = TableModel(TOKENS, frames, seed)
    search = search_all(model, BeamSettings(max_active=max_active, summed=False))
    lattice = to_words(search, model, summed=False)
    assert lattice.text(lattice.best_path()) == model.vocabulary.text(search.tokens)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 12))
def test_one_active_node_is_the_greedy_search(seed: int, frames: int) -> None:
    model = TableModel(TOKENS, frames, seed)
    search, greedy = search_all(model, BeamSettings(max_active=1, summed=False)), GreedySearch(model)
    greedy.advance(model.frames)
    assert (search.tokens, search.frames) == (greedy.tokens, greedy.frames)
    assert search.log_probs == pytest.approx(greedy.log_probs, abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(2, 14), max_active=st.integers(1, 6), summed=st.booleans())
def test_stable_tokens_never_change(seed: int, frames: int, max_active: int, summed: bool) -> None:
    model = TableModel(TOKENS, frames, seed)
    search = BeamSearch(model, BeamSettings(max_active=max_active, summed=summed))
    settled: list[int] = []
    for frame in model.frames:
        search.advance(frame[None])
        assert search.tokens[: len(settled)] == settled
        assert search.stable_tokens >= len(settled)
        settled = search.tokens[: search.stable_tokens]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(4, 12), data=st.data())
def test_what_is_dropped_and_what_remains_are_the_whole(seed: int, frames: int, data: st.DataObject) -> None:
    model = TableModel(TOKENS, frames, seed)
    search = search_all(model, BeamSettings(max_active=4))
    whole = search.tokens
    count = data.draw(st.integers(0, search.stable_tokens))
    other = search.fork()
    taken = other.drop(count)
    assert other.tokens == whole[count:]
    assert search.tokens == whole or count, "a fork leaves the search as it was"
    text = determinize(taken, model.vocabulary.text, model.vocabulary.word_starts, frame_seconds=0.08)
    assert text.find(model.vocabulary.text(whole[:count]).split()) is not None
    assert other.lattice().final.count(None) < len(other.lattice().final)


def test_posteriors_sum_to_one_over_the_words_that_may_begin_an_utterance() -> None:
    model = TableModel(TOKENS, 5, 3)
    lattice = to_words(search_all(model, BeamSettings(max_active=8)), model, summed=True)
    first = posteriors(lattice)[lattice.source == 0].sum()
    ending = np.exp(lattice.final_totals[0] - np.logaddexp.reduce([path.total for path in n_best(lattice, ALL)]))
    assert first + ending == pytest.approx(1, abs=1e-4)


def test_without_recombination_every_token_sequence_is_its_own() -> None:
    model = TableModel(TOKENS, 6, 11)
    merged = search_all(model, BeamSettings(max_active=6))
    apart = search_all(model, BeamSettings(max_active=6, recombine=False))
    assert len(n_best(to_words(apart, model, summed=True), ALL)) <= 6
    assert len(n_best(to_words(merged, model, summed=True), ALL)) > 6


@pytest.mark.parametrize(
    ("field", "value"), [("max_active", 0), ("beam", -1.0), ("max_symbols", 0), ("temperature", 0.0)]
)
def test_settings_out_of_range_are_named(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field} is"):
        BeamSettings(**{field: value})


def test_a_long_utterance_keeps_alternatives_all_along() -> None:
    frames = 1600
    model = TableModel(TOKENS, frames, seed=5)
    search = search_all(model, BeamSettings(max_active=8))
    lattice = determinize(search.lattice(), model.vocabulary.text, model.vocabulary.word_starts, frame_seconds=0.08)
    tenth = frames * 0.08 / 10
    best = set(lattice.best_path())
    others = [arc for arc in range(lattice.num_arcs) if arc not in best]
    assert lattice.num_arcs <= 1.1 * DeterminizeSettings().max_arcs * max(1, frames / 128)
    assert {int(lattice.start[arc] / tenth) for arc in others} == set(range(10))
