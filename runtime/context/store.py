"""What was said, asked and shown, kept from one process to the next: texts encrypted, everything for a short time."""

import math
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path
from typing_extensions import Self

from .encryption import Cipher, load_key
from .errors import ContextError, ContextStoreError
from .tables import MAX_VALUE, EventKind, EventRow, Item, Tables

STORE_FILE = "context.db"
DEFAULT_SECONDS = 600.0
"""How long an interaction is kept after its last event."""
MAX_TEXTS = 1000
"""Texts of one event that are kept, the first ones."""
MAX_CHARACTERS = 8000
"""Characters of a text that are kept."""


@dataclass(frozen=True)
class StoredInteraction:
    """What a store knows of an interaction, decrypted."""

    interaction: str
    texts: dict[EventKind, tuple[str, ...]]
    act: str | None
    """Of the reply; None where the microphone is not to open: nothing is computed then."""
    expires: float
    """Seconds since 1970."""


class ContextStore:
    """Interactions in two tables of a database, of which the second is encrypted; see ``tables``.

    >>> with open_store() as store:
    ...     store.write("kitchen-17", EventKind.reply, ["Do you mean Meg Jones or Meg Bauer?"])
    ...     row = store.write("kitchen-17", EventKind.expect_speech, act="clarify")
    ...     store.read(row).texts
    """

    def __init__(
        self,
        tables: Tables,
        cipher: Cipher,
        *,
        seconds: float = DEFAULT_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Keep contexts in ``tables``.

        Args:
            tables: of a database.
            cipher: encrypts the texts.
            seconds: how long an interaction is kept after its last event.
            clock: seconds since 1970.

        Raises:
            ContextError: ``seconds`` is not above 0.
        """
        if not 0 < seconds < math.inf:
            raise ContextError(f"seconds is {seconds}: expected a number above 0; contexts do not stay for ever")
        self._tables, self._cipher, self._seconds, self._clock = tables, cipher, seconds, clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, interaction: str, kind: EventKind, texts: Sequence[str] = (), *, act: str = "") -> EventRow:
        """Note an event, in one operation, and return what is known of the interaction then (texts still encrypted).

        Of more than ``MAX_TEXTS`` texts the first are kept, of longer ones the first ``MAX_CHARACTERS`` characters.

        Raises:
            ContextStoreError: it cannot be written; nothing has changed then.
            ContextError: the name of the interaction or of the act is empty or too long.
        """
        if not 0 < len(interaction) <= MAX_VALUE:
            raise ContextError(
                f"interaction {interaction[:MAX_VALUE]!r}: expected a name of 1 to {MAX_VALUE} characters"
            )
        if len(act) > MAX_VALUE:
            raise ContextError(f"act {act[:MAX_VALUE]!r}: expected a name of at most {MAX_VALUE} characters")
        now = self._clock()
        if kind is EventKind.expect_speech:
            return self._tables.write(interaction, kind, act, (), now=now, expires=now + self._seconds)
        batch, kept = secrets.token_hex(6), [text[:MAX_CHARACTERS] for text in texts[:MAX_TEXTS]]
        items = [
            Item(number, self._cipher.encrypt(text, _place(interaction, batch, number)))
            for number, text in enumerate(kept)
        ]
        value = f"{batch}:{len(items)}"
        return self._tables.write(interaction, kind, value, items, now=now, expires=now + self._seconds)

    def row(self, interaction: str) -> EventRow | None:
        """Return what is known of an interaction, texts still encrypted; None if there is nothing."""
        return self._tables.row(interaction, now=self._clock())

    def read(self, row: EventRow) -> StoredInteraction:
        """Decrypt the texts of an interaction; to be called when a context is computed, and not before.

        Raises:
            ContextKeyError: the key is another one.
            ContextStoreError: the texts cannot be read, or are not all there any more.
        """
        texts: dict[EventKind, tuple[str, ...]] = {
            kind: self._batch(row.interaction, value)
            for kind, value in row.events.items()
            if kind is not EventKind.expect_speech
        }
        return StoredInteraction(row.interaction, texts, row.events.get(EventKind.expect_speech), row.expires)

    def _batch(self, interaction: str, value: str) -> tuple[str, ...]:
        batch, _, count = value.partition(":")
        items = self._tables.items(interaction, batch, now=self._clock())
        if len(items) != int(count):
            raise ContextStoreError(f"interaction {interaction!r}: {len(items)} of {count} texts are there")
        return tuple(self._cipher.decrypt(item.data, _place(interaction, batch, item.number)) for item in items)

    def rows(self) -> list[EventRow]:
        """Return all interactions, the one that expires next first; texts still encrypted."""
        return self._tables.rows(now=self._clock())

    def delete(self, interaction: str) -> bool:
        """Remove an interaction; returns whether it was there."""
        return self._tables.delete(interaction)

    def purge(self, *, everything: bool = False) -> int:
        """Remove what has expired, or everything; returns how many rows that were."""
        return self._tables.purge(now=math.inf if everything else self._clock())

    def close(self) -> None:
        """Let go of the database."""
        self._tables.close()


def _place(interaction: str, batch: str, number: int) -> str:
    return f"{interaction}/{batch}/{number}"


def default_path() -> Path:
    """Return where the store of this user lies."""
    return user_data_path("nearword") / STORE_FILE


def open_store(
    where: str | Path | None = None, *, key: str | Path = "auto", seconds: float = DEFAULT_SECONDS, create: bool = True
) -> ContextStore:
    """Open a store.

    Args:
        where: file of SQLite, by default in the user's data folder; or ``dynamodb:PREFIX`` for tables in DynamoDB.
        key: ``keyring``, a file, or ``auto``; see ``encryption.load_key``.
        seconds: how long an interaction is kept after its last event.
        create: whether a missing key is made.

    Raises:
        ContextKeyError: the key cannot be had.
        ContextStoreError: the database cannot be opened.
    """
    cipher = Cipher(load_key(key, create=create))
    return ContextStore(open_tables(where), cipher, seconds=seconds)


def open_tables(where: str | Path | None = None) -> Tables:
    """Open the tables of a store, for which no key is needed; see ``open_store``.

    Raises:
        ContextStoreError: the database cannot be opened.
    """
    if isinstance(where, str) and where.startswith("dynamodb:"):
        from .dynamodb_tables import DynamoTables  # noqa: PLC0415 (optional)

        return DynamoTables(where.partition(":")[2])
    from .sqlite_tables import SqliteTables  # noqa: PLC0415 (only where one stores)

    return SqliteTables(default_path() if where is None else where)
