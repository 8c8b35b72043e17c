"""Graphs put together by hand, for models whose every number a test knows."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, helper, numpy_helper

Value = tuple[str, int, Sequence[int | str]]
"""Name, element type and shape of an input or output; a name in the shape leaves that size open."""


def save_graph(
    path: Path,
    nodes: Sequence[NodeProto],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    constants: Mapping[str, npt.ArrayLike],
    metadata: Mapping[str, object],
) -> None:
    """Write a graph that onnx's own checker passes, with the constants that its nodes read."""
    read = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [numpy_helper.from_array(np.ascontiguousarray(array), k) for k, array in constants.items() if k in read],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, str(value)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
