"""Where a service's requests go, and where they would go after a rollback."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from msgspec.structs import replace

from shared.core.codec import FrozenStruct

EXPECTED_SHIFT_SECONDS = 8.0
"""How long the routers usually take to follow a change of traffic."""
LATEST_REVISION = ""
"""The revision name of an entry that follows the newest revision."""


class TrafficTarget(FrozenStruct):
    """One entry of a service's traffic list."""

    revision: str
    """Short name, or LATEST."""
    percent: int = 0
    tag: str = ""


Traffic = tuple[TrafficTarget, ...]


class Scaling(FrozenStruct):
    """How many instances a service has, whichever revisions serve; shared out by their traffic."""

    minimum: int = 0
    maximum: int = 0
    """0: not limited by the service."""
    manual: int | None = None
    """So many, whatever is asked for; None: as many as are needed."""

    def __str__(self) -> str:
        if self.manual is not None:
            return f"{self.manual}, set manually"
        return f"{self.minimum} to {self.maximum}" if self.maximum else f"{self.minimum} or more"


class Service(FrozenStruct):
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
    scaling: Scaling = Scaling()


class Capacity(FrozenStruct):
    """What a revision brings along, and no other one has; not in force where scaling is manual."""

    minimum: int = 0
    maximum: int = 0
    """0: not limited by itself."""
    concurrency: int = 0
    """Requests at once of one instance; 0: the platform's default."""


class Revision(FrozenStruct):
    """One immutable version of a service."""

    name: str
    """Short name."""
    service: str
    """Full resource name of its service."""
    created_at: datetime
    ready: bool
    image: str = ""
    capacity: Capacity = Capacity()
    lost_image: bool = False
    """Whether its image is known to be gone: it is called ready, and starts no more."""


class TrafficPosition(StrEnum):
    """Where a service stands between the state a plan found and the state it wants."""

    AT_GOAL = "at goal"
    AT_ORIGIN = "at origin"
    UNDER_WAY = "under way"
    ELSEWHERE = "elsewhere"


def traffic_shares(traffic: Iterable[TrafficTarget], latest: str) -> dict[str, int]:
    """Percent per revision, LATEST resolved to `latest`, revisions without requests left out."""
    totals: dict[str, int] = {}
    for entry in traffic:
        revision = entry.revision or latest
        totals[revision] = totals.get(revision, 0) + entry.percent
    return {revision: percent for revision, percent in totals.items() if percent}


def describe_served_revisions(revisions: Mapping[str, int]) -> str:
    """The revisions that serve, in words, with their percent where there are several."""
    if not revisions:
        return "no revision"
    if len(revisions) == 1:
        return next(iter(revisions))
    return " + ".join(f"{percent} % {name}" for name, percent in revisions.items())


def is_following_latest(traffic: Iterable[TrafficTarget]) -> bool:
    """Whether the newest revision serves because it is the newest: since it was made."""
    return all(entry.revision == LATEST_REVISION for entry in traffic if entry.percent)


def requested_shares(traffic: Iterable[TrafficTarget]) -> dict[str, int]:
    """Percent per revision as it is asked for: LATEST is no name, whatever is newest."""
    return traffic_shares(traffic, LATEST_REVISION)


def is_same_traffic_list(one: Traffic, other: Traffic) -> bool:
    """Whether two lists are the same, entry by entry, LATEST for LATEST and name for name."""
    return sorted(map(repr, one)) == sorted(map(repr, other))


def apply_shares(traffic: Traffic, goal: dict[str, int]) -> Traffic:
    """Return the list with the goal's percents; every tagged entry, and so its URL, stays."""
    missing = dict(goal)
    kept = []
    for entry in traffic:
        percent = missing.pop(entry.revision, 0) if entry.revision != LATEST_REVISION else 0
        if entry.tag or percent:
            kept.append(replace(entry, percent=percent))
    return (*kept, *(TrafficTarget(revision, percent) for revision, percent in missing.items()))


def traffic_position(
    service: Service, goal: Traffic, origin: Traffic, latest_created: str, *, verbatim: bool = False
) -> TrafficPosition:
    """Where a service stands now; `latest_created` is what it was when the plan was made.

    Verbatim, only the very list is the goal; else a list with its shares and its tags is.
    A new revision, another traffic list or somebody's running operation at the origin means
    that a person is there.
    """
    wanted = traffic_shares(goal, service.latest_created)
    if _is_requested(service, goal, verbatim=verbatim):
        arrived = not service.reconciling and traffic_shares(service.serving, service.latest_ready) == wanted
        return TrafficPosition.AT_GOAL if arrived else TrafficPosition.UNDER_WAY
    if service.traffic == origin and service.latest_created == latest_created and not service.reconciling:
        return TrafficPosition.AT_ORIGIN
    return TrafficPosition.ELSEWHERE


def _is_requested(service: Service, goal: Traffic, *, verbatim: bool) -> bool:
    if verbatim:
        return is_same_traffic_list(service.traffic, goal)
    newest = service.latest_created
    same = traffic_shares(service.traffic, newest) == traffic_shares(goal, newest)
    return same and _traffic_tags(service.traffic) >= _traffic_tags(goal)


def _traffic_tags(traffic: Traffic) -> set[str]:
    return {entry.tag for entry in traffic if entry.tag}
