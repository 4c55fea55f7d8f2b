"""Alert policies on the request metrics: they open and close incidents, and publish each change."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from local.application import Application, names
from local.application.requests import Requests, total
from local.clock import CloudClock
from local.journal import Journal
from local.monitoring.ingestion import MINUTE, Ingestion
from local.monitoring.notification import Condition, Incident, body

EVERY = timedelta(seconds=30)
"""Cloud time between two evaluations."""
FAILING_ABOVE = 0.5
"""A function whose failure rate is above this counts as failing (functions_failing_share)."""
TOPIC = "rollback-alerts"
REMEMBERED = timedelta(hours=1)
"""How long a counted minute is kept."""

Publish = Callable[[str, bytes], None]
"""Publishes a body to a topic by its full name."""
Minute = Mapping[str, Requests]
"""The requests of one minute per service."""
Readings = Mapping[str, float]
"""Values per service ("" for all of them); what had no requests has none."""


class Rule(Struct, frozen=True):
    """How one kind of signal is measured, and what holds where the policy does not say."""

    display_name: str
    measure: Callable[[Minute], Readings]
    threshold: float
    duration: timedelta
    per_function: bool = False


def function_failure_rates(minute: Minute) -> Readings:
    """Failed requests among all, per function."""
    rates = {service: requests.failure_rate for service, requests in minute.items()}
    return {service: rate for service, rate in rates.items() if rate is not None}


def functions_failing_share(minute: Minute) -> Readings:
    """Failing functions among those that had requests."""
    rates = function_failure_rates(minute).values()
    return {"": sum(rate > FAILING_ABOVE for rate in rates) / len(rates)} if rates else {}


def error_rate(minute: Minute) -> Readings:
    """Failed requests among all, all functions together."""
    rate = total(minute.values()).failure_rate
    return {} if rate is None else {"": rate}


RULES = {
    "function_failure_rate": Rule(
        "function failure rate", function_failure_rates, 0.5, timedelta(minutes=2), True
    ),
    "functions_failing_share": Rule(
        "share of functions failing", functions_failing_share, 0.25, MINUTE
    ),
    "error_rate": Rule("error rate", error_rate, 0.1, timedelta(minutes=5)),
}
"""The signals that requests can tell about; a policy's other signals are somebody else's."""


class Alerter:
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
        ingestion: Ingestion,
        publish: Publish,
    ) -> None:
        self._application = application
        self._clock = clock
        self._journal = journal
        self._ingestion = ingestion
        self._publish = publish
        self._kept_as = f"incidents/{application.policy.system}"
        self._lock = threading.Lock()
        self._evaluated_at = clock.now()
        self._minutes: dict[datetime, Minute] = {}
        stored = (value for _, value in journal.read(self._kept_as))
        decoded = (msgspec.msgpack.decode(value, type=Incident) for value in stored)
        self._incidents = {incident.id: incident for incident in decoded}

    @property
    def incidents(self) -> list[Incident]:
        """Every incident so far, the oldest first."""
        with self._lock:
            return sorted(self._incidents.values(), key=lambda one: (one.started_at, one.id))

    def catch_up(self) -> None:
        """Evaluate at every moment that has come since the last evaluation, in order."""
        with self._lock:
            while (moment := self._evaluated_at + EVERY) <= self._clock.now():
                self._evaluate(moment)
                self._evaluated_at = moment

    def _evaluate(self, now: datetime) -> None:
        for name, rule in RULES.items():
            if name in self._application.policy.signals:
                self._judge(now, self._condition(name), rule)

    def _condition(self, name: str) -> Condition:
        rule, signal = RULES[name], self._application.policy.signals[name]
        return Condition(
            signal=name,
            display_name=rule.display_name,
            severity=signal.severity,
            threshold=rule.threshold if signal.threshold is None else signal.threshold,
            duration=rule.duration if signal.duration is None else signal.duration,
            per_function=rule.per_function,
        )

    def _judge(self, now: datetime, condition: Condition, rule: Rule) -> None:
        newest, *older = self._last_minutes(now, condition.duration)
        latest = rule.measure(newest)
        before = [rule.measure(minute) for minute in older]
        ongoing = {one.service: one for one in self._incidents.values() if _is(one, condition)}
        for service, value in latest.items():
            above = value > condition.threshold
            incident = ongoing.get(service)
            if incident is not None and not above:
                self._change(condition, replace(incident, ended_at=now, observed=value))
            lasting = above and all(
                reading.get(service, 0.0) > condition.threshold for reading in before
            )
            if incident is None and lasting:
                self._change(condition, self._opened(condition, service, now, value))

    def _last_minutes(self, now: datetime, duration: timedelta) -> list[Minute]:
        """The visible whole minutes of the last `duration`, at least one, newest first."""
        horizon = self._ingestion.horizon(now)
        count = max(1, -(-duration // MINUTE))
        return [self._minute(horizon - index * MINUTE) for index in range(count)]

    def _minute(self, end: datetime) -> Minute:
        """The requests of the minute that ends then; what is visible does not change any more."""
        if end not in self._minutes:
            known, oldest = self._minutes.items(), end - REMEMBERED
            self._minutes = {kept: minute for kept, minute in known if kept > oldest}
            self._minutes[end] = {
                names.service_name(function): self._application.requests(
                    function, end - MINUTE, end
                )
                for function in self._application.policy.functions
            }
        return self._minutes[end]

    def _opened(self, condition: Condition, service: str, now: datetime, value: float) -> Incident:
        system = self._application.policy.system
        identity = f"{system}/{condition.signal}/{service}/{now.isoformat()}"
        return Incident(f"0.{names.base36(identity, 12)}", condition.signal, service, now, value)

    def _change(self, condition: Condition, incident: Incident) -> None:
        notification = body(self._application, condition, incident)
        topic = f"projects/{self._application.project}/topics/{TOPIC}"
        self._publish(topic, json.dumps(notification, sort_keys=True).encode())
        self._journal.write(self._kept_as, [(incident.id, msgspec.msgpack.encode(incident))])
        self._incidents[incident.id] = incident


def _is(incident: Incident, condition: Condition) -> bool:
    """Whether an incident is an open one of this condition."""
    return incident.signal == condition.signal and incident.ended_at is None
