"""Attention to lists in the decode loop, with the bundled model: nothing without a list, and lists that change."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nearword.biasing import Biasing, ClassSettings, Phrase
from nearword.models import Transducer, resolve
from nearword.models.contextual import ATTENTION, ENCODER
from nearword.runtime import SearchOptions, Session, transcribe_file
from nearword.runtime.recognition.biasing import load_biasing
from nearword.runtime.recognition.decode_loop import DecodeLoop
from nearword.runtime.search.attended_lists import attention_to, contextual_bias
from nearword.runtime.search.attention import ATTENDED, heard_pairs, likeliest

DEMO = Path(__file__).parents[2] / "runtime" / "audio" / "demo.flac"
OFF = SearchOptions(fusion=False, spotting=False)
ON = replace(OFF, attention=True)


@pytest.fixture(scope="module")
def model() -> Transducer:
    return Transducer.load(resolve("assistant-en"))


def listing(model: Transducer, names: Sequence[str], cls: str = "contact") -> Biasing:
    biasing, _ = load_biasing(model, [])
    biasing.replace(cls, [Phrase(name) for name in names])
    return biasing


def made_up(count: int) -> list[str]:
    rng = np.random.default_rng(5)
    heads, tails = list("bdfgklmnprstvz"), ["a", "el", "in", "or", "ish", "ock", "und"]
    return [
        "".join(rng.choice(part) for part in (heads, tails, heads, tails)) + f"{'o' * (k % 3)}" for k in range(count)
    ]


def test_without_a_list_all_is_as_before_to_the_last_bit(model: Transducer, tmp_path: Path) -> None:
    plain_folder = tmp_path / "plain"
    shutil.copytree(resolve("assistant-en"), plain_folder, ignore=shutil.ignore_patterns(ENCODER, ATTENTION))
    plain = Transducer.load(plain_folder)
    before = transcribe_file(plain, DEMO)
    for options in (SearchOptions(), replace(ON, bias=listing(model, [])), ON):
        found = transcribe_file(model, DEMO, options)
        assert (found.text, found.words) == (before.text, before.words)
    assert contextual_bias(plain) is None
    listed = listing(plain, ["meg bauer"])
    assert transcribe_file(plain, DEMO, replace(ON, bias=listed)).words == before.words


def test_each_way_to_use_a_list_can_be_off(model: Transducer) -> None:
    before, listed = transcribe_file(model, DEMO), listing(model, ["kitchen", "meg bauer"])
    assert transcribe_file(model, DEMO, replace(OFF, bias=listed)).words == before.words
    silent = listing(model, ["kitchen", "meg bauer"])
    silent.set_class("contact", ClassSettings(0.0))
    assert transcribe_file(model, DEMO, replace(ON, bias=silent)).text == before.text


def test_a_list_is_made_ready_once_for_all_that_share_it(model: Transducer) -> None:
    biasing = listing(model, ["meg bauer", "xavier knight"])
    first = attention_to(model, biasing)
    assert first is not None
    assert [len(first.book), attention_to(model, biasing.layer())] == [2, first]
    own = biasing.layer()
    own.add(Phrase("bohemian rhapsody"))
    of_layer = attention_to(model, own)
    assert of_layer is not None
    assert (len(of_layer.book), attention_to(model, biasing)) == (3, first)
    biasing.remove("meg bauer", "contact")
    again = attention_to(model, biasing)
    assert again is not None
    assert (len(again.book), again is attention_to(model, biasing)) == (1, True)


def test_lists_change_while_one_listens(model: Transducer) -> None:
    loop = DecodeLoop(Session(model, replace(ON, bias=listing(model, ["xavier knight"]))))
    samples = np.random.default_rng(0).normal(0, 0.01, 16000).astype(np.float32)
    loop.accept(samples)
    seen = [loop.search.attention]
    loop.session.phrases.add(Phrase("bohemian rhapsody"))
    loop.accept(samples)
    seen.append(loop.search.attention)
    for name in ("bohemian rhapsody", "xavier knight"):
        loop.session.phrases.remove(name)
    loop.session.phrases.replace("contact", [])
    loop.accept(samples)
    seen.append(loop.search.attention)
    assert [None if one is None else len(one.book) for one in seen] == [1, 2, 1]


def test_of_long_lists_what_sounds_like_it_may_begin(model: Transducer) -> None:
    biasing = listing(model, made_up(2000))
    attention = attention_to(model, biasing)
    assert attention is not None
    assert len(attention.book) > 3 * ATTENDED
    book = attention.book
    opening = book.opening[book.begins]
    for target in (0, 700, 1500):
        phones = np.full((16, len(model.phones)), -12.0, np.float32)
        phones[:, 0] = 0.0
        for place, phone in enumerate(opening[target]):
            phones[6 + 3 * place] = -12.0
            phones[6 + 3 * place, phone] = 0.0
        heard = heard_pairs(phones)
        assert heard[tuple(opening[target])] == pytest.approx(0, abs=1e-5)
        alike = book.begins[(opening == opening[target]).all(1)]
        kept = likeliest(book, book.begins, heard, ATTENDED)
        assert len(set(kept.tolist())) == ATTENDED
        assert set(alike.tolist()) <= set(kept.tolist())
        assert likeliest(book, kept, heard, ATTENDED) is kept


def test_pieces_of_audio_do_not_matter(model: Transducer) -> None:
    from nearword.models import read_audio
    from nearword.runtime import Transcriber

    options = replace(ON, bias=listing(model, ["kitchen", "xavier knight", *made_up(400)]))
    samples = read_audio(DEMO)
    texts = []
    for size in (len(samples), 3000, 611):
        transcriber = Transcriber(model, options)
        for start in range(0, len(samples), size):
            transcriber.accept(samples[start : start + size])
        texts.append(transcriber.finish().words)
    assert texts[0] == texts[1] == texts[2]
