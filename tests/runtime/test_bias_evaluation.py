from dataclasses import replace

import pytest
from demo import DEMO, DEMO_TEXT
from hypothesis import given
from hypothesis import strategies as st
from nearword.biasing import Biasing, BiasVocabulary, ClassSettings, Phrase, Tokenizer
from nearword.runtime import BeamSettings, transcribe_file
from nearword.runtime.evaluation.bias_tuning import Bound, tune
from nearword.runtime.evaluation.biasing import BiasFigures, PhraseFinder, _count, encode_all, recognise
from nearword.runtime.evaluation.word_errors import Entry
from nearword.runtime.recognition import second_pass
from nearword.runtime.recognition.text import normalise

VOCABULARY = BiasVocabulary(["<blk>", "\u2581", *"abcdefghijklmnopqrstuvwxyz'"])
FINDER = PhraseFinder(Tokenizer(VOCABULARY, inflect=False).tokenize_all(map(Phrase, ["a b", "a b c", "d", "E"]))[0])


def count(reference, hypothesis):
    words, biased, others, errors, said, found, plain, accepts = _count(reference.split(), hypothesis.split(), FINDER)
    return {"biased": (biased, words), "other": (errors, others), "found": (found, said), "false": (accepts, plain)}


def test_the_longest_phrase_at_each_place_is_found_and_none_twice():
    assert FINDER.find("a b c d x a b".split()) == [(0, 3), (3, 4), (5, 7)]
    assert FINDER.find("a".split()) == []
    assert FINDER.find([]) == []


@pytest.mark.parametrize(
    ("reference", "hypothesis", "biased", "other", "found", "false"),
    [
        ("x a b y", "x a b y", (0, 2), (0, 2), (1, 1), (0, 0)),
        ("x a b y", "x a q y", (1, 2), (0, 2), (0, 1), (0, 0)),
        ("x a b y", "z a b", (0, 2), (2, 2), (1, 1), (0, 0)),
        ("x y", "x d y", (1, 0), (0, 2), (0, 0), (1, 1)),
        ("x y", "x q y", (0, 0), (1, 2), (0, 0), (0, 1)),
        ("", "d q", (1, 0), (1, 0), (0, 0), (1, 1)),
        ("d d", "d", (1, 2), (0, 0), (1, 2), (0, 0)),
    ],
)
def test_errors_are_those_of_phrases_or_of_others(reference, hypothesis, biased, other, found, false):
    assert count(reference, hypothesis) == {"biased": biased, "other": other, "found": found, "false": false}


words = st.lists(st.sampled_from("abcdx"), max_size=7).map(" ".join)


@given(words, words)
def test_no_error_is_lost_or_counted_twice(reference, hypothesis):
    from nearword.runtime.evaluation.word_errors import count_errors

    counted = count(reference, hypothesis)
    assert counted["biased"][1] + counted["other"][1] == len(reference.split())
    assert counted["biased"][0] + counted["other"][0] == sum(count_errors(reference, hypothesis)[1:])


def test_tuning_takes_the_weakest_of_the_best_within_the_bound():
    plain = BiasFigures(2, 10, 8, 1000, 100, 5, 1, 100, 0, 1.0, 1.0, 1.0)
    biasing = Biasing(VOCABULARY)
    biasing.add_all([Phrase("meg", "contact"), Phrase("lamp", "device")])

    def run():
        contact, device = (biasing._settings[name] for name in ("contact", "device"))
        errors = 8 - min(4, round(8 * contact.strength)) - (2 if device.strength >= 0.35 else 0)
        harm = 5 if contact.outside * contact.strength > 0.2 else 0
        accepts = 2 if device.strength > 0.5 else 0
        return replace(plain, biased_errors=errors, other_errors=100 + harm, false_accepts=accepts)

    tried = []
    fitted, best = tune(biasing, frozenset(["contact"]), plain, run, Bound(), lambda: tried.append(1))
    assert fitted == {"contact": ClassSettings(0.5, 0.0), "device": ClassSettings(0.35, 0.0)}
    assert (best.biased_errors, best.other_errors, best.false_accepts) == (2, 100, 0)
    assert tried
    assert biasing._settings == fitted


def test_tuning_keeps_nothing_that_does_harm_only():
    plain = BiasFigures(1, 10, 8, 1000, 100, 5, 1, 100, 0, 1.0, 1.0, 1.0)
    biasing = Biasing(VOCABULARY)
    biasing.add(Phrase("meg"))
    worse = replace(plain, biased_errors=0, other_errors=102)
    fitted, best = tune(biasing, frozenset(), plain, lambda: worse, Bound(), lambda: None)
    assert fitted["phrase"].strength == 0
    assert best == plain


@pytest.mark.parametrize("denied", [second_pass.DENIED, -1e9])
def test_reports_measure_the_recogniser_that_runs(bundled, monkeypatch, denied):
    monkeypatch.setattr(second_pass, "DOUBTFUL", 2.0 if denied < 0 else second_pass.DOUBTFUL)
    monkeypatch.setattr(second_pass, "DENIED", denied)  # so low, all words are taken for silence
    (utterance,) = encode_all(bundled, [Entry(DEMO, DEMO_TEXT)], pytest.fail)
    said = recognise(bundled, utterance, None, BeamSettings())
    assert said == normalise(transcribe_file(bundled, DEMO).text) == ("" if denied < 0 else DEMO_TEXT)
