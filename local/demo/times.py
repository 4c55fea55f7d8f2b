"""How long each phase took, in the cloud's time, beside what the runbook asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from shared.audit import Entry
from shared.incident import Incident
from shared.policy import Policy
from shared.rollback import Rollback

# The runbook, "Critical Incident Response", steps 1 to 4.
DETECTION = timedelta(minutes=2)
DECISION = timedelta(minutes=3)
EXECUTION = timedelta(minutes=10)
VERIFICATION = timedelta(minutes=15)


class Phase(Struct, frozen=True):
    """One line of the time line; a target of None asks for nothing."""

    name: str
    since: datetime
    until: datetime | None
    """None: it never came to its end."""
    target: timedelta | None

    @property
    def took(self) -> timedelta | None:
        """How long it lasted."""
        return None if self.until is None else self.until - self.since

    @property
    def kept(self) -> bool:
        """Whether it ended, and within its target."""
        return self.took is not None and (self.target is None or self.took < self.target)


def phases(
    policy: Policy,
    incident: Incident,
    rollback: Rollback,
    trail: Sequence[Entry],
    deployed_at: datetime,
    published_at: datetime | None,
) -> Iterator[Phase]:
    """The phases in order, then the runbook's totals, which count from detection.

    `deployed_at`: when the bad release began to serve. `published_at`: when the public state first
    named the incident.
    """
    detected, restored = incident.detected_at, rollback.shifted_at
    decided = _time_of("rollback.decided", trail)
    targets = policy.targets
    yield Phase("detection", deployed_at, detected, DETECTION)
    yield Phase("decision", detected, decided, DECISION)
    yield Phase("execution", decided or detected, restored, EXECUTION)
    yield Phase("verification", restored or detected, rollback.verified_at, VERIFICATION)
    yield Phase("watch", rollback.verified_at or detected, rollback.ended_at, None)
    severity = incident.severity
    yield Phase(f"restored ({severity})", detected, restored, targets.by_severity[severity])
    yield Phase("functions verified", detected, rollback.verified_at, targets.functions)
    yield Phase("status page", detected, published_at, targets.status_page)


def _time_of(event: str, trail: Sequence[Entry]) -> datetime | None:
    moments = (one.at for entry in trail for one in entry.events if one.name == event)
    first = next(moments, None)
    return datetime.fromisoformat(first) if first else None
