"""Messages that come back from the dead letters: as old as they are, and done once."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from cli.act.replay import Replay
from shared.core import topics
from shared.core.store import Query
from shared.domain.audit.system_chain import UNCLAIMED_SYSTEM, system_events_path
from shared.domain.policy.system_policy import FindingRules
from shared.domain.rollback.rollback import RollbackStatus
from shared.ports.messaging import DeadLetter
from tests.support.fakes.pubsub.dead_letters import MemoryLetters
from tests.support.notices.system_events import read_dead_letters
from tests.support.rollbacks.bookshop_resources import SHOP
from tests.support.rollbacks.deployments import deploy_release, later_deployments, read_deployments
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
ORDER = {"version": 1, "command": "rollback", "system": "bookshop", "reason": "it is broken"}

FINDING = {
    "notificationConfigName": "organizations/1/notificationConfigs/rollback",
    "finding": {
        "name": "organizations/1/sources/2/findings/3",
        "state": "ACTIVE",
        "findingClass": "THREAT",
        "severity": "CRITICAL",
    },
    "resource": {"projectDisplayName": SHOP.project},
}


def give_up(letters: MemoryLetters, topic: str, content: Any, since: datetime) -> None:
    """A message, published then, that could not be delivered."""
    source = f"projects/bookshop-prod/topics/{topic}"
    data = json.dumps(content).encode()
    letters.keep(DeadLetter("41", "", source, "given up", data, {}, since))


def refused(world: World) -> MemoryLetters:
    """What the responders have refused; it lies on its topic no more."""
    letters = MemoryLetters({f"projects/bookshop-prod/topics/{topic}" for topic in topics.ALL_TOPICS})
    for one in world.ports.bus.take(topics.DEAD_LETTERS):
        said = dict(one.attributes)
        source, name = said.pop("source_topic"), said.pop("message_id")
        since = datetime.fromisoformat(said["first_published_at"])
        letters.keep(DeadLetter(name, "", source, said.pop("reason"), one.data, said, since))
    return letters


def replay(world: World, letters: MemoryLetters) -> None:
    """A person has all of them sent again, and they arrive."""
    assert Replay(letters, "", "", yes=True, as_json=True).run() == 0
    for one in letters.resent:
        topic = one.source.rpartition("/")[2]
        world.ports.bus.publish(topic, one.data, one.attributes)
    letters.resent.clear()
    world.settle()


def test_an_order_of_three_days_ago_is_not_given_today() -> None:
    """What its speaker wanted then may be wrong by now: it is refused once more, for its age."""
    world = World()
    world.deploy_bad()
    bad = world.live
    letters = refused(world)
    give_up(letters, topics.OVERRIDE, ORDER, world.now - 3 * DAY)

    replay(world, letters)

    assert (world.live, world.rollbacks()) == (bad, [])
    [letter] = read_dead_letters(world)
    assert "too late for the command rollback" in letter["reason"]
    assert letter["replayed_from"] == "41"
    replay(world, refused(world))
    assert letter == {**read_dead_letters(world)[-1], "message_id": letter["message_id"]}
    trail = world.store.query(Query(system_events_path(UNCLAIMED_SYSTEM)))
    told = [one.fields["facts"] for one in trail if one.fields]
    assert [one["replayed_from"] for one in told] == ["41", "41"]


def test_an_order_of_just_now_that_comes_back_twice_is_given_once() -> None:
    """Its id is the one that it had at first, whatever Pub/Sub calls it now."""
    world = World()
    stable = world.live
    world.deploy_bad()
    letters = refused(world)
    said_at = world.now - MINUTE

    for _ in range(2):
        give_up(letters, topics.OVERRIDE, ORDER, said_at)
        replay(world, letters)
    world.pass_time(60 * MINUTE)

    assert world.live == stable
    assert [one.status for one in world.rollbacks()] == [RollbackStatus.SUCCEEDED]
    assert "commands/41" in world.documents


def test_a_pause_counts_from_when_it_was_said() -> None:
    """What was to end after an hour does not begin anew, and overrules nothing that came later."""
    world = World()
    letters = refused(world)
    pause = {"version": 1, "command": "pause", "expires": "1h", "reason": "looking"}
    give_up(letters, topics.OVERRIDE, pause, world.now - 30 * MINUTE)

    replay(world, letters)

    kept = world.documents["controls/global"]["pause"]
    assert kept["expires_at"] == world.now + 30 * MINUTE


def test_an_alert_of_three_days_ago_rolls_nothing_back() -> None:
    """It is stale, as it is where it has waited in its own subscription."""
    world = World()
    world.deploy_bad()
    bad = world.live
    letters = refused(world)
    give_up(letters, topics.ALERTS, world.notification(), world.now - 3 * DAY)

    replay(world, letters)
    world.pass_time(30 * MINUTE)

    assert world.live == bad
    rollback = world.rollback
    assert rollback.status is RollbackStatus.NOT_TAKEN
    assert "stale" in rollback.outcome


def test_a_finding_of_three_days_ago_is_as_old() -> None:
    """As an alert is."""
    world = World(policy=replace(SHOP, findings=FindingRules()))
    letters = refused(world)
    told_at = world.now - 3 * DAY
    give_up(letters, topics.ALERTS, FINDING, told_at)

    replay(world, letters)

    [alert] = [kept for path, kept in world.documents.items() if "alerts/" in path]
    assert alert["published_at"] == told_at


def test_a_deployment_that_comes_back_twice_is_one() -> None:
    """One that has no name has one by its time; told again, it is no other."""
    world = World()
    deploy_release(world, "getBook")
    letters = refused(world)
    announcement = {"version": 1, "system": "bookshop", "git_hash": "a1b2c3"}
    told_at = world.now

    for _ in range(2):
        give_up(letters, topics.DEPLOYMENTS, announcement, told_at)
        replay(world, letters)
        world.pass_time(5 * MINUTE)

    assert [one.git_hash for one in later_deployments(world)] == ["a1b2c3"]
    assert later_deployments(world)[0].announced_by == "41"


def test_what_was_stable_three_days_ago_is_not_what_is_live_today() -> None:
    """A deployment was told of when it was, and its word is not about a newer one."""
    world = World()
    told_at = world.now
    world.advance_clock(3 * DAY)
    deploy_release(world, "getBook")
    letters = refused(world)
    announcement = {"version": 1, "system": "bookshop", "deployment": "v0", "stable": True}
    give_up(letters, topics.DEPLOYMENTS, announcement, told_at)

    replay(world, letters)

    assert "getBook serves a newer revision" in read_dead_letters(world)[0]["reason"]
    assert "v0" not in read_deployments(world)


@pytest.mark.parametrize("claimed", ["..", "__x__", "a/b", "", "x" * 1000, "\u0661", "1\n"])
def test_whatever_an_attribute_claims_to_be(claimed: str) -> None:
    """It names no document, and keeps no message from being judged."""
    world = World()
    pause(world, replayed_from=claimed)
    [message] = world.waiting()

    world.settle()

    assert f"commands/{message.id}" in world.documents


@pytest.mark.parametrize("claimed", ["", "now", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59"])
def test_whatever_an_attribute_claims_of_its_age(claimed: str) -> None:
    """Nothing becomes younger, and what is no time says nothing."""
    world = World()
    pause(world, first_published_at=claimed)

    world.settle()

    kept = world.documents["controls/global"]["pause"]
    assert kept["at"] == world.now


def pause(world: World, **attributes: str) -> None:
    """Somebody stops everything, with attributes of their choice."""
    command = {"version": 1, "command": "pause", "reason": "looking"}
    world.ports.bus.publish(topics.OVERRIDE, json.dumps(command).encode(), attributes)
