import random
from pathlib import Path

import numpy as np
import onnx
import pytest
from mutations import damaged
from nearword.models import resolve
from nearword.models.compression import CompressionError
from nearword.models.compression.onnx_tensors import find_tensors
from onnx import numpy_helper
from packed_models import quantised_graph

GRAPHS = sorted(resolve().glob("*.onnx"))
DTYPES = {1: "<f4", 2: "u1", 3: "i1", 10: "<f2"}


def as_read_by_onnx(model: bytes) -> dict[str, np.ndarray]:
    values = {each.name: numpy_helper.to_array(each) for each in onnx.load_from_string(model).graph.initializer}
    return {name: value for name, value in values.items() if value.dtype in (np.float32, np.uint8, np.int8, np.float16)}


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.name)
def test_constants_are_found_where_they_lie(path: Path) -> None:
    model = path.read_bytes()
    expected = as_read_by_onnx(model)
    found = {}
    for span in find_tensors(model):
        kind = np.dtype(DTYPES[span.kind])
        values = np.frombuffer(model, kind, span.length // kind.itemsize, span.offset)
        found[span.name] = values.reshape(span.shape)
    # quantisation writes these as numbers of another field, which does not lie in the file as in memory
    elsewhere = {name for name in expected if name.endswith("_zero_point")}
    assert found.keys() == expected.keys() - elsewhere
    assert all(np.array_equal(found[name], expected[name]) for name in found)


def test_damaged_files_are_told_or_read_within_their_bounds() -> None:
    chance = random.Random(0)
    model = quantised_graph()
    refused = 0
    for _ in range(2000):
        broken = damaged(model, chance)
        try:
            spans = find_tensors(broken)
        except CompressionError:
            refused += 1
        else:
            assert all(span.offset + span.length <= len(broken) for span in spans)
    assert refused > 100


def test_what_is_no_onnx_file_is_told() -> None:
    for data in (b"\xff" * 100, b"RIFF" * 100, b"\x3a\xff\xff\xff\xff\x7f"):
        with pytest.raises(CompressionError, match="ONNX"):
            find_tensors(data)
