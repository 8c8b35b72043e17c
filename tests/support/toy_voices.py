"""A graph that tells voices apart by a rule a test knows, over any encoder's state."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper
from onnx_graphs import save_graph

TOY_TAP = {"state": "cached_b", "layers": "0", "begin": 0, "end": 6, "width": 6, "stride": 1}
"""A state of ``toy_models``."""


def write_voices(
    folder: Path, tap: dict[str, object] | None = None, *, size: int = 4, seed: int = 0, **metadata: object
) -> Path:
    """Write ``speaker.onnx``: the mean of what is heard by random weights, and the first number of it as odds."""
    tap = TOY_TAP if tap is None else tap
    width = int(str(tap["width"])) * len(str(tap["layers"]).split())
    n = helper.make_node
    nodes = [
        n("ReduceMean", ["heard"], ["mean"], axes=[0], keepdims=1),
        n("MatMul", ["mean", "w"], ["product"]),
        n("Add", ["product", "bias"], ["raw"]),
        n("LpNormalization", ["raw"], ["vector"], axis=1, p=2),
        n("Slice", ["raw", "zero", "one", "one"], ["first"]),
        n("Reshape", ["first", "flat"], ["whispered"]),
    ]
    constants = {
        "w": np.random.default_rng(seed).normal(0, 1, (width, size)).astype(np.float32),
        "bias": np.full(size, 0.01, np.float32),
        "zero": np.asarray([0]), "one": np.asarray([1]), "flat": np.asarray([-1]),
    }  # fmt: skip
    f = TensorProto.FLOAT
    save_graph(
        folder / "speaker.onnx", nodes, [("heard", f, ["T", width])], [("vector", f, [1, size]), ("whispered", f, [1])],
        constants, {**tap, "threshold": 0.5, **metadata},
    )  # fmt: skip
    return folder
