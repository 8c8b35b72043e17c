"""Texts that were labelled for another purpose help to tell intents apart, and leave nothing else behind."""

import pytest
from nearword.lattice.understanding.training import Example, Settings, train

OURS = [
    Example(f"{before} the {thing}", intent)
    for before in ("switch", "change", "i want the")
    for thing, intent in (("lamp", "light"), ("song", "media"))
]
BESIDE = [
    Example(f"{before} {thing}", kind)
    for before in ("where is the", "buy a", "a new")
    for kind, things in (("furniture", ("lamp", "bulb", "lantern")), ("records", ("song", "tune", "ballad")))
    for thing in things
]


@pytest.mark.parametrize("settings", [Settings(max_bytes=None), Settings(max_bytes=40_000)])
def test_words_that_only_texts_beside_have_are_understood(settings):
    model = train(OURS, beside=BESIDE, settings=settings).model
    assert model.intents == ("light", "media")
    words = {"light": ("bulb", "lantern"), "media": ("tune", "ballad")}
    assert {
        intent: [model.understand_text(f"change the {word}").intent for word in some] for intent, some in words.items()
    } == {intent: [intent] * len(some) for intent, some in words.items()}


def test_texts_beside_that_are_all_alike_change_nothing():
    alike = [Example("where is the lamp", "furniture"), Example("where is the bulb", "furniture")]
    with_them, without = train(OURS, beside=alike).model, train(OURS).model
    texts = ("switch the lamp", "i want the song", "a lamp", "song")
    assert [with_them.understand_text(text).intent for text in texts] == [
        without.understand_text(text).intent for text in texts
    ]
