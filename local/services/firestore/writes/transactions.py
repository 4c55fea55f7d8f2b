"""Transactions, and who must yield to whom.

Optimistic: a transaction reads one snapshot; its commit is refused when anything that it read has
changed since. Pessimistic: it reads the newest state and holds what it read; whoever wants to
change that waits for it, and an older one takes it away (wound-wait), so that no circle can form.

Limits: https://firebase.google.com/docs/firestore/quotas and
https://firebase.google.com/docs/firestore/transaction-data-contention (read 2026-11).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, StrEnum, auto
from random import Random
from typing import TypeAlias

from google.cloud.firestore_v1 import types

from local.services.firestore.data.documents import DocumentHistory
from local.services.firestore.messages import Document, TransactionOptions
from local.services.firestore.queries.query import DocumentQuery
from local.services.firestore.statuses import aborted, invalid_argument
from local.services.firestore.timeline import Timeline, to_micros

MAX_TRANSACTION_AGE = timedelta(seconds=270)
MAX_IDLE_TIME = timedelta(seconds=60)
CONTENTION = (
    "Aborted due to cross-transaction contention. This occurs when multiple transactions attempt"
    " to access the same data, requiring Firestore to abort at least one in order to enforce"
    " serializability."
)

_MICROSECOND = timedelta(microseconds=1)
_TOKEN_BYTES = 16
_Mode = types.TransactionOptions.ConcurrencyMode

Age: TypeAlias = tuple[int, int]
"""First beginning, own beginning; smaller is older, and no two are equal."""


class Concurrency(StrEnum):
    """What a read-write transaction does about others, unless it says so itself."""

    OPTIMISTIC = "optimistic"
    PESSIMISTIC = "pessimistic"


class TransactionState(Enum):
    """Where a transaction stands."""

    ACTIVE = auto()
    WOUNDED = auto()
    """An older one took away what it held: it can only be rolled back."""
    COMMITTED = auto()
    ROLLED_BACK = auto()


@dataclass(eq=False)
class Transaction:
    """What one transaction is, and all that it has read."""

    token: bytes
    database: str
    concurrency: Concurrency | None
    """None: it only reads."""
    age: Age
    began: int
    used: int
    snapshot: int | None = None
    """The time that it reads at; None: the newest state, or not read yet."""
    state: TransactionState = TransactionState.ACTIVE
    names: set[str] = field(default_factory=set)
    queries: list[tuple[DocumentQuery, list[Document]]] = field(default_factory=list)

    def conflicts_with(
        self, changes: Mapping[str, Document | None], documents: DocumentHistory, time: int
    ) -> bool:
        """Whether these changes would change anything that it has read."""
        if not self.names.isdisjoint(changes):
            return True
        return any(
            query.is_in_range(documents.get(name, time)) or query.is_in_range(after)
            for query, _ in self.queries
            for name, after in changes.items()
        )

    def is_snapshot_outdated(self, documents: DocumentHistory, time: int) -> bool:
        """Whether anything that it read at its snapshot has changed since."""
        if self.snapshot is None:
            return False
        if any(documents.changed_at(name) > self.snapshot for name in self.names):
            return True
        return any(_versions(query.run(documents, time)) != _versions(found) for query, found in self.queries)


class Transactions:
    """The transactions of all databases.

    Not safe for threads: its callers hold the one lock of the service.
    """

    def __init__(
        self, timeline: Timeline, concurrency: Callable[[str], Concurrency], randomness: Random
    ) -> None:
        """`concurrency` says the mode of a database's transactions that name none."""
        self._timeline = timeline
        self._concurrency = concurrency
        self._randomness = randomness
        self._known: dict[bytes, Transaction] = {}
        self._begun = 0

    def begin(self, database: str, options: TransactionOptions) -> Transaction:
        """A new transaction; a retried one keeps the age of the first attempt.

        Raises: Refused when it wants to read at a time that cannot be read.
        """
        self._forget_the_old()
        now = self._timeline.read()
        read_only = options.HasField("read_only")
        transaction = Transaction(
            token=self._randomness.randbytes(_TOKEN_BYTES),
            database=database,
            concurrency=None if read_only else self._mode(database, options),
            age=self.next_age(options.read_write.retry_transaction),
            began=now,
            used=now,
            snapshot=self._snapshot(database, options) if read_only else None,
        )
        self._known[transaction.token] = transaction
        return transaction

    def join(self, token: bytes, database: str) -> Transaction:
        """The active transaction of a token, which counts as used now.

        Raises: Refused INVALID_ARGUMENT when it is unknown, expired or over; ABORTED when wounded.
        """
        transaction = self._get(token, database)
        if transaction.state is TransactionState.WOUNDED:
            raise aborted(CONTENTION)
        now = self._timeline.read()
        if transaction.state is not TransactionState.ACTIVE or self._has_expired(transaction, now):
            raise invalid_argument("The referenced transaction has expired or is no longer valid.")
        transaction.used = now
        return transaction

    def roll_back(self, token: bytes, database: str) -> None:
        """End a transaction without effect; again, or after it was wounded or refused: the same.

        Raises: Refused INVALID_ARGUMENT when it is unknown or committed.
        """
        transaction = self._get(token, database)
        if transaction.state is TransactionState.COMMITTED:
            raise invalid_argument("The referenced transaction has expired or is no longer valid.")
        transaction.state = TransactionState.ROLLED_BACK

    def next_age(self, retried: bytes = b"") -> Age:
        """The age of who begins now, perhaps as another attempt of a transaction that is known."""
        self._begun += 1
        first = self._known.get(retried)
        return (first.age[0] if first else self._begun, self._begun)

    def holders(self) -> Iterator[Transaction]:
        """The transactions that hold what they have read."""
        now = self._timeline.read()
        for transaction in self._known.values():
            if (
                transaction.concurrency is Concurrency.PESSIMISTIC
                and transaction.state is TransactionState.ACTIVE
                and not self._has_expired(transaction, now)
            ):
                yield transaction

    def _get(self, token: bytes, database: str) -> Transaction:
        transaction = self._known.get(token)
        if transaction is None or transaction.database != database:
            raise invalid_argument("Invalid transaction.")
        return transaction

    def _mode(self, database: str, options: TransactionOptions) -> Concurrency:
        match options.read_write.concurrency_mode:
            case _Mode.OPTIMISTIC:
                return Concurrency.OPTIMISTIC
            case _Mode.PESSIMISTIC:
                return Concurrency.PESSIMISTIC
            case _:
                return self._concurrency(database)

    def _snapshot(self, database: str, options: TransactionOptions) -> int:
        if options.read_only.HasField("read_time"):
            return self._timeline.check_read(database, options.read_only.read_time)
        return self._timeline.read()

    def _has_expired(self, transaction: Transaction, now: int) -> bool:
        return (
            now - transaction.began > MAX_TRANSACTION_AGE // _MICROSECOND
            or now - transaction.used > MAX_IDLE_TIME // _MICROSECOND
        )

    def _forget_the_old(self) -> None:
        """Let go of transactions that nobody can use any more; they are kept as they began."""
        horizon = self._timeline.read() - MAX_TRANSACTION_AGE // _MICROSECOND
        for token, transaction in list(self._known.items()):
            if transaction.began >= horizon:
                return
            del self._known[token]


def _versions(documents: list[Document]) -> list[tuple[str, int]]:
    return [(document.name, to_micros(document.update_time)) for document in documents]
