"""The notification of an incident as Cloud Monitoring publishes it: version 1.2, as of 2025."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct

from local.application import Application, names
from local.services.monitoring.revision_metrics import REQUEST_COUNT
from local.services.monitoring.signal_rules import RULES, ConditionMetric
from shared.domain.policy.severity import Severity

_SEVERITIES = {
    Severity.CRITICAL: "Critical",
    Severity.HIGH: "Error",
    Severity.MEDIUM: "Warning",
    Severity.LOW: "No severity",
}


class IncidentState(StrEnum):
    """Whether an incident goes on."""

    OPEN = "open"
    CLOSED = "closed"


class AlertIncident(Struct, frozen=True):
    """One violation of one condition, from its start to its end."""

    id: str
    signal: str
    service: str
    """The service that it is about; empty when it is about all of them."""
    started_at: datetime
    observed: float
    ended_at: datetime | None = None

    @property
    def state(self) -> IncidentState:
        """Open until it has ended."""
        return IncidentState.CLOSED if self.ended_at else IncidentState.OPEN


class Condition(Struct, frozen=True):
    """What an alert policy compares."""

    signal: str
    display_name: str
    severity: Severity
    threshold: float
    duration: timedelta
    per_function: bool
    metric: ConditionMetric


def policy_id(application: Application, signal: str) -> str:
    """The alert policy of a signal: 19 digits, always the same."""
    return _number(f"{application.policy.system}/{signal}")


def build_condition(application: Application, signal: str) -> Condition:
    """What the alert policy of a signal compares. Raises: KeyError."""
    rule, stated = RULES[signal], application.policy.signals[signal]
    return Condition(
        signal=signal,
        display_name=rule.display_name,
        severity=stated.severity,
        threshold=rule.threshold if stated.threshold is None else stated.threshold,
        duration=rule.duration if stated.duration is None else stated.duration,
        per_function=rule.per_function,
        metric=rule.metric,
    )


def alert_policy(application: Application, signal: str) -> dict[str, Any]:
    """`google.monitoring.v3.AlertPolicy` of a signal. Raises: KeyError."""
    compared = build_condition(application, signal)
    return {
        "name": f"projects/{application.project}/alertPolicies/{policy_id(application, signal)}",
        "displayName": _policy_name(application, compared),
        "userLabels": _user_labels(application, compared),
        "conditions": [_build_condition_fields(application, compared)],
        "combiner": "OR",
        "enabled": True,
        "notificationChannels": [f"projects/{application.project}/notificationChannels/1"],
    }


def build_notification(
    application: Application, condition: Condition, incident: AlertIncident
) -> dict[str, Any]:
    """The message's JSON, in the shape of real captures."""
    project = application.project
    ended_at = int(incident.ended_at.timestamp()) if incident.ended_at else None
    shown: dict[str, Any] = {
        "condition": _build_condition_fields(application, condition),
        "condition_name": condition.display_name,
        "documentation": _documentation(condition, incident),
        "ended_at": ended_at,
        "incident_id": incident.id,
        "metadata": {"system_labels": {}, "user_labels": {}},
        "metric": {
            "displayName": condition.metric.display_name,
            "labels": {} if not condition.per_function else {"response_code_class": "5xx"},
            "type": condition.metric.type,
        },
        "observed_value": f"{incident.observed:.3f}",
        "policy_name": _policy_name(application, condition),
        "policy_user_labels": _user_labels(application, condition),
        "resource": {"labels": _resource(application, incident), "type": condition.metric.resource},
        "resource_display_name": incident.service,
        "resource_id": "",
        "resource_name": f"{project} {incident.service or condition.metric.resource_name}",
        "resource_type_display_name": condition.metric.resource_name,
        "scoping_project_id": project,
        "scoping_project_number": names.project_number(project),
        "severity": _SEVERITIES[condition.severity],
        "started_at": int(incident.started_at.timestamp()),
        "state": incident.state,
        "summary": _summary(application, condition, incident),
        "threshold_value": f"{condition.threshold:g}",
        "url": f"https://console.cloud.google.com/monitoring/alerting/alerts/{incident.id}"
        f"?channelType=cloud-pubsub&project={project}",
    }
    return {"incident": shown, "version": "1.2"}


def _policy_name(application: Application, condition: Condition) -> str:
    return f"{application.policy.system} {condition.display_name}"


def _user_labels(application: Application, condition: Condition) -> dict[str, str]:
    return {"rollback_signal": condition.signal, "rollback_system": application.policy.system}


def _build_condition_fields(application: Application, condition: Condition) -> dict[str, Any]:
    policy = policy_id(application, condition.signal)
    identity = _number(f"{policy}/condition")
    metric = condition.metric
    counted = f'resource.type = "{metric.resource}" AND metric.type = "{metric.type}"'
    aggregation: dict[str, Any] = {
        "alignmentPeriod": "60s",
        "crossSeriesReducer": "REDUCE_SUM",
        "perSeriesAligner": "ALIGN_DELTA",
    }
    if condition.per_function:
        aggregation["groupByFields"] = ["resource.label.service_name"]
    threshold = {
        "aggregations": [aggregation],
        "comparison": "COMPARISON_GT",
        "duration": f"{int(condition.duration.total_seconds())}s",
        "filter": counted,
        "thresholdValue": condition.threshold,
        "trigger": {"count": 1},
    }
    if metric.type == REQUEST_COUNT:
        threshold["denominatorAggregations"] = [aggregation]
        threshold["denominatorFilter"] = counted
        threshold["filter"] = f'{counted} AND metric.labels.response_code_class = "5xx"'
    if not condition.threshold:
        del threshold["thresholdValue"]  # as captured: a proto default is left out
    return {
        "conditionThreshold": threshold,
        "displayName": condition.display_name,
        "name": f"projects/{application.project}/alertPolicies/{policy}/conditions/{identity}",
    }


def _documentation(condition: Condition, incident: AlertIncident) -> dict[str, str]:
    kind = "ALERT" if incident.state is IncidentState.OPEN else "RESOLVED"
    subject = f"[{kind} - {_SEVERITIES[condition.severity]}] {condition.display_name}"
    return {"content": "", "mime_type": "", "subject": subject}


def _resource(application: Application, incident: AlertIncident) -> dict[str, str]:
    """A condition over all functions leaves only the project."""
    if not incident.service:
        return {"project_id": application.project}
    return {
        "location": application.region,
        "project_id": application.project,
        "service_name": incident.service,
    }


def _summary(application: Application, condition: Condition, incident: AlertIncident) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in _resource(application, incident).items())
    metric = condition.metric
    subject = f"{metric.display_name} for {application.project} {metric.resource_name}"
    subject = f"{subject} labels {{{labels}}}"
    if incident.state is IncidentState.CLOSED:
        return f"{subject} returned to normal with a value of {incident.observed:.3f}."
    return (
        f"{subject} is above the threshold of {condition.threshold:.3f} "
        f"with a value of {incident.observed:.3f}."
    )


def _number(text: str) -> str:
    """Nineteen digits that stand for a text."""
    digest = int(names.digest(text)[:15], 16)
    return str(10**18 + digest % (9 * 10**18))
