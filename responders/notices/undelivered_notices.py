"""Classify the failure of a channel, and build the notices that report it to other channels.

`shared.domain.notices.outbox` decides on retries and when to give up.
"""

from datetime import datetime

from shared.core import log
from shared.core.errors import Rejected, Unavailable
from shared.domain.notices.notice import Notice, NoticeStatus
from shared.domain.notices.outbox import DeliveryResult
from shared.domain.notices.recipients import create_team_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy


def classify_channel_failure(failure: Rejected | Unavailable) -> tuple[DeliveryResult, str]:
    """What a failure says of a channel."""
    return DeliveryResult.REFUSED if isinstance(failure, Rejected) else DeliveryResult.NONE, str(failure)


def build_undelivered_notices(policy: Policy, ended: Notice, now: datetime) -> list[Notice]:
    """What the team is told of a notice that is over, where it has not reached all it was for."""
    known = ended.spread
    if known is None or not (known.is_incomplete or ended.status is NoticeStatus.UNDELIVERABLE):
        return []
    severity = ended.severity or Severity.LOW
    why = f"; given up: {ended.last_error}" if ended.status is NoticeStatus.UNDELIVERABLE else ""
    said = f"{ended.event} on channel {ended.channel}, {known}{why}"
    log.write("WARNING", f"{ended.incident}: {said}", event="notice.short", notice=ended.id)
    event = f"short.{ended.event}.{ended.channel}"
    text = f"{ended.incident} {severity}: {said}"
    return create_team_notices(policy, ended.incident, severity, event, text, now)
