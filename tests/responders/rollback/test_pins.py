from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core.codec import decode
from shared.core.errors import Unavailable
from shared.domain import system_record as systems
from shared.domain.deployments.inventory.traffic import LATEST_REVISION, Service, Traffic, TrafficTarget
from shared.domain.incidents.incident import IncidentStatus, TimelineEvent, public_status_changes
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.presentation.status_page import STATUS_SENTENCES
from shared.domain.rollback.pins import Pin, pin_after_shift, pins_older_than, unpin_line
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.signals.alert import IncidentScope
from shared.domain.system_record import System
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.runtime.hooks import run_once
from tests.support.faults.fault_injection import shorten_watch
from tests.support.notices.response import build_incident
from tests.support.notices.status_page import read_public_state
from tests.support.notices.system_events import read_dead_letters, system_event_names
from tests.support.rollbacks.deployments import later_deployments, publish_audit_hint
from tests.support.rollbacks.pins import (
    FOLLOWING,
    MINUTE,
    build_rolled_back_world,
    build_traffic_target,
    read_pins,
    recorded_notice_texts,
)
from tests.support.runtime.world import BOOKSHOP, World

DAY = timedelta(days=1)
TAGGED = TrafficTarget(LATEST_REVISION, 0, "fh-1")


def shifted(goal: Traffic, origin: Traffic = FOLLOWING, rollback: str = "INC-1") -> Pin:
    return Pin("shop", "order", "services/order", goal, origin, "r-2", "anna", rollback, START)


def pinned(origin: Traffic = FOLLOWING) -> Pin:
    pin = pin_after_shift(shifted((build_traffic_target("r-1"),), origin), None)
    assert pin is not None
    return pin


def refused(world: World, **content: object) -> str:
    """Say a command; why it was refused, or ""."""
    before = len(read_dead_letters(world))
    world.command(**content)  # type: ignore[arg-type]
    world.settle()
    return "; ".join(str(one["reason"]) for one in read_dead_letters(world)[before:])


# Pure: what a shift makes of a pin


def test_a_shift_from_the_newest_to_a_name_pins() -> None:
    """Whoever wanted it is its owner, and what was asked for before is what comes after it."""
    pin = pinned()

    assert (pin.owner, pin.rollback, pin.since, pin.ended_at) == ("anna", "INC-1", START, None)
    assert (pin.revisions, pin.before, pin.newest) == ({"r-1": 100}, FOLLOWING, "r-2")


@pytest.mark.parametrize(
    ("goal", "holds", "before"),
    [
        ((build_traffic_target("r-0"),), True, FOLLOWING),  # a further rollback moves it
        ((build_traffic_target("r-2"),), True, FOLLOWING),  # by its name the newest is held, too
        (FOLLOWING, False, FOLLOWING),
        ((build_traffic_target(LATEST_REVISION), build_traffic_target("r-1", 0, "fh-1")), False, FOLLOWING),
    ],
)
def test_what_a_further_shift_makes_of_a_pin(goal: Traffic, holds: bool, before: Traffic) -> None:
    """It is moved, and goes on to what was before the first; or it ends."""
    after = pin_after_shift(shifted(goal, (build_traffic_target("r-1"),), "INC-2"), pinned())

    assert after is not None
    assert (after.ended_at is None, after.before) == (holds, before)
    assert after.ended_by == ("" if holds else "INC-2")
    assert (after.expires_at is None) == holds


def test_what_was_split_by_name_is_no_pin_of_ours_once_it_is_so_again() -> None:
    """A team that splits by names has its own way; ours ends where theirs begins."""
    split = (build_traffic_target("r-1", 90), build_traffic_target("r-2", 10))
    pin = pinned(split)

    after = pin_after_shift(shifted(split, (build_traffic_target("r-1"),), "INC-2"), pin)

    assert after is not None
    assert after.ended_at == START


def test_a_shift_to_the_newest_of_what_was_never_pinned_leaves_no_pin() -> None:
    """There is nothing to lift."""
    assert pin_after_shift(shifted(FOLLOWING, (build_traffic_target("r-1"),)), None) is None


@pytest.mark.parametrize(
    ("before", "now", "lifted"),
    [
        (FOLLOWING, (build_traffic_target("r-1"),), FOLLOWING),
        (
            FOLLOWING,
            (build_traffic_target("r-1"), build_traffic_target("r-2", 0, "fh-9")),
            (build_traffic_target("r-2", 0, "fh-9"), build_traffic_target(LATEST_REVISION)),
        ),
        (
            (TAGGED, build_traffic_target(LATEST_REVISION)),
            (TAGGED, build_traffic_target("r-1")),
            (TAGGED, build_traffic_target(LATEST_REVISION)),
        ),
        (
            (build_traffic_target("r-1", 90), build_traffic_target(LATEST_REVISION, 10)),
            (build_traffic_target("r-0"),),
            (build_traffic_target("r-1", 90), build_traffic_target(LATEST_REVISION, 10)),
        ),
    ],
)
def test_a_lifted_pin_gives_the_shares_back_and_keeps_every_tag(
    before: Traffic, now: Traffic, lifted: Traffic
) -> None:
    """The requests go where they went before; what Hosting has tagged meanwhile stays tagged."""
    service = Service("services/order", "e", "r-2", "r-2", now, now, False, True)

    assert pinned(before).build_unpinned_traffic(service) == lifted


@pytest.mark.parametrize(
    ("traffic", "holds"),
    [
        ((build_traffic_target("r-1"),), True),
        ((build_traffic_target("r-1"), build_traffic_target("r-2", 0, "fh-9")), True),
        ((build_traffic_target("r-1", 60), build_traffic_target("r-1", 40, "fh-9")), True),
        ((build_traffic_target("r-1", 99), build_traffic_target("r-2", 1)), False),
        (FOLLOWING, False),
    ],
)
def test_a_pin_holds_as_long_as_the_requests_go_there(traffic: Traffic, holds: bool) -> None:
    """A tag more is no change of where they go; one percent is, and so is LATEST."""
    assert pinned().is_in_force(traffic) == holds


@pytest.mark.parametrize(("after", "old"), [(3 * DAY, False), (3 * DAY + MINUTE, True)])
def test_a_pin_is_old_once_it_holds_for_longer(after: timedelta, old: bool) -> None:
    """Just as long is not longer."""
    assert bool(pins_older_than([pinned()], 3 * DAY, START + after)) == old


# What rollbacks leave, and what ends it


def test_a_rollback_leaves_a_pin_for_each_function() -> None:
    """Whose it is, since when, from which rollback, what it holds, and what lifts it."""
    world = build_rolled_back_world()
    rollback = world.rollback

    pins = read_pins(world)

    assert set(pins) == set(BOOKSHOP.functions)
    one = pins["getBook"]
    assert (one.owner, one.rollback) == ("automation", rollback.id)
    assert one.revisions == {"getbook-00001": 100}
    assert one.since < (rollback.shifted_at or one.since)
    line = "rollback unpin --system bookshop --function getBook --reason 'serve the newest revision'"
    assert unpin_line("bookshop", [one.function], "") == line
    assert unpin_line("bookshop", [one.function], "INC-1") == f"once INC-1 has ended: {line}"


def test_who_ordered_a_rollback_owns_its_pins() -> None:
    """A person's order is a person's pin."""
    world = World(policy=shorten_watch())
    world.deploy_bad()

    world.send_command("rollback", functions=["getBook"], actor="alice")
    world.pass_time(12 * MINUTE)

    assert {one.function: one.owner for one in read_pins(world).values()} == {"getBook": "alice"}


def build_cancelled_world() -> World:
    """A person cancelled the rollback after its first shift."""
    world = World(policy=shorten_watch())
    world.deploy_bad()

    def cancel() -> None:
        world.send_command("cancel", actor="alice", incident=world.newest_incident.id)
        world.deliver_newest()

    world.platform.hook = run_once("platform.shift", "after", cancel)
    world.alert()
    world.pass_time(5 * MINUTE)
    return world


def test_a_rollback_that_is_cancelled_leaves_the_pins_of_what_it_did() -> None:
    """What has been led back is held, however the rest ended."""
    world = build_cancelled_world()

    rollback = world.rollback
    assert rollback.status is RollbackStatus.CANCELLED
    done = {step.target for step in world.steps(rollback.id).values() if step.status == "DONE"}
    assert set(read_pins(world)) == done
    assert 0 < len(done) < len(BOOKSHOP.functions)


def test_what_is_deployed_behind_a_pin_is_told_once_as_not_served() -> None:
    """The next deployment of a pinned function says who pins it, and what lifts that."""
    world = build_rolled_back_world()
    world.platform.deploy(["getBook"])

    world.pass_time(20 * MINUTE)

    [text] = recorded_notice_texts(world, "unserved")
    assert "deployed but not served" in text
    assert "getBook: pinned to getbook-00001 since" in text
    assert "rollback unpin --system bookshop --function getBook" in text
    world.platform.deploy(["getBook"])
    world.pass_time(6 * MINUTE)
    assert len(recorded_notice_texts(world, "unserved")) == 2
    assert read_pins(world)["getBook"].newest == "getbook-00004"


def test_a_pin_that_somebody_moves_away_by_hand_ends() -> None:
    """What is not held any more is not called pinned."""
    world = build_rolled_back_world()
    world.platform.change_by_hand("getBook", FOLLOWING)
    world.platform.delete_function("listBooks")

    world.pass_time(6 * MINUTE)

    assert "getBook" not in read_pins(world)
    assert len(read_pins(world)) == len(BOOKSHOP.functions) - 2
    assert recorded_notice_texts(world, "unserved") == []


def test_a_look_that_got_no_answer_about_functions_ends_no_pin() -> None:
    """What was live before the shift says nothing about what is held after it."""
    world = World(policy=shorten_watch())
    world.deploy_bad()
    sent = set()

    def no_answer_from_then_on(verb: str, side: str) -> None:
        sent.add(verb)
        if (verb, side) == ("platform.functions", "before") and "platform.shift" in sent:
            raise Unavailable("no answer")

    world.platform.hook = no_answer_from_then_on
    world.alert()
    world.pass_time(12 * MINUTE)

    assert set(read_pins(world)) == set(BOOKSHOP.functions)


def test_old_pins_are_told_of_once_a_day() -> None:
    """The daily clock names each that is older than the policy wants; many sweeps say it once."""
    policy = shorten_watch()
    world = World(policy=replace(policy, deployments=replace(policy.deployments, pinned_for=MINUTE * 30)))
    world.deploy_bad(["getBook"])
    world.alert()
    world.pass_time(12 * MINUTE)
    world.advance_clock(DAY)

    for _ in range(2):
        world.pass_time(MINUTE)
        world.start_instances()
    [text] = recorded_notice_texts(world, "pinned")
    assert "1 function pinned for longer than 30m" in text
    assert "getBook: pinned to getbook-00001" in text
    world.advance_clock(DAY)
    world.pass_time(MINUTE)

    assert len(recorded_notice_texts(world, "pinned")) == 2


# unpin


def test_an_unpin_leads_the_requests_to_the_newest_and_ends_the_pins() -> None:
    """By a plan like any other: an incident of its own, looked at, set, looked at, watched."""
    world = build_rolled_back_world()
    world.platform.deploy(["getBook"])
    world.pass_time(6 * MINUTE)

    assert refused(world, command="unpin", system="bookshop", functions=["getBook"]) == ""
    world.pass_time(12 * MINUTE)

    assert world.live["getBook"] == {"getbook-00003": 100}
    assert world.platform.services()["getBook"].traffic == FOLLOWING
    assert set(read_pins(world)) == set(BOOKSHOP.functions) - {"getBook"}
    last = world.newest_rollback
    assert (last.status, last.plan and last.plan.target) == (RollbackStatus.SUCCEEDED, "the newest revisions")
    assert world.newest_incident.status is IncidentStatus.RESOLVED
    system = decode(System, world.store.get(systems.system_path("bookshop")).fields)
    assert (set(system.chosen), system.suspended) == ({"getBook"}, {})


def test_a_look_while_a_rollback_leads_a_pinned_function_elsewhere() -> None:
    """What is under way is nobody's move by hand: the pin is moved by the rollback's own commit."""
    world = build_rolled_back_world()
    [bad] = later_deployments(world)
    looked: list[bool] = []

    def look(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "after") and not looked:
            looked.append(True)
            world.advance_clock(MINUTE / 6)
            publish_audit_hint(world)
            world.deliver_newest()

    world.platform.hook = look
    world.send_command("rollback", target=bad.id, functions=["getBook"])
    world.pass_time(MINUTE)

    assert looked == [True]
    assert "pin.moved" not in system_event_names(world)
    held = read_pins(world)["getBook"]
    assert (held.revisions, held.before) == ({"getbook-00002": 100}, FOLLOWING)


def test_an_unpin_of_what_is_held_on_the_newest_by_its_name() -> None:
    """It serves what it would serve anyway, and the next deployment would not: LATEST is asked."""
    world = build_rolled_back_world()
    [bad] = later_deployments(world)
    world.send_command("rollback", target=bad.id, functions=["getBook"])
    world.pass_time(MINUTE)
    assert world.platform.services()["getBook"].traffic == (build_traffic_target("getbook-00002"),)
    world.pass_time(12 * MINUTE)  # it is no better than it was, and somebody wants it all the same
    ours = {"system": "bookshop", "incident": world.newest_incident.id}
    assert refused(world, command="accept", **ours) == ""

    assert refused(world, command="unpin", system="bookshop", functions=["getBook"]) == ""
    world.pass_time(MINUTE)

    assert world.platform.services()["getBook"].traffic == FOLLOWING
    assert "getBook" not in read_pins(world)


def test_an_unpin_of_what_is_worse_fails_and_an_undo_pins_it_again() -> None:
    """What is not well after it is left to a person, with the way back ready."""
    world = build_rolled_back_world()
    before = world.live
    assert refused(world, command="unpin", system="bookshop", functions=["getBook"]) == ""
    world.pass_time(8 * MINUTE)
    assert world.newest_rollback.status is RollbackStatus.FAILED
    incident = world.newest_incident.id

    assert refused(world, command="undo", system="bookshop", incident=incident) == ""
    world.pass_time(3 * MINUTE)

    assert world.live == before
    assert read_pins(world)["getBook"].revisions == {"getbook-00001": 100}
    assert read_pins(world)["getBook"].before == FOLLOWING


def test_what_a_person_holds_is_not_unpinned() -> None:
    """Whoever has moved a function since is there: it is left, and the reason is told."""
    world = build_rolled_back_world()
    world.platform.change_by_hand(
        "getBook", (build_traffic_target("getbook-00001", 50), build_traffic_target(LATEST_REVISION, 50))
    )

    named = ["getBook", "listBooks"]
    assert refused(world, command="unpin", system="bookshop", functions=named) == ""

    last = world.newest_rollback
    assert last.plan is not None
    left, *warning = sorted(last.plan.reported)
    assert left == "getBook: somebody changed its traffic later"
    assert [line.partition(":")[0] for line in warning] == ["warning"]
    assert set(world.steps(last.id)) == {"shift listBooks"}


def test_an_unpin_is_refused_where_nothing_is_pinned_or_an_incident_is_open() -> None:
    """An emergency is not disturbed, and nothing is opened for nothing."""
    world = World(policy=shorten_watch())
    assert "none of these functions is pinned" in refused(world, command="unpin", system="bookshop")
    world.deploy_bad()
    world.alert()
    world.pass_time(4 * MINUTE)

    assert "INC-20260302-001 is open" in refused(world, command="unpin", system="bookshop")
    assert len(world.incidents()) == 1


@pytest.mark.parametrize(
    ("mode", "signal", "status"),
    [
        ("act", "database_corruption", IncidentStatus.ESCALATED),
        ("observe", "function_failure_rate", IncidentStatus.INVESTIGATING),
    ],
)
def test_an_unpin_is_accepted_while_an_incident_does_not_concern_it(
    mode: str, signal: str, status: IncidentStatus
) -> None:
    """A person decides about something else, or nothing but the recovery is awaited."""
    world = build_rolled_back_world()
    world.platform.deploy()
    world.send_command("promote", mode=mode)
    world.alert("0.later", signal=signal)
    world.ports.alerts.open["0.later"] = True
    world.pass_time(6 * MINUTE)
    standing = world.newest_incident
    assert standing.status is status

    assert refused(world, command="unpin", system="bookshop", functions=["getBook"]) == ""
    world.pass_time(12 * MINUTE)

    assert "getBook" not in read_pins(world)
    assert world.newest_rollback.status is RollbackStatus.SUCCEEDED
    assert world.incidents()[-2].id == standing.id
    assert world.incidents()[-2].ended_at is None


def test_an_unpin_is_refused_while_a_person_decides_about_these_functions() -> None:
    """Nobody lifts the pins of a rollback that ended half done before that is decided."""
    world = build_cancelled_world()

    assert "INC-20260302-001 is open" in refused(world, command="unpin", system="bookshop")
    assert refused(world, command="accept", system="bookshop", incident="INC-20260302-001") == ""
    assert refused(world, command="unpin", system="bookshop") == ""


def test_an_unpin_is_shown_as_an_unpin() -> None:
    """Incident and public state say so until it is over: nothing is rolled back."""
    world = build_rolled_back_world()
    world.platform.deploy()
    world.pass_time(6 * MINUTE)

    assert refused(world, command="unpin", system="bookshop") == ""
    state = read_public_state(world)
    assert state.word.startswith("unpinning")
    world.pass_time(12 * MINUTE)

    incident = world.newest_incident
    assert IncidentStatus.UNPINNING in [one.status for one in incident.timeline]
    assert IncidentStatus.ROLLING_BACK not in [one.status for one in incident.timeline]
    state = read_public_state(world)
    words = {turn.word for turn in state.turns}
    assert not any(word.startswith("rolling back") for word in words)
    assert words <= STATUS_SENTENCES.keys()


def test_an_undo_of_an_unpin_is_shown_as_a_rollback() -> None:
    """It goes back to what the unpin found, and the page says so."""
    timeline = [
        TimelineEvent(status, START, "")
        for status in (
            IncidentStatus.UNPINNING,
            IncidentStatus.VERIFYING,
            IncidentStatus.WATCHING,
            IncidentStatus.ESCALATED,
            IncidentStatus.ROLLING_BACK,
            IncidentStatus.VERIFYING,
        )
    ]

    unpin = build_incident(timeline=timeline, scopes=(IncidentScope(ScenarioName.FUNCTIONS),))

    assert [one.word for one in public_status_changes(unpin)] == [
        "unpinning",
        "unpinning (monitoring)",
        "under investigation",
        "changing",
    ]


def test_a_failure_ends_the_words_of_the_monitoring() -> None:
    """The page never says "It works again" from the observed failure until the next status."""
    failed_at = START + MINUTE
    timeline = [
        TimelineEvent(IncidentStatus.UNPINNING, START, ""),
        TimelineEvent(IncidentStatus.WATCHING, START, ""),
        TimelineEvent(IncidentStatus.WATCHING, failed_at, "a failure is observed"),
        TimelineEvent(IncidentStatus.WATCHING, failed_at + MINUTE / 60, "severity raised to CRITICAL"),
        TimelineEvent(IncidentStatus.ROLLING_BACK, failed_at + MINUTE, ""),
        TimelineEvent(IncidentStatus.WATCHING, failed_at + 2 * MINUTE, ""),
    ]

    unpin = build_incident(
        timeline=timeline, scopes=(IncidentScope(ScenarioName.FUNCTIONS),), failure_observed_at=failed_at
    )

    assert [one.word for one in public_status_changes(unpin)] == [
        "unpinning",
        "unpinning (monitoring)",
        "investigating",
        "rolling back",
        "rolling back (monitoring)",
    ]


def test_an_unpin_is_not_offered_while_it_would_be_refused() -> None:
    """While the incident is open, the line says when the command is accepted."""
    world = World(policy=shorten_watch())
    world.deploy_bad()
    world.alert()
    world.pass_time(4 * MINUTE)
    incident = world.newest_incident
    assert incident.ended_at is None
    assert read_pins(world)
    world.platform.deploy(["getBook"])
    publish_audit_hint(world)
    world.settle()

    [text] = recorded_notice_texts(world, "unserved")

    assert text.split("\n")[-1] == (
        f"once {incident.id} has ended: "
        "rollback unpin --system bookshop --function getBook --reason 'serve the newest revision'"
    )
