"""The transformer for rescoring: what it is trained on, and that its graph says what the network says."""

from pathlib import Path

import httpx
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra nearword[train]")
pytest.importorskip("onnx")
pytest.importorskip("faker")

from nearword.lattice.language import load_ngram, save_ngram, train_words
from nearword.lattice.rescoring import Request
from nearword.lattice.rescoring.contract import read_answer
from nearword.lattice.rescoring.token_tree import TokenTree
from nearword.lattice.service.language_models import NgramLanguageModel, Weights
from nearword.lattice.service.transformer import load_transformer
from nearword.models.sentence_model import SentenceModel
from nearword.models.training.language_model import (
    BEGIN_ID,
    END_ID,
    CausalLanguageModel,
    LanguageModelConfig,
    LanguageModelTraining,
    batches,
    perplexity,
    sentence_log_probs,
    split,
    train_language_model,
    train_tokenizer,
)
from nearword.models.training.language_model_export import export_language_model, export_sentence_model
from rescoring_helpers import Process, heard

TEXTS = [
    f"{verb} the {thing} in the {room}"
    for verb in ("open", "close", "light", "dim", "find", "paint")
    for thing in ("door", "window", "lamp", "blind", "curtain", "box")
    for room in ("kitchen", "hall", "garage", "bedroom")
]
SMALL = LanguageModelConfig(vocab_size=34, dim=24, blocks=2, heads=2, max_positions=32, dropout=0.0)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    train_tokenizer(TEXTS, SMALL.vocab_size, path)
    return path


@pytest.fixture(scope="module")
def encode(tokenizer: Path):
    return train_tokenizer(TEXTS, SMALL.vocab_size, tokenizer)


def random_model(config: LanguageModelConfig = SMALL) -> CausalLanguageModel:
    torch.manual_seed(3)
    model = CausalLanguageModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def test_the_graph_gives_every_sentence_the_networks_log_probability(tokenizer: Path, encode, tmp_path: Path) -> None:
    model = random_model()
    export_language_model(model, tokenizer, tmp_path)
    texts = ["open the door in the hall", "open the door", "open the box", "close the door in the kitchen", ""]
    wanted = []
    for text in texts:
        with torch.no_grad():
            wanted.append(sentence_log_probs(model, torch.tensor([[BEGIN_ID, *encode(text), END_ID]])).item())
    # all beginnings go through the graph as one tree
    assert load_transformer(tmp_path).log_probs(texts) == pytest.approx(wanted, abs=1e-3)


def test_what_is_longer_than_the_positions_is_scored_as_far_as_they_go(tokenizer: Path, encode, tmp_path: Path) -> None:
    model = random_model()
    export_language_model(model, tokenizer, tmp_path)
    text = " ".join(["garage"] * 60)
    ids = torch.tensor([[BEGIN_ID, *encode(text)][: SMALL.max_positions + 1]])
    with torch.no_grad():
        wanted = sentence_log_probs(model, ids).item()
    assert load_transformer(tmp_path).log_probs([text]) == [pytest.approx(wanted, abs=1e-3)]


def test_a_lattice_is_rescored_with_it(tokenizer: Path, tmp_path: Path) -> None:
    export_language_model(random_model(), tokenizer, tmp_path)
    transformer = load_transformer(tmp_path, weights=Weights(0.5, word_bonus=0.0, token_bonus=0.0))
    found = transformer.best_paths(heard(), 8)
    assert len({path.words for path in found}) == 8
    texts = [" ".join(path.words) for path in found]
    assert [path.language for path in found] == pytest.approx(transformer.log_probs(texts), abs=1e-3)
    acoustic = [path.total - 0.5 * path.language for path in found]
    assert max(acoustic) == pytest.approx(np.log(0.55 * 0.5 * 0.6), abs=1e-4)


def test_the_server_takes_the_folder_beside_an_n_gram(tokenizer: Path, tmp_path: Path) -> None:
    export_language_model(random_model(), tokenizer, tmp_path / "small")
    save_ngram(train_words(["play some jazz", "pay some chess"] * 5, order=2), tmp_path / "tiny.arpa")
    body = Request(1, 1, heard()).to_json().encode()
    with Process("--onnx", tmp_path / "small", "--lm", tmp_path / "tiny.arpa", "--seconds", 30) as server:
        answered = httpx.post(f"http://127.0.0.1:{server.port}/v1/rescore", content=body, trust_env=False, timeout=30)
    found = read_answer(answered.content)
    assert (found.model, len(found.paths)) == ("small", 8)
    first = NgramLanguageModel(load_ngram(tmp_path / "tiny.arpa"), weights=Weights(0.25))
    both = load_transformer(tmp_path / "small", first=first, weights=Weights(0.25))
    assert [path.words for path in found.paths] == [path.words for path in both.best_paths(heard(), 8)]


def test_padding_does_not_count(encode) -> None:
    model = random_model()
    short, long = ([BEGIN_ID, *encode(text), END_ID] for text in ("open the box", "close the window in the bedroom"))
    padded = torch.tensor([short + [END_ID] * (len(long) - len(short)), long])
    with torch.no_grad():
        together = sentence_log_probs(model, padded)
        alone = [sentence_log_probs(model, torch.tensor([row])).item() for row in (short, long)]
    assert together.tolist() == pytest.approx(alone, abs=1e-4)


def test_training_fits_sentences_it_has_not_seen(encode) -> None:
    training = LanguageModelTraining(updates=60, batch_tokens=512, generated=0.0, held_out=10)
    told = []
    model = train_language_model(TEXTS, encode, SMALL, training, lambda *row: told.append(row))
    kept, held_out = split(TEXTS, 10, training.seed)
    assert (len(held_out), set(held_out) & set(kept)) == (10, set())
    before = perplexity(CausalLanguageModel(SMALL), held_out, encode)
    after = perplexity(model, held_out, encode)
    assert after < before / 10
    assert told[-1][0] == 60
    assert told[-1][2] == pytest.approx(after)


def test_batches_are_the_same_for_the_same_seed_and_within_their_size(encode) -> None:
    training = LanguageModelTraining(batch_tokens=300, generated=0.5)
    first, again = batches(TEXTS, encode, SMALL, training), batches(TEXTS, encode, SMALL, training)
    for _, one, other in zip(range(50), first, again, strict=False):
        assert torch.equal(one, other)
        assert one.numel() <= 300
        assert one.shape[1] <= SMALL.max_positions
        assert (one[:, 0] == BEGIN_ID).all()


def test_too_little_text_for_the_vocabulary_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="vocab_size is 5000; the text is too little"):
        train_tokenizer(TEXTS, 5000, tmp_path / "tokenizer.model")
    assert not list(tmp_path.iterdir())


OWN = LanguageModelConfig(vocab_size=35, dim=32, blocks=2, heads=2, max_positions=32, dropout=0.0, begin=0, end=34)
"""Over a speech model's pieces: the blank is the beginning, and the end comes after the last piece."""


def test_what_was_cut_off_goes_on_as_if_it_had_not_been(encode, tmp_path: Path) -> None:
    training = LanguageModelTraining(updates=12, batch_tokens=256, generated=0.0, held_out=10, save_every=5)
    whole = train_language_model(TEXTS, encode, OWN, training)
    checkpoint = tmp_path / "sentences.pt"

    class CutOffError(Exception):
        pass

    def stop(update: int) -> None:
        if update == 8:
            raise CutOffError

    with pytest.raises(CutOffError):
        train_language_model(TEXTS, encode, OWN, training, checkpoint=checkpoint, step=stop)
    done: list[int] = []
    again = train_language_model(TEXTS, encode, OWN, training, checkpoint=checkpoint, step=done.append)
    assert done == [6, 7, 8, 9, 10, 11, 12]
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    other_settings = LanguageModelTraining(updates=3, batch_tokens=256, generated=0.0, held_out=10)
    done.clear()
    train_language_model(TEXTS, encode, OWN, other_settings, checkpoint=checkpoint, step=done.append)
    assert done == [1, 2, 3]


def test_the_graph_of_a_speech_models_folder_scores_a_tree_in_int8(encode, tmp_path: Path) -> None:
    model = random_model(OWN)
    export_sentence_model(model, tmp_path / "lm.onnx")
    network = SentenceModel(tmp_path / "lm.onnx", OWN.vocab_size - 1)
    assert (network.begin, network.end, network.positions) == (OWN.begin, OWN.end, OWN.max_positions)
    rows = [[0, *encode(text), 34] for text in ("open the door in the hall", "open the door in the kitchen")]
    tree = TokenTree()
    for row in rows:
        for place in range(1, len(row)):
            tree.ask(tree.walk(row[:place]), row[place])
    answers = tree.answers(network.logits(*tree.feeds(network.positions)))
    with torch.no_grad():
        wanted = [sentence_log_probs(model, torch.tensor([row])).item() for row in rows]
    found = [answers[: len(rows[0]) - 1].sum(), answers[len(rows[0]) - 1 :].sum()]
    assert found == pytest.approx(wanted, rel=0.03)
    assert (tmp_path / "lm.onnx").stat().st_size < 2 * model.parameter_count()
