"""Whether the conditions of an incident's alerts are over, not only the notifications of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from msgspec import Struct

from responders.rollback.case import Case, Transition
from responders.support.parallel_calls import (
    MAX_TOTAL_SECONDS,
    METRICS_WINDOW,
    answer_or_none,
    build_alert_state_calls,
    call_in_batches,
    read_alert_states,
)
from shared.core.durations import describe_duration
from shared.domain.deployments.deployment import counts_from_services
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.policy.system_policy import service_of
from shared.domain.signals import alert_conditions
from shared.domain.signals.alert import Alert, open_alerts
from shared.domain.signals.alert_conditions import ConditionState
from shared.domain.signals.health import RouterRequests

FIRST_READ_BEFORE_LIMIT: Final = timedelta(minutes=5)
"""So long before their limit the conditions are read: there may be no answer at first."""
LAST_READ_BEFORE_LIMIT: Final = timedelta(minutes=1)
"""So long before it for the last time: a sweep comes half a minute late, and they take as long."""


class ConditionResults(Struct, frozen=True):
    """What became of what the alerts of an incident told of."""

    stands: bool
    """Whether any of it is known not to be over."""
    lines: tuple[str, ...]
    """What is not over, or not known to be; nothing: all of it is over."""


def upcoming_condition_reads(case: Case) -> list[datetime]:
    """When the conditions must be read, besides at the looks of the watch; nothing: never again."""
    if case.rollback.conditions_read_at is not None:
        return []
    now, limit = case.now(), _condition_deadline(case)
    return [at for at in (limit - FIRST_READ_BEFORE_LIMIT, limit - LAST_READ_BEFORE_LIMIT) if at > now]


def record_ended_conditions(case: Case) -> bool:
    """Whether it was put on record now that all of the conditions are over, or that some are not.

    Near their limit they are read until all are over; with the last read, a person is told. What
    stands escalates the incident, while the watch goes on.
    """
    now, limit = case.now(), _condition_deadline(case)
    if case.rollback.conditions_read_at is not None or now < limit - FIRST_READ_BEFORE_LIMIT:
        return False
    found = read_conditions(case, case.read_alerts())
    if found.lines and now < limit - LAST_READ_BEFORE_LIMIT:
        return False
    event, said, becomes = "alerts.over", "the conditions of all alerts are over", None
    if found.lines:
        event, said = "alerts.unanswered", "; ".join(found.lines)
    if found.stands:
        event, becomes = "alerts.escalated", IncidentStatus.ESCALATED
    after, until = now - (case.rollback.shifted_at or now), case.rollback.watch_until or now
    return case.commit_transition(
        Transition(
            event=event,
            note=f"{said}, {describe_duration(after)} after the last shift",
            details=(f"the watch goes on until {until:%H:%M} UTC, or until it is cancelled",),
            choices=("cancel",) if found.stands else (),
            changes={"conditions_read_at": now},
            status=becomes,
            say=bool(found.lines),
        )
    )


def _condition_deadline(case: Case) -> datetime:
    """When the conditions must be over."""
    return (case.rollback.shifted_at or case.now()) + case.policy.execution.cleared_within


def read_conditions(case: Case, joined: Collection[Alert]) -> ConditionResults:
    """The condition of each alert as it is now. Raises: as LeasedRollback.commit."""
    opened = [alert for alert in joined if alert.is_open]
    newest = sorted(opened, key=lambda alert: alert.started_at, reverse=True)
    asked = list(dict.fromkeys(one.monitoring_id for one in newest if one.is_of_monitoring))
    calls = {**_build_count_call(case), **build_alert_state_calls(case.ports, case.policy.system, asked)}
    case.extend_lease(MAX_TOTAL_SECONDS)
    answers = call_in_batches(case.ports, calls if asked else {})
    said, requests = read_alert_states(answers), _counted_requests(case, answers)
    standing, gates = open_alerts(joined), case.policy.gates
    judged = [
        (
            alert,
            alert_conditions.evaluate_condition(alert, said, requests, gates, closed=alert not in standing),
        )
        for alert in newest
    ]
    stands = any(found is ConditionState.STANDS for _, found in judged)
    return ConditionResults(stands, tuple(alert_conditions.open_condition_lines(judged)))


def _build_count_call(case: Case) -> dict[str, Callable[[], Any]]:
    """The call that counts the newest requests since the last shift."""
    now, metrics = case.now(), case.ports.system(case.policy.system).metrics
    since = max(case.rollback.shifted_at or now, now - METRICS_WINDOW)
    return {"metrics": partial(metrics.requests, since, now)}


def _counted_requests(case: Case, answers: Mapping[str, Any]) -> Mapping[str, RouterRequests] | None:
    """What that call found, per function; None: they could not be read."""
    found = answer_or_none(answers.get("metrics"))
    services = {name: service_of(name) for name in case.policy.functions}
    return None if found is None else counts_from_services(found, services)
