"""The error rate at which a detector refuses as often wrongly as it accepts."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def equal_error_rate(same: Floats, different: Floats) -> float:
    """Return the share of errors at the threshold where as many of ``same`` are refused as ``different`` are taken."""
    scores = np.concatenate([same, different])
    is_same = np.concatenate([np.ones(len(same), bool), np.zeros(len(different), bool)])
    order = np.argsort(-scores, kind="stable")
    taken = np.cumsum(~is_same[order]) / len(different)
    refused = 1 - np.cumsum(is_same[order]) / len(same)
    at = int(np.argmin(np.abs(taken - refused)))
    return float(taken[at] + refused[at]) / 2
