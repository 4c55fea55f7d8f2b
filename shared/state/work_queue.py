"""Telling the next function that something is due: `{kind, id, due_at}`."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.core import topics
from shared.core.codec import FrozenStruct, from_json
from shared.core.errors import Refused
from shared.core.store import Query, Store, Write
from shared.core.text import last_segment
from shared.domain.notices.notice import Notice, notice_writes
from shared.domain.system_record import ALL_SYSTEMS
from shared.ports.groups import Ports
from shared.ports.messaging import Bus

ROLLBACK = "rollback"
NOTICE = "notice"
COMMAND = "command"
"""One that a worker carries out: a rehearsal, a hold."""
DEPLOYMENT = "deployment"
"""One that is to settle, to bake, or to be proven restorable."""
INVENTORY = "inventory"
"""A system that is to be looked at."""
INCIDENT = "incident"
"""One that is open without a rollback in progress: whether it has recovered is to be checked."""
REPORT = "report"
"""The report of an incident that is over."""
STATUS_PAGE = "page"
"""The status page of a system, by its name: due in each sweep, kept nowhere."""
COLLECTION_BY_KIND = {
    ROLLBACK: "rollbacks",
    NOTICE: "notices",
    COMMAND: "commands",
    DEPLOYMENT: "deployments",
    INVENTORY: "inventory",
    INCIDENT: "incidents",
    REPORT: "reports",
}
MAX_ITEMS_PER_SWEEP = 500
"""What one sweep hands over of a kind and system; the next one, half a minute later, the rest."""
TOPIC_BY_KIND = {
    ROLLBACK: topics.WORK,
    NOTICE: topics.NOTICES,
    STATUS_PAGE: topics.NOTICES,
    COMMAND: topics.WORK,
    DEPLOYMENT: topics.DEPLOYMENTS,
    INVENTORY: topics.DEPLOYMENTS,
    INCIDENT: topics.WORK,
    REPORT: topics.WORK,
}

ItemName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][^/\x00-\x1f]{0,399}\Z")]
"""The last part of a document's path, and nothing but that."""


class WorkItem(FrozenStruct):
    """What is due, and since when it was known to be."""

    kind: str
    id: ItemName
    due_at: datetime


def publish_work_item(bus: Bus, kind: str, key: str, due_at: datetime) -> None:
    """Hand over one thing that is due."""
    bus.publish(TOPIC_BY_KIND[kind], msgspec.json.encode(WorkItem(kind, key, due_at)))


def publish_notices(bus: Bus, notices: Iterable[Notice]) -> None:
    """Hand over the notices of a commit that has landed, but those that are due later."""
    for notice in notices:
        if notice.due_at == notice.created_at:
            publish_work_item(bus, NOTICE, notice.id, notice.created_at)


def commit_with_notices(ports: Ports, writes: Iterable[Write], notices: Collection[Notice]) -> datetime:
    """Commit writes with notices, then publish these; return the version. Raises: as commit."""
    version = ports.store.commit([*writes, *notice_writes(notices)])
    publish_notices(ports.bus, notices)
    return version


def publish_due_items(
    store: Store, bus: Bus, kind: str, now: datetime, systems: Iterable[str]
) -> datetime | None:
    """Publish due items, oldest first, up to a limit per system; return the oldest due time."""
    due = _due_items(store, kind, now, systems)
    for due_at, key in due:
        publish_work_item(bus, kind, key, due_at)
    return due[0][0] if due else None


def oldest_due_at(store: Store, kind: str, now: datetime, systems: Iterable[str]) -> datetime | None:
    """Since when the first of a kind, of these systems, has been due; None when nothing is."""
    return min((due_at for due_at, _ in _due_items(store, kind, now, systems)), default=None)


def sweep_path(moment: datetime) -> str:
    """Where the sweep of the half minute that a moment lies in is claimed."""
    return f"ticks/{moment:%Y%m%dT%H%M}-{moment.second // 30}"


def _due_items(store: Store, kind: str, now: datetime, systems: Iterable[str]) -> list[tuple[datetime, str]]:
    """Time and key of each, the longest due first; commands that concern all systems included."""
    queries = (
        Query(
            COLLECTION_BY_KIND[kind],
            where=(("system", "==", system), ("due_at", "<=", now)),
            order_by="due_at",
            limit=MAX_ITEMS_PER_SWEEP,
        )
        for system in [*systems, *([ALL_SYSTEMS] if kind == COMMAND else [])]
    )
    found = (document for query in queries for document in store.query(query))
    return sorted((one.fields["due_at"], last_segment(one.path)) for one in found if one.fields)


def parse_work_item(data: bytes, *kinds: str) -> WorkItem:
    """What a message hands over. Raises: Refused."""
    try:
        due = from_json(data, WorkItem)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as unreadable:
        raise Refused(f"no hand-over: {unreadable}") from unreadable
    if due.kind not in kinds:
        taken = " or a ".join(kinds)
        raise Refused(f"a hand-over of a {due.kind!r}, where only a {taken} is taken")
    return due
