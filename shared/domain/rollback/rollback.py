"""The response to an incident: decided under its lease, then one execution of one plan."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.core.codec import FrozenStruct, StoredDocument, documents_of
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.rollback.plan import PlanHeader
from shared.domain.signals.baseline import Baseline
from shared.domain.signals.declared_checks import VerificationResult

LAST_STABLE = "last-stable"
"""What people call the newest stable deployment."""
OVERRIDE_ACTOR_PREFIX = "override: "
"""How the name of whoever publishes on `rollback-override` begins."""
UNNAMED_ACTOR = f"{OVERRIDE_ACTOR_PREFIX}not named"
LEASE_DURATION = timedelta(seconds=30)
MAX_ADDED_ORDERS = 20
rollback_path = documents_of("rollbacks")


class RollbackStatus(StrEnum):
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


ENDED_ROLLBACK_STATUSES = frozenset(
    {RollbackStatus.SUCCEEDED, RollbackStatus.FAILED, RollbackStatus.CANCELLED, RollbackStatus.NOT_TAKEN}
)


class Lease(FrozenStruct):
    """Who works on a rollback now, since which server time, on which message."""

    holder: str
    message_id: str
    renewed_at: datetime


class Direction(StrEnum):
    """Which way an order goes."""

    BACK = "back"
    """To a deployment that was stable."""
    UNDO = "undo"
    """To what the incident's rollbacks have found, verbatim."""
    REPAIR = "repair"
    """Documents to what they were, each by itself."""
    UNPIN = "unpin"
    """To the newest revisions, or to what was asked for before the pins."""


class RollbackRequest(FrozenStruct):
    """What a person asked for, when a person and not an alert began this."""

    command: str
    actor: str
    reason: str
    scenario: ScenarioName = ScenarioName.FUNCTIONS
    target: str = LAST_STABLE
    groups: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    batch_size: int | None = None
    delay_seconds: float = 0.0
    auto_confirm: bool = False
    """Whether the order is its own confirmation, where one person's is enough."""
    override: bool = False
    """An emergency override: skips approval, freeze and barriers."""
    incident: str = ""
    """The incident that it answers, where the person has named one."""
    person: str = ""
    right: str = ""
    """By what they might say it, in words."""
    way: Direction = Direction.BACK
    select: str = ""
    """Which documents are restored (`DocumentSelection`); empty: no data are moved."""
    restore_point: str = ""
    """How old they may be, as a person has said it; empty: the minute before damage began."""
    rest: bool = False
    """Only what needs a person's word, where a plan has done all else; nobody has ordered it."""

    def __str__(self) -> str:
        return f"ordered by {self.actor or 'the rollback system'}: {self.reason}"

    @property
    def responder(self) -> str:
        """Return who responds to the incident by this order; empty: a program or nobody."""
        return find_responder(self.actor, self.person)

    def overrides(self, at: datetime) -> tuple[Override, ...]:
        """What of this order, said at that time, is to be reviewed later."""
        if not self.override:
            return ()
        return (Override(self.actor, self.right, self.reason, self.command, self.incident, at),)


class Override(FrozenStruct):
    """One emergency override, with everything that its review needs."""

    actor: str
    right: str
    """By what they might: role and second factor, or the topic that IAM alone guards."""
    reason: str
    command: str
    incident: str
    """The one that it was said for."""
    at: datetime
    skipped: tuple[dict[str, Any], ...] = ()
    """The gates that would have held it up, as they answered when it went ahead."""


class ApprovalAnswer(FrozenStruct):
    """One person's answer to a question."""

    actor: str
    at: datetime
    plan: str
    """Fingerprint of the plan that they were shown."""
    reason: str
    command: str
    person: str
    """Who that is, whatever they are called; empty: no person is proven to have said it."""


class ApprovalRequest(FrozenStruct):
    """What people are asked: whether exactly this plan may be carried out."""

    plan: PlanHeader
    needed: int
    """How many different people must say yes; who ordered it may be one of them."""
    reason: str
    """The gate that asks, and why."""
    asked_at: datetime


class Rollback(StoredDocument):
    """One rollback as stored; every commit of it moves `commit_id`, `sequence` and `audit_head`."""

    id: str
    incident: str
    system: str
    status: RollbackStatus
    created_at: datetime
    due_at: datetime | None
    """When somebody must look next; None: never."""
    order: RollbackRequest | None = None
    added_orders: tuple[str, ...] = ()
    """The newest orders that became part of it: by whom, and why."""
    extension: RollbackRequest | None = None
    """What people have ordered beside its plan, which is extended by it at the next step."""
    yield_requested: bool = False
    """Whether its worker hands over, because an order that may supersede it waits for a worker."""
    fence: int = 0
    """Counts the claims: a writer with a lower one has lost the rollback."""
    lease: Lease | None = None
    takeovers: int = 0
    """Claims in a row from a holder that died, or was late, before it committed anything."""
    late: int = 0
    """How many of those holders have said since that they had not died."""
    commit_id: str = ""
    sequence: int = 0
    audit_head: str = ""
    decide_by: datetime | None = None
    decided_at: datetime | None = None
    """When its newest question was decided."""
    parked_until: datetime | None = None
    """When the question to a person expires."""
    held_since: datetime | None = None
    """Since when a switch has kept its plan from going on; None while it goes on."""
    question: ApprovalRequest | None = None
    """The newest one; answers to an older one count for nothing."""
    approvals: tuple[ApprovalAnswer, ...] = ()
    rejected: ApprovalAnswer | None = None
    plan: PlanHeader | None = None
    is_fenced: bool = False
    """Whether it writes documents behind a fence alone, whatever its policy declares later."""
    in_flight: int = 0
    """Steps with an effect whose intent is not settled yet: it may be on its way."""
    cancel_requested: str = ""
    """Why a person, or an order that superseded this one, wants it to stop; empty: nobody does."""
    scenario: str = ""
    """What automation would have done, where it let go of it; empty: the plan tells."""
    superseded_by: str = ""
    """The incident of that order."""
    yields_to: str = ""
    """The key of an alert that is worse, and for which it makes way; empty: for none."""
    started_at: datetime | None = None
    """First intent."""
    shifted_at: datetime | None = None
    """Last goal confirmed."""
    failing: tuple[str, ...] = ()
    """Functions that were observed to fail at any check."""
    working: tuple[str, ...] = ()
    """Functions that work, by the counts of its newest decision or a check of another incident."""
    level: Severity | None = None
    """The worst level of those that its decision has measured."""
    baseline: Baseline | None = None
    """How it was before the trouble; None: nobody has recorded it."""
    confirmed_at: datetime | None = None
    """When all probes had passed after the last shift."""
    verified_at: datetime | None = None
    verification: dict[str, VerificationResult] = {}
    """The verification steps by name, as its newest check found them."""
    watch_until: datetime | None = None
    conditions_read_at: datetime | None = None
    """When it was put on record whether the conditions of its alerts are over."""
    failing_since: datetime | None = None
    """Since when functions outside its plan fail again while it is monitored; None: they work."""
    ill_since: datetime | None = None
    """When a check of the monitoring failed, if no later one has passed; None: no such check."""
    ended_at: datetime | None = None
    outcome: str = ""
    gates: tuple[dict[str, Any], ...] = ()
    """The answers of the newest decision, in order."""
    decisions: int = 0
    """How many decisions are stored with their facts (`DecisionSnapshot`)."""
    overrides: tuple[Override, ...] = ()
    """The emergency overrides for it, to be reviewed."""
    expires_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether its status is an end."""
        return self.status in ENDED_ROLLBACK_STATUSES

    @property
    def is_awaiting_approval(self) -> bool:
        """Whether people are asked, also while its open question is decided again."""
        is_asked_again = self.status is RollbackStatus.DECIDING and self.question is not None
        return is_asked_again or self.status is RollbackStatus.PARKED

    @property
    def paused_since(self) -> datetime | None:
        """Since when a pause or a freeze holds its plan; None: it goes on, or is in no plan."""
        return self.held_since if self.status is RollbackStatus.RUNNING else None

    @property
    def commands(self) -> tuple[str, ...]:
        """Return who ordered it or more of it, and who stops it, each with the reason."""
        stops = self.cancel_requested if self.cancel_requested != self.outcome else ""
        return tuple(filter(None, (str(self.order or ""), *self.added_orders, stops)))

    @property
    def way(self) -> Direction:
        """Which way it goes; automation knows one."""
        return self.order.way if self.order is not None else Direction.BACK

    @property
    def scope(self) -> frozenset[str]:
        """Return what it changes, or would change; empty: not known."""
        plan = self.plan or (self.question.plan if self.question is not None else None)
        ordered = self.order.functions if self.order is not None and not self.order.groups else ()
        return frozenset(plan.changed if plan is not None else ordered)

    @property
    def operator_inputs(self) -> tuple[object, ...]:
        """What people have said to it: whoever decides must know all of it."""
        answers = (self.cancel_requested, self.approvals, self.rejected)
        return (*answers, self.order, self.extension, self.yield_requested)

    def is_extensible(self, scenarios: Collection[ScenarioName]) -> bool:
        """Return whether automation may add to its plan: it has such a scenario, and no order."""
        is_automatic = self.order is None and self.question is None
        return is_automatic and self.plan is not None and self.plan.scenario in scenarios


def find_responder(actor: str, person: str) -> str:
    """Return who responds to an incident by a command; empty: a program or nobody named."""
    is_named = actor.startswith(OVERRIDE_ACTOR_PREFIX) and actor != UNNAMED_ACTOR
    return actor if person or is_named else ""


def approvers(rollback: Rollback, plan: str, needed: int) -> dict[str, str]:
    """The different people who want the plan of that fingerprint: who they are, and their names.

    Who ordered the rollback is among them where a second person is needed anyway, or where the
    order was to be its own confirmation; nobody has ordered a rest. All who are not proven to be
    a person count as one.
    """
    people = {word.person: word.actor for word in rollback.approvals if word.plan == plan}
    order = rollback.order
    if order and not order.rest and (needed > 1 or order.auto_confirm):
        people[order.person] = order.actor
    return people


def audit_entry_path(rollback: str, sequence: int) -> str:
    """Where an entry of its trail is kept; sorts by number."""
    return f"rollbacks/{rollback}/audit/{sequence:06d}"
