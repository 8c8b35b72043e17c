import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nearword.models import Transducer
from nearword.runtime.context import (
    Act,
    Cipher,
    ContextInput,
    ContextModel,
    ContextStore,
    EventKind,
    Life,
    LiveContext,
    SessionContext,
    Source,
    open_store,
)
from nearword.runtime.context.sqlite_tables import SqliteTables

KEY = bytes(32)


@pytest.fixture(scope="module")
def model(bundled: Transducer) -> ContextModel:
    return ContextModel(bundled)


class Recorded:
    """Computes nothing, and knows what it was asked."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.given: list[ContextInput] = []
        self._then = then

    def compute(self, given: ContextInput):
        self.given.append(given)
        self._then()
        return object()


def ready(context: SessionContext, computes, **named) -> Iterator[LiveContext]:
    with LiveContext(context, computes, **named) as live:
        assert live.wait(20)
        yield live


def test_a_reply_is_computed_while_it_is_spoken(model: ContextModel) -> None:
    context = SessionContext()
    with LiveContext(context, model) as live:
        assert live.take().reason == "nothing"
        context.reply("Do you mean Meg Jones or Meg Bauer?")
        assert live.wait(20)
        taken = live.take()
    assert taken.computed is not None
    assert taken.computed.act is Act.clarify
    assert "Meg Bauer" in taken.computed.private
    assert taken.milliseconds > 0


def test_what_is_not_ready_is_late_and_nobody_waits() -> None:
    go_on = threading.Event()
    context = SessionContext()
    with LiveContext(context, Recorded(lambda: go_on.wait(20) and None)) as live:
        context.reply("Which one?")
        started = time.perf_counter()
        assert live.take().reason == "late"
        assert time.perf_counter() - started < 1
        go_on.set()
        assert live.wait(20)
        assert live.take().computed is not None


def test_after_its_deadline_a_context_is_none() -> None:
    context = SessionContext()
    with LiveContext(context, Recorded(lambda: time.sleep(0.05))) as live:
        context.reply("Which one?", opens_in=0.01)
        assert live.wait(20)
        assert live.take().reason == "late"
        context.reply("Which one?", opens_in=20)
        assert live.wait(20)
        assert live.take().computed is not None


def test_what_goes_wrong_is_told_as_the_reason() -> None:
    def fail() -> None:
        raise ZeroDivisionError("the numbers are off")

    told: list[Exception] = []
    context = SessionContext()
    context.reply("Which one?")
    for live in ready(context, Recorded(fail), failed=told.append):
        assert live.take().computed is None
        assert live.take().reason == "ZeroDivisionError: the numbers are off"
    assert [type(error) for error in told] == [ZeroDivisionError]


def test_only_what_expects_speech_is_computed_from_a_store(tmp_path: Path) -> None:
    computes, context = Recorded(), SessionContext()
    with open_store(tmp_path / "c.db", key=tmp_path / "c.key") as store:
        for live in ready(context, computes, store=store, interaction="one"):
            context.heard("call meg")
            context.screen(["Meg Jones"])
            assert live.wait(20)
            assert live.take().reason == "nothing"
            assert computes.given == []
            context.reply("Which one?", "clarify")
            assert live.wait(20)
            assert live.take().computed is not None
        assert computes.given[-1].screen == ("Meg Jones",)
        assert computes.given[-1].heard == ("call meg",)
        row = store.row("one")
        assert row is not None
        assert row.events[EventKind.expect_speech] == "clarify"


def test_another_process_finds_the_screen_in_the_store(tmp_path: Path) -> None:
    computes, context = Recorded(), SessionContext()
    path = tmp_path / "c.db"
    with ContextStore(SqliteTables(path), Cipher(KEY)) as other, ContextStore(SqliteTables(path), Cipher(KEY)) as store:
        other.write("shared", EventKind.screen, ["Take Five"])
        for live in ready(context, computes, store=store, interaction="shared"):
            context.reply("Which one?")
            assert live.wait(20)
        assert computes.given[-1].screen == ("Take Five",)


def test_what_was_shown_before_the_last_utterance_is_over(tmp_path: Path) -> None:
    computes, context = Recorded(), SessionContext()
    with open_store(tmp_path / "c.db", key=tmp_path / "c.key") as store:
        for live in ready(context, computes, store=store):
            context.screen(["Take Five"])
            context.reply("Which one?")
            context.heard("take five")
            context.reply("Which room?")
            assert live.wait(20)
    assert computes.given[-1].screen == ()
    assert computes.given[-1].reply == "Which room?"


@pytest.mark.parametrize("broken", ["closed", "key"])
def test_with_a_broken_store_or_a_lost_key_there_is_no_context(tmp_path: Path, broken: str) -> None:
    computes, context = Recorded(), SessionContext()
    path = tmp_path / "c.db"
    with ContextStore(SqliteTables(path), Cipher(KEY)) as other:
        other.write("shared", EventKind.screen, ["Take Five"])
    store = ContextStore(SqliteTables(path), Cipher(KEY if broken == "closed" else bytes(range(32))))
    if broken == "closed":
        store.close()
    for live in ready(context, computes, store=store, interaction="shared"):
        context.reply("Which one?")
        assert live.wait(20)
        taken = live.take()
        assert taken.computed is None
        assert ("ContextKeyError" if broken == "key" else "ContextStoreError") in taken.reason
    assert computes.given == []
    store.close()


def test_a_life_that_ends_takes_its_terms_away(model: ContextModel) -> None:
    context = SessionContext()
    context.reply("Do you mean Meg Jones or Meg Bauer?", life=Life(turns=1))
    for live in ready(context, model):
        context.heard("bauer")
        context.heard("something else")
        context.heard("and more")
        assert live.wait(20)
        computed = live.take().computed
        assert computed is not None
        assert Source.reply not in computed.terms
