"""The two tables in a file of SQLite: write-ahead log, several processes, power cuts."""

import math
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .errors import ContextStoreError
from .tables import EventKind, EventRow, Item

BUSY_SECONDS = 2.0
"""How long a write waits for another process."""
PURGE_SECONDS = 60.0
"""What has expired is removed with the first write after so long."""
_KINDS = tuple(EventKind)
_COLUMNS = ", ".join(kind.value for kind in _KINDS)
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS events (
  interaction TEXT PRIMARY KEY, {" TEXT, ".join(kind.value for kind in _KINDS)} TEXT, expires REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (
  interaction TEXT NOT NULL, batch TEXT NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL, expires REAL NOT NULL,
  PRIMARY KEY (interaction, batch, number)
) WITHOUT ROWID;
"""
_SET = {
    kind: (
        f"INSERT INTO events (interaction, {kind.value}, expires) VALUES (?, ?, ?) "  # noqa: S608
        f"ON CONFLICT (interaction) DO UPDATE SET {kind.value} = excluded.{kind.value}, "
        f"expires = max(expires, excluded.expires) RETURNING {_COLUMNS}, expires"
    )
    for kind in _KINDS
}  # names of columns are ours, values are bound


class SqliteTables:
    """``Tables`` in one file, for its owner's eyes only. Texts in it are encrypted by whoever writes them."""

    def __init__(self, path: str | Path) -> None:
        """Open the file, made if it is not there.

        Raises:
            ContextStoreError: it cannot be opened, or is no such store.
        """
        if sqlite3.sqlite_version_info < (3, 35):
            raise ContextStoreError(f"SQLite {sqlite3.sqlite_version}: expected 3.35 or later (of March 2021)")
        self._path = Path(path)
        self._lock = threading.Lock()
        self._purged = -math.inf
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise ContextStoreError(f"{self._path}: {error.strerror}; expected a file that may be written") from error
        with self._told():
            self._db = sqlite3.connect(
                self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=64
            )
            # 'normal' loses at most the last moments in a power cut, and never the file; deleted texts are overwritten
            for pragma in (
                "journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON", "wal_autocheckpoint = 4000",
            ):  # fmt: skip
                self._db.execute(f"PRAGMA {pragma}").fetchall()
            self._db.executescript(_SCHEMA)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ContextStoreError(f"{self._path}: {error}; 'nearword context purge --all' begins it anew") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def write(
        self, interaction: str, kind: EventKind, value: str, items: Sequence[Item], *, now: float, expires: float
    ) -> EventRow:
        """See ``Tables``."""
        if now >= self._purged + PURGE_SECONDS:
            self.purge(now=now)
        with self._transaction() as db:
            found = db.execute(f"SELECT {kind.value}, expires FROM events WHERE interaction = ?", (interaction,))  # noqa: S608
            for before, until in found.fetchall():
                if until <= now:
                    db.execute("DELETE FROM events WHERE interaction = ?", (interaction,))
                    db.execute("DELETE FROM items WHERE interaction = ?", (interaction,))
                elif before is not None and before != value:
                    db.execute("DELETE FROM items WHERE interaction = ? AND batch = ?", (interaction, batch_of(before)))
            if items:
                rows = [(interaction, batch_of(value), item.number, item.data, expires) for item in items]
                db.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?)", rows)
            row = db.execute(_SET[kind], (interaction, value, expires)).fetchall()[0]
        return _row(interaction, row)

    def row(self, interaction: str, *, now: float) -> EventRow | None:
        """See ``Tables``."""
        query = f"SELECT {_COLUMNS}, expires FROM events WHERE interaction = ? AND expires > ?"  # noqa: S608
        with self._lock, self._told():
            found = self._db.execute(query, (interaction, now)).fetchall()
        return _row(interaction, found[0]) if found else None

    def rows(self, *, now: float) -> list[EventRow]:
        """See ``Tables``."""
        query = f"SELECT interaction, {_COLUMNS}, expires FROM events WHERE expires > ? ORDER BY expires"  # noqa: S608
        with self._lock, self._told():
            return [_row(row[0], row[1:]) for row in self._db.execute(query, (now,)).fetchall()]

    def items(self, interaction: str, batch: str, *, now: float) -> list[Item]:
        """See ``Tables``."""
        query = "SELECT number, data FROM items WHERE interaction = ? AND batch = ? AND expires > ? ORDER BY number"
        with self._lock, self._told():
            return [Item(*row) for row in self._db.execute(query, (interaction, batch, now)).fetchall()]

    def delete(self, interaction: str) -> bool:
        """See ``Tables``."""
        with self._transaction() as db:
            db.execute("DELETE FROM items WHERE interaction = ?", (interaction,))
            found = db.execute("DELETE FROM events WHERE interaction = ?", (interaction,)).rowcount > 0
        self._forget_log()
        return found

    def purge(self, *, now: float) -> int:
        """See ``Tables``."""
        with self._transaction() as db:
            gone = sum(
                db.execute(f"DELETE FROM {table} WHERE expires <= ?", (now,)).rowcount  # noqa: S608
                for table in ("items", "events")
            )
        self._purged = now if math.isfinite(now) else self._purged
        if gone:
            self._forget_log()
        return gone

    def _forget_log(self) -> None:
        # the log still has the pages that held what was deleted; while others read it stays for another time
        with self._lock, self._told():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """See ``Tables``."""
        with self._lock:
            self._db.close()


def batch_of(value: str) -> str:
    """Return the batch that an event's string names: what stands before the colon."""
    return value.partition(":")[0]


def _row(interaction: str, values: Sequence[object]) -> EventRow:
    *events, expires = values
    return EventRow(
        interaction,
        {kind: str(value) for kind, value in zip(_KINDS, events, strict=True) if value is not None},
        float(str(expires)),
    )
