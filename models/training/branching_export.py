"""A trained branch to two graphs of a model folder.

``branch_gate.onnx`` runs at every step, ``branch.onnx`` at cheap ones. The gate's graph ends with the first block, from
which the branch goes on where a step is cheap.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from ..branching import BRANCH, GATE
from .branching import HEARD, UNIT, Branch
from .graph_writing import QUANTISED_OPERATORS, Graph, halved, info, without_advice
from .model import NUM_BINS, frequencies


def block(g: Graph, x: str, name: str, heads: int, units: int) -> str:
    """Write a block of the branch: x [N, units, width] to the same shape."""
    split = g.op("Reshape", g.norm(x, f"{name}.unit_norm"), g.ints(0, units, heads, -1))
    mixed = g.op(
        "MatMul", g.constant(f"{name}.mix", g.weights[f"{name}.mix"]), g.op("Transpose", split, perm=[0, 2, 1, 3])
    )
    mixed = g.op("Reshape", g.op("Transpose", mixed, perm=[0, 2, 1, 3]), g.ints(0, units, -1))
    x = g.op("Add", x, mixed)
    hidden = g.silu(g.linear(g.norm(x, f"{name}.norm"), f"{name}.expand"))
    return g.op("Add", x, g.linear(hidden, f"{name}.contract"))


def gate_graph(branch: Branch, losses: Mapping[str, float]) -> onnx.ModelProto:
    """Write ``x`` [N, 2 chunk_frames + 3, 80], ``count`` [N, 1] -> ``loss`` [N], ``hidden`` [N, step, width].

    ``loss`` is the logarithm of what a cheap step is expected to lose (nats). The metadata say up to which loss steps
    are cheap, by effort.
    """
    config, model = branch.config, branch.model
    weights = {k: v.float().numpy() for k, v in branch.state_dict().items()}
    # the features' normalisation is worked into the first layer
    scale, mean = (np.tile(values, HEARD) for values in (1 / weights["scale"], weights["shift"]))
    front = weights["front.weight"] * scale
    weights["front.bias"] = weights["front.bias"] - front @ mean
    weights["front.weight"] = front
    g = Graph(weights)
    step = model.step
    # each unit holds its frames one after the other, as they lie in the features
    parts = [
        g.op("Slice", "x", g.ints(k), g.ints(k + UNIT * (step - 1) + 1), g.ints(1), g.ints(UNIT)) for k in range(HEARD)
    ]
    units = g.linear(g.op("Concat", *parts, axis=2), "front")
    places = g.constant("places", np.arange(-step, step, 2, dtype=np.float32)[None])
    frames = g.op("Unsqueeze", g.op("Add", "count", places), g.ints(2))
    angles = g.op("Mul", frames, g.constant("turns", frequencies(model).numpy()))
    codes = g.op("Concat", g.op("Sin", angles), g.op("Cos", angles), axis=2)
    position = g.op("MatMul", codes, g.constant("position.weight", weights["position.weight"].T), name="position")
    x = g.op("Add", g.op("Add", units, position), g.constant("place", weights["place"]))
    hidden = block(g, x, "blocks.0", config.heads, step)
    noticed = g.op("Tanh", g.linear(hidden, "gate_hidden"))
    pooled = g.op(
        "Concat",
        g.op("ReduceMean", noticed, axes=[1], keepdims=0),
        g.op("ReduceMax", noticed, axes=[1], keepdims=0),
        axis=1,
    )
    g.op("Reshape", g.linear(pooled, "gate"), g.ints(-1), output="loss")
    g.op("Identity", hidden, output="hidden")
    return g.model(
        [info("x", ["N", model.chunk_frames + model.input_frames, NUM_BINS]), info("count", ["N", 1])],
        [info("loss", ["N"]), info("hidden", ["N", step, config.width])],
        {effort: round(loss, 4) for effort, loss in losses.items()},
    )


def branch_graph(branch: Branch) -> onnx.ModelProto:
    """Write ``hidden`` [N, step, width], ``count`` [N, 1] -> ``encoder_out``, what goes into the caches, ``phones``.

    ``keys`` and ``values`` [layers, N, step * width] of each layer's newest frames, ``waiting`` [layers, N, ...] what
    it has got and not given out, ``next_count`` [N, 1]; ``phones`` are log-probabilities.
    """
    config, model = branch.config, branch.model
    g = Graph({k: v.float().numpy() for k, v in branch.state_dict().items()})
    x = "hidden"
    for k in range(1, config.blocks):
        x = block(g, x, f"blocks.{k}", config.heads, model.step)
    x = g.norm(x, "norm")
    units, late, width = model.step, model.delay // 2, model.width
    half = units // 2
    keys: list[str] = []
    values: list[str] = []
    waiting: list[str] = []
    for k in range(model.layers):
        neck = g.silu(g.linear(g.part(x, half - k, units - k), f"cache_neck.{k}"))
        both = g.op("Reshape", g.linear(neck, f"cache.{k}"), g.ints(0, model.step, 2 * width))
        for rows, begin in ((keys, 0), (values, width)):
            rows.append(g.op("Reshape", g.part(both, begin, begin + width, axis=2), g.ints(1, -1, model.step * width)))
        neck = g.silu(g.linear(g.part(x, units - 1 - k, units - k), f"wait_neck.{k}"))
        waiting.append(g.op("Reshape", g.linear(neck, f"wait.{k}"), g.ints(1, -1, model.look_ahead * width)))
    told = g.part(x, half - late, units - late)
    g.linear(g.op("Reshape", told, g.ints(0, half // 2, 2 * config.width)), "out", output="encoder_out")
    for name, parts in (("keys", keys), ("values", values), ("waiting", waiting)):
        g.op("Concat", *parts, axis=0, output=name)
    g.op("Add", "count", g.constant("step", np.float32(model.step)), output="grown")
    most = g.constant("most", np.float32(model.positions + model.left + model.delay))
    round_ = g.op("Sub", "grown", g.constant("positions", np.float32(model.positions)))
    g.op("Where", g.op("GreaterOrEqual", "grown", most), round_, "grown", output="next_count")
    g.op("LogSoftmax", g.linear(told, "phones"), axis=-1, output="phones")
    layers = model.layers
    return g.model(
        [info("hidden", ["N", units, config.width]), info("count", ["N", 1])],
        [
            info("encoder_out", ["N", half // 2, model.joiner_dim]),
            info("keys", [layers, "N", model.step * width]),
            info("values", [layers, "N", model.step * width]),
            info("waiting", [layers, "N", model.look_ahead * width]),
            info("next_count", ["N", 1]),
            info("phones", ["N", half, model.phones]),
        ],
        {},
    )


def export_branch(branch: Branch, losses: Mapping[str, float], folder: Path) -> None:
    """Write both graphs into a model folder, the branch in int8, the gate in float16; ``losses`` by effort, nats."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    onnx.save(halved(gate_graph(branch, losses)), folder / GATE)
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / BRANCH
        onnx.save(branch_graph(branch), path)
        with without_advice():
            quantize_dynamic(
                path, folder / BRANCH, op_types_to_quantize=QUANTISED_OPERATORS, per_channel=True,
                weight_type=QuantType.QInt8,
            )  # fmt: skip
