"""Weights rounded to what is heard: to few bits on average, each error made up for by the weights that come after it.

What a matrix is multiplied with is not spread evenly. Its second moments, taken over recordings, say which errors of
the weights matter: so rows are rounded one by one, and those that are left take up what rounding one of them has spoilt
(Frantar et al. 2022, "GPTQ", arXiv 2210.17323; zeros as in Frantar and Alistarh 2023, "SparseGPT", arXiv 2301.00774).
Since weights are entropy-coded, levels are not counted: each matrix has one step, as even as int8's scales of columns
allow, and so the fewest bits for its error. The steps of all matrices are such that rounding alone would spoil the same
share of what each of them gives out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import CompressionError
from .onnx_tensors import Span, find_nodes
from .rounding import LARGEST, MOST_ZEROS, quantised, with_weights

Moments = Mapping[str, npt.NDArray[np.float32]]
"""By name of a matrix in the file: [rows, rows], the sum of x x' over what it was multiplied with."""
FEWEST_BITS, MOST_BITS = 1.5, 6.5
_DAMPING = 0.01
"""Of the mean of the moments' diagonal, added to it: what was seen is not all there is."""
_BLOCK = 64
"""Inputs after which what was spoilt is handed on to all others."""
_HALVINGS = 30

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """How far weights are rounded.

    Raises:
        CompressionError: a number is none of those that are possible.
    """

    bits: float = 2.9
    """Bits of a weight on average, as entropy-coded; 1.5 to 6.5."""
    zeros: float = 0.0
    """Share of the weights of a matrix that become zero in any case, 0 to 0.95; rounding makes zeros, too."""

    def __post_init__(self) -> None:
        if not FEWEST_BITS <= self.bits <= MOST_BITS:
            raise CompressionError(f"{self.bits:g} bits: expected {FEWEST_BITS} to {MOST_BITS} with recordings")
        if not 0 <= self.zeros <= MOST_ZEROS:
            raise CompressionError(f"a share of {self.zeros:g} zeros: expected 0 to {MOST_ZEROS}")


@dataclass(frozen=True, eq=False)
class _Matrix:
    span: Span
    weights: Doubles
    """[rows, columns] As they are in the file."""
    scales: Doubles
    """[columns]"""
    moments: Doubles
    """[rows, rows]"""
    noise: float
    """Root of the share that a step of 1 spoils of what it gives out."""

    def multipliers(self, share: float) -> Doubles:
        """Return how many steps of int8 a level of each column is, with which rounding spoils ``share``."""
        steps: Doubles = np.rint(share**0.5 / self.noise / self.scales)
        return np.clip(steps, 1, LARGEST)


def inputs_of_products(model: bytes) -> dict[str, str]:
    """Return by name of each quantised matrix what it is multiplied with, before that is quantised.

    Raises:
        CompressionError: it is no ONNX file.
    """
    nodes = find_nodes(model)
    before = {node.outputs[0]: node.inputs[0] for node in nodes if node.operator == "DynamicQuantizeLinear"}
    products = [node.inputs for node in nodes if node.operator == "MatMulInteger"]
    known = {span.name for span, _ in quantised(model)}
    return {inputs[1]: before[inputs[0]] for inputs in products if inputs[1] in known and inputs[0] in before}


def calibrated(
    model: bytes, moments: Moments, calibration: Calibration, progress: Callable[[float], None] = lambda _: None
) -> bytes:
    """Return a graph's file with its quantised matrices rounded; those without moments stay as they are.

    Args:
        model: the file.
        moments: what its matrices were multiplied with, see ``inputs_of_products``.
        calibration: how far.
        progress: is told the share that is done.

    Raises:
        CompressionError: it is no ONNX file, or nothing in it has moments.
    """
    matrices = _matrices(model, moments)
    if not matrices:
        raise CompressionError("has no matrix of which is known what it is multiplied with")
    share = _share_for(matrices, calibration)
    total = sum(matrix.weights.size * len(matrix.weights) for matrix in matrices)
    changed, done = [], 0
    for matrix in matrices:
        multipliers = matrix.multipliers(share)
        levels = made_up_for(matrix.weights, matrix.scales, multipliers, matrix.moments, calibration.zeros)
        changed.append((matrix.span, (levels * multipliers).astype(np.int8)))
        done += matrix.weights.size * len(matrix.weights)
        progress(done / total)
    return with_weights(model, changed)


def _matrices(model: bytes, moments: Moments) -> list[_Matrix]:
    found = []
    for span, numbers in quantised(model):
        if span.name not in moments or moments[span.name].shape != (span.shape[0], span.shape[0]):
            continue
        weights = np.frombuffer(model, np.int8, span.length, span.offset).reshape(span.shape).astype(np.float64)
        scales = np.broadcast_to(numbers.astype(np.float64), span.shape[1:])
        heard = moments[span.name].astype(np.float64)
        scaled = weights * scales
        given = float(np.sum(scaled * (heard @ scaled)))
        spoilt = float(np.trace(heard)) * span.shape[1] / 12
        if given > 0:
            found.append(_Matrix(span, weights, scales, heard, (spoilt / given) ** 0.5))
    return found


def _share_for(matrices: Sequence[_Matrix], calibration: Calibration) -> float:
    """Return the share of what matrices give out that rounding may spoil, for so many bits on average."""
    low, high = 1e-8, 1.0
    size = sum(matrix.weights.size for matrix in matrices)
    for _ in range(_HALVINGS):
        share = (low * high) ** 0.5
        bits = sum(_bits(matrix, share, calibration.zeros) for matrix in matrices) / size
        low, high = (share, high) if bits > calibration.bits else (low, share)
    return high


def _bits(matrix: _Matrix, share: float, zeros: float) -> float:
    """Return the bits of a matrix that is rounded without more ado."""
    levels = np.rint(matrix.weights / matrix.multipliers(share)).astype(np.int64)
    if zeros:
        size = np.abs(matrix.weights * matrix.scales)
        levels[size < np.quantile(size, zeros)] = 0
    counts = np.bincount(levels.ravel() + LARGEST)
    counts = counts[counts > 0]
    return float((counts * np.log2(counts.sum() / counts)).sum())


def made_up_for(
    weights: Doubles,
    scales: Doubles,
    multipliers: Doubles,
    moments: Doubles,
    zeros: float = 0.0,
    top: Doubles | int = LARGEST,
) -> Doubles:
    """Return the levels of a matrix, [rows, columns]: each row is rounded, and the rows after it make up for that.

    Args:
        weights: [rows, columns] as in the file, -127 to 127.
        scales: [columns] what a step of them is.
        multipliers: [columns], or [rows, columns], steps in a level.
        moments: [rows, rows] of what is multiplied with it.
        zeros: share of the weights that become zero.
        top: the largest level, of all or of each weight [rows, columns].
    """
    rows = len(weights)
    damped = moments + np.eye(rows) * max(_DAMPING * float(np.diag(moments).mean()), 1e-12)
    order = np.argsort(-np.diag(damped), kind="stable")
    left = (weights * scales)[order]
    # of the inverse, so that each row tells what those after it can make up for
    upper = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    multipliers = np.broadcast_to(multipliers, left.shape)[order]
    size, tops = multipliers * scales, np.minimum(np.broadcast_to(top, left.shape)[order], LARGEST // multipliers)
    levels = np.zeros_like(left)
    for begin in range(0, rows, _BLOCK):
        end = min(begin + _BLOCK, rows)
        gone = np.zeros((end - begin, left.shape[1]), np.bool_)
        if zeros:
            worth = np.square(left[begin:end] / np.diag(upper)[begin:end, None])
            gone = worth < np.quantile(worth, zeros)
        spoilt = np.empty((end - begin, left.shape[1]))
        for row in range(begin, end):
            levels[row] = np.where(gone[row - begin], 0, np.clip(np.rint(left[row] / size[row]), -tops[row], tops[row]))
            spoilt[row - begin] = (left[row] - levels[row] * size[row]) / upper[row, row]
            left[row + 1 : end] -= np.outer(upper[row, row + 1 : end], spoilt[row - begin])
        left[end:] -= upper[begin:end, end:].T @ spoilt
    out = np.empty_like(levels)
    out[order] = levels
    return out
