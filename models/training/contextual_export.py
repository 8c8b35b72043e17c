"""Attention biasing to two graphs of a model folder: what phrases become, and what attends over them.

The first, which sees each piece of a list once, is in int8; the second runs several times a step on few rows, where
int8 takes longer than float: as predictor and joiner it lies in float16 and runs in float.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper

from ..contextual import ATTENTION, ENCODER
from ..errors import ModelFileError
from ..phrase_sounds import PIECES, SOUNDS
from .contextual import AHEAD, LEAST_LOG_PROB, PAST, Adapter, AttentionConfig
from .graph_writing import QUANTISED_OPERATORS, Graph, halved, info, without_advice

_GATE, _REST = "gate", "rest"


def encoder_graph(adapter: Adapter) -> onnx.ModelProto:
    """Write ``pieces`` [M, PIECES], ``sounds`` [M, SOUNDS] -> ``keys`` and ``values`` [M, heads, ...]."""
    config = adapter.config
    g = Graph({k: v.float().numpy() for k, v in adapter.encoder.state_dict().items()})
    first = g.constant("first", adapter.encoder.first.numpy().astype(np.int64))
    ids = g.op("Add", g.op("Concat", "pieces", "sounds", axis=1), first)
    rows = g.op("Gather", g.constant("table.weight", g.weights["table.weight"]), ids, axis=0, name="table")
    x = g.op("Relu", g.norm(g.op("ReduceSum", rows, g.ints(1), keepdims=0), "norm"))
    x = g.op("Relu", g.linear(x, "hidden"))
    keys = g.linear(x, "keys")
    g.op("Reshape", keys, g.ints(-1, config.heads, config.key), output="keys")
    last = g.op("Reshape", g.part("pieces", PIECES - 1, PIECES), g.ints(-1))
    piece = g.op("Gather", g.constant("piece.weight", g.weights["piece.weight"]), last, axis=0, name="piece")
    values = g.op("Add", g.linear(x, "values"), piece)
    g.op("Reshape", values, g.ints(-1, config.heads, config.value), output="values")
    return g.model(
        [info("pieces", ["M", PIECES], TensorProto.INT64), info("sounds", ["M", SOUNDS], TensorProto.INT64)],
        [info("keys", ["M", config.heads, config.key]), info("values", ["M", config.heads, config.value])],
        {"vocab_size": config.vocab_size, "phones": config.phones},
    )


def attention_graph(adapter: Adapter, gate: float) -> onnx.ModelProto:
    """Write the attention of T frames after K predictor outputs, each frame after each of them.

    ``encoder_out`` [T, joiner_dim], ``phones`` [T, heard] (scaled, as ``heard_frames`` has them), ``decoder_out``
    [K, joiner_dim], ``start_keys`` [heads, key, S], ``start_values`` [heads, S, value], ``keys`` [K, heads, key, C],
    ``values`` [K, heads, C, value], ``open`` [K, 1, 1, C], which is 0 or much less -> ``added`` [K, T, joiner_dim] and
    ``weights`` [K, T, S + C + 1], the mean of the heads. Where "none" leaves less than ``gate``, nothing is added:
    a list that does not fit takes a little of the attention everywhere, and that costs words.
    """
    config: AttentionConfig = adapter.config
    weights = {k: v.float().numpy() for k, v in adapter.attention.state_dict().items()}
    hear = weights["hear.weight"]
    weights["hear_encoder.weight"], weights["hear_phones.weight"] = np.split(hear, [config.joiner_dim], axis=1)
    weights["query.weight"] = weights["query.weight"] * np.float32(config.key**-0.5)
    weights["query.bias"] = weights["query.bias"] * np.float32(config.key**-0.5)
    g = Graph(weights)

    def product(x: str, name: str, output: str = "") -> str:
        weight = g.constant(f"{name}.weight", weights[f"{name}.weight"].T)
        return g.op("MatMul", x, weight, output=output, name=name)

    heard = g.op("Add", product("encoder_out", "hear_encoder"), product("phones", "hear_phones"))
    heard = g.op("Add", heard, g.constant("hear.bias", weights["hear.bias"]))
    said = g.op("Unsqueeze", product("decoder_out", "said"), g.ints(1))
    x = g.op("Relu", g.op("Add", said, g.op("Unsqueeze", heard, g.ints(0))))
    split = g.op("Reshape", g.linear(x, "query"), g.ints(0, 0, config.heads, config.key))
    query = g.op("Transpose", split, perm=[0, 2, 1, 3])
    none = g.op("Transpose", g.linear(x, "none"), perm=[0, 2, 1])
    begin = g.op("MatMul", query, "start_keys")
    going = g.op("Add", g.op("MatMul", query, "keys"), "open")
    scores = g.op("Concat", begin, going, g.op("Unsqueeze", none, g.ints(3)), axis=3)
    shares = g.op("Softmax", scores, axis=3)
    size = g.op("Shape", "start_keys", start=2, end=3)
    end = g.op("Add", size, g.op("Shape", "keys", start=3, end=4))
    first = g.op("Slice", shares, g.ints(0), size, g.ints(3))
    rest = g.op("Slice", shares, size, end, g.ints(3))
    taken = g.op("Add", g.op("MatMul", first, "start_values"), g.op("MatMul", rest, "values"))
    flat = g.op("Reshape", g.op("Transpose", taken, perm=[0, 2, 1, 3]), g.ints(0, 0, config.heads * config.value))
    mean = g.op("ReduceMean", shares, output="weights", axes=[1], keepdims=0)
    # 1 - weight of none, from the gate on
    nothing = g.op("Slice", mean, end, g.op("Add", end, g.ints(1)), g.ints(2))
    beyond = g.op("Sub", g.constant("one", np.float32(1)), nothing)
    over = g.op("Sub", beyond, g.constant(_GATE, np.float32(gate)))
    beyond = g.op("Div", over, g.constant(_REST, np.float32(1 - gate)))
    g.op("Mul", product(flat, "out"), g.op("Relu", beyond), output="added")
    return g.model(
        [
            info("encoder_out", ["T", config.joiner_dim]),
            info("phones", ["T", config.heard]),
            info("decoder_out", ["K", config.joiner_dim]),
            info("start_keys", [config.heads, config.key, "S"]),
            info("start_values", [config.heads, "S", config.value]),
            info("keys", ["K", config.heads, config.key, "C"]),
            info("values", ["K", config.heads, "C", config.value]),
            info("open", ["K", 1, 1, "C"]),
        ],
        [info("added", ["K", "T", config.joiner_dim]), info("weights", ["K", "T", "P"])],
        {
            "vocab_size": config.vocab_size, "phones": config.phones, "past": PAST, "ahead": AHEAD,
            "least_log_prob": round(-LEAST_LOG_PROB),
        },
    )  # fmt: skip


def set_gate(folder: Path, gate: float) -> float:
    """Change the gate of a folder's ``bias_attention.onnx``, 0 to below 1; returns what it was.

    Raises:
        ModelFileError: the graph has none; names it.
    """
    path = folder / ATTENTION
    graph = onnx.load(path)
    constants = {constant.name: constant for constant in graph.graph.initializer}
    if not {_GATE, _REST} <= constants.keys():
        raise ModelFileError(path, "has no gate; expected a graph that bias-export wrote")
    before = float(numpy_helper.to_array(constants[_GATE]).item())
    for name, value in ((_GATE, gate), (_REST, 1 - gate)):
        constants[name].CopyFrom(numpy_helper.from_array(np.asarray([value], np.float32), name))
    onnx.save(graph, path)
    return before


@torch.inference_mode()
def export_adapter(adapter: Adapter, folder: Path, *, gate: float, quantised: bool = True) -> None:
    """Write ``bias_encoder.onnx`` and ``bias_attention.onnx`` into a model folder; ``gate`` as in ``set_gate``."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    encoder, attention = encoder_graph(adapter), attention_graph(adapter, gate)
    onnx.save(halved(attention) if quantised else attention, folder / ATTENTION)
    if not quantised:
        onnx.save(encoder, folder / ENCODER)
        return
    with tempfile.TemporaryDirectory() as scratch, without_advice():
        plain = Path(scratch, ENCODER)
        onnx.save(encoder, plain)
        quantize_dynamic(
            plain, folder / ENCODER, op_types_to_quantize=QUANTISED_OPERATORS, per_channel=True,
            weight_type=QuantType.QInt8,
        )  # fmt: skip
