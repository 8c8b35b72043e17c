"""Levels that weights of an int8 encoder may have, as tensors to train with, and back into the encoder's file.

A weight is a level times a multiplier times the scale of its column, see ``compression.rounding``. Scales and
multipliers stay what they are while weights are trained; so what comes out is packed as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..compression.calibration import made_up_for
from ..compression.onnx_tensors import FLOAT, find_tensors
from ..compression.rounding import LARGEST, Rounding, multipliers_of, quantised, with_weights
from .compress import as_columns, as_weight, matrices
from .model import TransducerModel

_QUANTISED = "_quantized"


@dataclass(frozen=True)
class Levels:
    """The levels of one matrix, in columns [outputs, inputs]."""

    sizes: Tensor
    """What a level is worth."""
    scales: Tensor
    """[outputs, 1] What a step of int8 is worth."""
    top: Tensor
    """The largest level."""

    def nearest(self, columns: Tensor) -> Tensor:
        """Return the weights that lie on levels next to ``columns``."""
        levels = torch.minimum(torch.maximum(torch.round(columns / self.sizes), -self.top), self.top)
        return levels * self.sizes

    def steps(self, columns: Tensor) -> Tensor:
        """Return weights in units of a level: whole numbers are levels."""
        return columns / self.sizes


def levels_of(encoder: bytes, rounding: Rounding) -> dict[str, Levels]:
    """Return the levels of each int8 matrix of an encoder's file, by the parameter's name.

    With fewer than 8 bits a group's multiplier is that with the least squared error. With 8 bits it is what divides
    all weights of a column: where they have been rounded already (calibrated), they keep the levels they have.

    Raises:
        CompressionError: it is no ONNX file.
    """
    found = {}
    for span, scales in quantised(encoder):
        weights = np.frombuffer(encoder, np.int8, span.length, span.offset).reshape(span.shape)
        columns = weights.T.astype(np.int16)
        if rounding.bits == 8:
            multipliers = np.maximum(np.gcd.reduce(np.abs(columns), 1, keepdims=True), 1)
            top = LARGEST // multipliers
        else:
            group = min(rounding.group, span.shape[0])
            multipliers = np.repeat(multipliers_of(columns, rounding), group, 1)[:, : span.shape[0]]
            top = np.minimum(rounding.top, LARGEST // multipliers)
        sizes = multipliers * np.broadcast_to(scales, span.shape[1:])[:, None]
        shape = columns.shape
        found[span.name.removesuffix(_QUANTISED)] = Levels(
            torch.from_numpy(np.broadcast_to(sizes, shape).astype(np.float32)),
            torch.from_numpy(np.broadcast_to(scales, span.shape[1:]).astype(np.float32)[:, None]),
            torch.from_numpy(np.broadcast_to(top, shape).astype(np.float32)),
        )
    return found


@torch.no_grad()
def made_up(levels: Levels, columns: Tensor, moments: Tensor, zeros: float = 0.0) -> Tensor:
    """Return weights on levels, each error made up for by the weights that come after it.

    Args:
        levels: of the matrix.
        columns: [outputs, inputs] What it has learnt.
        moments: [inputs, inputs] The sum of x x' over what it is multiplied with.
        zeros: share that becomes zero.
    """
    scales, sizes = (values.double().numpy() for values in (levels.scales, levels.sizes))
    found = made_up_for(
        (columns.double().numpy() / scales).T,
        scales[:, 0],
        np.rint(sizes / scales).T,
        moments.double().numpy(),
        zeros,
        levels.top.double().numpy().T,
    )
    return torch.from_numpy(found.T * sizes).float()


@torch.inference_mode()
def moments_of(model: TransducerModel, run: Callable[[], object]) -> dict[str, Tensor]:
    """Return by name of each matrix the sum of x x' over what it is multiplied with while ``run`` runs the encoder."""
    sums: dict[str, Tensor] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def add(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0]
            if isinstance(module, nn.Conv1d):  # [N, inputs, T] to what each frame sees, in the order of the columns
                x = x.unfold(2, module.kernel_size[0], module.stride[0]).permute(0, 2, 3, 1).flatten(2)
            rows = x.flatten(0, -2)
            sums[name] = sums.get(name, torch.zeros(())) + rows.T @ rows

        return add

    names = {name for name, _ in matrices(model)}
    modules = {f"{name}.weight": module for name, module in model.named_modules()}
    hooks = [modules[name].register_forward_pre_hook(watch(name)) for name in names]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return sums


@torch.no_grad()
def begin_on_levels(
    model: TransducerModel, levels: Mapping[str, Levels], moments: Mapping[str, Tensor], zeros: float = 0.0
) -> None:
    """Move the matrices of a network to levels, the errors of each made up for; see ``made_up``."""
    for name, weight in matrices(model):
        weight.copy_(as_weight(made_up(levels[name], as_columns(weight), moments[name], zeros), weight))


def with_parameters(encoder: bytes, parameters: Mapping[str, Tensor]) -> bytes:
    """Return an encoder's file with other weights in it: int8 ones on the scales it has, vectors as they are.

    ``parameters`` are by name in their own shapes; what the file has not, or has in another layout, is left aside.

    Raises:
        CompressionError: it is no ONNX file.
    """
    changed = []
    for span, scales in quantised(encoder):
        weight = parameters.get(span.name.removesuffix(_QUANTISED))
        if weight is not None:
            steps = as_columns(weight.detach()).numpy().T / np.broadcast_to(scales, span.shape[1:])
            changed.append((span, np.clip(np.rint(steps), -LARGEST, LARGEST).astype(np.int8)))
    out = bytearray(with_weights(encoder, changed))
    for span in find_tensors(encoder):
        value = parameters.get(span.name)
        if value is not None and span.kind == FLOAT and len(span.shape) == 1 and value.shape == span.shape:
            numbers: npt.NDArray[np.float32] = value.detach().numpy().astype("<f4")
            out[span.offset : span.offset + span.length] = numbers.tobytes()
    return bytes(out)
