"""The ends of a rollback: each lists what is where, and loses no alert that joined meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any

from msgspec.structs import replace

from responders.case import Case, Turn
from responders.joined import explained, unjudged
from shared.alert_record import Alert
from shared.engine import load_steps
from shared.incident import Status
from shared.plan import Step, StepStatus
from shared.rollback import Status as RollbackStatus
from shared.system import System

LINES_SHOWN = 10
"""What people read of a list in a notice; the trail has all of it."""


def fail(case: Case, why: str) -> bool:
    """End it as FAILED: a person retries or accepts. Whether the worker must go on with it."""
    return _end(case, "rollback.failed", RollbackStatus.FAILED, Status.ESCALATED, why)


def cancel(case: Case) -> bool:
    """End it because a person said so; nothing is undone. Whether the worker must go on with it.

    What an order has superseded is over; else whoever cancelled it has the incident in hand.
    """
    why = case.rollback.cancel_requested
    superseded = bool(case.rollback.superseded_by)
    becomes = Status.RESOLVED if superseded else Status.ESCALATED
    return _end(case, "rollback.cancelled", RollbackStatus.CANCELLED, becomes, why)


def succeed(case: Case, note: str) -> bool:
    """End it well. Whether the worker must go on with it."""
    return _end(case, "rollback.succeeded", RollbackStatus.SUCCEEDED, Status.RESOLVED, note)


def called_off(case: Case) -> Callable[[System], System]:
    """What a person's word to stop makes of the system: automation leaves it to them for a while.

    An alert that joins now is told, and not answered by what they did not want.
    """
    until = case.now() + case.policy.gates.cool_down
    return lambda system: replace(system, cool_down_until=until)


def ended(case: Case, status: RollbackStatus, outcome: str) -> dict[str, Any]:
    """The fields of a rollback that has ended."""
    return {
        "status": status,
        "outcome": outcome,
        "ended_at": case.now(),
        "due_at": None,
        "lease": None,
    }


def _end(case: Case, event_name: str, status: RollbackStatus, becomes: Status, why: str) -> bool:
    steps = load_steps(case.ports.store, case.rollback.id).values()
    escalated = becomes is Status.ESCALATED
    turn = Turn(
        event=event_name,
        note=f"{why}; a person may now retry or accept" if escalated else why,
        details=_mixed(steps) if escalated else (),
        choices=("retry", "accept") if escalated else (),
        facts={"where": _where(steps)},
        changes=ended(case, status, why),
        status=becomes,
        system=called_off(case) if status is RollbackStatus.CANCELLED else None,
        despite_words=status is not RollbackStatus.SUCCEEDED,
    )
    joined = case.joined_alerts()
    return not case.end(turn, answered=answered_by_plan(case, steps, joined))


def answered_by_plan(case: Case, steps: Iterable[Step], joined: Iterable[Alert]) -> set[str]:
    """The keys of the unjudged among these alerts that this rollback's plan is the answer to."""
    plan = case.rollback.plan
    alerts = unjudged(joined)
    if plan is None:  # undecided to the end: whoever is told now is told of all of them
        return {alert.key for alert in alerts}
    functions = {step.target for step in steps}
    return {alert.key for alert in explained(alerts, case.policy, plan.scenario, functions)}


def _mixed(steps: Collection[Step]) -> tuple[str, ...]:
    """How many steps have come how far, and the first that are not done."""
    counted = Counter(step.status for step in steps)
    left = [step for step in steps if step.status is not StepStatus.DONE]
    lines = [f"{step.name}: {step.status} {step.note}".strip() for step in left[:LINES_SHOWN]]
    more = [f"and {len(left) - LINES_SHOWN} more"] if len(left) > LINES_SHOWN else []
    summary = ", ".join(f"{times} {status}" for status, times in counted.items())
    return (*([summary] if summary else []), *lines, *more)


def _where(steps: Iterable[Step]) -> dict[str, str]:
    """What became of each step."""
    return {step.name: f"{step.status} {step.note}".strip() for step in steps}
