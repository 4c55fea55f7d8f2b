from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from shared.policy import Channel, ChannelKind
from tests.world import BOOKSHOP, World

HOOK = Channel("hook", ChannelKind.WEBHOOK, url="https://hooks.example/x")
TWO = replace(BOOKSHOP, channels=(BOOKSHOP.channels[0], HOOK), contacts=(), on_call=())


def notices(world: World) -> dict[str, dict[str, object]]:
    return {
        path.removeprefix("notices/"): fields
        for path, fields in world.ports.store.documents.items()
        if path.startswith("notices/")
    }


def test_each_event_is_said_once_to_each_channel() -> None:
    """One notice per (incident, event, channel)."""
    world = World(policy=TWO)
    world.deploy_bad()
    world.alert()
    world.pass_time(timedelta(minutes=45))

    keys = [sent.key for sent in world.ports.sender.sent]
    assert len(keys) == len(set(keys))
    assert {key.split(":")[1] for key in keys} == {
        *(
            "detected",
            "rollback.decided",
            "rollback.shifted",
            "rollback.verified",
            "rollback.succeeded",
        )
    }
    assert {key.rpartition(":")[2] for key in keys} == {"record", "hook"}
    status = {key.split(":")[1]: one["status"] for key, one in notices(world).items()}
    assert status.pop("response-time-critical") == "WITHDRAWN"
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
    waiting = notices(world)["INC-20260302-001:detected:hook"]
    assert waiting["status"] == "PENDING"
    assert "does not answer" in str(waiting["last_error"])

    world.ports.sender.down.clear()
    world.pass_time(timedelta(minutes=15))

    assert notices(world)["INC-20260302-001:detected:hook"]["status"] == "SENT"


def test_a_channel_that_never_answers_is_given_up_and_recorded() -> None:
    """Every attempt has a limit."""
    world = World(policy=TWO)
    world.ports.sender.down.add("hook")
    world.alert()

    world.pass_time(timedelta(hours=2))

    assert notices(world)["INC-20260302-001:detected:hook"]["status"] == "UNDELIVERABLE"


def test_a_repeat_says_that_it_may_be_one() -> None:
    """Whoever died between sending and recording leaves a notice that is said again, marked."""
    world = World()
    died: list[bool] = []

    def die_after_sending(verb: str, side: str) -> None:
        if (verb, side) == ("sender.send", "after") and not died:
            died.append(True)
            raise KeyboardInterrupt

    world.ports.sender.hook = die_after_sending
    world.alert()
    try:
        world.settle()
    except KeyboardInterrupt:
        world.start_instances()
    world.pass_time(timedelta(minutes=3))

    first, *others = world.ports.sender.sent
    assert [sent.notice["repeated"] for sent in others if sent.key == first.key] == [True]
