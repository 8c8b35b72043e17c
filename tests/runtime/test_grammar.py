import math

import numpy as np
import pytest
from conftest import DEMO
from nearword.biasing import BiasingError
from nearword.biasing.slots import SlotGrammar
from nearword.models import read_audio
from nearword.runtime.events import Final
from nearword.runtime.grammar import search_with_grammar, understand
from nearword.runtime.recognizer import Recognizer

CLASSES = {
    "who": ["sister", "brother", "mother", "father"],
    "what": ["late", "on my way", "at home"],
    "time": ["six", "seven", "seventeen"],
}
GRAMMAR = SlotGrammar(["tell my $WHO i am $WHAT", "set an alarm for $TIME", "set a timer for $TIME"], CLASSES)


def test_what_was_said_fills_the_slots(bundled):
    recognizer = Recognizer(bundled, search=search_with_grammar(bundled, GRAMMAR))
    events = [*recognizer.accept(read_audio(DEMO)), *recognizer.finish()]
    found = [GRAMMAR.fill_best(event.lattice) for event in events if isinstance(event, Final)]
    assert [each and each.slots for each in found] == [{"who": "brother", "what": "on my way"}, {"time": "seven"}]


def test_a_command_is_likelier_than_words_of_any_kind(bundled):
    grammar = SlotGrammar(["tell my $WHO i am $WHAT set an alarm for $TIME"], CLASSES)
    command = understand(bundled, [read_audio(DEMO)], grammar)
    assert command.filled is not None
    assert command.filled.slots == {"who": "brother", "what": "on my way", "time": "seven"}
    assert command.log_odds > 0


def test_what_no_grammar_knows_is_told_from_a_command(bundled):
    grammar = SlotGrammar(["brew [a] [$SIZE] $DRINK"], {"size": ["small", "large"], "drink": ["mocha", "latte"]})
    assert understand(bundled, [read_audio(DEMO)], grammar).log_odds < 0


def test_silence_asks_for_nothing(bundled):
    command = understand(bundled, [np.zeros(32000, np.float32)], GRAMMAR)
    assert command.filled is None
    assert command.log_odds == -math.inf


def test_only_sentences_of_the_grammar_are_heard(bundled, noise):
    grammar = SlotGrammar(["one two three"], {})
    recognizer = Recognizer(bundled, search=search_with_grammar(bundled, grammar, penalty=1000.0))
    events = [*recognizer.accept(noise), *recognizer.accept(read_audio(DEMO)), *recognizer.finish()]
    words = {word for event in events if isinstance(event, Final) for word in event.text.lower().split()}
    assert words <= {"one", "two", "three"}


def test_what_the_model_cannot_write_is_refused(bundled):
    with pytest.raises(BiasingError, match="東京"):
        search_with_grammar(bundled, SlotGrammar(["go to 東京"], {}))
