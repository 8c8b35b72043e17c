"""Other words for a lattice: by n-grams on the device, or by a service elsewhere if the owner allows it."""

from importlib import import_module
from typing import TYPE_CHECKING

from .errors import ContractError

if TYPE_CHECKING:
    from .client import Rescorer
    from .contract import Answer, Form, Request, ScoredPath
    from .lm_rescore import RescoreLimits, rescore
    from .masking import Masking
    from .result import Reason, Rescored
    from .settings import Compression, RescoringSettings

_LATER = {
    "Answer": "contract",
    "Compression": "settings",
    "Form": "contract",
    "Masking": "masking",
    "Reason": "result",
    "Request": "contract",
    "RescoreLimits": "lm_rescore",
    "Rescored": "result",
    "Rescorer": "client",
    "RescoringSettings": "settings",
    "ScoredPath": "contract",
    "rescore": "lm_rescore",
}
"""What is imported when it is asked for, and from where: recognition needs no network code."""

__all__ = [
    "Answer",
    "Compression",
    "ContractError",
    "Form",
    "Masking",
    "Reason",
    "Request",
    "RescoreLimits",
    "Rescored",
    "Rescorer",
    "RescoringSettings",
    "ScoredPath",
    "rescore",
]


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LATER[name]}", __name__), name)
