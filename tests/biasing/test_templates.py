import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.biasing.errors import BiasingError
from nearword.biasing.templates import Templates


def open_after(templates, said, beginning=True):
    places = templates.beginning if beginning else templates.anywhere
    for word in said:
        if word[0] == "$":
            places = templates.after_class(places, word[1:])
        else:
            places = templates.after_word(places, frozenset([word])) | templates.anywhere
    return {name for name in templates.classes if templates.after_class(places, name)}


def test_a_class_is_open_where_the_template_has_it():
    templates = Templates.parse(["call $CONTACT", "turn (on|off) [the] $DEVICE [in the $ROOM]"])
    assert open_after(templates, []) == set()
    assert open_after(templates, ["call"]) == {"contact"}
    assert open_after(templates, ["please", "call"]) == {"contact"}
    assert open_after(templates, ["turn", "on"]) == {"device"}
    assert open_after(templates, ["turn", "off", "the"]) == {"device"}
    assert open_after(templates, ["turn", "the"]) == set()
    assert open_after(templates, ["turn", "on", "$device", "in", "the"]) == {"room"}


def test_a_template_that_begins_with_a_class_holds_at_the_beginning_only():
    templates = Templates.parse(["$DEVICE off"])
    assert open_after(templates, []) == {"device"}
    assert open_after(templates, ["well"]) == set()


def test_a_group_with_a_star_repeats():
    templates = Templates.parse(["give me a ($SIZE|$ROAST)* $DRINK"])
    for said in ([], ["$size"], ["$size", "$roast", "$size"]):
        assert open_after(templates, ["give", "me", "a", *said]) == {"size", "roast", "drink"}
    assert open_after(templates, ["give", "me", "a", "$drink"]) == set()


@pytest.mark.parametrize("text", ["call (", "call )", "[a", "a]", "*", "a | * b", "$", "call $", "(" * 60 + ")" * 60])
def test_a_template_that_cannot_be_read_is_named(text):
    with pytest.raises(BiasingError, match="template '"):
        Templates.parse([text])


@given(st.text("ab$X[]()|* ", max_size=30))
def test_no_template_does_harm(text):
    try:
        templates = Templates.parse([text])
    except BiasingError:
        return
    assert len(templates.by_word) == len(templates.by_class)
