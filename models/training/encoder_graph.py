"""One step of the encoder as ONNX graph, in the icefall / sherpa-onnx layout.

What the layers keep of the past travels as ``h0`` and ``c0``, the two states that sherpa-onnx's ``lstm`` type carries.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from ..encoder import AHEAD, AHEAD_SIZE, DELAY, LEAD, PHONES
from . import lexicon
from .graph_writing import Graph, gelu, info
from .model import NUM_BINS, ModelConfig, frequencies

LEAD_FRAMES = 20
"""Feature frames of silence before a stream: few recordings of the training sets begin with a word."""


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
            LEAD: LEAD_FRAMES,
            AHEAD: config.look_ahead,
            AHEAD_SIZE: width,
            PHONES: " ".join(("blank", *lexicon.PHONES)),
        },
    )
