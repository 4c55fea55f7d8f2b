"""What we keep of each protected system, and the switches that stop everything."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from shared.documents import SCHEMA
from shared.policy import Mode

GLOBAL = "controls/global"
BUDGET = "quotas/automatic"
CONTROLS_MAY_BE_OLD_SECONDS = 2.0


class Pause(Struct, frozen=True):
    """Who stopped automation, when and why."""

    actor: str
    at: datetime
    reason: str


class Controls(Struct, frozen=True):
    """The kill switch over all systems."""

    pause: Pause | None = None
    switched_at: datetime | None = None
    """When the newest pause or resume was published: an older one changes nothing."""
    schema: int = SCHEMA


class Budget(Struct, frozen=True):
    """When automation began a rollback, newest last, over all systems."""

    starts: tuple[datetime, ...] = ()
    schema: int = SCHEMA


class System(Struct, frozen=True):
    """One protected system as it stands."""

    name: str
    mode: Mode = Mode.OBSERVE
    """How far a person has promoted automation here."""
    pause: Pause | None = None
    switched_at: datetime | None = None
    """As in Controls."""
    incident: str = ""
    """The open incident, or the newest that ended."""
    rollback: str = ""
    """The newest rollback of that incident."""
    incident_detected_at: datetime | None = None
    incident_ended_at: datetime | None = None
    """None while it is open."""
    rollback_ended: bool = False
    """Nobody works on the incident any more: what joins it needs a further rollback."""
    slot: str = ""
    """The rollback that has effects in flight."""
    cool_down_until: datetime | None = None
    schema: int = SCHEMA


def path(system: str) -> str:
    """Where a system is kept."""
    return f"systems/{system}"
