"""Findings of Security Command Center that are a breach, about which people are asked."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.core import topics
from shared.core.errors import Refused
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import BREACH_SIGNAL
from shared.domain.policy.system_policy import FindingClass, FindingRules, Policy
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.signals.monitoring_notification import MAX_NOTIFICATION_BYTES, NotificationState
from shared.domain.signals.security_finding import (
    CONFIG_FIELD,
    is_security_finding,
    match_breach_policy,
    parse_security_finding,
)
from tests.support.decision.outages import notice_texts
from tests.support.notices.system_events import read_dead_letters
from tests.support.rollbacks.bookshop_resources import SHOP, add_healthy_resources, deploy_bad_release
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)
SOURCE = "organizations/1050000000008/sources/1986930501000008034"
NAME = f"{SOURCE}/findings/29f4085b953299805367b2dd86e3c087"
NAME_2 = f"{SOURCE}/locations/global/findings/29f4085b953299805367b2dd86e3c087"
PROJECT = "bookshop-prod"
FINDING: dict[str, Any] = {
    "name": NAME,
    "parent": SOURCE,
    "resourceName": "//cloudresourcemanager.googleapis.com/projects/714841595327",
    "state": "ACTIVE",
    "category": "Persistence: IAM Anomalous Grant",
    "externalUri": "https://console.cloud.google.com/home?project=bookshop-prod",
    "sourceProperties": {"detectionCategory_ruleName": "iam_anomalous_grant"},
    "securityMarks": {},
    "eventTime": "2026-02-28T18:34:36.153Z",
    "createTime": "2026-02-28T18:34:36.688Z",
    "severity": "CRITICAL",
    "mute": "UNDEFINED",
    "findingClass": "THREAT",
}
FIRST = {
    "notificationConfigName": "organizations/1050000000008/notificationConfigs/rollback-bookshop",
    "finding": FINDING,
    "resource": {
        "name": "//cloudresourcemanager.googleapis.com/projects/714841595327",
        "project": "//cloudresourcemanager.googleapis.com/projects/714841595327",
        "projectDisplayName": PROJECT,
        "type": "google.cloud.resourcemanager.Project",
    },
}
"""As version 1 writes it."""
SECOND = {
    "notificationConfigName": "projects/7/locations/global/notificationConfigs/rollback-bookshop",
    "finding": {**FINDING, "name": NAME_2},
    "resource": {
        "name": "//cloudresourcemanager.googleapis.com/projects/714841595327",
        "cloudProvider": "GOOGLE_CLOUD_PLATFORM",
        "gcpMetadata": {"projectDisplayName": PROJECT},
    },
}
"""As version 2 does."""
ASKING = replace(SHOP, findings=FindingRules())


def told(notification: dict[str, Any] = FIRST, **finding: Any) -> bytes:
    """The notification, with changes of its finding."""
    return json.dumps({**notification, "finding": {**notification["finding"], **finding}}).encode()


@pytest.mark.parametrize(("notification", "name"), [(FIRST, NAME), (SECOND, NAME_2)])
def test_both_versions_are_understood(notification: dict[str, Any], name: str) -> None:
    """Whose it is, and how grave."""
    found = parse_security_finding(told(notification))

    assert is_security_finding(told(notification))
    assert (found.name, found.project, found.state) == (name, PROJECT, NotificationState.OPEN)
    assert (found.kind, found.severity) == ("THREAT", "CRITICAL")
    assert found.at == datetime(2026, 2, 28, 18, 34, 36, 153000, UTC)
    assert match_breach_policy(found, {"bookshop": ASKING}) is ASKING


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"state": "INACTIVE"}, NotificationState.CLOSED),
        ({"mute": "MUTED"}, NotificationState.CLOSED),
        ({"mute": "UNMUTED"}, NotificationState.OPEN),
        ({"mute": None}, NotificationState.OPEN),
    ],
)
def test_a_finding_that_is_over(changes: dict[str, Any], state: NotificationState) -> None:
    """Or that a person has muted is no trouble."""
    assert parse_security_finding(told(**changes)).state is state


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b'{"notificationConfigName": "x"}',
        b'{"notificationConfigName": "x", "finding": []}',
        b'{"notificationConfigName": "x", "finding": {"state": "ACTIVE"}}',
        b'{"finding": ' + b"[" * 100_000,
        told(name=""),
        told(name=7),
        told(name=f"{SOURCE}/findings/../../alerts/x y"),
        told(name="findings/1"),
        told(name=f"{SOURCE}/findings/{'f' * 200}"),
        told(state="active"),
        told(state=None),
        told(state=True),
        told(state={"ACTIVE": 1}),
        told(category="x" * MAX_NOTIFICATION_BYTES),
        b"\xff" + told(),
    ],
)
def test_what_nobody_could_act_on_is_refused(data: bytes) -> None:
    """Rather than guessed at."""
    with pytest.raises(Refused):
        parse_security_finding(data)


@pytest.mark.parametrize(
    "text", ["not a time", "2026-02-28", "2026-02-28T18:34:36", "0001-01-01T00:00:00+14:00", "", None, 9]
)
def test_a_time_that_is_none(text: object) -> None:
    """It counts from when it was told of."""
    assert parse_security_finding(told(eventTime=text)).at is None


@pytest.mark.parametrize(
    ("name", "project"),
    [
        ("//run.googleapis.com/projects/bookshop-prod/locations/x/services/y", "bookshop-prod"),
        ("//cloudresourcemanager.googleapis.com/projects/bookshop-prod", "bookshop-prod"),
        ("//cloudresourcemanager.googleapis.com/projects/714841595327", ""),
        ("//cloudresourcemanager.googleapis.com/organizations/1050000000008", ""),
        ("projects/bookshop-prod", ""),
    ],
)
def test_whose_a_finding_is_without_a_project_s_name(name: str, project: str) -> None:
    """Its resource says it, but by a number."""
    bare: dict[str, Any] = {**FIRST, "resource": {}}

    assert parse_security_finding(told(bare, resourceName=name)).project == project


def policies(*several: Policy) -> dict[str, Policy]:
    return {one.system: one for one in several}


@pytest.mark.parametrize(
    ("policy", "changes", "why"),
    [
        (replace(ASKING, project="other"), {}, "in the project bookshop-prod"),
        (replace(ASKING, findings=None), {}, "takes findings for a breach"),
        (replace(ASKING, signals={}), {}, "takes findings for a breach"),
        (ASKING, {"severity": "HIGH"}, "severity 'HIGH'"),
        (ASKING, {"severity": None}, "severity ''"),
        (ASKING, {"findingClass": "OBSERVATION"}, "class 'OBSERVATION'"),
        (ASKING, {"findingClass": "MISCONFIGURATION" * 99}, "class 'MISCONFIGURATION"),
    ],
)
def test_a_finding_that_no_policy_takes_for_a_breach(
    policy: Policy, changes: dict[str, Any], why: str
) -> None:
    """It is refused with its reason, and told."""
    with pytest.raises(Refused, match=why):
        match_breach_policy(parse_security_finding(told(**changes)), policies(policy))


def test_a_policy_says_what_is_a_breach() -> None:
    """By class and by severity."""
    wide = FindingRules((FindingClass.VULNERABILITY,), (Severity.HIGH, Severity.CRITICAL))
    policy = replace(ASKING, findings=wide)

    found = parse_security_finding(told(severity="HIGH", findingClass="VULNERABILITY"))

    assert match_breach_policy(found, policies(policy)) is policy


def test_an_alert_that_speaks_of_findings_is_an_alert() -> None:
    """Its documentation may say anything; the name at the top decides."""
    quoting = {"incident": {"documentation": {"content": CONFIG_FIELD}}}
    both = {**FIRST, "incident": {"incident_id": "0.x"}}

    assert not is_security_finding(json.dumps(quoting).encode())
    assert not is_security_finding(json.dumps({"incident": {CONFIG_FIELD: 1}}).encode())
    assert not is_security_finding(json.dumps(both).encode())


def found_in(policy: Policy = ASKING, **changes: Any) -> World:
    """Everything was changed a while ago; then something is found, and told of twice."""
    world = World(policy=policy, furnish=add_healthy_resources)
    deploy_bad_release(world, "sites", "rules")
    for _ in range(2):
        world.publish(topics.ALERTS, told(**changes))
    world.settle()
    world.pass_time(MINUTE)
    return world


def test_a_finding_asks_about_the_plan_of_everything() -> None:
    """As a person's word does: once, with nothing done, and everybody's sessions end with it."""
    world = found_in()

    assert [one.signal for one in world.incidents()] == [BREACH_SIGNAL]
    assert world.newest_rollback.status is RollbackStatus.PARKED
    assert "every session of before it begins ends with it" in notice_texts(world, "rollback.parked")[0]
    alerts = [path for path in world.documents if path.startswith("alerts/")]
    assert len(alerts) == 1
    assert read_dead_letters(world) == []
    assert world.find_violated_invariants() == []


def test_a_finding_that_is_over_begins_nothing() -> None:
    """It is kept, and nobody is asked."""
    world = found_in(state="INACTIVE")

    assert world.incidents() == []
    assert [one for one in world.documents if one.startswith("alerts/")]


def test_a_finding_that_is_no_breach_is_a_dead_letter() -> None:
    """With its reason, and people are told; once."""
    world = found_in(severity="LOW")

    assert world.incidents() == []
    assert {"takes for no breach" in str(one["reason"]) for one in read_dead_letters(world)} == {True}


@pytest.mark.parametrize("event_time", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
def test_a_finding_without_its_time_set_asks_all_the_same(event_time: str) -> None:
    """The zero time of Go and of Unix is no time: the finding counts from its notification."""
    world = found_in(eventTime=event_time)

    incident = world.incident
    assert incident.onset_at == incident.detected_at
    assert world.newest_rollback.status is RollbackStatus.PARKED
    assert world.find_violated_invariants() == []
