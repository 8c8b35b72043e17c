"""Whole sentences at the end of an utterance: what they change, when they are asked, and that the contract holds."""

import dataclasses
import shutil
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from contract import STREAMS, check_contract, random_audio, scripted
from demo import DEMO
from hypothesis import given, settings
from nearword.lattice import ACOUSTIC, LANGUAGE, Lattice, n_best
from nearword.lattice.language import train_pieces
from nearword.models import ModelFileError, Transducer, read_audio
from nearword.models.sentence_model import FILE
from nearword.runtime import BeamSettings, Final, Recognizer, SearchOptions, Transcriber
from nearword.runtime.recognition.sentences import Sentences
from nearword.runtime.search.language import Fusion, own_language

WITHOUT = SearchOptions(sentences=False)


def transcribed(model: Transducer, options: SearchOptions) -> Transcriber:
    transcriber = Transcriber(model, options)
    transcriber.accept(read_audio(DEMO))
    transcriber.finish()
    return transcriber


def test_it_is_not_done_where_it_cannot_or_shall_not_be(bundled: Transducer, toy: Transducer) -> None:
    assert Sentences.of(bundled, SearchOptions()) is not None
    assert Sentences.of(bundled, SearchOptions(language=own_language(bundled, 0.7))) is not None
    assert Sentences.of(bundled, WITHOUT) is None
    assert Sentences.of(bundled, SearchOptions(BeamSettings(max_active=1))) is None
    assert Sentences.of(bundled, SearchOptions(language=None)) is None
    other = train_pieces(["go"] * 3, bundled.vocabulary.tokens, lambda _: [5], order=2)
    assert Sentences.of(bundled, SearchOptions(language=Fusion(bundled, other))) is None
    assert Sentences.of(toy, SearchOptions()) is None


def test_language_scores_change_and_nothing_else(bundled: Transducer) -> None:
    options = SearchOptions(phones=False)
    one = transcribed(bundled, options)
    other = transcribed(bundled, dataclasses.replace(options, sentences=False))
    with_sentences, without = one.lattice(), other.lattice()
    assert with_sentences.words == without.words
    for name in ("source", "target", "word", "start", "end"):
        assert np.array_equal(getattr(with_sentences, name), getattr(without, name))
    assert np.array_equal(with_sentences.scores[:, ACOUSTIC], without.scores[:, ACOUSTIC])
    assert not np.array_equal(with_sentences.scores[:, LANGUAGE], without.scores[:, LANGUAGE])
    assert one.finish().text == n_best(with_sentences, 1)[0].text


def test_a_network_that_cannot_be_used_is_told(bundled: Transducer, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(bundled.info.folder, folder)
    shutil.copyfile(folder / "joiner.onnx", folder / FILE)
    with pytest.raises(ModelFileError, match=r"lm\.onnx: its inputs are encoder_out, decoder_out; expected input_ids"):
        transcribed(Transducer.load(folder), SearchOptions())
    assert transcribed(Transducer.load(folder), WITHOUT).finish().text


class Capricious:
    """Likes and dislikes words for no reason."""

    asked = 0

    def prepare(self) -> None:
        pass

    def rescore(self, lattice: Lattice) -> Lattice:
        self.asked += 1
        scores = lattice.scores.copy()
        liking = np.array([crc32(word.encode()) % 17 - 8.0 for word in lattice.words])
        scores[:, LANGUAGE] += liking[lattice.word] if lattice.num_arcs else 0.0
        return dataclasses.replace(lattice, scores=scores)


@settings(deadline=None, max_examples=20)
@given(**STREAMS)
def test_the_contract_holds_whatever_sentences_are_worth(
    toy: Transducer, seed: int, length: int, speculative: float, final: float
) -> None:
    def recognizer() -> Recognizer:
        made = scripted(toy, seed, speculative=speculative, final=final)
        made._loop.sentences = Capricious()
        return made

    samples = random_audio(seed, length / 16000)
    one, again = recognizer(), recognizer()
    events = [*one.accept(samples), *one.finish()]
    check_contract(events)
    assert one._loop.sentences.asked or not any(isinstance(event, Final) and event.words for event in events)
    assert [event for piece in np.array_split(samples, 7) for event in again.accept(piece)] + again.finish() == events
