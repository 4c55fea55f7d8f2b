"""What Pub/Sub writes down, so that a restart loses nothing that was answered.

Rows of the journal, by key: `counter/sequence`, `counter/session`, `topic/{name}`,
`subscription/{name}`, `entry/{subscription}/{sequence}`, `snapshot/{name}`,
`held/{snapshot}/{sequence}`, `policy/{resource}`, `schema/{name}`.
"""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct, msgpack

from local.core.journal import Journal
from local.services.pubsub.delivery.entries import DeliveryState, Entry
from shared.core.codec import from_msgpack

JOURNAL_SERVICE = "pubsub"


class EntryRow(Struct, frozen=True):
    """The durable part of an entry. Leases are not: a restart delivers again."""

    message: bytes
    failures: int
    due: datetime | None
    acked: bool


class BrokerJournal:
    """Collects the rows of one change and writes them as one transaction."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._pending: list[tuple[str, bytes | None]] = []

    def read(self) -> dict[str, list[tuple[str, bytes]]]:
        """Every row by its kind (`topic`), each with the rest of its key, ascending."""
        rows: dict[str, list[tuple[str, bytes]]] = {}
        for key, value in self._journal.read(JOURNAL_SERVICE):
            kind, _, rest = key.partition("/")
            rows.setdefault(kind, []).append((rest, value))
        return rows

    def put(self, key: str, value: bytes | None) -> None:
        """Note a row of the change; None removes it."""
        self._pending.append((key, value))

    def put_entry(self, subscription: str, entry: Entry) -> None:
        """Note an entry of a subscription as it stands."""
        row = None
        if entry.standing is not DeliveryState.GONE:
            row = msgpack.encode(
                EntryRow(
                    entry.message.encoded, entry.failures, entry.due, entry.standing is DeliveryState.ACKED
                )
            )
        self.put(f"entry/{subscription}/{entry.message.sequence:020}", row)

    def commit(self) -> None:
        """Write everything noted as one transaction."""
        if self._pending:
            pending, self._pending = self._pending, []
            self._journal.write(JOURNAL_SERVICE, pending)


def entry_rows(rows: list[tuple[str, bytes]]) -> Iterator[tuple[str, EntryRow]]:
    """Each recorded entry with the name of its subscription, ascending by message."""
    for key, value in rows:
        yield key.rpartition("/")[0], from_msgpack(value, EntryRow)
