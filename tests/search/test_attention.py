"""Attention to phrases in the search: as if the model itself said so, and told apart from what it says without."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.lattice import DeterminizeSettings, determinize, n_best
from nearword.runtime import BeamSettings
from nearword.runtime.search import BeamSearch
from table_model import TableModel

TOKENS = ("<blk>", "▁a", "b", "▁c")
FRAMES = 6
WIDE = BeamSettings(max_active=512, beam=50.0)


class TableAttention:
    """Moves frames to the second half of a model's table, after contexts that end in a token of ``after``."""

    def __init__(self, after: frozenset[int]) -> None:
        self.after = after

    def past(self, phones: np.ndarray) -> np.ndarray:
        return phones[-2:]

    def listen(self, encoder_out: np.ndarray, phones: np.ndarray, past: np.ndarray) -> "TableStep":
        del phones, past
        return TableStep(self.after, len(encoder_out))


class TableStep:
    def __init__(self, after: frozenset[int], frames: int) -> None:
        self.after, self.frames = after, frames

    def added(self, contexts: list[tuple[int, ...]], position: int) -> np.ndarray:
        rows = [FRAMES if context[-1] in self.after else 0 for context in contexts]
        return np.repeat(np.asarray(rows, np.float32)[:, None, None], self.frames - position, 1)


def models(seed: int, after: frozenset[int]) -> tuple[TableModel, TableModel]:
    """Return a model to attend in, and one that says without attention what the other says with it."""
    whole, mixed = TableModel(TOKENS, 2 * FRAMES, seed), TableModel(TOKENS, 2 * FRAMES, seed)
    for context, number in mixed._numbers.items():
        if context[-1] in after:
            mixed._logits[:FRAMES, number] = mixed._logits[FRAMES:, number]
    return whole, mixed


def run(model: TableModel, cut: int, attention: TableAttention | None) -> BeamSearch:
    search = BeamSearch(model, WIDE, attention=attention)
    phones = np.zeros((2 * FRAMES, 3), np.float32)
    for part in (slice(0, cut), slice(cut, FRAMES)):
        search.advance(model.frames[part], phones[2 * part.start : 2 * part.stop])
    return search


def texts(search: BeamSearch, model: TableModel) -> dict[str, float]:
    lattice = determinize(
        search.lattice(),
        model.vocabulary.text,
        model.vocabulary.word_starts,
        frame_seconds=0.08,
        settings=DeterminizeSettings(max_arcs=20_000),
    )
    return {" ".join(path.words): path.total for path in n_best(lattice, 40)}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), after=st.frozensets(st.integers(0, 3)), cut=st.integers(0, FRAMES))
def test_words_are_scored_as_if_the_model_expected_the_phrases(seed: int, after: frozenset[int], cut: int) -> None:
    whole, mixed = models(seed, after)
    found = texts(run(whole, cut, TableAttention(after)), whole)
    expected = texts(run(mixed, cut, None), mixed)
    assert found.keys() == expected.keys()
    for text, score in found.items():
        np.testing.assert_allclose(score, expected[text], atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), after=st.frozensets(st.integers(0, 3)))
def test_what_a_token_is_given_is_told_apart(seed: int, after: frozenset[int]) -> None:
    whole, mixed = models(seed, after)
    search = run(whole, 2, TableAttention(after))
    context = whole.start
    for token, frame, log_prob in zip(search.tokens, search.frames, search.log_probs, strict=True):
        np.testing.assert_allclose(log_prob, whole.log_probs(frame, context)[token], atol=1e-4)
        context = (*context[1:], token)
    given_ = [arc.bias for arcs in search.lattice().arcs for arc in arcs if arc.token]
    if not after:
        assert not any(given_)
    elif search.tokens and 0 in after:
        assert any(given_)
    del mixed


def test_a_fork_goes_its_own_way_and_no_phones_are_no_attention() -> None:
    whole, _ = models(3, frozenset({0, 1, 2, 3}))
    attention = TableAttention(frozenset({0, 1, 2, 3}))
    search = BeamSearch(whole, WIDE, attention=attention)
    phones = np.zeros((2 * FRAMES, 3), np.float32)
    search.advance(whole.frames[:3], phones[:6])
    fork = search.fork()
    fork.advance(whole.frames[3:FRAMES], phones[6:])
    search.advance(whole.frames[3:FRAMES], phones[6:])
    assert texts(fork, whole) == texts(search, whole) == texts(run(whole, 3, attention), whole)
    deaf, plain = BeamSearch(whole, WIDE, attention=attention), BeamSearch(whole, WIDE)
    for each in (deaf, plain):
        each.advance(whole.frames[:FRAMES])
    assert texts(deaf, whole) == texts(plain, whole)
