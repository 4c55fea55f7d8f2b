"""on_alert: record an alert and open or join its incident. Nothing is decided here."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from responders.alerts.incident_assignment import IncidentAssigner
from responders.support.dead_letters import create_once
from shared.core.errors import Refused
from shared.core.message_redaction import redact_message
from shared.core.pubsub_message import PubSubMessage, earliest_time
from shared.domain.audit.system_chain import UNCLAIMED_SYSTEM, system_event
from shared.domain.policy.signals import BREACH_SIGNAL
from shared.domain.policy.system_policy import Policies, Policy
from shared.domain.signals import monitoring_notification, security_finding
from shared.domain.signals.alert import Alert, create_alert
from shared.ports.groups import Ports

DUPLICATE_WINDOW = timedelta(seconds=30)
MAX_REMEMBERED_KEYS = 10_000


@dataclass
class AlertsTrigger:
    """Decodes a notification or a security finding, and has each (id, state) recorded once."""

    _ports: Ports
    _policies: Policies

    def __post_init__(self) -> None:
        self._recording = IncidentAssigner(self._ports, "on_alert")
        self._settled: dict[tuple[str, str], datetime] = {}
        """Keys that were committed and published in the last moments: a duplicate needs no read."""

    def receive(self, message: PubSubMessage) -> None:
        """Return once the alert is committed and published. Raises: Refused, Unavailable."""
        if security_finding.is_security_finding(message.data):
            self._receive_finding(message)
            return
        notification = monitoring_notification.parse_notification(message.data)
        if notification.verdict is monitoring_notification.NotificationMeaning.TEST:
            key, now, incident = f"test:{message.id}", self._ports.clock.now(), notification.incident_id
            event = system_event(UNCLAIMED_SYSTEM, key, "alert.test", now, message.topic, incident=incident)
            create_once(self._ports, event)
            return
        claimed = monitoring_notification.match_policy(notification, self._policies)
        if claimed is None:
            raise Refused(monitoring_notification.unmatched_reason(notification, self._policies))
        policy, signal = claimed
        if monitoring_notification.is_of_foreign_project(notification, policy):
            raise Refused(f"project {notification.project} is foreign to {policy.system}")
        if not self._is_recorded(policy, monitoring_notification.notification_key(notification)):
            self._record_alert(self._build_alert(notification, message, policy, signal), policy)

    def _receive_finding(self, message: PubSubMessage) -> None:
        """Receive a finding of Security Command Center, which is a breach or refused."""
        finding = security_finding.parse_security_finding(message.data)
        policy = security_finding.match_breach_policy(finding, self._policies)
        state = finding.state.lower()
        if self._is_recorded(policy, monitoring_notification.alert_key(finding.id, state)):
            return
        now = self._ports.clock.now()
        alert = create_alert(
            finding.id,
            state,
            policy.system,
            BREACH_SIGNAL,
            started_at=earliest_time(finding.at, message.first_published_at or now) or now,
            published_at=message.first_published_at,
            now=now,
            notification=redact_message(finding.document.encode()).decode(),
        )
        self._record_alert(alert, policy)

    def _build_alert(
        self,
        notification: monitoring_notification.Notification,
        message: PubSubMessage,
        policy: Policy,
        signal: str,
    ) -> Alert:
        now = self._ports.clock.now()
        return create_alert(
            notification.incident_id,
            notification.state.value.lower(),
            policy.system,
            signal,
            verdict=notification.verdict_after(policy.gates.auto_close).value,
            started_at=earliest_time(notification.started_at, message.first_published_at or now) or now,
            published_at=message.first_published_at,
            now=now,
            function=monitoring_notification.affected_function(notification, policy),
            notification=redact_message(notification.document.encode()).decode(),
        )

    def _is_recorded(self, policy: Policy, key: str) -> bool:
        at = self._settled.get((policy.system, key))
        return at is not None and self._ports.clock.now() - at < DUPLICATE_WINDOW

    def _record_alert(self, alert: Alert, policy: Policy) -> None:
        self._recording.record(alert, policy)
        self._remember(alert)

    def _remember(self, alert: Alert) -> None:
        if len(self._settled) >= MAX_REMEMBERED_KEYS:
            self._settled.clear()
        self._settled[alert.system, alert.key] = self._ports.clock.now()
