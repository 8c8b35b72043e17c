"""Causal transformers as others export them, and the folders they come in."""

import itertools
import json
from pathlib import Path

import httpx
import numpy as np
import onnx
import pytest
from nearword.lattice.language import LanguageModelError, train_words
from nearword.lattice.rescoring import Request
from nearword.lattice.rescoring.contract import read_answer
from nearword.lattice.service.language_models import NgramLanguageModel, Weights
from nearword.lattice.service.tokenizers import Tokenizer, load_tokenizer
from nearword.lattice.service.transformer import CausalTransformer, load_transformer
from onnx import TensorProto, helper, numpy_helper
from rescoring_helpers import heard, served

WORDS = ["<s>", "</s>", "play", "pay", "some", "sum", "jazz", "chess"]
LOGITS = np.random.default_rng(3).normal(0, 2, (8, 8)).astype(np.float32)
LOG_PROBS = LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))
TEXTS = ["play some jazz", "pay", "", "chess chess"]


def write_bigram(path: Path, *, past: bool = False, axes: int = 2) -> None:
    """A causal model that knows the last token only; with ``past`` it wants keys and values as well."""
    info = helper.make_tensor_value_info
    inputs = [
        info("input_ids", TensorProto.INT64, ["n", "t"]),
        info("attention_mask", TensorProto.INT64, ["n", "t", "t"][:axes]),
    ]
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["rows"])]
    tensors = [numpy_helper.from_array(LOGITS, "table"), numpy_helper.from_array(np.array([2]), "last")]
    if axes == 2:
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["real", "last"], ["wide"]),
            helper.make_node("Mul", ["rows", "wide"], ["logits"]),
        ]
    else:
        nodes.append(helper.make_node("Identity", ["rows"], ["logits"]))
    outputs = [info("logits", TensorProto.FLOAT, ["n", "t", 8])]
    if past:
        inputs.append(info("past_key_values.0.key", TensorProto.FLOAT, ["n", 2, "p", 4]))
        outputs.append(info("present.0.key", TensorProto.FLOAT, ["n", 2, "p", 4]))
        nodes.append(helper.make_node("Identity", ["past_key_values.0.key"], ["present.0.key"]))
    graph = helper.make_graph(nodes, "bigram", inputs, outputs, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def tokenizer(end: int | None = 1, longest: int = 512) -> Tokenizer:
    return Tokenizer(lambda text: [WORDS.index(word) for word in text.split()], 0, end, longest)


def bigram(text: str, end: int | None = 1) -> float:
    tokens = [0, *(WORDS.index(word) for word in text.split()), *([] if end is None else [end])]
    return sum(LOG_PROBS[a, b] for a, b in itertools.pairwise(tokens))


@pytest.mark.parametrize("past", [False, True])
@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("end", [1, None])
def test_paths_of_different_length_are_scored_together(past: bool, axes: int, end: int | None, tmp_path: Path) -> None:
    write_bigram(tmp_path / "bigram.onnx", past=past, axes=axes)
    transformer = CausalTransformer(tmp_path / "bigram.onnx", tokenizer(end))
    wanted = [bigram(text, end) for text in TEXTS]
    assert transformer.log_probs(TEXTS) == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("axes", [2, 3])
def test_what_does_not_fit_into_one_run_is_scored_in_several(
    axes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bigram(tmp_path / "bigram.onnx", axes=axes)
    monkeypatch.setattr("nearword.lattice.service.transformer.MAX_LOGITS", 8 * 9)
    texts = [" ".join(words) for words in itertools.product(WORDS[2:5], WORDS[4:6], WORDS[6:])]
    transformer = CausalTransformer(tmp_path / "bigram.onnx", tokenizer())
    assert transformer.log_probs(texts) == pytest.approx([bigram(text) for text in texts], abs=1e-3)


def test_it_serves(tmp_path: Path) -> None:
    write_bigram(tmp_path / "bigram.onnx")
    transformer = CausalTransformer(tmp_path / "bigram.onnx", tokenizer())
    best = transformer.best_paths(heard(), 3)
    assert (len(best), best[0].total >= best[1].total >= best[2].total) == (3, True)
    with served(transformer) as (port, _):
        body = Request(1, 2, heard()).to_json().encode()
        response = httpx.post(f"http://127.0.0.1:{port}/v1/rescore", content=body, trust_env=False, timeout=10)
    answer = read_answer(response.content)
    assert (answer.model, answer.paths[0].words) == ("bigram", best[0].words)


def test_after_an_n_gram_both_count(tmp_path: Path) -> None:
    write_bigram(tmp_path / "bigram.onnx")
    first = NgramLanguageModel(train_words(["play some jazz", "play some chess"] * 5, order=2), weights=Weights(0.5))
    weights = Weights(0.3, token_bonus=0.2)
    both = CausalTransformer(tmp_path / "bigram.onnx", tokenizer(), first=first, weights=weights)
    before = {path.words: path.total for path in first.best_paths(heard(), 8)}
    found = both.best_paths(heard(), 8)
    assert {path.words for path in found} == before.keys()
    for path in found:
        score = bigram(" ".join(path.words))
        assert path.language == pytest.approx(score, abs=1e-3)
        assert path.total == pytest.approx(before[path.words] + 0.3 * (score + 0.2 * 5), abs=1e-3)


def folder_with(folder: Path, config: object, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "config.json: is no JSON"),
        ([], "config.json: expected a JSON object"),
        ({}, "config.json: lacks bos_token_id"),
        ({"bos_token_id": "a"}, "config.json: bos_token_id is 'a'; expected the number of a token"),
        ({"bos_token_id": 1}, "has neither tokenizer.model"),
    ],
)
def test_a_folder_that_will_not_do_is_named(config: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(LanguageModelError, match=message):
        load_tokenizer(folder_with(tmp_path / "model", config))


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(LanguageModelError, match=r"model\.onnx: missing"):
        load_transformer(tmp_path)
    (tmp_path / "model.onnx").write_text("no graph")
    with pytest.raises(LanguageModelError, match=r"config\.json: cannot be read"):
        load_transformer(tmp_path)
    folder_with(tmp_path, {"bos_token_id": 1}, tokenizer_model="no model")
    with pytest.raises(LanguageModelError, match="is no SentencePiece model"):
        load_transformer(tmp_path)
    with pytest.raises(LanguageModelError, match="is no ONNX graph that runs here"):
        CausalTransformer(tmp_path / "model.onnx", tokenizer())


def test_a_graph_with_other_inputs_is_refused(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "other", [value], [out])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "x.onnx")
    with pytest.raises(LanguageModelError, match="has the inputs x; expected input_ids"):
        CausalTransformer(tmp_path / "x.onnx", tokenizer())


def test_the_tokenizer_json_of_public_models_is_read(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="needs the package tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: k for k, word in enumerate(WORDS)}, "<s>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    folder = folder_with(tmp_path / "model", {"eos_token_id": [1, 7], "n_positions": 5})
    made.save(str(folder / "tokenizer.json"))
    loaded = load_tokenizer(folder)
    assert loaded.row("play some jazz") == [1, 2, 4, 6, 1]
    assert loaded.row("play some jazz play some jazz") == [1, 2, 4, 6, 2, 4]
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(LanguageModelError, match="is no tokenizer"):
        load_tokenizer(folder)
