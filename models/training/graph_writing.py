"""ONNX graphs, written node by node rather than traced.

So a graph has as few operators as it can: a small device pays for every one of them.
"""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

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


@contextmanager
def without_advice() -> Iterator[None]:
    """Keep onnxruntime from logging that a graph should be simplified first: these are written as they should be."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
