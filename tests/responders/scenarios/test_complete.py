"""Everything goes back: sites, settings and rules beside the functions, asked about or at once."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from responders.scenarios.registry import NEW_CLIENTS_WARNING
from shared.domain.deployments.deployment import DeploymentStatus
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.decision.outages import notice_texts
from tests.support.rollbacks.bookshop_resources import (
    ASKING_SHOP,
    SHOP,
    build_healthy_shop,
    deploy_bad_release,
)
from tests.support.rollbacks.complete_scenario import (
    HOUR,
    MINUTE,
    approve_rollback,
    live_resources,
    read_deployments,
    start_outage,
)
from tests.support.rollbacks.deployments import publish_audit_hint


def test_a_bad_site() -> None:
    """The version of before is released at once, verified, watched; what was bad stays bad."""
    world = build_healthy_shop()
    stable = world.live
    deploy_bad_release(world, "sites")

    start_outage(world, "frontend_unavailable", "site")
    world.pass_time(HOUR)

    assert live_resources(world)["site"] == "v1"
    assert world.live == stable
    rollback = world.rollback
    assert rollback.status is RollbackStatus.SUCCEEDED
    unmeasured = "not known to be over: frontend unavailable"
    assert rollback.outcome == f"no regression of what it changed, {unmeasured}"
    assert {name: it.status for name, it in read_deployments(world).items()} == {
        "v1": DeploymentStatus.STABLE,
        "bad": DeploymentStatus.BAD,
    }
    assert world.incident.status is IncidentStatus.INVESTIGATING


def test_what_no_check_observes_to_recover_is_never_resolved() -> None:
    """A log entry matched: the functions are verified, and nobody observed that the site works."""
    world = build_healthy_shop()
    deploy_bad_release(world, "sites")
    start_outage(world, "frontend_unavailable", "site")
    world.pass_time(HOUR)
    waiting = world.incident

    world.advance_clock(world.policy.gates.unobserved_after)
    world.pass_time(2 * MINUTE)

    assert (waiting.status, waiting.ended_at) == (IncidentStatus.INVESTIGATING, None)
    assert world.incident.status is IncidentStatus.RECOVERY_NOT_OBSERVED
    assert not any("works again" in text for text in notice_texts(world, "incident.recovery-not-observed"))


def test_everything_at_once() -> None:
    """Sites before functions, configuration beside them; rules and identity are asked about."""
    world = build_healthy_shop()
    stable = world.live
    deploy_bad_release(world, "functions", "sites", "remote_config", "rules", "identity", "indexes")

    start_outage(world, "frontend_unavailable", "site", "mfa")
    world.pass_time(MINUTE)

    assert world.live == stable
    assert (live_resources(world)["site"], "red" in str(live_resources(world)["colour"])) == ("v1", True)
    assert (live_resources(world)["rules"], live_resources(world)["mfa"]) == ("r2", "DISABLED")
    first, second = world.rollbacks()
    steps = world.steps(first.id)
    first_of_all = [one for one in steps.values() if not one.after]
    assert {one.name for one in first_of_all} == {"release shop", "publish firebase template"}
    assert (first.status, second.status) == (RollbackStatus.SUCCEEDED, RollbackStatus.PARKED)
    assert any("release rules cloud.firestore" in text for text in notice_texts(world, "rollback.parked"))
    approve_rollback(world, "alice", "bob")
    world.pass_time(HOUR)
    assert (live_resources(world)["rules"], live_resources(world)["mfa"]) == ("r1", "ENABLED")
    assert live_resources(world)["indexes"] == []  # what stands between code and data is another scenario's
    assert world.find_violated_invariants() == []
    assert world.incident.status is IncidentStatus.INVESTIGATING


@pytest.mark.parametrize("part", ["site", "colour"])
def test_what_a_person_has_changed_during_the_incident(part: str) -> None:
    """Whoever repairs it forward is not disturbed; all else goes back, and the plan says so."""
    world = build_healthy_shop()
    estate = world.ports.beside
    stable = world.live
    deploy_bad_release(world, "functions", "sites", "remote_config")
    until = world.now + HOUR
    world.carry_out("freeze", until=until.isoformat())
    world.ports.prober.down = lambda probe: probe == "shop" and world.live != stable
    world.alert(signal="frontend_unavailable")
    world.pass_time(MINUTE)

    if part == "site":
        now = world.now
        estate.statuses["shop", "v3"] = "FINALIZED"
        estate.sites["shop"] = replace(estate.sites["shop"], version="v3", released_at=now)
    else:
        publish_audit_hint(world)  # what was there before is seen once more, after the detection
        world.settle()
        world.advance_clock(timedelta(seconds=10))
        estate.land_template('{"parameters":{"colour":"green"}}')
    publish_audit_hint(world)
    world.settle()
    world.send_command("unfreeze")
    world.pass_time(5 * MINUTE)

    theirs = {"site": "v3"} if part == "site" else {"colour": '{"parameters":{"colour":"green"}}'}
    ours = {"site": "v1", "colour": '{"parameters":{"colour":"red"}}'}
    assert world.live == stable
    assert {name: live_resources(world)[name] for name in ours} == {**ours, **theirs}
    plan = world.rollback.plan
    assert plan is not None
    assert any("changed manually, kept until" in line for line in plan.reported)
    assert "changed manually" in str(notice_texts(world, "suspended"))


@pytest.mark.parametrize("word", ["reject", "nobody"])
def test_what_asks_is_not_wanted(word: str) -> None:
    """What went back at once stays back, what asked is left, and a person has the incident."""
    world = build_healthy_shop()
    deploy_bad_release(world, "sites", "rules")
    start_outage(world, "frontend_unavailable", "rules")
    world.pass_time(MINUTE)
    incident = world.incident
    if word == "reject":
        world.send_command("reject", incident=incident.id)

    world.pass_time(HOUR)

    assert (live_resources(world)["site"], live_resources(world)["rules"]) == ("v1", "r2")
    assert [it.status for it in world.rollbacks()] == [RollbackStatus.SUCCEEDED, RollbackStatus.NOT_TAKEN]
    assert world.incident.status is IncidentStatus.ESCALATED


def test_well_without_what_asks() -> None:
    """It is watched first, and what is left is asked about after that."""
    world = build_healthy_shop()
    deploy_bad_release(world, "sites", "rules")
    start_outage(world, "frontend_unavailable", "site")

    world.pass_time(MINUTE)
    during = [one.status for one in world.rollbacks()]
    world.pass_time(20 * MINUTE)

    assert during == [RollbackStatus.WATCHING] or during == [RollbackStatus.VERIFYING]
    assert [one.status for one in world.rollbacks()] == [RollbackStatus.SUCCEEDED, RollbackStatus.PARKED]


def test_a_version_that_is_gone() -> None:
    """It cannot be gone back to: a person is told at once, and why."""
    world = build_healthy_shop()
    deploy_bad_release(world, "sites")
    del world.ports.beside.statuses["shop", "v1"]

    start_outage(world, "frontend_unavailable")

    rollback = world.rollback
    assert rollback.status is RollbackStatus.NOT_TAKEN
    assert "v1 is gone: it cannot be released" in rollback.outcome
    [text, *_] = [str(sent.notice["text"]) for sent in world.sent_notices if "rollback.escalated" in sent.key]
    prepared = f"rollback run --system {world.policy.system} --scenario complete --target v1"
    assert f"{prepared} --reason {rollback.incident}" in text
    assert '"scenario":"complete"' in text


@pytest.mark.parametrize("works", [True, False])
def test_a_new_client_against_old_functions(works: bool) -> None:
    """A site that stays new is probed once the functions behind it are old: that is the verdict."""
    world = build_healthy_shop()
    stable = world.live
    deploy_bad_release(world, "functions", "sites")
    del world.ports.beside.statuses["shop", "v1"]
    world.ports.prober.down = lambda probe: probe == "shop" and not (works and world.live == stable)

    world.alert(signal="frontend_unavailable")
    world.settle()
    world.pass_time(HOUR)

    rollback = world.newest_rollback
    assert (world.live, live_resources(world)["site"]) == (stable, "v2")
    assert rollback.plan is not None
    assert NEW_CLIENTS_WARNING in rollback.plan.reported
    assert rollback.status is (RollbackStatus.SUCCEEDED if works else RollbackStatus.FAILED)
    assert works or rollback.outcome.endswith("probes failed: shop")


@pytest.mark.parametrize(
    ("others", "scenario"),
    [
        (("authentication_failure",), ScenarioName.COMPLETE),
        (("database_failure_rate",), ScenarioName.COMPLETE),
        (("performance_degraded",), ScenarioName.FUNCTIONS),
        ((), ScenarioName.FUNCTIONS),
    ],
)
def test_triggers_that_come_together(others: tuple[str, ...], scenario: ScenarioName) -> None:
    """Functions and sign-in, or the database, at once: that is no matter of one of them alone."""
    world = build_healthy_shop()
    deploy_bad_release(world, "functions", "sites")
    world.ports.prober.down = lambda probe: probe == "shop" and live_resources(world)["site"] != "v1"

    world.alert("0.functions")
    for signal in others:
        world.alert(f"0.{signal}", signal=signal)
    world.settle()

    plan = world.rollback.plan
    assert plan is not None
    assert plan.scenario is scenario


def test_a_breach_that_is_declared() -> None:
    """Whatever seems well, two people are asked about all that changed."""
    world = build_healthy_shop()
    deploy_bad_release(world, "sites", "rules", "identity")

    world.alert(signal="security_breach")
    world.pass_time(MINUTE)

    assert world.newest_rollback.status is RollbackStatus.PARKED
    assert (live_resources(world)["site"], live_resources(world)["rules"]) == ("v2", "r2")
    approve_rollback(world, "alice", "bob")
    world.pass_time(HOUR)
    assert (live_resources(world)["site"], live_resources(world)["rules"], live_resources(world)["mfa"]) == (
        *("v1", "r1"),
        "ENABLED",
    )


def test_a_breach_that_a_policy_answers_at_once() -> None:
    """Code goes back unasked where the signal's mode is `act`; older rules wait for people."""
    world = build_healthy_shop(security_breach={"mode": Mode.ACT})
    deploy_bad_release(world, "functions", "sites", "rules")

    world.alert(signal="security_breach")
    world.pass_time(10 * MINUTE)

    first, second = world.rollbacks()
    assert (first.status, second.status) == (RollbackStatus.SUCCEEDED, RollbackStatus.PARKED)
    assert (live_resources(world)["site"], live_resources(world)["rules"]) == ("v1", "r2")


def test_a_database_that_a_policy_counts_as_the_whole_system() -> None:
    """The loss of the database alone leads to the scenario that the policy names for it."""
    world = build_healthy_shop(database_failure_rate={"scenario": ScenarioName.COMPLETE})
    deploy_bad_release(world, "functions", "sites")

    start_outage(world, "database_failure_rate", "site")
    world.pass_time(20 * MINUTE)

    rollback = world.rollback
    assert rollback.plan is not None
    assert rollback.plan.scenario is ScenarioName.COMPLETE
    assert (rollback.status, live_resources(world)["site"]) == (RollbackStatus.SUCCEEDED, "v1")


def test_a_barrier_before_everything() -> None:
    """Nobody goes back past it by machine: a person is asked, with the whole plan."""
    world = build_healthy_shop()
    deploy_bad_release(world, "sites", "rules")
    world.carry_out("mark-barrier", deployment="bad")

    start_outage(world, "frontend_unavailable", "site")

    assert world.newest_rollback.status is RollbackStatus.PARKED
    assert "barrier" in world.newest_rollback.outcome
    assert live_resources(world)["site"] == "v2"


@pytest.mark.parametrize(
    ("signal", "parts", "asks"),
    [
        ("frontend_unavailable", ("sites", "rules"), "bad changed rules, which would stay"),
        ("frontend_unavailable", ("sites", "indexes"), "bad changed indexes, which would stay"),
        ("frontend_unavailable", ("sites", "remote_config"), ""),
        ("database_failure_rate", ("functions", "indexes"), ""),
        ("database_failure_rate", ("functions", "rules"), "bad changed rules, which would stay"),
    ],
)
def test_configuration_that_changed_with_the_bad_release(
    signal: str, parts: tuple[str, ...], asks: str
) -> None:
    """Automation asks before old code meets rules or indexes that the scenario does not restore."""
    world = build_healthy_shop(policy=ASKING_SHOP)
    deploy_bad_release(world, *parts)

    start_outage(world, signal, "site")

    rollback = world.newest_rollback
    assert (rollback.status is RollbackStatus.PARKED, rollback.outcome) == (
        bool(asks),
        asks and f"barrier: {asks}",
    )


def test_an_order_passes_over_configuration() -> None:
    """Whoever orders it has been shown what stays."""
    world = build_healthy_shop(policy=ASKING_SHOP)
    deploy_bad_release(world, "sites", "indexes")

    world.carry_out("rollback", scenario="complete")

    assert live_resources(world)["site"] == "v1"


def test_every_function_failing_as_one() -> None:
    """All at 100 % is no matter of functions alone: all that changed goes back."""
    world = build_healthy_shop()
    deploy_bad_release(world, "sites")
    world.platform.deploy(None, failure_rate=1.0)
    world.announce("worse")
    world.settle()
    world.advance_clock(10 * MINUTE)

    start_outage(world, "function_failure_rate", "site")
    world.pass_time(HOUR)

    plan = world.rollback.plan
    assert plan is not None
    assert plan.scenario is ScenarioName.COMPLETE
    assert live_resources(world)["site"] == "v1"
    assert world.newest_rollback.status is RollbackStatus.SUCCEEDED


def test_an_order_for_everything() -> None:
    """A person answers for the cause; what asks in any case is asked about after it."""
    world = build_healthy_shop()
    deploy_bad_release(world, "sites", "rules")

    world.send_command("rollback", scenario="complete")
    world.pass_time(20 * MINUTE)

    assert (live_resources(world)["site"], live_resources(world)["rules"]) == ("v1", "r2")
    assert [one.status for one in world.rollbacks()] == [RollbackStatus.SUCCEEDED, RollbackStatus.PARKED]


def test_an_order_that_confirms_itself() -> None:
    """One person's word is enough where one person is asked; rules wait for a second one."""
    world = build_healthy_shop()
    deploy_bad_release(world, "sites", "rules")

    world.send_command("rollback", scenario="complete", auto_confirm=True)
    world.pass_time(20 * MINUTE)

    assert (live_resources(world)["site"], live_resources(world)["rules"]) == ("v1", "r2")
    approve_rollback(world, "alice", "bob")
    world.pass_time(HOUR)
    assert live_resources(world)["rules"] == "r1"
    assert [one.status for one in world.rollbacks()] == [RollbackStatus.SUCCEEDED, RollbackStatus.SUCCEEDED]


def test_an_order_that_confirms_itself_for_rules_too() -> None:
    """The owner's way, `gates.security_approval: false`: `--auto-confirm` restores all of it."""
    world = build_healthy_shop(policy=replace(SHOP, gates=replace(SHOP.gates, security_approval=False)))
    deploy_bad_release(world, "sites", "rules")

    world.send_command("rollback", scenario="complete", auto_confirm=True)
    world.pass_time(HOUR)

    assert (live_resources(world)["site"], live_resources(world)["rules"]) == ("v1", "r1")
    assert [one.status for one in world.rollbacks()] == [RollbackStatus.SUCCEEDED]


def test_an_order_for_what_is_there_already() -> None:
    """Nothing is done, and that is said."""
    world = build_healthy_shop()

    world.carry_out("rollback", scenario="complete")

    assert world.newest_rollback.outcome == "everything asked for is at its target already"
