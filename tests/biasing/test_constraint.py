import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.biasing import BiasingError, BiasVocabulary, Tokenizer
from nearword.biasing.constraint import GrammarScorer
from nearword.biasing.slots import SlotGrammar
from nearword.biasing.vocabulary import GREATEST_SURPRISE

TOKENS = ("<blk>", *("\u2581" + c for c in "abmx"), *"abmx")
VOCABULARY = BiasVocabulary(TOKENS)
GRAMMAR = SlotGrammar(["a [$SIZE] $DRINK"], {"size": ["b", "bm"], "drink": ["x", "ab x"]})
SENTENCES = ("a x", "a ab x", "a b x", "a bm x", "a b ab x", "a bm ab x")
PENALTY = 5.0


def scorer(penalty=PENALTY, reward=0.0, **settings):
    return GrammarScorer(GRAMMAR, Tokenizer(VOCABULARY, ways=1), penalty=penalty, reward=reward, **settings)


def surprise(contexts, tokens):
    """All tokens after a blank or nothing are worth 2, after the first token 4, later on 40."""
    return np.where(contexts[:, 1] == 0, 2.0, np.where(contexts[:, 0] == 0, 4.0, 40.0)).astype(np.float32)


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


@pytest.mark.parametrize("text", SENTENCES)
def test_tokens_that_fit_are_rewarded(text):
    assert total(scorer(reward=0.5), tokens(text)) == 0.5 * len(tokens(text))


def test_a_filler_earns_nothing():
    assert total(scorer(reward=0.5), tokens("m a x")) == 2 * 0.5 - PENALTY


def test_what_the_model_does_not_expect_gets_its_share():
    assert total(scorer(surprise=surprise, share=0.25), tokens("a b x")) == 0.25 * (2 + 4 + GREATEST_SURPRISE)


def test_after_a_filler_the_model_expects_what_it_does_at_the_beginning():
    assert total(scorer(surprise=surprise, share=0.25), tokens("a m x")) == 0.25 * (2 + 2) - PENALTY


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


@pytest.mark.parametrize(("name", "value"), [("penalty", -1), ("reward", float("nan")), ("share", 1.5)])
def test_numbers_out_of_range_are_named(name, value):
    with pytest.raises(BiasingError, match=f"{name} is {value}: expected 0 to"):
        scorer(**{name: value})
