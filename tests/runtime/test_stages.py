"""Every stage keeps the contract, alone and on top of others, whatever the recogniser and the services do."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from contract import check_contract, random_audio, scripted
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.biasing.slots import SlotGrammar
from nearword.lattice import Lattice, n_best
from nearword.lattice.rescoring import Masking, Reason, Rescored, ScoredPath
from nearword.models import Transducer
from nearword.runtime import Pipeline
from nearword.runtime.recognition.events import Command, Event, Final, Reset, SpeculativeFinal
from nearword.runtime.recognition.grammar import GrammarUnderstanding
from nearword.runtime.streaming.rescoring import RescoringStage
from nearword.runtime.streaming.speculation import Gate, Outcome, speculate
from nearword.runtime.streaming.stages import staged

GRAMMAR = SlotGrammar(["call [the] $WHAT", "the $WHAT"], {"what": ["a", "calling", "the"]})


class AnyService:
    """A rescoring client whose service answers anything that a lattice holds, or not in time."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._sent: dict[tuple[int, int], Lattice] = {}
        self.cancelled = 0

    def begin_stream(self) -> int:
        return 1

    def submit(self, utterance: int, revision: int, lattice: Lattice, private: Masking, *, stream: int) -> None:
        assert stream == 1
        self._sent[utterance, revision] = lattice

    def cancel(self, utterance: int, revision: int, *, stream: int) -> None:
        assert stream == 1
        del self._sent[utterance, revision]
        self.cancelled += 1

    async def result(self, utterance: int, revision: int, *, wait: float, stream: int) -> Rescored:
        assert stream == 1
        lattice = self._sent.pop((utterance, revision))
        await asyncio.sleep(0)
        if self._random.random() < 0.2:
            return Rescored(utterance, revision, Reason.late, 100.0)
        found = n_best(lattice, 6)
        self._random.shuffle(found)
        paths = tuple(ScoredPath(path.words, 0.0, 0.0) for path in found)
        return Rescored(utterance, revision, Reason.rescored, 1.0, paths or (ScoredPath(("what",), 0.0, 0.0),))


class Words:
    """A stage of somebody's own: understands the number of words."""

    name = "words"

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def take(self, event: Event) -> Sequence[Event]:
        self.seen.append(event)
        if isinstance(event, SpeculativeFinal | Final):
            return (replace(event, command=Command(True, str(len(event.words)), {}, event.text)),)
        return (event,)


async def stream(events: Sequence[Event]) -> AsyncIterator[Event]:
    for event in events:
        await asyncio.sleep(0)
        yield event


def recognised(model: Transducer, seed: int, seconds: float, **options: object) -> list[Event]:
    recognizer = scripted(model, seed, speculative=0.2, final=0.03, **options)
    samples, events = random_audio(seed, seconds), []
    for start in range(0, len(samples), 3000):
        events += recognizer.accept(samples[start : start + 3000])
    return [*events, *recognizer.finish()]


def through(events: Sequence[Event], *stages) -> list[Event]:
    async def run() -> list[Event]:
        return [event async for event in staged(stream(events), *stages)]

    return asyncio.run(run())


@settings(max_examples=12)
@given(seed=st.integers(0, 10**6), phones=st.booleans(), grammar=st.booleans(), own=st.booleans(), twice=st.booleans())
def test_stages_alone_and_together_keep_the_contract(
    toy: Transducer, toy_with_phones: Transducer, seed: int, phones: bool, grammar: bool, own: bool, twice: bool
) -> None:
    model = toy_with_phones if phones else toy
    understanding = GrammarUnderstanding(model, GRAMMAR) if grammar else None
    events = recognised(model, seed, 2.5, grammar=understanding, stages=[Words()] if own else [])
    check_contract(events)
    if grammar or own:
        assert all(event.command is not None for event in events if isinstance(event, SpeculativeFinal | Final))
    services = [AnyService(seed + k) for k in range(2 if twice else 1)]
    after = through(events, *(RescoringStage(service, Masking) for service in services))
    check_contract(after)
    assert [event.text for event in after if isinstance(event, Final) and event.rescored is None] == [
        event.text for event in events if isinstance(event, Final) and not event.text
    ]

    async def handled() -> list[Event]:
        async def handler(words: SpeculativeFinal | Final, gate: Gate) -> str:
            return (await gate.wait()).text

        items = [item async for item in speculate(stream(after), handler)]
        assert [item.value for item in items if isinstance(item, Outcome)] == [
            event.text for event in after if isinstance(event, Final) and event.text
        ]
        return [item for item in items if not isinstance(item, Outcome)]

    assert asyncio.run(handled()) == after


def test_a_handler_that_acted_on_other_words_is_told_that_they_were_wrong(toy: Transducer) -> None:
    changed = 0
    for seed in range(12):
        events = recognised(toy, seed, 2.0)
        before = {event.utterance: event for event in events if isinstance(event, Final)}
        for event in through(events, RescoringStage(AnyService(seed), Masking)):
            if isinstance(event, Final) and event.text != before[event.utterance].text:
                assert event.confirms is None
                changed += before[event.utterance].confirms is not None
    assert changed > 0


def test_leaving_a_stage_stops_what_it_has_sent(toy: Transducer) -> None:
    events = recognised(toy, 3, 4.0)
    assert any(isinstance(event, SpeculativeFinal) for event in events)
    service = AnyService(0)

    async def leave() -> None:
        generator = staged(stream(events), RescoringStage(service, Masking))
        async for event in generator:
            if isinstance(event, SpeculativeFinal):
                break
        await generator.aclose()

    asyncio.run(leave())
    assert service.cancelled == 1


def test_a_pipeline_makes_its_stages_for_each_run_and_times_them(toy: Transducer) -> None:
    made: list[Words] = []

    def make() -> Words:
        made.append(Words())
        return made[-1]

    async def blocks() -> AsyncIterator[np.ndarray]:
        yield random_audio(1, 1.5)

    async def run() -> None:
        async with Pipeline(toy, stages=[make]) as pipeline:
            for _ in range(2):
                stream = pipeline.run(blocks())
                events = [event async for event in stream]
                assert made[-1].seen == [replace(event, command=None) if hasattr(event, "command") else event
                                         for event in events]  # fmt: skip
                times = stream.statistics.stages
                assert {"features", "encoder", "search", "words"} <= times.keys()
                assert times["words"].calls == len(events)
                assert all(0 < time.longest <= time.seconds for time in times.values())

    asyncio.run(run())
    assert len(made) == 2


def test_without_stages_events_pass_as_they_are(toy: Transducer) -> None:
    events = recognised(toy, 5, 2.0)
    assert through(events) == events
    assert any(isinstance(event, Reset) for event in events)


@pytest.mark.parametrize("chunk", [320, 7777])
def test_a_grammar_takes_no_more_encoder_steps(
    bundled: Transducer, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    from demo import DEMO
    from nearword.models import read_audio
    from nearword.models.encoder import EncoderStream
    from nearword.runtime import Recognizer

    grammar = SlotGrammar(["tell my $WHO i am $WHAT"], {"who": ["brother"], "what": ["late", "on my way"]})
    steps, run = [], EncoderStream.run
    monkeypatch.setattr(EncoderStream, "run", lambda self, features: (steps.append(1), run(self, features))[1])
    counted = []
    for understanding in (None, GrammarUnderstanding(bundled, grammar)):
        steps.clear()
        recognizer, samples = Recognizer(bundled, grammar=understanding), read_audio(DEMO)
        for start in range(0, len(samples), chunk):
            recognizer.accept(samples[start : start + chunk])
        recognizer.finish()
        counted.append(len(steps))
    assert counted[0] == counted[1] > 20
