"""Which files of a model's folder run: one encoder, and the decoder and joiner that go with it.

Public folders hold several of a part: in int8, half precision and float, of several chunk sizes and left contexts
(``encoder-epoch-99-avg-1-chunk-16-left-128.fp16.onnx``), as icefall exports and sherpa-onnx's models are published.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from .errors import ModelError, ModelFileError
from .model_path import ModelPath, PackedPath, open_model

PRECISIONS = ("auto", "int8", "fp16", "float")
PARTS = ("encoder", "decoder", "joiner")
_AUTO = {
    "encoder": ("int8", "float", "fp16"),
    "decoder": ("float", "fp16", "int8"),
    "joiner": ("float", "fp16", "int8"),
}
"""In int8 runs the encoder, where nearly all the work is; the other two are small."""
_SUFFIXES = {"int8": (".int8.onnx",), "fp16": (".fp16.onnx", ".float16.onnx")}
_CHUNK, _LEFT = (re.compile(rf"(?:^|[-_.]){name}[-_](\d+)") for name in ("chunk(?:[-_]size)?", "left(?:[-_]context)?"))


def precision_of(path: ModelPath) -> str:
    """Return the precision that a graph's name says: ``int8``, ``fp16``, or ``float`` where it says nothing."""
    return next((name for name, ends in _SUFFIXES.items() if path.name.endswith(ends)), "float")


def find_graphs(model: Path | PackedPath, precision: str = "auto") -> dict[str, ModelPath]:
    """Return the graphs of a model: ``encoder``, ``decoder`` and ``joiner``.

    ``auto`` takes the int8 encoder and the float decoder and joiner; each falls back on what there is. Of encoders that
    differ in chunk size and left context alone, the one with the smallest chunk, so with the least delay, and with the
    longest left context of these. Decoder and joiner are those whose names go with the encoder's.

    Args:
        model: the folder, the encoder in it that shall run, or a packed model.
        precision: one of ``PRECISIONS``.

    Raises:
        ModelError: no such precision.
        ModelFileError: a part is missing, or there are several and nothing says which.
    """
    if precision not in PRECISIONS:
        raise ModelError(f"precision {precision!r}: expected {', '.join(PRECISIONS)}")
    named = isinstance(model, Path) and model.suffix == ".onnx" and model.is_file()
    folder = open_model(model) if isinstance(model, Path) else model
    encoder: ModelPath = model if named else _encoder(folder, precision)
    others = {part: _companion(folder, part, precision, encoder) for part in PARTS[1:]}
    return {"encoder": encoder, **others}


def _found(folder: ModelPath, part: str, precision: str) -> list[ModelPath]:
    """Return the files of a part, all of one precision."""
    names = (path.name for path in folder.iterdir())
    there = [folder / name for name in sorted(names) if name.startswith(part) and name.endswith(".onnx")]
    there = [path for path in there if path.is_file()]
    wishes: Sequence[str] = _AUTO[part] if precision == "auto" else (precision,)
    if part != "encoder" and precision in _SUFFIXES:  # published folders seldom have a small decoder
        wishes = (precision, "float")
    for wish in wishes:
        found = [path for path in there if precision_of(path) == wish]
        if found:
            return found
    kind = "" if precision == "auto" else f" in {precision}"
    hint = f" (found {', '.join(path.name for path in there)})" if there else ""
    where = Path(str(folder)).absolute()
    raise ModelFileError(folder / f"{part}.onnx", f"missing; expected {part}*.onnx{kind} in {where}{hint}")


def _encoder(folder: ModelPath, precision: str) -> ModelPath:
    found = _found(folder, "encoder", precision)
    if len(found) == 1:
        return found[0]
    sizes = [[pattern.search(_variant(path, "encoder")) for pattern in (_CHUNK, _LEFT)] for path in found]
    rest = {_LEFT.sub("", _CHUNK.sub("", _variant(path, "encoder"))) for path in found}
    if len(rest) > 1:
        raise _ambiguous(found, "encoder")
    order = [
        (int(chunk[1]) if chunk else 0, -int(left[1]) if left else 0, path.name, path)
        for (chunk, left), path in zip(sizes, found, strict=True)
    ]
    return min(order)[-1]


def _companion(folder: ModelPath, part: str, precision: str, encoder: ModelPath) -> ModelPath:
    """Return the decoder or joiner: the one with the encoder's name, or with the longest beginning of it."""
    found = _found(folder, part, precision)
    if len(found) == 1:
        return found[0]
    wanted = _variant(encoder, "encoder")
    fitting = {len(name): path for path in found if wanted.startswith(name := _variant(path, part))}
    if not fitting:
        raise _ambiguous(found, part)
    return fitting[max(fitting)]


def _variant(path: ModelPath, part: str) -> str:
    """Return what a name says beside the part and the precision."""
    name = path.name.removeprefix(part)
    ends = (*_SUFFIXES["int8"], *_SUFFIXES["fp16"], ".onnx")
    return next(name.removesuffix(end) for end in ends if name.endswith(end))


def _ambiguous(found: Sequence[ModelPath], part: str) -> ModelFileError:
    names = ", ".join(path.name for path in found)
    way = f"name the encoder: --model {found[0]}" if part == "encoder" else f"leave one {part} in the folder"
    return ModelFileError(found[0], f"one of several ({names}); {way}")
