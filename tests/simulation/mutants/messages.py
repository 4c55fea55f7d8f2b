"""Messages, notices and records of which some are lost, or come twice."""

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from responders.alerts.incident_assignment import IncidentAssigner
from responders.jobs import audit_anchor, audit_seal
from responders.notices.delivery import NoticeDelivery
from responders.triggers import clock
from responders.triggers.alerts import AlertsTrigger
from shared.core.codec import encode
from shared.core.pubsub_message import PubSubMessage
from shared.core.store import Document, Update
from shared.domain.audit import system_chain
from shared.domain.notices import outbox
from shared.domain.notices.notice import Notice, NoticeStatus
from shared.domain.signals.alert import Alert
from shared.state import work_queue
from tests.simulation.runtime.delivery import Delivery


def acknowledged_before_commit() -> AbstractContextManager[Any]:
    """The message is gone before what it asks for is kept."""
    return patch.object(Delivery, "acknowledges_first", True)


def alerts_known_by_message_id() -> AbstractContextManager[Any]:
    """A repeated notification is another alert."""
    honest = AlertsTrigger._build_alert

    def named(self: AlertsTrigger, notification: Any, message: PubSubMessage, *facts: Any) -> Alert:
        alert = honest(self, notification, message, *facts)
        return replace(alert, key=f"{message.id}:{alert.state}")

    return patch.object(AlertsTrigger, "_build_alert", named)


def remembered_before_commit() -> AbstractContextManager[Any]:
    """An instance takes for settled what it has only begun."""
    honest = AlertsTrigger._record_alert

    def hasty(self: AlertsTrigger, alert: Alert, policy: Any) -> None:
        self._remember(alert)
        honest(self, alert, policy)

    return patch.object(AlertsTrigger, "_record_alert", hasty)


def published_before_commit() -> AbstractContextManager[Any]:
    """Work is handed over before it is kept."""
    honest = IncidentAssigner._create_incident

    def hasty(self: IncidentAssigner, *facts: Any) -> Any:
        opening = honest(self, *facts)
        rollback = opening.rollback
        work_queue.publish_work_item(
            self._ports.bus, work_queue.ROLLBACK, rollback.id, rollback.due_at or rollback.created_at
        )
        return opening

    return patch.object(IncidentAssigner, "_create_incident", hasty)


def notices_not_claimed() -> AbstractContextManager[Any]:
    """A notice is sent by whoever is handed it."""

    def send(self: NoticeDelivery, notice: Notice, document: Document, channel: Any) -> None:
        attempt = replace(notice, attempts=notice.attempts + 1)
        self._send_to_channel(attempt, channel, {**encode(attempt), "repeated": False})
        ended = replace(attempt, status=NoticeStatus.SENT, due_at=None)
        self._ports.store.commit([Update(document.path, encode(ended), document.version)])

    return patch.object(NoticeDelivery, "_send", send)


def failed_notices_count_as_sent() -> AbstractContextManager[Any]:
    """A dead channel is believed."""
    honest = outbox.conclude_attempt

    def hopeful(*facts: Any) -> Notice:
        return replace(honest(*facts), due_at=None)

    return patch.object(outbox, "conclude_attempt", hopeful)


def notices_in_any_order() -> AbstractContextManager[Any]:
    """No notice waits for the one before it."""
    return patch.object(outbox, "notice_ahead", lambda *_: None)


def seal_skipped() -> AbstractContextManager[Any]:
    """What happens outside rollbacks stays loose."""
    return patch.object(audit_seal.AuditSealer, "seal", lambda self, system, now: None)


def sealed_without_bound() -> AbstractContextManager[Any]:
    """All events of a batch go into one seal, however large they are."""
    return patch.object(system_chain, "sealable_parts", lambda loose: iter([[*loose]]))


def anchored_without_an_object() -> AbstractContextManager[Any]:
    """A head counts as anchored, whether or not the bucket has taken it."""
    return patch.object(audit_anchor, "_write_anchors", lambda objects, waiting: None)


def nothing_swept() -> AbstractContextManager[Any]:
    """What was dropped on the way stays dropped."""
    return patch.object(clock.ClockTrigger, "sweep", lambda self, now: None)


def errors_swallowed() -> AbstractContextManager[Any]:
    """A failure is logged, and the message is acknowledged."""
    honest = Delivery._delivered

    def swallowing(self: Delivery, *facts: Any) -> bool:
        honest(self, *facts)
        return True

    return patch.object(Delivery, "_delivered", swallowing)


MUTANTS = (
    acknowledged_before_commit,
    alerts_known_by_message_id,
    remembered_before_commit,
    published_before_commit,
    notices_not_claimed,
    failed_notices_count_as_sent,
    notices_in_any_order,
    seal_skipped,
    sealed_without_bound,
    anchored_without_an_object,
    nothing_swept,
    errors_swallowed,
)
