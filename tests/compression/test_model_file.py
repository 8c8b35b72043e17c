import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.models.compression import CompressionError
from nearword.models.compression.graph_streams import put_together, take_apart
from nearword.models.compression.model_file import ModelFile, pack_files
from nearword.models.compression.rounding import Rounding, rounded
from packed_models import quantised_graph, spoilt, tensors_of


def opened(path: Path, data: bytes) -> ModelFile:
    path.write_bytes(data)
    return ModelFile(path)


FILES = {
    "encoder.int8.onnx": quantised_graph(),
    "tokens.txt": b"<blk> 0\nA 1\n" * 50,
    "lm.bin": random.Random(0).randbytes(900),
}


def test_every_file_comes_back_byte_for_byte(tmp_path: Path) -> None:
    model = opened(tmp_path / "m.nearword", pack_files(FILES, {"name": "m"}))
    assert {name: model.read(name) for name in model.entries} == FILES
    assert {entry.form for entry in model.entries.values()} == {"graph", "deflated", "stored"}
    assert sum(map(model.stored_bytes, FILES)) < model.path.stat().st_size


@given(
    seed=st.integers(0, 99), rows=st.integers(1, 200), columns=st.integers(1, 40), step=st.sampled_from([1, 2, 9, 18])
)
def test_a_graph_is_put_together_as_it_was(seed: int, rows: int, columns: int, step: int) -> None:
    graph = quantised_graph(seed, rows, columns, step=step)
    assert put_together(take_apart(graph)) == graph


def test_weights_with_few_levels_are_stored_as_levels() -> None:
    fine = quantised_graph(rows=256, columns=256)
    coarse = rounded(fine, Rounding(4, group=32))
    assert take_apart(fine).group == 0
    parts = take_apart(coarse)
    assert parts.group == 32
    assert np.unique(parts.streams["levels"]).size <= 15
    sizes = [len(pack_files({"a.onnx": graph})) for graph in (fine, coarse)]
    assert sizes[1] < 0.6 * sizes[0]


def test_names_that_lead_elsewhere_are_refused() -> None:
    for name in ("../x", "/etc/passwd", ".hidden", "", "a/b", "x" * 200):
        with pytest.raises(CompressionError, match="name"):
            pack_files({name: b""})
    with pytest.raises(CompressionError, match="files"):
        pack_files({})


def test_what_would_become_too_large_is_refused(tmp_path: Path) -> None:
    graph = quantised_graph(rows=2000, columns=2000, step=127)
    zeros = graph.replace(tensors_of(graph)["w_quantized"].tobytes(), bytes(4_000_000))
    with pytest.raises(CompressionError, match="times smaller"):
        pack_files({"a.onnx": zeros})


def test_a_graph_that_is_none_is_named() -> None:
    with pytest.raises(CompressionError, match=r"bad\.onnx"):
        pack_files({"bad.onnx": b"\xff" * 2000})


def test_damaged_files_are_told_in_little_memory(tmp_path: Path) -> None:
    chance = random.Random(1)
    packed = pack_files({name: FILES[name] for name in ("encoder.int8.onnx", "tokens.txt")}, {"name": "m"})
    path = tmp_path / "m.nearword"
    told = unharmed = 0
    tracemalloc.start()
    for _ in range(1200):
        try:
            model = opened(path, spoilt(packed, chance))
            for name in model.entries:
                model.read(name)
        except CompressionError as error:
            told += str(error).startswith(f"{path}: ") and "\n" not in str(error)
        else:
            unharmed += 1
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (told + unharmed, told > 1000) == (1200, True)
    assert most < 20_000_000
