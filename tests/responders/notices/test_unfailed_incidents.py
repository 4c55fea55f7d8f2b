"""Incidents in which nothing was observed to fail: what a declaration and an order are called."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.incidents.incident import IncidentStatus
from shared.domain.incidents.recovery_times import measure_recovery, recovery_lines
from shared.domain.policy.channels import Audience, Channel, ChannelKind, Component, StatusPage
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import BREACH_SIGNAL, Signal
from shared.domain.presentation.status_page_html import JSON
from shared.domain.reports.impact import ImpactCounts, measure_impact, summarize_impact
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.decision.outages import make_function_fail
from tests.support.fakes.storage.public_pages import MemoryPages
from tests.support.faults.fault_injection import shorten_watch
from tests.support.notices.status_page import HOUR, MINUTE, read_page
from tests.support.runtime.world import BOOKSHOP, World

DAY = timedelta(days=1)
USERS = Channel("users", ChannelKind.WEBHOOK, url="https://users.example/", audience=Audience.USERS)
TEAM = Channel("team", ChannelKind.WEBHOOK, url="https://team.example/")
BREACH = Signal(Severity.CRITICAL, ScenarioName.COMPLETE, Mode.ASK)
POLICY = replace(
    BOOKSHOP,
    signals={**BOOKSHOP.signals, BREACH_SIGNAL: BREACH},
    channels=(*BOOKSHOP.channels, USERS, TEAM),
    status_page=StatusPage(
        components=(
            Component("Website", (BREACH_SIGNAL,)),
            Component("Catalogue", functions=("listBooks", "getBook")),
        )
    ),
)


def declare(**changes: Any) -> World:
    """A breach is declared though nothing fails, ten minutes ago."""
    world = World(policy=replace(POLICY, **changes))
    world.ports.pages = MemoryPages()
    world.pass_time(MINUTE)
    world.send_command("breach")
    world.pass_time(10 * MINUTE)
    return world


def read_parts(world: World) -> dict[str, dict[str, Any]]:
    """How the page shows each part."""
    return {one["name"]: one for one in json.loads(read_page(world, JSON))["_status"]["parts"]}


def sent(world: World, channel: str) -> list[str]:
    """What people on a channel have read, in order."""
    notices = [one for one in world.sent_notices if f":{channel}" in one.key]
    return [f"{one.notice['subject']}\n{one.notice['body']}" for one in notices]


def read_times(world: World) -> tuple[str, ...]:
    """The durations of the newest incident, as people read them."""
    mine = [one for one in world.rollbacks() if one.incident == world.newest_incident.id]
    return recovery_lines(measure_recovery(world.policy, world.newest_incident, mine), world.now)


def test_a_declared_breach_is_no_outage() -> None:
    """Page, notices, times and report: it is under investigation, and nothing did not work."""
    world = declare()

    page, part = read_page(world), read_parts(world)["Website"]
    assert world.newest_incident.status is IncidentStatus.ESCALATED
    assert (part["state"], part["uptime"]) == ("checked", 1.0)
    assert part["words"] == "Under investigation. We are checking The Bookshop as a precaution."
    assert read_parts(world)["Catalogue"]["state"] == "working"
    assert "We are checking or changing some parts." in page
    assert "Under investigation: Website" in page
    shown = page.partition("Uptime counts the time")[0]
    told = "\n".join([shown, *sent(world, "users"), *sent(world, "team")]).lower()
    assert not re.search("not working|do not work|looking for the cause|not restored|a problem", told)
    assert "The Bookshop: under investigation" in sent(world, "users")[0]
    assert "Impact: under investigation: Website" in sent(world, "team")[1]
    assert read_times(world) == ("nothing was observed to fail",)
    impact = measure_impact(world.policy, world.newest_incident, ImpactCounts(), world.now)
    assert (impact.downtime_seconds, summarize_impact(impact)) == (0.0, "nothing was observed to fail")


@pytest.mark.parametrize("asks", [False, True])
def test_an_escalated_breach_ends_after_the_declared_time(asks: bool) -> None:
    """Nobody has answered, nothing was observed to fail, and no rollback waits for a person."""
    world = World(policy=POLICY)
    world.ports.pages = MemoryPages()
    if asks:
        world.deploy_bad()
        for function, [revision] in world.live.items():
            world.platform.set_failure_rate(function, revision, 0.0)
    world.send_command("breach")
    world.pass_time(2 * MINUTE)
    waits = world.newest_rollback.status is RollbackStatus.PARKED
    world.advance_clock(HOUR)
    world.pass_time(5 * MINUTE)
    escalated = world.newest_incident.status
    world.advance_clock(world.policy.gates.unobserved_after)
    world.pass_time(2 * MINUTE)

    assert (waits, escalated) == (asks, IncidentStatus.ESCALATED)
    assert world.newest_incident.status is IncidentStatus.RECOVERY_NOT_OBSERVED
    assert read_parts(world)["Website"]["uptime"] == 1.0
    assert {one["state"] for one in read_parts(world).values()} == {"working"}
    assert "Under investigation: Website" in read_page(world)


def test_a_failure_in_a_declared_incident_counts_from_its_alert() -> None:
    """The page corrects itself within a minute: only what fails does not work, since then."""
    world = declare()
    make_function_fail(world, "listBooks")
    world.alert(function="listBooks")
    alerted_at = world.now
    world.pass_time(MINUTE)
    began_at = world.newest_incident.failure_observed_at

    assert began_at is not None
    assert began_at - alerted_at < timedelta(seconds=1)
    assert len(world.incidents()) == 1
    parts = read_parts(world)
    assert (parts["Catalogue"]["state"], parts["Website"]["uptime"]) == ("down", 1.0)
    impact = measure_impact(world.policy, world.newest_incident, ImpactCounts(), world.now)
    assert impact.began_at == began_at
    assert 0.0 < impact.downtime_seconds <= 60.0
    assert "not recovered yet" in read_times(world)[1]


def test_a_rollback_of_a_declared_breach_restores_nothing() -> None:
    """People approve the plan: the page calls it a change, and no part was down for it."""
    world = World(policy=POLICY)
    world.ports.pages = MemoryPages()
    world.deploy_bad()
    for function, [revision] in world.live.items():
        world.platform.set_failure_rate(function, revision, 0.0)
    world.send_command("breach")
    world.pass_time(MINUTE)
    for person in ("ada", "bob"):
        incident = world.newest_incident.id
        world.send_command("approve", incident=incident, actor=person)
        world.pass_time(MINUTE)
    world.pass_time(3 * MINUTE)

    website = read_parts(world)["Website"]
    assert world.newest_incident.status is IncidentStatus.WATCHING
    assert (website["state"], website["uptime"]) == ("checked", 1.0)
    assert website["words"].startswith("Maintenance. We have changed some parts of The Bookshop.")
    changed, verified = read_times(world)[:2]
    assert re.fullmatch("changed .* after detection", changed)
    assert re.fullmatch("verified .* after detection", verified)


def unpinned() -> World:
    """A fix is released behind pins, and a person lifts them; nothing fails meanwhile."""
    world = World(policy=POLICY)
    world.deploy_bad()
    world.alert()
    world.pass_time(HOUR)
    world.ports.pages = MemoryPages()
    world.platform.deploy()
    world.pass_time(30 * MINUTE)
    world.sent_notices.clear()
    world.send_command("unpin", actor="ada", reason="r3 is the fix")
    return world


def test_an_unpin_of_a_working_system_is_no_outage() -> None:
    """It restores and recovers nothing, has no target, and no part is troubled."""
    world = unpinned()
    world.pass_time(MINUTE)
    world.send_command("publish", incident=world.newest_incident.id)
    world.pass_time(MINUTE)

    changed, verified, *_ = read_times(world)
    assert re.fullmatch("changed .* after the order", changed)
    assert re.fullmatch("verified .* after the order", verified)
    assert json.loads(read_page(world, JSON))["_status"]["state"] == "checked"
    assert {one["state"] for one in read_parts(world).values()} <= {"checked", "working"}
    now = read_page(world).partition("Past 90 days")[0].partition('id="parts"')[0]
    told = "\n".join([now, *sent(world, "users"), *sent(world, "team")])
    assert "manual unpin of The Bookshop; ordered by" in told
    assert "A newer version is released. We are monitoring it." in told
    assert not re.search("(?i)not working|not restored|traffic restored|recovered|works again|spare", told)


def test_an_order_of_a_working_system_names_no_stable_version() -> None:
    """It goes back to whatever the order names, and nothing was observed to fail."""
    world = World(policy=shorten_watch(POLICY))
    world.ports.pages = MemoryPages()
    world.deploy_bad()
    for function, [revision] in world.live.items():
        world.platform.set_failure_rate(function, revision, 0.0)
    world.pass_time(20 * MINUTE)
    world.send_command("rollback", reason="r2 is too dear", severity="MEDIUM")
    world.pass_time(8 * MINUTE)
    world.send_command("publish", incident=world.newest_incident.id)
    world.pass_time(MINUTE)

    assert "stable version" not in read_page(world)
    assert "We have changed some parts of The Bookshop. We are monitoring them." in read_page(world)
    assert {one["uptime"] for one in read_parts(world).values()} == {1.0}
    changed, verified, *_ = read_times(world)
    assert re.fullmatch("changed .* after the order", changed)
    assert re.fullmatch("verified .* after the order; the target is .* to spare", verified)


def test_an_order_against_what_fails_recovers() -> None:
    """Its decision observes the failure, though no alert has told of it yet."""
    world = World(policy=shorten_watch(POLICY))
    world.ports.pages = MemoryPages()
    world.deploy_bad()
    world.pass_time(6 * MINUTE)
    world.send_command("rollback", reason="checkout is broken")
    world.pass_time(6 * MINUTE)

    assert world.newest_incident.has_failed
    restored, recovered, *_ = read_times(world)
    assert restored.startswith("traffic restored ")
    assert recovered.startswith("recovered ")
