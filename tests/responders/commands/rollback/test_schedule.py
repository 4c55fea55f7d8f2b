"""A feature is rolled back at a stated time, told of beforehand, and yields to what is worse."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.incidents.incident import IncidentStatus
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.decision.outages import shifted_functions
from tests.support.fakes.runtime.hooks import run_once
from tests.support.faults.fault_injection import FaultInjectorHook, InjectedFault, tick_clock
from tests.support.rollbacks.bookshop_resources import SIGNING_IN, build_healthy_shop, deploy_bad_release
from tests.support.runtime.switches import iso_time_after, notice_lines, publish_command
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
FEATURE = {"system": "bookshop", "scenario": "feature", "severity": "MEDIUM"}


def spoiled(hook: FaultInjectorHook | None = None) -> World:
    """A feature that a person takes back: a group of functions, and the template."""
    world = build_healthy_shop(hook) if hook else build_healthy_shop()
    deploy_bad_release(world, "signing in", "remote_config")
    return world


def plan(world: World, after: timedelta, **more: Any) -> str:
    return publish_command(world, "rollback", **FEATURE, at=iso_time_after(world, after), **more)


def colour(world: World) -> str:
    return "red" if "red" in world.ports.beside.published.content else "blue"


@pytest.mark.parametrize(
    ("named", "functions", "template"),
    [({}, set(), "red"), ({"groups": ["authentication"]}, set(SIGNING_IN), "blue")],
)
def test_a_feature_that_is_planned(named: dict[str, Any], functions: set[str], template: str) -> None:
    """Nothing happens before its time; people hear of it now, and again shortly before."""
    world = spoiled()
    assert plan(world, HOUR, **named) == ""

    world.pass_time(44 * MINUTE)
    assert [len(notice_lines(world, event)) for event in ("planned", "planned-soon")] == [1, 0]
    world.pass_time(10 * MINUTE)
    [soon] = notice_lines(world, "planned-soon")
    assert "unplan" in soon
    assert (world.incidents(), colour(world), shifted_functions(world)) == ([], "blue", set())
    world.pass_time(20 * MINUTE)

    assert world.rollback.status is RollbackStatus.SUCCEEDED
    assert (colour(world), shifted_functions(world)) == (template, functions)
    assert world.incident.severity == "MEDIUM"
    assert world.find_violated_invariants() == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"at": "2020-01-01T00:00:00Z"}, "is in the past"),
        ({"at": "tomorrow"}, "is not a time such as"),
        ({"scenario": "complete"}, "scenario"),
        ({"severity": "HIGH"}, "severity"),
        ({"override": True, "incident": "INC-20260302-001"}, "override"),
        ({"dry_run": True}, "dry_run"),
    ],
)
def test_what_is_not_planned(change: dict[str, Any], reason: str) -> None:
    """Only a feature, and nothing that is grave: that does not wait."""
    world = spoiled()

    refused = publish_command(world, "rollback", **{**FEATURE, "at": iso_time_after(world, HOUR), **change})

    assert reason in refused


def test_a_plan_that_is_called_off() -> None:
    """It does not begin, nobody hears that it is near, and a second word finds nothing."""
    world = spoiled()
    plan(world, HOUR)

    publish_command(world, "unplan", system="bookshop")
    world.pass_time(2 * HOUR)

    assert (world.incidents(), colour(world)) == ([], "blue")
    assert notice_lines(world, "planned-soon") == []
    assert len(notice_lines(world, "unplanned")) == 1
    publish_command(world, "unplan", system="bookshop")
    assert len(notice_lines(world, "unplanned")) == 1


def test_a_plan_whose_time_finds_trouble() -> None:
    """What is open comes first: the plan is not begun, and that is told."""
    world = spoiled()
    plan(world, HOUR)
    world.pass_time(50 * MINUTE)
    world.ports.prober.down = lambda probe: probe == "shop"
    world.alert(signal="frontend_unavailable")

    world.pass_time(15 * MINUTE)

    incident = world.incident
    assert incident.signal == "frontend_unavailable"
    assert (
        f"not started: {incident.id} is open and has priority: order this again"
        in notice_lines(world, "not-begun")[0]
    )


def test_a_plan_that_nobody_could_begin_in_time() -> None:
    """After an outage of ours it is not begun in another hour than was told."""
    world = spoiled()
    plan(world, HOUR)
    world.advance_clock(2 * HOUR)

    world.pass_time(10 * MINUTE)

    assert world.incidents() == []
    assert "too late" in notice_lines(world, "not-begun")[0]


@pytest.mark.parametrize("verb", ["remote_config.publish", "platform.shift"])
def test_worse_trouble_in_the_middle_of_a_feature(verb: str) -> None:
    """It begins nothing more, and the worse trouble is judged at once, and cured."""
    world = spoiled()
    deploy_bad_release(world, "sites")
    estate = world.ports.beside

    def interrupt() -> None:
        world.ports.prober.down = lambda name: name == "shop" and estate.sites["shop"].version != "v1"
        world.alert(signal="frontend_unavailable")
        world.deliver_newest()

    estate.hook = world.platform.hook = run_once(verb, "after", interrupt)
    groups: dict[str, Any] = {"groups": ["authentication"]} if verb == "platform.shift" else {}
    world.command(command="rollback", **FEATURE, **groups)
    world.settle()
    world.pass_time(2 * MINUTE)

    first, *_ = world.rollbacks()
    assert (first.status, first.outcome) == (
        RollbackStatus.CANCELLED,
        "it yields to frontend unavailable (CRITICAL)",
    )
    assert estate.sites["shop"].version == "v1"
    assert world.incident.severity == "CRITICAL"
    world.ports.alerts.open["0.abc"] = False
    world.pass_time(HOUR)
    assert world.incident.status is IncidentStatus.RESOLVED
    assert world.find_violated_invariants() == []


@pytest.mark.parametrize("signal", ["slow_response", "performance_degraded"])
def test_trouble_that_is_no_worse(signal: str) -> None:
    """What is only watched, or as bad as what is being done, stops nothing."""
    world = spoiled()
    told: list[str] = []

    def interrupt(called: str, side: str) -> None:
        if (called, side) == ("remote_config.publish", "after") and not told:
            told.append(called)
            world.alert(signal=signal)
            world.deliver_newest()

    world.ports.beside.hook = interrupt
    world.command(command="rollback", **{**FEATURE, "severity": "CRITICAL"})
    world.settle()

    assert told
    assert world.rollback.status not in (RollbackStatus.CANCELLED, RollbackStatus.FAILED)


def run(saboteur: FaultInjectorHook) -> World:
    """From the plan to the end of its watch, with one fault in it."""
    world = spoiled(saboteur)
    saboteur.world, saboteur.active = world, True
    said: dict[str, Any] = {**FEATURE, "groups": ["authentication"], "at": iso_time_after(world, 2 * MINUTE)}
    world.command(command="rollback", id="mine", **said)
    tick_clock(world, saboteur, 22, timedelta(seconds=30))
    saboteur.active = False
    return world


def points() -> list[tuple[int, InjectedFault]]:
    """Each commit and effect up to the last shift, found by counting."""
    counted = FaultInjectorHook()
    run(counted)
    last = max(place for place, point in enumerate(counted.points) if "shift" in point)
    return [
        (place, fault)
        for place in range(last + 1)
        for fault in (InjectedFault.CRASH, InjectedFault.LOST_ANSWER)
    ]


@pytest.mark.parametrize(("point", "fault"), points())
def test_a_fault_on_the_way_of_a_plan(point: int, fault: InjectedFault) -> None:
    """Wherever it dies, or hears nothing, it begins once, at its time, and is back."""
    world = run(FaultInjectorHook(point, fault))

    assert [one.status for one in world.rollbacks()] == [RollbackStatus.SUCCEEDED]
    assert shifted_functions(world) == set(SIGNING_IN)
    assert world.find_violated_invariants() == []
