"""The language model that a model folder brings along."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import sentencepiece
from demo import DEMO
from nearword.lattice import LANGUAGE, encode
from nearword.lattice.language import LanguageModelError, NgramModel, save_ngram, train_pieces
from nearword.models import Transducer
from nearword.models.audio import read_audio
from nearword.runtime import SearchOptions, Transcriber, transcribe_file
from nearword.runtime.recognition.biasing import load_biasing
from nearword.runtime.search import GREEDY, BeamSettings
from nearword.runtime.search.internal import internal_log_probs
from nearword.runtime.search.language import (
    BONUS_PER_WEIGHT,
    FILE,
    INTERNAL_PER_WEIGHT,
    LEAST_INTERNAL,
    Fusion,
    own_language,
)


@pytest.fixture(scope="module")
def folder(bundled: Transducer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the bundled model that has another language model, which knows two sentences."""
    copy = tmp_path_factory.mktemp("models") / "model"
    shutil.copytree(bundled.info.folder, copy)
    save_ngram(two_sentences(bundled), copy / FILE)
    return copy


def two_sentences(model: Transducer) -> NgramModel:
    texts = ["turn on the light", "call my mother"] * 50
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model.info.folder / "bpe.model"))
    return train_pieces(texts, model.vocabulary.tokens, pieces.encode, order=3)


def test_a_folders_language_model_is_used_and_none_turns_it_off(folder: Path) -> None:
    model = Transducer.load(folder)
    language = own_language(model)
    assert language is not None
    lattices = {}
    for name, options in {
        "own": SearchOptions(), "given": SearchOptions(language=language), "none": SearchOptions(language=None)
    }.items():  # fmt: skip
        transcriber = Transcriber(model, options)
        transcriber.accept(read_audio(DEMO))
        transcriber.finish()
        lattices[name] = transcriber.lattice()
    assert encode(lattices["own"]) == encode(lattices["given"])
    assert lattices["own"].scores[:, LANGUAGE].any()
    assert not lattices["none"].scores[:, LANGUAGE].any()
    assert own_language(model) is language


def test_a_list_leaves_what_every_other_word_is_worth_as_it_was(bundled: Transducer, tmp_path: Path) -> None:
    (tmp_path / "people.txt").write_text("ludmila przybylska\n")
    biasing, _ = load_biasing(bundled, [tmp_path / "people.txt"])
    lattices = []
    for options in (SearchOptions(), SearchOptions(bias=biasing)):
        transcriber = Transcriber(bundled, options)
        transcriber.accept(read_audio(DEMO))
        transcriber.finish()
        lattices.append(transcriber.lattice())
    plain, listed = (lattice.scores[lattice.best_path()] for lattice in lattices)
    assert lattices[0].text(lattices[0].best_path()) == lattices[1].text(lattices[1].best_path())
    # where the scores of a word end may move by a token
    assert listed.sum(0) == pytest.approx(plain.sum(0), abs=0.3)


def test_greedy_search_goes_without(folder: Path) -> None:
    model = Transducer.load(folder)
    assert transcribe_file(model, DEMO, GREEDY) == transcribe_file(
        model, DEMO, SearchOptions(BeamSettings(max_active=1), language=None)
    )


def test_a_folder_without_one_searches_without(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "model")
    (tmp_path / "model" / FILE).unlink()
    model = Transducer.load(tmp_path / "model")
    assert own_language(model) is None
    assert transcribe_file(model, DEMO) == transcribe_file(model, DEMO, SearchOptions(language=None))


def test_a_broken_one_is_told_in_one_line(
    folder: Path, tmp_path: Path, run_cli: Callable[..., CompletedProcess[str]]
) -> None:
    shutil.copytree(folder, tmp_path / "model")
    (tmp_path / "model" / FILE).write_bytes(b"no language model")
    with pytest.raises(LanguageModelError, match=r"lm\.bin"):
        own_language(Transducer.load(tmp_path / "model"))
    done = run_cli("transcribe", str(DEMO), "--model", str(tmp_path / "model"))
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "lm.bin" in done.stderr
    assert run_cli("transcribe", str(DEMO), "--model", str(tmp_path / "model"), "--lm", "none").returncode == 0


def test_weight_scales_what_is_added(bundled: Transducer) -> None:
    ngram = two_sentences(bundled)
    half, whole = Fusion(bundled, ngram, 0.1), Fusion(bundled, ngram, 0.2)
    assert whole.scores(whole.start) == pytest.approx(2 * half.scores(half.start), rel=1e-5)


def test_the_transducers_own_language_model_is_taken_off(bundled: Transducer) -> None:
    ngram = two_sentences(bundled)
    fusion = Fusion(bundled, ngram, 0.4)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(bundled.info.folder / "bpe.model"))
    context, inner, state = (-1, bundled.vocabulary.blank_id), ngram.start, fusion.start
    for token in pieces.encode("turn on the light"):
        internal = internal_log_probs(bundled, [context])[0]
        assert np.exp(internal).sum() == pytest.approx(1.0, rel=1e-4)
        internal = np.maximum(internal, LEAST_INTERNAL)
        expected = 0.4 * (ngram.scores(inner) - INTERNAL_PER_WEIGHT * internal + BONUS_PER_WEIGHT)
        scores = fusion.scores(state)
        assert scores[bundled.vocabulary.blank_id] == 0.0
        assert scores[2:] == pytest.approx(expected[2:], abs=1e-4)
        context, inner, state = (context[1], token), ngram.advance(inner, token), fusion.advance(state, token)
    assert fusion.advance(state, bundled.vocabulary.blank_id) == state
    with pytest.raises(ValueError, match="read-only"):
        fusion.scores(state)[2] = 0
    assert fusion.final(state) == pytest.approx(0.4 * ngram.final(inner))


def test_it_knows_where_sentences_end(folder: Path) -> None:
    model = Transducer.load(folder)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "bpe.model"))

    def ending(text: str, options: SearchOptions) -> float | None:
        return options.ending(model, pieces.encode(text))

    whole, part = (ending(text, SearchOptions()) for text in ("turn on the light", "turn on the"))
    assert whole is not None
    assert part is not None
    assert part < -1 < whole < 0
    for options in (GREEDY, SearchOptions(language=None), SearchOptions(language=own_language(model))):
        assert ending("turn on the light", options) is None
