"""What a fence and a silence have in common: each is raised, kept up, and let fall. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from shared.documents import SCHEMA

SETTLES_WITHIN: Final = timedelta(minutes=5)
"""So long after the last intent to take something away may a request land that a worker had in
hand."""
SENT_WITHIN: Final = timedelta(seconds=30)
"""Nothing is sent by an intent that is older."""


class Status(StrEnum):
    """How far one has come."""

    RAISING = "RAISING"
    STANDING = "STANDING"
    FALLING = "FALLING"
    DOWN = "DOWN"


class Upheld(Struct, frozen=True):
    """One of them, and what came of it."""

    system: str
    command: str
    """The id of the command that a worker goes on with."""
    actor: str
    reason: str
    began_at: datetime
    until: datetime
    """It falls then."""
    rollback: str = ""
    """The one that it was raised for, and falls with; empty: a person's word."""
    status: Status = Status.RAISING
    is_over: bool = False
    sent_at: datetime | None = None
    """When a worker was about to take something away last."""
    stood_at: datetime | None = None
    falls_at: datetime | None = None
    """When it was to fall."""
    why: str = ""
    """Why it falls."""
    left: tuple[str, ...] = ()
    """Names of what somebody has changed since: that is theirs."""
    waiting: str = ""
    """For what it waits; empty: for nothing but time."""
    told_at: datetime | None = None
    """When people were told that it does not fall; None: they were not."""
    ended_at: datetime | None = None
    schema: int = SCHEMA


T = TypeVar("T", bound=Upheld)


def may_send(one: Upheld, now: datetime) -> bool:
    """Whether it is on record that something is about to be taken away."""
    return one.sent_at is not None and now < one.sent_at + SENT_WITHIN


def falls(one: T, why: str, now: datetime) -> T:
    """The one that is to fall."""
    return replace(one, status=Status.FALLING, falls_at=now, why=why, waiting="")


def may_be_down(one: Upheld, now: datetime) -> bool:
    """Whether no request to take something away can be on its way any more."""
    return one.sent_at is None or now >= one.sent_at + SETTLES_WITHIN


def down(one: T, theirs: Iterable[str], now: datetime) -> T:
    """The one of which nothing is left; `theirs` is left as somebody has changed it."""
    return replace(
        one, status=Status.DOWN, is_over=True, left=tuple(theirs), waiting="", ended_at=now
    )


def is_stuck(one: Upheld, within: timedelta, now: datetime) -> bool:
    """Whether people are to be told now that it has not fallen within that span."""
    late = one.falls_at is not None and now >= one.falls_at + within
    return late and one.told_at is None and bool(one.waiting)
