"""Slots that are closed lists: their values are exchanged for training, and found again where they were misheard."""

import pytest
from marked_requests import marked
from nearword.lattice.understanding.known_values import nearest_value
from nearword.lattice.understanding.training import Settings, known_values, train, varied
from nearword.runtime.recognition.understanding_file import load_understanding, load_word_classes, save_understanding

ORDERS = [
    marked(f"{opener} a ({size})[size] ({drink})[drink]", "order")
    for opener, size, drink in [
        ("brew me", "small", "mocha"), ("i want", "large", "mocha"), ("make me", "small", "latte"),
        ("can i have", "medium", "house coffee"), ("get me", "large", "latte"), ("i'd like", "medium", "iced mocha"),
        ("give me", "large", "house coffee"), ("may i have", "small", "iced mocha"),
    ]
]  # fmt: skip
CALLS = [marked(f"call ({name})[who]", "call") for name in "anna bert carla dora emil frida gustav hanna".split()]
DRINKS = ("house coffee", "iced mocha", "latte", "mocha")


def test_variants_have_the_values_of_others_where_theirs_were():
    found, sources = varied(ORDERS, 5)
    assert [one for one in found if one in ORDERS] == ORDERS
    assert len(found) == len(sources) > 3 * len(ORDERS)
    for one, source in zip(found, sources, strict=True):
        said = {span.slot: one.text[span.start : span.end] for span in one.slots}
        assert set(said) == {"size", "drink"}
        assert said["drink"] in DRINKS
        assert one.text.split(" a")[0] == ORDERS[source].text.split(" a")[0]
        assert " a iced" not in one.text
    assert len({one.text for one in found}) == len(found)
    assert varied(ORDERS, 5) == (found, sources)


def test_no_variants_are_the_texts_themselves():
    assert varied(ORDERS, 0) == (ORDERS, list(range(len(ORDERS))))


def test_an_article_goes_with_the_value_behind_it():
    found, _ = varied([marked("an (iced tea)[drink]", "x"), marked("a (mocha)[drink]", "x")], 4)
    assert {one.text for one in found} == {"an iced tea", "a mocha"}


def test_a_closed_list_is_kept_and_an_open_one_is_not():
    assert known_values(ORDERS + CALLS) == {"drink": DRINKS, "size": ("large", "medium", "small")}


@pytest.mark.parametrize(
    ("heard", "value"),
    [
        ("mocha", "mocha"), ("moca", "mocha"), ("ice mocha", "iced mocha"), ("how's coffee", "house coffee"),
        ("latting", None), ("telephone", None), ("iced coffee", "iced coffee"),
    ],
)  # fmt: skip
def test_what_was_misheard_becomes_the_value_that_is_near(heard, value):
    assert nearest_value(heard.split(), DRINKS) == value


def test_a_model_says_the_value_and_keeps_the_words(tmp_path):
    settings = Settings(max_bytes=None, vary=6)
    trained = train(ORDERS + CALLS, other=["how are you", "it rains"], classes=load_word_classes(), settings=settings)
    save_understanding(trained.model, tmp_path / "a.nlu")
    model = load_understanding(tmp_path / "a.nlu")
    assert model.known_values == {"drink": DRINKS, "size": ("large", "medium", "small")}
    size, drink = model.understand_text("make me a large moca").slots
    assert (drink.text, drink.kind, drink.value) == ("moca", "phrase", "mocha")
    assert (size.text, size.value) == ("large", "large")
