"""An order to take back, decided under the lease and begun.

It is the answer to no alert, and automation leaves alone for a while what it has led anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from msgspec.structs import replace

from responders.asking import LONGEST_SECONDS
from responders.case import Case, Turn
from responders.deciding import held, kept
from responders.ending import ended
from responders.erasing import FORGET
from responders.fences import fenced
from responders.fences.fenced import Around
from responders.gathering import gather
from responders.repairs import taking_out_later
from responders.waiting import parked
from responders.weighing import PREPARE_WITHIN
from responders.working_out import WorkedOut, is_of_data, work_out
from shared import quarantine
from shared.documents import encode
from shared.gate import Outcome
from shared.incident import Status
from shared.plan import Plan
from shared.policy import ScenarioName
from shared.ports import Query
from shared.rollback import Order, Question, Rollback, in_favour
from shared.rollback import Status as RollbackStatus
from shared.steps.brought import all_of
from shared.system import System

REMOVES_COPIES: Final = (FORGET, taking_out_later.VERB)
LONG_AGO: Final = datetime.fromtimestamp(0, UTC)


def decide(case: Case) -> bool:
    """Whether the worker goes on with this rollback now; otherwise it was let go."""
    policy, rollback, now = case.policy, case.rollback, case.now()
    order = rollback.order
    if order is None:
        raise ValueError(f"{rollback.id} takes back what nobody has ordered")
    alerts = case.joined_alerts
    gathered = gather(case.ports, policy, now, alerts, rollback.id, writing=True)
    if case.raised(gathered.alerts):
        return True
    deadline = case.decide_by
    case.hold_for(LONGEST_SECONDS)
    found = work_out(case.ports, policy, order, gathered.facts, deadline, now, rollback.id)
    found, behind = _behind(case, _agreed(rollback, found), deadline)
    plan = found.reversal.plan
    told = {
        "outcome": found.outcome,
        "scenario": ScenarioName.FUNCTIONS,
        "target": order.target,
        "gates": [encode(answer) for answer in found.gates],
        "difference": [encode(one) for one in found.reversal.shown],
        "reported": plan.header.reported if plan is not None else found.reversal.reported,
    }
    match found.outcome:
        case Outcome.HOLD:
            return not case.take(held(case, found.reason, told))
        case Outcome.ROLLBACK if plan is not None:
            if case.take(_going(case, order, found, plan, behind, told)):
                behind.begin(case)
            return True
        case Outcome.ASK if plan is not None:
            question = Question(plan.header, found.people, found.reason, now)
            among = "documents" if found.writes else "rebuilds"
            turn = parked(case, question, found.reversal.shown, f"{among} among it", told)
        case _:
            turn = _let_go(case, found, told)
    answered = {alert.key for alert in gathered.alerts}
    return not case.end(turn, answered=answered)


def _behind(case: Case, found: WorkedOut, deadline: datetime) -> tuple[WorkedOut, Around]:
    """What becomes of it, and what is raised with it; it waits for what falls.

    And for whoever removes copies just now of people who were erased.
    """
    plan = found.reversal.plan
    if plan is None or not found.writes or found.outcome not in (Outcome.ROLLBACK, Outcome.ASK):
        return found, Around()
    if case.ports.quarantine is None:
        return replace(found, outcome=Outcome.ESCALATE, reason=quarantine.NO_BUCKET), Around()
    behind = fenced.around(case, found.takes)
    why_not = behind.why_not or _copies_removed(case)
    if why_not:
        waits = case.now() < deadline + PREPARE_WITHIN
        outcome = Outcome.HOLD if waits else Outcome.ESCALATE
        found = replace(found, outcome=outcome, reason=why_not)
    return found, behind


def _copies_removed(case: Case) -> str:
    """Why the copies cannot be put back now; empty: nobody is about to remove any."""
    due = (("system", "==", case.policy.system), ("due_at", ">", LONG_AGO))
    known = case.ports.store.query(Query("commands", where=due, order_by="due_at"))
    if not any((one.fields or {})["command"] in REMOVES_COPIES for one in known):
        return ""
    return "copies of people who were erased are being removed"


def _agreed(rollback: Rollback, found: WorkedOut) -> WorkedOut:
    """What becomes of a question once enough people want its plan."""
    plan = found.reversal.plan
    if found.outcome is not Outcome.ASK or plan is None:
        return found
    people = in_favour(rollback, plan.header.fingerprint, found.people)
    if len(people) < found.people:
        return found
    reason = f"approved by {', '.join(people.values())}"
    return replace(found, outcome=Outcome.ROLLBACK, reason=reason)


def _going(
    case: Case,
    order: Order,
    found: WorkedOut,
    plan: Plan,
    behind: Around,
    told: Mapping[str, Any],
) -> Turn:
    """Freeze the plan and take the system's slot, in one commit, before any effect."""
    now, rollback = case.now(), case.rollback
    functions = sorted({one.target for one in plan.steps if not is_of_data(one)})
    beside = [one.name for one in plan.steps if is_of_data(one)]
    until = now + case.policy.deployments.human_first

    def slot_taken(system: System) -> System | None:
        if system.slot not in ("", rollback.id):
            return None
        suspended = {**system.suspended, **dict.fromkeys(functions, until)}
        return behind.with_window(replace(system, slot=rollback.id, suspended=suspended))

    return Turn(
        event="rollback.decided",
        note=f"{order.way}: {all_of(len(functions), beside)} to {order.target}",
        details=plan.header.reported,
        facts={
            **told,
            "plan": plan.header.fingerprint,
            "suspended": until,
            "upheld": behind.commands,
        },
        changes={
            "status": RollbackStatus.RUNNING,
            "plan": plan.header,
            "gates": tuple(told["gates"]),
            "is_fenced": found.writes and case.policy.fence is not None,
        },
        status=Status.ROLLING_BACK,
        writes=(*kept(case, plan), *behind.writes),
        system=slot_taken,
    )


def _let_go(case: Case, found: WorkedOut, told: Mapping[str, Any]) -> Turn:
    """The turn that does nothing, and says why."""
    return Turn(
        event="rollback.not-taken",
        note=f"nothing was done: {found.reason}",
        details=found.reversal.reported,
        choices=("retry", "accept"),
        facts=told,
        changes={
            **ended(case, RollbackStatus.NOT_TAKEN, found.reason),
            "gates": tuple(told["gates"]),
        },
        status=Status.ESCALATED,
    )
