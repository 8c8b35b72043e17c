"""Context of a dialogue: what was said, asked and shown biases what comes next."""

from importlib import import_module
from typing import TYPE_CHECKING

from .acts import Act, act_of
from .encryption import Cipher, load_key
from .errors import ContextError, ContextKeyError, ContextStoreError
from .inputs import ContextInput
from .messages import known, update
from .session import Life, SessionContext
from .store import ContextStore, StoredInteraction, open_store
from .tables import EventKind, EventRow
from .terms import Term, find_terms
from .weights import ContextWeights, Source, default_weights, read_weights

if TYPE_CHECKING:
    from .compute import Computed, ContextModel
    from .language import ContextLanguage
    from .live import LiveContext, Ready

_LATER = {
    "Computed": "compute",
    "ContextLanguage": "language",
    "ContextModel": "compute",
    "LiveContext": "live",
    "Ready": "live",
}
"""What is imported when it is asked for, and from where: it needs the search."""

__all__ = [
    "Act",
    "Cipher",
    "Computed",
    "ContextError",
    "ContextInput",
    "ContextKeyError",
    "ContextLanguage",
    "ContextModel",
    "ContextStore",
    "ContextStoreError",
    "ContextWeights",
    "EventKind",
    "EventRow",
    "Life",
    "LiveContext",
    "Ready",
    "SessionContext",
    "Source",
    "StoredInteraction",
    "Term",
    "act_of",
    "default_weights",
    "find_terms",
    "known",
    "load_key",
    "open_store",
    "read_weights",
    "update",
]


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LATER[name]}", __name__), name)
