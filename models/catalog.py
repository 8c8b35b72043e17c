"""Where models are: the one in the package, those downloaded, any folder."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import ModelNotFoundError
from .model_path import PACKED

DEFAULT_MODEL = "assistant-en"
BUNDLED = Path(__file__).parent / "bundled"


@dataclass(frozen=True)
class Installed:
    """A model that can be used by name."""

    name: str
    folder: Path
    """Its folder, or its packed file."""
    origin: str
    """``bundled``, ``downloaded`` or ``packed``."""


def user_models_dir() -> Path:
    """Return the folder downloads go to: ``$NEARWORD_MODELS``, else the user's data folder."""
    if override := os.environ.get("NEARWORD_MODELS"):
        return Path(override)
    import platformdirs  # noqa: PLC0415 (10 ms that the bundled model does not need)

    return Path(platformdirs.user_data_dir("nearword")) / "models"


def _folders(parent: Path) -> list[Path]:
    return sorted(path.parent for path in parent.glob("*/tokens.txt")) if parent.is_dir() else []


def _packed(parent: Path) -> list[Path]:
    return sorted(path for path in parent.glob(f"*{PACKED}") if path.is_file()) if parent.is_dir() else []


def list_models() -> list[Installed]:
    """Return the bundled, the downloaded and the packed models, by name."""
    return list(_models())


def _models() -> Iterator[Installed]:
    """Yield all models; the user's folder is looked at when it comes to it."""
    yield from (Installed(folder.name, folder, "bundled") for folder in _folders(BUNDLED))
    own = user_models_dir()
    yield from (Installed(folder.name, folder, "downloaded") for folder in _folders(own))
    yield from (Installed(path.stem, path, "packed") for path in _packed(own))


def resolve(name: str | Path = DEFAULT_MODEL) -> Path:
    """Return the folder of a model given by name or by path; of a packed one, or one given by its encoder, that file.

    Raises:
        ModelNotFoundError: neither; says which names there are and which can be pulled.
    """
    for model in _models():
        if model.name == str(name):
            return model.folder
    if str(name) and (Path(name).is_dir() or (Path(name).suffix in (".onnx", PACKED) and Path(name).is_file())):
        return Path(name)
    from .public import PUBLIC_MODELS  # noqa: PLC0415 (only for the message)

    if str(name) in PUBLIC_MODELS:
        raise ModelNotFoundError(f"model {name} is not downloaded yet; run: nearword models pull {name}")
    names = ", ".join(model.name for model in list_models()) or "none"
    raise ModelNotFoundError(f"no model {str(name)!r}: expected a folder or one of: {names}")
