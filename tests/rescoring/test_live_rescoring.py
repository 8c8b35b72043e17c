import asyncio
from dataclasses import replace

from nearword.lattice.rescoring import Masking, Reason, Rescored, Rescorer, ScoredPath
from nearword.lattice.understanding import Understanding
from nearword.runtime.recognition.events import (
    Alternative,
    Command,
    Event,
    Final,
    Partial,
    Rescoring,
    Reset,
    SpeculativeFinal,
)
from nearword.runtime.recognition.transcript import Word
from nearword.runtime.recognition.understanding_stage import understanding_of_command
from nearword.runtime.streaming.rescoring import RescoringStage, with_words
from rescoring_helpers import Faulty, answer, heard, responds, settings

LOCAL = tuple(Word(text, 100.1 + k, 100.5 + k, 0.5) for k, text in enumerate(("pay", "some", "jazz")))
OTHERS = (Alternative("pay some jazz", 0.3), Alternative("play some jazz", 0.2), Alternative("pay sum jazz", 0.1))


def speculative(revision: int = 1, utterance: int = 1) -> SpeculativeFinal:
    return SpeculativeFinal(utterance, revision, 101.5, "pay some jazz", LOCAL, OTHERS, heard())


def final(confirms: int | None = 1, utterance: int = 1, revision: int = 2) -> Final:
    return Final(utterance, revision, 101.8, "pay some jazz", LOCAL, confirms, n_best=OTHERS, lattice=heard())


def follow(events, handler, patience=3.0, **other) -> tuple[list[Event], int]:
    """Pass events through the stage as they come; returns what came out, and how many requests went out."""

    async def paced():
        for event in events:
            if isinstance(event, float):
                await asyncio.sleep(event)
            else:
                yield event

    async def main():
        async with Faulty(handler).running() as server, Rescorer(settings(server.port, **other)) as rescorer:
            stage = RescoringStage(rescorer, Masking, patience=patience)
            found = [event async for event in stage(paced())]
            await asyncio.sleep(0.05)
            return found, len(server.requests)

    return asyncio.run(main())


def test_the_answer_to_a_speculative_result_is_there_at_the_final_one() -> None:
    (_, reset, event), requests = follow([speculative(), 0.15, final()], responds(answer(), delay=0.05))
    assert reset == Reset(1, 1, 101.8), "who acted on pay is not told that play confirms it"
    assert (event.rescored.reason, requests) == ("rescored", 1)
    assert (event.text, event.utterance, event.revision, event.confirms) == ("play some jazz", 1, 2, None)
    assert [(word.text, word.start, word.end) for word in event.words] == [
        ("play", 100.1, 100.5), ("some", 100.5, 100.9), ("jazz", 100.9, 101.4),
    ]  # fmt: skip
    assert all(0 < word.confidence <= 1 for word in event.words)
    assert [one.text for one in event.n_best] == ["play some jazz", "pay some jazz", "pay sum jazz"]


def test_an_answer_with_the_same_words_confirms_what_was_speculated() -> None:
    same = answer(words=("pay", "some", "jazz"))
    (_, event), _ = follow([speculative(), 0.15, final()], responds(same))
    assert (event.text, event.confirms, event.rescored.reason) == ("pay some jazz", 1, "rescored")


def test_without_a_speculative_result_the_final_one_is_sent() -> None:
    [event], requests = follow([final(confirms=None)], responds(answer(revision=2)))
    assert (event.text, event.rescored.reason, requests) == ("play some jazz", "rescored", 1)


def test_an_answer_that_does_not_come_leaves_the_local_words_after_the_patience() -> None:
    [event], _ = follow([final(confirms=None)], responds(answer(revision=2), delay=2), patience=0.2)
    assert replace(event, rescored=None) == final(confirms=None)
    assert event.rescored.reason == "late"
    assert 190 < event.rescored.milliseconds < 900


def test_what_was_reset_is_stopped_and_never_taken() -> None:
    events = [speculative(1), 0.05, Reset(1, 1, 101.6), speculative(2), 0.1, final(confirms=2, revision=3)]
    found, requests = follow(events, responds(answer(revision=2), delay=0.02))
    assert (found[-1].text, found[-1].rescored.reason, requests) == ("play some jazz", "rescored", 2)
    assert found[-2] == Reset(1, 2, 101.8)


def test_an_utterance_without_words_sends_nothing() -> None:
    silent = Final(1, 1, 2.0, "", ())
    assert follow([silent], responds(answer())) == ([silent], 0)


def rescored(*paths: str) -> Rescored:
    return Rescored(1, 1, Reason.rescored, 1.0, paths=tuple(ScoredPath(tuple(path.split()), 0, 0) for path in paths))


def test_words_that_the_final_lattice_does_not_have_are_not_taken() -> None:
    assert with_words(final(), Rescored(1, 1, Reason.late, 1.0)) == (replace(final(), rescored=Rescoring("late", 1.0)),)
    (event,) = with_words(final(), rescored("delete all"))
    assert (event.text, event.words, event.n_best, event.confirms) == (final().text, final().words, final().n_best, 1)
    assert event.rescored.reason == "unfit"


def test_stable_words_stay_whatever_the_service_says() -> None:
    said = Partial(1, 1, 101.0, "pay some", LOCAL[:2], 1)
    events, _ = follow([said, final(confirms=None)], responds(answer(revision=2)))
    assert (events[-1].text, events[-1].rescored.reason) == ("pay some jazz", "unfit")
    (event,) = with_words(final(confirms=None), rescored("play some jazz", "pay some chess"), ["pay"])
    assert event.text == "pay some chess", "the best of those that keep them"


def test_what_a_model_has_understood_from_other_words_is_dropped() -> None:
    meant = Understanding(True, "pay", text="pay some jazz", source="model")
    _, event = with_words(replace(final(), understanding=meant), rescored("play some jazz"))
    assert event.understanding is None
    (event,) = with_words(replace(final(), understanding=meant), rescored("pay some jazz"))
    assert (event.understanding, event.confirms) == (meant, 1)


def test_the_command_of_a_grammar_stays_when_only_the_free_words_change() -> None:
    asked = Command(True, "pay", {}, "pay some jazz")
    meant = understanding_of_command(asked)
    reset, event = with_words(replace(final(), command=asked, understanding=meant), rescored("play some jazz"))
    assert reset == Reset(1, 1, 101.8)
    assert (event.text, event.confirms) == ("play some jazz", None)
    assert (event.command, event.understanding) == (asked, meant), "it was searched for in the audio, not in the words"


def test_streams_that_share_a_rescorer_get_their_own_answers() -> None:
    async def main():
        server = Faulty(responds(answer(), delay=0.05))
        async with server.running(), Rescorer(settings(server.port, max_in_flight=1, deadline=5)) as rescorer:

            async def heard_by(stream: int) -> list[Event]:
                async def events():
                    yield speculative()
                    await asyncio.sleep(0.02 * stream)
                    yield final()

                return [event async for event in RescoringStage(rescorer, Masking, patience=3.0)(events())]

            return await asyncio.gather(*map(heard_by, range(4))), len(server.requests)

    streams, requests = asyncio.run(main())
    assert requests == 4, "the same numbers of utterance and revision are others in another stream"
    assert [events[-1].rescored.reason for events in streams] == ["rescored"] * 4, "none displaces another's"


def test_private_words_are_masked_whatever_the_settings_say() -> None:
    async def main():
        sent = []

        async def one():
            yield final(confirms=None)

        async with Faulty(responds(answer())).running() as server, Rescorer(settings(server.port)) as rescorer:
            stage = RescoringStage(rescorer, lambda: Masking({"contact": ["Jazz Pay"]}))
            submit = rescorer.submit
            rescorer.submit = lambda *args, **stream: (
                sent.append(rescorer.settings.request(*args[:3], private=args[3])[0]),
                submit(*args, **stream),
            )
            return [event async for event in stage(one())], sent

    _, [request] = asyncio.run(main())
    assert not {"pay", "jazz"} & set(request.lattice.words)
    assert "chess" in request.lattice.words
