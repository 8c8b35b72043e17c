import threading
import time
from pathlib import Path

import pytest
from contract import check_contract
from nearword.models import Transducer, read_audio
from nearword.runtime import ContextUse, Final, Recognizer, SearchOptions
from nearword.runtime.context import ContextModel, ContextSession, ContextStage
from nearword.runtime.recognition.events import Event, from_json
from nearword.runtime.search import BeamSettings

DEMO = Path(__file__).parents[2] / "runtime" / "audio" / "demo.flac"


@pytest.fixture(scope="module")
def context_model(bundled: Transducer) -> ContextModel:
    return ContextModel(bundled)


@pytest.fixture(scope="module")
def demo() -> list:
    samples = read_audio(DEMO)
    return [samples[k : k + 1600] for k in range(0, len(samples), 1600)]


def recognised(session: ContextSession, blocks: list, between=lambda number: None) -> list[Event]:
    recognizer = Recognizer(session.model, session=session, stages=[ContextStage(session)])
    events: list[Event] = []
    for number, block in enumerate(blocks):
        between(number)
        events += recognizer.accept(block)
    return [*events, *recognizer.finish()]


def finals(events: list[Event]) -> list[Final]:
    check_contract(events)
    return [event for event in events if isinstance(event, Final)]


def test_a_context_that_does_not_fit_changes_no_word(
    bundled: Transducer, context_model: ContextModel, demo: list
) -> None:
    plain = ContextSession(bundled, context_model=context_model)
    expected = finals(recognised(plain, demo))
    plain.close()
    session = ContextSession(bundled, context_model=context_model)
    session.screen(["Hotel California", "Take Five"])
    session.entities("contact", ["Meg Jones", "Meg Bauer"])
    session.reply("Do you mean Meg Jones or Meg Bauer?", "clarify")
    assert session.wait(20)
    found = finals(recognised(session, demo))
    session.close()
    assert [event.text for event in found] == [event.text for event in expected]
    without = expected[0].context
    assert isinstance(without, ContextUse)
    assert (without.sources, without.reason) == ((), "nothing")
    used = found[0].context
    assert used is not None
    assert {"reply", "screen", "entities", "act"} >= set(used.sources) > {"reply", "screen"}
    assert (used.act, used.reason) == ("clarify", "unfit")


def test_what_came_of_the_context_survives_json(bundled: Transducer, context_model: ContextModel, demo: list) -> None:
    session = ContextSession(bundled, context_model=context_model)
    session.reply("Which room?")
    assert session.wait(20)
    (found, *_) = finals(recognised(session, demo))
    session.close()
    assert from_json(found.to_json()).context == found.context


def test_the_context_is_of_the_next_utterance_only(
    bundled: Transducer, context_model: ContextModel, demo: list
) -> None:
    session = ContextSession(bundled, context_model=context_model)
    session.reply("Which room?")
    assert session.wait(20)
    assert "room" in {event.context.act for event in finals(recognised(session, demo)) if event.context}
    assert session.wait(20)
    again = finals(recognised(session, demo))
    session.close()
    assert "room" not in {event.context.act for event in again if event.context}


class Slow:
    def __init__(self, model: ContextModel) -> None:
        self.go_on = threading.Event()
        self._model = model

    def compute(self, given):
        self.go_on.wait(20)
        return self._model.compute(given)

    def language(self, *arguments):
        return self._model.language(*arguments)


def test_what_comes_late_is_left_out_and_the_event_says_so(
    bundled: Transducer, context_model: ContextModel, demo: list
) -> None:
    plain = ContextSession(bundled, context_model=context_model)
    expected = [event.text for event in finals(recognised(plain, demo))]
    plain.close()
    slow = Slow(context_model)
    session = ContextSession(bundled, context_model=slow)
    session.reply("Do you mean Meg Jones or Meg Bauer?")
    # ready in the middle of the utterance
    found = finals(recognised(session, demo, lambda number: slow.go_on.set() if number == 15 else None))
    session.close()
    assert [event.text for event in found] == expected
    assert found[0].context is not None
    assert found[0].context.reason == "late"
    assert not session.phrases.phrases


def test_a_reply_after_the_search_has_begun_counts(
    bundled: Transducer, context_model: ContextModel, demo: list
) -> None:
    # the search of the next utterance begins with the end of the last one, before anybody has replied
    session = ContextSession(bundled, context_model=context_model)

    def reply(number: int) -> None:
        if number == 1:
            session.reply("Which room?")
            assert session.wait(20)

    (found, *_) = finals(recognised(session, demo, reply))
    session.close()
    assert found.context is not None
    assert found.context.act == "room"


def test_context_is_private_wherever_something_leaves(bundled: Transducer, context_model: ContextModel) -> None:
    session = ContextSession(bundled, context_model=context_model)
    session.screen(["Wuthering Heights"])
    session.entities("film", ["Metropolis"])
    session.device("lamp", room="scullery")
    session.reply("Do you mean Guinevere or Lancelot?")
    assert session.wait(20)
    session.begin_search()
    private = session.private().words
    session.context.heard("lancelot")
    assert session.wait(20)
    session.begin_search()  # the next utterance; the result of the last one may be on its way to a service still
    assert private.keys() <= session.private().words.keys()
    session.close()
    assert {"wuthering", "heights", "metropolis", "scullery", "lamp", "guinevere", "lancelot"} <= private.keys()


def test_the_greedy_search_goes_without(bundled: Transducer, context_model: ContextModel, demo: list) -> None:
    session = ContextSession(
        bundled, SearchOptions(BeamSettings(max_active=1), language=None), context_model=context_model
    )
    session.reply("Which room?")
    session.wait(20)
    assert finals(recognised(session, demo))
    session.close()


def test_the_thread_ends_with_the_session(bundled: Transducer, context_model: ContextModel) -> None:
    before = threading.active_count()
    sessions = [ContextSession(bundled, context_model=context_model) for _ in range(5)]
    assert threading.active_count() == before + 5
    for session in sessions:
        session.close()
    for _ in range(100):
        if threading.active_count() == before:
            break
        time.sleep(0.01)
    assert threading.active_count() == before


def test_a_session_expects_letters_only_where_somebody_is_to_spell(
    bundled: Transducer, context_model: ContextModel
) -> None:
    session = ContextSession(bundled, context_model=context_model)
    for reply, expected in (("How do you spell that?", True), ("Which room?", False)):
        session.reply(reply)
        assert session.wait(20)
        session.begin_search()
        assert session.expects_letters is expected
    session.close()
