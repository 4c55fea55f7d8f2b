"""A rehearsal: the plan of a scenario, made and dry-run on what is live, and nothing changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from shared.documents import SCHEMA


class Drill(Struct, frozen=True):
    """What a rehearsal found; kept as the reason why a system was promoted."""

    id: str
    """Of the command that asked for it."""
    system: str
    scenario: str
    actor: str
    at: datetime
    target: str
    plan: str
    """Fingerprint; empty: the gates led to none."""
    outcome: str
    reason: str
    agrees: bool
    """Whether the gates would have let it go ahead, and the platform has taken each dry run."""
    rehearsed: dict[str, float]
    """Seconds that the platform took for the dry run of each function's shift."""
    refused: dict[str, str]
    """Why it did not take that of others."""
    not_rehearsed: tuple[str, ...]
    """Functions for which the write quota had nothing left."""
    gates: list[dict[str, Any]]
    took_seconds: float
    forecast_seconds: float
    """What the whole rollback would take to its last shift, from a full quota."""
    schema: int = SCHEMA


def path(drill: str) -> str:
    """Where a drill is kept."""
    return f"drills/{drill}"
