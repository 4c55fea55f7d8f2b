"""A copy of a database as of a restore point, from its intent to its end. Pure.

One document each, `copies/{id}`; the copy is a database of that name, which is on record before it
is made. Nobody's own data is touched: a copy is read, or a person lets the application use it
(docs/cutover.md), and what nobody uses is deleted once its time is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared import backing, integrity
from shared.backup import Restoring, cloned_from, in_a_database
from shared.documents import SCHEMA
from shared.erasure import Progress
from shared.integrity import Run
from shared.policy import Policy
from shared.resources import CopyRules
from shared.restore_point import Point, Source
from shared.rollback import KEPT_FOR

MOST: Final = 2
"""So many copies of one system are made beside each other."""
FILLED_WITHIN: Final = timedelta(minutes=30)
"""A new and empty database can be filled within minutes: what is refused for longer stays so."""
LET_GO_WITHIN: Final = timedelta(hours=1)
"""Whoever works on it has ended by then: what still may not be deleted is somebody's."""
_PREFIX: Final = "copy-"


class Status(StrEnum):
    """How far a copy has come. The last three are ends."""

    MAKING = "MAKING"
    CHECKING = "CHECKING"
    READY = "READY"
    LETTING_GO = "LETTING_GO"
    """Its database is deleted."""
    DELETED = "DELETED"
    FAILED = "FAILED"
    """It never was one; its database is deleted, where it was ours."""
    LEFT = "LEFT"
    """Somebody uses its database, and nobody here deletes it."""


UNDER_WAY: Final = frozenset({Status.MAKING, Status.CHECKING})


class Copy(Struct, frozen=True):
    """One copy, and what came of it."""

    id: str
    """Its database's, too."""
    system: str
    original: str
    """The database that it is a copy of."""
    point: Point
    location: str
    """Where it is made; of a native backup that is the backup's place anyway."""
    command: str
    actor: str
    reason: str
    began_at: datetime
    status: Status = Status.MAKING
    is_over: bool = False
    """Whether nothing more is done for it: what is looked for in the store."""
    asked_at: datetime | None = None
    """When it was asked for last; None: not yet."""
    asks: int = 0
    is_ours: bool = False
    """Whether its database is known to be made by us: nothing else is filled or deleted."""
    operation: str = ""
    made_at: datetime | None = None
    purge: Progress = Progress()
    """Who was erased since then is taken out before anybody looks, and again while it is kept."""
    purged_at: datetime | None = None
    """When that was begun last."""
    run: Run | None = None
    """The look through it."""
    waiting: str = ""
    """Why it came no further the last time."""
    faults: tuple[str, ...] = ()
    """Why it is none."""
    ready_at: datetime | None = None
    counts: dict[str, int] = {}
    """Documents of each declared collection when it was ready: others mean that it is used."""
    kept_until: datetime | None = None
    reminded_at: datetime | None = None
    closing_at: datetime | None = None
    """When it was to be deleted."""
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    schema: int = SCHEMA

    @property
    def source(self) -> str:
        """What its database is filled from, as its operation tells it."""
        if self.point.source is Source.WINDOW:
            return cloned_from(self.original, self.point.at)
        return self.point.place


def path(copy: str) -> str:
    """Where a copy is kept."""
    return f"copies/{copy}"


def id_of(system: str, now: datetime) -> str:
    """The name of a copy that is asked for now, and of its database."""
    return f"{_PREFIX}{in_a_database(system)}-{now.astimezone(UTC):%Y%m%d%H%M%S}"


def asked(copy: Copy, now: datetime) -> Copy:
    """The copy that is asked for now, once this is on record."""
    return replace(copy, asked_at=now, asks=copy.asks + 1, waiting="")


def may_ask(copy: Copy, now: datetime) -> bool:
    """Whether no request for it can be on its way any more."""
    return copy.asked_at is None or now >= copy.asked_at + backing.ASKED_FOR


def is_late(copy: Copy, rules: CopyRules, now: datetime) -> bool:
    """Whether it takes longer than the policy allows."""
    return now >= copy.began_at + rules.within


def filled(copy: Copy, found: Restoring, now: datetime) -> Copy:
    """The copy by what fills its database: another source means that it is somebody's."""
    if found.source != copy.source:
        return taken(copy, now)
    known = replace(copy, is_ours=True, operation=found.operation, waiting="")
    if found.ended_at is None:
        return replace(known, waiting=f"{found.percent} % of it is there" if found.percent else "")
    if found.failure:
        return failed(known, f"it could not be made: {found.failure}", now)
    return replace(known, status=Status.CHECKING, made_at=found.ended_at)


def again(copy: Copy, found: Restoring) -> Copy:
    """The copy that is filled once more, by whoever had stood still: it is looked through anew."""
    return replace(
        copy, status=Status.MAKING, operation=found.operation, purge=Progress(), run=None
    )


def taken(copy: Copy, now: datetime) -> Copy:
    """The copy whose name somebody's database has."""
    return failed(copy, f"there is a database {copy.id} already, of another origin", now)


def failed(copy: Copy, fault: str, now: datetime) -> Copy:
    """The copy that is none; what we have made of it is left to delete."""
    return let_go(replace(copy, run=None, faults=(*copy.faults, fault), waiting=""), now)


def ready(copy: Copy, counts: Mapping[str, int], rules: CopyRules, now: datetime) -> Copy:
    """The copy once all was looked through."""
    return replace(
        copy,
        status=Status.READY,
        counts=dict(counts),
        ready_at=now,
        kept_until=now + rules.kept,
        waiting="",
    )


def reminds(copy: Copy, rules: CopyRules, now: datetime) -> bool:
    """Whether people are to be told now that its end is near: at three quarters of its time."""
    if copy.status is not Status.READY or copy.kept_until is None or copy.reminded_at is not None:
        return False
    return copy.kept_until - rules.kept / 4 <= now < copy.kept_until


def is_used(copy: Copy, counts: Mapping[str, int]) -> bool:
    """Whether somebody has written to it: it holds other numbers of documents."""
    return dict(counts) != copy.counts


def let_go(copy: Copy, now: datetime) -> Copy:
    """The copy whose time is over; its database is left to delete."""
    return replace(copy, status=Status.LETTING_GO, closing_at=now)


def gives_up(copy: Copy, now: datetime) -> bool:
    """Whether what may not be deleted for so long is somebody's."""
    return copy.closing_at is not None and now >= copy.closing_at + LET_GO_WITHIN


def left(copy: Copy, why: str, now: datetime) -> Copy:
    """The copy that is somebody's now."""
    return _over(replace(copy, status=Status.LEFT, waiting=why), now)


def deleted(copy: Copy, now: datetime) -> Copy:
    """The copy whose database is gone, or never was ours."""
    status = Status.FAILED if copy.faults else Status.DELETED
    return _over(replace(copy, status=status, waiting=""), now)


def found(copy: Copy, policy: Policy) -> Iterator[str]:
    """What was found of a copy that is ready, one line each."""
    removed = sum(copy.purge.removed.values())
    if copy.run is not None and copy.run.counts:
        yield integrity.said(copy.run, policy.integrity)
        for name, tally in sorted(copy.run.tallies.items()):
            if tally.faulty:
                kinds = ", ".join(f"{count} by {check}" for check, count in tally.checks.items())
                yield f"{name}: {tally.faulty} of {tally.documents} are not valid ({kinds})"
    else:
        yield "whether its documents are valid is not known: the policy declares no collections"
    if policy.erasure is None:
        yield "who was erased since then may be in it: the policy declares no data of persons"
    elif removed:
        yield f"{removed} documents of people who were erased since then are taken out"


def _over(copy: Copy, now: datetime) -> Copy:
    return replace(copy, is_over=True, ended_at=now, expires_at=now + KEPT_FOR)
