"""``tokenizer.json`` of public models: how they split texts into tokens."""

from importlib import import_module
from pathlib import Path
from typing import Any

from ..models.errors import NearwordError


def open_tokenizer(path: Path, error: type[NearwordError]) -> Any:
    """Return the ``Tokenizer`` of the package tokenizers that a file describes.

    Args:
        path: the file.
        error: what is raised with one line where the package is missing, or the file is none.
    """
    try:
        package = import_module("tokenizers")  # for public models only
    except ImportError as missing:
        raise error(f"{path}: needs the package tokenizers: pip install tokenizers") from missing
    try:
        return package.Tokenizer.from_file(str(path))
    except Exception as broken:  # the package raises Exception itself
        raise error(f"{path}: is no tokenizer ({str(broken)[:200]})") from broken
