"""Small packed models, and what may become of them."""

import random
import struct
import zlib

import numpy as np
import onnx
from mutations import damaged
from onnx import TensorProto, helper, numpy_helper


def quantised_graph(seed: int = 0, rows: int = 48, columns: int = 20, *, step: int = 1) -> bytes:
    """A graph with constants of all kinds that are taken out, and some that are not; int8 weights multiples of step."""
    rng = np.random.default_rng(seed)
    limit = 127 // step
    levels = np.clip(np.rint(rng.normal(0, limit / 3, (rows, columns))), -limit, limit)
    constants = {
        "w_quantized": (levels * step).astype(np.int8),
        "f": rng.normal(0, 1, (30, 7)).astype(np.float32),
        "h": rng.normal(0, 1, (16, 16)).astype(np.float16),
        "u": rng.integers(0, 256, (9, 40)).astype(np.uint8),
        "ints": np.arange(50, dtype=np.int64),
        "little": np.float32(1.5),
    }
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    scales = rng.uniform(0.01, 0.02, columns).astype(np.float32)
    tensors.append(helper.make_tensor("w_scale", TensorProto.FLOAT, [columns], scales))  # not as raw bytes
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["little"], ["out"])], "g", [], [out], tensors)
    return helper.make_model(graph).SerializeToString()


def tensors_of(graph: bytes) -> dict[str, np.ndarray]:
    return {one.name: numpy_helper.to_array(one) for one in onnx.load_from_string(graph).graph.initializer}


def with_checksum(data: bytes) -> bytes:
    """Return a file whose checksum fits what was done to it: as one who means harm would make it."""
    return data[:16] + struct.pack("<I", zlib.crc32(data[20:])) + data[20:]


def spoilt(data: bytes, chance: random.Random) -> bytes:
    """Return a damaged file, its checksum put right half of the time."""
    broken = damaged(data, chance)
    if chance.random() < 0.5 or len(broken) < 20:
        return broken
    # the length of the header is believed more often than not
    return with_checksum(broken[:12] + data[12:16] + broken[16:] if chance.random() < 0.7 else broken)
