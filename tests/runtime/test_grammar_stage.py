import asyncio

import numpy as np
import pytest
from contract import check_contract
from demo import DEMO
from nearword.biasing import BiasingError
from nearword.biasing.slots import SlotGrammar
from nearword.models import Transducer, read_audio
from nearword.runtime import Command, Final, Pipeline, Recognizer, SpeculativeFinal
from nearword.runtime.recognition.grammar import GrammarUnderstanding
from nearword.runtime.streaming.pipeline import PipelineError

GRAMMAR = SlotGrammar(
    {"tell": ["tell my $WHO i am $WHAT"], "alarm": ["set an alarm for $TIME"]},
    {"who": ["sister", "brother"], "what": ["late", "on my way"], "time": ["six", "seven"]},
)
ASKED = [("tell", {"who": "brother", "what": "on my way"}), ("alarm", {"time": "seven"})]


def said(events) -> list[tuple[str, dict[str, str]]]:
    return [(event.command.intent, event.command.slots) for event in events if isinstance(event, Final)]


def listen(model: Transducer, samples: np.ndarray, size: int):
    recognizer = Recognizer(model, grammar=GrammarUnderstanding(model, GRAMMAR))
    events = [event for k in range(0, len(samples), size) for event in recognizer.accept(samples[k : k + size])]
    return [*events, *recognizer.finish()]


@pytest.fixture(scope="module")
def heard(bundled):
    return listen(bundled, read_audio(DEMO), 1600)


def test_every_result_says_what_it_asks_for(heard):
    check_contract(heard)
    assert said(heard) == ASKED
    assert all(event.command is not None for event in heard if isinstance(event, SpeculativeFinal | Final))


def test_a_confirmed_speculation_asks_for_the_same(heard):
    guesses = {event.revision: event.command for event in heard if isinstance(event, SpeculativeFinal)}
    confirmed = [event for event in heard if isinstance(event, Final) and event.confirms is not None]
    assert confirmed
    assert all(event.command is guesses[event.confirms] for event in confirmed)


@pytest.mark.parametrize("size", [777, 20_000, 1_000_000])
def test_any_chunking_understands_the_same(bundled, heard, size):
    assert listen(bundled, read_audio(DEMO), size) == heard


def test_the_words_are_those_without_a_grammar(bundled, heard):
    recognizer = Recognizer(bundled)
    events = [*recognizer.accept(read_audio(DEMO)), *recognizer.finish()]
    assert [event.text for event in events if isinstance(event, Final)] == [
        event.text for event in heard if isinstance(event, Final)
    ]


@pytest.mark.parametrize("seconds", [0.3, 5.0])
def test_audio_lost_between_utterances_moves_what_follows(bundled, seconds):
    samples = read_audio(DEMO)
    recognizer = Recognizer(bundled, grammar=GrammarUnderstanding(bundled, GRAMMAR))
    events = recognizer.accept(samples)
    assert said(events)[:1] == ASKED[:1]
    events += recognizer.lost(seconds, "a test")
    events += recognizer.accept(np.zeros(16000, np.float32))
    events += recognizer.lost(seconds, "again")
    events += recognizer.accept(np.zeros(8000, np.float32)) + recognizer.accept(samples) + recognizer.finish()
    check_contract(events)
    assert said(events)[-2:] == ASKED


@pytest.mark.parametrize("seconds", [0.05, 5.0])
def test_audio_lost_within_an_utterance_ends_it_or_is_heard_as_silence(bundled, seconds):
    samples = read_audio(DEMO)
    recognizer = Recognizer(bundled, grammar=GrammarUnderstanding(bundled, GRAMMAR))
    events = recognizer.accept(samples[:50_000]) + recognizer.lost(seconds, "a test")
    events += recognizer.accept(samples[50_000:]) + recognizer.finish()
    check_contract(events)
    assert said(events)[0] == ASKED[0]
    assert (said(events)[1:] == ASKED[1:]) == (seconds < 1)


def test_silence_and_noise_ask_for_nothing(bundled, noise):
    events = listen(bundled, np.concatenate([np.zeros(16000, np.float32), noise]), 1600)
    assert all(not event.command.accepted for event in events if isinstance(event, Final))


def test_a_pipeline_understands_by_its_grammar(bundled):
    async def blocks():
        yield read_audio(DEMO)

    async def main():
        async with Pipeline(bundled, grammar=GRAMMAR) as pipeline:
            return [event async for event in pipeline.run(blocks())]

    assert said(asyncio.run(main())) == ASKED


def test_a_grammar_that_does_not_suit_the_model_is_told_when_the_pipeline_opens(bundled):
    async def main():
        async with Pipeline(bundled, grammar=SlotGrammar(["go to 東京"], {})):
            pass

    with pytest.raises(BiasingError, match="東京"):
        asyncio.run(main())


def test_a_recogniser_of_ones_own_has_its_own_grammar(bundled):
    with pytest.raises(PipelineError, match="grammar"):
        Pipeline(bundled, grammar=GRAMMAR, recognizer=Recognizer)


def test_a_command_reads_as_a_line():
    assert str(Command(True, "tell", {"who": "brother", "what": "late"})) == "tell: who=brother, what=late"
    assert str(Command(True)) == "command"
    assert str(Command(False)) == "no command"
