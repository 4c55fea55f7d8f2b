"""The application under protection: releases, traffic, and what was counted."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from local.application import Application
from local.application.request_counts import count_requests_by_revision
from local.application.service import LATEST_ONLY, Period, TrafficEntry, TrafficFlow, redirect_traffic
from local.core.clock import CloudClock
from local.core.journal import Journal
from shared.domain.policy.probes import Probe
from shared.domain.policy.system_policy import Group
from tests.local.support.run import MINUTE, ORIGIN, SECOND, SEED, World, policy

ADDRESS = ("europe-west1-shop.cloudfunctions.net", "/placeOrder")


def pin(world: World, function: str, revision: str) -> None:
    """Ask for all traffic on one revision, and let it happen."""
    name = world.application.service_of(function).name
    world.application.update(
        name,
        lambda seen, now: redirect_traffic(
            seen, (TrafficEntry(revision, 100),), world.application.change(seen, now, now + 8 * SECOND, "")
        ),
    )
    world.advance(8)


def test_deployment_serves_at_once_where_traffic_follows_the_latest() -> None:
    """The new revision gets everything."""
    world = World()

    world.deploy(failure_rate=1.0)

    assert world.application.answer(*ADDRESS).status == 500
    assert world.application.answer("europe-west1-shop.cloudfunctions.net", "/payOrder").status == 200


def test_deployment_to_a_pinned_service_gets_nothing() -> None:
    """A pin outlives the next deployment: the new revision serves no request."""
    world = World()
    old = world.revision()
    pin(world, "placeOrder", old)

    world.deploy(failure_rate=1.0)
    world.advance(600)

    requests = world.application.requests_by_revision("placeOrder", ORIGIN, ORIGIN + 9 * MINUTE)
    assert set(requests) == {old}
    assert world.application.answer(*ADDRESS).status == 200


def test_revision_that_does_not_start_leaves_traffic_where_it_was() -> None:
    """The latest ready revision goes on serving, and the service says what is wrong."""
    world = World()

    world.deploy(starts=False)

    service = world.application.service_of("placeOrder")
    assert world.application.answer(*ADDRESS).revision == service.revisions[0].name
    assert service.latest_created.name in service.fault


def test_revisions_are_named_as_the_platform_names_them() -> None:
    """The number counts, and the same seed gives the same names."""
    names = []
    for _ in range(2):
        world = World()
        world.deploy()
        names.append([one.name for one in world.application.service_of("placeOrder").revisions])

    assert names[0] == names[1]
    assert [name[:-3] for name in names[0]] == ["placeorder-00001-", "placeorder-00002-"]


def test_failures_are_drawn_at_the_rate_of_the_revision() -> None:
    """About a third of the answers fail, the same ones for the same seed."""

    def answers() -> list[int]:
        world = World()
        world.deploy(failure_rate=0.3)
        return [world.application.answer(*ADDRESS).status for _ in range(500)]

    drawn = answers()
    assert drawn == answers()
    assert 100 < drawn.count(500) < 200


def test_trouble_from_outside_starts_now_and_leaves_the_past_alone() -> None:
    """Degrading a revision is no deployment, and what was served before stays well."""
    world = World()
    world.advance(600)
    world.application.degrade("placeOrder", failure_rate=1.0)
    world.advance(600)

    before = world.application.requests("placeOrder", ORIGIN, ORIGIN + 10 * MINUTE)
    after = world.application.requests("placeOrder", ORIGIN + 10 * MINUTE, ORIGIN + 20 * MINUTE)
    assert (before.failed, after.failed) == (0, after.total)
    assert len(world.application.service_of("placeOrder").revisions) == 1


def test_probes_reach_the_functions_that_they_declare() -> None:
    """A declared address fails with its function; the static site answers; others are 404."""
    world = World()
    world.deploy(failure_rate=1.0)

    assert world.application.answer("shop.example", "/api/order").status == 500
    assert world.application.answer("shop.example", "/").status == 200
    assert world.application.answer("europe-west1-shop.cloudfunctions.net", "/none").status == 404
    assert world.application.claims("shop.example")
    assert not world.application.claims("elsewhere.example")


@pytest.mark.parametrize("address", ["https://Site.Example/", "https://site.example:8443/"])
def test_the_port_and_the_case_of_an_address_are_no_part_of_its_host(address: str) -> None:
    """As whoever asks is told apart by the front door."""
    world = World(replace(policy(), probes=(Probe("site", address),)))

    assert world.application.claims("site.example")
    assert world.application.answer("site.example", "/").status == 200


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    """Revisions, traffic, pending changes and counts are found again."""
    world = World(journal=Journal(tmp_path))
    world.deploy(failure_rate=0.5)
    old = world.revision()
    pin(world, "placeOrder", old)
    world.advance(600)

    again = Application(policy(), world.clock, Journal(tmp_path), SEED)

    assert again.services() == world.application.services()
    span = (ORIGIN, ORIGIN + 10 * MINUTE)
    assert again.requests("placeOrder", *span) == world.application.requests("placeOrder", *span)
    assert [change.id for _, change in again.operations()] == [
        change.id for _, change in world.application.operations()
    ]


def test_change_that_ended_while_nobody_looked_took_effect_on_time() -> None:
    """The routing is dated when the change was due, not when somebody asked."""
    world = World()
    old = world.revision()
    world.deploy(failure_rate=1.0)
    pin(world, "placeOrder", old)
    world.advance(3600)

    late = world.application.requests("placeOrder", ORIGIN + 8 * SECOND, ORIGIN + timedelta(hours=1))
    assert late.failed == 0
    assert late.total > 0


def test_unknown_function_deploys_nothing() -> None:
    """A deployment is whole or not at all."""
    world = World()

    with pytest.raises(KeyError):
        world.application.deploy(["placeOrder", "none"], release="r2")

    assert len(world.application.service_of("placeOrder").revisions) == 1


def test_functions_that_would_share_a_service_are_refused() -> None:
    """Names that differ only in case are one service to the platform."""
    doubled = policy()
    doubled.groups["more"] = Group(("PLACEORDER",))

    with pytest.raises(ValueError, match="share the service placeorder"):
        Application(doubled, CloudClock(ORIGIN, 0), Journal(), SEED)


@given(
    seconds=st.lists(st.integers(1, 5000), min_size=1, max_size=6),
    failing=st.lists(st.floats(0, 1), min_size=6, max_size=6),
    cuts=st.lists(st.integers(0, 30000), min_size=2, max_size=6, unique=True).map(sorted),
)
def test_spans_that_touch_add_up(seconds: list[int], failing: list[float], cuts: list[int]) -> None:
    """However a time is cut into spans, no request is lost, doubled or negative."""
    periods, since = [], ORIGIN
    for length, rate in zip(seconds, failing, strict=False):
        periods.append(Period(since, (TrafficFlow("a", 0.3, rate), TrafficFlow("b", 0.7, 0.0))))
        since += timedelta(seconds=length)
    moments = [ORIGIN + timedelta(seconds=cut) for cut in cuts]

    def count(start: int, end: int, revision: str) -> tuple[int, int]:
        found = count_requests_by_revision(tuple(periods), 1.7, moments[start], moments[end]).get(revision)
        return (found.total, found.failed) if found else (0, 0)

    for revision in ("a", "b"):
        parts = [count(index, index + 1, revision) for index in range(len(moments) - 1)]
        assert all(0 <= failed <= total for total, failed in parts)
        summed = tuple(map(sum, zip(*parts, strict=True)))
        assert summed == count(0, len(moments) - 1, revision)


def test_default_traffic_follows_the_latest() -> None:
    """Nothing is pinned in a new application."""
    assert all(one.traffic == LATEST_ONLY for one in World().application.services())
