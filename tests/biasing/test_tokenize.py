import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.biasing import BiasVocabulary, Phrase, Refused, Tokenizer

PIECES = [
    "<blk>",
    "<unk>",
    *"abcdefghijklmnopqrstuvwxyz'",
    "\u2581",
    *(f"\u2581{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
]
WORDS = ["\u2581meg", "\u2581living", "\u2581room", "\u2581me", "er", "\u2581call"]
VOCABULARY = BiasVocabulary([*PIECES, *WORDS])


def written(text, cls="phrase", vocabulary=VOCABULARY, ways=1, lexicon=frozenset()):
    result = Tokenizer(vocabulary, ways=ways).tokenize(Phrase(text, cls), lexicon)
    assert not isinstance(result, Refused), result
    return ["".join(vocabulary.tokens[t] for t in way).replace("\u2581", " ").strip() for way in result.ways]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Meg  Bauer", "meg bauer"),
        ("Renée Müller-Straße", "renee mullerstrasse"),
        ("O\u2019Brien", "o'brien"),
        ("J. R. Hartley", "j r hartley"),
        ("J.R. Hartley", "jr hartley"),
        ("TV", "t v"),
        ("kitchen TV", "kitchen t v"),
        ("Gate 12", "gate twelve"),
        ("Gate 12", "gate one two"),
        ("Summer of 1969", "summer of nineteen sixty nine"),
        ("wi-fi", "wi fi"),
        ("wi-fi", "wifi"),
        ("LivingRoom", "living room"),
        ("livingroom", "living room"),
        ("Salt & Pepper", "salt and pepper"),
        ("(the) 'lamp'!", "the lamp"),
        ("lamp", "lamps"),
        ("switch", "switches"),
        ("dairy", "dairies"),
        ("ﬁnn", "finn"),
    ],
)
def test_what_is_said_for_what_is_written(text, said):
    assert said in written(text)


def test_names_have_possessives_and_are_not_taken_apart():
    assert written("Meg", "contact") == ["meg", "meg's"]
    assert written("Thomas", "contact") == ["thomas", "thomas's", "thomas'"]
    assert written("Livingroom", "contact") == ["livingroom", "livingroom's"]


def test_compounds_split_into_words_of_the_list():
    tokenizer = Tokenizer(VOCABULARY)
    used, _ = tokenizer.tokenize_all([Phrase("bedside lamp"), Phrase("lampshade"), Phrase("old shade")])
    assert "lamp shade" in used[1].spellings


def test_the_likeliest_tokenisation_has_the_fewest_tokens():
    first = Tokenizer(VOCABULARY, ways=4).tokenize(Phrase("meg")).ways
    pieces = [[VOCABULARY.tokens[t] for t in way] for way in first[:4]]
    assert pieces[0] == ["\u2581meg"]
    assert pieces[1] == ["\u2581me", "g"]
    assert all("".join(way) == "\u2581meg" for way in pieces)


def test_the_models_own_tokeniser_comes_first():
    vocabulary = BiasVocabulary([*PIECES, *WORDS], lambda word, n: [["\u2581", *word], ["?"]][:n])
    assert [vocabulary.tokens[t] for t in Tokenizer(vocabulary, ways=1).tokenize(Phrase("meg")).ways[0]] == [
        "\u2581", "m", "e", "g"
    ]  # fmt: skip


def test_letter_case_is_the_models():
    upper = BiasVocabulary([token if token.startswith("<") else token.upper() for token in [*PIECES, *WORDS]])
    assert written("Meg's", vocabulary=upper) == ["MEG'S"]
    both = BiasVocabulary([*PIECES, *"BM"])
    assert set(written("Meg bauer", vocabulary=both, ways=2)) >= {"Meg bauer", "meg bauer"}


def test_models_of_characters_and_of_ideographs():
    plain = BiasVocabulary(["<blk>", *"abcdefg"])
    assert plain.word_starts == (True,) * 8
    assert written("bad", vocabulary=plain)[0] == "bad"
    mixed = BiasVocabulary(["<blk>", "\u2581hello", "你", "好", "s"])
    assert mixed.word_starts == (False, True, True, True, False)
    assert written("你好", vocabulary=mixed) == ["你好"]
    assert written("hello 你", vocabulary=mixed) == ["hello你"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Владимир", r"no tokens for 'в' \(U\+0432\)"),
        ("!!!", "nothing that can be said"),
        ("", "empty"),
        (" \t ", "empty"),
        ("a\x00b", r"U\+0000"),
        ("a" * 201, "201 characters; at most 200"),
        ("a" * 150, "no tokens that spell it"),
        (" ".join("abcdefghijk" for _ in range(9)), "tokens; at most 64"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(text, reason):
    refused = Tokenizer(VOCABULARY).tokenize(Phrase(text, line=3))
    assert isinstance(refused, Refused)
    assert refused.line == 3
    assert len(refused.text) <= 60
    import re

    assert re.search(reason, refused.reason), refused.reason


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["contact", "device"]))
def test_no_text_does_harm(text, cls):
    result = Tokenizer(VOCABULARY, ways=3).tokenize(Phrase(text, cls))
    if not isinstance(result, Refused):
        for way in result.ways:
            assert 0 < len(way) <= 64
            assert VOCABULARY.word_starts[way[0]]
            assert 0 not in way
