"""Attention biasing: phrases by their pieces and sounds, and the graphs against the network they were written from."""

import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra nearword[train]")

from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.models import ModelFileError, Pronouncer, Transducer, resolve
from nearword.models.contextual import ATTENTION, ENCODER, KEPT_VECTORS, ContextualBias, PlaceVectors
from nearword.models.phrase_sounds import PHONES_AFTER, PHONES_BEFORE, SOUNDS, places_of
from nearword.models.pieces import open_pieces
from nearword.models.training.contextual import PAST, Adapter, AttentionConfig, heard_frames
from nearword.models.training.contextual_export import export_adapter, set_gate

PHRASES = ((5, 6, 7, 8), (9, 10, 11), (5, 12, 13))
CONTEXTS = [(-1, 0), (-1, 5), (5, 6), (9, 10), (200, 201)]
GATE = 0.8
words = st.text("abcdefghijklmnopqrstuvwxyz'", min_size=1, max_size=12)


@pytest.fixture(scope="module")
def adapter() -> Adapter:
    torch.manual_seed(3)
    made = Adapter(AttentionConfig(width=32)).eval()
    torch.nn.init.constant_(made.attention.none.bias, -3.0)  # phrases are attended to
    return made


def folder_with(adapter: Adapter, folder: Path, *, quantised: bool = True) -> Path:
    shutil.copytree(resolve("assistant-en"), folder)
    export_adapter(adapter, folder, quantised=quantised, gate=GATE)
    return folder


@pytest.fixture(scope="module")
def folder(adapter: Adapter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_with(adapter, tmp_path_factory.mktemp("float") / "model", quantised=False)


@pytest.fixture(scope="module")
def model(folder: Path) -> Transducer:
    return Transducer.load(folder)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(words, min_size=1, max_size=6))
def test_the_phones_of_a_words_letters_are_the_words(texts: list[str]) -> None:
    pronounce = Pronouncer.load(resolve("assistant-en"))
    for word, whole, letters in zip(texts, pronounce(texts), pronounce.by_letter(texts), strict=True):
        assert len(letters) == len(word)
        assert tuple(phone for letter in letters for phone in letter) == whole
    assert pronounce.by_letter(["x-y", ""]) == [
        (*pronounce.by_letter(["xy"])[0][:1], (), *pronounce.by_letter(["xy"])[0][1:]),
        (),
    ]


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.lists(words, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=3))
def test_places_hold_the_pieces_before_and_the_phones_around(texts: list[str]) -> None:
    model = Transducer.load(resolve("assistant-en"))
    pronounce = Pronouncer.load(model.pronunciation)
    pieces = open_pieces(model.vocabulary.bpe_model)
    phrases = [tuple(pieces.encode(text)) for text in texts]
    found = places_of(phrases, model.vocabulary.tokens, pronounce.by_letter)
    assert found.sounds.shape == (sum(map(len, phrases)), SOUNDS)
    row = 0
    for text, phrase in zip(texts, phrases, strict=True):
        whole = [phone for said in pronounce(text.split()) for phone in said]
        padded = np.pad(whole, (PHONES_BEFORE, PHONES_AFTER)) if whole else np.zeros(SOUNDS)
        begin = 0
        for k, token in enumerate(phrase):
            assert found.pieces[row].tolist() == [*(0, 0, *phrase[:k])[-2:], token]
            assert found.sounds[row, :-1].tolist() == padded[begin : begin + SOUNDS - 1].tolist()
            begin += found.sounds[row, -1]
            row += 1
        assert begin <= len(whole)
    silent = places_of(phrases, model.vocabulary.tokens, None)
    assert not silent.sounds.any()
    assert np.array_equal(silent.pieces, found.pieces)


def inputs(model: Transducer, bias: ContextualBias) -> tuple[dict[str, np.ndarray], list[np.ndarray], np.ndarray]:
    """Return feeds of a step of 4 frames, what may go on after each context, and the phones of past and step."""
    rng = np.random.default_rng(0)
    encoded = rng.normal(0, 1, (4, model.info.joiner_dim)).astype(np.float32)
    phones = np.log(rng.dirichlet(np.full(len(model.phones), 0.1), 2 * (bias.past + 4)) + 1e-9).astype(np.float32)
    book = bias.book(PHRASES)
    going = [book.after(tuple(max(token, 0) for token in context)) for context in CONTEXTS]
    keys, values = bias.encode(book, np.arange(len(book.pieces)))
    most = max(map(len, going))
    chosen, open_ = np.zeros((len(going), most), np.int64), np.full((len(going), 1, 1, most), -1e9, np.float32)
    for row, places in enumerate(going):
        chosen[row, : len(places)], open_[row, ..., : len(places)] = places, 0
    feeds = {
        "encoder_out": encoded,
        "phones": bias.heard(phones[: 2 * bias.past], phones[2 * bias.past :]),
        "decoder_out": np.concatenate([model.predict(context) for context in CONTEXTS]),
        "start_keys": keys[book.begins].transpose(1, 2, 0),
        "start_values": values[book.begins].transpose(1, 0, 2),
        "keys": keys[chosen].transpose(0, 2, 3, 1),
        "values": values[chosen].transpose(0, 2, 1, 3),
        "open": open_,
    }
    return feeds, going, phones


@torch.no_grad()
def test_the_graphs_say_what_the_network_says(adapter: Adapter, model: Transducer, tmp_path: Path) -> None:
    bias = ContextualBias(model)
    feeds, going, phones = inputs(model, bias)
    added, weights = bias.attend(feeds)
    assert [places.tolist() for places in going] == [[], [1, 8], [2], [6], []]
    assert weights.sum(2) == pytest.approx(1, abs=1e-5)

    places = places_of(PHRASES, model.vocabulary.tokens, Pronouncer.load(model.pronunciation).by_letter)
    keys, values = adapter.encoder(torch.from_numpy(places.pieces), torch.from_numpy(places.sounds))
    encoded = torch.cat([torch.zeros(PAST, model.info.joiner_dim), torch.from_numpy(feeds["encoder_out"])])
    rows = torch.from_numpy(phones).reshape(1, len(encoded), -1)
    heard = heard_frames(encoded[None], rows, 4)[0, PAST:]
    begins = torch.tensor([0, 4, 7])
    for k, after in enumerate(going):
        predicted = torch.from_numpy(feeds["decoder_out"][k : k + 1]).expand(4, -1)
        chosen = torch.from_numpy(after).long()[None].expand(4, -1)
        more = keys[chosen], values[chosen], torch.zeros(chosen.shape)
        expected, log_weights = adapter.attention(heard, predicted, (keys[begins], values[begins]), more)
        taken = 1 - log_weights[:, :, -1].exp().mean(1)
        assert (taken > GATE).all()
        expected = expected * ((taken - GATE) / (1 - GATE))[:, None]
        np.testing.assert_allclose(added[k], expected.numpy(), atol=1e-4)

    small = ContextualBias(Transducer.load(folder_with(adapter, tmp_path / "int8")))
    near, _ = small.attend(inputs(model, small)[0])
    likeness = (near * added).sum() / np.linalg.norm(near) / np.linalg.norm(added)
    assert 0.9 < likeness < 1


@torch.no_grad()
def test_where_little_is_left_to_phrases_nothing_is_added(tmp_path: Path) -> None:
    torch.manual_seed(4)
    doubtful = Adapter(AttentionConfig(width=32))
    torch.nn.init.constant_(doubtful.attention.none.bias, 3.0)
    model = Transducer.load(folder_with(doubtful, tmp_path / "model"))
    bias = ContextualBias(model)
    added, weights = bias.attend(inputs(model, bias)[0])
    assert (weights[:, :, -1] > 1 - GATE).all()
    assert not added.any()


def test_the_gate_of_a_finished_graph_changes_and_nothing_else(adapter: Adapter, tmp_path: Path) -> None:
    folder = folder_with(adapter, tmp_path / "model")

    def gated(gate: float) -> tuple[np.ndarray, np.ndarray]:
        set_gate(folder, gate)
        model = Transducer.load(folder)
        bias = ContextualBias(model)
        return bias.attend(inputs(model, bias)[0])

    (whole, weights), (part, same) = gated(0.0), gated(0.5)
    assert np.array_equal(weights, same)
    taken = 1 - weights[:, :, -1:]
    np.testing.assert_allclose(part * taken, whole * np.maximum(0, (taken - 0.5) / 0.5), atol=1e-4)
    assert set_gate(folder, 0.25) == 0.5
    shutil.copyfile(folder / "joiner.onnx", folder / ATTENTION)
    with pytest.raises(ModelFileError, match="no gate"):
        set_gate(folder, 0.5)


def test_vectors_of_places_are_the_same_whenever_they_are_asked_for(model: Transducer) -> None:
    bias = ContextualBias(model)
    rng = np.random.default_rng(1)
    phrases = [tuple(rng.integers(2, 256, 6).tolist()) for _ in range(KEPT_VECTORS // 4)]
    book = bias.book(phrases)
    assert len(book.pieces) > KEPT_VECTORS
    vectors = PlaceVectors(bias, book)
    for _ in range(12):
        places = rng.integers(0, len(book.pieces), (3, 400))
        for found, expected in zip(vectors.take(places), bias.encode(book, places.ravel()), strict=True):
            np.testing.assert_allclose(found, expected.reshape(found.shape), atol=1e-5)
    assert vectors.take(np.zeros((2, 0), np.int64))[0].shape[:2] == (2, 0)


def test_a_book_knows_what_goes_on_after_any_context(model: Transducer) -> None:
    rng = np.random.default_rng(2)
    phrases = [tuple(rng.integers(2, 6, rng.integers(1, 6)).tolist()) for _ in range(60)]
    bias = ContextualBias(model)
    book = bias.book([*phrases, *phrases[:5], ()])
    assert book.phrases == tuple(dict.fromkeys(phrases))
    for context in np.ndindex(6, 6):
        expected = [
            int(begin) + k
            for phrase, begin in zip(book.phrases, book.begins, strict=True)
            for k in range(1, len(phrase))
            if phrase[:k] == context[-1:] or (k > 1 and phrase[k - 2 : k] == context)
        ]
        assert sorted(book.after(context).tolist()) == sorted(expected)
    assert len(bias.book([])) == 0


@pytest.mark.parametrize("name", [ENCODER, ATTENTION])
def test_what_does_not_fit_is_refused(name: str, folder: Path, tmp_path: Path) -> None:
    for number, wrong in enumerate(("joiner.onnx", "decoder.onnx")):
        other = tmp_path / str(number)
        shutil.copytree(folder, other)
        shutil.copyfile(other / wrong, other / name)
        with pytest.raises(ModelFileError, match=name):
            ContextualBias(Transducer.load(other))
    (folder_of := tmp_path / "cut").mkdir()
    shutil.copytree(folder, folder_of, dirs_exist_ok=True)
    (folder_of / name).write_bytes(b"onnx")
    with pytest.raises(ModelFileError, match=name):
        ContextualBias(Transducer.load(folder_of))


def test_graphs_for_another_model_are_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    export_adapter(Adapter(AttentionConfig(vocab_size=300, width=8)), other, quantised=False, gate=GATE)
    with pytest.raises(ModelFileError, match="300 tokens; expected 256"):
        ContextualBias(Transducer.load(other))
