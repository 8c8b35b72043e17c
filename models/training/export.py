"""Weights to a model folder: ONNX graphs with cached states in the icefall / sherpa-onnx layout, float and int8.

The graphs are written node by node rather than traced, so that one step of the encoder is as few operators as it
can be: a small device pays for every one of them. The caches of the convolutions (14 frames per block)
travel as ``h0`` (the older half) and ``c0`` (the newer half), the two states sherpa-onnx's ``lstm`` type carries.
"""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from ..transducer import PHONES
from . import lexicon
from .model import NUM_BINS, ModelConfig, TransducerModel

Array = npt.NDArray[Any]
OPSET = 17
QUANTISED_OPERATORS = ["MatMul", "Gather"]


@dataclass
class Graph:
    """Nodes and weights under construction."""

    weights: dict[str, npt.NDArray[np.float32]]
    """The network's parameters by name."""
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def constant(self, name: str, value: Array) -> str:
        """Add a constant once and return its name."""
        self.initializers.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def ints(self, *values: int) -> str:
        """Add a vector of int64 and return its name."""
        return self.constant("ints_" + "_".join(map(str, values)).replace("-", "m"), np.asarray(values, np.int64))

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node and return its output's name."""
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def linear(self, x: str, name: str, output: str = "") -> str:
        """X @ weight + bias, of a ``torch.nn.Linear``."""
        product = self.op("MatMul", x, self.constant(f"{name}.weight", self.weights[f"{name}.weight"].T))
        return self.op("Add", product, self.constant(f"{name}.bias", self.weights[f"{name}.bias"]), output=output)

    def norm(self, x: str, name: str) -> str:
        """Layer normalisation over the last axis."""
        scale = self.constant(f"{name}.weight", self.weights[f"{name}.weight"])
        bias = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5)

    def silu(self, x: str) -> str:
        """X * sigmoid(x)."""
        return self.op("Mul", x, self.op("Sigmoid", x))

    def part(self, x: str, start: int, end: int, axis: int = 1) -> str:
        """x[start:end] along ``axis``."""
        return self.op("Slice", x, self.ints(start), self.ints(end), self.ints(axis))

    def model(
        self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto], metadata: dict[str, object]
    ) -> onnx.ModelProto:
        """Close the graph and check it."""
        graph = helper.make_graph(self.nodes, "nearword", inputs, outputs, list(self.initializers.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="nearword")
        model.ir_version = 8
        for key, value in metadata.items():
            entry = model.metadata_props.add()
            entry.key, entry.value = key, str(value)
        onnx.checker.check_model(model, full_check=True)
        return model


def info(name: str, shape: list[int | str], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    """Describe an input or output."""
    return helper.make_tensor_value_info(name, kind, shape)


def depthwise(graph: Graph, window: str, name: str, frames: int, kernel: int) -> str:
    """Depthwise convolution within a chunk of a window [N, kernel - 1 + frames, dim] to [N, frames, dim].

    Multiplied out and summed: a grouped Conv of this shape runs channel by channel in onnxruntime. The weights of
    every frame, [frames, kernel - 1 + frames, dim], are laid out from the kernel's when the graph is loaded.
    """
    source, later = np.triu_indices(frames, 1)
    layout = np.full((frames, kernel - 1 + frames), kernel + len(later), np.int64)
    layout[np.arange(frames)[:, None], np.arange(frames)[:, None] + np.arange(kernel)] = np.arange(kernel)
    layout[source, later + kernel - 1] = kernel + np.arange(len(later))
    dim = graph.weights[f"{name}.ahead"].shape[1]
    weights = graph.op(
        "Concat",
        graph.constant(f"{name}.conv.weight", graph.weights[f"{name}.conv.weight"][:, 0].T),
        graph.constant(f"{name}.ahead", graph.weights[f"{name}.ahead"]),
        graph.constant("no_weight", np.zeros((1, dim), np.float32)),
        axis=0,
    )
    weights = graph.op("GatherND", weights, graph.constant(f"layout_{frames}", layout[..., None]))
    weighted = graph.op("Mul", graph.op("Unsqueeze", window, graph.ints(1)), weights)
    summed = graph.op("ReduceSum", weighted, graph.ints(2), keepdims=0)
    return graph.op("Add", summed, graph.constant(f"{name}.conv.bias", graph.weights[f"{name}.conv.bias"]))


def encoder_graph(weights: dict[str, npt.NDArray[np.float32]], config: ModelConfig) -> onnx.ModelProto:
    """Write one step of the encoder: x [N, T, 80], h0, c0 -> encoder_out [N, T', dim], next_h0, next_c0, phones.

    ``phones`` [N, 2 T', classes] are log-probabilities; readers that know the layout only leave them out.
    """
    g = Graph(weights)
    dim, cached = config.dim, config.kernel - 1
    half = cached // 2 * dim
    frames = config.chunk_frames // 4
    x = g.op("Mul", g.op("Add", "x", g.constant("shift", np.float32(6.0))), g.constant("scale", np.float32(0.25)))
    x = g.op("Unsqueeze", x, g.ints(1))
    for layer in ("first", "second"):
        name = f"encoder.subsampling.{layer}"
        parts = [g.constant(f"{name}.{p}", weights[f"{name}.{p}"]) for p in ("weight", "bias")]
        x = g.op("Relu", g.op("Conv", x, *parts, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 0, 1]))
    x = g.op(
        "Reshape", g.op("Transpose", x, perm=[0, 2, 1, 3]), g.ints(0, frames + config.look_ahead, 32 * NUM_BINS // 4)
    )
    x = g.norm(g.linear(x, "encoder.subsampling.project"), "encoder.subsampling.norm")
    taps = config.look_ahead + 1
    ahead = g.op("Concat", *(g.part(x, k, k + frames) for k in range(taps)), axis=2)
    kernel = weights["encoder.look_ahead.weight"].transpose(2, 1, 0).reshape(taps * dim, dim)
    ahead = g.op("MatMul", ahead, g.constant("encoder.look_ahead.weight", kernel))
    ahead = g.op("Add", ahead, g.constant("encoder.look_ahead.bias", weights["encoder.look_ahead.bias"]))
    x = g.op("Add", g.part(x, 0, frames), g.silu(ahead))

    halves: dict[str, list[str]] = {}
    for state in ("h0", "c0"):
        halves[state] = [f"{state}_{k}" for k in range(config.blocks)]
        g.nodes.append(helper.make_node("Split", [state, g.ints(*[1] * config.blocks)], halves[state], axis=0))
    tails = []
    for k in range(config.blocks):
        if k == config.fast_blocks:
            heard = g.linear(g.norm(x, "encoder.phone_norm"), "encoder.phone_head")
            frames //= 2
            x = g.linear(g.op("Reshape", x, g.ints(0, frames, 2 * dim)), "encoder.merge")
        name = f"encoder.blocks.{k}"
        older, newer = (g.op("Reshape", halves[state][k], g.ints(-1, cached // 2, dim)) for state in ("h0", "c0"))
        window = g.op("Concat", older, newer, g.norm(x, f"{name}.conv_norm"), axis=1)
        tails.append(g.part(window, frames, frames + cached))
        mixed = depthwise(g, window, name, frames, config.kernel)
        x = g.op("Add", x, g.linear(g.silu(mixed), f"{name}.gate"))
        hidden = g.silu(g.linear(g.norm(x, f"{name}.norm"), f"{name}.expand"))
        x = g.op("Add", x, g.linear(hidden, f"{name}.contract"))
    x = g.norm(x, "encoder.final_norm")
    g.linear(x, "encoder.project", output="encoder_out")
    refined = g.linear(g.silu(g.linear(x, "encoder.phone_hidden")), "encoder.phone_refine")
    heard = g.op("Add", heard, g.op("Reshape", refined, g.ints(0, 2 * frames, config.phones)))
    g.op("LogSoftmax", heard, axis=-1, output=PHONES)
    packed = g.op("Reshape", g.op("Concat", *tails, axis=0), g.ints(config.blocks, -1, 2 * half))
    g.nodes.append(helper.make_node("Split", [packed, g.ints(half, half)], ["next_h0", "next_c0"], axis=2))

    state_shape: list[int | str] = [config.blocks, "N", half]
    return g.model(
        [info("x", ["N", config.input_frames, NUM_BINS]), info("h0", state_shape), info("c0", state_shape)],
        [
            info("encoder_out", ["N", frames, dim]),
            info("next_h0", state_shape),
            info("next_c0", state_shape),
            info(PHONES, ["N", 2 * frames, config.phones]),
        ],
        {
            "model_type": "lstm",
            "version": "1",
            "model_author": "nearword",
            "comment": "chunked convolutions, caches as h0 and c0",
            "num_encoder_layers": config.blocks,
            "d_model": half,
            "rnn_hidden_size": half,
            "T": config.input_frames,
            "decode_chunk_len": config.chunk_frames,
            PHONES: " ".join(("blank", *lexicon.PHONES)),
        },
    )


def decoder_graph(weights: dict[str, npt.NDArray[np.float32]], config: ModelConfig) -> onnx.ModelProto:
    """Write the predictor: y [N, context_size] int64 -> decoder_out [N, dim]."""
    g = Graph(weights)
    zero = g.constant("zero", np.int64(0))
    embedding = g.constant("predictor.embedding.weight", weights["predictor.embedding.weight"])
    embedded = g.op("Gather", embedding, g.op("Max", "y", zero), axis=0)
    known = g.op("Cast", g.op("GreaterOrEqual", "y", zero), to=TensorProto.FLOAT)
    embedded = g.op("Mul", embedded, g.op("Unsqueeze", known, g.ints(2)))
    weighted = g.op("Mul", embedded, g.constant("predictor.weights", weights["predictor.weights"]))
    hidden = g.op("Relu", g.op("ReduceSum", weighted, g.ints(1), keepdims=0))
    g.linear(hidden, "predictor.project", output="decoder_out")
    return g.model(
        [info("y", ["N", config.context_size], TensorProto.INT64)],
        [info("decoder_out", ["N", config.dim])],
        {"vocab_size": config.vocab_size, "context_size": config.context_size},
    )


def joiner_graph(weights: dict[str, npt.NDArray[np.float32]], config: ModelConfig) -> onnx.ModelProto:
    """Write the joiner: encoder_out [N, dim], decoder_out [N, dim] -> logit [N, vocab_size]."""
    g = Graph(weights)
    g.linear(g.op("Tanh", g.op("Add", "encoder_out", "decoder_out")), "joiner.output", output="logit")
    return g.model(
        [info("encoder_out", ["N", config.dim]), info("decoder_out", ["N", config.dim])],
        [info("logit", ["N", config.vocab_size])],
        {"joiner_dim": config.dim, "vocab_size": config.vocab_size},
    )


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph whose matrices take half the room: float16 in the file, made float when it is loaded."""
    out = onnx.ModelProto()
    out.CopyFrom(model)
    casts = []
    for weight in out.graph.initializer:
        if weight.data_type == TensorProto.FLOAT and len(weight.dims) > 1:
            name, value = weight.name, numpy_helper.to_array(weight)
            weight.CopyFrom(numpy_helper.from_array(value.astype(np.float16), name))
            casts.append(helper.make_node("Cast", [name], [f"{name}_float"], to=TensorProto.FLOAT))
    renamed = {cast.input[0]: cast.output[0] for cast in casts}
    for node in out.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    nodes = [*casts, *out.graph.node]
    del out.graph.node[:]
    out.graph.node.extend(nodes)
    onnx.checker.check_model(out, full_check=True)
    return out


def export(
    model: TransducerModel, vocabulary: Path, folder: Path, *, per_channel: bool = True, temperature: float = 1.0
) -> None:
    """Write a model folder: ``encoder|decoder|joiner.onnx`` and ``.int8.onnx``, ``tokens.txt``, ``bpe.model``.

    ``vocabulary`` is a folder that holds ``tokens.txt`` and ``bpe.model``. The joiner's logits are divided by
    ``temperature`` (Guo et al. 2017, "On calibration of modern neural networks"): greedy search gives the same tokens.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.detach().float().numpy() for k, v in model.state_dict().items()}
    for part in ("weight", "bias"):
        weights[f"joiner.output.{part}"] = weights[f"joiner.output.{part}"] / np.float32(temperature)
    for name, build in (("encoder", encoder_graph), ("decoder", decoder_graph), ("joiner", joiner_graph)):
        path, graph = folder / f"{name}.onnx", build(weights, model.config)
        onnx.save(graph, path)
        with _without_advice():
            quantize_dynamic(
                path,
                folder / f"{name}.int8.onnx",
                op_types_to_quantize=QUANTISED_OPERATORS,
                per_channel=per_channel,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=[],
            )
        if name != "encoder":  # these run in float
            onnx.save(halved(graph), path)
    for name in ("tokens.txt", "bpe.model"):
        shutil.copyfile(vocabulary / name, folder / name)


@contextmanager
def _without_advice() -> Iterator[None]:
    """Keep onnxruntime from logging that a graph should be simplified first: these are written as they should be."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def read_weights(source: Path) -> dict[str, torch.Tensor]:
    """Read weights back by parameter name, from a run's ``checkpoint.pt`` or from an exported folder (int8 or float).

    Every graph names its constants after the parameters; int8 ones are scaled back. What is not exported
    (the CTC helpers) is absent.
    """
    if source.is_file():
        saved: dict[str, torch.Tensor] = torch.load(source, weights_only=True)["average"]
        return saved
    weights: dict[str, torch.Tensor] = {}
    for name in ("encoder", "decoder", "joiner"):
        path = source / f"{name}.onnx"
        graph = onnx.load(path if path.exists() else source / f"{name}.int8.onnx").graph
        values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        for key in list(values):
            if key.endswith("_quantized"):
                base = key.removesuffix("_quantized")
                zero = values[f"{base}_zero_point"].astype(np.float32)
                values[base] = (values[key].astype(np.float32) - zero) * values[f"{base}_scale"]
        for key, value in values.items():
            if "." not in key or key.rsplit(".", 1)[1] not in ("weight", "bias", "weights", "ahead"):
                continue
            weights[key] = torch.from_numpy(np.array(_as_parameter(key, value), np.float32))
    return weights


def _as_parameter(name: str, value: Array) -> Array:
    """Undo the layout changes that the graphs make."""
    if not name.endswith(".weight") or value.ndim != 2 or name == "predictor.embedding.weight":
        return value
    if name == "encoder.look_ahead.weight":
        dim = value.shape[1]
        return np.asarray(value.reshape(-1, dim, dim).transpose(2, 1, 0))
    return np.asarray(value.T[:, None] if name.endswith(".conv.weight") else value.T)
