"""One notification as received: deduplicated, joined to an incident, absorbed when judged."""

import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from shared.core.codec import FrozenStruct, StoredDocument, documents_of
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.retention import RECORD_RETENTION
from shared.domain.signals.monitoring_notification import alert_key
from shared.domain.signals.registry import SignalSource, has_source

alert_path = documents_of("alerts")
"""Where an alert is kept."""
DECLARED_PREFIX = "declared:"
"""How the id of an alert begins that a person has declared."""
FINDING_PREFIX = "finding:"
"""How the id of an alert begins that stands for a finding of Security Command Center."""
LOG_MATCH_CONDITION = "conditionMatchedLog"
"""The key of a notification of an alert policy that matches log entries
(https://cloud.google.com/monitoring/alerts/ui-mql-alert-policy, log-based alert policies).
"""
UPTIME_CHECK = re.compile(r'"type":\s*"(?:uptime_url"|monitoring\.googleapis\.com/uptime_check/)')
"""The monitored resource, or the metric, that the notification of an uptime check names."""


class EvidenceSource(StrEnum):
    """Who reports that something fails; no source confirms itself."""

    PROBES = "own probes"
    COUNTS = "request counts"
    MONITORING = "Cloud Monitoring"
    UPTIME_CHECKS = "uptime checks"
    """Probes from other regions, by Cloud Monitoring."""
    DOCUMENTS = "integrity check"
    FINDING = "security finding"
    PERSON = "declaration"


MONITORING_SOURCES = (EvidenceSource.MONITORING, EvidenceSource.UPTIME_CHECKS)
_OWN_SOURCES = {
    "probe:": EvidenceSource.PROBES,
    "integrity:": EvidenceSource.DOCUMENTS,
    FINDING_PREFIX: EvidenceSource.FINDING,
    DECLARED_PREFIX: EvidenceSource.PERSON,
}
"""By the prefix of the alert's id; Cloud Monitoring knows nothing of these alerts."""


class AlertFact(Struct, frozen=True):
    """What a decision needs of one open alert of the incident."""

    signal: str
    started_at: datetime
    published_at: datetime
    received_at: datetime
    function: str | None
    closed: bool = False
    """A notification said that it is over: evidence, not recovery."""
    still_open: bool | None = None
    """What Cloud Monitoring says of it now; None: no answer."""
    source: EvidenceSource = EvidenceSource.MONITORING

    @property
    def is_over(self) -> bool:
        """Whether Cloud Monitoring calls it over, by its newest word."""
        return self.closed if self.still_open is None else not self.still_open


class IncidentScope(FrozenStruct):
    """What one alert or order of an incident is about."""

    scenario: ScenarioName
    signal: str = ""
    """Empty: an order."""
    function: str | None = None
    """None: no single one."""

    @property
    def proves_failure(self) -> bool:
        """Return whether it comes from something that was observed to fail."""
        return bool(self.signal) and not has_source(self.signal, SignalSource.DECLARED)


class Alert(StoredDocument, frozen=True):
    """A document of its own: a storm of alerts writes no document twice."""

    key: str
    """(incident_id, state): what is acted on once."""
    monitoring_id: str
    state: str
    verdict: str
    system: str
    signal: str
    incident: str
    """Ours, to which it belongs; empty when it told of no trouble that we know."""
    started_at: datetime
    published_at: datetime
    received_at: datetime
    function: str | None
    notification: str
    """The JSON text as it came; of a probe of our own, what it found."""
    joined: str = ""
    """Why it belongs to that incident."""
    absorbed_by: str = ""
    """The rollback whose decision has taken it in; empty: none has, yet."""
    expires_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it says that something is wrong."""
        return self.state == "open"

    @property
    def source(self) -> EvidenceSource:
        """Who has raised it."""
        prefix = "".join(self.monitoring_id.partition(":")[:2])
        if prefix in _OWN_SOURCES:
            return _OWN_SOURCES[prefix]
        is_check = UPTIME_CHECK.search(self.notification)
        return EvidenceSource.UPTIME_CHECKS if is_check else EvidenceSource.MONITORING

    @property
    def is_declared(self) -> bool:
        """Whether a person or a security finding declares it, so that no check observes its end."""
        return self.source in (EvidenceSource.FINDING, EvidenceSource.PERSON)

    @property
    def is_state_known(self) -> bool:
        """Return whether its state tells of its condition; that of a log entry closes by time."""
        return self.is_of_monitoring and LOG_MATCH_CONDITION not in self.notification

    @property
    def is_of_monitoring(self) -> bool:
        """Whether Cloud Monitoring tells of it, and neither a look of our own nor a person."""
        return self.source in MONITORING_SOURCES

    def fact(self, *, closed: bool, still_open: bool | None = None) -> AlertFact:
        """What a decision needs of it; `still_open` as AlertFact has it."""
        times = (self.started_at, self.published_at, self.received_at)
        return AlertFact(self.signal, *times, self.function, closed, still_open, self.source)


def create_alert(
    name: str,
    state: str,
    system: str,
    signal: str,
    *,
    verdict: str = "",
    started_at: datetime,
    published_at: datetime | None = None,
    now: datetime,
    function: str | None = None,
    notification: str,
) -> Alert:
    """Create an alert that belongs to no incident yet; its verdict is the state by default."""
    return Alert(
        key=alert_key(name, state),
        monitoring_id=name,
        state=state,
        verdict=verdict or state,
        system=system,
        signal=signal,
        incident="",
        started_at=started_at,
        published_at=published_at or now,
        received_at=now,
        function=function,
        notification=notification,
        expires_at=now + RECORD_RETENTION,
    )


def open_alerts(alerts: Iterable[Alert]) -> list[Alert]:
    """Return alerts open and not closed; a cancelled one is not closed: nobody has recovered."""
    everything = list(alerts)
    closed = {alert.monitoring_id for alert in everything if alert.verdict == "closed"}
    return [alert for alert in everything if alert.is_open and alert.monitoring_id not in closed]
