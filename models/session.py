"""onnxruntime sessions for small devices, and what can be read off them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from .errors import ModelFileError

if TYPE_CHECKING:
    from .model_path import ModelPath

_DTYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
Run = Callable[[Sequence[str], dict[str, npt.NDArray[Any]]], list[npt.NDArray[Any]]]
"""Runs a graph: names of the outputs that are wanted, and the inputs by their names."""
SAME_AS_REQUESTED = 1
"""How an arena grows; the default doubles it each time."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of a graph."""

    name: str
    shape: tuple[int | None, ...]
    """None where the graph leaves the size open (the batch)."""
    dtype: type[np.generic]


def open_session(path: "ModelPath", threads: int) -> ort.InferenceSession:
    """Open an ONNX file: ``threads`` threads that do not spin, and one memory arena for all sessions.

    A file of a packed model is decoded first; of a folder onnxruntime reads it itself.

    Raises:
        ModelFileError: the file is missing, truncated or not ONNX.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    _share_arena()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    if not path.is_file():
        raise ModelFileError(path, "missing")
    model = str(path) if isinstance(path, Path) else path.read_bytes()
    if (path.stat().st_size if isinstance(path, Path) else len(model)) == 0:
        raise ModelFileError(path, "is empty (0 bytes); fetch it anew")
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base but Exception
        reason = str(error).replace("\n", " ")[:160]
        raise ModelFileError(path, f"onnxruntime cannot load it (truncated or not a model?): {reason}") from error


@cache
def _share_arena() -> None:
    """Make the memory from which sessions of this process work; it grows by what is asked for and no further.

    Without it a step of the encoder takes its 6 MB from the C library and frees them, which leaves holes between what
    streams keep: a daemon's memory grew by 16 MB a stream, of which the states of an encoder are 2.4.
    """
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg({"arena_extend_strategy": SAME_AS_REQUESTED}))


def runner(session: ort.InferenceSession) -> Run:
    """Return what runs a session: names of outputs and a dictionary of inputs to a list of arrays.

    ``InferenceSession.run`` compares the names of all inputs with each other at every call, which for an encoder of 100
    states takes as long as the search. What it wraps is called itself, where it has the name it has had so far.
    """
    bound: Callable[..., list[npt.NDArray[Any]]] = getattr(session, "_sess", session).run
    return lambda outputs, feeds: bound(outputs, feeds, None)


def describe(path: "ModelPath", arguments: "list[ort.NodeArg]") -> list[Tensor]:
    """Return names, shapes and dtypes of a session's inputs or outputs."""
    tensors = []
    for argument in arguments:
        dtype = _DTYPES.get(argument.type)
        if dtype is None:
            raise ModelFileError(path, f"{argument.name!r} is {argument.type}; expected float, float16, int64 or int32")
        shape = tuple(size if isinstance(size, int) else None for size in argument.shape)
        tensors.append(Tensor(argument.name, shape, dtype))
    return tensors


def zeros(tensor: Tensor) -> npt.NDArray[np.generic]:
    """Return zeros of the tensor's shape, open sizes 1."""
    return np.zeros([1 if size is None else size for size in tensor.shape], tensor.dtype)


def metadata_int(path: "ModelPath", metadata: dict[str, str], key: str, low: int, high: int) -> int:
    """Return a whole number of the metadata.

    Raises:
        ModelFileError: absent, not a number, or outside ``low`` to ``high``.
    """
    value = metadata.get(key)
    if value is None:
        raise ModelFileError(
            path, f"metadata {key!r} is missing; expected a model exported for streaming (icefall layout)"
        )
    if not value.isdecimal() or not low <= int(value) <= high:
        raise ModelFileError(path, f"metadata {key!r} is {value[:40]!r}; expected a number from {low} to {high}")
    return int(value)
