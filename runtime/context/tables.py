"""The two tables of a store, as any database has to provide them.

*Events*: one row per interaction, one short string per event. A write sets one event and returns the whole row, in one
operation, so that whoever writes the last event that is needed knows all the others, and nothing stale is read.
*Items*: one row per text, encrypted before it comes here. An event's string names its batch of items; items that no
event names are invisible, and both expire (the two-table design of Alexa's contextual recognition, 2022).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

MAX_VALUE = 64
"""Characters of an event's string."""


class EventKind(str, Enum):
    """What can happen in an interaction."""

    heard = "heard"
    """What the recogniser understood; its string names a batch."""
    reply = "reply"
    """What the device says; its string names a batch."""
    screen = "screen"
    """What is on the display; its string names a batch."""
    expect_speech = "expect_speech"
    """The microphone will open: the string is the act of the reply. Only with it is a context ever computed."""


@dataclass(frozen=True)
class EventRow:
    """All that is known of an interaction."""

    interaction: str
    events: dict[EventKind, str] = field(default_factory=dict)
    expires: float = 0.0
    """Seconds since 1970."""


@dataclass(frozen=True)
class Item:
    """One encrypted text."""

    number: int
    """Place in its batch, from 0."""
    data: bytes = field(repr=False)


class Tables(Protocol):
    """What a database does; safe to be called from several threads and processes."""

    def write(
        self, interaction: str, kind: EventKind, value: str, items: Sequence[Item], *, now: float, expires: float
    ) -> EventRow:
        """Set an event, with the items of the batch that ``value`` names, and return the row as it is then.

        A row that has expired is begun anew. The items are there before anybody can read the event.

        Raises:
            ContextStoreError: it cannot be written; nothing has changed then.
        """

    def row(self, interaction: str, *, now: float) -> EventRow | None:
        """Return the row of an interaction, None if there is none or it has expired."""

    def rows(self, *, now: float) -> list[EventRow]:
        """Return all rows that have not expired."""

    def items(self, interaction: str, batch: str, *, now: float) -> list[Item]:
        """Return the items of a batch that have not expired, by number."""

    def delete(self, interaction: str) -> bool:
        """Remove an interaction and its items; returns whether it was there."""

    def purge(self, *, now: float) -> int:
        """Remove what has expired; returns how many rows of both tables that were. ``inf`` removes all there is."""

    def close(self) -> None:
        """Let go of the database."""
