"""Results of a stream say what was asked for, and keep the contract."""

import asyncio
import dataclasses

import numpy as np
import pytest
from conftest import DEMO
from contract import SMALL_SEARCH, check_contract
from nearword.biasing.slots import SlotGrammar
from nearword.models import read_audio
from nearword.runtime import Command, Final, Pipeline, Recognizer, SpeculativeFinal
from nearword.runtime.recognition.events import Rescoring, from_dict
from nearword.runtime.recognition.grammar import GrammarUnderstanding
from nearword.runtime.recognition.understanding_stage import UnderstandingStage, understanding_of_command

RESULTS = (SpeculativeFinal, Final)


def listen(model, home, samples, size=1600, **options):
    recognizer = Recognizer(model, stages=[UnderstandingStage(home)], **options)
    events = [event for at in range(0, len(samples), size) for event in recognizer.accept(samples[at : at + size])]
    return [*events, *recognizer.finish()]


@pytest.fixture(scope="module")
def heard(bundled, home):
    return listen(bundled, home, read_audio(DEMO))


def test_every_result_says_what_it_asks_for(heard):
    check_contract(heard)
    assert all(event.understanding is not None for event in heard if isinstance(event, RESULTS))
    last = [event.understanding for event in heard if isinstance(event, Final)][-1]
    assert (last.intent, [(slot.name, slot.text, slot.value) for slot in last.slots]) == (
        "alarm",
        [("time", "seven", 7)],
    )
    assert last.slots[0].start_time > 2


def test_a_confirmed_speculation_has_the_very_same_understanding(heard):
    guesses = {event.revision: event.understanding for event in heard if isinstance(event, SpeculativeFinal)}
    confirmed = [event for event in heard if isinstance(event, Final) and event.confirms is not None]
    assert confirmed
    assert all(event.understanding is guesses[event.confirms] for event in confirmed)


def test_what_a_grammar_accepts_stands_and_the_model_understands_the_rest(bundled, home):
    grammar = GrammarUnderstanding(
        bundled,
        SlotGrammar(
            {"tell": ["tell my $WHO i am $WHAT"]}, {"who": ["brother", "sister"], "what": ["late", "on my way"]}
        ),
    )
    events = listen(bundled, home, read_audio(DEMO), grammar=grammar)
    check_contract(events)
    found = [event.understanding for event in events if isinstance(event, Final)]
    assert [(one.source, one.intent) for one in found] == [("grammar", "tell"), ("model", "alarm")]


def test_a_grammar_alone_gives_an_understanding_too(bundled):
    grammar = GrammarUnderstanding(
        bundled, SlotGrammar({"alarm": ["set an alarm for $TIME"]}, {"time": ["six", "seven"]})
    )
    recognizer = Recognizer(bundled, grammar=grammar)
    events = [*recognizer.accept(read_audio(DEMO)), *recognizer.finish()]
    last = [event.understanding for event in events if isinstance(event, Final)][-1]
    assert (last.accepted, last.source, last.slots[0].value) == (True, "grammar", 7)


@pytest.mark.parametrize("seed", range(3))
def test_the_contract_holds_whatever_is_heard(toy, home, seed):
    chance = np.random.default_rng(seed)
    loud = np.repeat(chance.random(12) < 0.5, 8000)
    samples = (chance.normal(0, 0.2, len(loud)) * loud).astype(np.float32)
    events = listen(toy, home, samples, size=int(chance.integers(500, 20_000)), search=SMALL_SEARCH)
    check_contract(events)
    guesses = {
        (event.utterance, event.revision): event.understanding
        for event in events
        if isinstance(event, SpeculativeFinal)
    }
    for event in events:
        if isinstance(event, Final) and event.confirms is not None:
            assert event.understanding is guesses[event.utterance, event.confirms]


def test_better_words_of_a_service_are_what_is_understood(home, heard):
    final = [event for event in heard if isinstance(event, Final)][-1]
    words = tuple(dataclasses.replace(final.words[0], text=text) for text in "call anna".split())
    better = dataclasses.replace(
        final, text="call anna", words=words, confirms=None, understanding=None, rescored=Rescoring("rescored", 9.0)
    )
    [event] = UnderstandingStage(home).take(better)
    assert (event.understanding.intent, event.understanding.slots[0].text) == ("call", "anna")


def test_events_with_an_understanding_come_back_from_json(heard):
    for event in heard:
        if isinstance(event, RESULTS):
            assert from_dict(event.to_dict()).understanding == event.understanding


def test_a_pipeline_understands(bundled, home):
    async def blocks():
        yield read_audio(DEMO)

    async def main():
        async with Pipeline(bundled, stages=[lambda: UnderstandingStage(home)]) as pipeline:
            return [event async for event in pipeline.run(blocks())]

    finals = [event for event in asyncio.run(main()) if isinstance(event, Final)]
    assert finals[-1].understanding.intent == "alarm"


def test_a_command_is_an_understanding():
    found = understanding_of_command(
        Command(True, "tell", {"what": "late", "who": "brother"}, "tell my brother i am late", 9.0)
    )
    assert [(slot.name, slot.first, slot.end) for slot in found.slots] == [("who", 2, 3), ("what", 5, 6)]
    assert 0.5 < found.confidence < 1
    assert not understanding_of_command(Command(accepted=False)).accepted
