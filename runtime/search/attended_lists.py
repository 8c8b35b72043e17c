"""Which list is attended to: made ready when it changes, once for all streams that share it."""

import threading
from collections.abc import Sequence
from typing import Protocol, runtime_checkable
from weakref import WeakKeyDictionary

from ...models import Transducer
from ...models.contextual import ContextualBias
from .attention import ListAttention


@runtime_checkable
class AttendedBias(Protocol):
    """Phrase lists that say what their phrases are in tokens, such as ``biasing.Biasing``."""

    def __len__(self) -> int:
        """Return the number of phrases."""

    @property
    def edits(self) -> int:
        """How often anything was changed: as long as it stays, so does all else."""

    @property
    def origin(self) -> "AttendedBias":
        """The list that holds the contents, which several streams may share."""

    def spelled(self) -> Sequence[tuple[int, ...]]:
        """Return the phrases in tokens."""


_lock = threading.RLock()
_graphs: WeakKeyDictionary[Transducer, ContextualBias | None] = WeakKeyDictionary()
_lists: WeakKeyDictionary[AttendedBias, dict[int, tuple[int, ListAttention | None]]] = WeakKeyDictionary()
"""By the model's identity: at how many edits, and the list then."""


def contextual_bias(model: Transducer) -> ContextualBias | None:
    """Return a model's graphs for attention, loaded once; None if it has none, or tells no phones.

    Raises:
        ModelFileError: they are damaged or do not fit.
    """
    with _lock:
        if model not in _graphs:
            there = bool(model.phones) and ContextualBias.is_in(model.info.folder)
            _graphs[model] = ContextualBias(model) if there else None
        return _graphs[model]


def attention_to(model: Transducer, bias: AttendedBias) -> ListAttention | None:
    """Return what attends to a list as it is now; None if the model cannot, or none of its phrases counts."""
    bias = bias.origin
    edits = bias.edits
    made = _lists.get(bias, {}).get(id(model))
    if made is not None and made[0] == edits:  # asked for at every chunk: mostly nothing has changed
        return made[1]
    graphs = contextual_bias(model)
    if graphs is None:
        return None
    with _lock:
        edits = bias.edits
        book = graphs.book(bias.spelled())
        attention = ListAttention(model, graphs, book) if len(book) else None
        _lists.setdefault(bias, {})[id(model)] = edits, attention
        return attention
