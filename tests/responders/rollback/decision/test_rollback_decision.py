"""What is decided in a whole world, and how that changes while it is looked at again."""

import json
from collections.abc import Collection
from datetime import timedelta
from functools import partial

import pytest

from shared.core.errors import Unavailable
from shared.core.store import Update
from shared.domain.deployments.deployment import DeploymentStatus
from shared.domain.deployments.inventory.traffic import TrafficTarget
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.rollback.plan import StepStatus
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.decision.outages import (
    ABOUT_GET_BOOK,
    make_function_fail,
    notice_texts,
    raise_probe_alarm,
    record_live_deployment,
    set_failure_rate,
    shifted_functions,
)
from tests.support.fakes.runtime.hooks import no_hook, raise_error
from tests.support.runtime.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
CATALOGUE = BOOKSHOP.groups["catalogue"].functions
STOREFRONT = BOOKSHOP.groups["storefront"].functions
CHECKOUT = BOOKSHOP.groups["checkout"].functions


def test_an_outage_without_a_change() -> None:
    """No cause, no rollback: people are told at once, and what they could do."""
    world = World()
    for function in world.policy.functions:
        make_function_fail(world, function)
    world.advance_clock(10 * MINUTE)

    world.alert()
    world.pass_time(5 * MINUTE)

    assert shifted_functions(world) == set()
    rollback = world.rollback
    assert (rollback.status, rollback.outcome) == (
        RollbackStatus.NOT_TAKEN,
        "cause: nothing changed since v1",
    )
    [text, *_] = notice_texts(world, "rollback.escalated")
    assert "rollback run --system bookshop --target v1 --reason INC-" in text
    assert "gcloud pubsub topics publish" in text


@pytest.mark.parametrize("functions", [None, CATALOGUE], ids=["all", "a group"])
def test_an_alert_one_minute_after_a_bad_deploy(functions: tuple[str, ...] | None) -> None:
    """Right target and scope, though the points of the bad minutes are not there yet."""
    world = World()
    stable = world.live
    world.advance_clock(HOUR)
    world.platform.deploy(functions, failure_rate=0.8)
    world.advance_clock(MINUTE)

    world.alert(started_at=world.now)
    world.pass_time(HOUR)

    assert world.live == stable
    assert shifted_functions(world) == set(functions or world.policy.functions)
    assert world.rollback.status is RollbackStatus.SUCCEEDED


def test_an_outage_while_a_release_is_rolled_out() -> None:
    """The functions that the release reaches last fail before it does: people are asked."""
    world = World()
    world.advance_clock(HOUR)
    world.platform.deploy(CATALOGUE)
    set_failure_rate(world, 0.9)
    for functions in (STOREFRONT, CHECKOUT):
        world.advance_clock(2 * MINUTE)
        world.platform.deploy(functions, failure_rate=0.9)
    world.advance_clock(MINUTE)

    world.alert(started_at=world.now)
    world.pass_time(HOUR)

    assert shifted_functions(world) == set()
    assert "what fails failed before its release: " in str(world.rollback.gates)


def test_late_metrics() -> None:
    """What is unknown at first is looked at again each half minute, and then acted on."""
    world = World()
    stable = world.live
    world.deploy_bad(CATALOGUE[1:])  # no probe asks these
    world.ports.counts.hook = raise_error("metrics.requests", Unavailable("no answer"))
    world.alert()
    world.pass_time(MINUTE)
    before = world.rollback
    world.ports.counts.hook = no_hook
    world.pass_time(HOUR)

    assert before.status is RollbackStatus.DECIDING
    assert world.live == stable
    assert world.events(world.rollback).count("decision.held") >= 2


def test_a_late_hint() -> None:
    """Traffic moved by hand: it holds until a record tells that it was before the trouble."""
    world = World()
    stable = world.live
    pin(world, stable)
    world.platform.deploy(failure_rate=0.8)
    world.advance_clock(timedelta(days=1))
    pin(world, {name: {f"{name.lower()}-00002": 100} for name in stable})
    world.advance_clock(5 * MINUTE)

    world.alert()
    world.pass_time(MINUTE)
    before = world.rollback
    record_live_deployment(world, "v2", DeploymentStatus.LIVE, 6 * MINUTE)
    world.pass_time(HOUR)

    assert before.status is RollbackStatus.DECIDING
    assert "not known (yet) whether traffic was moved" in str(before.gates)
    assert world.live == stable


def test_a_release_during_a_look() -> None:
    """A look that began before the release records when it observed the shifted traffic."""
    world = World()
    stable = world.live
    pin(world, stable)
    world.pass_time(HOUR)
    during_the_look = iter([partial(release_by_name, world, stable)])
    world.platform.meanwhile = lambda: next(during_the_look, lambda: None)()
    announce_release(world)
    world.advance_clock(10 * MINUTE)

    world.alert()
    world.pass_time(HOUR)

    assert world.live == stable
    assert world.rollback.status is RollbackStatus.SUCCEEDED


def test_a_look_during_a_roll_out() -> None:
    """Functions that the roll-out reached after the first look are rolled back too."""
    world = World()
    stable = world.live
    pin(world, stable)
    world.pass_time(HOUR)
    world.platform.deploy(CATALOGUE)
    announce_release(world)
    world.advance_clock(MINUTE)
    release_by_name(world, STOREFRONT + CHECKOUT)
    announce_release(world)
    world.advance_clock(10 * MINUTE)

    world.alert()
    world.pass_time(HOUR)

    assert shifted_functions(world) == {*STOREFRONT, *CHECKOUT}
    assert world.live == stable


def test_a_roll_out_that_goes_on_after_the_trouble_began() -> None:
    """What it reaches later does not make unknown when the failing functions changed."""
    world = World()
    stable = world.live
    pin(world, stable)
    world.pass_time(HOUR)
    world.platform.deploy(CATALOGUE)
    announce_release(world)
    world.advance_clock(MINUTE)
    release_by_name(world, STOREFRONT)
    announce_release(world)
    world.advance_clock(4 * MINUTE)
    began = world.now - 2 * MINUTE
    release_by_name(world, CHECKOUT)
    announce_release(world)

    world.alert(started_at=began)
    world.pass_time(HOUR)

    assert world.live == stable
    assert world.rollback.status is RollbackStatus.SUCCEEDED


def test_traffic_that_was_moved_to_an_old_revision_after_the_trouble_began() -> None:
    """A person's remedy is no cause, also where a roll-out was going on: it stays."""
    world = World()
    stable = world.live
    pin(world, stable)
    world.platform.deploy(STOREFRONT)
    pin(world, {name: stable[name] for name in STOREFRONT})
    world.pass_time(4 * HOUR)
    world.platform.deploy(CATALOGUE)
    announce_release(world)
    world.advance_clock(5 * MINUTE)
    began = world.now - 2 * MINUTE
    for function in STOREFRONT:
        make_function_fail(world, function)
    remedy = {name: {f"{name.lower()}-00002": 100} for name in STOREFRONT}
    pin(world, remedy)
    announce_release(world)

    world.alert(started_at=began)
    world.pass_time(HOUR)

    assert shifted_functions(world) == set()
    assert {name: world.live[name] for name in STOREFRONT} == remedy


def announce_release(world: World) -> None:
    """CI tells of v2, and what is live then is recorded."""
    world.announce("v2")
    world.settle()


def release_by_name(world: World, functions: Collection[str]) -> None:
    """Deploy a bad release, and shift all traffic to its revisions by their names."""
    world.advance_clock(timedelta(seconds=5))
    world.platform.deploy(list(functions), failure_rate=0.8)
    pin(world, {name: {f"{name.lower()}-00002": 100} for name in functions})


def pin(world: World, live: dict[str, dict[str, int]]) -> None:
    """A person sends all traffic to these revisions."""
    for function, shares in live.items():
        targets = tuple(TrafficTarget(name, percent) for name, percent in shares.items())
        world.platform.change_by_hand(function, targets)
    world.advance_clock(MINUTE)


def test_a_freeze_that_is_lifted() -> None:
    """Nothing is changed while it stands; once it is lifted in time, what is due is done."""
    world = World()
    stable = world.live
    until = world.now + HOUR
    world.carry_out("freeze", until=until.isoformat())
    world.deploy_bad()
    world.alert()
    world.pass_time(MINUTE)
    before = world.rollback

    world.send_command("unfreeze")
    world.pass_time(HOUR)

    assert before.status is RollbackStatus.DECIDING
    assert world.live == stable


def test_a_freeze_that_stands() -> None:
    """A person is told in time, with the prepared plan."""
    world = World()
    until = world.now + 3 * HOUR
    world.carry_out("freeze", until=until.isoformat())
    world.deploy_bad()

    world.alert()
    world.pass_time(4 * MINUTE)

    assert shifted_functions(world) == set()
    assert world.incident.status is IncidentStatus.ESCALATED
    [text, *_] = notice_texts(world, "rollback.escalated")
    assert "freeze: frozen by" in text
    assert "prepared: back to v1, 8 functions" in text
    assert "getBook: getbook-00002 → getbook-00001" in text


def test_two_bad_deploys_in_a_row() -> None:
    """Back past both, to the last stable one."""
    world = World()
    stable = world.live
    world.deploy_bad(CATALOGUE)
    record_live_deployment(world, "v2", DeploymentStatus.LIVE, 10 * MINUTE)
    world.deploy_bad()
    record_live_deployment(world, "v3", DeploymentStatus.LIVE, 10 * MINUTE)

    world.alert()
    world.pass_time(HOUR)

    assert world.live == stable
    rollback = world.rollback
    assert rollback.plan is not None
    assert rollback.plan.target == "v1"


def test_a_bad_release_that_was_called_stable() -> None:
    """It is not the way back: the one before it is, and a person is asked."""
    world = World()
    world.advance_clock(HOUR)
    world.deploy_bad()
    record_live_deployment(world, "v2", DeploymentStatus.STABLE, 10 * MINUTE)

    world.alert()
    world.pass_time(5 * MINUTE)

    rollback = world.rollback
    assert rollback.status is RollbackStatus.PARKED
    assert rollback.question is not None
    assert rollback.question.plan.target == "v1"
    assert "v2 is stable too, and serves what fails" in rollback.question.reason


def test_unchanged_functions_that_fail_alike() -> None:
    """What changed is not what separates the ill from the well."""
    world = World()
    world.deploy_bad(CATALOGUE)
    for function in set(world.policy.functions) - set(CATALOGUE):
        make_function_fail(world, function)
    world.advance_clock(5 * MINUTE)

    world.alert()
    world.pass_time(5 * MINUTE)

    assert shifted_functions(world) == set()
    assert world.rollback.outcome.startswith("external cause: 100% of the unchanged")


def test_a_barrier_between() -> None:
    """A person is asked, with the reason that was given for it."""
    world = World()
    world.deploy_bad()
    record_live_deployment(world, "v2", DeploymentStatus.LIVE, 10 * MINUTE, barrier="orders were migrated")

    world.alert()
    world.pass_time(5 * MINUTE)

    rollback = world.rollback
    assert rollback.status is RollbackStatus.PARKED
    assert rollback.question is not None
    assert rollback.question.reason == "barrier: v2 (orders were migrated)"


def test_the_revision_to_go_back_to_was_cleaned_up() -> None:
    """That function is built again, which the plan says; nothing is shifted to what is gone."""
    world = World()
    stable = world.live
    world.deploy_bad()
    world.platform.delete_revision("payOrder", "payorder-00001")

    world.alert()
    world.pass_time(5 * MINUTE)

    rollback = world.rollback
    assert rollback.plan is not None
    assert any("payOrder is rebuilt" in line for line in rollback.plan.reported)
    assert "shift payOrder" not in world.steps(rollback.id)
    assert world.live == stable | {"payOrder": {"payorder-00003": 100}}


def test_the_only_look_in_time_gets_no_answer() -> None:
    """Where no worker came before the time to decide was over, the first look is not the last."""
    world = World()
    stable = world.live
    world.deploy_bad(CATALOGUE[1:])  # no probe asks these
    world.alert()
    [notification] = world.waiting()
    world.deliver(notification)
    world.ports.bus.messages.clear()
    world.advance_clock(10 * MINUTE)
    world.ports.counts.hook = raise_error("metrics.requests", Unavailable("no answer"))
    world.pass_time(MINUTE / 2)
    before = world.rollback
    world.ports.counts.hook = no_hook
    world.pass_time(HOUR)

    assert before.status is RollbackStatus.DECIDING
    assert before.decide_by is not None
    assert before.created_at + 10 * MINUTE > before.decide_by
    assert world.live == stable
    assert world.events(world.rollback).count("decision.held") == 1


def test_an_alert_that_stays_true_and_inconclusive() -> None:
    """Judged again each half minute, and escalated when its time to be decided is over."""
    world = World()
    world.ports.counts.rates = dict.fromkeys(world.policy.functions, 0.0)
    world.deploy_bad(rate=0.0)
    world.ports.alerts.open["0.abc"] = True

    world.alert()
    world.pass_time(5 * MINUTE)

    rollback = world.rollback
    looks = world.events(rollback).count("decision.held")
    assert looks >= 4
    assert rollback.outcome == "cause: what fails is not known yet, until the time to decide was over"
    incident = world.incident
    escalated = incident.timeline[-1].at - incident.detected_at
    assert 3 * MINUTE <= escalated <= 3 * MINUTE + MINUTE / 2


def test_what_own_probes_alone_see_is_asked_about() -> None:
    """Nothing moves until a second source sees it; one that joins the question answers it."""
    world = World()
    stable = world.live
    raise_probe_alarm(world)
    world.pass_time(2 * MINUTE)
    waiting = world.rollback
    world.pass_time(2 * MINUTE)

    asked = world.rollback
    assert waiting.status is RollbackStatus.DECIDING
    assert world.events(asked).count("decision.held") >= 4
    assert asked.status is RollbackStatus.PARKED
    text, *_ = notice_texts(world, "rollback.parked")
    assert "no second source: 1 probe fails; request counts show 0 failing functions" in text
    assert shifted_functions(world) == set()

    world.alert("0.abc", resource=ABOUT_GET_BOOK)
    world.pass_time(5 * MINUTE)

    assert world.live == stable
    assert not world.rollback.approvals


@pytest.mark.parametrize("second", [False, True])
def test_what_own_probes_alone_see_while_automation_only_observes(second: bool) -> None:
    """The page calls it an outage once a second source sees it, or once its time is over."""
    world = World(promoted=False)
    raise_probe_alarm(world)
    world.pass_time(2 * MINUTE)
    waiting = world.incident
    if second:
        world.alert("0.abc", resource=ABOUT_GET_BOOK)
        world.pass_time(MINUTE / 2)
    else:
        world.pass_time(2 * MINUTE)

    [judged], [response] = world.incidents(), world.rollbacks()
    assert (waiting.status, waiting.is_unconfirmed) == (IncidentStatus.DETECTED, True)
    assert (judged.status, judged.is_unconfirmed) == (IncidentStatus.INVESTIGATING, False)
    assert response.status is RollbackStatus.NOT_TAKEN
    assert shifted_functions(world) == set()


@pytest.mark.parametrize("second", [False, True])
def test_a_warning_that_one_source_alone_sees(second: bool) -> None:
    """Nobody is asked about it, so it waits for nothing; it is no outage in public either."""
    world = World()
    world.deploy_bad(rate=0.0)
    if second:
        make_function_fail(world, "getBook")

    world.alert(signal="slow_response", resource=ABOUT_GET_BOOK)
    world.pass_time(MINUTE)

    [incident], [response] = world.incidents(), world.rollbacks()
    assert response.status is RollbackStatus.NOT_TAKEN
    assert incident.is_unconfirmed is not second
    assert incident.ended_at is None


def test_a_warning_joins_a_failure_that_nobody_has_confirmed() -> None:
    """The warning confirms nothing; once the time to decide is over, a person must decide."""
    world = World()
    world.ports.prober.down = lambda probe: probe == "book"
    world.alert("probe:bookshop:1", resource=ABOUT_GET_BOOK)
    world.pass_time(MINUTE)
    waiting = world.incident
    world.alert("0.slow", signal="slow_response", resource=ABOUT_GET_BOOK)
    world.pass_time(MINUTE)
    joined = world.incident
    world.pass_time(2 * MINUTE)
    escalated = world.incident

    for unconfirmed in (waiting, joined):
        assert (unconfirmed.status, unconfirmed.is_unconfirmed) == (IncidentStatus.DETECTED, True)
    assert (escalated.status, escalated.is_unconfirmed) == (IncidentStatus.ESCALATED, False)


def test_a_person_approves_what_one_source_alone_sees() -> None:
    """The answer counts at once: nothing waits for a second source any more."""
    world = World()
    stable = world.live
    raise_probe_alarm(world)
    world.pass_time(4 * MINUTE)

    world.send_command("approve", "alice", incident=world.incident.id)
    world.pass_time(MINUTE)

    assert world.live == stable


def test_an_alert_that_cloud_monitoring_calls_closed() -> None:
    """Its notification is late: asked for, the end is known, and nothing else sees any trouble."""
    world = World()
    world.deploy_bad(rate=0.0)
    world.ports.alerts.open["0.abc"] = False

    world.alert()
    world.pass_time(MINUTE)

    assert (world.incident.status, world.rollback.status) == (
        IncidentStatus.RESOLVED,
        RollbackStatus.NOT_TAKEN,
    )


def test_an_alert_that_is_over_while_another_function_fails() -> None:
    """Cloud Monitoring is asked about it: only the failure of its own function keeps it open."""
    world = World()
    world.deploy_bad(rate=0.0)
    make_function_fail(world, "payOrder")
    world.ports.alerts.open["0.abc"] = False

    world.alert(resource=ABOUT_GET_BOOK)
    world.pass_time(MINUTE)

    response = world.rollback
    assert response.status is RollbackStatus.NOT_TAKEN
    assert response.outcome.startswith(
        "still true: every alert is over; 0 probes fail; request counts show 1"
    )
    assert shifted_functions(world) == set()


def test_an_alert_that_is_only_watched_joins_the_watch() -> None:
    """It asks for no answer: the watch goes on to its end, whatever function it names."""
    world = World()
    world.deploy_bad(CATALOGUE)
    world.alert()
    world.pass_time(5 * MINUTE)
    assert world.rollback.status is RollbackStatus.WATCHING

    labels = {"project_id": world.policy.project, "service_name": "payorder"}
    resource = {"type": "cloud_run_revision", "labels": labels}
    world.alert("0.slow", signal="slow_response", resource=resource)
    world.pass_time(HOUR)

    rollback = world.rollback
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert (
        rollback.outcome
        == "no regression of what it changed, not known to be over: slow response of payOrder"
    )
    assert world.incident.status is IncidentStatus.INVESTIGATING


def test_a_group_whose_canary_is_back_already() -> None:
    """It speaks for its group once more; no other member is kept waiting as a canary."""
    world = World()
    stable = world.live
    world.deploy_bad()
    pin(world, {"getBook": stable["getBook"]})

    world.send_command("rollback", groups=["catalogue"])
    world.pass_time(HOUR)

    assert {name: world.live[name] for name in CATALOGUE} == {n: stable[n] for n in CATALOGUE}
    steps = world.steps(world.rollback.id)
    changing = {name for name, step in steps.items() if step.status is not StepStatus.UNNEEDED}
    assert changing == {"judge catalogue", "shift listBooks", "shift searchBooks"}
    assert {steps[f"shift {one}"].after for one in ("listBooks", "searchBooks")} == {("judge catalogue",)}


def test_the_prepared_command_leaves_what_is_in_a_persons_hands() -> None:
    """Whoever carries out what was prepared touches no more than it: the others are named."""
    world = World()
    world.deploy_bad(CATALOGUE)
    until = world.now + HOUR
    held = {"suspended": {"listBooks": until}, "cool_down_until": until}
    world.store.commit([Update("systems/bookshop", held)])

    world.alert()
    world.pass_time(5 * MINUTE)

    assert shifted_functions(world) == set()
    [text, *_] = notice_texts(world, "rollback.escalated")
    others = sorted(set(CATALOGUE) - {"listBooks"})
    named = " ".join(f"--function {name}" for name in others)
    assert f"rollback run --system bookshop --target v1 {named} --reason INC-" in text
    assert f'"functions":{json.dumps(others, separators=(",", ":"))}' in text


def test_a_function_in_a_persons_hands() -> None:
    """Automation leaves it as it is, and tells so; all others go back."""
    world = World()
    world.deploy_bad()
    world.pass_time(6 * MINUTE)
    until = world.now + HOUR
    world.store.commit([Update("systems/bookshop", {"suspended": {"listBooks": until}})])

    world.alert()
    world.pass_time(HOUR)

    assert shifted_functions(world) == set(world.policy.functions) - {"listBooks"}
    plan = world.rollback.plan
    assert plan is not None
    assert plan.reported == ("listBooks was changed manually: automation does not change it",)
