"""Telling the next function that something is due: `{kind, id, due_at}`."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from shared import topics
from shared.errors import Refused
from shared.notice import Notice
from shared.ports import Bus, Query, Store

ROLLBACK = "rollback"
NOTICE = "notice"
COMMAND = "command"
"""One that a worker carries out: a rehearsal, a hold."""
DEPLOYMENT = "deployment"
"""One that is to settle, to bake, or to be proven restorable."""
INVENTORY = "inventory"
"""A system that is to be looked at."""
COLLECTIONS = {
    ROLLBACK: "rollbacks",
    NOTICE: "notices",
    COMMAND: "commands",
    DEPLOYMENT: "deployments",
    INVENTORY: "inventory",
}
SWEEP_LIMIT = 500
"""What one sweep hands over; the next one, half a minute later, takes the rest."""
TOPICS = {
    ROLLBACK: topics.WORK,
    NOTICE: topics.NOTICES,
    COMMAND: topics.WORK,
    DEPLOYMENT: topics.DEPLOYMENTS,
    INVENTORY: topics.DEPLOYMENTS,
}

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][^/\x00-\x1f]{0,399}\Z")]
"""The last part of a document's path, and nothing but that."""


class Due(Struct, frozen=True):
    """What is due, and since when it was known to be."""

    kind: str
    id: Name
    due_at: datetime


def publish(bus: Bus, kind: str, key: str, due_at: datetime) -> None:
    """Hand over one thing that is due."""
    bus.publish(TOPICS[kind], msgspec.json.encode(Due(kind, key, due_at)))


def publish_notices(bus: Bus, notices: Iterable[Notice]) -> None:
    """Hand over the notices of a commit that has landed, but those that are due later."""
    for notice in notices:
        if notice.due_at == notice.created_at:
            publish(bus, NOTICE, notice.id, notice.created_at)


def publish_due(
    store: Store, bus: Bus, kind: str, now: datetime, systems: Container[str]
) -> datetime | None:
    """Hand over everything of a kind, of these systems, that is due by now; longest due first.

    Returns since when the first of it has been due; None when nothing is.
    """
    oldest = None
    for key, due_at in _due(store, kind, now, systems):
        publish(bus, kind, key, due_at)
        oldest = oldest or due_at
    return oldest


def due_since(store: Store, kind: str, now: datetime, systems: Container[str]) -> datetime | None:
    """Since when the first of a kind, of these systems, has been due; None when nothing is."""
    return next((due_at for _, due_at in _due(store, kind, now, systems)), None)


def tick(moment: datetime) -> str:
    """Where the sweep of the half minute that a moment lies in is claimed."""
    return f"ticks/{moment:%Y%m%dT%H%M}-{moment.second // 30}"


def _due(
    store: Store, kind: str, now: datetime, systems: Container[str]
) -> Iterator[tuple[str, datetime]]:
    """Key and time of each, the longest due first."""
    due = Query(
        COLLECTIONS[kind], where=(("due_at", "<=", now),), order_by="due_at", limit=SWEEP_LIMIT
    )
    for document in store.query(due):
        if document.fields is not None and document.fields["system"] in systems:
            yield document.path.rpartition("/")[2], document.fields["due_at"]


def parse(data: bytes, *kinds: str) -> Due:
    """What a message hands over. Raises: Refused."""
    try:
        due = msgspec.json.decode(data, type=Due)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as unreadable:
        raise Refused(f"no hand-over: {unreadable}") from unreadable
    if due.kind not in kinds:
        taken = " or a ".join(kinds)
        raise Refused(f"a hand-over of a {due.kind!r}, where only a {taken} is taken")
    return due
