"""Weights to a model folder: ONNX graphs with cached states in the icefall / sherpa-onnx layout, float and int8.

The graphs are written node by node rather than traced, so that one step of the encoder is as few operators as it
can be: a small device pays for every one of them. What the layers keep of the past travels as ``h0`` and ``c0``, the
two states that sherpa-onnx's ``lstm`` type carries.
"""

import logging
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from ..encoder import AHEAD, AHEAD_SIZE, DELAY, PHONES
from . import lexicon
from .augment import FLOOR
from .model import NUM_BINS, ModelConfig, TransducerModel, frequencies

Array = npt.NDArray[Any]
OPSET = 17
QUANTISED_OPERATORS = ["MatMul", "Gather"]
KEPT_FLOAT = ["encoder.adapt", "encoder.conv1"]
"""Products of features, in which small differences between large numbers count: int8 there costs four errors in ten."""


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
        product = self.op("MatMul", x, self.constant(f"{name}.weight", self.weights[f"{name}.weight"].T), name=name)
        return self.op("Add", product, self.constant(f"{name}.bias", self.weights[f"{name}.bias"]), output=output)

    def norm(self, x: str, name: str) -> str:
        """Layer normalisation over the last axis."""
        scale = self.constant(f"{name}.weight", self.weights[f"{name}.weight"])
        bias = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5)

    def silu(self, x: str) -> str:
        """X * sigmoid(x)."""
        return self.op("Mul", x, self.op("Sigmoid", x))

    def part(self, x: str, start: int | str, end: int | str, axis: int = 1) -> str:
        """x[start:end] along ``axis``; places are numbers, or names of vectors of one number."""
        places = (place if isinstance(place, str) else self.ints(place) for place in (start, end, axis))
        return self.op("Slice", x, *places)

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


def gelu(graph: Graph, x: str) -> str:
    """X times the normal distribution function of x, in operators that onnxruntime joins to one."""
    half, one = (graph.constant(name, np.float32(value)) for name, value in (("half", 0.5), ("one", 1.0)))
    scaled = graph.op("Div", x, graph.constant("sqrt2", np.float32(math.sqrt(2))))
    share = graph.op("Add", graph.op("Erf", scaled), one)
    return graph.op("Mul", graph.op("Mul", x, share), half)


def convolution(graph: Graph, x: str, name: str, frames: int, stride: int) -> str:
    """Convolution of three frames [N, stride * frames + 3 - stride, in] to [N, frames, out], as a matrix product.

    So it is quantised like all others.
    """
    ends = [k + stride * (frames - 1) + 1 for k in range(3)]
    parts = [
        graph.op("Slice", x, graph.ints(k), graph.ints(end), graph.ints(1), graph.ints(stride))
        for k, end in enumerate(ends)
    ]
    kernel = graph.weights[f"{name}.weight"].transpose(2, 1, 0)
    product = graph.op(
        "MatMul",
        graph.op("Concat", *parts, axis=2),
        graph.constant(f"{name}.weight", kernel.reshape(-1, kernel.shape[2])),
        name=name,
    )
    return graph.op("Add", product, graph.constant(f"{name}.bias", graph.weights[f"{name}.bias"]))


def attention(graph: Graph, name: str, keys: str, values: str, normed: str, mask: str, config: ModelConfig) -> str:
    """Attention of the first ``step`` frames of ``normed`` over keys and values [N, left + step, width]."""
    head = config.width // config.heads

    def by_head(x: str, perm: list[int]) -> str:
        return graph.op("Transpose", graph.op("Reshape", x, graph.ints(0, -1, config.heads, head)), perm=perm)

    query = graph.linear(graph.part(normed, 0, config.step), f"{name}.query")
    query = graph.op("Mul", query, graph.constant("scale", np.float32(head**-0.5)))
    scores = graph.op("MatMul", by_head(query, [0, 2, 1, 3]), by_head(keys, [0, 2, 3, 1]))
    weights = graph.op("Softmax", graph.op("Add", scores, mask), axis=-1)
    heard = graph.op("Transpose", graph.op("MatMul", weights, by_head(values, [0, 2, 1, 3])), perm=[0, 2, 1, 3])
    return graph.linear(graph.op("Reshape", heard, graph.ints(0, 0, config.width)), f"{name}.out")


class Past(NamedTuple):
    """Names of what a layer keeps, as vectors of all its frames."""

    keys: str
    values: str
    waiting: str
    """Frames that it has got and not given out."""
    seen: str
    """Encoder frames before the step, [N, 1]."""


class Ahead(NamedTuple):
    """Names of how many frames each layer's output lies behind its newest input: as many as ``c0`` has room for."""

    frames: str
    """[1] int64"""
    end: str
    """The same and the frames of a step, [1] int64."""
    number: str
    """[1] float32"""
    size: str
    """[1] int64 Numbers that a row of ``c0`` has for them."""
    shape: str
    """[3] int64 Shape of the frames that wait: any number of rows, ``frames``, width."""

    @classmethod
    def of(cls, g: Graph, state: str, config: ModelConfig) -> "Ahead":
        """Read it off the size of ``c0``, [layers, N, size]."""
        size = g.op("Gather", g.op("Shape", state), g.ints(2), axis=0)
        own = g.op("Sub", size, g.ints(config.left * config.width + 1))
        frames = g.op("Div", own, g.ints(config.width))
        end = g.op("Add", frames, g.ints(config.step))
        number = g.op("Cast", frames, to=TensorProto.FLOAT)
        shape = g.op("Concat", g.ints(-1), frames, g.ints(config.width), axis=0)
        return cls(frames, end, number, own, shape)


def layer_step(g: Graph, k: int, x: str, past: Past, ahead: Ahead, config: ModelConfig) -> tuple[str, str, list[str]]:
    """Run layer ``k`` on a step x [N, step, width]; returns its output, and its keys and other things to keep."""
    width, left, step = config.width, config.left, config.step
    name = f"encoder.layers.{k}"
    window = g.op("Concat", g.op("Reshape", past.waiting, ahead.shape), x, axis=1)
    normed = g.norm(window, f"{name}.attention_norm")
    both = g.linear(g.part(normed, ahead.frames, ahead.end), f"{name}.key_value")
    key, value = (
        g.op(
            "Concat", g.op("Reshape", old, g.ints(-1, left, width)), g.part(both, begin, begin + width, axis=2), axis=1
        )
        for old, begin in ((past.keys, 0), (past.values, width))
    )
    # frames before the first of the stream are nobody's; the newest one always counts, that there be one
    place = np.arange(left + step, dtype=np.float32)[None] - left
    place[0, -1] = np.inf
    zero = g.constant("zero", np.zeros(1, np.float32))
    before = g.op("Sub", past.seen, g.op("Mul", ahead.number, g.constant(f"layers_{k}", np.float32(k))))
    known = g.op("GreaterOrEqual", g.op("Add", before, g.constant("place", place)), zero)
    mask = g.op("Where", known, zero, g.constant("never", np.float32(-1e9)))
    heard = attention(g, name, key, value, normed, g.op("Unsqueeze", mask, g.ints(1, 2)), config)
    x = g.op("Add", g.part(window, 0, step), heard)
    hidden = gelu(g, g.linear(g.norm(x, f"{name}.feed_norm"), f"{name}.expand"))
    x = g.op("Add", x, g.linear(hidden, f"{name}.contract"))
    keys, values = (
        g.op("Reshape", g.part(cache, step, left + step), g.ints(1, -1, left * width)) for cache in (key, value)
    )
    late = g.op("Reshape", g.part(window, step, ahead.end), g.op("Concat", g.ints(1, -1), ahead.size, axis=0))
    return x, keys, [values, late]


def encoder_graph(weights: dict[str, npt.NDArray[np.float32]], config: ModelConfig) -> onnx.ModelProto:
    """Write one step of the encoder: x [N, T, 80], h0, c0 -> encoder_out [N, T', joiner_dim], next_h0, next_c0, phones.

    ``h0`` holds each layer's past keys; ``c0`` its past values, the frames it has not given out yet, and how many
    encoder frames there were before. How far a layer looks ahead follows from the size of ``c0``: by default as
    ``config`` has it, and with room for more frames farther (see ``Encoder.looking``). ``phones`` [N, 2 T', classes]
    are log-probabilities; readers that know the layout only leave them out. Frames that lie before the first of the
    stream come out as silence does.
    """
    g = Graph(weights)
    width, left, step = config.width, config.left, config.step
    x = g.linear("x", "encoder.adapt")
    x = gelu(g, convolution(g, x, "encoder.conv1", 2 * step + 1, 1))
    x = gelu(g, convolution(g, x, "encoder.conv2", step, 2))

    ahead = Ahead.of(g, "c0", config)
    pending = g.op("Concat", g.ints(left * width), ahead.size, g.ints(1), axis=0)
    keys, rows, values, waiting, counts = ([f"{name}_{k}" for k in range(config.layers)] for name in "krvwn")
    for state, names in (("h0", keys), ("c0", rows)):
        g.nodes.append(helper.make_node("Split", [state, g.ints(*[1] * config.layers)], names, axis=0))
    for row, *parts in zip(rows, values, waiting, counts, strict=True):
        g.nodes.append(helper.make_node("Split", [row, pending], parts, axis=2))
    count = g.op("Reshape", counts[0], g.ints(-1, 1))
    frame = g.op("Add", count, g.constant("frame", np.arange(step, dtype=np.float32)[None]))
    turns = g.constant("frequencies", frequencies(config).numpy())
    angles = g.op("Mul", g.op("Unsqueeze", frame, g.ints(2)), turns)
    x = g.op("Add", x, g.op("Concat", g.op("Sin", angles), g.op("Cos", angles), axis=2))

    next_keys, next_rest = [], []
    for k in range(config.layers):
        past = Past(keys[k], values[k], waiting[k], count)
        x, key, rest = layer_step(g, k, x, past, ahead, config)
        next_keys.append(key)
        next_rest.append(rest)
    x = g.norm(x, "encoder.norm")
    delay = g.op("Mul", ahead.number, g.constant("layers", np.float32(config.layers)))
    place = g.op("Sub", frame, delay)
    heard = g.op("Unsqueeze", g.op("GreaterOrEqual", place, g.constant("zero", np.zeros(1, np.float32))), g.ints(2))
    x = g.op("Where", heard, x, g.constant("silence", weights["silence"]))
    g.linear(g.op("Reshape", x, g.ints(0, step // 4, 4 * width)), "encoder.project", output="encoder_out")
    hidden = g.silu(g.linear(g.op("Reshape", x, g.ints(0, step // 2, 2 * width)), "encoder.phone_hidden"))
    g.op("LogSoftmax", g.linear(hidden, "encoder.phone_head"), axis=-1, output=PHONES)

    # positions go round, and all that was cached stays known
    grown = g.op("Add", count, g.constant("step", np.float32(step)))
    most = g.op("Add", delay, g.constant("most", np.float32(config.positions + left)))
    round_ = g.op("Sub", grown, g.constant("positions", np.float32(config.positions)))
    grown = g.op("Where", g.op("GreaterOrEqual", grown, most), round_, grown)
    grown = g.op("Reshape", grown, g.ints(1, -1, 1))
    g.op("Concat", *next_keys, axis=0, output="next_h0")
    rest = [g.op("Concat", *parts, grown, axis=2) for parts in next_rest]
    g.op("Concat", *rest, axis=0, output="next_c0")

    state_sizes = {"h0": left * width, "c0": (left + config.look_ahead) * width + 1}
    shapes: dict[str, list[int | str]] = {"h0": [config.layers, "N", left * width], "c0": [config.layers, "N", "C"]}
    return g.model(
        [info("x", ["N", config.input_frames, NUM_BINS]), info("h0", shapes["h0"]), info("c0", shapes["c0"])],
        [
            info("encoder_out", ["N", step // 4, config.joiner_dim]),
            info("next_h0", shapes["h0"]),
            info("next_c0", shapes["c0"]),
            info(PHONES, ["N", step // 2, config.phones]),
        ],
        {
            "model_type": "lstm",
            "version": "1",
            "model_author": "nearword",
            "comment": "chunked self-attention, caches as h0 and c0",
            "num_encoder_layers": config.layers,
            "d_model": state_sizes["h0"],
            "rnn_hidden_size": state_sizes["c0"],
            "T": config.input_frames,
            "decode_chunk_len": config.chunk_frames,
            DELAY: 2 * config.delay,
            AHEAD: config.look_ahead,
            AHEAD_SIZE: width,
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
        [info("decoder_out", ["N", config.joiner_dim])],
        {"vocab_size": config.vocab_size, "context_size": config.context_size},
    )


def joiner_graph(weights: dict[str, npt.NDArray[np.float32]], config: ModelConfig) -> onnx.ModelProto:
    """Write the joiner: encoder_out [N, dim], decoder_out [N, dim] -> logit [N, vocab_size]."""
    g = Graph(weights)
    g.linear(g.op("Tanh", g.op("Add", "encoder_out", "decoder_out")), "joiner.output", output="logit")
    return g.model(
        [info("encoder_out", ["N", config.joiner_dim]), info("decoder_out", ["N", config.joiner_dim])],
        [info("logit", ["N", config.vocab_size])],
        {"joiner_dim": config.joiner_dim, "vocab_size": config.vocab_size},
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


@torch.inference_mode()
def frames_of_silence(model: TransducerModel) -> npt.NDArray[np.float32]:
    """Return what the encoder's last layer makes of digital silence, [width]."""
    config = model.config
    silence = torch.full((1, config.padded_frames(4 * config.chunk_frames), NUM_BINS), FLOOR)
    frames: npt.NDArray[np.float32] = model.encoder(silence).frames[0, -config.step :].mean(0).numpy()
    return frames


def export(
    model: TransducerModel,
    vocabulary: Path,
    folder: Path,
    *,
    per_channel: bool = True,
    temperature: float = 1.0,
    look_ahead: int | None = None,
) -> None:
    """Write a model folder: ``encoder|decoder|joiner.onnx`` and ``.int8.onnx``, ``tokens.txt``, ``bpe.model``.

    ``vocabulary`` is a folder that holds ``tokens.txt`` and ``bpe.model``. The joiner's logits are divided by
    ``temperature`` (Guo et al. 2017, "On calibration of modern neural networks"): greedy search gives the same tokens.
    ``look_ahead``, in encoder frames, is what the encoder has by default in place of what it was trained with.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.detach().float().numpy() for k, v in model.state_dict().items()}
    weights["silence"] = frames_of_silence(model)
    for part in ("weight", "bias"):
        weights[f"joiner.output.{part}"] = weights[f"joiner.output.{part}"] / np.float32(temperature)
    config = model.config if look_ahead is None else replace(model.config, look_ahead=look_ahead)
    for name, build in (("encoder", encoder_graph), ("decoder", decoder_graph), ("joiner", joiner_graph)):
        path, graph = folder / f"{name}.onnx", build(weights, config)
        onnx.save(graph, path)
        with without_advice():
            quantize_dynamic(
                path,
                folder / f"{name}.int8.onnx",
                op_types_to_quantize=QUANTISED_OPERATORS,
                per_channel=per_channel,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=KEPT_FLOAT,
            )
        if name != "encoder":  # these run in float
            onnx.save(halved(graph), path)
    for name in ("tokens.txt", "bpe.model"):
        shutil.copyfile(vocabulary / name, folder / name)


@contextmanager
def without_advice() -> Iterator[None]:
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
            if "." not in key or key.rsplit(".", 1)[1] not in ("weight", "bias", "weights"):
                continue
            weights[key] = torch.from_numpy(np.array(_as_parameter(key, value), np.float32))
    return weights


def _as_parameter(name: str, value: Array) -> Array:
    """Undo the layout changes that the graphs make."""
    if not name.endswith(".weight") or value.ndim != 2 or name == "predictor.embedding.weight":
        return value
    if name.startswith("encoder.conv"):
        return np.asarray(value.reshape(3, -1, value.shape[1]).transpose(2, 1, 0))
    return np.asarray(value.T)
