"""The one lock of the service: reads, commits, and who waits for whom."""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from random import Random
from typing import Protocol, TypeAlias

from google.protobuf.message import Message

from local.core.clock import CloudClock
from local.core.journal import Journal, Row
from local.services.firestore.data.databases import Databases
from local.services.firestore.data.documents import DocumentHistory
from local.services.firestore.messages import Document, TransactionOptions, Write
from local.services.firestore.queries.query import DocumentQuery
from local.services.firestore.statuses import aborted, cancelled, failed_precondition, invalid_argument
from local.services.firestore.timeline import Timeline, to_timestamp
from local.services.firestore.writes.transactions import (
    CONTENTION,
    Age,
    Concurrency,
    Transaction,
    Transactions,
    TransactionState,
)
from local.services.firestore.writes.writes import WriteOutcome, apply

LOCK_TIMEOUT = timedelta(seconds=20)
"""How long a commit waits for who holds what it changes."""

Listener: TypeAlias = Callable[[Collection[str]], None]
"""Told the names of the documents that a commit changed; must be quick and must not call back."""


class ChangePublisher(Protocol):
    """Whoever carries the news of what is written; it is quick, and does not call back."""

    def build_event_rows(
        self,
        database: str,
        changes: Mapping[str, Document | None],
        before: Callable[[str], Document | None],
        time: int,
    ) -> list[Row]:
        """What is to be kept with a commit, so that it is told whatever happens."""
        ...

    def publish_events(self, news: Sequence[Row]) -> None:
        """Carry what has been kept."""
        ...


_POLL_INTERVAL_SECONDS = 0.05
"""Wall time after which a waiting commit looks at the cloud's clock again."""


@dataclass(frozen=True)
class DocumentView:
    """The documents at one time, perhaps through a transaction, which remembers what it saw."""

    documents: DocumentHistory
    time: int
    transaction: Transaction | None = None
    begun: bytes = b""
    """The token of the transaction that this very request began."""

    def get(self, name: str) -> Document | None:
        """A document, or None."""
        if self.transaction is not None:
            self.transaction.names.add(name)
        return self.documents.get(name, self.time)

    def run(self, query: DocumentQuery) -> list[Document]:
        """The whole documents that a query finds."""
        found = query.run(self.documents, self.time)
        if self.transaction is not None:
            self.transaction.queries.append((query, found))
        return found


@dataclass(frozen=True)
class _PendingCommit:
    """A commit that is being carried out, or waits for its turn."""

    database: str
    writes: list[Write]
    transaction: Transaction | None
    age: Age
    deadline: int
    is_wanted: Callable[[], bool]


class FirestoreEngine:
    """All databases behind one lock; safe for threads."""

    def __init__(self, clock: CloudClock, journal: Journal, databases: Databases, randomness: Random) -> None:
        self._admit = databases.require_usable
        self._turn = threading.Condition()
        self._timeline = Timeline(clock, databases.recovers, databases.any_recovers)
        self._documents = DocumentHistory(journal, self._timeline)
        self._transactions = Transactions(self._timeline, databases.concurrency, randomness)
        self._listeners: list[Listener] = []
        self.herald: ChangePublisher | None = None
        """Told of every write that changes a document; not of what imports and restores bring."""

    def begin(self, database: str, options: TransactionOptions) -> bytes:
        """The token of a new transaction."""
        self._admit(database)
        with self._turn:
            return self._transactions.begin(database, options).token

    def roll_back(self, database: str, token: bytes) -> None:
        """End a transaction without effect."""
        with self._turn:
            self._transactions.roll_back(token, database)
            self._turn.notify_all()

    @contextmanager
    def read_request(self, database: str, request: Message, at: int | None = None) -> Iterator[DocumentView]:
        """What a request may see, nothing changing meanwhile: the time that its selector says.

        `at` overrules the selector: the time of the first page.

        Raises: Refused for a transaction that is over, or a time that cannot be read.
        """
        self._admit(database)
        with self._turn:
            selector = request.WhichOneof("consistency_selector")
            if at is not None:
                yield DocumentView(self._documents, self._timeline.check_read(database, to_timestamp(at)))
            elif selector == "read_time":
                yield DocumentView(self._documents, self._timeline.check_read(database, request.read_time))
            elif selector == "transaction":
                yield self._through(self._transactions.join(request.transaction, database))
            elif selector == "new_transaction":
                begun = self._transactions.begin(database, request.new_transaction)
                yield replace(self._through(begun), begun=begun.token)
            else:
                yield DocumentView(self._documents, self._timeline.read())

    @contextmanager
    def read_at(self, at: int | None = None) -> Iterator[DocumentView]:
        """The newest state, or what is still known of another time; nothing changes meanwhile."""
        with self._turn:
            now = self._timeline.read()
            yield DocumentView(self._documents, now if at is None else at)

    @contextmanager
    def continue_read(self, time: int) -> Iterator[DocumentView]:
        """The time at which somebody has begun to read, for more of it; nothing changes meanwhile.

        Raises: Refused, once that cannot be read any more.
        """
        with self._turn:
            if time < self._timeline.horizon():
                raise failed_precondition("The requested 'read_time' is too old.")
            yield DocumentView(self._documents, time)

    def fill(self, documents: Iterable[Document]) -> None:
        """Let documents be there as they are, whatever anybody may do with their database."""
        with self._turn:
            filled = {document.name: document for document in documents}
            self._documents.commit(filled, self._timeline.commit())

    def drop(self, database: str) -> None:
        """Let every document of a database be gone."""
        with self._turn:
            time = self._timeline.commit()
            gone = {
                document.name: None
                for collection in self._documents.collections_below(f"{database}/documents")
                for document in self._documents.documents_in(collection, time)
            }
            self._documents.commit(gone, time)

    def commit(
        self, database: str, writes: Iterable[Write], is_wanted: Callable[[], bool], token: bytes = b""
    ) -> tuple[WriteOutcome, int]:
        """Carry out all the writes or none; what they changed, and the commit's time.

        A commit that has to wait gives up when it is no longer wanted. However it ends, the
        transaction is over.

        Raises: Refused.
        """
        self._admit(database)
        with self._turn:
            transaction = self._transactions.join(token, database) if token else None
            pending = _PendingCommit(
                database=database,
                writes=list(writes),
                transaction=transaction,
                age=transaction.age if transaction else self._transactions.next_age(),
                deadline=self._timeline.read() + LOCK_TIMEOUT // timedelta(microseconds=1),
                is_wanted=is_wanted,
            )
            outcome = TransactionState.ROLLED_BACK
            try:
                committed = self._carry_out(pending)
                outcome = TransactionState.COMMITTED
                return committed
            finally:
                if transaction is not None:
                    transaction.state = outcome
                    self._turn.notify_all()

    @contextmanager
    def add_listener(self, listener: Listener) -> Iterator[None]:
        """Tell a listener of every commit within the block."""
        with self._turn:
            self._listeners.append(listener)
        try:
            yield
        finally:
            with self._turn:
                self._listeners.remove(listener)

    def _through(self, transaction: Transaction) -> DocumentView:
        """What a transaction sees; it remembers only where others can come between."""
        if transaction.concurrency is Concurrency.PESSIMISTIC:
            return DocumentView(self._documents, self._timeline.read(), transaction)
        if transaction.snapshot is None:
            transaction.snapshot = self._timeline.read()
        remembers = transaction.concurrency is Concurrency.OPTIMISTIC
        return DocumentView(self._documents, transaction.snapshot, transaction if remembers else None)

    def _carry_out(self, pending: _PendingCommit) -> tuple[WriteOutcome, int]:
        while True:
            time = self._timeline.commit()
            self._check_transaction(pending, time)
            read = partial(self._documents.get, time=time)
            applied = apply(pending.writes, pending.database, read, time)
            if not self._must_wait(pending, applied, time):
                break
            self._wait(pending)
        herald = self.herald
        news = herald.build_event_rows(pending.database, applied.changes, read, time) if herald else []
        self._documents.commit(applied.changes, time, news)
        for listener in self._listeners:
            listener(applied.changes.keys())
        if herald and news:
            herald.publish_events(news)
        return applied, time

    def _check_transaction(self, pending: _PendingCommit, time: int) -> None:
        """Refuse writes of a transaction that only reads, or whose reads are not so any more."""
        transaction = pending.transaction
        if transaction is None or not pending.writes:
            return
        if transaction.concurrency is None:
            raise invalid_argument("Cannot modify entities in a read-only transaction.")
        if transaction.state is TransactionState.WOUNDED or transaction.is_snapshot_outdated(
            self._documents, time
        ):
            raise aborted(CONTENTION)

    def _must_wait(self, pending: _PendingCommit, applied: WriteOutcome, time: int) -> bool:
        """Whether an older transaction holds what changes here; younger ones are wounded."""
        must_wait = False
        for holder in self._transactions.holders():
            if holder is pending.transaction:
                continue
            if not holder.conflicts_with(applied.changes, self._documents, time):
                continue
            if holder.age < pending.age:
                must_wait = True
            else:
                holder.state = TransactionState.WOUNDED
                self._turn.notify_all()
        return must_wait

    def _wait(self, pending: _PendingCommit) -> None:
        if self._timeline.read() >= pending.deadline:
            raise aborted("Too much contention on these documents. Please try again.")
        self._turn.wait(_POLL_INTERVAL_SECONDS)
        if not pending.is_wanted():
            raise cancelled("Nobody waits for this commit any more.")
