"""After the last shift: the checks of the policy, the hour before the trouble, and the alerts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared import incident, rollback
from shared.choices import choices
from shared.health import ProbeAnswer
from shared.policy import Probe, ProbeAccount
from tests.world import BOOKSHOP, World

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
FAILED = ProbeAnswer(False, 500)
SIGN_IN = Probe("sign-in", "https://shop.bookshop.example/sign-in")
POLICY = replace(BOOKSHOP, probes=(*BOOKSHOP.probes, SIGN_IN))


def rolled_back(world: World) -> rollback.Rollback:
    """The one rollback, an hour after the alert about a bad release of everything."""
    world.deploy_bad()
    world.alert()
    world.pass_time(HOUR)
    [one] = world.rollbacks()
    return one


def test_the_checks_of_the_policy_are_told_by_name() -> None:
    """Verified means that each of them works, after the last shift, and says so."""
    world = World()

    one = rolled_back(world)

    assert one.status is rollback.Status.SUCCEEDED
    [told] = [
        str(event.facts["note"])
        for entry in world.trail(one)
        for event in entry.events
        if event.name == "rollback.verified"
    ]
    assert "checked: catalogue, checkout" in told
    assert one.shifted_at is not None
    assert one.confirmed_at is not None
    assert one.confirmed_at - one.shifted_at <= 3 * MINUTE


def test_a_probe_that_fails_after_the_last_shift() -> None:
    """After 3 minutes it is not restored, whatever routers will count: a person is told."""
    world = World(policy=POLICY)
    world.ports.prober.answers["sign-in"] = FAILED

    one = rolled_back(world)

    assert one.status is rollback.Status.FAILED
    assert "sign-in" in one.outcome
    assert one.confirmed_at is None
    assert one.shifted_at is not None
    assert one.ended_at is not None
    assert 3 * MINUTE <= one.ended_at - one.shifted_at < 4 * MINUTE


def test_a_test_account_that_is_refused_after_the_last_shift() -> None:
    """Every address answers, and nobody is signed in: not restored, and a person is told."""
    account = ProbeAccount("probe@shop.example", password_secret="p", api_key_secret="k")
    signing_in = Probe("signing in", sign_in=account)
    world = World(policy=replace(BOOKSHOP, probes=(*BOOKSHOP.probes, signing_in)))
    world.ports.prober.refused.add(account.email)

    one = rolled_back(world)

    assert one.status is rollback.Status.FAILED
    assert "signing in" in one.outcome


def test_how_it_was_before_is_recorded_with_the_decision() -> None:
    """The hour before the bad release, not the minutes after it."""
    world = World()
    world.pass_time(HOUR)

    one = rolled_back(world)

    assert one.baseline is not None
    assert one.baseline.requests is not None
    assert one.baseline.requests.total > 0
    assert one.baseline.requests.failed == 0


@pytest.mark.parametrize(("rate", "ends_well"), [(0.04, True), (0.09, False)])
def test_a_regression_that_only_the_hour_before_shows(rate: float, ends_well: bool) -> None:
    """No function fails by itself; more than before fails all the same: escalated, not flipped."""
    world = World()
    world.pass_time(HOUR)
    world.deploy_bad()
    world.alert()
    world.pass_time(10 * MINUTE)
    assert world.rollbacks()[0].status is rollback.Status.WATCHING
    stable = world.live

    for function, service in world.ports.world.services().items():
        [serving] = world.live[function]
        world.ports.world.set_failure_rate(service.function, serving, rate)
    world.pass_time(HOUR)

    [one] = world.rollbacks()
    assert world.live == stable
    [trouble] = world.incidents()
    if ends_well:
        assert one.status is rollback.Status.SUCCEEDED
    else:
        assert one.status is rollback.Status.FAILED
        assert "worse than before" in one.outcome
        assert trouble.status is incident.Status.ESCALATED


@pytest.mark.parametrize(
    ("is_open", "outcome", "becomes"),
    [
        (False, "stable through the watch", incident.Status.RESOLVED),
        (
            True,
            "stable through the watch, not over: function_failure_rate",
            incident.Status.ESCALATED,
        ),
    ],
)
def test_an_alert_whose_condition_is_not_over_at_the_end(
    is_open: bool, outcome: str, becomes: incident.Status
) -> None:
    """Cloud Monitoring is asked, whatever it notified of; what still stands waits for a person."""
    world = World()
    world.ports.alerts.open["0.abc"] = True
    world.deploy_bad()
    world.alert()
    world.pass_time(10 * MINUTE)

    world.ports.alerts.open["0.abc"] = is_open
    world.pass_time(HOUR)

    [one] = world.rollbacks()
    [trouble] = world.incidents()
    assert (one.status, one.outcome) == (rollback.Status.SUCCEEDED, outcome)
    assert trouble.status is becomes
    if becomes is incident.Status.ESCALATED:
        assert choices(trouble, one) == ("undo", "accept", "ack")
