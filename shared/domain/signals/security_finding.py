"""Notifications of Security Command Center: whose a finding is, and which alert it makes.

Version 1 and 2 of `NotificationMessage` (cloud.google.com/security-command-center/docs/reference
/rest/v2/NotificationMessage, read 2026-11). Of a finding little is needed: its name, whether it is
ACTIVE, its class and severity, and the project of its resource, by the id that people know. Each of
these must be understood, or the notification is refused. Every change of a finding is notified of:
what it says of the same state is the same alert.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from shared.core.codec import read_object
from shared.core.errors import Refused
from shared.core.pubsub_message import earliest_time
from shared.domain.policy.signals import BREACH_SIGNAL
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.alert import FINDING_PREFIX
from shared.domain.signals.monitoring_notification import (
    MAX_INCIDENT_ID_BYTES,
    MAX_NOTIFICATION_BYTES,
    NotificationState,
    nested_object,
)

CONFIG_FIELD: Final = "notificationConfigName"
_NAME = re.compile(r"(?:organizations|folders|projects)/[^/\s]+/sources/[^/\s]+/\S*[^/\s]")
_PROJECT = re.compile(r"//[a-z0-9.-]+/projects/([a-z][a-z0-9-]{4,28}[a-z0-9])(?:/.*)?")
_MUTED: Final = "MUTED"


class SecurityFinding(Struct, frozen=True):
    """One finding, as far as it is understood."""

    name: str
    state: NotificationState
    """OPEN: it is active, and nobody has muted it."""
    kind: str
    """Its class, such as THREAT."""
    severity: str
    project: str
    """By its id."""
    at: datetime | None
    document: str

    @property
    def id(self) -> str:
        """Of the alert that it makes."""
        return f"{FINDING_PREFIX}{self.name}"


def is_security_finding(data: bytes) -> bool:
    """Return whether it comes from Security Command Center. Raises: Refused, if unreadable."""
    if CONFIG_FIELD.encode() not in data:
        return False
    document = read_object(data, MAX_NOTIFICATION_BYTES)
    return CONFIG_FIELD in document and "incident" not in document


def parse_security_finding(data: bytes) -> SecurityFinding:
    """The finding that a message's data tells of. Raises: Refused, with the reason."""
    document = read_object(data, MAX_NOTIFICATION_BYTES)
    finding, resource = nested_object(document, "finding"), nested_object(document, "resource")
    if not finding:
        raise Refused("no finding: not a notification of Security Command Center")
    name = _text(finding, "name")
    if len(f"{FINDING_PREFIX}{name}".encode()) > MAX_INCIDENT_ID_BYTES or not _NAME.fullmatch(name):
        raise Refused(f"{name[:80]!r} is no finding's name")
    return SecurityFinding(
        name=name,
        state=_state(finding),
        kind=_text(finding, "findingClass"),
        severity=_text(finding, "severity"),
        project=_project(finding, resource),
        at=earliest_time(_text(finding, "eventTime")),
        document=data.decode(),
    )


def match_breach_policy(finding: SecurityFinding, policies: Mapping[str, Policy]) -> Policy:
    """The policy that takes it for a breach. Raises: Refused, where none does, with the reason."""
    theirs = [one for one in policies.values() if one.project == finding.project]
    if not theirs:
        raise Refused(f"a finding in the project {finding.project or 'of nobody knows whom'}")
    asking = [one for one in theirs if one.findings is not None and BREACH_SIGNAL in one.signals]
    for policy in asking:
        rules = policy.findings
        if rules and finding.kind in rules.classes and finding.severity in rules.severities:
            return policy
    if not asking:
        raise Refused(f"no policy of {finding.project} takes findings for a breach")
    what = f"a finding of class {finding.kind[:80]!r} and severity {finding.severity[:80]!r}"
    raise Refused(f"{what}, which the policy of {asking[0].system} takes for no breach")


def _state(finding: Mapping[str, Any]) -> NotificationState:
    state = _text(finding, "state")
    if state == "INACTIVE" or (state == "ACTIVE" and _text(finding, "mute") == _MUTED):
        return NotificationState.CLOSED
    if state == "ACTIVE":
        return NotificationState.OPEN
    raise Refused(f"unknown state {state[:80]!r}: neither ACTIVE nor INACTIVE")


def _project(finding: Mapping[str, Any], resource: Mapping[str, Any]) -> str:
    """The id of the project that the resource lies in; empty: nothing tells, or a number does."""
    of_google = nested_object(resource, "gcpMetadata")
    stated = _text(of_google, "projectDisplayName") or _text(resource, "projectDisplayName")
    named = _PROJECT.fullmatch(_text(finding, "resourceName"))
    return stated or (named[1] if named else "")


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    return value.strip() if isinstance(value, str) else ""
