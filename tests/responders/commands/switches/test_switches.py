from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.core.codec import decode
from shared.core.errors import Unavailable
from shared.domain.policy.channels import Audience, Channel, ChannelKind
from shared.domain.policy.scenario_names import Mode
from shared.domain.policy.severity import Severity
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.system_record import GLOBAL_CONTROLS_PATH, Pause, PauseState, pause_state
from tests.support.notices.system_events import read_dead_letters
from tests.support.runtime.switches import (
    HOUR,
    MINUTE,
    SYSTEM,
    iso_time_after,
    notice_lines,
    publish_after_second_shift,
    publish_command,
)
from tests.support.runtime.world import BOOKSHOP, World


@pytest.mark.parametrize("where", [{"system": "bookshop"}, {}])
def test_a_pause_is_requested_until_nothing_is_in_flight(where: dict[str, str]) -> None:
    """The count is shown; once nothing is, PAUSED is told, on record and once, with that count."""
    world = World()
    world.deploy_bad()
    in_flight = publish_after_second_shift(world, "pause", **where)
    world.alert()

    world.pass_time(timedelta(seconds=20))  # no sweep of the clock helps
    world.settle()

    record = world.documents["commands/in-the-middle"]
    kept = world.documents[SYSTEM if where else GLOBAL_CONTROLS_PATH]["pause"]
    assert decode(Pause, kept).reached_at is not None
    assert in_flight[0] > 0
    reached = f"paused: no step is in flight ({in_flight[0]} when it was requested)"
    assert (record["result"], record["due_at"]) == (reached, None)
    assert [f"pause requested, {in_flight[0]} step" in one for one in notice_lines(world, "pause:")]
    world.pass_time(5 * MINUTE)
    assert [reached in one for one in notice_lines(world, "paused:")] == [True]
    chain = f"systems/{where.get('system', 'all')}/audit/paused:in-the-middle"
    told = world.documents[chain]
    assert told["facts"]["changes"] == {"status": ["PAUSE_REQUESTED", "PAUSED"]}
    rollback = world.rollback
    assert (rollback.status, rollback.in_flight) == (RollbackStatus.RUNNING, 0)
    assert "no step is in flight" in notice_lines(world, "rollback.held")[0]


def test_a_pause_that_was_lifted_before_it_was_reached_is_not_told_as_reached() -> None:
    """What is not in force any more is over, silently."""
    world = World()
    world.deploy_bad()
    publish_after_second_shift(world, "pause")
    world.alert()
    world.deliver_newest()
    work = world.waiting()
    world.ports.bus.messages.clear()
    world.deliver(work[0])
    world.ports.bus.messages.clear()
    record = world.documents["commands/in-the-middle"]
    assert record["due_at"] is not None

    publish_command(world, "resume")
    world.pass_time(HOUR)

    assert record is not world.documents["commands/in-the-middle"]
    assert world.documents["commands/in-the-middle"]["due_at"] is None
    assert notice_lines(world, "paused:") == []
    assert world.find_violated_invariants() == []


def test_a_pause_that_is_lifted_during_the_look_is_not_told_as_reached() -> None:
    """What the look has found and what is in force are one commit, or none."""
    world = World()
    world.deploy_bad()
    publish_after_second_shift(world, "pause")
    world.alert()
    while world.rollbacks() == [] or world.rollback.held_since is None:
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

    world.store.hook = lift
    world.deliver(look)
    world.pass_time(HOUR)

    assert lifted
    assert notice_lines(world, "paused:") == []
    assert world.documents[GLOBAL_CONTROLS_PATH]["pause"] is None
    assert world.find_violated_invariants() == []


def test_a_pause_whose_look_dies_is_told_by_the_next_one() -> None:
    """It is due until it is told: the clock hands it on."""
    world = World()
    world.deploy_bad()
    publish_after_second_shift(world, "pause")
    world.alert()
    seen: list[bool] = []

    def die(verb: str, side: str) -> None:
        if (verb, side) == ("bus.publish", "before") and "commands/in-the-middle" in (world.documents):
            seen.append(True)
            if len(seen) < 6:
                raise Unavailable("no answer")

    world.ports.bus.hook = die
    world.pass_time(5 * MINUTE)

    assert [one.startswith("all systems: paused") for one in notice_lines(world, "paused:")] == [True]


PEOPLE = (
    Channel("all", ChannelKind.WEBHOOK, "https://all.example", severities=tuple(Severity)),
    Channel("night", ChannelKind.WEBHOOK, "https://night.example", severities=(Severity.CRITICAL,)),
    Channel("board", ChannelKind.WEBHOOK, "https://board.example", audience=Audience.STAKEHOLDERS),
)


def test_a_rollback_continues_once_nothing_holds_it() -> None:
    """Lifting one of two pauses notifies nobody of that; lifting the last one notifies once."""
    world = World(policy=replace(BOOKSHOP, channels=PEOPLE))
    world.deploy_bad()
    publish_after_second_shift(world, "pause")
    world.alert()
    world.pass_time(2 * MINUTE)
    publish_command(world, "pause", system="bookshop")
    held_since = world.rollback.held_since

    publish_command(world, "resume")
    world.pass_time(2 * MINUTE)
    assert sent_keys(world, "rollback.goes-on") == []
    assert world.rollback.held_since == held_since

    publish_command(world, "resume", system="bookshop")
    world.pass_time(2 * MINUTE)
    assert [one.rpartition(":")[2] for one in sent_keys(world, "rollback.goes-on")] == ["night", "board"]
    assert len([one for one in sent_keys(world, "resume") if one.endswith(":all")]) == 2


def sent_keys(world: World, event: str) -> list[str]:
    return [one.key for one in world.sent_notices if f":{event}" in one.key]


@pytest.mark.parametrize("lifted", ["resume", "resume and work"])
def test_the_time_of_an_earlier_pause_is_not_counted_with_a_later_one(lifted: str) -> None:
    """A rollback is given up for one long hold, not for the sum of several."""
    world = World()
    world.deploy_bad()
    publish_after_second_shift(world, "pause")
    world.alert()
    world.pass_time(20 * MINUTE)

    world.command(command="resume")
    resumed = world.waiting()[-1]
    world.ports.bus.messages.clear()
    world.deliver(resumed)
    if lifted == "resume":
        world.ports.bus.messages.clear()  # no worker comes to it in between
    world.advance_clock(timedelta(seconds=1))
    world.command(command="pause")
    world.deliver(world.waiting()[-1])
    world.pass_time(20 * MINUTE)

    assert world.rollback.status is RollbackStatus.RUNNING
    world.pass_time(15 * MINUTE)
    assert world.rollbacks()[0].status is RollbackStatus.FAILED


def test_what_status_shows_of_a_pause_is_what_was_told() -> None:
    """PAUSED is what a look has found and told, not what a reader reckons in between."""
    at = World().ports.clock.now()
    requested = Pause("ada", at, "we look")

    assert pause_state(None) is PauseState.NO
    assert pause_state(requested) is PauseState.REQUESTED
    assert pause_state(replace(requested, reached_at=at)) is PauseState.YES


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
            world.deliver_newest()
            world.advance_clock(timedelta(seconds=3))

    world.platform.hook = interrupt
    world.alert()

    world.pass_time(MINUTE)

    record = world.documents["commands/while-it-decides"]
    assert said == [RollbackStatus.DECIDING]
    assert notice_lines(world, "pause:")[0].startswith("all systems: pause requested, 0 steps in flight")
    assert (record["result"], record["due_at"]) == (
        "paused: no step is in flight (0 when it was requested)",
        None,
    )
    assert world.platform.applied_shifts == []


def test_a_pause_that_expires_in_the_middle_resumes_nothing_half_done() -> None:
    """People are paged; what was stopped between two effects stays there until they say more."""
    world = World()
    world.deploy_bad()
    publish_after_second_shift(world, "pause", expires="10m", actor="alice", reason="I look")
    world.alert()
    world.pass_time(9 * MINUTE)
    assert {one.endswith("paused by alice: I look") for one in notice_lines(world, "paused")} == {True}
    shifts = list(world.platform.applied_shifts)
    steps = {name: step.status for name, step in world.steps(world.rollback.id).items()}

    world.pass_time(10 * MINUTE)

    assert {"still paused by alice" in one for one in notice_lines(world, "pause-expired")} == {True}
    assert world.platform.applied_shifts == shifts
    rollback = world.rollback
    assert (rollback.status, rollback.in_flight) == (RollbackStatus.RUNNING, 0)
    assert {name: step.status for name, step in world.steps(rollback.id).items()} == steps


def test_a_pause_with_nothing_in_flight_holds_at_once() -> None:
    """Nothing has to settle."""
    world = World()

    publish_command(world, "pause", id="now")

    assert world.documents["commands/now"]["result"] == "paused, 0 steps in flight"


@pytest.mark.parametrize("expires", ["2h", None])
def test_a_pause_that_was_to_be_over_is_paged_and_lifts_nothing(expires: str | None) -> None:
    """A person resumes; the clock only reminds them."""
    world = World()
    publish_command(world, "pause", expires=expires or iso_time_after(world, 2 * HOUR), actor="alice")

    world.pass_time(2 * HOUR - MINUTE)
    assert notice_lines(world, "pause-expired") == []
    world.pass_time(2 * MINUTE)

    assert "still paused by alice" in notice_lines(world, "pause-expired")[0]
    assert world.documents[GLOBAL_CONTROLS_PATH]["pause"]["actor"] == "alice"


@pytest.mark.parametrize("then", [["resume"], ["resume", "pause"], ["pause"]])
def test_a_pause_that_is_not_in_force_any_more_reminds_nobody(then: list[str]) -> None:
    """What was lifted, or said anew, is not expired."""
    world = World()
    publish_command(world, "pause", expires="2h")
    for verb in then:
        world.advance_clock(MINUTE)
        publish_command(world, verb)

    world.pass_time(3 * HOUR)

    assert notice_lines(world, "pause-expired") == []
    reminders = [fields["status"] for path, fields in world.documents.items() if "pause-expired" in path]
    assert set(reminders) == {"WITHDRAWN"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"command": "freeze"}, "until"),
        ({"command": "freeze", "until": "tomorrow"}, "is not a time such as"),
        ({"command": "freeze", "until": "2026-01-01T00:00:00Z"}, "is in the past"),
        (
            {"command": "freeze", "from": "2027-03-01T00:00:00Z", "until": "2027-02-01T00:00:00Z"},
            "before the start of the window",
        ),
        ({"command": "freeze", "until": "2026-03-02T12:00:00"}, "is not a time such as"),
        ({"command": "pause", "expires": "soon"}, "or a span such as 2h"),
        ({"command": "pause", "expires": "2026-01-01T00:00:00Z"}, "is in the past"),
        ({"command": "pauze"}, "did you mean pause"),
        ({"command": "pause", "untill": "x"}, "untill"),
        ({"command": "rollback", "system": "bookshop", "override": True}, "incident"),
        ({"command": "rollback", "system": "bookshop", "groups": ["catalog"]}, "mean catalogue"),
        ({"command": "rollback", "system": "bookshop", "functions": ["listbook"]}, "mean listBooks"),
        ({"command": "pause", "system": "bookshoop"}, "did you mean bookshop"),
    ],
)
def test_a_wrong_switch_is_refused_with_what_would_be_right(content: dict[str, Any], why: str) -> None:
    """Each fault says how it should be."""
    world = World()

    world.command(**content)
    world.settle()

    assert why in read_dead_letters(world)[-1]["reason"]
    assert GLOBAL_CONTROLS_PATH not in world.documents


def changed(world: World, verb: str) -> dict[str, Any]:
    """Before and after, as the newest command of that verb tells them in the trail."""
    found = [
        fields
        for path, fields in world.documents.items()
        if "/audit/command:" in path and fields["name"] == f"command.{verb}"
    ]
    changes: dict[str, Any] = max(found, key=lambda one: str(one["at"]))["facts"]["changes"]
    return changes


@pytest.mark.parametrize("where", [{"system": "bookshop"}, {}])
def test_a_switch_tells_what_it_was_before(where: dict[str, str]) -> None:
    """The event of each switch holds both sides, so that nobody has to reckon back."""
    world = World()

    publish_command(world, "pause", actor="alice", reason="we look", **where)
    [before, after] = changed(world, "pause")["pause"]
    assert (before, after["actor"], after["reason"]) == (None, "alice", "we look")
    world.advance_clock(MINUTE)
    publish_command(world, "resume", **where)
    [before, after] = changed(world, "resume")["pause"]
    assert (before["actor"], after) == ("alice", None)
    publish_command(world, "freeze", until=iso_time_after(world, HOUR), actor="bob", **where)
    [before, after] = changed(world, "freeze")["freezes"]
    assert (before, "frozen by bob until" in after) == ("", True)
    world.advance_clock(MINUTE)
    publish_command(world, "unfreeze", **where)
    [before, after] = changed(world, "unfreeze")["freezes"]
    assert ("frozen by bob until" in before, after) == (True, "")


def test_a_promotion_is_told_with_what_it_was_before() -> None:
    """Automation's rights change in the trail and on the channels, not behind people's backs."""
    world = World()
    world.advance_clock(MINUTE)

    publish_command(world, "promote", system="bookshop", mode="ask", actor="alice", reason="a bad week")

    assert changed(world, "promote") == {"mode": ["act", "ask"]}
    line = notice_lines(world, "promote")[-1]
    assert "automation mode ask, before: act, by alice: a bad week" in line


def late(world: World, verb: str, after: timedelta, **content: Any) -> str:
    """Say it, and deliver it so much later; why it was refused, or ""."""
    before = len(read_dead_letters(world))
    said_at = world.now
    world.command(command=verb, **content)
    message = world.take_newest()
    world.advance_clock(after)
    world.deliver(message, published_at=said_at)
    return str(next((one["reason"] for one in read_dead_letters(world)[before:]), ""))


def test_a_pause_that_comes_after_its_own_reminder_is_still_a_pause() -> None:
    """Its expiry lifts nothing, so a late one stops everything too, and reminds at once."""
    world = World()

    assert late(world, "pause", 20 * MINUTE, expires="5m") == ""
    world.pass_time(MINUTE)

    assert world.documents[GLOBAL_CONTROLS_PATH]["pause"]["actor"] == "somebody"
    assert "still paused by somebody" in notice_lines(world, "pause-expired")[0]


def test_the_newest_promotion_stands_in_whichever_order_they_arrive() -> None:
    """A person who takes automation's rights back is not overruled by what they said before."""
    world = World()
    said_at = world.now
    world.send_command("promote", mode="act")
    earlier = world.take_newest()
    world.advance_clock(MINUTE)
    publish_command(world, "promote", system="bookshop", mode="observe")

    world.deliver(earlier, published_at=said_at)

    assert world.documents[SYSTEM]["mode"] == Mode.OBSERVE


@pytest.mark.parametrize(("mode", "refused"), [("act", True), ("ask", True), ("observe", False)])
def test_a_late_promotion_stops_automation_and_frees_it_no_more(mode: str, refused: bool) -> None:
    """What stops something is done however late it comes."""
    world = World()

    said = late(world, "promote", 20 * MINUTE, system="bookshop", mode=mode)

    assert ("too late" in said) is refused
