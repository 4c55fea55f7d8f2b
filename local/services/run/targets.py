"""A traffic list as it comes in, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from local.application.applications import invalid
from local.application.service import LATEST_ONLY, Service, Target
from local.services.run.messages import LATEST, PINNED

_TAG = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def read(entries: Iterable[Any], service: Service) -> tuple[Target, ...]:
    """The targets that a list of `TrafficTarget` stands for; an empty list means 100 % latest.

    Raises: Refused INVALID_ARGUMENT when a percent, tag, type or revision cannot be.
    """
    targets = tuple(_target(entry, service) for entry in entries)
    if not targets:
        return LATEST_ONLY
    percents = sum(target.percent for target in targets)
    if percents != 100:
        raise invalid(f"traffic percents must sum to 100, not {percents}")
    tags = [target.tag for target in targets if target.tag]
    if len(tags) != len(set(tags)):
        raise invalid("traffic tags must be unique within a service")
    return targets


def _target(entry: Any, service: Service) -> Target:
    if not 0 <= entry.percent <= 100:
        raise invalid(f"traffic percent {entry.percent} is not between 0 and 100")
    if entry.tag and not _TAG.fullmatch(entry.tag):
        raise invalid(f"traffic tag '{entry.tag}' is not valid")
    if entry.type_ == LATEST:
        if entry.revision:
            raise invalid("a traffic target of type LATEST must not name a revision")
        return Target(None, entry.percent, entry.tag)
    if entry.type_ != PINNED:
        raise invalid("a traffic target must have a type")
    if service.revision(entry.revision) is None:
        raise invalid(f"revision '{entry.revision}' does not exist in service '{service.name}'")
    return Target(entry.revision, entry.percent, entry.tag)
