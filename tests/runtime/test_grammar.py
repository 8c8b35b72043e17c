import json
import math

import numpy as np
import pytest
from demo import DEMO
from nearword.biasing import BiasingError
from nearword.biasing.slots import Filled, SlotGrammar
from nearword.models import read_audio
from nearword.runtime.recognition.events import Final
from nearword.runtime.recognition.grammar import Understood, read_grammar, search_with_grammar, understand
from nearword.runtime.recognition.recognizer import Recognizer

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
    assert command.accepted


def test_what_no_grammar_knows_is_told_from_a_command(bundled):
    grammar = SlotGrammar(["brew [a] [$SIZE] $DRINK"], {"size": ["small", "large"], "drink": ["mocha", "latte"]})
    assert not understand(bundled, [read_audio(DEMO)], grammar).accepted


def test_silence_asks_for_nothing(bundled):
    command = understand(bundled, [np.zeros(32000, np.float32)], GRAMMAR)
    assert command.filled is None
    assert command.log_odds == -math.inf
    assert not command.accepted


def test_a_longer_command_has_more_to_prove():
    short, long = (Filled({}, ("go",) * count, 0, 0.0) for count in (1, 9))
    assert Understood(short, 5.0).accepted
    assert not Understood(long, 5.0).accepted


def test_a_file_says_all_that_may_be_asked_for(tmp_path):
    path = tmp_path / "grammar.json"
    said = {"templates": {"go": ["go $WHERE"], "stop": ["stop"]}, "classes": {"Where": ["To-Day\u2019s", ""]}}
    path.write_text(json.dumps(said))
    grammar, refused = read_grammar(path)
    assert [grammar.fill(words.split()).intent for words in ("go to day's", "stop")] == ["go", "stop"]
    assert [one.reason for one in refused] == ["empty"]


def test_only_sentences_of_the_grammar_are_heard(bundled, noise):
    grammar = SlotGrammar(["one two three"], {})
    recognizer = Recognizer(bundled, search=search_with_grammar(bundled, grammar, penalty=1000.0))
    events = [*recognizer.accept(noise), *recognizer.accept(read_audio(DEMO)), *recognizer.finish()]
    words = {word for event in events if isinstance(event, Final) for word in event.text.lower().split()}
    assert words <= {"one", "two", "three"}


def test_what_the_model_cannot_write_is_refused(bundled):
    with pytest.raises(BiasingError, match="東京"):
        search_with_grammar(bundled, SlotGrammar(["go to 東京"], {}))
