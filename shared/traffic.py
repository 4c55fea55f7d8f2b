"""Where a service's requests go, and where they would go after a rollback."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

LATEST = ""
"""The revision name of an entry that follows the newest revision."""


class TrafficTarget(Struct, frozen=True):
    """One entry of a service's traffic list."""

    revision: str
    """Short name, or LATEST."""
    percent: int = 0
    tag: str = ""


Traffic = tuple[TrafficTarget, ...]


class Service(Struct, frozen=True):
    """A Cloud Run service as read at one moment."""

    name: str
    """Full resource name."""
    etag: str
    latest_created: str
    latest_ready: str
    traffic: Traffic
    """What was asked for."""
    serving: Traffic
    """What the routers really do; follows `traffic` later, LATEST resolved."""
    reconciling: bool
    ready: bool
    uri: str = ""


class Revision(Struct, frozen=True):
    """One immutable version of a service."""

    name: str
    """Short name."""
    service: str
    """Full resource name of its service."""
    created_at: datetime
    ready: bool
    image: str = ""


class Standing(StrEnum):
    """Where a service stands between the state a plan found and the state it wants."""

    AT_GOAL = "at goal"
    AT_ORIGIN = "at origin"
    UNDER_WAY = "under way"
    ELSEWHERE = "elsewhere"


def shares(traffic: Iterable[TrafficTarget], latest: str) -> dict[str, int]:
    """Percent per revision, LATEST resolved to `latest`, revisions without requests left out."""
    totals: dict[str, int] = {}
    for entry in traffic:
        revision = entry.revision or latest
        totals[revision] = totals.get(revision, 0) + entry.percent
    return {revision: percent for revision, percent in totals.items() if percent}


def follows_latest(traffic: Iterable[TrafficTarget]) -> bool:
    """Whether the newest revision serves because it is the newest: since it was made."""
    return all(entry.revision == LATEST for entry in traffic if entry.percent)


def moved_to(traffic: Traffic, goal: dict[str, int]) -> Traffic:
    """The same list with the goal's percents: every tagged entry stays, with its tag.

    Replacing the list would drop its tags, and with them whatever addresses a tag's URL.
    """
    missing = dict(goal)
    kept = []
    for entry in traffic:
        percent = missing.pop(entry.revision, 0) if entry.revision != LATEST else 0
        if entry.tag or percent:
            kept.append(replace(entry, percent=percent))
    return (*kept, *(TrafficTarget(revision, percent) for revision, percent in missing.items()))


def standing(service: Service, goal: Traffic, origin: Traffic, latest_created: str) -> Standing:
    """Where a service stands now; `latest_created` is what it was when the plan was made.

    A new revision, another traffic list or somebody's running operation at the origin means
    that a person is there.
    """
    wanted = shares(goal, service.latest_created)
    if shares(service.traffic, service.latest_created) == wanted and _tags(service) >= _tags_of(
        goal
    ):
        arrived = (
            not service.reconciling and shares(service.serving, service.latest_ready) == wanted
        )
        return Standing.AT_GOAL if arrived else Standing.UNDER_WAY
    untouched = service.traffic == origin and service.latest_created == latest_created
    if untouched and not service.reconciling:
        return Standing.AT_ORIGIN
    return Standing.ELSEWHERE


def _tags(service: Service) -> set[str]:
    return _tags_of(service.traffic)


def _tags_of(traffic: Traffic) -> set[str]:
    return {entry.tag for entry in traffic if entry.tag}
