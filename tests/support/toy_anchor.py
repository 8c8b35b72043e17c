"""A graph that follows a voice by a rule a test knows, over any encoder's state."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper
from onnx_graphs import save_graph

BACK = 2


def write_anchor(
    folder: Path, tap: dict[str, object], *, odds: float | None = None, dim: int = 6, **metadata: object
) -> Path:
    """Write ``anchor.onnx``: log-odds are the same for all frames, or else how alike a frame and the wake word are.

    No frame ahead is looked at.
    """
    width = int(str(tap["width"])) * len(str(tap["layers"]).split())
    n = helper.make_node
    nodes = [
        n("ReduceMean", ["anchor"], ["mean"], axes=[0], keepdims=1),
        n("Slice", ["heard", "back", "last", "zero"], ["told"]),
        n("Mul", ["told", "mean"], ["products"]),
        n("ReduceSum", ["products", "one"], ["alike"], keepdims=0),
        n("Mul", ["alike", "share"], ["scaled"]),
        n("Add", ["scaled", "constant"], ["odds"]),
        n("Identity", ["blank_frame"], ["blank"]),
    ]
    constants = {
        "back": np.asarray([BACK]), "last": np.asarray([2**31]), "zero": np.asarray([0]), "one": np.asarray([1]),
        "share": np.float32(1.0 if odds is None else 0.0), "constant": np.float32(odds or 0.0),
        "blank_frame": np.full(dim, 9.0, np.float32),
    }  # fmt: skip
    f = TensorProto.FLOAT
    save_graph(
        folder / "anchor.onnx", nodes, [("heard", f, ["T", width]), ("anchor", f, ["A", width])],
        [("odds", f, ["frames"]), ("blank", f, [dim])], constants, {**tap, "ahead": 0, "back": BACK, **metadata},
    )  # fmt: skip
    return folder
