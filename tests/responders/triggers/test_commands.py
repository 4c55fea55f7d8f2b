import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest

from responders.commands.registry import COMMANDS
from shared.core import topics
from shared.core.errors import Refused
from shared.domain.commands.command import SCHEMA_FILE, parse_command
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.decision.outages import set_failure_rate
from tests.support.notices.system_events import read_dead_letters
from tests.support.rollbacks.approvals import order_to_expiring_deployment
from tests.support.runtime.world import BOOKSHOP, World

HOUR = timedelta(hours=1)


def order(world: World, **content: Any) -> None:
    world.send_command("rollback", **content)


def test_a_forced_rollback_needs_no_alert_and_no_promotion() -> None:
    """A person answers for the cause; everything goes back to the last stable deployment."""
    world = World(promoted=False)
    stable = world.live
    world.deploy_bad()

    order(world)
    world.pass_time(HOUR)

    assert world.live == stable
    rollback = world.rollback
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert rollback.order is not None
    assert rollback.order.reason == "a test"
    assert world.find_violated_invariants() == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"groups": ["catalogue"]}, {"listBooks", "getBook", "searchBooks"}),
        (
            {"groups": ["shop"], "functions": ["payOrder"]},
            {*("renderShop", "renderBasket", "listBooks", "getBook", "searchBooks", "payOrder")},
        ),
        ({"functions": ["payOrder", "orderStatus"]}, {"payOrder", "orderStatus"}),
    ],
)
def test_a_forced_rollback_of_a_part_touches_only_that(content: dict[str, Any], expected: set[str]) -> None:
    """Groups, their aliases, and functions by name."""
    world = World()
    stable = world.live
    world.deploy_bad()
    bad = world.live

    order(world, **content)
    world.pass_time(HOUR)

    back = {name for name, served in world.live.items() if served == stable[name] != bad[name]}
    assert back == expected


def test_a_forced_rollback_to_a_named_deployment_goes_there() -> None:
    """Older than the last stable one, because a person says so."""
    world = World()
    oldest = world.live
    world.platform.deploy()
    world.announce("v2", stable=True)
    world.settle()
    world.deploy_bad()

    order(world, target="v1")
    world.pass_time(HOUR)

    assert world.live == oldest


def test_a_deployment_that_is_gone_by_then_is_escalated_and_nothing_moves() -> None:
    """A target that is recorded no more cannot be gone back to."""
    world = World()
    world.deploy_bad()
    bad = world.live

    order_to_expiring_deployment(world)
    world.pass_time(HOUR)

    assert world.live == bad
    rollback = world.rollback
    assert rollback.status is RollbackStatus.NOT_TAKEN
    assert "target" in rollback.outcome


def test_nothing_to_do_is_said_and_nothing_is_done() -> None:
    """Everything is at its target: that is an answer, not a rollback."""
    world = World()

    order(world)
    world.pass_time(timedelta(minutes=2))

    rollback = world.rollback
    assert (rollback.status, rollback.outcome) == (
        RollbackStatus.NOT_TAKEN,
        "everything asked for is at its target already",
    )
    assert world.incident.status is IncidentStatus.INVESTIGATING
    world.pass_time(timedelta(minutes=4))
    assert world.incidents()[0].status is IncidentStatus.RESOLVED


def test_a_command_is_carried_out_once_by_its_id() -> None:
    """The same id in another message changes nothing."""
    world = World()
    world.deploy_bad()

    order(world, id="mine-1")
    world.settle()
    order(world, id="mine-1")
    world.pass_time(HOUR)

    assert len(world.rollbacks()) == 1
    assert world.find_violated_invariants() == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"command": "pause"}, {"command": "freeze", "until": "2026-03-03T12:00:00Z"}),
        ({"command": "pause"}, {"command": "pause", "reason": "another reason"}),
        ({"command": "pause"}, {"command": "pause", "system": "bookshop"}),
        (
            {"command": "ack", "system": "bookshop", "incident": "INC-20260302-001"},
            {"command": "ack", "system": "bookshop", "incident": "INC-20260302-002"},
        ),
        (
            {"command": "freeze", "until": "2026-03-03T12:00:00Z"},
            {"command": "freeze", "until": "2026-03-04T12:00:00Z"},
        ),
        (
            {"command": "rollback", "system": "bookshop", "functions": ["getBook"]},
            {"command": "rollback", "system": "bookshop", "functions": ["payOrder"]},
        ),
    ],
)
def test_an_id_that_another_command_has_used_is_refused(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    """A command that is not executed is never acknowledged in silence."""
    world = World()
    set_failure_rate(world, 0.9)  # without a change: the alert goes to a person at once
    world.advance_clock(timedelta(minutes=10))
    world.alert()
    world.settle()
    world.command(id="mine-1", **first)
    world.settle()

    world.command(id="mine-1", **second)
    world.settle()

    [letter] = read_dead_letters(world)
    assert letter["reason"] == f"id mine-1 was already used by another command: {first['command']}"


def test_a_copy_of_an_executed_command_is_acknowledged() -> None:
    """Whoever sends it again."""
    world = World()
    world.command(id="mine-1", command="pause", actor="alice")
    world.settle()

    world.command(id="mine-1", command="pause", actor="bob")
    world.settle()

    assert read_dead_letters(world) == []


def test_batches_and_their_pause_are_kept() -> None:
    """Batch size and delay are limits where a person sets them."""
    world = World()
    world.deploy_bad()
    in_flight: list[int] = []

    def count(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "after"):
            live = world.platform.services().values()
            in_flight.append(sum(service.pending is not None for service in live))

    world.platform.hook = count
    order(world, batch_size=2, delay_seconds=30)
    world.pass_time(HOUR)

    rollback = world.rollback
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert max(in_flight) <= 2
    assert rollback.started_at is not None
    assert rollback.shifted_at is not None
    assert rollback.shifted_at - rollback.started_at >= 3 * timedelta(seconds=30)


@pytest.mark.parametrize("system", [{"system": "bookshop"}, {}])
def test_a_pause_stops_before_the_next_effect_and_resume_goes_on(system: dict[str, str]) -> None:
    """The kill switch, of one system or of all, holds from the next effect on."""
    world = World()
    stable = world.live
    world.deploy_bad()
    paused: list[int] = []

    def pause_after_two(verb: str, side: str) -> None:
        shifts = len(world.platform.applied_shifts)
        if (verb, side) == ("platform.shift", "after") and shifts == 2 and not paused:
            paused.append(shifts)
            world.command(command="pause", **system)
            world.deliver_newest()
            world.advance_clock(timedelta(seconds=2))

    world.platform.hook = pause_after_two
    world.alert()
    world.pass_time(timedelta(minutes=10))

    assert paused == [2]
    assert len(world.platform.applied_shifts) == 2
    rollback = world.rollback
    assert rollback.status is RollbackStatus.RUNNING
    assert "rollback.paused" in world.events(rollback)

    world.command(command="resume", **system)
    world.pass_time(HOUR)

    assert world.live == stable
    assert world.rollback.status is RollbackStatus.SUCCEEDED
    assert world.find_violated_invariants() == []


def test_the_incident_before_an_order_ends_once_it_has_recovered() -> None:
    """The order answers what was only observed; both incidents end by what is observed."""
    world = World(promoted=False)
    world.deploy_bad()
    world.alert("0.x", signal="frontend_unavailable")
    world.settle()

    order(world)
    world.ports.alerts.open["0.x"] = False
    world.pass_time(HOUR)

    assert world.newest_rollback.status is RollbackStatus.SUCCEEDED
    assert {one.status for one in world.incidents()} == {IncidentStatus.RESOLVED}


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        ({"command": "rollback"}, ["system"]),
        ({"command": "rollback", "system": "nowhere"}, ["nowhere", "bookshop"]),
        (
            {"command": "rollback", "system": "bookshop", "groups": ["x"], "functions": ["y"]},
            ["group x", "function y"],
        ),
        ({"command": "rollback", "system": "bookshop", "typo": 1, "batch_size": 0}, ["typo", "batch_size"]),
        (
            {
                "command": "drill",
                "system": "bookshop",
                "scenario": "database",
                "select": "invalid",
                "restore_point": "latest",
            },
            ["select: invalid is not drilled: say rollback with dry_run", "restore_point"],
        ),
        ({"command": "erase", "id": "a", "person": "ada"}, ["system", "is not the hash of a person"]),
        (
            {"command": "undo", "system": "nowhere", "id": "..", "reason": ""},
            ["nowhere", "a letter or digit first", "reason", "incident"],
        ),
        (
            {"command": "erase", "system": "bookshop", "functions": ["y"]},
            ["person", "not an option here: functions", "function y"],
        ),
        ({"command": "unpin", "groups": ["x"]}, ["system"]),
        (
            {
                "command": "rollback",
                "system": "bookshop",
                "scenario": "database",
                "restore_point": "latest",
                "select": "everything",
                "groups": ["catalog"],
                "functions": ["listbook", 5],
                "batch_size": 0,
                "typo": 1,
            },
            [
                *("mean catalogue", "mean listBooks", "functions.1", "batch_size", "typo"),
                "is none of invalid, all",
            ],
        ),
        ({"command": "rollback", "system": "bookshop", "scenario": "everything"}, ['"complete"']),
        ({"command": "pause", "id": ".."}, ["a letter or digit first"]),
        ({"command": "explode"}, ["explode"]),
        ({"command": "rollback", "system": "bookshop", "functions": []}, ["functions"]),
        ({"command": "drill", "system": "bookshop", "groups": []}, ["groups"]),
        ({"command": "unpin", "system": "bookshop", "groups": [], "functions": []}, ["groups", "functions"]),
        ({"command": "pause", "reason": " "}, ["reason: no visible character"]),
        ({"command": "root-cause", "reason": "\u200b\n", "cause": "\u3164"}, ["reason: no", "cause: no"]),
        ({"command": "promote", "system": "bookshop", "mode": "wild"}, ["mode"]),
    ],
)
def test_a_wrong_command_is_answered_with_all_its_faults(content: dict[str, Any], faults: list[str]) -> None:
    """Refused whole, audited, kept; nothing of it is done."""
    world = World()
    before = set(world.documents)

    world.command(**content)
    world.settle()

    assert world.waiting() == []  # acknowledged
    [letter] = read_dead_letters(world)
    assert all(fault in letter["reason"] for fault in faults)
    assert world.rollbacks() == []
    after = world.documents
    new = {path: str(after[path]) for path in after.keys() - before}
    [audited] = [text for path, text in new.items() if "/audit/" in path]
    assert all(fault in audited for fault in faults)
    assert {path.split("/")[0] for path in new} == {"systems", "notices"}


def test_a_dry_run_tells_what_would_be_done_and_does_nothing() -> None:
    """No incident, no public word, no effect, and nothing makes way for it."""
    world = World()
    world.deploy_bad()
    before = world.live

    order(world, id="dry", dry_run=True, groups=["catalogue"], actor="alice")
    world.pass_time(timedelta(minutes=2))

    assert world.live == before
    assert world.incidents() == []
    assert not [one for one in world.documents if one.startswith("public/")]
    record = world.documents["commands/dry"]
    assert record["result"] == "rollback: every gate passes; 3 functions back to v1"
    assert [one["function"] for one in record["answer"]["difference"]] == [
        *("getBook", "listBooks", "searchBooks")
    ]
    [told] = [sent for sent in world.sent_notices if ":rehearsed:record" in sent.key]
    assert "Dry run by alice" in told.notice["text"]
    assert "getBook: getbook-00002 → getbook-00001" in told.notice["text"]


@pytest.mark.parametrize(
    ("say", "content", "result"),
    [
        (order_to_expiring_deployment, {}, "escalate: target: no stable deployment is known"),
        (order, {"functions": ["payOrder"]}, "rollback: every gate passes; 1 function back to v1"),
    ],
)
def test_a_dry_run_says_what_stands_against_it(
    say: Callable[..., None], content: dict[str, Any], result: str
) -> None:
    """The answer is the decision's own."""
    world = World()
    world.deploy_bad()

    say(world, id="dry", dry_run=True, **content)
    world.settle()

    assert world.documents["commands/dry"]["result"] == result


@pytest.mark.parametrize(
    "content",
    [
        {"command": "rollback"},
        {"command": "rollback", "dry_run": True},
        {
            "command": "rollback",
            "scenario": "feature",
            "functions": ["payOrder"],
            "severity": "LOW",
            "at": "2036-01-01T00:00:00Z",
        },
        {"command": "drill"},
    ],
)
@pytest.mark.parametrize("target", ["v11", "v1/record/inventory", "\x00", "__v1__"])
def test_what_nobody_has_recorded_is_no_target(content: dict[str, Any], target: str) -> None:
    """Mistyped, it opens no incident, supersedes nothing, and is told with the nearest name."""
    world = World()
    world.deploy_bad()

    world.command(system="bookshop", target=target, **content)
    world.settle()

    assert world.incidents() == []
    [letter] = read_dead_letters(world)
    assert "is not known in bookshop" in letter["reason"]
    assert ("did you mean v1" in letter["reason"]) is (target == "v11")


def test_a_dry_run_that_was_dropped_is_found_by_the_clock() -> None:
    """What is due is handed on again, and told once."""
    world = World()
    order(world, id="dry", dry_run=True)
    world.deliver_newest()
    world.ports.bus.messages.clear()

    world.pass_time(timedelta(minutes=2))

    record = world.documents["commands/dry"]
    assert record["result"] == "ignore: everything asked for is at its target already"
    assert record["due_at"] is None
    assert len([one for one in world.sent_notices if "rehearsed" in one.key]) == 1


@pytest.mark.parametrize("content", [{}, {"typo": 1}, {"system": "nowhere"}])
def test_a_token_leaves_no_trace(content: dict[str, Any]) -> None:
    """Carried out or refused, what proves a person is kept nowhere."""
    world = World()

    world.command(command="pause", **content)
    token = json.loads(world.waiting()[-1].data)["token"]
    world.settle()

    kept = world.ports
    everything = repr((kept.store.documents, kept.bus.messages, kept.sender.sent))
    assert [part for part in token.split(".") if part in everything] == []


def test_commands_are_no_json_at_times() -> None:
    """Garbage on the command topic is refused as garbage."""
    world = World()

    world.publish(topics.COMMANDS, b"\xff\xfe")
    world.settle()

    assert "JSON" in read_dead_letters(world)[0]["reason"]


def test_every_verb_is_carried_out() -> None:
    """What the schema lets through somebody carries out, and nothing else."""
    admitted = json.loads(SCHEMA_FILE.read_text())["properties"]["command"]

    assert {*COMMANDS} == {*admitted["enum"]}


@pytest.mark.parametrize(
    "content", [{"command": "drill", "system": "bookshop", "scenario": "database", "select": "all"}]
)
def test_the_schema_by_itself_says_what_to_say_instead(content: dict[str, Any]) -> None:
    """Whoever checks a command against the file alone learns the same: known, and refused."""
    schema = json.loads(SCHEMA_FILE.read_text())
    validator = jsonschema_rs.Draft202012Validator(schema)

    found = [*validator.iter_errors({"version": 1, "reason": "a test", **content})]

    assert "not drilled: say rollback with dry_run" in str([one.kind.as_dict() for one in found])


@pytest.mark.parametrize("levels", [254, 300, 950, 5000])
@pytest.mark.parametrize("around", ['{"x":', "["])
def test_a_command_that_is_nested_too_deeply_is_refused(levels: int, around: str) -> None:
    """The checker of the schema gives up earlier than the reader of JSON."""
    nested = around * levels + "1" + ("}" if around[0] == "{" else "]") * levels
    said = f'{{"version":1,"command":"rollback","system":"bookshop","reason":"r","groups":{nested}}}'

    with pytest.raises(Refused):
        parse_command(said.encode(), "1", {"bookshop": BOOKSHOP})
