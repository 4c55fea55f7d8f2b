import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.core import topics
from shared.core.store import Update
from shared.domain.commands.command import format_gcloud_command
from shared.domain.deployments.inventory.traffic import TrafficTarget
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.incidents.next_actions import available_verbs, closing_verbs
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from tests.support.fakes.pubsub.bus import Published
from tests.support.fakes.runtime.hooks import run_once
from tests.support.faults.fault_injection import shorten_watch
from tests.support.notices.status_page import read_public_state
from tests.support.notices.system_events import read_dead_letters
from tests.support.rollbacks.approvals import (
    HOUR,
    MINUTE,
    build_failed_rollback,
    build_rollback_being_cancelled,
    build_world_awaiting_approval,
    find_notice,
    order_to_expiring_deployment,
    publish_command,
)
from tests.support.runtime.world import World


def test_a_cancelled_rollback_begins_nothing_more_and_lists_what_is_where() -> None:
    """What was in flight settles, nothing is undone, and the incident waits for a person."""
    world = build_rollback_being_cancelled()
    done = len(world.platform.applied_shifts)

    world.pass_time(HOUR)

    rollback = world.newest_rollback
    assert (rollback.status, rollback.outcome) == (RollbackStatus.CANCELLED, "cancelled by alice: a test")
    assert rollback.in_flight == 0
    assert len(world.platform.applied_shifts) == done
    text = find_notice(world, "rollback.cancelled")["text"]
    assert f"{done} of 8 done" in text
    still = world.platform.services()["listBooks"].latest_ready
    assert f"shift listBooks: pending; it serves {still}" in text
    assert world.newest_incident.status is IncidentStatus.ESCALATED
    assert world.find_violated_invariants() == []


def test_what_a_person_cancelled_is_not_begun_again_by_an_alert() -> None:
    """Automation never undoes a person's act, also when it did nothing of its own yet."""
    world = build_world_awaiting_approval()
    bad = world.live
    world.carry_out("promote", mode="act")

    publish_command(world, "cancel", actor="alice")
    world.alert("0.second")
    world.pass_time(HOUR / 2)

    assert world.live == bad
    assert world.newest_incident.status is IncidentStatus.ESCALATED


@pytest.mark.parametrize("make", [build_failed_rollback, build_rollback_being_cancelled])
def test_a_retry_finishes_what_is_not_back_yet(make: Callable[[], World]) -> None:
    """The same target once more, over what still differs from it."""
    world = make()
    world.pass_time(HOUR)
    first = world.newest_rollback
    assert first.plan is not None

    assert publish_command(world, "retry", actor="alice") == ""
    world.pass_time(HOUR)

    again = world.newest_rollback
    assert again.id == f"{first.id}-r2"
    assert again.status is RollbackStatus.SUCCEEDED
    assert again.order is not None
    assert (again.order.actor, again.order.target) == ("alice", first.plan.target)
    assert {one.status for one in world.incidents()} == {IncidentStatus.RESOLVED}


def test_a_retry_of_a_wider_scenario() -> None:
    """It is the same scenario that is ordered again; functions alone are no stand-in."""
    world = World()
    good = world.live
    world.deploy_bad()
    world.alert("0.x", signal="frontend_unavailable")
    world.pass_time(HOUR)
    first = world.newest_rollback
    assert (first.status, first.outcome) == (RollbackStatus.NOT_TAKEN, "the request for approval expired")

    assert publish_command(world, "retry") == ""
    world.pass_time(HOUR)

    again = world.newest_rollback
    assert again.order is not None
    assert again.order.scenario is ScenarioName.COMPLETE
    assert (again.status, world.live) == (RollbackStatus.SUCCEEDED, good)


def test_an_order_is_retried_with_its_limits_and_without_its_confirmation() -> None:
    """What was asked for stays what was asked for; who retries answers for it."""
    world = World()
    world.deploy_bad()
    order_to_expiring_deployment(world, groups=["catalogue"], batch_size=2, auto_confirm=True)
    world.pass_time(2 * MINUTE)
    assert world.newest_rollback.status is RollbackStatus.NOT_TAKEN
    world.announce("v999")

    publish_command(world, "retry", actor="bob", reason="it is there now")

    order = world.newest_rollback.order
    assert order is not None
    assert (order.target, order.groups, order.batch_size) == ("v999", ("catalogue",), 2)
    assert (order.actor, order.reason, order.auto_confirm) == ("bob", "it is there now", False)


@pytest.mark.parametrize(
    ("make", "status", "word"),
    [
        (build_failed_rollback, IncidentStatus.RESOLVED, "resolved"),
        (build_rollback_being_cancelled, IncidentStatus.RECOVERY_NOT_OBSERVED, "recovery not observed"),
    ],
)
def test_an_accepted_incident_is_over(make: Callable[[], World], status: IncidentStatus, word: str) -> None:
    """A person ends it as it is: resolved only where its recovery was observed."""
    world = make()
    world.pass_time(HOUR)
    live = world.live

    assert publish_command(world, "accept", actor="alice", reason="good enough") == ""
    world.pass_time(HOUR)

    incident = world.incident
    assert incident.status is status
    assert incident.timeline[-1].note == "accepted by alice: good enough"
    assert read_public_state(world).word == word
    assert world.live == live
    assert "accepted by alice" in find_notice(world, "accepted-1")["text"]
    assert world.find_violated_invariants() == []


def test_an_incident_is_accepted_whose_rollback_is_kept_no_more() -> None:
    """Nobody has said a word for as long as it was kept: accept is what is left, and it ends."""
    world = build_failed_rollback()
    world.store.remove(f"rollbacks/{world.newest_rollback.id}")

    assert publish_command(world, "retry").endswith("its rollback is deleted; possible commands: accept")
    assert "is deleted: request a new rollback" in publish_command(world, "undo")
    assert publish_command(world, "accept", actor="alice", reason="it is old") == ""
    world.settle()

    incident = world.incident
    assert incident.status is IncidentStatus.RESOLVED
    assert incident.timeline[-1].note == "accepted by alice: it is old"
    assert read_public_state(world).word == "resolved"
    assert publish_command(world, "accept").endswith("possible commands: none: the incident has ended")


def test_a_cancel_speaks_of_steps_in_flight_only_where_some_are() -> None:
    """A monitored rollback has none: nothing settles any more."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(8 * MINUTE)
    rollback = world.newest_rollback
    assert rollback.status is RollbackStatus.WATCHING

    assert publish_command(world, "cancel", id="mine") == ""

    fields = world.store.get("commands/mine").fields
    assert fields is not None
    assert fields["result"] == f"{rollback.id} stops now: no step is in flight"


def test_a_failure_offers_retry_undo_and_accept() -> None:
    """Exactly these, with their command lines."""
    world = build_failed_rollback()

    text = find_notice(world, "rollback.failed")["text"]

    assert "a person may now retry, undo or accept" in text
    lines = [line for line in text.splitlines() if line.startswith("gcloud")]
    verbs = ["retry", "undo", "accept"]
    assert [next(verb for verb in verbs if f'"{verb}"' in one) for one in lines] == verbs


@pytest.mark.parametrize(
    ("status", "offered"),
    [
        (RollbackStatus.FAILED, ("retry", "undo", "accept")),
        (RollbackStatus.CANCELLED, ("retry", "accept")),
        (RollbackStatus.NOT_TAKEN, ("retry", "accept")),
        (RollbackStatus.SUCCEEDED, ("undo", "accept")),
    ],
)
def test_what_has_moved_nothing_is_undone_where_it_failed(
    status: RollbackStatus, offered: tuple[str, ...]
) -> None:
    """A failure offers its three ends where an earlier rollback has moved something."""
    ended = replace(build_failed_rollback().newest_rollback, status=status, started_at=None)

    assert closing_verbs(ended, is_undoable=True) == offered
    without_undo = tuple(verb for verb in offered if verb != "undo")
    assert closing_verbs(ended, is_undoable=False) == without_undo


def test_a_failure_that_moved_nothing_offers_no_undo() -> None:
    """Each function was led elsewhere by somebody before its step: an undo would be refused."""
    world = World(policy=shorten_watch())
    world.deploy_bad(["getBook"])

    def move() -> None:
        world.platform.change_by_hand("getBook", (TrafficTarget("getbook-00002", 100, "theirs"),))

    world.platform.hook = run_once("platform.shift", "before", move)
    world.alert()
    world.pass_time(5 * MINUTE)

    failed = world.newest_rollback
    assert (failed.status, world.live["getBook"]) == (RollbackStatus.FAILED, {"getbook-00002": 100})
    assert "a person may now retry or accept" in find_notice(world, "rollback.failed")["text"]
    assert available_verbs(world.newest_incident, failed) == ("retry", "accept", "ack")
    world.carry_out("undo", incident=failed.incident)
    assert len(world.rollbacks()) == 1


def resolved() -> World:
    world = build_failed_rollback()
    publish_command(world, "accept")
    return world


@pytest.mark.parametrize(
    ("make", "verb", "content", "why"),
    [
        (build_failed_rollback, "approve", {}, "“Failed”; possible commands: retry, undo, accept"),
        (build_failed_rollback, "cancel", {}, "possible commands: retry, undo, accept"),
        (
            build_world_awaiting_approval,
            "retry",
            {},
            "for approval”; possible commands: approve, reject, cancel, ack",
        ),
        (build_world_awaiting_approval, "accept", {}, "possible commands: approve, reject, cancel, ack"),
        (build_world_awaiting_approval, "approve", {"plan": "0" * 64}, "of another plan"),
        (build_world_awaiting_approval, "approve", {"plan": "short"}, "is not a fingerprint"),
        (
            build_world_awaiting_approval,
            "approve",
            {"rollback": "INC-20260302-001-r2"},
            "INC-20260302-001 is",
        ),
        (
            build_world_awaiting_approval,
            "approve",
            {"incident": "INC-20260302-002"},
            "did you mean INC-20260302-001",
        ),
        (build_world_awaiting_approval, "ack", {"incident": "yesterday"}, "is not an incident such as"),
        (resolved, "retry", {}, "none: the incident has ended"),
        (resolved, "ack", {}, "none: the incident has ended"),
    ],
)
def test_a_wrong_answer_is_told_what_would_be_possible(
    make: Callable[[], World], verb: str, content: dict[str, Any], why: str
) -> None:
    """Nothing of it is done."""
    world = make()
    before = world.rollbacks()

    refused = publish_command(world, verb, **content)

    assert why in refused
    assert world.rollbacks() == before


def test_a_cancel_that_was_said_before_the_retry_does_not_stop_it() -> None:
    """It was about the rollback of then."""
    world = build_rollback_being_cancelled()
    world.pass_time(MINUTE)
    said_at = world.now
    late = set_aside(world, "cancel", incident=world.newest_incident.id)
    world.advance_clock(MINUTE)
    publish_command(world, "retry")

    world.deliver(late, published_at=said_at)

    assert world.newest_rollback.cancel_requested == ""
    assert "started after the command was sent" in read_dead_letters(world)[-1]["reason"]


def set_aside(world: World, verb: str, **content: Any) -> Published:
    """A command on its way, which its responder has not seen yet."""
    world.send_command(verb, **content)
    return world.take_newest()


def test_a_retry_that_was_said_before_the_last_rollback_begins_none() -> None:
    """Said twice, and delivered late: one further rollback was wanted, not two."""
    world = build_failed_rollback()
    said_at = world.now
    late = set_aside(world, "retry", incident=world.newest_incident.id)
    world.advance_clock(MINUTE)
    world.command(command="pause")
    publish_command(world, "retry")
    publish_command(world, "cancel")
    assert world.newest_rollback.status is RollbackStatus.CANCELLED
    before = len(world.rollbacks())

    world.deliver(late, published_at=said_at)

    assert len(world.rollbacks()) == before
    assert "started after the command was sent" in read_dead_letters(world)[-1]["reason"]


def test_the_prepared_command_asks_for_no_more_than_was_ordered() -> None:
    """An order that could not be carried out is not repeated over everything."""
    world = World()
    world.deploy_bad()

    order_to_expiring_deployment(world, groups=["catalogue"], batch_size=2)
    world.settle()

    prepared = find_notice(world, "rollback.escalated")["facts"]["prepared_command"]
    assert '"target":"v999","groups":["catalogue"],"batch_size":2' in prepared


def test_a_prepared_command_is_one_word_to_a_shell() -> None:
    """Whatever somebody called a target: who pastes the line runs nothing else."""
    target = "v1'; touch /etc/passwd; echo '"

    prepared = format_gcloud_command(topics.COMMANDS, {"command": "rollback", "target": target})

    [signed] = re.findall(r"^gcloud [^']*'([^']*)'[^']*$", prepared)
    assert json.loads(signed)["target"] == target


def test_a_cancel_is_heard_while_nothing_is_committed() -> None:
    """A worker that waits for its next write looks at its own rollback before it sends."""
    world = World()
    world.deploy_bad()
    shifts: list[float] = []

    def cancel_before_the_second(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "after"):
            shifts.append(world.ports.clock.monotonic())
        if (verb, side) == ("platform.dry_run", "before") and len(shifts) == 1:
            shifts.append(0.0)
            world.send_command("cancel", actor="alice", incident=world.newest_incident.id)
            world.deliver_newest()
            world.advance_clock(timedelta(seconds=3))

    world.platform.hook = cancel_before_the_second
    world.alert()
    world.pass_time(HOUR)

    assert world.newest_rollback.status is RollbackStatus.CANCELLED
    assert len(world.platform.applied_shifts) == 1
    assert world.find_violated_invariants() == []


def build_marked_world() -> World:
    """A bad release that automation has rolled back, and a person's verdict on that."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(HOUR)
    assert publish_command(world, "mark", verdict="wrong", actor="ada", reason="a burst of bots") == ""
    return world


def build_false_alarm(verdict: str) -> World:
    """An alert about nothing, which a person marks, and which is over."""
    world = World()
    world.alert("0.false")
    world.pass_time(10 * MINUTE)
    world.alert("0.false", state="closed")
    world.pass_time(HOUR)
    assert publish_command(world, "mark", verdict=verdict, reason="a burst of bots") == ""
    world.pass_time(HOUR)
    return world


def release_badly(world: World) -> Rollback:
    """What automation decides about a bad release."""
    world.deploy_bad()
    world.alert()
    world.pass_time(5 * MINUTE)
    return world.newest_rollback


def read_mark_result(world: World) -> str:
    """The answer to the newest command `mark`."""
    records = [fields for path, fields in world.documents.items() if path.startswith("commands/")]
    return str([fields for fields in records if fields["command"] == "mark"][-1]["result"])


def test_after_a_mark_as_wrong_automation_asks_about_the_signal() -> None:
    """The next alert of the signal waits for approval, and the gate names the marked incident."""
    world = build_false_alarm("wrong")
    first = world.incident

    asked = release_badly(world)

    assert asked.incident != first.id
    assert asked.status is RollbackStatus.PARKED
    [mode] = [gate for gate in asked.gates if gate["gate"] == "mode"]
    assert mode["reason"].endswith(f"asks because {first.id} was marked wrong")


@pytest.mark.parametrize("lifting", ["promotion", "verdict"])
def test_a_promotion_or_the_opposite_verdict_lifts_a_mark_as_wrong(lifting: str) -> None:
    """Automation acts again."""
    world = build_false_alarm("wrong")
    if lifting == "promotion":
        world.carry_out("promote", mode="act")
    else:
        assert publish_command(world, "mark", verdict="right", reason="it was real") == ""

    assert release_badly(world).started_at is not None


def test_a_mark_as_right_changes_nothing_for_automation() -> None:
    """It is a word for the statistics alone."""
    world = build_false_alarm("right")

    assert release_badly(world).started_at is not None


def test_a_mark_is_on_record() -> None:
    """With the person and the reason, on the incident and in the audit log."""
    world = build_marked_world()

    assert str(world.incident.mark) == "marked wrong by ada: a burst of bots"
    [event] = [
        fields
        for path, fields in world.documents.items()
        if path.startswith("systems/bookshop/audit/") and fields["name"] == "command.mark"
    ]
    assert event["facts"]["changes"] == {"mark": [None, "wrong"]}


def test_the_same_verdict_twice_is_refused() -> None:
    """A second person reads who was first."""
    world = build_marked_world()

    refusal = publish_command(world, "mark", verdict="wrong", actor="bob", reason="me too")

    assert refusal == f"{world.incident.id} is already marked wrong by ada: a burst of bots"


def test_a_verdict_of_right_lifts_the_limit_of_its_own_incident_alone() -> None:
    """Another incident with the same signal stays marked as wrong."""
    world = build_marked_world()
    limits = world.ports.store.documents["systems/bookshop"]["wrong_signals"]
    [marked] = world.incidents()
    world.ports.store.commit(
        [Update("systems/bookshop", {"wrong_signals": {**limits, "INC-OTHER": limits[marked.id]}})]
    )

    assert publish_command(world, "mark", verdict="right", reason="it was a bad release") == ""

    left = world.ports.store.documents["systems/bookshop"]["wrong_signals"]
    assert [*left] == ["INC-OTHER"]


def test_a_mark_of_an_order_limits_no_signal() -> None:
    """Automation decided nothing about what a person ordered."""
    world = World()
    world.deploy_bad()
    world.carry_out("rollback")

    assert publish_command(world, "mark", verdict="wrong", reason="it was the network") == ""

    assert read_mark_result(world) == f"{world.incident.id} is marked wrong"
    assert world.documents["systems/bookshop"]["wrong_signals"] == {}


def test_a_mark_as_wrong_says_what_would_have_held() -> None:
    """The way back, and a threshold above the highest ratio that the decisions have read."""
    world = build_marked_world()

    result = read_mark_result(world)

    assert f"`rollback undo {world.incident.id}` restores what was live" in result
    assert "this alert crossed 20 %; it reached 80 %: a threshold of 81 % would have held" in result


def test_where_nothing_was_rolled_back_no_undo_is_offered() -> None:
    """An undo would have nothing to restore."""
    world = build_world_awaiting_approval()

    assert publish_command(world, "mark", verdict="wrong", reason="noise") == ""

    assert "rollback undo" not in read_mark_result(world)
