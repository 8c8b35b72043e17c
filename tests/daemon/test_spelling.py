"""Names come out as they are written, and nothing else changes."""

from hypothesis import given
from hypothesis import strategies as st
from nearword.biasing import Phrase
from nearword.models import Transducer
from nearword.runtime.daemon.phrases import PhraseBook
from nearword.runtime.daemon.spelling import Spelling

NAMES = Spelling([Phrase("Living Room TV"), Phrase("Living Room"), Phrase("Küche"), Phrase("a b")])
WORDS = st.lists(st.sampled_from("turn on living room tv küche a b light".split()), max_size=12)


def test_the_longest_name_counts() -> None:
    assert NAMES.text("turn on living room tv in living room now".split()) == (
        "turn on Living Room TV in Living Room now"
    )


def test_what_may_be_said_for_a_name_becomes_the_name(bundled: Transducer) -> None:
    book = PhraseBook(bundled)
    book.name([Phrase("TV 2", "device"), Phrase("Küchen-Licht", "device"), Phrase("Hall Light", "device")])
    spelling = book.shared.spelling
    assert spelling.text("switch tv two off".split()) == "switch TV 2 off"
    assert spelling.text("the kuchen licht please".split()) == "the Küchen-Licht please"
    assert spelling.text("all hall lights".split()) == "all hall lights", "two lights are not the one of that name"


@given(WORDS)
def test_words_that_come_one_by_one_are_spelled_like_all_together(words: list[str]) -> None:
    """What is held back at an open end comes later; what was let out stays."""
    whole, count = NAMES.spelled(words)
    assert count == len(words)
    before: list[str] = []
    for end in range(len(words) + 1):
        now, used = NAMES.spelled(words[:end], open_end=True)
        assert now[: len(before)] == before
        assert used <= end
        before = now
    assert whole[: len(before)] == before
