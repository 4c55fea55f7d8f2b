"""What the embedded cloud keeps across a restart: a write-through log in SQLite."""

import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import grpc

from local.core.grpc_services import StatusError

Row: TypeAlias = tuple[str, str, bytes | None]
"""A service, a key of its own, and what stands there from now on; None: nothing."""


class Journal:
    """Keys and values per service; each `write` is one durable transaction.

    Without a folder it lives in memory and is gone with the process. Once it is closed, reading and
    writing raise Refused: whoever asks so late is told UNAVAILABLE, or 503.
    """

    def __init__(self, folder: Path | None = None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._is_closed = False
        self._database = sqlite3.connect(
            folder / "cloud.sqlite3" if folder else ":memory:", check_same_thread=False, isolation_level=None
        )
        # An open connection that is collected warns, from Python 3.13 on; nobody need close memory.
        weakref.finalize(self, self._database.close)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS entries (service TEXT, key TEXT, value BLOB,"
            " PRIMARY KEY (service, key)) WITHOUT ROWID"
        )

    def read(self, service: str) -> Iterator[tuple[str, bytes]]:
        """Everything that a service wrote, by ascending key."""
        with self._open():
            rows = self._database.execute(
                "SELECT key, value FROM entries WHERE service = ? ORDER BY key", (service,)
            ).fetchall()
        yield from rows

    def write(self, service: str, changes: Iterable[tuple[str, bytes | None]]) -> None:
        """Apply all changes or none; None removes the key."""
        self.write_together((service, key, value) for key, value in changes)

    def write_together(self, rows: Iterable[Row]) -> None:
        """Apply changes of several services, all or none."""
        with self._open():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                for service, key, value in rows:
                    if value is None:
                        self._database.execute(
                            "DELETE FROM entries WHERE service = ? AND key = ?", (service, key)
                        )
                    else:
                        self._database.execute(
                            "INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", (service, key, value)
                        )
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def close(self) -> None:
        """Flush and let go of the file."""
        with self._lock:
            self._is_closed = True
            self._database.close()

    @contextmanager
    def _open(self) -> Iterator[None]:
        """The body has the database to itself. Raises: Refused."""
        with self._lock:
            if self._is_closed:
                raise StatusError(grpc.StatusCode.UNAVAILABLE, "The embedded cloud has stopped.")
            yield
