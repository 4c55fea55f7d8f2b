"""on_alert: a notification is recorded, and an incident with it. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from responders.refusal import write_once
from shared import alert_record, handover
from shared import incident as incidents
from shared import rollback as rollbacks
from shared import system as systems
from shared.alert import (
    Notification,
    Verdict,
    claim,
    function_of,
    is_foreign,
    key,
    parse,
    why_unclaimed,
)
from shared.alert_record import Alert
from shared.audit import Event, event
from shared.documents import decode, encode
from shared.envelope import Message
from shared.errors import Moved, Refused, Unavailable
from shared.incident import Incident
from shared.opening import Opening, counter_path, open_incident, reopen_incident
from shared.outside import UNCLAIMED, write_down
from shared.policy import Policy, worse
from shared.ports import Create, Document, Ports, written
from shared.rollback import KEPT_FOR, Rollback
from shared.system import System

COMMIT_ATTEMPTS = 20
RETRY_SECONDS = 0.1
REMEMBERED_FOR = timedelta(seconds=30)
REMEMBERED_KEYS = 10_000


class Alerts:
    """Records each (incident_id, state) once; joins it to the open incident, or opens one."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = policies
        self._settled: dict[str, datetime] = {}
        """Keys that were committed and published lately: their duplicates cost nothing more."""

    def receive(self, message: Message) -> None:
        """Return once the alert is committed and its work published.

        Raises: Refused, for what is no notification or nobody's; Unavailable.
        """
        notification = parse(message.data)
        if notification.verdict is Verdict.TEST:
            self._record_test(notification, message)
            return
        claimed = claim(notification, self._policies)
        if claimed is None:
            raise Refused(why_unclaimed(notification, self._policies))
        policy, signal = claimed
        if is_foreign(notification, policy):
            raise Refused(f"project {notification.project} is foreign to {policy.system}")
        name = key(notification)
        if not self._was_settled(name):
            self._settle(self._alert(notification, message, policy, signal), policy)
            self._remember(name)

    def _record_test(self, notification: Notification, message: Message) -> None:
        now = self._ports.clock.now()
        told = event("alert.test", now, message.topic, incident=notification.incident_id)
        write_once(self._ports, write_down(UNCLAIMED, f"test:{message.id}", told))

    def _alert(
        self, notification: Notification, message: Message, policy: Policy, signal: str
    ) -> Alert:
        now = self._ports.clock.now()
        return Alert(
            key=key(notification),
            monitoring_id=notification.incident_id,
            state=notification.state.value.lower(),
            verdict=notification.verdict_after(policy.gates.auto_close).value,
            system=policy.system,
            signal=signal,
            incident="",
            started_at=notification.started_at or message.published_at or now,
            published_at=message.published_at or now,
            received_at=now,
            function=function_of(notification, policy),
            notification=notification.document,
            expires_at=now + KEPT_FOR,
        )

    def _settle(self, alert: Alert, policy: Policy) -> None:
        """Make sure that the alert is kept, and that an incident attends to it."""
        for _ in range(COMMIT_ATTEMPTS):
            try:
                if self._attended(alert, policy):
                    return
            except Moved:  # somebody wrote first: read again and decide again
                self._ports.clock.sleep(RETRY_SECONDS)
        raise Unavailable(f"alert {alert.key}: the system's documents change too fast")

    def _attended(self, alert: Alert, policy: Policy) -> bool:
        """Whether nothing is left to do; False after a commit, to look once more.

        That second look closes a gap: the rollback that an alert joins may end between our read
        and our commit, and its end would not have seen the alert.
        """
        store = self._ports.store
        kept = store.get(alert_record.path(alert.key))
        document = store.get(systems.path(policy.system))
        known = decode(Alert, kept.fields) if kept.fields else None
        system = decode(System, document.fields) if document.fields else System(policy.system)
        attending = bool(system.rollback) and not system.rollback_ended
        if not alert.is_open or self._is_over(alert):
            if known is None:
                self._keep(alert, self._beside(alert, system))
            return True
        if known is None and attending:
            self._keep(alert, system.incident)
            return False
        if known is not None and (attending or known.absorbed_by):
            self._publish_if_due(system)
            return True
        self._open(alert, policy, document, system, kept)
        return True

    def _is_over(self, alert: Alert) -> bool:
        """Whether the alert's end overtook its beginning on the way."""
        path = alert_record.path(f"{alert.key.rpartition(':')[0]}:closed")
        closed = self._ports.store.get(path).fields
        return closed is not None and decode(Alert, closed).verdict == "closed"

    def _beside(self, alert: Alert, system: System) -> str:
        """The incident of the alert's beginning, else the system's present one."""
        path = alert_record.path(f"{alert.key.rpartition(':')[0]}:open")
        began = self._ports.store.get(path).fields
        return decode(Alert, began).incident if began is not None else system.incident

    def _keep(self, alert: Alert, incident: str) -> None:
        """A document of its own, and no other is written: a storm makes none of them hot."""
        joined = replace(alert, incident=incident)
        self._ports.store.commit([Create(alert_record.path(alert.key), encode(joined))])

    def _publish_if_due(self, system: System) -> None:
        """Republish the work of the current rollback: deduplicated is not done."""
        document = self._ports.store.get(rollbacks.path(system.rollback))
        if document.fields is None:
            return
        rollback = decode(Rollback, document.fields)
        if rollback.due_at is not None and rollback.due_at <= document.read_at:
            handover.publish(self._ports.bus, handover.ROLLBACK, rollback.id, rollback.due_at)

    def _open(
        self, alert: Alert, policy: Policy, document: Document, system: System, kept: Document
    ) -> None:
        """Commit 1: the alert, its incident and all that goes with them; then hand over."""
        opening = (
            self._reopened(alert, policy, document, system)
            if _may_rejoin(system, policy, document.read_at)
            else self._opened(alert, policy, document)
        )
        joined = replace(alert, incident=opening.incident.id)
        self._ports.store.commit([*opening.writes, written(kept, encode(joined))])
        rollback = opening.rollback
        handover.publish(
            self._ports.bus, handover.ROLLBACK, rollback.id, rollback.due_at or rollback.created_at
        )
        handover.publish_notices(self._ports.bus, opening.notices)

    def _reopened(
        self, alert: Alert, policy: Policy, document: Document, system: System
    ) -> Opening:
        """A further rollback of an incident that nobody works on, as bad as the worse one."""
        before = self._ports.store.get(incidents.path(system.incident))
        known = decode(Incident, before.fields)
        return reopen_incident(
            policy,
            document,
            before,
            severity=worse(known.severity, policy.signals[alert.signal].severity),
            now=document.read_at,
            commit_id=self._ports.ids(),
            events=[_detected(alert, document.read_at)],
        )

    def _opened(self, alert: Alert, policy: Policy, document: Document) -> Opening:
        now = document.read_at  # all instances agree on the store's time
        return open_incident(
            policy,
            document,
            self._ports.store.get(counter_path(now)),
            severity=policy.signals[alert.signal].severity,
            signal=alert.signal,
            onset=alert.started_at,
            now=now,
            commit_id=self._ports.ids(),
            events=[_detected(alert, now)],
        )

    def _was_settled(self, key: str) -> bool:
        at = self._settled.get(key)
        return at is not None and self._ports.clock.now() - at < REMEMBERED_FOR

    def _remember(self, key: str) -> None:
        if len(self._settled) >= REMEMBERED_KEYS:
            self._settled.clear()
        self._settled[key] = self._ports.clock.now()


def _may_rejoin(system: System, policy: Policy, now: datetime) -> bool:
    """Whether the newest incident is still the same trouble: open, or over since a moment."""
    if not system.incident:
        return False
    ended_at = system.incident_ended_at
    return ended_at is None or now - ended_at <= policy.gates.join_window


def _detected(alert: Alert, now: datetime) -> Event:
    return event(
        "incident.detected",
        now,
        "on_alert",
        alert=alert.key,
        signal=alert.signal,
        onset=alert.started_at,
    )
