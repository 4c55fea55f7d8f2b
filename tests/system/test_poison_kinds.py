"""Messages of every kind that somebody acts on, spoilt, and what they set in motion; by main.py."""

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from responders.commands import registry
from responders.triggers.commands import CommandsTrigger
from responders.triggers.override import OverrideTrigger
from shared.core.errors import Refused
from shared.core.pubsub_message import PubSubMessage
from shared.core.store import Query
from shared.domain.commands.command import parse_command
from shared.domain.commands.credential import ROLE_CLAIM
from shared.domain.policy.system_policy import FindingRules
from shared.domain.rollback.rollback import RollbackStatus
from shared.state import work_queue
from tests.support.data.database_copies import RULES
from tests.support.rollbacks.bookshop_resources import SHOP, add_healthy_resources
from tests.support.runtime.entry_points import (
    ENTRY_POINTS,
    EntryPointPorts,
    build_push,
    post_to_entry_point,
    start_instance,
)
from tests.support.runtime.world import CHECKED, World

Content = dict[str, Any]

EVERYTHING = replace(
    SHOP,
    collections=CHECKED.collections,
    erasure=CHECKED.erasure,
    fence=CHECKED.fence,
    backups=RULES,
    findings=FindingRules(),
)
"""A policy with whatever a command can be about."""
INCIDENT = "INC-20260302-001"
LATER = "2026-03-02T13:00:00Z"
ABOUT = {"incident": INCIDENT}
COMMANDS: dict[str, Content] = {
    "rollback": {
        "target": "last-stable",
        "groups": ["catalogue"],
        "functions": ["payOrder"],
        "severity": "HIGH",
        "batch_size": 2,
        "delay_seconds": 0.5,
        "dry_run": True,
    },
    "rollback of data": {"scenario": "database", "restore_point": "30m", "select": "invalid"},
    "rollback, planned": {"scenario": "feature", "severity": "LOW", "at": LATER},
    "rollback in spite of all": {**ABOUT, "override": True, "auto_confirm": True},
    "approve": {**ABOUT, "rollback": INCIDENT},
    "approve of a plan": {**ABOUT, "plan": "a" * 64},
    "reject": {**ABOUT, "rollback": INCIDENT},
    "cancel": ABOUT,
    "retry": ABOUT,
    "accept": ABOUT,
    "undo": ABOUT,
    "ack": ABOUT,
    "publish": ABOUT,
    "root-cause": {**ABOUT, "cause": "a slip", "prevention": "a test", "public": "a slip"},
    "mark": {**ABOUT, "verdict": "wrong"},
    "hold": ABOUT,
    "hold of an export": {"backup": "export-1"},
    "release": ABOUT,
    "pause": {"expires": "1h"},
    "resume": {},
    "freeze": {"from": LATER, "until": "2026-03-02T14:00:00Z"},
    "unfreeze": {},
    "promote": {"mode": "act"},
    "export": {"format": "csv", "since": "2026-03-02T11:00:00Z", "until": LATER},
    "mark-stable": {"deployment": "v1"},
    "mark-bad": {"deployment": "v1"},
    "mark-barrier": {"deployment": "v1"},
    "unpin": {"groups": ["catalogue"], "functions": ["payOrder"]},
    "unplan": {},
    "drill": {"scenario": "functions", "target": "last-stable", "groups": ["catalogue"]},
    "breach": {},
    "revoke-sessions": {},
    "erase": {"person": "ab" * 32},
    "notify": {},
    "check": {},
    "regenerate": {"collection": "orders", "documents": ["orders/1"]},
    "copy": {"restore_point": "30m"},
    "fence": {"expires": "20m"},
    "lift-fence": {},
}
"""Each verb, and each shape of its own, as it may be said."""
RESOURCE: Content = {"type": "cloud_run_revision", "labels": {"project_id": SHOP.project}}
ALERT: Content = {
    "version": "1.2",
    "incident": {
        "incident_id": "0.a",
        "state": "open",
        "started_at": 1772452740,
        "ended_at": None,
        "scoping_project_id": SHOP.project,
        "condition": {"name": "projects/p/alertPolicies/1/conditions/2"},
        "observed_value": "1.0",
        "summary": "it fails",
        "resource": {**RESOURCE, "labels": {**RESOURCE["labels"], "service_name": "getbook"}},
        "policy_user_labels": {"rollback_system": SHOP.system, "rollback_signal": "function_failure_rate"},
    },
}
OTHERS: dict[str, tuple[str, Content]] = {
    "an alert": ("on_alert", ALERT),
    "a test": ("on_alert", {**ALERT, "version": "test"}),
    "an alert of 1.1": ("on_alert", {**ALERT, "version": "1.1"}),
    "the end of one": (
        "on_alert",
        {**ALERT, "incident": {**ALERT["incident"], "state": "closed", "ended_at": 1772452800}},
    ),
    "a finding": (
        "on_alert",
        {
            "notificationConfigName": "organizations/1/notificationConfigs/x",
            "finding": {
                "name": "organizations/1/sources/2/findings/3",
                "state": "ACTIVE",
                "findingClass": "THREAT",
                "severity": "CRITICAL",
                "mute": "UNMUTED",
                "eventTime": "2026-03-02T12:00:00Z",
                "resourceName": f"//run.googleapis.com/projects/{SHOP.project}/x",
            },
            "resource": {"gcpMetadata": {"projectDisplayName": SHOP.project}},
        },
    ),
    "an announcement": (
        "on_deployment",
        {
            "version": 1,
            "system": SHOP.system,
            "deployment": "v2",
            "git_hash": "a1b2c3",
            "stable": True,
            "at": "2026-03-02T12:00:00Z",
        },
    ),
    "one beforehand": (
        "on_deployment",
        {"version": 1, "system": SHOP.system, "deployment": "v3", "upcoming": True},
    ),
    "a barrier": ("on_deployment", {"version": 1, "system": SHOP.system, "barrier": "migrated"}),
    "a hint": (
        "on_deployment",
        {
            "logName": "x",
            "timestamp": "2026-03-02T12:00:00Z",
            "resource": RESOURCE,
            "protoPayload": {
                "serviceName": "run.googleapis.com",
                "methodName": "google.cloud.run.v2.Services.UpdateService",
                "resourceName": f"projects/{SHOP.project}/locations/x/services/y",
            },
        },
    ),
}
IDS = {
    work_queue.ROLLBACK: INCIDENT,
    work_queue.NOTICE: f"{INCIDENT}:detected:record",
    work_queue.COMMAND: "2",
    work_queue.DEPLOYMENT: f"{SHOP.system}:v1",
    work_queue.INVENTORY: SHOP.system,
    work_queue.INCIDENT: INCIDENT,
    work_queue.REPORT: INCIDENT,
    work_queue.STATUS_PAGE: SHOP.system,
}
"""What there is of each kind that is handed over."""
ENTRY_OF = {topic: name for name, topic in ENTRY_POINTS.items()}
OTHERS |= {
    f"a hand-over of a {kind}": (
        ENTRY_OF[topic],
        {"kind": kind, "id": IDS[kind], "due_at": "2026-03-02T12:00:00Z"},
    )
    for kind, topic in work_queue.TOPIC_BY_KIND.items()
}

GONE = object()
HOSTILE: list[Any] = [
    GONE,
    *("", "a", ".", "..", "a/b", "__x__", "\0", "\n", "\u00e9" * 800, "x" * 2000, "9" * 400),
    *("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"),
    *("9999-12-31T23:59:59Z", "2026-02-30T12:00:00Z", "9999d", "9999d9999h", "-1", "1e400"),
    *("document:..", "document:orders/1", "query:orders a == 1e999", "collection:__x__", "all"),
    *("last-stable", "latest", "v1", "INC-20260302-999", SHOP.system, "act", "open", "null"),
    *(*IDS, *IDS.values()),
    *(None, True, False, 0, -1, 1, 5.0, 0.5, 1e308, 10**30, 253402300799, 253402300800),
    *([], {}, ["a"], [1], ["payOrder", "payOrder"], {"a": {"b": []}}, [[[]]]),
]


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[EntryPointPorts]:
    """A system in the middle of an emergency: a person is asked."""
    with start_instance(monkeypatch, EVERYTHING) as ports:
        world = World(policy=EVERYTHING, ports=ports, furnish=add_healthy_resources)
        world.command(command="promote", system=SHOP.system, mode="ask")
        world.settle()
        world.deploy_bad()
        world.alert()
        world.settle()
        assert [one.status for one in world.rollbacks()] == [RollbackStatus.PARKED]
        yield ports


def places(content: Content, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where something stands in it, at any depth."""
    for name, value in content.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from places(value, (*above, name))


def spoil(content: Content, changes: list[tuple[int, Any]]) -> bytes:
    """The content with those changes, as JSON."""
    spoilt = deepcopy(content)
    for number, value in changes:
        there = list(places(spoilt))
        if not there:
            break
        *above, name = there[number % len(there)]
        holder = spoilt
        for part in above:
            holder = holder[part]
        if value is GONE:
            del holder[name]
        else:
            holder[name] = deepcopy(value)
    return json.dumps(spoilt).encode()


def assert_acknowledged(ports: EntryPointPorts, entry_point: str, data: bytes) -> None:
    """The message is acknowledged, and whatever it sets in motion, until there is nothing left."""
    ports.bus.messages.clear()
    assert (
        post_to_entry_point(entry_point, build_push(data, ports.ids()), topic=ENTRY_POINTS[entry_point])
        == 204
    )
    for _ in range(1000):
        waiting = [one for one in ports.bus.messages if one.topic in ENTRY_OF]
        if not waiting:
            break
        ports.bus.messages.remove(waiting[0])
        assert (
            post_to_entry_point(ENTRY_OF[waiting[0].topic], build_push(waiting[0].data, waiting[0].id)) == 204
        )
    else:
        pytest.fail("it goes on and on")
    ports.clock.advance(timedelta(seconds=1))


def test_every_kind_is_here() -> None:
    """A new verb is attacked as well."""
    assert {name.split(",")[0].split(" ")[0] for name in COMMANDS} == {*registry.COMMANDS}
    others = {entry_point for entry_point, _ in OTHERS.values()}
    assert others | {"on_command", "on_override", "on_clock"} == {*ENTRY_POINTS}


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command_is_whole_before_it_is_spoilt(kind: str) -> None:
    """It is said in one of the schema's shapes, so that each of its fields is read."""
    content = said(kind)

    command = parse_command(json.dumps(content).encode(), "7", {SHOP.system: EVERYTHING})

    assert command.command == content["command"]


@pytest.mark.parametrize("kind", [*COMMANDS, *OTHERS])
def test_any_field_of_any_kind(kind: str, ports: EntryPointPorts, pytestconfig: pytest.Config) -> None:
    """Acted on or refused, and so is all that follows: nothing crashes or comes for ever.

    Each field gets others of the hostile values, all of them with `--points-of 1`.
    """
    entry_point, content = whole(kind)
    of, part = pytestconfig.getoption("points_of"), pytestconfig.getoption("part")

    for place, _ in enumerate(places(content)):
        for number, value in enumerate(HOSTILE):
            if (number + place - part) % of == 0:
                assert_acknowledged(ports, entry_point, spoil(content, [(place, value)]))


@pytest.mark.parametrize("kind", [*COMMANDS, *OTHERS])
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(HOSTILE)), max_size=4))
def test_some_fields_of_any_kind(kind: str, ports: EntryPointPorts, changes: list[tuple[int, Any]]) -> None:
    """The same of several at once."""
    entry_point, content = whole(kind)

    assert_acknowledged(ports, entry_point, spoil(content, changes))


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command_from_the_end_of_the_calendar_is_answered(kind: str, ports: EntryPointPorts) -> None:
    """No sum of its publish time leads out of the calendar."""
    token = ports.sign_in.person(sub="uid-ada", email="ada", **{ROLE_CLAIM: "admin"})
    data = json.dumps({**said(kind), "token": token}).encode()
    message = PubSubMessage("1", "t", data, {}, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))

    for trigger in (CommandsTrigger, OverrideTrigger):
        stored, refusal = len(ports.store.query(Query("commands"))), ""
        try:
            trigger(ports, {SHOP.system: EVERYTHING}).receive(message)
        except Refused as refused:
            refusal = str(refused)
        assert refusal or len(ports.store.query(Query("commands"))) > stored


def whole(kind: str) -> tuple[str, Content]:
    """Where a message of that kind arrives, and what it says when nothing is wrong with it."""
    return OTHERS[kind] if kind in OTHERS else ("on_override", said(kind))


def said(kind: str) -> Content:
    """A command of that kind, as it may be said."""
    verb = kind.split(",")[0].split(" ")[0]
    system = {"system": SHOP.system}
    return {"version": 1, "command": verb, "reason": "a test", **system, **COMMANDS[kind]}
