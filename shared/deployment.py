"""A change of what is live, and whether it may be gone back to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from msgspec import Struct

from shared.documents import SCHEMA
from shared.traffic import Revision, Service, Traffic, shares

T = TypeVar("T")


class Status(StrEnum):
    """What is known of a deployment."""

    ROLLING_OUT = "ROLLING_OUT"
    LIVE = "LIVE"
    STABLE = "STABLE"
    BAD = "BAD"


class Live(Struct, frozen=True):
    """A function as found: the service behind it and the revisions that it has."""

    function: str
    service: Service
    revisions: tuple[Revision, ...]

    def revision(self, name: str) -> Revision | None:
        """The revision of that short name, None when it is gone."""
        return next((known for known in self.revisions if known.name == name), None)


Inventory = dict[str, Live]
"""What is really live, by function name."""


class Placement(Struct, frozen=True):
    """What one function served in a deployment."""

    service: str
    traffic: Traffic
    """Verbatim."""
    revisions: dict[str, int]
    """Percent per revision, LATEST resolved."""


class Deployment(Struct, frozen=True):
    """What served requests from `at` on."""

    id: str
    system: str
    at: datetime
    status: Status
    functions: dict[str, Placement]
    announced_by: str = ""
    """The message that told of it."""
    git_hash: str = ""
    barrier: str = ""
    """Why nobody may go back past this deployment by machine; empty: nothing bars."""
    schema: int = SCHEMA


def placements(inventory: Inventory) -> dict[str, Placement]:
    """What each function serves now, in the form that a deployment keeps."""
    return {
        function: Placement(
            service=live.service.name,
            traffic=live.service.traffic,
            revisions=shares(live.service.traffic, live.service.latest_ready),
        )
        for function, live in inventory.items()
    }


def by_function(counts: Mapping[str, T], inventory: Inventory) -> dict[str, T]:
    """What was counted per service (short name), told per function instead."""
    functions = {live.service.name.rpartition("/")[2]: name for name, live in inventory.items()}
    return {functions[service]: count for service, count in counts.items() if service in functions}


def default_id(at: datetime) -> str:
    """The runbook's id: deploy_YYYYMMDD_HHMMSS, UTC."""
    return at.astimezone(UTC).strftime("deploy_%Y%m%d_%H%M%S")


def path(system: str, deployment: str) -> str:
    """Where a deployment is kept."""
    return f"deployments/{system}:{deployment}"
