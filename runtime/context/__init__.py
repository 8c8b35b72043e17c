"""Context of a dialogue: what was said, asked and shown biases what comes next."""

from .encryption import Cipher, load_key
from .errors import ContextError, ContextKeyError, ContextStoreError
from .store import ContextStore, StoredInteraction, open_store
from .tables import EventKind, EventRow

__all__ = [
    "Cipher",
    "ContextError",
    "ContextKeyError",
    "ContextStore",
    "ContextStoreError",
    "EventKind",
    "EventRow",
    "StoredInteraction",
    "load_key",
    "open_store",
]
