import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.biasing.errors import BiasingError
from nearword.biasing.slots import SlotGrammar

CLASSES = {
    "size": ["small", "medium", "twelve ounce"],
    "roast": ["medium roast", "dark roast"],
    "drink": ["mocha", "Iced Mocha", "coffee"],
    "milk": ["milk", "soy milk", "a bit of soy milk"],
}
ORDER = "[make me] [a] [$SIZE] [$ROAST] $DRINK [with $MILK]"
GRAMMAR = SlotGrammar([ORDER], CLASSES)


@dataclass(frozen=True)
class Graph:
    words: list[str]
    source: np.ndarray
    target: np.ndarray
    word: np.ndarray
    totals: np.ndarray
    final_totals: np.ndarray


def graph(arcs, finals):
    """Arcs are (source, target, word, total), sorted by source."""
    source, target, words, totals = zip(*arcs, strict=True) if arcs else ((), (), (), ())
    listed = sorted(set(words))
    numbers = np.array([listed.index(word) for word in words], int)
    return Graph(
        listed, np.array(source, int), np.array(target, int), numbers, np.array(totals, float), np.array(finals, float)
    )


def slots(text, grammar=GRAMMAR):
    filled = grammar.fill(text.split())
    return None if filled is None else filled.slots


def test_phrases_fill_the_classes_of_the_template():
    assert slots("make me a medium dark roast mocha with soy milk") == {
        "size": "medium",
        "roast": "dark roast",
        "drink": "mocha",
        "milk": "soy milk",
    }


def test_the_longer_phrase_is_meant_where_it_was_said():
    assert slots("medium roast coffee") == {"roast": "medium roast", "drink": "coffee"}
    assert slots("iced mocha with a bit of soy milk") == {"drink": "Iced Mocha", "milk": "a bit of soy milk"}


def test_other_words_are_fillers():
    filled = GRAMMAR.fill("well make me erm a small coffee please".split())
    assert filled.slots == {"size": "small", "drink": "coffee"}
    assert filled.fillers == 3
    assert filled.words == tuple("well make me erm a small coffee please".split())


def test_words_that_do_not_fit_ask_for_nothing():
    assert slots("turn on the light") is None
    assert slots("") is None


def test_a_template_all_of_which_may_be_left_out_fits_silence():
    assert slots("", SlotGrammar(["[$DRINK]"], CLASSES)) == {}


def test_letter_case_does_not_matter():
    assert slots("A SMALL Coffee") == {"size": "small", "drink": "coffee"}


def test_any_of_several_templates_may_fit():
    grammar = SlotGrammar(["brew $DRINK", "add $MILK | stop"], CLASSES)
    assert slots("add milk", grammar) == {"milk": "milk"}
    assert slots("stop", grammar) == {}
    assert slots("coffee", grammar) is None


def test_in_a_lattice_the_best_path_that_fits_wins_over_a_better_one_that_does_not():
    heard = graph(
        [
            (0, 1, "small", -1.0), (1, 2, "cough", -0.1), (1, 2, "coffee", -1.5), (2, 3, "he", -0.1),
            (2, 4, "with", -1.0), (4, 5, "milk", -1.0),
        ],
        [-np.inf, -np.inf, -3.0, 0.0, -np.inf, 0.0],
    )  # fmt: skip
    filled = GRAMMAR.fill_best(heard)
    assert filled.words == ("small", "coffee", "with", "milk")
    assert filled.score == pytest.approx(-4.5)


def test_dear_fillers_give_way_to_words_of_the_template():
    heard = graph(
        [(0, 1, "mocha", 0.0), (1, 2, "with", 0.0), (2, 3, "mill", 0.0), (2, 3, "milk", -3.0)], [-np.inf] * 3 + [0.0]
    )
    assert SlotGrammar([ORDER], CLASSES, filler=1.0).fill_best(heard).slots == {"drink": "mocha"}
    assert SlotGrammar([ORDER], CLASSES, filler=3.0).fill_best(heard).slots == {"drink": "mocha", "milk": "milk"}


@pytest.mark.parametrize(
    ("templates", "named"), [(["a $CAR"], "CAR"), (["a ("], "template 'a \\('"), (["a) (b"], "closes nothing")]
)
def test_a_grammar_that_makes_no_sense_is_named(templates, named):
    with pytest.raises(BiasingError, match=named):
        SlotGrammar(templates, CLASSES)


def test_a_negative_price_is_refused():
    with pytest.raises(BiasingError, match="filler is -1"):
        SlotGrammar([ORDER], CLASSES, filler=-1)


WORDS = ["a", "small", "medium", "roast", "mocha", "iced", "with", "milk", "soy", "um"]


@given(
    st.lists(st.lists(st.tuples(st.sampled_from(WORDS), st.integers(0, 9)), min_size=1, max_size=3), max_size=6),
    st.sampled_from([0.0, 1.0, 3.0]),
)
def test_the_score_is_the_best_over_all_paths(layers, price):
    """In a sausage every choice of words is a path: the best of them taken one by one must be the one found."""
    grammar = SlotGrammar([ORDER], CLASSES, filler=price)
    layers = [sorted(dict(layer).items()) for layer in layers]
    arcs = [(k, k + 1, word, -float(total)) for k, layer in enumerate(layers) for word, total in layer]
    found = grammar.fill_best(graph(arcs, [-np.inf] * len(layers) + [0.0]))
    scores = []
    for path in itertools.product(*layers):
        filled = grammar.fill([word for word, _ in path])
        if filled is not None:
            scores.append(filled.score - sum(total for _, total in path))
    assert (found is None) == (not scores)
    if found is not None:
        assert found.score == pytest.approx(max(scores))


@given(st.lists(st.sampled_from("abcxy"), max_size=8))
def test_fillers_are_as_few_as_can_be(words):
    """With phrases of one word, a sentence of the grammar fits where its words stand in order."""
    grammar = SlotGrammar(["[a] $MANY [b $MANY]"], {"many": ["x", "y"]})
    sentences = [
        [*first, one, *then]
        for first in ([], ["a"])
        for one in "xy"
        for then in ([], ["b", "x"], ["b", "y"])
    ]  # fmt: skip
    fillers = [len(words) - len(sentence) for sentence in sentences if _in_order(sentence, words)]
    filled = grammar.fill(words)
    assert (filled is None) == (not fillers)
    assert filled is None or filled.fillers == min(fillers)


def test_templates_of_several_intents_say_which_was_meant():
    grammar = SlotGrammar({"call": ["call $WHO"], "text": ["text $WHO [late]", "write to $WHO"]}, {"who": ["meg"]})
    found = [grammar.fill(words.split()) for words in ("call meg", "write to meg", "text meg late")]
    assert [(each.intent, each.slots) for each in found] == [
        ("call", {"who": "meg"}),
        ("text", {"who": "meg"}),
        ("text", {"who": "meg"}),
    ]
    assert SlotGrammar(["call $WHO"], {"who": ["meg"]}).fill(["call", "meg"]).intent == ""


def _in_order(sentence, words):
    left = iter(words)
    return all(word in left for word in sentence)
