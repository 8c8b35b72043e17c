"""The recipe of attention biasing, on a toy scale: recordings to graphs that the runtime takes, in three commands."""

import json
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("faker")
pytest.importorskip("wordfreq")

from nearword.biasing import Biasing, Phrase
from nearword.models import Pronouncer, Transducer, resolve
from nearword.models.audio import read_audio
from nearword.models.pieces import open_pieces
from nearword.models.training.__main__ import main
from nearword.models.training.contextual import Adapter, AttentionConfig, losses
from nearword.models.training.contextual_data import HeardCorpus, emission_frames, heard, named, plan_named
from nearword.models.training.contextual_export import set_gate
from nearword.models.training.contextual_lists import ListOptions, PhraseLists, going_places
from nearword.models.training.contextual_train import absent_phrases, frozen_parts
from nearword.models.training.loss import arc_scores, transducer_loss
from nearword.models.training.prepare import fbank
from nearword.runtime import SearchOptions, transcribe_file
from nearword.runtime.recognition.biasing import load_biasing

DEMO = Path(__file__).parents[2] / "runtime" / "audio" / "demo.flac"
TEXT = "turn on the light in the kitchen and set a timer for ten minutes"


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of speech with a set of two recordings and one of noise."""
    folder = tmp_path_factory.mktemp("speech")
    for name in ("train", "noise"):
        (folder / name).mkdir()
    shutil.copyfile(DEMO, folder / "train" / "demo.flac")
    shutil.copyfile(DEMO, folder / "noise" / "hum.flac")
    rows = [f"train/demo.flac\t{text}" for text in (TEXT, "switch off the xylophone")]
    (folder / "train" / "demo.tsv").write_text("path\ttext\n" + "\n".join(rows) + "\n")
    return folder


def run(arguments: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["training", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in {0, None}


@pytest.mark.timeout(300)
def test_three_commands_make_graphs_that_the_runtime_takes(
    speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, work = tmp_path / "model", tmp_path / "work"
    shutil.copytree(resolve("assistant-en"), model)
    common = ["--work", work]
    run(["bias-prepare", model, "--speech", speech, "--names", 0, *common], monkeypatch)
    index = work / "heard" / "demo" / "index.jsonl"
    lines = index.read_text()
    assert [json.loads(line)["text"] for line in lines.splitlines()] == [TEXT, "switch off the xylophone"]
    # broken off in the middle of a line, it goes on with the same
    index.write_text(lines[: len(lines) * 3 // 4])
    run(["bias-prepare", model, "--speech", speech, "--names", 0, *common], monkeypatch)
    assert index.read_text() == lines

    train = ["bias-train", model, "--rows", 3, "--longest", 8, "--names", 100, "--width", 16, *common]
    run([*train, "--updates", 3], monkeypatch)
    first = torch.load(work / "bias" / "checkpoint.pt", weights_only=True)
    assert first["update"] == 3
    run([*train, "--updates", 5], monkeypatch)
    assert torch.load(work / "bias" / "checkpoint.pt", weights_only=True)["update"] == 5
    run(["bias-export", model, "--gate", 0.5, *common], monkeypatch)
    run(["bias-gate", model, "--gate", 0.75], monkeypatch)
    assert set_gate(model, 0.5) == 0.75

    loaded = Transducer.load(model)
    biasing, _ = load_biasing(loaded, [])
    plain = transcribe_file(loaded, DEMO, SearchOptions(bias=biasing, attention=True))
    assert plain == transcribe_file(Transducer.load(resolve("assistant-en")), DEMO)
    assert isinstance(biasing, Biasing)
    biasing.replace("contact", [Phrase("Meg Bauer"), Phrase("Xylophone")])
    assert transcribe_file(loaded, DEMO, SearchOptions(bias=biasing, attention=True)).words


@pytest.fixture(scope="module")
def corpus(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Transducer, HeardCorpus]:
    from nearword.models.training.contextual_data import encode_recordings
    from nearword.models.training.prepare import read_manifest

    model = Transducer.load(resolve("assistant-en"))
    folder = tmp_path_factory.mktemp("heard")
    recordings = read_manifest(speech / "train" / "demo.tsv", speech, "demo")
    noise = np.zeros((3000, 80), np.float32)
    encode_recordings(recordings, noise, model, folder, distorted=0.0)
    return model, HeardCorpus([folder], model.info.joiner_dim, len(model.phones))


def lists(model: Transducer, corpus: HeardCorpus, options: ListOptions) -> PhraseLists:
    pieces = open_pieces(model.vocabulary.bpe_model)
    others = absent_phrases(pieces.encode, 200, 3)
    return PhraseLists(corpus, model.vocabulary.tokens, Pronouncer.load(model.pronunciation).by_letter, others, options)


def test_a_batch_says_where_its_phrases_are(corpus: tuple[Transducer, HeardCorpus]) -> None:
    model, heard_corpus = corpus
    drawn = lists(model, heard_corpus, ListOptions(longest=20, unlisted=0.0, silent=0.0))
    listed = 0
    for seed in range(12):
        rng = random.Random(seed)
        batch = drawn.batch(drawn.draw(2, {}, rng), rng)
        for row, u in (batch.target >= 0).nonzero().tolist():
            place = int(batch.target[row, u])
            assert batch.pieces[place, -1] == batch.tokens[row, u]
            begins = place in batch.begins.tolist()
            assert begins or int(batch.target[row, u - 1]) == place - 1
            assert begins or place in batch.going[row, u].tolist()
            listed += 1
        assert (batch.frames <= batch.encoded.shape[1]).all()
    assert listed > 20


def test_what_may_go_on_is_what_has_the_pieces_before() -> None:
    pieces = np.asarray([[0, 0, 5], [0, 5, 6], [5, 6, 7], [0, 0, 6], [0, 6, 7]])
    tokens, target = np.asarray([[5, 6, 7], [6, 9, 0]]), np.full((2, 3), -1)

    def kept(most: int) -> list[list[list[int]]]:
        found = going_places(pieces, tokens, [3, 2], target, most).tolist()
        return [[[place for place in row if place >= 0] for row in rows] for rows in found]

    assert kept(8) == [[[], [1], [2, 4], []], [[], [4], [], []]]
    assert kept(1)[0] == [[], [1], [2], []]
    target[0, 2] = 4
    assert kept(1)[0] == [[], [1], [4], []]


@torch.no_grad()
def test_without_anything_to_take_the_loss_is_the_models(corpus: tuple[Transducer, HeardCorpus]) -> None:
    """As wide a band as there are frames, and nothing added: the sum over all alignments."""
    from nearword.models.training import contextual
    from nearword.models.training.dataset import Batch
    from nearword.models.training.model import TransducerModel

    model, heard_corpus = corpus
    config = AttentionConfig(width=16)
    predictor, joiner, shape = frozen_parts(Path(str(model.info.folder)), config)
    adapter = Adapter(config)
    adapter.attention.out.weight.zero_()
    drawn = lists(model, heard_corpus, ListOptions(longest=5, tail=40))
    rng = random.Random(1)
    batch = drawn.batch(heard_corpus.items, rng)
    whole = TransducerModel(shape)
    whole.predictor, whole.joiner = predictor, joiner
    nothing = batch.tokens[:, :0]
    plain = Batch(batch.encoded, batch.frames, batch.tokens, batch.token_lengths, nothing, batch.frames, batch.frames)
    blank, token = arc_scores(whole, batch.encoded, plain)
    expected = transducer_loss(blank, token, batch.frames, batch.token_lengths).sum() / batch.token_lengths.sum()
    before, contextual.BAND = contextual.BAND, 1000
    try:
        found = losses(adapter, predictor, joiner, shape, batch, model.info.encoder_frames)
    finally:
        contextual.BAND = before
    torch.testing.assert_close(found.transducer, expected, rtol=1e-4, atol=1e-4)
    near = losses(adapter, predictor, joiner, shape, batch, model.info.encoder_frames)
    assert near.transducer >= found.transducer - 1e-4


def test_tokens_come_where_the_model_says_them(corpus: tuple[Transducer, HeardCorpus]) -> None:
    model, _ = corpus
    encoded, phones = heard(model, fbank(read_audio(DEMO)))
    assert phones.shape == (2 * len(encoded), len(model.phones))
    said = transcribe_file(model, DEMO, SearchOptions(language=None, phones=False))
    tokens = open_pieces(model.vocabulary.bpe_model).encode(said.text)
    frames = emission_frames(model, encoded, tokens)
    assert frames == sorted(set(frames))
    assert len(frames) == len(tokens)
    starts = [round(word.start / model.info.frame_seconds) for word in said.words]
    begun = [
        frame
        for frame, token in zip(frames, tokens, strict=True)
        if model.vocabulary.tokens[token].startswith("\u2581")
    ]
    assert len(begun) == len(starts)
    assert np.median(np.abs(np.subtract(begun, starts))) <= model.info.delay_frames / 8 + 3
    assert emission_frames(model, encoded[:2], tokens) == []


def test_requests_with_names_are_said_by_voices_that_tests_do_not_use() -> None:
    planned = plan_named(60, 1)
    assert planned == plan_named(60, 1)
    assert {one.engine for one in planned} == {"flite", "espeak"}
    for text, name in (next(named(seed)) for seed in range(20)):
        assert name in text
