"""Alert policies on what is measured: they open and close incidents, and publish each change."""

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from local.application import Application, Part, names
from local.application.latency import quantile
from local.core.clock import CloudClock
from local.core.journal import Journal
from local.services.monitoring.ingestion_delay import MINUTE, IngestionDelay
from local.services.monitoring.notification import (
    AlertIncident,
    Condition,
    build_condition,
    build_notification,
)
from local.services.monitoring.signal_rules import LATENCY_QUANTILE, RULES, Minute, Rule
from shared.core.codec import from_msgpack

EVALUATION_INTERVAL = timedelta(seconds=30)
"""Cloud time between two evaluations."""
TOPIC = "rollback-alerts"
MINUTE_RETENTION = timedelta(hours=1)
"""How long a counted minute is kept."""

Publish = Callable[[str, bytes], None]
"""Publishes a body to a topic by its full name."""
Check = Callable[[], int]
"""The integrity check of the application's documents: how many are damaged."""


class AlertEvaluator:
    """The alert policies of one application.

    An incident opens when every visible minute of the duration is above the threshold, and closes
    with the first that is not; a minute without requests changes nothing. Each change is published
    before it is written down, under an id that a second attempt would give it too.
    """

    def __init__(
        self,
        application: Application,
        clock: CloudClock,
        journal: Journal,
        ingestion: IngestionDelay,
        publish: Publish,
        check: Check = lambda: 0,
    ) -> None:
        self._application = application
        self._clock = clock
        self._journal = journal
        self._ingestion = ingestion
        self._publish = publish
        self._check = check
        self._kept_as = f"incidents/{application.policy.system}"
        self._lock = threading.Lock()
        self._evaluated_at = clock.now()
        self._minutes: dict[datetime, Minute] = {}
        stored = (value for _, value in journal.read(self._kept_as))
        decoded = (from_msgpack(value, AlertIncident) for value in stored)
        self._incidents = {incident.id: incident for incident in decoded}

    @property
    def incidents(self) -> list[AlertIncident]:
        """Every incident so far, the oldest first."""
        with self._lock:
            return sorted(self._incidents.values(), key=lambda one: (one.started_at, one.id))

    def catch_up(self) -> None:
        """Evaluate at every moment that has come since the last evaluation, in order."""
        with self._lock:
            while (moment := self._evaluated_at + EVALUATION_INTERVAL) <= self._clock.now():
                self._evaluate(moment)
                self._evaluated_at = moment

    def _evaluate(self, now: datetime) -> None:
        for name, rule in RULES.items():
            if name in self._application.policy.signals:
                self._judge(now, build_condition(self._application, name), rule)

    def _judge(self, now: datetime, condition: Condition, rule: Rule) -> None:
        newest, *older = self._last_minutes(now, condition.duration)
        latest = rule.measure(newest)
        before = [rule.measure(minute) for minute in older]
        ongoing = {one.service: one for one in self._incidents.values() if _is_open_for(one, condition)}
        for service, value in latest.items():
            above = value > condition.threshold
            incident = ongoing.get(service)
            if incident is not None and not above:
                self._change(condition, replace(incident, ended_at=now, observed=value))
            lasting = above and all(reading.get(service, 0.0) > condition.threshold for reading in before)
            if incident is None and lasting:
                self._change(condition, self._opened(condition, service, now, value))

    def _last_minutes(self, now: datetime, duration: timedelta) -> list[Minute]:
        """The visible whole minutes of the last `duration`, at least one, newest first."""
        horizon = self._ingestion.newest_visible_end(now)
        count = max(1, -(-duration // MINUTE))
        return [self._minute(horizon - index * MINUTE) for index in range(count)]

    def _minute(self, end: datetime) -> Minute:
        """What the minute that ends then has brought; what is visible does not change any more."""
        if end not in self._minutes:
            known, oldest = self._minutes.items(), end - MINUTE_RETENTION
            self._minutes = {kept: minute for kept, minute in known if kept > oldest}
            self._minutes[end] = self._looked_at(end - MINUTE, end)
        return self._minutes[end]

    def _looked_at(self, start: datetime, end: datetime) -> Minute:
        application = self._application
        services = {names.service_name(one): one for one in application.policy.functions}
        probed = (probe.function for probe in application.policy.probes)
        mixes = {name: application.latencies(one, start, end) for name, one in services.items()}
        begun = application.begun_at
        first = [application.latencies(one, begun, begun + MINUTE) for one in services.values()]
        most = {name: quantile(mix, LATENCY_QUANTILE) for name, mix in mixes.items()}
        return Minute(
            functions={name: application.requests(one, start, end) for name, one in services.items()},
            latencies={name: taken for name, taken in most.items() if taken is not None},
            median=quantile([part for mix in mixes.values() for part in mix], 0.5),
            usual=quantile([part for mix in first for part in mix], 0.5),
            parts={part: application.parts.requests([part], start, end) for part in Part},
            critical=frozenset(names.service_name(one) for one in probed if one is not None),
            damaged=self._check(),
        )

    def _opened(self, condition: Condition, service: str, now: datetime, value: float) -> AlertIncident:
        system = self._application.policy.system
        identity = f"{system}/{condition.signal}/{service}/{now.isoformat()}"
        return AlertIncident(f"0.{names.base36(identity, 12)}", condition.signal, service, now, value)

    def _change(self, condition: Condition, incident: AlertIncident) -> None:
        notification = build_notification(self._application, condition, incident)
        topic = f"projects/{self._application.project}/topics/{TOPIC}"
        self._publish(topic, json.dumps(notification, sort_keys=True).encode())
        self._journal.write(self._kept_as, [(incident.id, msgspec.msgpack.encode(incident))])
        self._incidents[incident.id] = incident


def _is_open_for(incident: AlertIncident, condition: Condition) -> bool:
    """Whether an incident is an open one of this condition."""
    return incident.signal == condition.signal and incident.ended_at is None
