"""The begin and the refusal of a repair and of its undo, behind a fence where one is declared."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from responders.rollback.case import Case, Transition
from responders.rollback.completion import ended_fields
from responders.rollback.decision.rollback_decision import build_step_writes
from responders.rollback.isolation.fence_guard import FencePreparation
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.rollback.plan import Plan
from shared.domain.rollback.rollback import Direction, Rollback, RollbackStatus, approvers
from shared.domain.signals.alert import open_alerts
from shared.domain.system_record import System


def describe_approvals(rollback: Rollback, plan: Plan, people: int) -> str:
    """Why it may begin; empty: not so many people want that plan yet."""
    found = approvers(rollback, plan.header.fingerprint, people)
    return f"approved by {', '.join(found.values())}" if len(found) >= people else ""


def begin_data_change(
    case: Case,
    plan: Plan,
    behind: FencePreparation,
    told: Mapping[str, Any],
    note: str,
    *,
    details: tuple[str, ...],
    chosen: Mapping[str, datetime] | None = None,
    **changes: Any,
) -> bool:
    """Freeze the plan and take the system's slot, in one commit, before any effect: it goes on."""
    name, commands = case.rollback.id, [behind.fence.command] if behind.fence is not None else []

    def slot_taken(system: System) -> System | None:
        if system.slot not in ("", name):
            return None
        theirs = {**system.chosen, **(chosen or {})}
        return behind.add_freeze_window(replace(system, slot=name, chosen=theirs))

    became = {Direction.UNPIN: IncidentStatus.UNPINNING, Direction.UNDO: IncidentStatus.UNDO_REQUESTED}
    turn = Transition(
        event="rollback.decided",
        note=note,
        details=details,
        facts={**told, "plan": plan.header.fingerprint, "upheld": commands},
        changes={
            "status": RollbackStatus.RUNNING,
            "outcome": "",
            "plan": plan.header,
            "gates": tuple(told["gates"]),
            **changes,
        },
        status=became.get(case.rollback.way, IncidentStatus.ROLLING_BACK),
        writes=(*build_step_writes(case, plan), *behind.writes),
        system=slot_taken,
    )
    if case.commit_transition(turn):
        behind.start_fence(case)
    return True


def build_refusal_transition(
    case: Case,
    told: Mapping[str, Any],
    note: str,
    reason: str,
    *,
    details: tuple[str, ...],
    is_over: bool = False,
) -> Transition:
    """The turn that does nothing, and says why; a person decides on, unless it is over."""
    return Transition(
        event="rollback.not-taken",
        note=f"{note}: {reason}",
        details=details,
        choices=() if is_over else ("retry", "accept"),
        facts=told,
        changes={**ended_fields(case, RollbackStatus.NOT_TAKEN, reason), "gates": tuple(told["gates"])},
        status=_status_after_refusal(case, is_over=is_over),
    )


def _status_after_refusal(case: Case, *, is_over: bool) -> IncidentStatus:
    """What the incident becomes: it ends only where the data are valid and no alert is open."""
    if not is_over:
        return IncidentStatus.ESCALATED
    return IncidentStatus.INVESTIGATING if open_alerts(case.read_alerts()) else IncidentStatus.RESOLVED
