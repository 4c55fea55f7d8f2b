"""Create the notices of an event: which channels receive it, by audience, severity and stage."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from shared.core.redaction import redact_personal_data, redact_secrets, redact_value
from shared.domain.notices.notice import Notice, WithdrawalCondition
from shared.domain.policy.channels import Audience, Channel, IncidentStage
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.retention import RECORD_RETENTION

EXTERNAL_AUDIENCES = frozenset({Audience.USERS, Audience.CONCERNED, Audience.PUBLIC})
"""Audiences that read no text of the team, and nothing that the status page does not show, except
people whose own documents were written."""
CONCERNED_NOTICE_DELAY = timedelta(minutes=1)
"""The delay after the end of a repair until the people concerned are notified: they are read as of
a whole minute, which is then after that end."""


def create_notices(
    policy: Policy,
    incident: str,
    severity: Severity,
    event: str,
    text: str,
    now: datetime,
    *,
    to_paste: Iterable[str] = (),
    was: Severity | None = None,
    detected_at: datetime | None = None,
    is_published: bool = False,
    stage: IncidentStage | None = None,
    **facts: Any,
) -> list[Notice]:
    """Create an event's notices, one per channel that wants its severity; `to_paste`: commands.

    `stage`: for roles, if not the event's own. `was`: the severity before. Channels outside the
    team that did not want that severity are notified that the incident has begun. People outside
    are notified when the policy shows the incident, counted from `detected_at` or now, or at once
    where it is published.
    """
    said: list[Notice] = []
    stage = stage or incident_stage(event)
    for channel in _subscribed_channels(policy.channels, severity, event):
        is_new = was is not None and was not in channel.severities
        if not policy.is_wanted(channel.name, IncidentStage.BEGUN if is_new else stage):
            continue
        is_new = is_new and channel.audience is not Audience.TEAM
        name, due_at = f"detected-{severity.lower()}" if is_new else event, now
        if channel.audience not in EXTERNAL_AUDIENCES:
            said += _channel_notices(
                policy, [channel], incident, severity, name, text, now, now, facts, to_paste
            )
            continue
        if name.startswith("detected") and not is_published:
            shown_after = policy.status_page.publish_after.get(severity, timedelta(0))
            due_at = max(now, (detected_at or now) + shown_after)
        public = _channel_notices(policy, [channel], incident, severity, name, "", now, due_at, {})
        said += [replace(notice, unless=WithdrawalCondition.HELD_BACK) for notice in public]
    return said


def create_concerned_notices(
    policy: Policy, incident: str, severity: Severity, event: str, now: datetime, rollback: str
) -> list[Notice]:
    """Create the notices of the end of a rollback to people whose documents it wrote or left."""
    channels = [
        one for one in policy.channels if one.audience is Audience.CONCERNED and severity in one.severities
    ]
    due_at, facts = now + CONCERNED_NOTICE_DELAY, {"rollback": rollback}
    return _channel_notices(policy, channels, incident, severity, event, "", now, due_at, facts)


def create_team_notices(
    policy: Policy, incident: str, severity: Severity, event: str, text: str, now: datetime, **facts: Any
) -> list[Notice]:
    """Create the notices of an event to every channel of the team, whatever severities it wants."""
    channels = [one for one in policy.channels if one.audience is Audience.TEAM]
    return _channel_notices(policy, channels, incident, severity, event, text, now, now, facts)


def create_test_notices(policy: Policy, key: str, text: str, now: datetime) -> list[Notice]:
    """Create a test notice for each channel of the team and of stakeholders, of any severity."""
    channels = [one for one in policy.channels if one.audience not in EXTERNAL_AUDIENCES]
    return _channel_notices(policy, channels, key, Severity.LOW, "test", text, now, now, {})


def create_scheduled_notices(
    policy: Policy,
    channels: Iterable[Channel],
    incident: str,
    severity: Severity,
    event: str,
    text: str,
    now: datetime,
    due_at: datetime,
    unless: WithdrawalCondition,
    *,
    to_paste: Iterable[str] = (),
    **facts: Any,
) -> list[Notice]:
    """Create notices due at `due_at` unless the condition holds; `to_paste`: commands."""
    wanting = _subscribed_channels(channels, severity, event)
    if not event.startswith("on-call"):  # a step of on-call names its channels
        wanting = [one for one in wanting if policy.is_wanted(one.name, incident_stage(event))]
    said = _channel_notices(policy, wanting, incident, severity, event, text, now, due_at, facts, to_paste)
    return [replace(notice, unless=unless) for notice in said]


def _channel_notices(
    policy: Policy,
    channels: Iterable[Channel],
    incident: str,
    severity: Severity,
    event: str,
    text: str,
    now: datetime,
    due_at: datetime,
    facts: dict[str, Any],
    to_paste: Iterable[str] = (),
) -> list[Notice]:
    return [
        Notice(
            id=f"{incident}:{event}:{channel.name}",
            incident=incident,
            system=policy.system,
            event=event,
            channel=channel.name,
            severity=severity,
            text=clean(text),
            created_at=now,
            due_at=due_at,
            since=due_at,
            lane=f"{incident}:{channel.name}",
            facts=redact_value(msgspec.to_builtins(facts), clean),
            commands=tuple(map(clean, to_paste)),
            expires_at=now + RECORD_RETENTION,
        )
        for channel in channels
        for clean in [redaction_for(channel.audience)]
    ]


def redaction_for(audience: Audience) -> Callable[[str], str]:
    """Return what cleans a text for an audience: only the team reads who acted, and why."""
    return redact_secrets if audience is Audience.TEAM else redact_personal_data


def _subscribed_channels(channels: Iterable[Channel], severity: Severity, event: str) -> list[Channel]:
    return [one for one in channels if severity in one.severities and is_for_audience(event, one.audience)]


def is_for_audience(event: str, audience: Audience) -> bool:
    """Return whether an audience is notified of an event."""
    return audience is Audience.TEAM or incident_stage(event) in _STAGES_BY_AUDIENCE[audience]


def incident_stage(event: str) -> IncidentStage:
    """Return the stage of the incident that an event belongs to; its name may end in a number.

    A question that is asked again pages nobody.
    """
    if "-again-" in event and event.startswith("rollback.parked"):
        return IncidentStage.OTHER
    return next((one for name, one in _STAGE_BY_EVENT.items() if event.startswith(name)), IncidentStage.OTHER)


BEGINNING_STAGES = frozenset({IncidentStage.BEGUN, IncidentStage.SPREAD, IncidentStage.RAISED})
"""Notices of these stages are not sent once the incident has ended."""
_STAGE_BY_EVENT = {
    "detected": IncidentStage.BEGUN,
    "reopened": IncidentStage.BEGUN,
    "published": IncidentStage.BEGUN,
    "rollback.decided": IncidentStage.UNDER_WAY,
    "rollback.held": IncidentStage.UNDER_WAY,
    "rollback.goes-on": IncidentStage.UNDER_WAY,
    "rollback.verified": IncidentStage.BACK,
    "rollback.unverified": IncidentStage.UNDER_WAY,
    "rollback.escalated": IncidentStage.STUCK,
    "alerts.escalated": IncidentStage.STUCK,
    "rollback.failed": IncidentStage.STUCK,
    "rollback.cancelled": IncidentStage.STUCK,
    "rollback.expired": IncidentStage.STUCK,
    "rollback.rejected": IncidentStage.STUCK,
    "rollback.succeeded": IncidentStage.OVER,
    "rollback.not-taken": IncidentStage.OVER,
    "incident.raised": IncidentStage.RAISED,
    "incident.spread": IncidentStage.SPREAD,
    "incident.failing-again": IncidentStage.STUCK,
    "incident.recovery-observed": IncidentStage.BACK,
    "incident.recovered": IncidentStage.OVER,
    "incident.recovery-not-observed": IncidentStage.OVER,
    "accepted": IncidentStage.OVER,
    "rollback.parked": IncidentStage.ASKED,
    "response-time": IncidentStage.LATE,
    "report": IncidentStage.REPORTED,
    "analysed": IncidentStage.REPORTED,
}


_TEAM_STAGES = {IncidentStage.ASKED, IncidentStage.LATE, IncidentStage.OTHER}
_STAGES_BY_AUDIENCE = {
    Audience.STAKEHOLDERS: frozenset(IncidentStage) - _TEAM_STAGES,
    Audience.USERS: {IncidentStage.BEGUN, IncidentStage.SPREAD, IncidentStage.RAISED, IncidentStage.OVER},
    Audience.CONCERNED: frozenset(),
    Audience.PUBLIC: frozenset(IncidentStage) - _TEAM_STAGES - {IncidentStage.REPORTED},
}
