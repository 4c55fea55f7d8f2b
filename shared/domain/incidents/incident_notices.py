"""Create the notices of an event of an incident."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from shared.domain.incidents.incident import Incident
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import create_notices
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
        **facts,
    )
