import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from responders.triggers.alerts import AlertsTrigger
from shared.core import topics
from shared.core.errors import Moved, Refused, Unavailable
from shared.core.pubsub_message import PubSubMessage
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.fakes.runtime.hooks import no_hook, raise_error
from tests.support.notices.system_events import read_dead_letters
from tests.support.runtime.world import BOOKSHOP, FakePorts, World

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CAPTURES = [
    json.loads(file.read_text())
    for file in sorted((Path(__file__).parent.parent.parent / "fixtures" / "monitoring").glob("*.json"))
]
OPEN = [one for one in CAPTURES if one["version"] == "1.2" and one["incident"]["state"] == "open"]
"""Each captured notification of an open incident in the present version."""
CAPTURED_PROJECTS = ("scoping-project", "workload-project", "internal-project")


@pytest.mark.parametrize("notification", OPEN, ids=lambda one: one["incident"]["incident_id"])
def test_a_captured_notification_rolls_back(notification: dict[str, Any]) -> None:
    """With our labels, and no function of others, a real notification brings the system back."""
    about = deepcopy(notification["incident"])
    for label in ("service_name", "function_name"):
        about["resource"]["labels"].pop(label, None)
    ours = {"rollback_system": "bookshop", "rollback_signal": "function_failure_rate"}
    labels = {**(about.get("policy_user_labels") or {}), **ours}
    started_at = datetime.fromtimestamp(about["started_at"], UTC)
    policy = replace(BOOKSHOP, alert_projects=(*BOOKSHOP.alert_projects, *CAPTURED_PROJECTS))
    ports = FakePorts(policy, start=started_at - timedelta(minutes=30))
    world = World(policy=policy, ports=ports)
    stable = world.live
    ports.clock.advance(started_at - timedelta(minutes=9) - ports.clock.now())
    world.deploy_bad()

    about = {**about, "policy_user_labels": labels}
    world.publish(topics.ALERTS, {**notification, "incident": about})
    world.settle()

    assert world.live == stable
    assert [one.onset_at for one in world.incidents()] == [started_at]
    assert read_dead_letters(world) == []


def test_trouble_has_begun_before_it_is_told_of() -> None:
    """A time that is still to come is none: what was changed before the alert explains it."""
    world = World()
    world.deploy_bad()
    said_at = world.now

    world.alert(started_at=said_at + timedelta(hours=5))
    world.pass_time(timedelta(hours=1))

    assert world.incident.onset_at == said_at
    assert world.rollback.status is RollbackStatus.SUCCEEDED


def test_one_alert_makes_incident_rollback_public_state_and_notice_at_once() -> None:
    """Commit 1 holds everything that must exist from detection on."""
    world = World()
    commits = world.store.commits

    world.alert()
    published = world.take_newest()
    assert world.deliver(published)

    documents = world.documents
    assert world.store.commits == commits + 1
    assert documents["incidents/INC-20260302-001"]["status"] == "DETECTED"
    assert documents["rollbacks/INC-20260302-001"]["status"] == "DECIDING"
    assert documents["public/bookshop/incidents/INC-20260302-001"]["word"] == "checking a report"
    assert documents["alerts/0.abc:open"]["incident"] == "INC-20260302-001"
    assert "notices/INC-20260302-001:detected:record" in documents
    assert {one.topic for one in world.waiting()} == {topics.WORK, topics.NOTICES}


def test_the_same_alert_again_opens_nothing_and_republishes_what_is_due() -> None:
    """Deduplicated is not done: a duplicate hands on the work that its first delivery left."""
    world = World()
    world.alert()
    published = world.take_newest()
    world.deliver(published)
    world.ports.bus.messages.clear()  # the hand-over is lost
    world.start_instances()

    world.deliver(published)

    assert len(world.incidents()) == 1
    assert [one.topic for one in world.waiting()] == [topics.WORK]


def test_an_instance_remembers_what_it_has_settled() -> None:
    """A storm of duplicates costs the store nothing."""
    world = World()
    world.alert()
    published = world.take_newest()
    world.deliver(published)
    asked: list[str] = []
    world.store.hook = lambda verb, side: asked.append(verb)

    world.deliver(published)

    assert asked == []


def test_a_further_alert_joins_the_open_incident_as_a_document_of_its_own() -> None:
    """A storm writes no document twice: joining touches neither incident nor rollback."""
    world = World()
    world.alert("0.first")
    [published] = world.waiting()
    world.deliver(published)
    before = world.documents

    world.alert("0.second")
    world.deliver(world.waiting()[-1])

    after = world.documents
    assert set(after) - set(before) == {"alerts/0.second:open"}
    assert after["alerts/0.second:open"]["incident"] == "INC-20260302-001"
    assert all(after[path] == before[path] for path in before)


def test_an_alert_shortly_after_the_end_joins_the_same_incident() -> None:
    """Within the window, trouble that comes back is the same trouble, judged again."""
    world = World(promoted=False)
    world.alert("0.first")
    world.settle()
    world.pass_time(timedelta(minutes=4))
    assert world.incident.ended_at is not None

    world.alert("0.second")
    world.settle()

    assert [one.id for one in world.incidents()] == ["INC-20260302-001"]
    assert [one.id for one in world.rollbacks()] == ["INC-20260302-001", "INC-20260302-001-r2"]


def test_an_alert_long_after_the_end_is_a_new_incident() -> None:
    """Numbers count up within the day."""
    world = World(promoted=False)
    world.alert("0.first")
    world.pass_time(timedelta(minutes=20))

    world.alert("0.second")
    world.settle()

    assert [one.id for one in world.incidents()] == ["INC-20260302-001", "INC-20260302-002"]


def test_an_alert_that_joins_while_the_incident_ends_is_not_lost() -> None:
    """The incident may end between the read and the commit of a joining alert."""
    world = World()
    world.deploy_bad()
    world.alert("0.first")
    world.pass_time(timedelta(minutes=5))
    assert world.rollback.status is RollbackStatus.WATCHING
    ended: list[bool] = []

    def end_it_meanwhile(verb: str, side: str) -> None:
        if verb == "store.commit" and side == "before" and not ended:
            ended.append(True)
            world.pass_time(timedelta(minutes=30))

    world.alert("0.second")
    published = world.take_newest()
    world.store.hook = end_it_meanwhile
    world.deliver(published)
    world.store.hook = no_hook
    world.pass_time(timedelta(minutes=10))

    assert len(world.rollbacks()) == 2
    kept = world.documents["alerts/0.second:open"]
    assert kept["absorbed_by"] == world.rollbacks()[1].id


def test_a_closed_notification_is_evidence_and_opens_nothing() -> None:
    """Closed is recorded beside the incident; it neither starts nor ends anything."""
    world = World()

    world.alert("0.abc", "closed")
    world.settle()

    assert world.incidents() == []
    assert world.documents["alerts/0.abc:closed"]["incident"] == ""


def test_a_test_notification_is_recorded_and_nothing_else() -> None:
    """Someone presses the button to see whether it arrives: it does."""
    world = World()

    world.publish(topics.ALERTS, {**world.notification(), "version": "test"})
    world.settle()

    assert world.incidents() == []
    assert read_dead_letters(world) == []
    recorded = [fields for path, fields in world.documents.items() if "audit/test:" in path]
    assert [one["name"] for one in recorded] == ["alert.test"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello", "JSON"),
        (b"", "empty"),
        ({"version": "9.9", "incident": {"incident_id": "1", "state": "open"}}, "version"),
    ],
)
def test_what_is_no_notification_is_kept_as_a_dead_letter_with_its_reason(
    content: bytes, reason: str
) -> None:
    """Refused is audited, dead-lettered, told and acknowledged."""
    world = World()
    world.sent_notices.clear()
    if content:
        world.publish(topics.ALERTS, content)
    else:
        world.ports.bus.publish(topics.ALERTS, b"", {"only": "attributes"})

    world.settle()

    [letter] = read_dead_letters(world)
    assert reason.lower() in letter["reason"].lower()
    assert letter["source_topic"].endswith("/topics/rollback-alerts")
    assert [sent.key.split(":")[1] for sent in world.sent_notices] == ["refused"]


def test_an_alert_of_a_foreign_project_is_refused() -> None:
    """Labels can be copied: an alert about another project never moves this system."""
    world = World()
    foreign = {"type": "cloud_run_revision", "labels": {"project_id": "somebody-else"}}

    world.alert(resource=foreign)
    world.settle()

    assert world.incidents() == []
    [letter] = read_dead_letters(world)
    assert "somebody-else is foreign" in letter["reason"]


def test_many_refusals_are_told_once_an_hour() -> None:
    """A storm of nonsense does not drown the people who are told of it."""
    world = World()
    world.sent_notices.clear()
    for number in range(20):
        world.publish(topics.ALERTS, f"nonsense {number}".encode())

    world.settle()

    assert len(read_dead_letters(world)) == 20
    assert len(world.sent_notices) == 1


def test_a_store_that_does_not_answer_means_redelivery() -> None:
    """What could not be kept is not acknowledged."""
    world = World()
    world.alert()
    [published] = world.waiting()

    def down(verb: str, side: str) -> None:
        if side == "before":
            raise Unavailable("down")

    world.store.hook = down

    assert not world.deliver(published)


def test_documents_that_never_hold_still_mean_redelivery() -> None:
    """Contention is retried a bounded number of times, then left to the redelivery."""
    world = World()
    world.alert()
    [published] = world.waiting()
    world.store.hook = raise_error("store.commit", Moved("somebody was faster"))

    assert not world.deliver(published)


@pytest.mark.parametrize("claimed", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"])
def test_an_alert_that_claims_to_be_published_before_all_times_rolls_back(claimed: str) -> None:
    """Such a claim is no time: the alert counts from its own publish time."""
    world = World()
    stable = world.live
    world.deploy_bad()
    said_at = world.now

    data = json.dumps(world.notification(started_at=EPOCH)).encode()
    world.ports.bus.publish(topics.ALERTS, data, {"first_published_at": claimed})
    world.pass_time(timedelta(hours=1))

    assert world.incident.onset_at == said_at
    assert world.live == stable


@pytest.mark.parametrize("state", ["open", "closed"])
def test_an_alert_that_another_system_has_is_refused(state: str) -> None:
    """One id of Cloud Monitoring under two systems is a mistake that people are notified of."""
    world = World()
    world.alert()
    world.settle()
    shelf = replace(BOOKSHOP, system="shelf")
    trigger = AlertsTrigger(world.ports, {"bookshop": BOOKSHOP, "shelf": shelf})
    labels = {"rollback_system": "shelf", "rollback_signal": "function_failure_rate"}
    data = json.dumps(world.notification(state=state, policy_user_labels=labels)).encode()

    with pytest.raises(Refused, match="of shelf is stored already: of bookshop"):
        trigger.receive(PubSubMessage("9", "t", data, {}, world.now))
