"""A trained speaker head to ``speaker.onnx``: normalisations folded into the layers, weights in float16."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from ..encoder import Tap
from ..voice import SPEAKER
from .graph_writing import Graph, halved, info
from .speaker import SpeakerHead

Floats = npt.NDArray[np.float32]
LAYERS = ("frame", "attend", "weigh", "vector", "whispered")
"""Of the graph, all linear."""


def folded(head: SpeakerHead) -> dict[str, Floats]:
    """Return the weights of the layers with the batch normalisations before and after them worked in."""
    w = {name: value.detach().double().numpy() for name, value in head.state_dict().items()}
    eps = head.norm.eps

    def scale_and_shift(name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        size = len(w[f"{name}.running_var"])
        scale = w.get(f"{name}.weight", np.ones(size)) / np.sqrt(w[f"{name}.running_var"] + eps)
        return scale, w.get(f"{name}.bias", np.zeros(size)) - w[f"{name}.running_mean"] * scale

    def behind(layer: str, norm: str) -> None:
        scale, shift = scale_and_shift(norm)
        w[f"{layer}.bias"] = w[f"{layer}.bias"] + w[f"{layer}.weight"] @ shift
        w[f"{layer}.weight"] = w[f"{layer}.weight"] * scale

    behind("frame", "norm")
    scale, shift = scale_and_shift("frame_norm")
    w["frame.weight"], w["frame.bias"] = w["frame.weight"] * scale[:, None], w["frame.bias"] * scale + shift
    for layer in ("vector", "whispered"):
        behind(layer, "pooled_norm")
    layers = ("frame", "attend", "weigh", "vector", "whispered")
    return {
        f"{layer}.{part}": w[f"{layer}.{part}"].astype(np.float32) for layer in layers for part in ("weight", "bias")
    }


def speaker_graph(head: SpeakerHead, tap: Tap, threshold: float) -> onnx.ModelProto:
    """Write ``heard`` [T, width] -> ``vector`` [1, size] of length 1, ``whispered`` [1], log-odds.

    The metadata say what of an encoder is heard (``tap``), and from which cosine on two vectors are of one speaker.
    """
    g = Graph(folded(head))
    x = g.op("Relu", g.linear("heard", "frame"))
    shares = g.op("Softmax", g.linear(g.op("Tanh", g.linear(x, "attend")), "weigh"), axis=0)
    mean = g.op("ReduceSum", g.op("Mul", shares, x), g.ints(0), keepdims=1)
    square = g.op("ReduceSum", g.op("Mul", shares, g.op("Mul", x, x)), g.ints(0), keepdims=1)
    least = g.constant("least", np.float32(1e-4))
    spread = g.op("Sqrt", g.op("Max", g.op("Sub", square, g.op("Mul", mean, mean)), least))
    pooled = g.op("Concat", mean, spread, axis=1)
    g.op("LpNormalization", g.linear(pooled, "vector"), axis=1, p=2, output="vector")
    g.op("Reshape", g.linear(pooled, "whispered"), g.ints(-1), output="whispered")
    config = head.config
    return g.model(
        [info("heard", ["T", config.width * len(config.layers)])],
        [info("vector", [1, config.size]), info("whispered", [1])],
        {
            "state": tap.state, "layers": " ".join(map(str, tap.layers)), "begin": tap.begin, "end": tap.end,
            "width": tap.width, "stride": tap.stride, "threshold": round(threshold, 3),
        },
    )  # fmt: skip


def export_head(head: SpeakerHead, tap: Tap, threshold: float, folder: Path) -> None:
    """Write ``speaker.onnx`` into a model folder."""
    onnx.save(halved(speaker_graph(head, tap, threshold)), folder / SPEAKER)
