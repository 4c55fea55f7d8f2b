"""Create the notices of an event of an incident."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from shared.domain.incidents.incident import ENDED_INCIDENT_STATUSES, Incident, IncidentStatus
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import create_notices, incident_stage
from shared.domain.policy.channels import IncidentStage
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy


def create_incident_notices(
    policy: Policy,
    incident: Incident,
    event: str,
    text: str,
    now: datetime,
    *,
    to_paste: Sequence[str] = (),
    was: Severity | None = None,
    **facts: Any,
) -> list[Notice]:
    """Create the notices of an event; the commands of `to_paste` follow the text.

    `was`: the severity before, where the event has raised it.
    """
    return create_notices(
        policy,
        incident.id,
        incident.severity,
        event,
        "\n".join((f"{incident.id} {incident.severity}: {text}", *to_paste)),
        now,
        to_paste=to_paste,
        was=was,
        detected_at=incident.detected_at,
        is_published=bool(incident.published_by),
        stage=_find_role_stage(incident, event),
        **facts,
    )


def _find_role_stage(incident: Incident, event: str) -> IncidentStage:
    """Return the stage for roles: an incident begins, waits for a person and ends once each."""
    stage, before = incident_stage(event), [one.status for one in incident.timeline[:-1]]
    if event == "published" or (stage is IncidentStage.OVER and incident.ended_at is None):
        return IncidentStage.UNDER_WAY
    if event.startswith("alert.raised"):
        return IncidentStage.RAISED
    if event.startswith("reopened") and before[-1] not in ENDED_INCIDENT_STATUSES:
        return IncidentStage.SPREAD
    waited = [one for one in before if one is not IncidentStatus.INVESTIGATING]
    if stage is IncidentStage.STUCK and waited[-1:] == [IncidentStatus.ESCALATED]:
        return IncidentStage.SPREAD
    return stage
