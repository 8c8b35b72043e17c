"""Two searches in the place of one: each finds what it finds alone, and the likelier leads."""

from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.runtime import BeamSettings
from nearword.runtime.search import BeamSearch, TwoSearches
from table_model import TableModel, TableScorer

TOKENS = ("<blk>", "▁a", "b", "▁", "▁c")
FRAMES = 12
NARROW = BeamSettings(max_active=4)


def both(seed: int, advanced: int = FRAMES) -> tuple[TwoSearches, BeamSearch, BeamSearch, TableModel]:
    """Return two searches, the same searches each alone, and the model, after some frames."""
    model = TableModel(TOKENS, FRAMES, seed, 2)
    scorer = TableScorer(len(TOKENS), seed + 1)
    alone = BeamSearch(model, NARROW), BeamSearch(model, NARROW, language=scorer)
    two = TwoSearches(BeamSearch(model, NARROW))
    informed = two.plain.fork()
    informed.relanguage(scorer)
    two.inform(informed)
    for search in (*alone, two):
        search.advance(model.frames[:advanced])
    return two, *alone, model


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_each_finds_what_it_finds_alone_and_the_likelier_leads(seed: int) -> None:
    two, plain, informed, _ = both(seed)
    assert two.informed is not None
    assert (two.plain.tokens, two.plain.lattice()) == (plain.tokens, plain.lattice())
    assert (two.informed.tokens, two.informed.best_score) == (informed.tokens, informed.best_score)
    best = max((plain, informed), key=lambda search: search.best_score)
    assert (two.tokens, two.frames, two.log_probs) == (best.tokens, best.frames, best.log_probs)
    assert two.trailing_blanks == best.trailing_blanks
    assert two.lattice() == (two.plain if best is plain else two.informed).lattice()


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), cut=st.integers(1, FRAMES - 1))
def test_stable_tokens_stay_whichever_leads_in_the_end(seed: int, cut: int) -> None:
    two, _, _, model = both(seed, cut)
    stable = two.tokens[: two.stable_tokens]
    two.advance(model.frames[cut:])
    assert two.informed is not None
    for search in (two.plain, two.informed):
        assert search.tokens[: len(stable)] == stable


def test_a_fork_goes_its_own_way() -> None:
    two, _, _, model = both(3, 5)
    before, fork = two.tokens[:], two.fork()
    fork.advance(model.frames[5:])
    assert two.tokens == before
    assert (two.frames_seen, fork.frames_seen) == (5, FRAMES)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_what_leads_goes_on_alone_behind_a_cut(seed: int) -> None:
    two, _, _, _ = both(seed)
    tokens = two.tokens[:]
    two.drop(min(1, len(tokens)))
    assert two.informed is None
    assert two.tokens == tokens[1:]


def test_without_another_it_is_the_plain_search() -> None:
    two, plain, _, _ = both(11)
    two.inform(None)
    assert (two.leading, two.tokens, two.stable_tokens) == (two.plain, plain.tokens, plain.stable_tokens)
