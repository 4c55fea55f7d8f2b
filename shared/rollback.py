"""The response to an incident: decided under its lease, then one execution of one plan."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct

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
    auto_confirm: bool = False
    """Whether the order is its own confirmation, where one person's is enough."""
    override: bool = False
    """Break-glass: approval, freeze and budget are skipped."""
    incident: str = ""
    """The incident that it answers, where the person has named one."""
    person: str = ""
    """As in Word."""


class Word(Struct, frozen=True):
    """One person's answer to a question."""

    actor: str
    at: datetime
    plan: str
    """Fingerprint of the plan that they were shown."""
    reason: str
    command: str
    person: str = ""
    """Who that is, whatever they are called; empty: no person is proven to have said it."""


class Question(Struct, frozen=True):
    """What people are asked: whether exactly this plan may be carried out."""

    plan: PlanHeader
    needed: int
    """How many different people must say yes; who ordered it may be one of them."""
    reason: str
    """The gate that asks, and why."""
    asked_at: datetime


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
    audit_head: str = ""
    decide_by: datetime | None = None
    parked_until: datetime | None = None
    """When the question to a person expires."""
    held_since: datetime | None = None
    """Since when a switch has kept its plan from going on; None while it goes on."""
    question: Question | None = None
    """The newest one; answers to an older one count for nothing."""
    approvals: tuple[Word, ...] = ()
    rejected: Word | None = None
    plan: PlanHeader | None = None
    in_flight: int = 0
    """Steps with an effect whose intent is not settled yet: it may be on its way."""
    cancel_requested: str = ""
    """Why a person, or an order that superseded this one, wants it to stop; empty: nobody does."""
    superseded_by: str = ""
    """The incident of that order."""
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

    @property
    def words(self) -> tuple[str | tuple[Word, ...] | Word | None, ...]:
        """What people have said to it: whoever decides must know all of it."""
        return (self.cancel_requested, self.approvals, self.rejected)


def in_favour(rollback: Rollback, plan: str, needed: int) -> dict[str, str]:
    """The different people who want the plan of that fingerprint: who they are, and their names.

    Who ordered the rollback is among them where a second person is needed anyway, or where the
    order was to be its own confirmation. All who are not proven to be a person count as one.
    """
    people = {word.person: word.actor for word in rollback.approvals if word.plan == plan}
    if rollback.order and (needed > 1 or rollback.order.auto_confirm):
        people[rollback.order.person] = rollback.order.actor
    return people


def path(rollback: str) -> str:
    """Where a rollback is kept."""
    return f"rollbacks/{rollback}"


def entry_path(rollback: str, sequence: int) -> str:
    """Where an entry of its trail is kept; sorts by number."""
    return f"rollbacks/{rollback}/audit/{sequence:06d}"
