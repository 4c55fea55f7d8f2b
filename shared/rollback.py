"""The response to an incident: decided under its lease, then one execution of one plan."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct

from shared.audit import GENESIS
from shared.documents import SCHEMA
from shared.plan import PlanHeader

LEASE = timedelta(seconds=30)
KEPT_FOR = timedelta(days=30)
"""The runbook's rollback history."""


class Status(StrEnum):
    """How far a rollback has come. The last four are ends."""

    DECIDING = "DECIDING"
    PARKED = "PARKED"
    RUNNING = "RUNNING"
    VERIFYING = "VERIFYING"
    WATCHING = "WATCHING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    NOT_TAKEN = "NOT_TAKEN"


ENDED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.NOT_TAKEN})
IN_EFFECT = frozenset({Status.RUNNING, Status.VERIFYING})
"""Holds its system's slot."""


class Lease(Struct, frozen=True):
    """Who works on a rollback now, since which server time, on which message."""

    holder: str
    message_id: str
    renewed_at: datetime


class Order(Struct, frozen=True):
    """What a person asked for, when a person and not an alert began this."""

    command: str
    actor: str
    reason: str
    target: str = "last-stable"
    groups: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    batch_size: int | None = None
    delay_seconds: float = 0.0


class Rollback(Struct, frozen=True):
    """One rollback as stored; every commit of it moves `commit_id`, `sequence` and `audit_head`."""

    id: str
    incident: str
    system: str
    status: Status
    created_at: datetime
    due_at: datetime | None
    """When somebody must look next; None: never."""
    order: Order | None = None
    fence: int = 0
    """Counts the claims: a writer with a lower one has lost the rollback."""
    lease: Lease | None = None
    takeovers: int = 0
    """Claims in a row from a holder that died before it committed anything."""
    commit_id: str = ""
    sequence: int = 0
    audit_head: str = GENESIS
    decide_by: datetime | None = None
    parked_until: datetime | None = None
    """When the question to a person expires."""
    held_since: datetime | None = None
    """Since when a switch has kept its plan from going on; None while it goes on."""
    plan: PlanHeader | None = None
    cancel_requested: str = ""
    """Why a person, or a plan that superseded this one, wants it to stop; empty: nobody does."""
    started_at: datetime | None = None
    """First intent."""
    shifted_at: datetime | None = None
    """Last goal confirmed."""
    verified_at: datetime | None = None
    watch_until: datetime | None = None
    ill_looks: int = 0
    """Looks in a row that found it ill."""
    ended_at: datetime | None = None
    outcome: str = ""
    gates: tuple[dict[str, Any], ...] = ()
    """The answers of the newest decision, in order."""
    expires_at: datetime | None = None
    schema: int = SCHEMA


def path(rollback: str) -> str:
    """Where a rollback is kept."""
    return f"rollbacks/{rollback}"


def entry_path(rollback: str, sequence: int) -> str:
    """Where an entry of its trail is kept; sorts by number."""
    return f"rollbacks/{rollback}/audit/{sequence:06d}"
