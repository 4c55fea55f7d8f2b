"""A plan that waits for approval, with all that people read before they answer."""

from collections.abc import Iterator
from datetime import datetime

from shared.core.codec import FrozenStruct
from shared.core.errors import Refused
from shared.domain.decision.decision_summary import summarize_decision
from shared.domain.decision.facts import FunctionDifference
from shared.domain.decision.recorded_decision import RecordedDecision, newest_decision, suspected_cause
from shared.domain.incidents.incident import Incident, rollback_id
from shared.domain.rollback.rollback import ApprovalRequest, Rollback, approvers
from shared.state.available_commands import read_available_verbs
from shared.state.reader import StateReader


class OpenQuestion(FrozenStruct):
    """One question as people read it."""

    plan: str
    """The fingerprint of the plan, which an answer names."""
    summary: list[str]
    """Why it is asked, who asks for it, who has approved it, and how long it takes."""
    functions: list[FunctionDifference]
    lines: list[str]
    """What the plan does beside the functions, what it leaves, and what it starts."""


def read_open_question(reading: StateReader, incident: Incident, now: datetime) -> OpenQuestion:
    """Return the question of an incident. Raises: Refused, when nothing is asked; Unavailable."""
    rollback = reading.rollback(rollback_id(incident.id, incident.rollbacks))
    verbs = read_available_verbs(reading, incident, rollback)
    if rollback is None or rollback.question is None or "approve" not in verbs:
        possible = ", ".join(verbs) or "none: the incident has ended"
        raise Refused(f"{incident.id} has no open question; possible commands: {possible}")
    plan = rollback.question.plan
    decision = newest_decision(reading.audit_entries(rollback.id), plan.fingerprint)
    return OpenQuestion(
        plan=plan.fingerprint,
        summary=list(_summarize(rollback, rollback.question, decision, now)),
        functions=decision.difference if decision is not None else [],
        lines=[*(decision.resources if decision is not None else ()), *plan.reported],
    )


def _summarize(
    rollback: Rollback, question: ApprovalRequest, decision: RecordedDecision | None, now: datetime
) -> Iterator[str]:
    cause = suspected_cause([rollback])
    people = approvers(rollback, question.plan.fingerprint, question.needed).values()
    yield summarize_decision(rollback)
    yield f"scenario {question.plan.scenario}, back to {question.plan.target}"
    began = () if rollback.order else (f"started by automation{f', because {cause}' if cause else ''}",)
    yield from (*began, *rollback.commands)
    yield f"approved by {', '.join(people) or 'nobody'}: {len(people)} of {question.needed}"
    if decision is not None and decision.duration is not None:
        yield str(decision.duration.after((now - datetime.fromisoformat(decision.at)).total_seconds()))
