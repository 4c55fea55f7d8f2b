from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from shared.core import topics
from shared.core.errors import Rejected, Unavailable
from shared.domain.policy.channels import Audience, Channel, ChannelKind
from shared.domain.policy.severity import Severity
from tests.support.fakes.runtime.hooks import run_once
from tests.support.notices.notices import HOOK, read_notices
from tests.support.runtime.world import BOOKSHOP, World

TWO = replace(BOOKSHOP, channels=(BOOKSHOP.channels[0], HOOK), contacts=(), on_call=())


def heard(world: World, channel: str) -> list[str]:
    """The keys of what a channel has taken about incidents, in order."""
    return [one.key for one in world.sent_notices if one.channel == channel and one.key.startswith("INC-")]


def test_each_event_is_said_once_to_each_channel() -> None:
    """One notice per (incident, event, channel)."""
    world = World(policy=TWO)
    world.deploy_bad()
    world.alert()
    world.pass_time(timedelta(minutes=45))

    keys = [sent.key for sent in world.sent_notices if sent.key.startswith("INC-")]
    assert len(keys) == len(set(keys))
    assert {key.split(":")[1] for key in keys} == {
        *(
            "detected",
            "rollback.decided",
            "rollback.shifted",
            "rollback.verified",
            "rollback.succeeded",
            "report",
        )
    }
    assert {key.rpartition(":")[2] for key in keys} == {"record", "hook"}
    status = {key.split(":")[1]: one["status"] for key, one in read_notices(world).items()}
    assert status.pop("response-time-critical") == "WITHDRAWN"
    assert status.pop("root-cause") == "PENDING"
    assert set(status.values()) == {"SENT"}


def test_a_dead_channel_delays_nothing_and_is_tried_again_later() -> None:
    """The rollback goes on; the notice is said when the channel is back, in its own time."""
    world = World(policy=TWO)
    stable = world.live
    world.ports.sender.down.add("hook")
    world.deploy_bad()
    world.alert()
    world.pass_time(timedelta(minutes=5))
    assert world.live == stable
    waiting = read_notices(world)["INC-20260302-001:detected:hook"]
    assert waiting["status"] == "PENDING"
    assert "does not answer" in str(waiting["last_error"])

    world.ports.sender.down.clear()
    world.pass_time(timedelta(minutes=15))

    assert read_notices(world)["INC-20260302-001:detected:hook"]["status"] == "SENT"


def test_a_channel_that_never_answers_is_given_up_and_recorded() -> None:
    """Every attempt has a limit."""
    world = World(policy=TWO)
    world.ports.sender.down.add("hook")
    world.alert()

    world.pass_time(timedelta(hours=2))

    assert read_notices(world)["INC-20260302-001:detected:hook"]["status"] == "UNDELIVERABLE"


def test_a_repeat_says_that_it_may_be_one() -> None:
    """Whoever died between sending and recording leaves a notice that is said again, marked."""
    world = World()
    world.sent_notices.clear()

    def die_after_sending() -> None:
        raise KeyboardInterrupt

    world.ports.sender.hook = run_once("sender.send", "after", die_after_sending)
    world.alert()
    try:
        world.settle()
    except KeyboardInterrupt:
        world.start_instances()
    world.pass_time(timedelta(minutes=3))

    first, *others = world.sent_notices
    assert [sent.notice["repeated"] for sent in others if sent.key == first.key] == [True]


def test_each_channel_hears_the_story_in_its_order() -> None:
    """A notice waits for the one before it, on its own channel alone."""
    world = World(policy=TWO)
    failures = [Unavailable("no"), Unavailable("no")]

    def fail_twice(verb: str, side: str) -> None:
        if (verb, side) == ("sender.send", "before") and failures:
            raise failures.pop()

    world.ports.sender.hook = fail_twice
    world.deploy_bad()
    world.alert()
    world.pass_time(timedelta(minutes=45))

    for channel in ("record", "hook"):
        assert [key.split(":")[1] for key in heard(world, channel)] == STORY
    assert world.find_violated_invariants() == []


TURNS = ("decided", "shifted", "verified", "succeeded")
STORY = ["detected", *(f"rollback.{one}" for one in TURNS), "report"]


def test_a_dead_channel_keeps_its_story_and_tells_it_whole() -> None:
    """While it is dead nothing else waits, and it is asked ever more seldom; then it catches up."""
    world = World(policy=TWO)
    asked: list[datetime] = []
    send = world.ports.sender.send

    def noted(channel: Channel, key: str, notice: Mapping[str, Any]) -> None:
        if channel.name == "hook":
            asked.append(world.now)
        send(channel, key, notice)

    world.ports.sender.send = noted  # type: ignore[method-assign]
    world.ports.sender.down.add("hook")
    world.deploy_bad()
    world.alert()
    world.pass_time(timedelta(minutes=30))
    tried = len(asked)
    assert len(heard(world, "record")) == len(STORY)
    assert tried <= 8

    world.ports.sender.down.clear()
    world.pass_time(timedelta(minutes=15))

    told = [key.split(":")[1] for key in heard(world, "hook")]
    assert told == STORY


def test_a_channel_is_told_no_more_in_a_minute_than_it_takes() -> None:
    """What is too much waits for the next sweep, and nothing is lost."""
    slow = replace(TWO, channels=(TWO.channels[0], replace(HOOK, per_minute=1)))
    world = World(policy=slow)
    world.deploy_bad()
    world.alert()
    world.settle()
    assert len(heard(world, "hook")) == 1

    world.pass_time(timedelta(minutes=45))

    assert len(heard(world, "hook")) == len(STORY)


def test_a_notice_that_the_channel_refuses_holds_up_no_other() -> None:
    """It is given up, recorded with its reason, and the next one is said at once."""
    world = World(policy=TWO)
    refusals = [Rejected("answered 400")]

    def refuse_once(verb: str, side: str) -> None:
        if (verb, side) == ("sender.send", "before") and refusals:
            raise refusals.pop()

    world.ports.sender.hook = refuse_once
    world.deploy_bad()
    world.alert()
    world.pass_time(timedelta(minutes=45))

    ended = [one for one in read_notices(world).values() if one["status"] == "UNDELIVERABLE"]
    assert [one["last_error"] for one in ended] == ["answered 400"]
    assert len(heard(world, "record")) + len(heard(world, "hook")) == 2 * len(STORY) - 1


def test_a_test_of_every_channel() -> None:
    """Whatever severities it wants; people outside hear nothing of it."""
    users = Channel("users", ChannelKind.PUSH, target="outages", audience=Audience.USERS)
    rare = replace(HOOK, severities=(Severity.CRITICAL,), audience=Audience.STAKEHOLDERS)
    world = World(policy=replace(TWO, channels=(TWO.channels[0], rare, users)))

    world.carry_out("notify", actor="anna", reason="new address")

    told = {one.channel: one.notice for one in world.sent_notices}
    assert set(told) == {"record", "hook"}
    assert told["hook"]["subject"] == "This is a test by anna: new address"


def test_a_test_where_there_is_no_channel() -> None:
    """It is refused, and says so."""
    world = World(policy=replace(TWO, channels=()))

    world.carry_out("notify")

    [letter] = world.ports.bus.take(topics.DEAD_LETTERS)
    assert "has no channel" in letter.attributes["reason"]
