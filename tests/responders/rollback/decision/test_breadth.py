"""The level and the scenario of an incident follow how many functions fail."""

import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.incidents.incident import IncidentStatus
from shared.domain.incidents.recovery_times import measure_recovery
from shared.domain.policy.channels import Audience, Channel, ChannelKind, Component, StatusPage
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import BreadthLimits, Signal
from shared.domain.policy.system_policy import Policy, service_of
from shared.domain.presentation.status_page_html import JSON
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.cli.documented_commands import CVPLUS
from tests.support.decision.outages import ABOUT_GET_BOOK, make_function_fail, shifted_functions
from tests.support.fakes.runtime.hooks import run_once
from tests.support.fakes.storage.public_pages import MemoryPages
from tests.support.notices.status_page import read_page
from tests.support.runtime.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
SHOP = replace(
    BOOKSHOP,
    breadth=BreadthLimits(),
    scenarios={**BOOKSHOP.scenarios, ScenarioName.COMPLETE: Mode.ACT, ScenarioName.FEATURE: Mode.ASK},
    signals={
        **BOOKSHOP.signals,
        "authentication_failure": Signal(Severity.CRITICAL, ScenarioName.AUTH, Mode.ACT),
        "database_connectivity": Signal(Severity.CRITICAL, ScenarioName.DATABASE, Mode.ASK),
    },
    channels=(
        *BOOKSHOP.channels,
        Channel("users", ChannelKind.WEBHOOK, url="https://users.example.com/", audience=Audience.USERS),
    ),
    status_page=StatusPage(
        components=(
            Component("Catalogue", ("function_failure_rate",), groups=("catalogue",)),
            Component("Checkout", groups=("checkout",)),
        )
    ),
)
"""Eight functions: catalogue has three, storefront two, checkout three. Features ask."""


def build_shop(policy: Policy = SHOP) -> World:
    world = World(policy=policy)
    world.ports.pages = MemoryPages()
    return world


def alert_of(world: World, function: str, **changes: Any) -> None:
    """Cloud Monitoring notifies of a function by the name of its service."""
    labels = {"project_id": world.policy.project, "service_name": service_of(function)}
    world.alert(
        f"0.{function}{len(changes)}", resource={"type": "cloud_run_revision", "labels": labels}, **changes
    )


def make_function_work(world: World, function: str) -> None:
    """What the function serves now works from here on, and always has."""
    [serving] = world.live[function]
    world.platform.set_failure_rate(function, serving, 0.0)


def release_everything(world: World, *failing: str) -> None:
    """A release changes every function, is live for ten minutes, and only these fail."""
    world.platform.deploy(None, failure_rate=0.0)
    for function in failing:
        make_function_fail(world, function)
    world.advance_clock(10 * MINUTE)


def read_record(world: World, event: str) -> list[str]:
    """The texts of the notices of an event on the channel of the team."""
    sent = (one for one in world.sent_notices if event in one.key and ":record" in one.key)
    return [one.notice["text"] for one in sent]


def read_titles(world: World) -> list[str]:
    """The titles of the incidents that are open on the page."""
    return [one["title"] for one in json.loads(read_page(world, JSON))["items"]]


def test_one_function_of_151_is_no_outage_of_the_system() -> None:
    """LOW from its first commit on: nothing is public, and people are asked by this policy."""
    scenarios = {**CVPLUS.scenarios, ScenarioName.FEATURE: Mode.ASK}
    world = World(policy=replace(CVPLUS, probes=(), collections={}, scenarios=scenarios))
    world.ports.pages = MemoryPages()
    failing, group = "getQRCodes", world.policy.functions["getQRCodes"]
    world.deploy_bad([failing])

    alert_of(world, failing)
    world.deliver(world.waiting()[0])
    assert world.incident.severity is Severity.LOW
    world.pass_time(2 * MINUTE)

    [incident], [asked] = world.incidents(), world.rollbacks()
    assert (incident.severity, asked.status) == (Severity.LOW, RollbackStatus.PARKED)
    assert asked.question is not None
    assert asked.question.plan.scenario is ScenarioName.FEATURE
    assert asked.question.reason.startswith("observed to fail: 1 of 151 functions; ")
    assert measure_recovery(world.policy, incident, [asked]).target == timedelta(hours=4)
    assert (shifted_functions(world), group) == (set(), "public-profiles")
    page = world.ports.pages.kept["public/cvplus/index.html"][1].decode()
    assert "All parts work." in page
    assert incident.id not in page

    world.command(command="approve", system="cvplus", incident=incident.id)
    world.pass_time(5 * MINUTE)
    assert shifted_functions(world) == {failing}


@pytest.mark.parametrize("failing", [["processCV"], [*CVPLUS.groups["processing"].functions]])
def test_cv_processing_that_is_blocked(failing: list[str]) -> None:
    """The runbook's trigger of scenario 2: HIGH, and automatic, although 150 functions work."""
    world = World(policy=replace(CVPLUS, probes=(), collections={}))
    world.deploy_bad([*failing, "getQRCodes"], rate=1.0)
    make_function_work(world, "getQRCodes")

    for function in failing:
        alert_of(world, function)
    world.pass_time(2 * MINUTE)

    [incident], [rollback] = world.incidents(), world.rollbacks()
    assert rollback.plan is not None
    assert (incident.severity, rollback.plan.scenario) == (Severity.HIGH, ScenarioName.FUNCTIONS)
    assert shifted_functions(world) == {*failing}
    assert measure_recovery(world.policy, incident, [rollback]).target == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("failing", "severity", "scenario", "status"),
    [
        (["getBook"], Severity.LOW, ScenarioName.FEATURE, RollbackStatus.PARKED),
        (["getBook", "listBooks"], Severity.MEDIUM, ScenarioName.FEATURE, RollbackStatus.PARKED),
        (["getBook", "payOrder", "createOrder"], Severity.HIGH, ScenarioName.FUNCTIONS, None),
        ([*SHOP.functions][:5], Severity.CRITICAL, ScenarioName.FUNCTIONS, None),
        ([*SHOP.functions], Severity.CRITICAL, ScenarioName.COMPLETE, None),
    ],
)
def test_the_first_alert_of_a_release(
    failing: list[str], severity: Severity, scenario: ScenarioName, status: RollbackStatus | None
) -> None:
    """One alert opens it as LOW; the decision counts what fails, and raises it at once."""
    world = build_shop()
    world.deploy_bad(failing, rate=1.0)

    alert_of(world, failing[0])
    world.deliver(world.waiting()[0])
    assert world.incident.severity is Severity.LOW
    world.settle()

    [incident], [rollback] = world.incidents(), world.rollbacks()
    plan = rollback.plan or (rollback.question.plan if rollback.question is not None else None)
    assert plan is not None
    assert (incident.severity, plan.scenario) == (severity, scenario)
    assert shifted_functions(world) == (set() if status else set(failing))
    raised = f"severity raised to {severity}; observed to fail: {len(failing)} of 8 functions"
    assert [one.note for one in incident.timeline if "raised" in one.note] == (
        [] if severity is Severity.LOW else [raised]
    )
    assert all(raised in text for text in read_record(world, ":incident.raised"))


@pytest.mark.parametrize(
    ("busy", "severity", "scenario"),
    [
        (["getBook", "payOrder", "createOrder"], Severity.CRITICAL, ScenarioName.COMPLETE),
        (["getBook", "payOrder"], Severity.CRITICAL, ScenarioName.FUNCTIONS),
    ],
)
def test_every_request_fails_and_most_functions_are_idle(
    busy: list[str], severity: Severity, scenario: ScenarioName
) -> None:
    """The functions with traffic tell of the system, if they are more than a quarter of it."""
    world = build_shop()
    world.ports.counts.rates.update({one: 2.0 if one in busy else 0.0 for one in SHOP.functions})
    world.deploy_bad(rate=1.0)

    alert_of(world, "getBook")
    world.settle()

    [incident], [rollback] = world.incidents(), world.rollbacks()
    assert rollback.plan is not None
    assert (incident.severity, rollback.plan.scenario) == (severity, scenario)


def test_a_feature_that_fails_is_rolled_back_after_approval() -> None:
    """The functions that fail, and no other, although the release has changed all of them."""
    world = build_shop()
    release_everything(world, "getBook", "listBooks")

    alert_of(world, "getBook")
    world.settle()
    incident = world.incident
    world.send_command("approve", incident=incident.id)
    world.pass_time(20 * MINUTE)

    assert shifted_functions(world) == {"getBook", "listBooks"}
    assert world.rollback.status is RollbackStatus.SUCCEEDED
    assert world.incident.status is IncidentStatus.RESOLVED
    assert measure_recovery(world.policy, incident, world.rollbacks()).target == timedelta(minutes=60)


def test_an_alert_that_names_no_function() -> None:
    """It means its worst until a decision observes what fails; then people are asked."""
    world = build_shop()
    world.deploy_bad(["getBook"])

    world.alert()
    world.deliver(world.waiting()[0])
    assert world.incident.severity is Severity.CRITICAL
    world.settle()

    assert world.rollback.status is RollbackStatus.PARKED


def test_scope_grows_with_what_fails() -> None:
    """A further group is an event, a line of the time line and a notice; so is a worse level."""
    world = build_shop()
    world.deploy_bad(["getBook", "listBooks", "payOrder", "createOrder"])
    for function in ("payOrder", "createOrder"):
        make_function_work(world, function)
    alert_of(world, "getBook")
    world.settle()
    assert world.rollback.status is RollbackStatus.PARKED

    make_function_fail(world, "payOrder")
    world.advance_clock(3 * MINUTE)
    alert_of(world, "payOrder")
    world.pass_time(2 * MINUTE)

    [incident], [rollback] = world.incidents(), world.rollbacks()
    note = "severity raised to HIGH; observed to fail: 3 of 8 functions"
    assert (incident.severity, rollback.status) == (Severity.HIGH, RollbackStatus.WATCHING)
    assert [line.note for line in incident.timeline if line.note == note] == [note]
    assert any(note in text for text in read_record(world, ":incident.raised-high"))
    assert shifted_functions(world) == {"getBook", "listBooks", "payOrder"}


def test_a_further_group_at_the_same_level() -> None:
    """It is reported if twice as much fails, and the question is asked anew about what fails."""
    limits = BreadthLimits(critical_above=0.9, high_above=0.8, high_traffic_above=0.8)
    world = build_shop(replace(SHOP, breadth=limits))
    release_everything(world, "getBook")
    alert_of(world, "getBook")
    world.settle()
    assert world.rollback.status is RollbackStatus.PARKED

    make_function_work(world, "getBook")
    make_function_fail(world, "payOrder")
    world.advance_clock(3 * MINUTE)
    alert_of(world, "payOrder")
    world.pass_time(2 * MINUTE)

    [incident], [rollback] = world.incidents(), world.rollbacks()
    note = "further groups fail: checkout; observed to fail: 2 of 8 functions"
    assert (incident.severity, rollback.status) == (Severity.LOW, RollbackStatus.PARKED)
    assert world.events(rollback).count("incident.spread") == 1
    assert [line.note for line in incident.timeline if line.note == note] == [note]
    assert any(note in text for text in read_record(world, ":incident.spread"))
    world.send_command("approve", incident=incident.id)
    world.pass_time(5 * MINUTE)
    assert shifted_functions(world) == {"payOrder"}


@pytest.mark.parametrize(
    ("others", "traffic", "severity", "scenario"),
    [
        (["payOrder", "createOrder"], 2.0, Severity.HIGH, ScenarioName.FUNCTIONS),
        (["payOrder"], 2.0, Severity.MEDIUM, ScenarioName.FEATURE),
        ([], 100.0, Severity.HIGH, ScenarioName.FUNCTIONS),  # most requests, at first
    ],
)
def test_scope_never_shrinks_in_silence(
    others: list[str], traffic: float, severity: Severity, scenario: ScenarioName
) -> None:
    """Fewer functions fail when it is decided again: the level stays, and the plan is smaller."""
    world = build_shop()
    world.ports.counts.rates["getBook"] = traffic
    release_everything(world, "getBook", *others)
    world.carry_out("promote", mode="ask")
    alert_of(world, "getBook")
    world.settle()
    first = world.rollback
    assert first.question is not None

    for function in others:
        make_function_work(world, function)
    world.ports.counts.rates["getBook"] = 2.0
    world.advance_clock(10 * MINUTE)
    alert_of(world, "getBook", signal="slow_response")
    world.pass_time(2 * MINUTE)

    [incident], [again] = world.incidents(), world.rollbacks()
    assert (incident.severity, again.level) == (severity, severity)
    assert again.question is not None
    assert again.question.plan.scenario is scenario
    assert {*first.question.plan.changed} - {*again.question.plan.changed} == {*others}
    assert world.events(again).count("rollback.parked") == 2
    lost = f"this plan no longer restores: {', '.join(sorted(others))}\n"
    assert all(lost in text for text in read_record(world, ":rollback.parked-")) or not others


@pytest.mark.parametrize(
    ("failing", "scenario"),
    [(["getBook"], ScenarioName.AUTH), (["getBook", "payOrder", "createOrder"], ScenarioName.COMPLETE)],
)
def test_a_loss_of_sign_in_counts_towards_the_whole_system(
    failing: list[str], scenario: ScenarioName
) -> None:
    """With a mass failure of functions it is the whole system; with one function it is not."""
    scenarios = {**SHOP.scenarios, ScenarioName.AUTH: Mode.ACT}
    aliases = {**SHOP.group_aliases, "auth": ("catalogue",)}
    world = build_shop(replace(SHOP, scenarios=scenarios, group_aliases=aliases))
    world.deploy_bad(failing)

    alert_of(world, "getBook")
    world.alert("0.signing-in", signal="authentication_failure")
    world.settle()

    [incident], [rollback] = world.incidents(), world.rollbacks()
    plan = rollback.plan or (rollback.question.plan if rollback.question is not None else None)
    assert plan is not None
    assert (incident.severity, plan.scenario) == (Severity.CRITICAL, scenario)


def test_page_and_notices_name_the_part_and_how_much_of_it() -> None:
    """Of a part that fails as a whole, and of one that a signal names, the name alone."""
    world = build_shop()
    world.pass_time(MINUTE)
    world.deploy_bad(["payOrder"])

    alert_of(world, "payOrder")
    world.pass_time(2 * MINUTE)

    assert read_titles(world) == ["Minor problem: 1 of 3 functions of Checkout"]
    assert "<h3>Checkout</h3>" in read_page(world)
    [told] = [one.notice for one in world.sent_notices if one.channel == "users"]
    assert "1 of 3 functions of Checkout: minor problem since" in told["body"]

    make_function_fail(world, "orderStatus")
    make_function_fail(world, "createOrder")
    alert_of(world, "createOrder")
    world.pass_time(3 * MINUTE)
    assert read_titles(world) == ["Disrupted: Checkout"]


@pytest.mark.parametrize(
    ("failing", "status"),
    [(["getBook"], RollbackStatus.SUCCEEDED), (["getBook", "listBooks"], RollbackStatus.CANCELLED)],
)
def test_a_further_function_in_the_middle_of_a_feature(failing: list[str], status: RollbackStatus) -> None:
    """What people have approved is carried out, unless a mass failure has become of it.

    What was restored before counts as failing no more: two of eight are no mass failure.
    """
    world = build_shop()
    world.deploy_bad([*failing, "payOrder"])
    make_function_work(world, "payOrder")
    alert_of(world, "getBook")
    world.settle()

    def interrupt() -> None:
        make_function_fail(world, "payOrder")
        alert_of(world, "payOrder")
        world.deliver_newest()

    world.platform.hook = run_once("platform.shift", "after", interrupt)
    world.send_command("approve", incident=world.incident.id)
    world.pass_time(5 * MINUTE)

    first, second, *_ = world.rollbacks()
    is_mass_failure = status is RollbackStatus.CANCELLED
    assert (first.status, first.incident) == (status, second.incident)
    assert (first.outcome == "it yields to function failure rate (HIGH)") is is_mass_failure
    assert world.incident.severity is Severity.MEDIUM


def test_a_mass_failure_of_the_same_release_extends_an_automatic_feature_rollback() -> None:
    """It does not yield: its verification counts the requests of all functions of the release."""
    world = build_shop(replace(SHOP, scenarios={**SHOP.scenarios, ScenarioName.FEATURE: Mode.ACT}))
    checkout = BOOKSHOP.groups["checkout"].functions
    world.deploy_bad(["getBook", "listBooks", *checkout])
    for function in checkout:
        make_function_work(world, function)

    def interrupt(called: str, side: str) -> None:
        if (called, side) == ("platform.shift", "after") and len(shifted_functions(world)) == 1:
            for function in checkout:
                make_function_fail(world, function)
            alert_of(world, "payOrder")
            world.deliver_newest()

    world.platform.hook = interrupt
    alert_of(world, "getBook")
    world.pass_time(5 * MINUTE)

    assert world.rollback.status is RollbackStatus.WATCHING
    assert shifted_functions(world) == {"getBook", "listBooks", *checkout}


def build_feature_question() -> World:
    """A release changes every function; people are asked about the catalogue, where one fails."""
    world = build_shop()
    release_everything(world, "getBook")
    alert_of(world, "getBook")
    world.settle()
    assert world.newest_rollback.status is RollbackStatus.PARKED
    return world


def test_a_question_grows_with_what_is_counted() -> None:
    """No alert names the further group: people are asked once more, about both groups."""
    world = build_feature_question()
    before = world.newest_rollback.question
    assert before is not None
    make_function_fail(world, "payOrder")

    world.pass_time(7 * MINUTE)

    after = world.newest_rollback.question
    assert after is not None
    assert {*before.plan.changed} < {*after.plan.changed}
    assert len(read_record(world, ":rollback.parked")) == 2
    assert "no longer restores" not in read_record(world, ":rollback.parked")[1]
    world.pass_time(12 * MINUTE)
    assert len(read_record(world, ":rollback.parked")) == 2
    assert not any("-again" in sent.key for sent in world.sent_notices)  # twice as many: paged
    assert before.plan.fingerprint != after.plan.fingerprint
    world.send_command("approve", incident=world.newest_incident.id)
    world.pass_time(5 * MINUTE)
    assert shifted_functions(world) == {*after.plan.changed}


def test_what_works_again_is_asked_about_no_more() -> None:
    """The alert is over and nothing is counted to fail; people are asked if it fails again."""
    world = build_feature_question()
    make_function_work(world, "getBook")
    world.alert("0.getBook0", state="closed", resource=ABOUT_GET_BOOK)
    world.pass_time(7 * MINUTE)
    assert world.newest_rollback.status is RollbackStatus.NOT_TAKEN
    world.pass_time(10 * MINUTE)
    assert world.newest_incident.status is IncidentStatus.RESOLVED

    make_function_fail(world, "getBook")
    world.advance_clock(3 * MINUTE)
    world.alert("0.again", resource=ABOUT_GET_BOOK)
    world.pass_time(2 * MINUTE)

    assert world.rollbacks()[-1].status is RollbackStatus.PARKED
    assert len(read_record(world, ":rollback.parked")) == 2


def test_what_fails_again_while_people_are_asked_is_noticed() -> None:
    """A check has seen it work before the question; counts that are newer say otherwise."""
    world = build_feature_question()
    world.pass_time(SHOP.gates.approval_expires + 2 * MINUTE)
    make_function_work(world, "getBook")
    world.pass_time(8 * MINUTE)
    assert "getBook" in world.newest_incident.working
    make_function_fail(world, "listBooks")
    world.advance_clock(3 * MINUTE)
    alert_of(world, "listBooks")
    world.pass_time(2 * MINUTE)
    assert world.newest_rollback.status is RollbackStatus.PARKED
    assert "getBook" in world.newest_incident.working

    make_function_fail(world, "getBook")
    world.pass_time(11 * MINUTE)

    assert "getBook" not in world.newest_incident.working
    assert world.newest_rollback.status is RollbackStatus.PARKED


def test_everything_that_fails_again_is_counted() -> None:
    """No function counts as working because it did before the newest alerts."""
    checkout = ("createOrder", "orderStatus", "payOrder")
    world = World(policy=SHOP, promoted=False)
    world.ports.pages = MemoryPages()
    release_everything(world, *checkout)
    for function in checkout:
        alert_of(world, function)
    world.pass_time(2 * MINUTE)
    assert read_titles(world) == ["Disrupted: Checkout"]
    for function in checkout:
        make_function_work(world, function)
        world.alert(f"0.{function}0", state="closed", resource=None)
    world.pass_time(7 * MINUTE)
    incident = world.incident
    assert (incident.status, {*checkout} <= {*incident.working}) == (IncidentStatus.RESOLVED, True)

    for function in checkout:
        make_function_fail(world, function)
    world.advance_clock(3 * MINUTE)
    for function in checkout:
        alert_of(world, function, state="open")
    world.pass_time(2 * MINUTE)

    incident = world.incident
    assert not {*checkout} & {*incident.working}
    assert {*checkout} <= {*world.newest_rollback.failing}
    assert read_titles(world) == ["Disrupted: Checkout"]
