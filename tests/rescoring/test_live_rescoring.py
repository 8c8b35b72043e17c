import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from nearword.lattice.rescoring import Reason, Rescored, Rescorer, ScoredPath
from nearword.runtime.recognition.events import Alternative, Final, Rescoring, Reset, SpeculativeFinal
from nearword.runtime.recognition.transcript import Word
from nearword.runtime.streaming.rescoring import LiveRescoring, with_words

sys.path.insert(0, str(Path(__file__).parent))

from rescoring_helpers import Faulty, answer, heard, responds, settings

LOCAL = tuple(Word(text, 100.1 + k, 100.5 + k, 0.5) for k, text in enumerate(("pay", "some", "jazz")))
OTHERS = (Alternative("pay some jazz", 0.3), Alternative("play some jazz", 0.2), Alternative("pay sum jazz", 0.1))


def speculative(revision: int = 1, utterance: int = 1) -> SpeculativeFinal:
    return SpeculativeFinal(utterance, revision, 101.5, "pay some jazz", LOCAL, OTHERS, heard())


def final(confirms: int | None = 1, utterance: int = 1, revision: int = 2) -> Final:
    return Final(utterance, revision, 101.8, "pay some jazz", LOCAL, confirms, n_best=OTHERS, lattice=heard())


def follow(events, handler, patience=3.0, **other) -> tuple[list[tuple[Final, Rescored]], int]:
    """Follow events as they come; returns finals with what became of them, and how many requests went out."""

    async def main():
        found = []
        async with Faulty(handler).running() as server, Rescorer(settings(server.port, **other)) as rescorer:
            live = LiveRescoring(rescorer, patience)
            for event in events:
                if isinstance(event, float):
                    await asyncio.sleep(event)
                    continue
                live.follow(event)
                if isinstance(event, Final):
                    outcome = await live.outcome(event)
                    found.append((with_words(event, outcome), outcome))
            await asyncio.sleep(0.05)
            return found, len(server.requests)

    return asyncio.run(main())


def test_the_answer_to_a_speculative_result_is_there_at_the_final_one() -> None:
    [(event, outcome)], requests = follow([speculative(), 0.15, final()], responds(answer(), delay=0.05))
    assert (outcome.reason, requests) == (Reason.rescored, 1)
    assert (event.text, event.utterance, event.revision, event.confirms) == ("play some jazz", 1, 2, 1)
    assert [(word.text, word.start, word.end) for word in event.words] == [
        ("play", 100.1, 100.5), ("some", 100.5, 100.9), ("jazz", 100.9, 101.4),
    ]  # fmt: skip
    assert all(0 < word.confidence <= 1 for word in event.words)
    assert [one.text for one in event.n_best] == ["play some jazz", "pay some jazz", "pay sum jazz"]


def test_without_a_speculative_result_the_final_one_is_sent() -> None:
    [(event, outcome)], requests = follow([final(confirms=None)], responds(answer(revision=2)))
    assert (event.text, outcome.reason, requests) == ("play some jazz", Reason.rescored, 1)


def test_an_answer_that_does_not_come_leaves_the_local_words_after_the_patience() -> None:
    [(event, outcome)], _ = follow([final(confirms=None)], responds(answer(revision=2), delay=2), patience=0.2)
    assert replace(event, rescored=None) == final(confirms=None)
    assert event.rescored.reason == outcome.reason.value
    assert outcome.reason is Reason.late
    assert 190 < outcome.milliseconds < 900


def test_what_was_reset_is_stopped_and_never_taken() -> None:
    events = [speculative(1), 0.05, Reset(1, 1, 101.6), speculative(2), 0.1, final(confirms=2, revision=3)]
    [(event, outcome)], requests = follow(events, responds(answer(revision=2), delay=0.02))
    assert (event.text, outcome.reason, outcome.revision, requests) == ("play some jazz", Reason.rescored, 2, 2)


def test_an_utterance_without_words_sends_nothing() -> None:
    silent = Final(1, 1, 2.0, "", ())
    [(event, outcome)], requests = follow([silent], responds(answer()))
    assert (event.text, event.words, outcome.reason, requests) == ("", (), Reason.not_sent, 0)


def test_words_that_the_final_lattice_does_not_have_are_not_taken() -> None:
    found = Rescored(1, 1, Reason.rescored, 1.0, paths=())
    assert with_words(final(), Rescored(1, 1, Reason.late, 1.0)) == replace(final(), rescored=Rescoring("late", 1.0))
    event = with_words(final(), replace(found, paths=(ScoredPath(("delete", "all"), 0, 0),)))
    assert (event.text, event.words, event.n_best) == (final().text, final().words, final().n_best)
