"""A model's folder to one packed file, and back."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .calibration import second_moments
from .compression.calibration import Calibration, calibrated
from .compression.errors import CompressionError
from .compression.model_file import ModelFile, pack_files
from .compression.rounding import Rounding, quantised, rounded
from .compression.sections import write_atomically
from .errors import ModelFileError
from .graphs import PARTS, find_graphs
from .model_path import ModelPath, PackedPath, open_model
from .transducer import Transducer

LARGEST_EXTRA = 64_000_000
"""Bytes that a file of the folder may have beside the graphs."""


def model_files(model: Path, precision: str = "auto") -> dict[str, ModelPath]:
    """Return the files that make up a model by name: the three graphs that run, and what lies beside them.

    Raises:
        ModelNotFoundError: there is none.
        ModelFileError: a part is missing, or there are several and nothing says which.
    """
    folder = open_model(model)
    graphs = {path.name: path for path in find_graphs(model, precision).values()}
    others = {
        path.name: path
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".") and not (path.name.startswith(PARTS) and _is_graph(path))
    }
    return dict(sorted({**others, **graphs}.items()))


def _is_graph(path: ModelPath) -> bool:
    return path.name.endswith(".onnx")


def pack_model(
    model: Path,
    output: Path,
    *,
    precision: str = "auto",
    rounding: Rounding | None = None,
    calibration: Calibration | None = None,
    recordings: Sequence[Path] = (),
    updates: Mapping[str, str] | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> int:
    """Write a model into one file, which loads as its folder does; returns the file's size in bytes.

    Without ``rounding`` and ``calibration`` every file comes back byte for byte; with one of them the quantised weights
    of the graphs are others.

    Args:
        model: its folder, its encoder, or a packed model.
        output: where to; it appears only when it is whole.
        precision: which graphs, as ``find_graphs``.
        rounding: what becomes of the weights.
        calibration: what becomes of the encoder's weights, so that as little as may be is lost of what it hears.
        recordings: speech of any kind, for calibration; no texts are needed.
        updates: where later versions are, and whose signature counts: ``url`` and ``key``.
        progress: is told the share of calibration that is done.

    Raises:
        ModelNotFoundError: there is no such model.
        ModelFileError: a file of it is missing or cannot be packed, or nothing can be rounded.
        AudioError: a recording cannot be read.
        OSError: the file cannot be written.
    """
    paths = model_files(model, precision)
    files = {}
    for name, path in paths.items():
        files[name] = path.read_bytes()
        if not _is_graph(path) and len(files[name]) > LARGEST_EXTRA:
            raise ModelFileError(path, f"has {len(files[name])} bytes; a packed model has room for {LARGEST_EXTRA}")
    try:
        if rounding is not None and rounding.changes:
            graphs = [name for name, path in paths.items() if name.startswith(PARTS) and _is_graph(path)]
            if not any(quantised(files[name]) for name in graphs):
                raise ModelFileError(paths[graphs[0]], "none of the graphs has int8 weights; export it in int8 first")
            files |= {name: rounded(files[name], rounding) for name in graphs}
        if calibration is not None:
            heard = Transducer.load(model, precision=precision)
            moments = second_moments(heard, recordings, lambda share: progress(0.6 * share))
            encoder = heard.info.graphs[0].name
            files[encoder] = calibrated(files[encoder], moments, calibration, lambda share: progress(0.6 + 0.4 * share))
        values: dict[str, Any] = {"name": open_model(model).name}
        if rounding is not None and rounding.changes:
            values["rounding"] = asdict(rounding)
        if calibration is not None:
            values["rounding"] = {**asdict(calibration), "calibrated": True}
        if updates is not None:
            values["updates"] = dict(updates)
        packed = pack_files(files, values)
    except CompressionError as error:
        raise ModelFileError(model, str(error)) from error
    write_atomically(output, packed)
    return len(packed)


def unpack_model(packed: Path, folder: Path) -> list[Path]:
    """Write the files of a packed model into a new folder, each checked against its SHA-256; returns them.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelFileError: it is damaged, or the folder is there and is not empty.
        OSError: something cannot be written.
    """
    model = open_model(packed)
    if not isinstance(model, PackedPath):
        raise ModelFileError(packed, "is no packed model")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelFileError(folder, "is there already; name a new folder")
    written = []
    for name, entry in model.model.entries.items():
        data = (model / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise ModelFileError(model / name, "is not what was packed (its SHA-256 is wrong)")
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, data)
        written.append(folder / name)
    return written


def describe_packed(model: ModelFile) -> dict[str, Any]:
    """Return what a packed model says of itself, as plain JSON: files with sizes, rounding, where updates are."""
    values = model.sections.values_of("model").values
    files = {
        name: {"bytes": entry.size, "stored": model.stored_bytes(name), "form": entry.form}
        for name, entry in model.entries.items()
    }
    said = {key: values[key] for key in ("rounding", "updates") if isinstance(values.get(key), dict)}
    return {"files": files, **json.loads(json.dumps(said))}
