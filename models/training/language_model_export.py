"""A trained language model to the folder that a rescoring service loads: ``model.onnx``, tokenizer, ``config.json``.

The attention mask is an input with three axes [N, T, T], so that many word sequences can go through as one tree and
what they begin with in common is computed once.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from .graph_writing import QUANTISED_OPERATORS, Graph, info, without_advice
from .language_model import BEGIN_ID, END_ID, CausalLanguageModel, LanguageModelConfig

HIDDEN = np.float32(1e9)
"""Taken from the attention to what may not be seen."""


def language_model_graph(weights: dict[str, Any], config: LanguageModelConfig) -> onnx.ModelProto:
    """Write the network: input_ids, position_ids [N, T], attention_mask [N, T, T] -> logits [N, T, vocab_size]."""
    g = Graph(weights)
    dim, heads = config.dim, config.heads
    embedding = g.constant("embedding.weight", weights["embedding.weight"])
    position = g.constant("position.weight", weights["position.weight"])
    x = g.op("Add", g.op("Gather", embedding, "input_ids"), g.op("Gather", position, "position_ids"))
    seen = g.op("Cast", g.op("Unsqueeze", "attention_mask", g.ints(1)), to=TensorProto.FLOAT)
    one, hidden = g.constant("one", np.float32(1)), g.constant("hidden", HIDDEN)
    bias = g.op("Mul", g.op("Sub", seen, one), hidden)
    scale = g.constant("scale", np.float32((dim // heads) ** -0.5))
    for k in range(config.blocks):
        name = f"blocks.{k}"
        packed = g.linear(g.norm(x, f"{name}.norm"), f"{name}.query_key_value")
        parts = [f"{name}.{part}" for part in ("query", "key", "value")]
        g.nodes.append(helper.make_node("Split", [packed, g.ints(dim, dim, dim)], parts, axis=2))
        query, key, value = (
            g.op("Transpose", g.op("Reshape", part, g.ints(0, 0, heads, dim // heads)), perm=order)
            for part, order in zip(parts, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
        )
        scores = g.op("Add", g.op("Mul", g.op("MatMul", query, key), scale), bias)
        mixed = g.op("Transpose", g.op("MatMul", g.op("Softmax", scores, axis=-1), value), perm=[0, 2, 1, 3])
        x = g.op("Add", x, g.linear(g.op("Reshape", mixed, g.ints(0, 0, dim)), f"{name}.project"))
        inner = g.silu(g.linear(g.norm(x, f"{name}.feed_norm"), f"{name}.expand"))
        x = g.op("Add", x, g.linear(inner, f"{name}.contract"))
    g.op("MatMul", g.norm(x, "norm"), g.constant("unembedding", weights["embedding.weight"].T), output="logits")
    shape: list[int | str] = ["N", "T"]
    return g.model(
        [
            info("input_ids", shape, TensorProto.INT64),
            info("position_ids", shape, TensorProto.INT64),
            info("attention_mask", [*shape, "T"], TensorProto.INT64),
        ],
        [info("logits", [*shape, config.vocab_size])],
        {"model_type": "causal_lm", "vocab_size": config.vocab_size, "max_position_embeddings": config.max_positions},
    )


def export_sentence_model(model: CausalLanguageModel, path: Path) -> None:
    """Write ``lm.onnx`` of a model's folder: int8 matrices, a scale per column, activations at run time."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    weights = {name: value.detach().float().numpy() for name, value in model.state_dict().items()}
    with without_advice():
        quantize_dynamic(
            language_model_graph(weights, model.config),
            path,
            op_types_to_quantize=QUANTISED_OPERATORS,
            per_channel=True,
            weight_type=QuantType.QInt8,
        )


def export_language_model(model: CausalLanguageModel, tokenizer: Path, folder: Path) -> None:
    """Write ``model.onnx``, ``tokenizer.model`` and ``config.json`` into ``folder``.

    Args:
        model: trained.
        tokenizer: its SentencePiece model; may lie in the folder already.
        folder: is made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().float().numpy() for name, value in model.state_dict().items()}
    onnx.save(language_model_graph(weights, model.config), folder / "model.onnx")
    if tokenizer.resolve() != (folder / "tokenizer.model").resolve():
        shutil.copyfile(tokenizer, folder / "tokenizer.model")
    config = {
        "model_type": "causal_lm",
        "vocab_size": model.config.vocab_size,
        "max_position_embeddings": model.config.max_positions,
        "bos_token_id": BEGIN_ID,
        "eos_token_id": END_ID,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
