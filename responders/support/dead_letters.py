"""A message that nobody can act on: kept, explained, told, and gone from the queue."""

from shared.core import topics
from shared.core.errors import Exists
from shared.core.message_redaction import redact_message
from shared.core.pubsub_message import FIRST_PUBLISHED_AT, REPLAYED_FROM, PubSubMessage
from shared.core.redaction import redact_personal_data
from shared.core.store import Create
from shared.core.text import cut_reason
from shared.domain.audit.system_chain import UNCLAIMED_SYSTEM, refusal_event_key, system_event
from shared.domain.notices.notice import notice_writes
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports
from shared.state.work_queue import publish_notices

MAX_ATTRIBUTE_BYTES = 1000
"""Pub/Sub admits 1,024 bytes in an attribute's value."""
MAX_DEAD_LETTER_BYTES = 9_500_000
"""Pub/Sub takes 10 MB with all attributes (cloud.google.com/pubsub/quotas)."""


def dead_letter_message(message: PubSubMessage, reason: str, ports: Ports, tell: Policy | None) -> None:
    """Audit and dead-letter a message; notify once an hour and topic. Raises: Unavailable."""
    reason = cut_reason(reason)
    public_reason = redact_personal_data(reason)
    key = refusal_event_key(message.topic_name, message.id)
    now = ports.clock.now()
    original = {REPLAYED_FROM: message.first_id} if message.first_id != message.id else {}
    since = message.first_published_at
    facts = {"message": message.id, **original, "reason": reason}
    actor = message.topic or "unknown topic"
    create_once(ports, system_event(UNCLAIMED_SYSTEM, key, "message.refused", now, actor, **facts))
    ports.bus.publish(
        topics.DEAD_LETTERS,
        (redact_message(message.data) or b"{}")[:MAX_DEAD_LETTER_BYTES],
        {
            "source_topic": message.topic,
            "message_id": message.id,
            "reason": public_reason.encode()[:MAX_ATTRIBUTE_BYTES].decode(errors="ignore"),
            **original,
            **({FIRST_PUBLISHED_AT: since.isoformat()} if since is not None else {}),
        },
    )
    if tell is not None:
        _notify_refusal(message, public_reason, ports, tell)


def _notify_refusal(message: PubSubMessage, reason: str, ports: Ports, policy: Policy) -> None:
    now = ports.clock.now()
    topic = message.topic_name or "unknown"
    key = f"refused-{topic}-{now:%Y%m%dT%H}"
    text = f"A message on {topic} was refused and stored as a dead-letter message: {reason}"
    said = create_notices(policy, key, Severity.LOW, "refused", text, now, message=message.id)
    for notice, write in zip(said, notice_writes(said), strict=True):
        if create_once(ports, write):
            publish_notices(ports.bus, [notice])


def create_once(ports: Ports, write: Create) -> bool:
    """Whether this call, and none before, has created the document."""
    try:
        ports.store.commit([write])
    except Exists:
        return False
    return True
