from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.documents import decode
from shared.errors import Unavailable
from shared.policy import Mode
from shared.ports import Document
from shared.rollback import Status
from shared.system import GLOBAL, Pause, Paused, paused
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
    """The count is shown; once nothing is, PAUSED is told, on record and once, with that count."""
    world = World()
    world.deploy_bad()
    in_flight = in_the_middle(world, "pause", **where)
    world.alert()

    world.pass_time(timedelta(seconds=20))  # no sweep of the clock helps
    world.settle()

    record = world.ports.store.documents["commands/in-the-middle"]
    kept = world.ports.store.documents[SYSTEM if where else GLOBAL]["pause"]
    assert decode(Pause, kept).reached_at is not None
    assert in_flight[0] > 0
    reached = f"PAUSED: nothing is in flight any more, {in_flight[0]} were when it was said"
    assert (record["result"], record["due_at"]) == (reached, None)
    assert [f"PAUSE_REQUESTED, {in_flight[0]} in flight" in one for one in text(world, "pause:")]
    world.pass_time(5 * MINUTE)
    assert [reached in one for one in text(world, "paused:")] == [True]
    chain = f"systems/{where.get('system', 'all')}/audit/paused:in-the-middle"
    told = world.ports.store.documents[chain]
    assert told["facts"]["changes"] == {"status": ["PAUSE_REQUESTED", "PAUSED"]}
    [one] = world.rollbacks()
    assert (one.status, one.in_flight) == (Status.RUNNING, 0)
    assert "nothing is in flight" in text(world, "rollback.held")[0]


def test_a_pause_that_was_lifted_before_it_was_reached_is_not_told_as_reached() -> None:
    """What is not in force any more is over, silently."""
    world = World()
    world.deploy_bad()
    in_the_middle(world, "pause")
    world.alert()
    message = world.waiting()[-1]
    world.ports.bus.messages.remove(message)
    world.deliver(message)
    work = world.waiting()
    world.ports.bus.messages.clear()
    world.deliver(work[0])
    world.ports.bus.messages.clear()
    record = world.ports.store.documents["commands/in-the-middle"]
    assert record["due_at"] is not None

    say(world, "resume")
    world.pass_time(HOUR)

    assert record is not world.ports.store.documents["commands/in-the-middle"]
    assert world.ports.store.documents["commands/in-the-middle"]["due_at"] is None
    assert text(world, "paused:") == []
    assert world.broken_laws() == []


def test_a_pause_that_is_lifted_during_the_look_is_not_told_as_reached() -> None:
    """What the look has found and what is in force are one commit, or none."""
    world = World()
    world.deploy_bad()
    in_the_middle(world, "pause")
    world.alert()
    while world.rollbacks() == [] or world.rollbacks()[0].held_since is None:
        message = world.waiting()[0]
        world.ports.bus.messages.remove(message)
        world.deliver(message)
    look = next(one for one in world.waiting() if b'"command","id":"in-the-middle"' in one.data)
    lifted: list[bool] = []

    def lift(verb: str, side: str) -> None:
        if (verb, side) == ("store.query", "after") and not lifted:
            lifted.append(True)
            world.command(command="resume")
            world.deliver(world.waiting()[-1])

    world.ports.store.hook = lift
    world.deliver(look)
    world.pass_time(HOUR)

    assert lifted
    assert text(world, "paused:") == []
    assert world.ports.store.documents[GLOBAL]["pause"] is None
    assert world.broken_laws() == []


def test_a_pause_whose_look_dies_is_told_by_the_next_one() -> None:
    """It is due until it is told: the clock hands it on."""
    world = World()
    world.deploy_bad()
    in_the_middle(world, "pause")
    world.alert()
    seen: list[bool] = []

    def die(verb: str, side: str) -> None:
        if (verb, side) == ("bus.publish", "before") and "commands/in-the-middle" in (
            world.ports.store.documents
        ):
            seen.append(True)
            if len(seen) < 6:
                raise Unavailable("no answer")

    world.ports.bus.hook = die
    world.pass_time(5 * MINUTE)

    assert [one.startswith("all systems: PAUSED") for one in text(world, "paused:")] == [True]


@pytest.mark.parametrize("lifted", ["resume", "resume and work"])
def test_the_time_of_an_earlier_pause_is_not_counted_with_a_later_one(lifted: str) -> None:
    """A rollback is given up for one long hold, not for the sum of several."""
    world = World()
    world.deploy_bad()
    in_the_middle(world, "pause")
    world.alert()
    world.pass_time(20 * MINUTE)

    world.command(command="resume")
    resumed = world.waiting()[-1]
    world.ports.bus.messages.clear()
    world.deliver(resumed)
    if lifted == "resume":
        world.ports.bus.messages.clear()  # no worker comes to it in between
    world.ports.clock.advance(timedelta(seconds=1))
    world.command(command="pause")
    world.deliver(world.waiting()[-1])
    world.pass_time(20 * MINUTE)

    [one] = world.rollbacks()
    assert one.status is Status.RUNNING
    world.pass_time(15 * MINUTE)
    assert world.rollbacks()[0].status is Status.FAILED


def test_what_status_shows_of_a_pause_is_what_was_told() -> None:
    """PAUSED is what a look has found and told, not what a reader reckons in between."""
    at = World().ports.clock.now()
    requested = Pause("ada", at, "we look")

    assert paused(None) is Paused.NO
    assert paused(requested) is Paused.REQUESTED
    assert paused(replace(requested, reached_at=at)) is Paused.YES


def test_a_pause_waits_for_a_worker_that_has_only_begun_to_decide() -> None:
    """It may have looked at the switches just before, and act by that look."""
    world = World()
    world.deploy_bad()
    said: list[str] = []

    def interrupt(verb: str, side: str) -> None:
        claimed = [one for one in world.rollbacks() if one.lease is not None] if not said else []
        if claimed and verb.startswith("platform"):
            said.append(claimed[0].status)
            world.command(command="pause", id="while-it-decides")
            command = world.waiting()[-1]
            world.ports.bus.messages.remove(command)
            world.deliver(command)
            world.ports.clock.advance(timedelta(seconds=3))

    world.ports.world.hook = interrupt
    world.alert()

    world.pass_time(MINUTE)

    record = world.ports.store.documents["commands/while-it-decides"]
    assert said == [Status.DECIDING]
    assert text(world, "pause:")[0].startswith("all systems: PAUSE_REQUESTED, 0 in flight")
    assert (record["result"], record["due_at"]) == (
        "PAUSED: nothing is in flight any more, 0 were when it was said",
        None,
    )
    assert world.ports.world.applied_shifts == []


def test_a_pause_that_expires_in_the_middle_resumes_nothing_half_done() -> None:
    """People are paged; what was stopped between two effects stays there until they say more."""
    world = World()
    world.deploy_bad()
    in_the_middle(world, "pause", expires="10m", actor="alice")
    world.alert()
    world.pass_time(9 * MINUTE)
    shifts = list(world.ports.world.applied_shifts)
    steps = {name: step.status for name, step in world.steps(world.rollbacks()[0].id).items()}

    world.pass_time(10 * MINUTE)

    assert {"still paused by alice" in one for one in text(world, "pause-expired")} == {True}
    assert world.ports.world.applied_shifts == shifts
    [one] = world.rollbacks()
    assert (one.status, one.in_flight) == (Status.RUNNING, 0)
    assert {name: step.status for name, step in world.steps(one.id).items()} == steps


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


@pytest.mark.parametrize("latency", [0, 60])
def test_while_all_is_on_its_way_nobody_asks_the_switches(
    latency: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing could be stopped: a pause then is found before the next effect, as any other."""
    world = World()
    world.ports.world.operation_latency = timedelta(seconds=latency)
    asked: list[float] = []
    honest = world.ports.store.get

    def get(path: str) -> Document:
        if path == GLOBAL:
            asked.append(world.ports.clock.monotonic())
        return honest(path)

    monkeypatch.setattr(world.ports.store, "get", get)
    world.deploy_bad(["payOrder"])
    world.command(command="rollback", system="bookshop", functions=["payOrder"])
    world.settle()

    assert len(world.ports.world.applied_shifts) == 1
    assert 0 < len(asked) <= 12


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


def test_an_override_leaves_what_its_review_needs() -> None:
    """Who, by what right, for which incident, what was skipped: kept, and in the trail."""
    world = escalated()
    trouble = world.incidents()[-1].id
    order = {"system": "bookshop", "override": True, "incident": trouble, "id": "glass"}
    say(world, "rollback", **order, actor="alice", reason="all is down")
    world.pass_time(HOUR)

    forced = world.rollbacks()[-1]
    [one] = forced.overrides
    assert (one.actor, one.reason, one.command) == ("alice", "all is down", "glass")
    assert one.incident == trouble
    assert one.right.startswith("admin, signed in ")
    assert one.right.endswith("with a second factor")
    assert [gate["gate"] for gate in one.skipped] == ["freeze"]
    events = {event.name: event.facts for entry in world.trail(forced) for event in entry.events}
    assert events["rollback.ordered"]["right"] == one.right
    assert events["rollback.decided"]["overridden"] == list(one.skipped)


def test_an_order_without_override_leaves_no_review() -> None:
    """The list is of break-glass alone."""
    world = World()
    world.deploy_bad()

    say(world, "rollback", system="bookshop")
    world.pass_time(HOUR)

    assert world.rollbacks()[-1].overrides == ()


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


def changed(world: World, verb: str) -> dict[str, Any]:
    """Before and after, as the newest command of that verb tells them in the trail."""
    found = [
        fields
        for path, fields in world.ports.store.documents.items()
        if "/audit/command:" in path and fields["name"] == f"command.{verb}"
    ]
    changes: dict[str, Any] = max(found, key=lambda one: str(one["at"]))["facts"]["changes"]
    return changes


@pytest.mark.parametrize("where", [{"system": "bookshop"}, {}])
def test_a_switch_tells_what_it_was_before(where: dict[str, str]) -> None:
    """The event of each switch holds both sides, so that nobody has to reckon back."""
    world = World()

    say(world, "pause", actor="alice", reason="we look", **where)
    [before, after] = changed(world, "pause")["pause"]
    assert (before, after["actor"], after["reason"]) == (None, "alice", "we look")
    world.ports.clock.advance(MINUTE)
    say(world, "resume", **where)
    [before, after] = changed(world, "resume")["pause"]
    assert (before["actor"], after) == ("alice", None)
    say(world, "freeze", until=iso(world, HOUR), actor="bob", **where)
    [before, after] = changed(world, "freeze")["freezes"]
    assert (before, "frozen by bob until" in after) == ("", True)
    world.ports.clock.advance(MINUTE)
    say(world, "unfreeze", **where)
    [before, after] = changed(world, "unfreeze")["freezes"]
    assert ("frozen by bob until" in before, after) == (True, "")


def test_a_promotion_is_told_with_what_it_was_before() -> None:
    """Automation's rights change in the trail and on the channels, not behind people's backs."""
    world = World()
    world.ports.clock.advance(MINUTE)

    say(world, "promote", system="bookshop", mode="ask", actor="alice", reason="a bad week")

    assert changed(world, "promote") == {"mode": ["act", "ask"]}
    said = text(world, "promote")[-1]
    assert "automation may ask, before act, by alice: a bad week" in said


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
