"""What the product needs of the world: Protocols of a few verbs each.

Real adapters are in shared/gcp; the fakes of the tests pass the same contract suites. Every verb
answers within a deadline of its adapter, or raises Unavailable (nothing is known), Rejected (the
answer is no) or Moved (a precondition failed).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from msgspec import Struct

from shared.backup import Backups, Exports, Mirrors, Restores
from shared.buckets import Media, Objects, Pages, Provisions, Vault
from shared.credential import Credential
from shared.estate import Estate
from shared.health import ProbeAnswer
from shared.messages import Bus, Forms, Sender
from shared.operators import Person
from shared.platform import AlertStates, Builder, Metrics, Platform, Services
from shared.policy import Probe
from shared.proof import Entrance, Voice
from shared.versions import Documents, Rewrites


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


class Prober(Protocol):
    """A look from outside."""

    def ask(self, probe: Probe) -> ProbeAnswer:
        """One request, never a redirect, within the probe's time-out.

        Raises: Rejected for an address that must not be asked; Unavailable when we could not ask.
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

    def look_up(self, subject: str) -> Person:
        """A person as of now. Raises: Rejected (gone or disabled), Unavailable."""
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
    def console(self) -> str:
        """The address of the account that speaks for operators; "": nobody does."""
        ...

    @property
    def entrance(self) -> Entrance:
        """Where operators sign in."""
        ...

    @property
    def voice(self) -> Voice:
        """How the console says that it speaks."""
        ...

    @property
    def anchors(self) -> Objects | None:
        """Where heads of audit chains are anchored; None: nowhere."""
        ...

    @property
    def sources(self) -> Vault | None:
        """Where our copies of the functions' sources are; None: nowhere."""
        ...

    @property
    def values(self) -> Vault | None:
        """Where values of plain variables are, for on_work alone to read; None: nowhere."""
        ...

    @property
    def quarantine(self) -> Vault | None:
        """Where documents are kept that a repair changes, as they were before; None: nowhere."""
        ...

    @property
    def forms(self) -> Forms:
        """The templates of notices."""
        ...

    @property
    def pages(self) -> Pages | None:
        """Where the status pages stand; None: nowhere."""
        ...

    def application_bus(self, system: str) -> Bus:
        """The topics of one protected system, as far as its policy declares them."""
        ...

    @property
    def services(self) -> Services:
        """Every service that the account may see, of systems without a policy as well."""
        ...

    def platform(self, system: str) -> Platform:
        """The platform of one protected system."""
        ...

    def builder(self, system: str) -> Builder:
        """The deployments of one protected system's functions."""
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

    def exports(self, system: str) -> Exports:
        """The exports of one protected system's databases."""
        ...

    def backups(self, system: str) -> Backups:
        """The native backups of one protected system's databases."""
        ...

    def restores(self, system: str) -> Restores:
        """The databases that are made of one protected system's backups."""
        ...

    @property
    def mirrors(self) -> Mirrors:
        """The buckets that exports lie in."""
        ...

    def documents(self, system: str) -> Documents:
        """The documents of one protected system's databases."""
        ...

    def rewrites(self, system: str) -> Rewrites:
        """The same, for writing back."""
        ...

    @property
    def media(self) -> Media:
        """The files of the protected systems."""
        ...

    @property
    def provisions(self) -> Provisions:
        """What the assets of the protected systems rely on."""
        ...

    def pool(self) -> Pool:
        """A pool of its own for one invocation, closed by who asked for it."""
        ...
