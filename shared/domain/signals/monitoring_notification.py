"""Notifications of Cloud Monitoring: what one says, whose it is, and under which key it is kept.

The schema is that of https://cloud.google.com/monitoring/support/notification-options, versions
1.2, 1.1 (a degraded rendering, without condition and labels) and "test" (the console's button).
Captured payloads of 2020 to 2026 lack fields, hold null or the text "null" in them, and write
numbers as text; all that is read. What decides (id, state, version, labels) must be understood, or
the notification is refused. An incident whose state is unknown is never taken as firing.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from shared.core.codec import read_object
from shared.core.errors import Refused
from shared.domain.policy.gate_limits import Gates
from shared.domain.policy.system_policy import Policy, service_of

MAX_NOTIFICATION_BYTES = 256 * 1024
MAX_INCIDENT_ID_BYTES = 200
DEFAULT_AUTO_CLOSE = Gates().auto_close

_VERSIONS = ("1.2", "1.1", "test")
_ALERT_POLICY = re.compile(r"projects/[^/]+/alertPolicies/([^/]+)/conditions/[^/]+")
_EDITED = re.compile(r"(?:condition|policy) was (?:deleted|modified)", re.IGNORECASE)
_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_YEAR_10000 = 253402300800

SYSTEM_LABEL = "rollback_system"
SIGNAL_LABEL = "rollback_signal"

_FUNCTION_LABELS = {"cloud_run_revision": "service_name", "cloud_function": "function_name"}
"""Which label of a monitored resource names the function."""


class NotificationState(StrEnum):
    """What Cloud Monitoring says of its incident."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


class NotificationMeaning(StrEnum):
    """What a notification means; only `open` is trouble and only `closed` is a recovery."""

    OPEN = "open"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    """Closed because the alert policy was edited or no data came: nobody recovered."""
    TEST = "test"


class Notification(Struct, frozen=True):
    """One notification, as far as it is understood; absent text is ""."""

    version: str
    incident_id: str
    state: NotificationState
    started_at: datetime | None
    ended_at: datetime | None
    project: str | None
    """Where the trouble is: the resource's project, else the scoping project."""
    resource_type: str
    resource_labels: dict[str, str]
    metric_service: str
    """The service that the metric's labels name: the resource of a PromQL condition may not."""
    policy_id: str | None
    """The last part of the alert policy's name: the one identity that outlives renaming."""
    user_labels: dict[str, str]
    summary: str
    observed_value: str
    """As sent: a number such as "7679.000", or a sentence."""
    document: str
    """The JSON as it came, at most `MAX_NOTIFICATION_BYTES` long."""

    @property
    def verdict(self) -> NotificationMeaning:
        """What it means where incidents close after Cloud Monitoring's own 7 days."""
        return self.verdict_after(DEFAULT_AUTO_CLOSE)

    def verdict_after(self, auto_close: timedelta) -> NotificationMeaning:
        """What it means where incidents without data close after `auto_close`."""
        if self.version == "test":
            return NotificationMeaning.TEST
        if self.state is NotificationState.OPEN:
            return NotificationMeaning.OPEN
        if _EDITED.search(self.observed_value) or _EDITED.search(self.summary):
            return NotificationMeaning.CANCELLED
        if self.started_at and self.ended_at and self.ended_at - self.started_at >= auto_close:
            return NotificationMeaning.CANCELLED
        return NotificationMeaning.CLOSED


def parse_notification(data: bytes) -> Notification:
    """Parse a notification. Raises: Refused, for what nobody could act on."""
    document = read_object(data, MAX_NOTIFICATION_BYTES)
    incident = nested_object(document, "incident")
    if not incident:
        raise Refused("no incident: not a notification of Cloud Monitoring")
    resource = nested_object(incident, "resource")
    resource_labels = _labels(resource, "labels")
    condition = _ALERT_POLICY.fullmatch(_text(nested_object(incident, "condition"), "name"))
    return Notification(
        version=_version(document),
        incident_id=_incident_id(_text(incident, "incident_id")),
        state=_state(incident),
        started_at=_time(incident, "started_at"),
        ended_at=_time(incident, "ended_at"),
        project=resource_labels.get("project_id") or _text(incident, "scoping_project_id") or None,
        resource_type=_text(resource, "type"),
        resource_labels=resource_labels,
        metric_service=_text(nested_object(nested_object(incident, "metric"), "labels"), "service_name"),
        policy_id=condition[1] if condition else None,
        user_labels=_labels(incident, "policy_user_labels"),
        summary=_text(incident, "summary"),
        observed_value=_text(incident, "observed_value"),
        document=data.decode(),
    )


def notification_key(notification: Notification) -> str:
    """Return the key, one per incident and state. Raises: Refused, for an unusable id."""
    return alert_key(_incident_id(notification.incident_id), notification.state.lower())


def alert_key(incident_id: str, state: str) -> str:
    """The same for an incident of any source; `state` is open or closed."""
    return f"{quote(incident_id, safe='')}:{state}"


def match_policy(notification: Notification, policies: Mapping[str, Policy]) -> tuple[Policy, str] | None:
    """The policy that the notification concerns, and its signal there; None: nobody's.

    The alert policy's user labels say so; without any of the two, its id where a policy lists it.
    Never a name or prose: both are edited at will.
    """
    system, signal = _claimed_labels(notification)
    if system is None and signal is None:
        listed = (
            (policy, name)
            for policy in policies.values()
            for name, meaning in policy.signals.items()
            if notification.policy_id in meaning.alert_policies
        )
        return next(listed, None)
    policy = policies.get(system or "")
    if policy is None or signal is None or signal not in policy.signals:
        return None
    return policy, signal


def unmatched_reason(notification: Notification, policies: Mapping[str, Policy]) -> str:
    """Why `match_policy` found nobody, to be said to people."""
    system, signal = _claimed_labels(notification)
    if system is None and signal is None and notification.policy_id is None:
        return "neither labels of ours nor an alert policy's id"
    if system is None and signal is None:
        return f"no labels of ours, and no policy lists alert policy {notification.policy_id}"
    if system is None or signal is None:
        return f"label {SIGNAL_LABEL if system else SYSTEM_LABEL} is missing"
    if system not in policies:
        return f"no policy for system {system!r}"
    return f"the policy of {system!r} has no signal {signal!r}"


def is_of_foreign_project(notification: Notification, policy: Policy) -> bool:
    """Does the trouble lie in a project whose alerts do not count? No where none is named."""
    counted = policy.alert_projects or (policy.project,)
    return notification.project is not None and notification.project not in counted


def affected_function(notification: Notification, policy: Policy) -> str | None:
    """Return the function that resource or metric name, by its service if no group covers it."""
    label = _FUNCTION_LABELS.get(notification.resource_type, "")
    service = service_of(notification.resource_labels.get(label) or notification.metric_service)
    return next((name for name in policy.functions if service_of(name) == service), service or None)


def _claimed_labels(notification: Notification) -> tuple[str | None, str | None]:
    labels = notification.user_labels
    return labels.get(SYSTEM_LABEL), labels.get(SIGNAL_LABEL)


def _version(document: Mapping[str, Any]) -> str:
    version = _text(document, "version").lower()
    if version not in _VERSIONS:
        raise Refused(f"unknown version {version[:80]!r}: not one of {', '.join(_VERSIONS)}")
    return version


def _state(incident: Mapping[str, Any]) -> NotificationState:
    state = _text(incident, "state")
    if state.upper() not in tuple(NotificationState):
        raise Refused(f"unknown state {state[:80]!r}: neither open nor closed")
    return NotificationState(state.upper())


def _incident_id(incident_id: str) -> str:
    if not incident_id:
        raise Refused("no incident_id")
    if len(incident_id.encode()) > MAX_INCIDENT_ID_BYTES:
        raise Refused(f"an incident_id of more than {MAX_INCIDENT_ID_BYTES} bytes")
    return incident_id


def nested_object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object of that name; empty where it is absent, null, or no object."""
    part = holder.get(name)
    return part if isinstance(part, dict) else {}


def _text(holder: Mapping[str, Any], name: str) -> str:
    """The text of that name, numbers included; "" where it is absent, null, "null", or neither."""
    value = holder.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = str(value).strip()
    return "" if text == "null" else text


def _labels(holder: Mapping[str, Any], name: str) -> dict[str, str]:
    """The labels of that name; they decide whose trouble it is, so they must be understood."""
    labels = holder.get(name)
    if labels is None or labels == "null":
        return {}
    if not isinstance(labels, dict):
        raise Refused(f"{name} is not an object")
    if unlike := [label for label, value in labels.items() if isinstance(value, dict | list)]:
        raise Refused(f"{name}: {unlike[0][:80]!r} is not text")
    return {label: text for label in labels if (text := _text(labels, label))}


def _time(incident: Mapping[str, Any], name: str) -> datetime | None:
    """The time of that name, written in unix seconds; None where it is absent, 0, or no time."""
    text = _text(incident, name)
    if not _SECONDS.fullmatch(text):
        return None
    seconds = float(text)
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < _YEAR_10000 else None
