"""Messages on which nobody may act: kept, explained, and without effect."""

import json
from pathlib import Path

import httpx

from local.installation.provisioning import push_account, push_audience
from shared.core import topics
from tests.e2e.support.world import OPERATIONS, World, until

CAPTURES = Path(__file__).parent.parent.parent / "fixtures" / "monitoring"
ALERTS = f"projects/{OPERATIONS}/topics/{topics.ALERTS}"


def reasons(world: World) -> list[str]:
    """Why messages were refused, by the audit trail."""
    told = world.evidence.events_without_system()
    return [event.facts["reason"] for event in told if event.name == "message.refused"]


def test_test_notification(world: World) -> None:
    """The console's button opens nothing: it is recorded, and acknowledged."""
    capture = CAPTURES / "test_notification_int_project_number.json"

    world.publish(topics.ALERTS, json.loads(capture.read_text()))
    [event] = until("its record", world.evidence.events_without_system)

    assert (event.name, event.facts["incident"]) == ("alert.test", "12345")
    assert world.evidence.incidents() == []
    assert world.evidence.dead_letters() == []


def test_foreign_project_and_garbage(world: World) -> None:
    """What is foreign or unreadable is a dead letter with its reason; nothing is opened."""
    resource = {"type": "cloud_run_revision", "labels": {"project_id": "elsewhere"}}

    world.publish(topics.ALERTS, world.notification(resource=resource))
    world.publish(topics.ALERTS, b"\xff\xfe no JSON")
    world.publish(topics.COMMANDS, {"version": 1, "command": "format-the-disk", "reason": "fun"})
    until("three refusals", lambda: len(reasons(world)) == 3)
    until("three dead letters", lambda: len(world.evidence.dead_letters()) == 3)

    letters = world.evidence.dead_letters()
    assert {letter.reason for letter in letters} == set(reasons(world))
    assert [letter for letter in letters if "elsewhere is foreign" in letter.reason]
    assert sorted({letter.source.rpartition("/")[2] for letter in letters}) == [
        topics.ALERTS,
        topics.COMMANDS,
    ]
    assert world.evidence.incidents() == []
    assert world.evidence.alerts() == []


def test_request_that_is_no_message(world: World) -> None:
    """A body that Pub/Sub does not send is acknowledged, and kept under its address's topic."""
    url = f"http://{world.addresses['on_alert']}/{ALERTS}"
    audience = push_audience(OPERATIONS).replace("{function}", topics.deployed_function("on_alert"))
    identity = world.cloud.identity
    token = identity.service_token(identity.service_claims(push_account(OPERATIONS), audience))

    answer = httpx.post(url, content=b"{}", headers={"Authorization": f"Bearer {token}"}, trust_env=False)

    assert answer.status_code == 204
    [letter] = until("its dead letter", world.evidence.dead_letters)
    assert letter.source == ALERTS
