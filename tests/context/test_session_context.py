import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.runtime import Final, Partial
from nearword.runtime.context import Act, ContextError, ContextInput, Life, SessionContext, known, update


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def final(text: str) -> Final:
    return Final(1, 1, 1.0, text, ())


def test_all_that_was_said_and_shown_is_in_the_snapshot() -> None:
    context = SessionContext()
    context.heard(final("call meg"))
    context.entities("Contact", ["Meg Jones"])
    context.device("kitchen speaker", room="kitchen")
    context.screen(["Take Five"])
    context.reply("Which one?", "clarify")
    assert context.snapshot() == ContextInput(
        "Which one?",
        Act.clarify,
        ("Take Five",),
        {"contact": ("Meg Jones",)},
        "kitchen speaker",
        "kitchen",
        ("call meg",),
    )


def test_reply_and_screen_are_gone_after_the_next_utterance() -> None:
    context = SessionContext()
    context.reply("Which one?")
    context.screen(["Take Five"])
    context.entities("room", ["kitchen"])
    context.heard(Partial(1, 1, 0.5, "take", (), 0))
    assert context.snapshot().reply
    context.heard(final("take five"))
    now = context.snapshot()
    assert (now.reply, now.screen, now.act) == ("", (), None)
    assert now.entities == {"room": ("kitchen",)}
    assert now.heard == ("take five",)


def test_what_was_heard_lives_two_turns() -> None:
    context = SessionContext()
    for text in ("one", "two", "three"):
        context.heard(final(text))
    assert context.snapshot().heard == ("two", "three")


def test_seconds_end_a_life_as_turns_do() -> None:
    clock = Clock()
    context = SessionContext(clock=clock)
    context.reply("Which one?", life=Life(turns=3, seconds=10))
    clock.now = 9.9
    assert context.snapshot().reply
    clock.now = 10.0
    assert not context.snapshot()


def test_what_is_new_takes_the_place_of_what_was() -> None:
    context = SessionContext()
    context.entities("contact", ["Meg"])
    context.entities("room", ["attic"])
    context.entities("contact", ["Ann"])
    context.reply("One?")
    context.reply("Two?")
    assert context.snapshot().entities == {"room": ("attic",), "contact": ("Ann",)}
    assert context.snapshot().reply == "Two?"
    context.entities("contact", [])
    assert context.snapshot().entities == {"room": ("attic",)}
    context.clear()
    assert not context.snapshot()


MESSAGE = {
    "heard": "call meg", "reply": "Meg Jones or Meg Bauer?", "act": "clarify", "screen": ["Meg Jones", "Meg Bauer"],
    "entities": {"contact": ["Meg Jones"]}, "device": {"name": "phone", "room": "hall"}, "seconds": 5, "opens_in": 0.5,
}  # fmt: skip


def test_a_message_says_all_of_it() -> None:
    context = SessionContext()
    update(context, json.loads(json.dumps(MESSAGE)))
    now = context.snapshot()
    assert (now.reply, now.act, now.screen, now.heard) == (
        MESSAGE["reply"], Act.clarify, ("Meg Jones", "Meg Bauer"), ("call meg",),
    )  # fmt: skip
    assert (now.device, now.room, now.entities) == ("phone", "hall", {"contact": ("Meg Jones",)})
    update(context, {"clear": True})
    assert not context.snapshot()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"replay": "x"}, "'replay': expected act, clear"),
        ({"reply": 3}, "reply is 3: expected a text"),
        ({"reply": "x", "act": "shout"}, "act 'shout': expected one of open, yes_no"),
        ({"act": "clarify"}, "an act without a reply"),
        ({"screen": "Take Five"}, "expected a list of texts"),
        ({"screen": [1]}, "expected a text"),
        ({"entities": ["x"]}, "expected an object of classes"),
        ({"entities": {"a b": ["x"]}}, "class 'a b'"),
        ({"reply": "x", "turns": 0}, "turns is 0"),
        ({"reply": "x", "turns": 1.5}, "whole number"),
        ({"reply": "x", "seconds": -1}, "seconds is -1"),
        ({"reply": "x", "seconds": True}, "expected a number"),
        ({"reply": "x", "opens_in": -1}, "opens_in is -1"),
        ({"reply": "x" * 9000}, "9000 characters"),
        ({"screen": ["x"] * 1001}, "1001 texts"),
        ({"device": {"size": 3}}, "name and room"),
    ],
)
def test_a_wrong_message_is_told_and_changes_nothing(wrong: dict[str, object], told: str) -> None:
    context = SessionContext()
    context.reply("Before?")
    before, revision = context.snapshot(), context.revision
    with pytest.raises(ContextError, match=told):
        update(context, {"heard": "something", **wrong})
    assert context.snapshot() == before
    assert context.revision == revision


def test_keys_of_other_programs_can_be_left_aside() -> None:
    context = SessionContext()
    update(context, known({"reply": "Yes?", "satellite": 7}))
    assert context.snapshot().reply == "Yes?"


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "room", "contact", "x"]), inner)
    ),
    max_leaves=5,
)
KEYS = ("heard", "reply", "act", "screen", "entities", "device", "turns", "seconds", "opens_in", "clear", "other")


@given(st.dictionaries(st.sampled_from(KEYS), json_values))
def test_any_message_is_taken_or_refused_in_one_line(message: dict[str, object]) -> None:
    context = SessionContext()
    try:
        update(context, message)
    except ContextError as error:
        assert "\n" not in str(error) or "\\n" in str(error)  # noqa: PT017
        assert not context.snapshot()
    else:
        context.snapshot()
