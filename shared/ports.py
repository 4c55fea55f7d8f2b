"""What the product needs of the world: Protocols of a few verbs each.

Real adapters are in shared/gcp; the fakes of the tests pass the same contract suites. Every verb
answers within a deadline of its adapter, or raises Unavailable (nothing is known), Rejected (the
answer is no) or Moved (a precondition failed).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from msgspec import Struct

from shared.credential import Credential
from shared.deployment import Inventory
from shared.estate import Estate
from shared.health import ProbeAnswer, Requests
from shared.inventory import FunctionState
from shared.policy import Channel, Probe
from shared.traffic import Revision, Service, Traffic


class Clock(Protocol):
    """Time."""

    def now(self) -> datetime:
        """The time, aware UTC; may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        ...


Ids = Callable[[], str]
"""A new id on each call, never the same twice."""


class _ServerTime:
    def __repr__(self) -> str:
        return "SERVER_TIME"


SERVER_TIME: Final[Any] = _ServerTime()
"""A field value that the store replaces by the time of the commit."""


class Document(Struct, frozen=True):
    """A document as read; its fields are None when there is none."""

    path: str
    fields: dict[str, Any] | None
    version: datetime | None
    read_at: datetime
    """By the store's clock, which judges leases."""


class Create(Struct, frozen=True):
    """Write a document that must not exist."""

    path: str
    fields: dict[str, Any]


class Update(Struct, frozen=True):
    """Replace the named top-level fields of a document that must exist, unchanged since `version`.

    A version of None asks for existence alone.
    """

    path: str
    fields: dict[str, Any]
    version: datetime | None = None


class Put(Struct, frozen=True):
    """Write a whole document, whatever was there."""

    path: str
    fields: dict[str, Any]


Write = Create | Update | Put


def written(document: Document, fields: dict[str, Any]) -> Write:
    """The write of a document that must still be as it was read, absent or not."""
    if document.fields is None:
        return Create(document.path, fields)
    return Update(document.path, fields, document.version)


class Query(Struct, frozen=True):
    """Documents of one collection; all conditions hold, ascending by `order_by`, then by id."""

    collection: str
    where: tuple[tuple[str, str, Any], ...] = ()
    """Field, one of == < <= > >=, value."""
    order_by: str | None = None
    limit: int | None = None


class Reader(Protocol):
    """The reads of a transaction."""

    def get(self, path: str) -> Document:
        """The document, present or not."""
        ...

    def query(self, query: Query) -> list[Document]:
        """What matches, consistent with every other read of the transaction."""
        ...


class Store(Reader, Protocol):
    """Documents with versions: Firestore."""

    def commit(self, writes: Sequence[Write]) -> datetime:
        """Apply all writes or none; the version that every changed document has now.

        Raises: Exists (a Create found one), Moved (another precondition failed), Ambiguous (it may
        have been applied, and a repeat by the client's own retry may hide that behind Exists or
        Moved), Throttled (not applied).
        """
        ...

    def transact(self, work: Callable[[Reader], Sequence[Write]]) -> datetime | None:
        """Run `work` over consistent reads and commit what it returns; None when that is nothing.

        `work` may run several times. Raises: as `commit`; Throttled when contention did not end.
        """
        ...


class Bus(Protocol):
    """Topics: Pub/Sub."""

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> str:
        """The message's id, once the service keeps it."""
        ...


class Letter(Struct, frozen=True):
    """A message that nobody could act on, as it is kept."""

    id: str
    """Of the message that it was."""
    handle: str
    """By which it is acknowledged."""
    source: str
    """The topic it came from, `projects/P/topics/T`; "" when nothing tells."""
    reason: str
    data: bytes
    attributes: dict[str, str]
    """Those of the message itself, without what was added to keep it."""


class Letters(Protocol):
    """Dead letters, for a person who brings them back: Pub/Sub."""

    def pull(self, limit: int) -> list[Letter]:
        """Some of the letters that nobody has in hand; empty when there are none now.

        Whoever pulls has them in hand, for minutes.
        """
        ...

    def resend(self, letter: Letter) -> None:
        """Publish the letter where it came from. Raises: Rejected when there is no such topic."""
        ...

    def acknowledge(self, letter: Letter) -> None:
        """The letter is kept no longer."""
        ...

    def put_back(self, letters: Iterable[Letter]) -> None:
        """The letters are in nobody's hand any more."""
        ...


class Objects(Protocol):
    """What is written once and read by name: one bucket of Cloud Storage."""

    def create(self, name: str, content: bytes, content_type: str = "application/json") -> None:
        """Keep the content under a name that is free.

        Raises: Exists; Ambiguous (it may be kept), Throttled (it is not).
        """
        ...

    def read(self, name: str) -> bytes | None:
        """The content; None where there is no such object."""
        ...

    def names(self, prefix: str) -> list[str]:
        """The names that begin so, ascending."""
        ...


class OperationState(Struct, frozen=True):
    """A long-running change of the platform as last seen."""

    done: bool
    error: str = ""


class Platform(Protocol):
    """The functions of one protected system, and the traffic of the services behind them."""

    def inventory(self) -> Inventory:
        """What is live now, read whole."""
        ...

    def functions(self) -> dict[str, FunctionState]:
        """Every function of both generations, by name, as it would be recorded."""
        ...

    def service(self, name: str) -> Service:
        """One service by its full name. Raises: Rejected when it is gone."""
        ...

    def revision(self, service: str, revision: str) -> Revision:
        """One revision by its short name. Raises: Rejected when it is gone."""
        ...

    def shift(self, service: str, traffic: Traffic, etag: str, *, dry_run: bool = False) -> str:
        """Replace the traffic list of a service that is still at `etag`; the operation's name.

        Raises: Moved on another etag, Throttled, Ambiguous.
        """
        ...

    def operation(self, name: str) -> OperationState:
        """How far an operation has come. Raises: Rejected when it is not known any more."""
        ...


class Metrics(Protocol):
    """What the routers counted. Points come up to 3 minutes late."""

    def requests(self, start: datetime, end: datetime) -> dict[str, Requests]:
        """Per service (short name), over the points that lie whole within `start` and `end`."""
        ...


class AlertStates(Protocol):
    """What Cloud Monitoring says of its alerts now, whatever it notified of."""

    def is_open(self, alert: str) -> bool:
        """Whether the alert of that id is open. Raises: Rejected when there is none."""
        ...


class Prober(Protocol):
    """A look from outside."""

    def ask(self, probe: Probe) -> ProbeAnswer:
        """One request, never a redirect, within the probe's time-out.

        Raises: Rejected for an address that must not be asked; Unavailable when we could not ask.
        """
        ...


class Sender(Protocol):
    """A way to tell people."""

    def send(self, channel: Channel, key: str, notice: Mapping[str, Any]) -> None:
        """Hand over one notice; `key` lets a channel recognise a repeat.

        Raises: Unavailable (try again), Rejected (never will).
        """
        ...


class Identity(Protocol):
    """Proof of who speaks: Firebase Authentication, and Google's service accounts."""

    def verify(self, token: str) -> Credential:
        """Who holds this token, by its signature and as of now.

        Raises: Rejected (malformed, foreign, expired, revoked, the user is gone or disabled), with
        a reason that holds no part of the token; Unavailable when keys or user cannot be looked up.
        """
        ...


class Pool(Protocol):
    """Calls that run beside each other, each with a deadline of its own."""

    def submit(self, key: str, call: Callable[[], Any]) -> None:
        """Run the call; its end is one item of a later `wait`."""
        ...

    def wait(self, seconds: float) -> list[tuple[str, Any]]:
        """Key and value (or the exception) of each call that ended.

        Waits for the first of them, no longer than that; returns at once when there is none.
        """
        ...

    def __len__(self) -> int:
        """Calls submitted whose end was not handed out yet."""
        ...

    def close(self) -> None:
        """Return when every call has ended."""
        ...


class Ports(Protocol):
    """All of them, each built when it is first asked for."""

    @property
    def store(self) -> Store:
        """Where state is kept."""
        ...

    @property
    def bus(self) -> Bus:
        """How work is handed on."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    @property
    def ids(self) -> Ids:
        """Where new ids come from."""
        ...

    @property
    def prober(self) -> Prober:
        """Looks from outside."""
        ...

    @property
    def sender(self) -> Sender:
        """Tells people."""
        ...

    @property
    def identity(self) -> Identity:
        """Verifies who speaks."""
        ...

    @property
    def anchors(self) -> Objects | None:
        """Where heads of audit chains are anchored; None: nowhere."""
        ...

    def platform(self, system: str) -> Platform:
        """The platform of one protected system."""
        ...

    def estate(self, system: str) -> Estate:
        """What one protected system has beside its functions."""
        ...

    def metrics(self, system: str) -> Metrics:
        """The metrics of one protected system."""
        ...

    def alert_states(self, system: str) -> AlertStates:
        """The alerts of one protected system."""
        ...

    def pool(self) -> Pool:
        """A pool of its own for one invocation, closed by who asked for it."""
        ...
