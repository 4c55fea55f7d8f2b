"""Signing in, the database, or one feature goes back, and nothing else."""

from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.incidents.incident import IncidentStatus
from shared.domain.policy.probes import VerificationCheck
from shared.domain.policy.scenario_names import Mode
from shared.domain.policy.severity import Severity
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.decision.outages import shifted_functions
from tests.support.rollbacks.bookshop_resources import (
    CARTS,
    SHOP,
    SIGNING_IN,
    add_healthy_resources,
    build_healthy_shop,
    deploy_bad_release,
)
from tests.support.rollbacks.complete_scenario import (
    HOUR,
    MINUTE,
    approve_rollback,
    live_resources,
    start_outage,
)
from tests.support.runtime.world import World


def test_sign_in_that_fails_by_its_settings() -> None:
    """Nothing goes back by itself; two people are asked, and then exactly what differs is set."""
    world = build_healthy_shop()
    deploy_bad_release(world, "identity")

    start_outage(world, "authentication_failure", "mfa")

    rollback = world.rollback
    assert rollback.status is RollbackStatus.PARKED
    assert rollback.question is not None
    assert rollback.question.needed == 2
    approve_rollback(world, "alice")
    assert live_resources(world)["mfa"] == "DISABLED"
    approve_rollback(world, "bob")
    world.pass_time(HOUR)
    assert world.ports.beside.effects == ["set authorizedDomains, mfa.state"]
    assert world.newest_rollback.status is RollbackStatus.SUCCEEDED
    assert shifted_functions(world) == set()
    done = [moment.note for moment in world.incident.timeline if moment.status in EFFECT_STATUSES]
    assert [note for note in done if "recovered " in note]
    assert [note for note in (*done, world.newest_rollback.outcome) if "function" in note] == []


EFFECT_STATUSES = {IncidentStatus.VERIFYING, IncidentStatus.WATCHING, IncidentStatus.RESOLVED}
"""Of an incident of which something was changed: nothing was verified of a function."""


@pytest.mark.parametrize(
    ("still_failing", "enough", "status", "outcome"),
    [
        (0.1, 20, RollbackStatus.SUCCEEDED, "no regression of what it changed"),
        (0.5, 20, RollbackStatus.FAILED, "50% of 90 sign-ins failed"),
        (0.1, 10_000, RollbackStatus.SUCCEEDED, "but never verified"),
    ],
)
def test_who_signs_in_once_the_settings_are_back(
    still_failing: float, enough: int, status: RollbackStatus, outcome: str
) -> None:
    """Of all who signed in since, and of nobody before: few failures, or it is not well."""
    gates = replace(SHOP.gates, minimum_requests=enough)
    sign_in = {"sign-in": VerificationCheck(sign_in_failures=0.3)}
    world = World(policy=replace(SHOP, verification=sign_in, gates=gates), furnish=add_healthy_resources)
    world.ports.counts.fail_sign_ins(0.9)
    deploy_bad_release(world, "identity")
    start_outage(world, "authentication_failure", "mfa")
    approve_rollback(world, "alice")
    world.ports.counts.fail_sign_ins(still_failing)

    approve_rollback(world, "bob")
    world.pass_time(HOUR)

    assert world.newest_rollback.status is status
    assert outcome in world.newest_rollback.outcome
    assert (world.newest_rollback.verified_at is not None) is (still_failing < 0.3 and enough == 20)


def test_sign_in_that_fails_by_functions_and_settings() -> None:
    """The functions of authentication go back at once, no others; the settings are asked about."""
    world = build_healthy_shop()
    deploy_bad_release(world, "signing in", "identity")

    start_outage(world, "authentication_failure", "mfa")
    world.pass_time(MINUTE)

    assert shifted_functions(world) == set(SIGNING_IN)
    first, second = world.rollbacks()
    assert (first.status, second.status) == (RollbackStatus.SUCCEEDED, RollbackStatus.PARKED)
    assert (second.id, live_resources(world)["mfa"]) == (f"{first.id}-r2", "DISABLED")
    approve_rollback(world, "alice", "bob")
    world.pass_time(HOUR)
    assert live_resources(world)["mfa"] == "ENABLED"
    assert world.newest_rollback.status is RollbackStatus.SUCCEEDED
    assert world.find_violated_invariants() == []


def test_settings_that_a_policy_restores_without_approval() -> None:
    """The owner's way, `gates.security_approval: false`: functions and settings in one plan."""
    world = build_healthy_shop(policy=replace(SHOP, gates=replace(SHOP.gates, security_approval=False)))
    deploy_bad_release(world, "signing in", "identity")

    start_outage(world, "authentication_failure", "mfa")
    world.pass_time(HOUR)

    assert world.rollback.status is RollbackStatus.SUCCEEDED
    assert shifted_functions(world) == set(SIGNING_IN)
    assert live_resources(world)["mfa"] == "ENABLED"
    assert world.find_violated_invariants() == []


def test_settings_that_own_probes_alone_see_are_asked_about_at_once() -> None:
    """People are asked about settings in any case: nobody waits for a second source before."""
    world = build_healthy_shop()
    deploy_bad_release(world, "identity")
    world.ports.prober.down = lambda probe: probe == "shop" and live_resources(world)["mfa"] != "ENABLED"

    world.alert("probe:bookshop:1", signal="authentication_failure")
    world.settle()

    rollback = world.rollback
    assert rollback.status is RollbackStatus.PARKED
    assert "still true: no second source: 1 probe fails" in rollback.outcome
    assert "approval: every changed part needs approval" in rollback.outcome


def test_sign_in_that_fails_without_a_change() -> None:
    """That is an attack, or an outage elsewhere: people are told, and nothing goes back."""
    world = build_healthy_shop()
    world.advance_clock(HOUR)

    start_outage(world, "authentication_failure")
    world.pass_time(5 * MINUTE)

    rollback = world.rollback
    assert (rollback.status, rollback.outcome) == (
        RollbackStatus.NOT_TAKEN,
        "cause: nothing changed since v1",
    )
    assert world.incident.status is IncidentStatus.ESCALATED
    assert world.ports.beside.effects == []


def test_a_dropped_index() -> None:
    """It is made again at once, where the policy says no more than that; no data moves."""
    world = build_healthy_shop()
    deploy_bad_release(world, "indexes")

    start_outage(world, "database_failure_rate", "indexes")
    world.pass_time(HOUR)

    assert live_resources(world)["indexes"] == [CARTS]
    assert world.newest_rollback.status is RollbackStatus.SUCCEEDED


def test_a_database_that_fails_without_a_change() -> None:
    """Nothing of ours explains it: a person is told, and data stays where it is."""
    world = build_healthy_shop()
    world.advance_clock(HOUR)

    start_outage(world, "database_failure_rate")
    world.pass_time(5 * MINUTE)

    assert world.newest_rollback.outcome == "cause: nothing changed since v1"
    assert world.ports.beside.effects == []


@pytest.mark.parametrize(
    ("order", "site", "colour", "functions"),
    [({}, "v2", "red", set()), ({"groups": ["authentication"]}, "v2", "blue", set(SIGNING_IN))],
)
def test_a_feature(order: dict[str, Any], site: str, colour: str, functions: set[str]) -> None:
    """A group of functions that is named, or the configuration: nothing else goes back."""
    world = build_healthy_shop()
    deploy_bad_release(world, "functions", "sites", "remote_config")

    world.send_command("rollback", scenario="feature", **order)
    world.pass_time(20 * MINUTE)

    assert (live_resources(world)["site"], shifted_functions(world)) == (site, functions)
    assert colour in str(live_resources(world)["colour"])
    assert world.newest_rollback.status is RollbackStatus.SUCCEEDED


def test_a_feature_that_fails_where_a_policy_names_its_scenario() -> None:
    """People are asked about the group that fails; every other function stays as it is."""
    asked = {"severity": Severity.MEDIUM, "mode": Mode.ASK}
    world = build_healthy_shop(performance_degraded=asked)
    deploy_bad_release(world, "signing in")

    world.alert(signal="performance_degraded")
    world.settle()
    assert world.newest_rollback.status is RollbackStatus.PARKED
    approve_rollback(world, "alice")
    world.pass_time(20 * MINUTE)

    assert world.rollbacks()[-1].status is RollbackStatus.SUCCEEDED
    assert shifted_functions(world) == set(SIGNING_IN)


def test_settings_that_were_changed_as_it_began() -> None:
    """No look can tell what was first: a person answers, with the whole plan before them."""
    world = build_healthy_shop()
    world.pass_time(MINUTE)
    began = world.now
    deploy_bad_release(world, "identity", "signing in")

    world.ports.prober.down = lambda probe: probe == "shop" and live_resources(world)["mfa"] != "ENABLED"
    world.alert(signal="authentication_failure", started_at=began)
    world.settle()

    assert world.newest_rollback.status is RollbackStatus.PARKED
    assert "no look can tell" in world.newest_rollback.outcome
    assert shifted_functions(world) == set()
    approve_rollback(world, "alice", "bob")
    world.pass_time(HOUR)
    assert (shifted_functions(world), live_resources(world)["mfa"]) == (set(SIGNING_IN), "ENABLED")
