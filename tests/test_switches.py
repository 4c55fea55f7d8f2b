from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.policy import Mode
from shared.rollback import Status
from shared.system import GLOBAL
from tests.test_alerts import dead_letters
from tests.world import World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SYSTEM = "systems/bookshop"


def say(world: World, verb: str, **content: Any) -> str:
    """Why a command was refused, or ""."""
    before = len(dead_letters(world))
    world.command(command=verb, **content)
    world.settle()
    return str(next((one["reason"] for one in dead_letters(world)[before:]), ""))


def in_the_middle(world: World, verb: str, **content: Any) -> list[int]:
    """Say it right after the second shift was sent; how much was in flight then, by its record."""
    seen: list[int] = []

    def interrupt(name: str, side: str) -> None:
        if (name, side) == ("platform.shift", "after") and not seen:
            if len(world.ports.world.applied_shifts) < 2:
                return
            [one] = world.rollbacks()
            seen.append(one.in_flight)
            world.command(command=verb, id="in-the-middle", **content)
            command = world.waiting()[-1]
            world.ports.bus.messages.remove(command)
            world.deliver(command)
            world.ports.clock.advance(timedelta(seconds=3))

    world.ports.world.hook = interrupt
    return seen


def iso(world: World, span: timedelta) -> str:
    return (world.ports.clock.now() + span).isoformat()


def text(world: World, event: str) -> list[str]:
    return [str(one.notice["text"]) for one in world.ports.sender.sent if f":{event}" in one.key]


@pytest.mark.parametrize("where", [{"system": "bookshop"}, {}])
def test_a_pause_is_requested_until_nothing_is_in_flight(where: dict[str, str]) -> None:
    """The count is shown, then it is told that all stands still."""
    world = World()
    world.deploy_bad()
    in_flight = in_the_middle(world, "pause", **where)
    world.alert()

    world.pass_time(5 * MINUTE)

    record = world.ports.store.documents["commands/in-the-middle"]
    assert in_flight[0] > 0
    assert record["result"] == f"PAUSE_REQUESTED, {in_flight[0]} in flight"
    [one] = world.rollbacks()
    assert (one.status, one.in_flight) == (Status.RUNNING, 0)
    assert "nothing is in flight" in text(world, "rollback.held")[0]


def test_a_pause_with_nothing_in_flight_holds_at_once() -> None:
    """Nothing has to settle."""
    world = World()

    say(world, "pause", id="now")

    assert world.ports.store.documents["commands/now"]["result"] == "PAUSED, 0 in flight"


@pytest.mark.parametrize("expires", ["2h", None])
def test_a_pause_that_was_to_be_over_is_paged_and_lifts_nothing(expires: str | None) -> None:
    """A person resumes; the clock only reminds them."""
    world = World()
    say(world, "pause", expires=expires or iso(world, 2 * HOUR), actor="alice")

    world.pass_time(2 * HOUR - MINUTE)
    assert text(world, "pause-expired") == []
    world.pass_time(2 * MINUTE)

    assert "still paused by alice" in text(world, "pause-expired")[0]
    assert world.ports.store.documents[GLOBAL]["pause"]["actor"] == "alice"


@pytest.mark.parametrize("then", [["resume"], ["resume", "pause"], ["pause"]])
def test_a_pause_that_is_not_in_force_any_more_reminds_nobody(then: list[str]) -> None:
    """What was lifted, or said anew, is not expired."""
    world = World()
    say(world, "pause", expires="2h")
    for verb in then:
        world.ports.clock.advance(MINUTE)
        say(world, verb)

    world.pass_time(3 * HOUR)

    assert text(world, "pause-expired") == []
    reminders = [
        fields["status"]
        for path, fields in world.ports.store.documents.items()
        if "pause-expired" in path
    ]
    assert set(reminders) == {"WITHDRAWN"}


@pytest.mark.parametrize("where", [{"system": "bookshop"}, {}])
def test_a_freeze_leaves_everything_to_people(where: dict[str, str]) -> None:
    """In its window automation escalates with the prepared command; after it, it acts again."""
    world = World()
    stable = world.live
    say(world, "freeze", **{"from": iso(world, 5 * MINUTE), "until": iso(world, HOUR)}, **where)
    world.deploy_bad()
    bad = world.live

    world.alert()
    world.pass_time(10 * MINUTE)
    assert world.live == bad
    assert '"command":"rollback"' in text(world, "rollback.escalated")[0]
    world.pass_time(HOUR)
    world.alert("0.later")
    world.pass_time(HOUR)

    assert world.live == stable


def test_an_order_waits_for_the_end_of_a_freeze() -> None:
    """Only an override does not."""
    world = World()
    stable = world.live
    world.deploy_bad()
    say(world, "freeze", until=iso(world, 2 * MINUTE))

    say(world, "rollback", system="bookshop")
    world.settle()
    assert world.rollbacks()[0].status is Status.DECIDING
    world.pass_time(HOUR)

    assert world.live == stable


def test_a_freeze_in_the_middle_stops_before_the_next_effect() -> None:
    """It is asked before every effect, as the kill switch is; unfreeze lets it go on."""
    world = World()
    stable = world.live
    world.deploy_bad()
    in_the_middle(world, "freeze", until=iso(world, 5 * HOUR))
    world.alert()
    world.pass_time(10 * MINUTE)
    shifts = len(world.ports.world.applied_shifts)
    assert shifts < 8

    say(world, "unfreeze")
    world.pass_time(HOUR)

    assert world.live == stable
    assert {"rollback.frozen", "rollback.unfrozen"} <= set(world.events(world.rollbacks()[0]))
    assert world.broken_laws() == []


def escalated() -> World:
    """A bad release that nobody goes back from by machine, because all is frozen."""
    world = World()
    world.deploy_bad()
    say(world, "freeze", until=iso(world, 5 * HOUR))
    world.alert()
    world.pass_time(MINUTE)
    return world


def test_an_override_ignores_the_freeze_and_is_told_on_every_channel() -> None:
    """Break-glass works, and nobody can say that they did not hear of it."""
    world = escalated()
    trouble = world.incidents()[-1].id

    say(
        world,
        "rollback",
        system="bookshop",
        override=True,
        incident=trouble,
        severity="LOW",
        actor="alice",
        reason="all is down",
    )
    world.pass_time(HOUR)

    one = world.rollbacks()[-1]
    assert one.status is Status.SUCCEEDED
    assert one.order is not None
    assert (one.order.override, one.order.incident) == (True, trouble)
    told = [sent for sent in world.ports.sender.sent if ":rollback.override:" in sent.key]
    assert {sent.key.rpartition(":")[2] for sent in told} == {
        channel.name for channel in world.policy.channels
    }
    assert "all is down" in told[0].notice["text"]
    assert world.broken_laws() == []


def test_an_override_stops_at_the_kill_switch() -> None:
    """Nothing is above it."""
    world = escalated()
    bad = world.live
    say(world, "pause")

    order = {"system": "bookshop", "override": True, "incident": world.incidents()[-1].id}
    say(world, "rollback", **order)
    world.pass_time(HOUR)

    assert world.live == bad


def test_an_unfreeze_that_comes_late_lifts_nothing_that_was_said_after_it() -> None:
    """Switches commute: the newest word stands, in whichever order they arrive."""
    world = World()
    said_at = world.ports.clock.now()
    world.ports.clock.advance(MINUTE)
    say(world, "freeze", until=iso(world, HOUR))
    world.command(command="unfreeze")
    late = world.waiting()[-1]
    world.ports.bus.messages.remove(late)

    world.deliver(late, published_at=said_at)
    assert len(world.ports.store.documents[GLOBAL]["freezes"]) == 1
    world.ports.clock.advance(MINUTE)
    say(world, "unfreeze")
    world.command(command="freeze", until=iso(world, HOUR))
    late = world.waiting()[-1]
    world.ports.bus.messages.remove(late)
    world.deliver(late, published_at=said_at)

    assert world.ports.store.documents[GLOBAL]["freezes"] == []


def test_windows_that_are_over_are_dropped_and_there_is_a_limit() -> None:
    """The document stays small."""
    world = World()
    say(world, "freeze", system="bookshop", until=iso(world, MINUTE))
    world.ports.clock.advance(2 * MINUTE)
    for _ in range(51):
        refused = say(world, "freeze", system="bookshop", until=iso(world, HOUR))

    assert len(world.ports.store.documents[SYSTEM]["freezes"]) == 50
    assert "50 freeze windows" in refused


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"command": "freeze"}, "until"),
        ({"command": "freeze", "until": "tomorrow"}, "is not a time such as"),
        ({"command": "freeze", "until": "2026-01-01T00:00:00Z"}, "is over"),
        (
            {
                "command": "freeze",
                "from": "2027-03-01T00:00:00Z",
                "until": "2027-02-01T00:00:00Z",
            },
            "before the window begins",
        ),
        ({"command": "freeze", "until": "2026-03-02T12:00:00"}, "is not a time such as"),
        ({"command": "pause", "expires": "soon"}, "or a span such as 2h"),
        ({"command": "pause", "expires": "2026-01-01T00:00:00Z"}, "is over"),
        ({"command": "pauze"}, "did you mean pause"),
        ({"command": "pause", "untill": "x"}, "untill"),
        ({"command": "rollback", "system": "bookshop", "override": True}, "incident"),
        ({"command": "rollback", "system": "bookshop", "groups": ["catalog"]}, "mean catalogue"),
        (
            {"command": "rollback", "system": "bookshop", "functions": ["listbook"]},
            "mean listBooks",
        ),
        ({"command": "pause", "system": "bookshoop"}, "did you mean bookshop"),
    ],
)
def test_a_wrong_switch_is_refused_with_what_would_be_right(
    content: dict[str, Any], why: str
) -> None:
    """Each fault says how it should be."""
    world = World()

    world.command(**content)
    world.settle()

    assert why in dead_letters(world)[-1]["reason"]
    assert GLOBAL not in world.ports.store.documents


def late(world: World, verb: str, after: timedelta, **content: Any) -> str:
    """Say it, and deliver it so much later; why it was refused, or ""."""
    before = len(dead_letters(world))
    said_at = world.ports.clock.now()
    world.command(command=verb, **content)
    message = world.waiting()[-1]
    world.ports.bus.messages.remove(message)
    world.ports.clock.advance(after)
    world.deliver(message, published_at=said_at)
    return str(next((one["reason"] for one in dead_letters(world)[before:]), ""))


def test_a_pause_that_comes_after_its_own_reminder_is_still_a_pause() -> None:
    """Its expiry lifts nothing, so a late one stops everything too, and reminds at once."""
    world = World()

    assert late(world, "pause", 20 * MINUTE, expires="5m") == ""
    world.pass_time(MINUTE)

    assert world.ports.store.documents[GLOBAL]["pause"]["actor"] == "somebody"
    assert "still paused by somebody" in text(world, "pause-expired")[0]


def test_the_newest_promotion_stands_in_whichever_order_they_arrive() -> None:
    """A person who takes automation's rights back is not overruled by what they said before."""
    world = World()
    said_at = world.ports.clock.now()
    world.command(command="promote", system="bookshop", mode="act")
    earlier = world.waiting()[-1]
    world.ports.bus.messages.remove(earlier)
    world.ports.clock.advance(MINUTE)
    say(world, "promote", system="bookshop", mode="observe")

    world.deliver(earlier, published_at=said_at)

    assert world.ports.store.documents[SYSTEM]["mode"] == Mode.OBSERVE


@pytest.mark.parametrize(("mode", "refused"), [("act", True), ("ask", True), ("observe", False)])
def test_a_late_promotion_stops_automation_and_frees_it_no_more(mode: str, refused: bool) -> None:
    """What stops something is done however late it comes."""
    world = World()

    said = late(world, "promote", 20 * MINUTE, system="bookshop", mode=mode)

    assert ("too late" in said) is refused
