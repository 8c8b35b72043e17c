"""What a graph multiplies in a run, from the shapes it has while it runs."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
from nearword.models.compression.onnx_tensors import with_outputs

TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
KINDS = ("MatMul", "MatMulInteger")


class Product(NamedTuple):
    """A product of matrices."""

    kind: str
    """``MatMul`` in float, ``MatMulInteger`` in int8."""
    left: tuple[int, ...]
    right: tuple[int, ...]


def products_of(path: Path) -> list[Product]:
    """Return the products of one run of a graph: open sizes are 1, that of the state ``c0`` what the metadata says."""
    graph = onnx.load(str(path))
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    nodes = [node for node in graph.graph.node if node.op_type in KINDS]
    known = {one.name: tuple(one.dims) for one in graph.graph.initializer}
    inputs = {one.name for one in graph.graph.input}
    made = sorted({name for node in nodes for name in node.input[:2]} - known.keys() - inputs)
    session = ort.InferenceSession(with_outputs(path.read_bytes(), made))
    feeds = {}
    for one in session.get_inputs():
        shape = [size if isinstance(size, int) else 1 for size in one.shape]
        if one.name == "c0" and isinstance(one.shape[2], str):
            shape[2] = int(metadata["rnn_hidden_size"])
        feeds[one.name] = np.zeros(shape, TYPES[one.type])
    known |= {name: value.shape for name, value in feeds.items()}
    known |= {name: value.shape for name, value in zip(made, session.run(made, feeds), strict=True)}
    return [Product(node.op_type, *(known[name] for name in node.input[:2])) for node in nodes]
