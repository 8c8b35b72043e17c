import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.lattice.calibration import Calibration, expected_calibration_error, fit, reliability


def outcomes(temperature: float, bias: float, count: int = 20000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    confidences = rng.uniform(0.02, 0.98, count)
    return confidences, rng.random(count) < Calibration(temperature, bias)(confidences)


@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 0.0), (2.5, 0.0), (0.6, 0.4), (1.5, -0.8)])
def test_the_probabilities_behind_the_outcomes_are_found(temperature: float, bias: float) -> None:
    confidences, correct = outcomes(temperature, bias)
    found = fit(confidences, correct)
    grid = np.linspace(0.02, 0.98, 25)
    assert found(grid) == pytest.approx(Calibration(temperature, bias)(grid), abs=0.03)
    assert expected_calibration_error(found(confidences), correct) < 0.02


def test_overconfidence_is_measured_and_mended() -> None:
    confidences, correct = outcomes(3.0, 0.0)
    assert expected_calibration_error(confidences, correct) > 0.1
    assert expected_calibration_error(fit(confidences, correct)(confidences), correct) < 0.02


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30),
)
def test_any_pairs_give_a_calibration_that_keeps_the_order(pairs: list[tuple[float, bool]]) -> None:
    confidences, correct = zip(*pairs, strict=True)
    calibration = fit(confidences, correct)
    assert calibration.temperature > 0
    assert math.isfinite(calibration.bias)
    calibrated = calibration(sorted(confidences))
    assert (np.diff(calibrated) >= -1e-12).all()
    assert ((calibrated >= 0) & (calibrated <= 1)).all()


def test_confidences_of_1_that_are_often_wrong_do_not_spoil_the_others() -> None:
    confidences, correct = outcomes(1.0, 0.0)
    correct = np.append(correct, np.arange(3000) % 10 < 8)
    confidences = np.append(confidences, np.ones(3000))
    assert expected_calibration_error(fit(confidences, correct)(confidences), correct) < 0.05


def test_the_table_counts_every_word_once() -> None:
    table = reliability([0.0, 0.05, 0.1, 0.55, 1.0], [False, True, True, False, True])
    assert [row.count for row in table] == [2, 1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert (table[0].confidence, table[0].accuracy) == (0.025, 0.5)
    assert math.isnan(table[3].accuracy)
    assert expected_calibration_error([0.9, 0.9], [True, False]) == pytest.approx(0.4)


def test_what_cannot_be_fitted_is_refused() -> None:
    for confidences, correct in (([], []), ([0.5], [True, False]), ([1.5], [True]), ([math.nan], [True])):
        with pytest.raises(ValueError):
            fit(confidences, correct)
