import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.models.compression import CompressionError
from nearword.models.compression.rounding import Rounding, multipliers_of, rounded
from packed_models import quantised_graph, tensors_of


@pytest.mark.parametrize("bits", [5, 4])
@pytest.mark.parametrize("group", [16, 48, 100])
def test_weights_become_few_levels_times_a_multiplier(bits: int, group: int) -> None:
    graph = quantised_graph(rows=100, columns=12)
    before, after = tensors_of(graph), tensors_of(rounded(graph, Rounding(bits, group=group)))
    weights = after.pop("w_quantized")
    old = before.pop("w_quantized")
    assert all(np.array_equal(before[name], after[name], equal_nan=True) for name in before)
    for column in range(12):
        for begin in range(0, 100, group):
            part = weights[begin : begin + group, column].astype(int)
            most = 2 ** (bits - 1) - 1
            assert any((part % m == 0).all() and (np.abs(part // m) <= most).all() for m in range(1, 20))
    assert int(np.abs(weights.astype(int) - old).max()) < 30
    assert np.abs(weights.astype(int) - old).mean() < 127 / 2 ** (bits - 1)


@given(seed=st.integers(0, 50), bits=st.sampled_from([5, 4]), width=st.integers(8, 40))
def test_the_multiplier_is_the_best_there_is(seed: int, bits: int, width: int) -> None:
    rounding = Rounding(bits, group=width)
    column = np.random.default_rng(seed).integers(-127, 128, (1, width))
    errors = {}
    for multiplier in range(1, rounding.coarsest + 1):
        top = min(rounding.top, 127 // multiplier)
        levels = np.clip(np.rint(column / multiplier), -top, top)
        errors[multiplier] = np.square(column - levels * multiplier).sum()
    assert errors[int(multipliers_of(column, rounding)[0, 0])] == min(errors.values())


@pytest.mark.parametrize("block", [1, 8])
@pytest.mark.parametrize("zeros", [0.3, 0.5, 0.7])
def test_the_smallest_weights_become_zero_scales_counted(zeros: float, block: int) -> None:
    graph = quantised_graph(rows=64, columns=40)
    before, after = tensors_of(graph), tensors_of(rounded(graph, Rounding(zeros=zeros, block=block)))
    size = np.square(before["w_quantized"] * before["w_scale"]).reshape(-1, block, 40).sum(1)
    gone = (after["w_quantized"].reshape(-1, block, 40) == 0).all(1)
    assert gone.mean() == pytest.approx(zeros, abs=0.05 if block == 1 else 0.01)
    assert size[gone].max() <= size[~gone].min() * 1.0001
    kept = np.repeat(~gone, block, 0)
    assert np.array_equal(after["w_quantized"][kept], before["w_quantized"][kept])


def test_eight_bits_without_zeros_change_nothing() -> None:
    graph = quantised_graph()
    assert rounded(graph, Rounding()) == graph


def test_numbers_that_cannot_be_are_refused() -> None:
    for wrong in ({"bits": 3}, {"zeros": 1.0}, {"zeros": -0.1}, {"group": 2}, {"block": 0}):
        with pytest.raises(CompressionError, match="expected"):
            Rounding(**wrong)
