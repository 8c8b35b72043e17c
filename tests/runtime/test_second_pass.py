"""What phones do to words: the contract holds, promises are kept, listed names are heard by their sound."""

import dataclasses

import numpy as np
import pytest
from contract import SMALL_SEARCH, STREAMS, check_contract, random_audio, scripted
from demo import DEMO, DEMO_TEXT
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.biasing import Biasing, Phrase
from nearword.lattice import n_best
from nearword.models import ModelFileError, Transducer, read_audio
from nearword.models.encoder import Encoded
from nearword.runtime import BeamSettings, SearchOptions, Transcriber, Word
from nearword.runtime.recognition.biasing import bias_vocabulary, surprise_of
from nearword.runtime.recognition.events import Final
from nearword.runtime.recognition.recognizer import QUIET_FRAMES, Recognizer
from nearword.runtime.recognition.second_pass import (
    UNDENIED,
    PhonesHeard,
    SecondPass,
    beginning_with,
    best_words,
    word_lattice,
)

ONCE = SearchOptions(phones=False)


@settings(deadline=None, max_examples=20)
@given(**STREAMS, listed=st.booleans())
def test_the_contract_holds_on_whatever_is_changed_at_the_end(
    toy_with_phones: Transducer, seed: int, length: int, speculative: float, final: float, listed: bool
) -> None:
    recognizer = scripted(toy_with_phones, seed, speculative=speculative, final=final)
    if listed:
        biasing = Biasing(bias_vocabulary(toy_with_phones.vocabulary))
        biasing.replace("contact", [Phrase("calling", "contact"), Phrase("the calls", "contact")])
        search = dataclasses.replace(SMALL_SEARCH, bias=biasing)
        recognizer = scripted(toy_with_phones, seed, speculative=speculative, final=final, search=search)
    samples = random_audio(seed, length / 16000)
    events = [*recognizer.accept(samples), *recognizer.finish()]
    check_contract(events)
    again = scripted(toy_with_phones, seed, speculative=speculative, final=final)
    if not listed:
        pieces = np.array_split(samples, 7)
        assert [event for piece in pieces for event in again.accept(piece)] + again.finish() == events


def test_it_is_not_done_where_it_cannot_or_shall_not_be(bundled: Transducer, toy: Transducer) -> None:
    assert bundled.phones
    assert not toy.phones
    assert SecondPass.of(bundled, SearchOptions()) is not None
    assert SecondPass.of(bundled, ONCE) is None
    assert SecondPass.of(bundled, SearchOptions(BeamSettings(max_active=1))) is None
    assert SecondPass.of(toy, SearchOptions()) is None


def test_a_file_of_other_phones_is_told(bundled: Transducer, toy_with_phones: Transducer, tmp_path) -> None:
    from toy_models import ToyModel, write_toy_model

    folder = write_toy_model(tmp_path / "m", ToyModel(phones=("blank", "x", "y"), pronunciation=bundled.pronunciation))
    with pytest.raises(ModelFileError, match=r"pronounce\.onnx.*other phones"):
        Transcriber(Transducer.load(folder))


def test_words_are_those_of_the_lattice(bundled: Transducer) -> None:
    transcriber = Transcriber(bundled)
    transcriber.accept(read_audio(DEMO))
    found = transcriber.finish()
    assert found.text == DEMO_TEXT == " ".join(word.text for word in found.words)
    assert n_best(transcriber.lattice(), 1)[0].text == found.text
    assert transcriber.finish() == found


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_a_name_is_heard_by_its_sound(bundled: Transducer, strength: float) -> None:
    # "my brother" sounds like this name, which no search would write
    from nearword.biasing import ClassSettings

    biasing = Biasing(bias_vocabulary(bundled.vocabulary, surprise_of(bundled)), settings=ClassSettings(strength))
    biasing.replace("contact", [Phrase("Mai Bruther", "contact"), Phrase("Pieter Oennen", "contact")])
    transcriber = Transcriber(bundled, SearchOptions(bias=biasing))
    transcriber.accept(read_audio(DEMO))
    texts = [path.text for path in n_best(transcriber.lattice(), 50)]
    assert any(text.startswith("tell mai bruther i am") for text in texts)
    assert not any("oennen" in text for text in texts)


def test_words_of_which_the_phones_know_nothing_are_none(bundled: Transducer) -> None:
    look = SecondPass.of(bundled, SearchOptions())
    assert look is not None
    transcriber = Transcriber(bundled)
    transcriber.accept(read_audio(DEMO))
    assert transcriber.finish().text == DEMO_TEXT
    lattice, heard = transcriber._loop.search.lattice(), transcriber._loop.phones.log_probs()
    words = word_lattice(bundled, lattice, SearchOptions().lattice)
    silence = np.full_like(heard, -20.0)
    silence[:, 0] = 0.0
    sure, unsure = ([Word(text, 0.0, 1.0, value) for text in DEMO_TEXT.split()] for value in (0.7, 0.1))
    denied = look.rescore(words, silence, unsure)
    assert denied.best_path() == []
    assert best_words(denied, ()) == ()
    assert denied.num_arcs == words.num_arcs
    # not if the transducer is sure, or the phones are, or the words were promised
    assert look.rescore(words, silence, sure).best_path() != []
    assert n_best(look.rescore(words, heard, unsure), 1)[0].text == DEMO_TEXT
    assert look.rescore(words, silence, unsure, DEMO_TEXT.split()[:1]).best_path() != []
    # nor if it is known that somebody speaks
    assert look.rescore(words, silence, unsure, spoken=True).best_path() != []


@pytest.mark.parametrize(("phone", "stays"), [(-2.0, False), (-0.5, True)])
def test_a_phrase_that_falls_short_makes_no_words_of_what_is_none(
    bundled: Transducer, phone: float, stays: bool
) -> None:
    biasing = Biasing(bias_vocabulary(bundled.vocabulary))
    biasing.replace("contact", [Phrase("mai bruther", "contact")])
    look = SecondPass.of(bundled, SearchOptions(bias=biasing))
    assert look is not None
    transcriber = Transcriber(bundled, SearchOptions(bias=biasing))
    transcriber.accept(read_audio(DEMO))
    unsure = [Word(text, 0.0, 1.0, 0.1) for text in transcriber.finish().text.split()]
    words = word_lattice(bundled, transcriber._loop.search.lattice(), SearchOptions().lattice)
    silence = np.full_like(transcriber._loop.phones.log_probs(), -20.0)
    silence[:, 0] = 0.0
    sounds = [sound for word in look.pronounced(["mai", "bruther"]) for sound in word]
    silence[10 + 2 * np.arange(len(sounds)), sounds] = phone
    spotter = biasing.spotter(look._pronounce, silence.shape[1])
    assert [spot.score >= UNDENIED for spot in spotter.find(silence)] == [stays]
    assert (look.rescore(words, silence, unsure).best_path() != []) == stays


def test_promised_words_are_kept(bundled: Transducer) -> None:
    look = SecondPass.of(bundled, SearchOptions())
    assert look is not None
    transcriber = Transcriber(bundled, ONCE)
    transcriber.accept(read_audio(DEMO))
    transcriber.finish()
    lattice = transcriber.lattice()
    other = next(path.words for path in n_best(lattice, 200) if path.words[:2] != tuple(DEMO_TEXT.split()[:2]))
    kept = look.rescore(lattice, np.zeros((0, 41), np.float32), (), other[:2])
    assert all(path.words[:2] == other[:2] for path in n_best(kept, 1000))
    assert beginning_with(lattice, ["nothing", "like", "it"]) == lattice


def test_stable_words_are_stable_to_the_end(bundled: Transducer) -> None:
    speech = read_audio(DEMO)
    recognizer = Recognizer(bundled)
    events = [*recognizer.accept(np.concatenate([speech[:30_000], *[speech[10_000:30_000]] * 5])), *recognizer.finish()]
    check_contract(events)
    assert any(getattr(event, "stable", 0) for event in events)


def test_phones_are_cut_where_the_search_is() -> None:
    heard = PhonesHeard()
    for step in range(4):
        heard.add(Encoded(np.zeros((4, 6), np.float32), np.full((8, 3), float(step), np.float32)))
    other = heard.fork()
    assert len(heard.cut(6).log_probs()) == 12
    assert heard.log_probs()[:, 0].tolist() == [1.0] * 4 + [2.0] * 8 + [3.0] * 8
    heard.add(Encoded(np.zeros((4, 6), np.float32), np.full((8, 3), 4.0, np.float32)))
    assert len(heard.cut(20).log_probs()) == 28
    assert not len(heard.log_probs())
    assert len(other.log_probs()) == 32
    assert not len(PhonesHeard().log_probs())


def test_long_silence_before_an_utterance_leaves_nothing(bundled: Transducer) -> None:
    recognizer, alone = Recognizer(bundled), Recognizer(bundled)
    speech = read_audio(DEMO)
    events = recognizer.accept(np.zeros(60 * 16000, np.float32))
    assert events == []
    assert len(recognizer._loop.phones.log_probs()) <= 4 * QUIET_FRAMES
    events = [*recognizer.accept(speech), *recognizer.finish()]
    expected = [*alone.accept(speech), *alone.finish()]
    check_contract(events)
    assert [event.text for event in events if isinstance(event, Final)] == [
        event.text for event in expected if isinstance(event, Final)
    ]


def test_words_keep_what_is_known_of_them(bundled: Transducer) -> None:
    transcriber = Transcriber(bundled, ONCE)
    transcriber.accept(read_audio(DEMO))
    words = transcriber.finish().words
    lattice = transcriber.lattice()
    assert best_words(lattice, words) == words
    changed = [dataclasses.replace(words[0], text="sell", confidence=0.3), *words[1:]]
    first, *rest = best_words(lattice, changed)
    assert (first.text, first.confidence) == ("tell", 0.3)
    assert rest == list(words[1:])
    assert isinstance(first, Word)
