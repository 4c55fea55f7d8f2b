"""What would have shortened an incident, derived from its times and its audit log. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from shared.core.durations import describe_duration
from shared.core.text import count_noun, join_names
from shared.domain.audit.chain import AuditEntry
from shared.domain.deployments.build_recipe import REDEPLOY
from shared.domain.incidents.incident import Incident
from shared.domain.reports.phases import Phase
from shared.domain.rollback.plan import Step, StepStatus

ENDS = ("rollback.cancelled", "rollback.failed")
WAIT_END_EVENTS = {
    "rollback.parked": (*("rollback.approved", "rollback.rejected", "rollback.expired"), "rollback.unparked"),
    "rollback.held": (*("rollback.resumed", "rollback.unfrozen", "rollback.goes-on"), *ENDS),
}
"""What ends a wait that a rollback went into, by the event that began it."""
WAIT_LESSONS = {
    "rollback.parked": "It waited {span} for approval: ask fewer people, or allow automatic rollback.",
    "rollback.held": "It was on hold for {span}, by a pause or a freeze.",
}
HELD_EVENT = "decision.held"
DELAY_LESSONS = {
    "detection": "It was detected {late} late: a probe that opens the signal checks twice a minute.",
    "confirmation by probes": "Its probes passed {late} late: check what they request.",
    "verification": "It was verified {late} late: too few requests were counted, or they failed.",
    "communication": "The last channel got the first notice {late} late: `rollback notify` tests channels.",
}


def derive_lessons(
    incident: Incident,
    trail: Sequence[AuditEntry],
    steps: Sequence[Step],
    phases: Iterable[Phase],
    now: datetime,
) -> Iterator[str]:
    """Yield one sentence for each delay, and one if nobody acknowledged the incident."""
    yield from _wait_lessons(trail, now)
    yield from _delay_lessons(phases)
    yield from _slow_step_lessons(steps)
    if not incident.acknowledged_by:
        yield "Nobody acknowledged it: `rollback ack` names the owner and stops the escalation."


def _wait_lessons(trail: Sequence[AuditEntry], now: datetime) -> Iterator[str]:
    """Yield how long each wait for people lasted; a wait that has not ended counts until now."""
    events = [(datetime.fromisoformat(one.at), one.name) for entry in trail for one in entry.events]
    until: dict[str, datetime] = {}
    for began, name in events:
        if name in WAIT_END_EVENTS and (name not in until or began >= until[name]):  # it is recorded again
            ended = (at for at, other in events if at >= began and other in WAIT_END_EVENTS[name])
            until[name] = next(ended, now)
            yield WAIT_LESSONS[name].format(span=describe_duration(until[name] - began))
    held = [
        event.facts.get("note", "") for entry in trail for event in entry.events if event.name == HELD_EVENT
    ]
    if held:
        checks = count_noun(len(held) + 1, "check")
        yield f"The decision took {checks}. It waited because: {join_names(list(dict.fromkeys(held)))}."


def _delay_lessons(phases: Iterable[Phase]) -> Iterator[str]:
    for one in phases:
        if (
            one.name in DELAY_LESSONS
            and one.target is not None
            and one.duration is not None
            and not one.is_within_target
        ):
            yield DELAY_LESSONS[one.name].format(late=describe_duration(one.duration - one.target))


def _slow_step_lessons(steps: Sequence[Step]) -> Iterator[str]:
    """Yield how many functions were rebuilt, and the step that took longest."""
    built = [step for step in steps if step.kind == REDEPLOY and step.begun_at is not None]
    if built:
        functions = count_noun(len(built), "function")
        yield f"Rebuilt because revisions or images were missing: {functions}."
    took = [(_step_duration(step), step.name) for step in steps if step.status is StepStatus.DONE]
    longest = max(took, default=(timedelta(0), ""))
    if longest[0] > timedelta(minutes=1):
        yield f"The longest step, {longest[1]}, took {describe_duration(longest[0])}."


def _step_duration(step: Step) -> timedelta:
    if step.begun_at is None or step.ended_at is None:
        return timedelta(0)
    return step.ended_at - step.begun_at
