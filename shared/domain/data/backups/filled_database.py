"""A database of ours that is filled: what copies and restore tests have in common. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, TypeVar

from msgspec.structs import replace

from shared.core.codec import StoredDocument
from shared.domain.data.erasure.ledger import ErasureProgress
from shared.domain.data.integrity.scan import CollectionTally, ScanRun

FILL_TIMEOUT = timedelta(minutes=30)
"""A new and empty database can be filled within minutes: what is refused for longer stays so."""


class FillStatus(StrEnum):
    """How far it has come."""

    MAKING = "MAKING"
    """A copy is filled."""
    RESTORING = "RESTORING"
    """A backup is restored, as a proof of it."""
    CHECKING = "CHECKING"
    READY = "READY"
    """A copy that waits for people."""
    LETTING_GO = "LETTING_GO"
    """The database of a copy is deleted."""
    CLOSING = "CLOSING"
    """What came of a proof is known, and its database is deleted."""
    DELETED = "DELETED"
    PROVEN = "PROVEN"
    FAILED = "FAILED"
    """It never was one; its database is deleted."""
    LEFT = "LEFT"
    """Somebody uses the database of a copy, and nobody here deletes it."""


FILLING_STATUSES = frozenset({FillStatus.MAKING, FillStatus.RESTORING, FillStatus.CHECKING})


class FilledDatabase(StoredDocument, kw_only=True):
    """One such database, as far as it has come."""

    CLOSES: ClassVar[FillStatus]
    """While its database is deleted."""
    id: str
    system: str
    original: str
    """The database whose documents it holds."""
    began_at: datetime
    status: FillStatus
    is_over: bool = False
    """Whether nothing more is done for it: what is looked for in the store."""
    asked_at: datetime | None = None
    """When the filling was asked for last; None: not yet, and there is no database."""
    operation: str = ""
    purge: ErasureProgress = ErasureProgress()
    """Who was erased since then is taken out before anybody looks."""
    run: ScanRun | None = None
    waiting: str = ""
    """Why it came no further the last time."""
    faults: tuple[str, ...] = ()
    """Why it is none."""
    filled_at: datetime | None = None
    closing_at: datetime | None = None
    ended_at: datetime | None = None
    expires_at: datetime | None = None


AnyFilledDatabase = TypeVar("AnyFilledDatabase", bound=FilledDatabase)


def start_deletion(one: AnyFilledDatabase, now: datetime) -> AnyFilledDatabase:
    """The one whose database is left to delete."""
    return replace(one, status=one.CLOSES, closing_at=now)


def mark_failed(one: AnyFilledDatabase, fault: str, now: datetime) -> AnyFilledDatabase:
    """The one that is none; its database is left to delete."""
    return start_deletion(replace(one, run=None, faults=(*one.faults, fault), waiting=""), now)


def mark_ended(one: AnyFilledDatabase, status: FillStatus, now: datetime, why: str = "") -> AnyFilledDatabase:
    """The one that is at its end."""
    return replace(one, status=status, is_over=True, ended_at=now, waiting=why)


def faulty_collections(run: ScanRun, tolerance: float = 0.0) -> Iterator[tuple[str, CollectionTally, str]]:
    """The collections with more faulty documents than that share, and by which checks."""
    for name, tally in sorted(run.tallies.items()):
        if tally.faulty > tally.documents * tolerance:
            yield name, tally, ", ".join(f"{count} by {check}" for check, count in tally.checks.items())
