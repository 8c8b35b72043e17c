"""A trained anchor network to ``anchor.onnx``: normalisations folded into the layers, weights in float16."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from ..anchor import ANCHOR
from ..encoder import Tap
from ..errors import ModelFileError
from ..transducer import Transducer
from .anchor import AnchorNetwork
from .graph_writing import Graph, halved, info

SATURATED = 30.0
"""At which the joiner's tanh is 1, whatever the predictor adds."""
LEAST_BLANK = 0.99


def blank_frame(model: Transducer) -> npt.NDArray[np.float32]:
    """Return what makes a joiner expect the blank, in the place of an encoder frame, [joiner_dim].

    Silence does not: its frames follow something, and where nothing came before tokens are as probable as the blank.

    Raises:
        ModelFileError: the joiner is none that ``export`` writes.
    """
    path, blank = model.info.graphs[2], model.vocabulary.blank_id
    graph = onnx.load_from_string(path.read_bytes()).graph
    shape = [model.info.joiner_dim, model.info.vocab_size]
    weights = [numpy_helper.to_array(one) for one in graph.initializer if list(one.dims) == shape]
    if len(weights) != 1 or not any(node.op_type == "Tanh" for node in graph.node):
        raise ModelFileError(path, "is no joiner of the recipe: expected one product after tanh")
    output = weights[0].astype(np.float32)
    frame = np.asarray(SATURATED * np.sign(output[:, blank] - output.mean(1)), np.float32)
    contexts = [(first, second) for first in range(0, shape[1], 19) for second in range(0, shape[1], 7)]
    predicted = np.concatenate([model.predict(context) for context in contexts])
    logits = model.join(frame[None].repeat(len(predicted), 0), predicted)
    least = float(np.exp(logits[:, blank] - np.logaddexp.reduce(logits, axis=1)).min())
    if least < LEAST_BLANK:
        raise ModelFileError(path, f"expects the blank with {least:.2f} where it should be sure of it")
    return frame


def anchor_graph(network: AnchorNetwork, tap: Tap, blank: npt.NDArray[np.float32]) -> onnx.ModelProto:
    """Write ``heard`` [T, width] and ``anchor`` [A, width] -> ``odds`` [T - context], log-odds of the same voice.

    Beside it the constant ``blank`` [joiner_dim], see ``blank_frame``.
    The metadata say what of an encoder is heard (``tap``), and how many frames around one count.
    """
    config = network.config
    w = {name: value.detach().double().numpy() for name, value in network.state_dict().items()}
    for name in ("level", "hear"):
        w[f"{name}.bias"] = w[f"{name}.bias"] - w[f"{name}.weight"] @ (w["mean"] / w["deviation"])
        w[f"{name}.weight"] = w[f"{name}.weight"] / w["deviation"]
    g = Graph({name: value.astype(np.float32) for name, value in w.items()})
    voice = g.op("Concat", _voice(g), g.linear(g.op("ReduceMean", "anchor", axes=[0], keepdims=1), "level"), axis=1)
    film = g.linear(voice, "film")
    scale = g.op("Add", g.part(film, 0, config.hidden), g.constant("one", np.float32(1)))
    shift = g.part(film, config.hidden, 2 * config.hidden)
    x = g.op("Relu", g.op("Add", g.op("Mul", g.linear("heard", "hear"), scale), shift))
    x = g.op("Unsqueeze", g.op("Transpose", x, perm=[1, 0]), g.ints(0))
    for name, spread in (("near", 1), ("past", 2)):
        weight, bias = (g.constant(f"{name}.{part}", g.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        x = g.op("Relu", g.op("Conv", x, weight, bias, dilations=[spread]))
    x = g.op("Transpose", g.op("Squeeze", x, g.ints(0)), perm=[1, 0])
    g.op("Reshape", g.linear(x, "odds"), g.ints(-1), output="odds")
    g.op("Identity", g.constant("blank_frame", blank), output="blank")
    return g.model(
        [info("heard", ["T", config.width]), info("anchor", ["A", config.width])],
        [info("odds", ["frames"]), info("blank", [len(blank)])],
        {
            "state": tap.state, "layers": " ".join(map(str, tap.layers)), "begin": tap.begin, "end": tap.end,
            "width": tap.width, "stride": tap.stride, "ahead": config.ahead, "back": config.context - config.ahead,
        },
    )  # fmt: skip


def _voice(g: Graph) -> str:
    x = g.op("Relu", g.linear("anchor", "frame"))
    shares = g.op("Softmax", g.linear(g.op("Tanh", g.linear(x, "attend")), "weigh"), axis=0)
    mean = g.op("ReduceSum", g.op("Mul", shares, x), g.ints(0), keepdims=1)
    square = g.op("ReduceSum", g.op("Mul", shares, g.op("Mul", x, x)), g.ints(0), keepdims=1)
    least = g.constant("least", np.float32(1e-4))
    spread = g.op("Sqrt", g.op("Max", g.op("Sub", square, g.op("Mul", mean, mean)), least))
    pooled = g.linear(g.op("Concat", mean, spread, axis=1), "vector")
    return g.op("Mul", g.op("LpNormalization", pooled, axis=1, p=2), g.constant("four", np.float32(4)))


def export_network(network: AnchorNetwork, model: Transducer, tap: Tap, folder: Path) -> None:
    """Write ``anchor.onnx`` for a model into a folder."""
    onnx.save(halved(anchor_graph(network, tap, blank_frame(model))), folder / ANCHOR)
