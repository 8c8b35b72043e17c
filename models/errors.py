"""What can go wrong, as a tree: catch ``NearwordError`` for everything this package raises on purpose.

Every message names the file or value, what was expected, and what to do, in one line. They can be
pickled: a worker process hands them on.

All packages may import this module, and of other packages' modules this one alone: it needs the standard library only.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model_path import ModelPath


class NearwordError(Exception):
    """Root of all errors that nearword raises on purpose."""


class ModelError(NearwordError):
    """A model cannot be found, read or run."""


class ModelNotFoundError(ModelError, FileNotFoundError):
    """No model of that name, and no such folder."""


class ModelFileError(ModelError, ValueError):
    """A file of a model folder is missing, truncated, or does not fit the others."""

    def __init__(self, path: "Path | ModelPath", problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = Path(str(path))
        """The file at fault; of a packed model as if it were a folder."""
        self._problem = problem

    def __reduce__(self) -> tuple[type["ModelFileError"], tuple[Path, str]]:
        return type(self), (self.path, self._problem)


class AudioError(NearwordError, ValueError):
    """A file or stream is not usable audio."""

    def __init__(self, path: str | Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = str(path)
        """The file or stream at fault."""
        self._problem = problem

    def __reduce__(self) -> tuple[type["AudioError"], tuple[str, str]]:
        return type(self), (self.path, self._problem)


class DownloadError(NearwordError, OSError):
    """A download failed, or what came is not what was asked for."""
