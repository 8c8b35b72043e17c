import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.biasing import BiasingError, BiasVocabulary, Tokenizer
from nearword.biasing.constraint import GrammarScorer
from nearword.biasing.slots import SlotGrammar

TOKENS = ("<blk>", *("\u2581" + c for c in "abmx"), *"abmx")
VOCABULARY = BiasVocabulary(TOKENS)
GRAMMAR = SlotGrammar(["a [$SIZE] $DRINK"], {"size": ["b", "bm"], "drink": ["x", "ab x"]})
SENTENCES = ("a x", "a ab x", "a b x", "a bm x", "a b ab x", "a bm ab x")
PENALTY = 5.0


def scorer(penalty=PENALTY):
    return GrammarScorer(GRAMMAR, Tokenizer(VOCABULARY, ways=1), penalty=penalty)


def tokens(text):
    return [
        TOKENS.index(c if place else "\u2581" + c) for word in text.split() for place, c in enumerate(word)
    ]  # fmt: skip


def total(scored, said):
    state, score = scored.start, 0.0
    for token in said:
        score += float(scored.scores(state)[token])
        state = scored.advance(state, token)
    return score + scored.final(state)


@pytest.mark.parametrize("text", SENTENCES)
def test_what_the_grammar_allows_costs_nothing(text):
    assert total(scorer(), tokens(text)) == 0


def test_silence_costs_nothing():
    assert total(scorer(), []) == 0


@pytest.mark.parametrize("text", ["a", "a b", "a ab", "a bm ab"])
def test_a_sentence_that_is_not_finished_costs_one_penalty(text):
    assert total(scorer(), tokens(text)) == -PENALTY


@pytest.mark.parametrize("text", ["m a x", "a m x", "a x m", "a b m ab x"])
def test_a_filler_costs_its_price_and_the_grammar_goes_on(text):
    assert total(scorer(), tokens(text)) == -PENALTY


def test_what_a_filler_breaks_off_is_to_be_said_again():
    assert total(scorer(), tokens("a ab m ab x")) == -PENALTY
    assert total(scorer(), tokens("a ab m x")) == -PENALTY  # the other drink


def test_a_word_ends_where_the_grammar_says():
    assert total(scorer(), tokens("a bx")) < 0
    assert total(scorer(), tokens("ax")) < 0


def test_blanks_change_nothing():
    one = scorer()
    state = one.advance(one.start, TOKENS.index("\u2581a"))
    assert one.advance(state, 0) == state
    assert one.scores(state)[0] == 0


@given(st.lists(st.integers(1, len(TOKENS) - 1), max_size=8))
def test_only_sentences_of_the_grammar_are_free(said):
    assert (total(scorer(), said) == 0) == (said in ([], *map(tokens, SENTENCES)))


def test_what_the_model_cannot_spell_is_named():
    with pytest.raises(BiasingError, match="'q'"):
        GrammarScorer(SlotGrammar(["a q"], {}), Tokenizer(VOCABULARY))


def test_a_negative_penalty_is_refused():
    with pytest.raises(BiasingError, match="penalty is -1"):
        scorer(-1)
