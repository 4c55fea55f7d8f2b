"""What is said of an incident later, unless somebody acts before: on-call ladder, response time."""

from datetime import datetime

from shared.core.durations import describe_duration
from shared.domain.incidents.incident import Incident
from shared.domain.notices.notice import Notice, WithdrawalCondition
from shared.domain.notices.recipients import create_scheduled_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy


def create_escalation_notices(
    policy: Policy, incident: Incident, now: datetime, since: datetime, instead_of: Severity | None = None
) -> list[Notice]:
    """One notice for each rung of the ladder and channel, and one for the response time.

    The ladder counts from `since`. `instead_of`: what the severity was, where it was raised; who is
    paged for that already is not paged twice. The older response time withdraws itself. An incident
    that automation only observes has none, unless the policy says so.
    """
    if incident.is_observed_only and not policy.escalate_when_observing:
        return []
    return [
        *_on_call_notices(policy, incident, now, since, instead_of),
        *_response_time_notices(policy, incident, now, since),
    ]


def find_answer_deadline(policy: Policy, incident: Incident, since: datetime) -> datetime | None:
    """Return when an incident becomes unanswered; None: on-call is not notified of it."""
    is_called = policy.escalate_when_observing or not incident.is_observed_only
    return since + policy.answer_within if is_called else None


def _on_call_notices(
    policy: Policy, incident: Incident, now: datetime, since: datetime, instead_of: Severity | None
) -> list[Notice]:
    said = f"{incident.id} {incident.severity}: nobody has acknowledged it in"
    return [
        notice
        for number, rung in enumerate(policy.on_call, 1)
        for notice in create_scheduled_notices(
            policy,
            [one for one in policy.channels_of_step(rung) if instead_of not in one.severities],
            incident.id,
            incident.severity,
            f"on-call-{number}-{incident.severity.lower()}{incident.response_suffix}",
            f"{said} {describe_duration(rung.after)}",
            now,
            max(now, since + rung.after),
            WithdrawalCondition.ACKNOWLEDGED,
            rung=number,
            called=rung.role or rung.contact or rung.channel,
        )
    ]


def _response_time_notices(
    policy: Policy, incident: Incident, now: datetime, since: datetime
) -> list[Notice]:
    if incident.respond_by is None:
        return []
    within = describe_duration(incident.respond_by - since)
    return create_scheduled_notices(
        policy,
        policy.channels,
        incident.id,
        incident.severity,
        f"response-time-{incident.severity.lower()}{incident.response_suffix}",
        f"{incident.id} {incident.severity}: response time breached, not recovered within {within}",
        now,
        max(now, incident.respond_by),
        WithdrawalCondition.RESTORED,
        respond_by=incident.respond_by,
    )
