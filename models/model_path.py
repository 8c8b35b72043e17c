"""Where the files of a model are: in a folder, or in one packed file.

Both are walked in the same way, with the part of ``pathlib.Path`` that ``ModelPath`` says: whoever reads a file of a
model need not know which it is.
"""

import io
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, Protocol

from .errors import ModelFileError, ModelNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .compression.model_file import ModelFile

PACKED = ".nearword"
"""What the name of a packed model ends in."""


class ModelPath(Protocol):
    """A model, or a file of one: what ``pathlib.Path`` and ``PackedPath`` have in common."""

    @property
    def name(self) -> str:
        """The last part of the path."""

    def __hash__(self) -> int:
        """Return a hash: it can be the key of a cache."""

    def __truediv__(self, name: str, /) -> "ModelPath":
        """Return the file of that name in it."""

    def is_file(self) -> bool:
        """Return whether it is there, and a file."""

    def iterdir(self) -> "Iterator[ModelPath]":
        """Yield the files in it."""

    def read_bytes(self) -> bytes:
        """Return what the file holds."""

    def open(self, mode: Literal["rb"], /) -> IO[bytes]:
        """Open the file."""


class PackedPath:
    """A packed model, or a file in it."""

    def __init__(self, model: "ModelFile", file: str | None = None) -> None:
        self._model, self._file = model, file

    def __str__(self) -> str:
        """Return where it is, as if the packed file were a folder."""
        return str(self._model.path if self._file is None else self._model.path / self._file)

    def __eq__(self, other: object) -> bool:
        # a file that was updated since is another model, though its path is the same
        return isinstance(other, PackedPath) and self._model is other._model and self._file == other._file

    def __hash__(self) -> int:
        return hash((id(self._model), self._file))

    @property
    def name(self) -> str:
        """The name of the file, or of the model: what the packed file is called without its ending."""
        return self._model.path.stem if self._file is None else self._file

    @property
    def model(self) -> "ModelFile":
        """The packed model."""
        return self._model

    def __truediv__(self, name: str, /) -> "PackedPath":
        return PackedPath(self._model, name)

    def is_file(self) -> bool:
        """Return whether there is such a file in it."""
        return self._file in self._model.entries

    def iterdir(self) -> "Iterator[PackedPath]":
        """Yield the files in it."""
        return (self / name for name in self._model.entries)

    def read_bytes(self) -> bytes:
        """Return what the file holds, decoded anew each time.

        Raises:
            FileNotFoundError: there is none of this name.
            ModelFileError: it is damaged.
        """
        from .compression.errors import CompressionError  # noqa: PLC0415 (a folder needs none of it)

        if not self.is_file() or self._file is None:
            raise FileNotFoundError(f"{self}: no such file in the packed model")
        try:
            return self._model.read(self._file)
        except CompressionError as error:
            # the message begins with the path
            raise ModelFileError(self, str(error).removeprefix(f"{self._model.path}: {self._file}: ")) from error

    def open(self, mode: Literal["rb"], /) -> IO[bytes]:  # noqa: ARG002 (nothing but "rb" is possible)
        """Open the file; raises as ``read_bytes``."""
        return io.BytesIO(self.read_bytes())


def open_model(model: Path) -> "Path | PackedPath":
    """Return where the files of a model are, of one given by its folder, by its packed file, or by an encoder.

    Raises:
        ModelNotFoundError: there is none.
        ModelFileError: the packed file is damaged, or is none.
    """
    if model.suffix == PACKED and not model.is_dir():
        return _opened(model)
    folder = model.parent if model.is_file() else model
    if not folder.is_dir() or (model.is_file() and model.suffix != ".onnx"):
        raise ModelNotFoundError(f"{model}: no such model folder, no packed model (*{PACKED}), and no encoder (*.onnx)")
    return folder


def _opened(path: Path) -> PackedPath:
    from .compression.errors import CompressionError  # noqa: PLC0415 (a folder needs none of it)
    from .compression.model_file import ModelFile  # noqa: PLC0415

    if not path.is_file():
        raise ModelNotFoundError(f"{path}: no such packed model")
    try:
        return PackedPath(ModelFile(path))
    except CompressionError as error:
        raise ModelFileError(path, str(error).removeprefix(f"{path}: ")) from error
    except OSError as error:
        raise ModelFileError(path, f"cannot be read ({error.strerror})") from error


def stored_bytes(path: ModelPath) -> int:
    """Return how many bytes a file of a model takes where it is."""
    if isinstance(path, PackedPath):
        return path.model.stored_bytes(path.name)
    return Path(str(path)).stat().st_size
