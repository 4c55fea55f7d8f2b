"""A traffic list as it comes in, checked."""

import re
from collections.abc import Iterable
from typing import Any

from local.application.applications import invalid_argument
from local.application.service import LATEST_ONLY, ApplicationService, TrafficEntry
from local.services.run.messages import LATEST_ALLOCATION, REVISION_ALLOCATION

_TAG = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def read_traffic_targets(entries: Iterable[Any], service: ApplicationService) -> tuple[TrafficEntry, ...]:
    """The targets that a list of `TrafficTarget` stands for; an empty list means 100 % latest.

    Raises: Refused INVALID_ARGUMENT when a percent, tag, type or revision cannot be.
    """
    targets = tuple(_target(entry, service) for entry in entries)
    if not targets:
        return LATEST_ONLY
    percents = sum(target.percent for target in targets)
    if percents != 100:
        raise invalid_argument(f"traffic percents must sum to 100, not {percents}")
    tags = [target.tag for target in targets if target.tag]
    if len(tags) != len(set(tags)):
        raise invalid_argument("traffic tags must be unique within a service")
    return targets


def _target(entry: Any, service: ApplicationService) -> TrafficEntry:
    if not 0 <= entry.percent <= 100:
        raise invalid_argument(f"traffic percent {entry.percent} is not between 0 and 100")
    if entry.tag and not _TAG.fullmatch(entry.tag):
        raise invalid_argument(f"traffic tag '{entry.tag}' is not valid")
    if entry.type_ == LATEST_ALLOCATION:
        if entry.revision:
            raise invalid_argument("a traffic target of type LATEST must not name a revision")
        return TrafficEntry(None, entry.percent, entry.tag)
    if entry.type_ != REVISION_ALLOCATION:
        raise invalid_argument("a traffic target must have a type")
    if service.revision(entry.revision) is None:
        raise invalid_argument(f"revision '{entry.revision}' does not exist in service '{service.name}'")
    return TrafficEntry(entry.revision, entry.percent, entry.tag)
