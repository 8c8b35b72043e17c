import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.models.compression import CompressionError
from nearword.models.compression.calibration import Calibration, calibrated, inputs_of_products, made_up_for
from nearword.models.compression.onnx_tensors import find_nodes, with_outputs
from onnx import TensorProto, helper, numpy_helper
from packed_models import quantised_graph, tensors_of

ROWS, COLUMNS = 48, 20


def product_graph(seed: int = 0) -> bytes:
    """x [n, 48] through a matrix of int8, quantised while it runs, as onnxruntime's dynamic quantisation has it."""
    rng = np.random.default_rng(seed)
    weights = np.clip(np.rint(rng.normal(0, 30, (ROWS, COLUMNS))), -127, 127).astype(np.int8)
    scales = rng.uniform(0.01, 0.02, COLUMNS).astype(np.float32)
    nodes = [
        helper.make_node("Tanh", ["x"], ["bent"]),
        helper.make_node("DynamicQuantizeLinear", ["bent"], ["q", "q_scale", "q_zero"]),
        helper.make_node("MatMulInteger", ["q", "w_quantized", "q_zero"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["w_scale", "q_scale"], ["scale"]),
        helper.make_node("Mul", ["cast", "scale"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", ROWS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", COLUMNS])],
        [numpy_helper.from_array(weights, "w_quantized"), numpy_helper.from_array(scales, "w_scale")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


def run(model: bytes, x: np.ndarray) -> list[np.ndarray]:
    return ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": x})


def correlated(seed: int, rows: int, count: int = 400) -> np.ndarray:
    """What neighbouring frames of speech are like: much of it in few directions. [count, rows]"""
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 1, (count, 8)) @ rng.normal(0, 1, (8, rows)) + rng.normal(0, 0.3, (count, rows))).astype("f4")


def test_what_lies_within_a_graph_is_given_out() -> None:
    model = product_graph()
    assert inputs_of_products(model) == {"w_quantized": "bent"}
    assert [node.operator for node in find_nodes(model)][:3] == ["Tanh", "DynamicQuantizeLinear", "MatMulInteger"]
    x = correlated(0, ROWS, 7)
    (y,) = run(model, x)
    again, bent = run(with_outputs(model, ["bent"]), x)
    assert np.array_equal(y, again)
    assert np.allclose(bent, np.tanh(x), atol=1e-6)
    assert onnx.load_from_string(with_outputs(model, ["bent"])).graph.output[-1].name == "bent"


@given(seed=st.integers(0, 40), step=st.integers(4, 40))
def test_less_is_spoilt_than_by_rounding_alone(seed: int, step: int) -> None:
    rng = np.random.default_rng(seed)
    weights = np.rint(rng.normal(0, 30, (ROWS, COLUMNS))).clip(-127, 127)
    scales = rng.uniform(0.01, 0.02, COLUMNS)
    x = correlated(seed, ROWS).astype(np.float64)
    multipliers = np.full(COLUMNS, float(step))
    levels = made_up_for(weights, scales, multipliers, x.T @ x)
    assert np.array_equal(levels, np.rint(levels))
    assert np.abs(levels * multipliers).max() <= 127
    top = 127 // step
    plain = np.clip(np.rint(weights / step), -top, top)
    spoilt, alone = (np.square(x @ ((weights - one * step) * scales)).sum() for one in (levels, plain))
    assert spoilt < 0.9 * alone


def test_where_all_is_alike_nothing_is_made_up_for() -> None:
    weights = np.random.default_rng(0).integers(-127, 128, (ROWS, COLUMNS)).astype(np.float64)
    levels = made_up_for(weights, np.ones(COLUMNS), np.full(COLUMNS, 5.0), np.eye(ROWS))
    assert np.array_equal(levels, np.clip(np.rint(weights / 5), -25, 25))


@pytest.mark.parametrize("zeros", [0.3, 0.7])
def test_so_many_weights_become_zero(zeros: float) -> None:
    weights = np.random.default_rng(0).integers(-127, 128, (128, COLUMNS)).astype(np.float64)
    x = correlated(1, 128).astype(np.float64)
    levels = made_up_for(weights, np.ones(COLUMNS), np.full(COLUMNS, 2.0), x.T @ x, zeros)
    assert (levels == 0).mean() == pytest.approx(zeros, abs=0.03)
    magnitude = np.where(np.abs(weights) < np.quantile(np.abs(weights), zeros), 0, weights)
    spoilt, alone = (np.square(x @ (weights - one)).sum() for one in (levels * 2, magnitude))
    assert spoilt < alone


@pytest.mark.parametrize("bits", [2.5, 3.5, 5.0])
def test_the_bits_are_what_was_asked_for(bits: float) -> None:
    model = product_graph()
    x = np.tanh(correlated(2, ROWS))
    told: list[float] = []
    after = calibrated(model, {"w_quantized": x.T @ x}, Calibration(bits), told.append)
    weights = tensors_of(after)["w_quantized"].astype(int)
    step = np.gcd.reduce(weights, axis=0)
    _, counts = np.unique(weights // step, return_counts=True)
    assert counts @ np.log2(counts.sum() / counts) / counts.sum() == pytest.approx(bits, abs=0.25)
    assert told[-1] == 1.0
    others = tensors_of(model)
    assert all(
        np.array_equal(value, others[name]) for name, value in tensors_of(after).items() if name != "w_quantized"
    )


def test_what_cannot_be_is_refused() -> None:
    for wrong in ({"bits": 1.0}, {"bits": 8}, {"zeros": 0.99}):
        with pytest.raises(CompressionError, match="expected"):
            Calibration(**wrong)
    with pytest.raises(CompressionError, match="multiplied with"):
        calibrated(quantised_graph(), {}, Calibration())
    with pytest.raises(CompressionError, match="ONNX"):
        inputs_of_products(b"\x07\xff\xff")
