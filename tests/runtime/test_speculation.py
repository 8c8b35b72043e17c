import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import pytest
from nearword.runtime.recognition.events import Event, Final, Partial, Reset, SpeculativeFinal, SpeechStarted
from nearword.runtime.streaming.speculation import Gate, Outcome, WithdrawnError, speculate


def spoken(number: int, text: str, *, wrong: Sequence[str] = (), speculated: bool = True) -> list[Event]:
    """The events of an utterance, with the speculations that were wrong."""
    events: list[Event] = [SpeechStarted(number, 0, number), Partial(number, 1, number, text, (), 0)]
    revision = 2
    for guess in wrong:
        events += [SpeculativeFinal(number, revision, number, guess, ()), Reset(number, revision, number)]
        revision += 1
    if speculated:
        events.append(SpeculativeFinal(number, revision, number, text, ()))
    events.append(Final(number, revision + 1, number, text, (), revision if speculated else None))
    return events


async def stream(events: Sequence[Event], *, pause: float = 0.0) -> AsyncIterator[Event]:
    for event in events:
        await asyncio.sleep(pause)
        yield event


def run(events: Sequence[Event], handler, **options: float) -> list:
    async def collect() -> list:
        before = asyncio.all_tasks()
        items = [item async for item in speculate(stream(events), handler, **options)]
        assert asyncio.all_tasks() == before, "no task is left"
        return items

    return asyncio.run(collect())


def outcomes(items: list) -> list[Outcome]:
    return [item for item in items if isinstance(item, Outcome)]


def test_a_confirmed_speculation_gives_its_result_and_all_events_pass() -> None:
    async def handler(words: SpeculativeFinal | Final, gate: Gate) -> str:
        assert isinstance(words, SpeculativeFinal)
        return words.text.upper()

    events = spoken(1, "call ann")
    items = run(events, handler)
    assert [item for item in items if not isinstance(item, Outcome)] == events
    (outcome,) = outcomes(items)
    assert outcome == Outcome(events[-1], "CALL ANN", None, speculated=True)
    assert outcome.result() == "CALL ANN"
    assert items.index(outcome) > items.index(events[-1])


def test_without_speculation_the_handler_runs_on_the_final_and_is_certain() -> None:
    async def handler(words: SpeculativeFinal | Final, gate: Gate) -> Final:
        assert gate.is_open
        return await gate.wait()

    events = spoken(1, "stop", speculated=False)
    (outcome,) = outcomes(run(events, handler))
    assert outcome == Outcome(events[-1], events[-1], None, speculated=False)


def test_nothing_acts_on_the_world_before_it_is_certain() -> None:
    acted: list[str] = []

    async def handler(words: SpeculativeFinal | Final, gate: Gate) -> None:
        await gate.wait()
        acted.append(words.text)

    events = [*spoken(1, "call ann baker", wrong=["call", "call ann"]), *spoken(2, "stop", wrong=["stock"])]
    assert len(outcomes(run(events, handler))) == 2
    assert acted == ["call ann baker", "stop"]


def test_a_handler_is_cancelled_on_reset() -> None:
    ended: list[str] = []

    async def handler(words: SpeculativeFinal | Final, gate: Gate) -> None:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            ended.append(words.text)
            raise

    async def collect() -> None:
        events = stream(spoken(1, "call ann", wrong=["call"]), pause=0.001)
        async for _ in speculate(events, handler):
            pass

    asyncio.run(collect())
    assert ended == ["call"]


def test_a_handler_that_ignores_its_cancellation_stalls_nothing_and_passes_no_gate() -> None:
    late: list[object] = []

    async def handler(words: SpeculativeFinal | Final, gate: Gate) -> str:
        if words.text != "stop":
            return words.text
        for _ in range(3):
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                late.append("ignored")
        try:
            await gate.wait()
        except WithdrawnError:
            late.append("withdrawn")
        return "must not be seen"

    async def collect() -> list:
        events = stream(spoken(1, "call ann", wrong=["stop"]), pause=0.001)
        return [item async for item in speculate(events, handler)]

    (outcome,) = outcomes(asyncio.run(collect()))
    assert outcome.value == "call ann"
    assert late == ["ignored", "withdrawn"]


def test_events_go_on_while_a_handler_works() -> None:
    async def collect() -> list:
        release = asyncio.Event()

        async def handler(words: SpeculativeFinal | Final, gate: Gate) -> str:
            if words.utterance == 1:
                await release.wait()
            return words.text

        items = []
        async for item in speculate(stream([*spoken(1, "slow"), *spoken(2, "quick")]), handler):
            items.append(item)
            if isinstance(item, Outcome) and item.final.utterance == 2:
                release.set()
        return items

    assert [outcome.value for outcome in outcomes(asyncio.run(collect()))] == ["quick", "slow"]


@pytest.mark.parametrize("speculated", [True, False])
def test_what_a_handler_raises_is_in_the_outcome(speculated: bool) -> None:
    async def handler(words: SpeculativeFinal | Final, gate: Gate) -> None:
        raise KeyError(words.text)

    events = [*spoken(1, "one", wrong=["won"], speculated=speculated), *spoken(2, "two", speculated=speculated)]
    items = run(events, handler)
    assert [item for item in items if not isinstance(item, Outcome)] == events
    assert [str(outcome.error) for outcome in outcomes(items)] == ["'one'", "'two'"]
    with pytest.raises(KeyError):
        outcomes(items)[0].result()


def test_an_utterance_without_words_is_not_handled() -> None:
    async def handler(words: SpeculativeFinal | Final, gate: Gate) -> None:
        raise AssertionError

    assert outcomes(run(spoken(1, "", speculated=False), handler)) == []


def test_an_error_of_the_events_comes_after_the_last_outcome() -> None:
    async def broken() -> AsyncIterator[Event]:
        for event in spoken(1, "stop"):
            yield event
        raise OSError("device gone")

    async def handler(words: SpeculativeFinal | Final, gate: Gate) -> str:
        await asyncio.sleep(0.01)
        return words.text

    async def collect() -> list:
        items = []
        with pytest.raises(OSError, match="gone"):
            async for item in speculate(broken(), handler):
                items.append(item)
        return items

    assert len(outcomes(asyncio.run(collect()))) == 1


def test_leaving_early_cancels_the_handler() -> None:
    ended = []

    async def handler(words: SpeculativeFinal | Final, gate: Gate) -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(words.text)

    async def leave() -> None:
        before = asyncio.all_tasks()
        async with aclosing(speculate(stream(spoken(1, "stop"), pause=0.001), handler)) as items:
            async for item in items:
                if isinstance(item, Final):
                    break
        assert asyncio.all_tasks() == before

    asyncio.run(leave())
    assert ended == ["stop"]


def test_handlers_that_never_end_do_not_pile_up() -> None:
    started = []

    async def handler(words: SpeculativeFinal | Final, gate: Gate) -> str:
        started.append(words.text)
        while words.text == "call" and len(started) < 1000:
            try:
                await gate._final if stop.is_set() else await stop.wait()
            except asyncio.CancelledError:
                continue
            except WithdrawnError:
                break
        return words.text

    async def collect() -> list:
        nonlocal stop
        stop = asyncio.Event()
        events = stream(spoken(1, "call ann", wrong=["call"] * 30), pause=0.0005)
        items = []
        async for item in speculate(events, handler, grace=0.01):
            items.append(item)
            if isinstance(item, Outcome):
                stop.set()
        return items

    stop = None
    assert outcomes(asyncio.run(collect()))[0].value == "call ann"
    assert started.count("call") == 8
