"""A message that nobody can act on: kept, explained, told, and gone from the queue."""

from __future__ import annotations

from shared.core import topics
from shared.core.errors import Exists
from shared.core.message_redaction import scrubbed
from shared.core.redaction import without_personal
from shared.core.store import Create
from shared.domain.audit.chain import event
from shared.domain.audit.system_chain import UNCLAIMED, refused_key, write_down
from shared.domain.notices.notice import creates, notices
from shared.domain.policy.model import Policy
from shared.domain.policy.severity import Severity
from shared.ports.groups import Ports
from shared.state.envelope import FIRST_PUBLISHED_AT, REPLAYED_FROM, Message
from shared.state.work_queue import publish_notices

ATTRIBUTE_LIMIT = 1000
"""Pub/Sub admits 1,024 bytes in an attribute's value."""
REASON_LIMIT = 10_000
"""Signs of a reason that the trail keeps: a reason may quote the whole message."""
LETTER_LIMIT = 9_500_000
"""Pub/Sub takes 10 MB with all attributes (cloud.google.com/pubsub/quotas)."""


def refuse(message: Message, reason: str, ports: Ports, tell: Policy | None) -> None:
    """Audit the refusal, dead-letter the message, and say so at most once an hour and topic.

    A request that is larger than any message is kept as far as a message holds it. The caller
    acknowledges afterwards. A redelivery audits nothing twice; its dead letter may come twice,
    with the same message id. Raises: Unavailable.
    """
    reason = reason[:REASON_LIMIT]
    key = refused_key(message.topic_name, message.id)
    now = ports.clock.now()
    facts = {"message": message.id, **_came_from(message), "reason": reason}
    told = event("message.refused", now, message.topic or "unknown topic", **facts)
    write_once(ports, write_down(UNCLAIMED, key, told))
    ports.bus.publish(
        topics.DEAD_LETTERS,
        (scrubbed(message.data) or b"{}")[:LETTER_LIMIT],
        {
            "source_topic": message.topic,
            "message_id": message.id,
            "reason": without_personal(reason).encode()[:ATTRIBUTE_LIMIT].decode(errors="ignore"),
            **_came_from(message),
            **_began_at(message),
        },
    )
    if tell is not None:
        _tell(message, reason, ports, tell)


def _came_from(message: Message) -> dict[str, str]:
    """Which message it was at first, where it was replayed: it never becomes another one."""
    return {REPLAYED_FROM: message.first_id} if message.first_id != message.id else {}


def _began_at(message: Message) -> dict[str, str]:
    """Since when it is on its way, where that is known: it never becomes younger."""
    since = message.first_published_at
    return {FIRST_PUBLISHED_AT: since.isoformat()} if since is not None else {}


def _tell(message: Message, reason: str, ports: Ports, policy: Policy) -> None:
    now = ports.clock.now()
    topic = message.topic_name or "unknown"
    said = notices(
        policy,
        f"refused-{topic}-{now:%Y%m%dT%H}",
        Severity.LOW,
        "refused",
        f"A message on {topic} was refused and kept as a dead letter: {reason}",
        now,
        message=message.id,
    )
    for notice, write in zip(said, creates(said), strict=True):
        if write_once(ports, write):
            publish_notices(ports.bus, [notice])


def write_once(ports: Ports, write: Create) -> bool:
    """Whether this call, and none before, has created the document."""
    try:
        ports.store.commit([write])
    except Exists:
        return False
    return True
