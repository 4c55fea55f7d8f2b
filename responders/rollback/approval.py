"""The approval of a plan: requested, given, rejected, requested again, or expired."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from responders.rollback.case import Case, Transition, unjudged_alerts
from responders.rollback.completion import build_cool_down_change, build_remaining_order, ended_fields
from shared.core import text
from shared.domain.decision.decision_summary import summarize_decision
from shared.domain.decision.facts import FunctionDifference
from shared.domain.decision.forecast import DurationForecast, forecast_duration
from shared.domain.decision.gate_evaluation import Decision
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.incidents.next_actions import format_shell_lines
from shared.domain.policy.severity import is_worse
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import Plan, Step, is_duration_reported
from shared.domain.rollback.rollback import ApprovalAnswer, ApprovalRequest, RollbackStatus, approvers
from shared.domain.rollback.write_quota import SavedPace
from shared.domain.signals.baseline import Baseline
from shared.engine.steps.registry import class_of
from shared.engine.steps.resource_differences import describe_resource_changes

APPROVAL_POLL_INTERVAL = timedelta(minutes=1)
"""How soon an alert that joins a question is seen."""
EVALUATION_INTERVAL = timedelta(minutes=5)
"""How often a question of automation is decided again: its plan follows what fails by then."""
ANSWER_VERBS = ("approve", "reject")
NO_PLAN_TEXT = "the form names no plan: open the request again, read its plan, and answer that"
"""Why an answer of the console is refused that does not carry what its page showed."""
DATA_APPROVALS = 2
"""Of a request that moves data."""
DATA_APPROVAL_REASON = "documents change only after approval"


def forecast_plan(
    case: Case, plan: Plan, pace: SavedPace | None, baseline: Baseline | None = None
) -> DurationForecast:
    """Return how long the plan takes at that pace, counted from the detection of the incident."""
    incident, kind, now = case.incident, plan.header.scenario, case.now()
    ahead = forecast_duration(
        plan.steps,
        case.policy,
        kind,
        incident.severity,
        order=case.rollback.order,
        left=pace,
        now=now,
        baseline=baseline,
    )
    return ahead.after((now - incident.detected_at).total_seconds())


def build_approval_request(
    case: Case,
    made: Plan,
    needed: int,
    reason: str,
    shown: Sequence[FunctionDifference],
    back: str,
    told: Mapping[str, Any],
    pace: SavedPace | None,
) -> Transition:
    """Return the transition that requests approval of a plan; the same question is sent once."""
    now, before, plan = case.now(), case.rollback.question, made.header
    left = [one for one in before.plan.changed if one not in plan.changed] if before is not None else []
    question = ApprovalRequest(plan, needed, reason, now)
    ahead = None if is_duration_reported(plan) else forecast_plan(case, made, pace)
    resources = describe_resource_changes(made.steps)
    same = before is not None and before.plan.fingerprint == plan.fingerprint and before.needed == needed
    until = case.rollback.parked_until if same else None
    until = until or now + case.policy.gates.approval_expires
    is_shown = case.incident.status is IncidentStatus.INVESTIGATING and not case.incident.is_unconfirmed
    commands = format_shell_lines(case.policy.system, case.incident.id, *ANSWER_VERBS, plan=plan.fingerprint)
    people = "One person" if needed == 1 else f"{needed} different people"
    changes = {
        "status": RollbackStatus.PARKED,
        "outcome": reason,
        "question": replace(before, reason=reason) if before and same else question,
        "approvals": case.rollback.approvals if same else (),
        "gates": tuple(told["gates"]),
        "parked_until": until,
        "decided_at": now,
        "due_at": case.next_check_at(APPROVAL_POLL_INTERVAL),
        "lease": None,
    }
    return Transition(
        event="rollback.parked",
        note=f"{summarize_decision(replace(case.rollback, **changes))} {people} must approve: "
        f"{plan.scenario} back to {plan.target}, {back}",
        details=(
            *([f"this plan no longer restores: {text.join_names(left)}"] if left else ()),
            *text.first_lines([*map(str, shown)]),
            *resources,
            *plan.reported,
            *([str(ahead)] if ahead else []),
            *commands,
        ),
        facts={
            **told,
            "plan": plan.fingerprint,
            "duration": ahead,
            "resources": resources,
            "difference": shown,
            "reported": plan.reported,
            "commands": commands,
        },
        changes=changes,
        status=None if same and is_shown else IncidentStatus.INVESTIGATING,
        say=not same,
        occasion="" if before is None else f"{_name_occasion(before, question)}-{case.rollback.sequence}",
    )


def _name_occasion(before: ApprovalRequest, question: ApprovalRequest) -> str:
    """Return "" for about twice as many functions or for more people; "-again" pages nobody."""
    sizes = [len(request.plan.changed).bit_length() for request in (before, question)]
    return "" if sizes[0] < sizes[1] or before.needed < question.needed else "-again"


def await_approval(case: Case) -> bool:
    """Return whether to continue: decide again on approval or in time, wait, or expire.

    An alert that joins is judged at the next evaluation; at once if its signal is graver.
    """
    rollback, joined = case.rollback, unjudged_alerts(case.read_alerts())
    is_due = rollback.decided_at is None or case.now() - rollback.decided_at >= EVALUATION_INTERVAL
    signals, severity = case.policy.signals, case.incident.severity
    is_graver = any(is_worse(signals[alert.signal].severity, severity) for alert in joined)
    if joined and (is_due or is_graver):
        return _decide_again(case, "a further alert joined: evaluating again")
    question = rollback.question
    if question is not None:
        people = approvers(rollback, question.plan.fingerprint, question.needed)
        if len(people) >= question.needed:
            return _decide_again(case, f"approved by {', '.join(people.values())}: evaluating again")
    until = rollback.parked_until
    if until is not None and case.now() < until:
        if is_due and rollback.order is None:  # what cannot be read by then leaves the question open
            return _decide_again(case, "five minutes have passed: evaluating again", until)
        due = min(until, case.next_check_at(APPROVAL_POLL_INTERVAL))
        is_late = case.incident.is_confirmation_overdue(case.now())
        note = "no second source confirmed it in time; it waits for approval" if is_late else "for approval"
        case.wait("rollback.waits", note, due, IncidentStatus.INVESTIGATING if is_late else None)
        return False
    note, why = "nobody answered in time: nothing was done", "the request for approval expired"
    return not case.commit_final_transition(_build_refusal(case, "rollback.expired", note, why))


def _decide_again(case: Case, why: str, decide_by: datetime | None = None) -> bool:
    """The world may be another one than when it was asked: every gate is asked once more."""
    decide_by = decide_by or case.now() + case.policy.gates.decide_within[case.incident.severity]
    case.commit_transition(
        Transition(
            event="rollback.unparked",
            note=why,
            changes={"status": RollbackStatus.DECIDING, "decide_by": decide_by},
            say=False,
        )
    )
    return True


def end_rejected(case: Case, no: ApprovalAnswer) -> bool:
    """End it because a person does not want it. Whether the worker must go on with it."""
    by = f"rejected by {no.actor}: {no.reason}"
    turn = _build_refusal(case, "rollback.rejected", f"{by}; nothing was done", by)
    rejected = replace(turn, system=build_cool_down_change(case), despite_words=True)
    return not case.commit_final_transition(
        rejected, answered={alert.key for alert in unjudged_alerts(case.read_alerts())}
    )


def _build_refusal(case: Case, event: str, note: str, why: str) -> Transition:
    """Return the end of a question without an approval, after which the next one may be asked."""
    return Transition(
        event=event,
        note=note,
        details=_prepared_plan_lines(case.rollback.question),
        changes=ended_fields(case, RollbackStatus.NOT_TAKEN, why),
        status=IncidentStatus.ESCALATED,
        choices=("retry", "accept"),
        rest=build_remaining_order(case),
    )


def _prepared_plan_lines(question: ApprovalRequest | None) -> tuple[str, ...]:
    """What was asked about, which whoever says `retry` is asked about again."""
    if question is None:
        return ()
    plan = question.plan
    asked = f"prepared: {plan.scenario} back to {plan.target}, plan {plan.fingerprint[:12]}"
    return (f"{asked}; `rollback retry` requests approval again", *plan.reported)


def required_approvals(policy: Policy, decision: Decision, steps: Iterable[Step]) -> int:
    """How many people must want it; two for rules and identity, unless the policy needs none."""
    reopens = policy.gates.security_approval and any(class_of(step).four_eyes for step in steps)
    return 2 if reopens or decision.scenario in policy.gates.four_eyes else 1
