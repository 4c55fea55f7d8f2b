"""After the last shift: the checks of the policy, the hour before the trouble, and the alerts."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core import topics
from shared.core.errors import Unavailable
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.incidents.next_actions import available_verbs
from shared.domain.incidents.recovery_times import find_recovered_at, find_traffic_restored_at
from shared.domain.policy.probes import Probe, ProbeAccount
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import Signal
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from shared.domain.signals.health import ProbeAnswer
from tests.support.decision.outages import (
    MINUTE,
    WATCHED,
    make_function_fail,
    run_five_minutes_after_alert,
    set_failure_rate,
    time_to_condition_deadline,
)
from tests.support.fakes.runtime.hooks import run_once
from tests.support.notices.notices import read_notices
from tests.support.rollbacks.bookshop_resources import build_shop_with_bad_resources
from tests.support.runtime.world import BOOKSHOP, World

HOUR = timedelta(hours=1)
FAILED = ProbeAnswer(False, 500)
SIGN_IN = Probe("sign-in", "https://shop.bookshop.example/sign-in")
POLICY = replace(BOOKSHOP, probes=(*BOOKSHOP.probes, SIGN_IN))


def rolled_back(world: World) -> Rollback:
    """The one rollback, an hour after the alert about a bad release of everything."""
    world.deploy_bad()
    world.alert()
    world.pass_time(HOUR)
    return world.rollback


def test_the_checks_of_the_policy_are_told_by_name() -> None:
    """Verified means that each of them works, after the last shift, and says so."""
    world = World()

    rollback = rolled_back(world)

    assert rollback.status is RollbackStatus.SUCCEEDED
    [told] = [
        str(event.facts["note"])
        for entry in world.trail(rollback)
        for event in entry.events
        if event.name == "rollback.verified"
    ]
    assert "checked: catalogue, checkout" in told
    assert rollback.shifted_at is not None
    assert rollback.confirmed_at is not None
    assert rollback.confirmed_at - rollback.shifted_at <= 3 * MINUTE


def test_what_failed_before_the_last_shift_fails_no_more_once_that_is_verified() -> None:
    """The status page shows parts by it: a later alert does not affect them again."""
    world = run_five_minutes_after_alert(is_open=None)

    rollback = world.rollback
    assert (rollback.verified_at is not None, rollback.failing) == (True, ())


def test_what_failed_before_the_last_shift_is_no_fact_of_the_next_rollback() -> None:
    """A further alert joins after a cancelled rollback: all functions work since its shifts."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(MINUTE)
    world.carry_out("cancel", incident="INC-20260302-001")
    world.alert("0.more")
    world.pass_time(2 * MINUTE)

    [first, second] = world.rollbacks()
    assert (first.status, second.failing) == (RollbackStatus.CANCELLED, ())


def test_a_probe_that_fails_after_the_last_shift() -> None:
    """After 3 minutes it is not restored, whatever routers will count: a person is told."""
    world = World(policy=POLICY)
    world.ports.prober.answers["sign-in"] = FAILED

    rollback = rolled_back(world)

    assert rollback.status is RollbackStatus.FAILED
    assert "sign-in" in rollback.outcome
    assert rollback.confirmed_at is None
    assert rollback.shifted_at is not None
    assert rollback.ended_at is not None
    assert 3 * MINUTE <= rollback.ended_at - rollback.shifted_at < 4 * MINUTE


def test_a_test_account_that_is_refused_after_the_last_shift() -> None:
    """Every address answers, and nobody is signed in: not restored, and a person is told."""
    account = ProbeAccount("probe@shop.example", password_secret="p", api_key_secret="k")
    signing_in = Probe("signing in", sign_in=account)
    world = World(policy=replace(BOOKSHOP, probes=(*BOOKSHOP.probes, signing_in)))
    world.ports.prober.refused.add(account.email)

    rollback = rolled_back(world)

    assert rollback.status is RollbackStatus.FAILED
    assert "signing in" in rollback.outcome


def test_a_function_that_the_plan_does_not_change_and_that_fails() -> None:
    """The alert is about the whole system: what was rolled back works, and not all of it does."""
    world = World()
    make_function_fail(world, "payOrder")
    world.deploy_bad(["getBook"])
    world.alert()
    world.pass_time(4 * MINUTE)
    early = world.incident.status
    world.pass_time(4 * MINUTE)

    rollback = world.rollback
    incident = world.incident
    assert (early, incident.status) == (IncidentStatus.VERIFYING, IncidentStatus.VERIFYING)
    assert (rollback.status, rollback.verified_at) == (RollbackStatus.WATCHING, None)
    assert incident.timeline[-1].note == "recovery is NOT verified: functions that fail: payOrder"


def test_traffic_is_not_called_restored_while_functions_outside_the_order_fail() -> None:
    """Whoever reads the notice of the last shift reads the same in `status`."""
    world = World(policy=WATCHED, promoted=False)
    world.deploy_bad()
    world.alert()
    world.pass_time(6 * MINUTE)
    world.carry_out("rollback", functions=["getBook"])

    notice = read_notices(world).values()
    [told] = {str(one["text"]) for one in notice if str(one["event"]).startswith("rollback.shifted")}
    ordered = world.newest_incident
    assert "1 function restored 6 min" in told
    assert "after detection; others still fail: createOrder, listBooks" in told
    assert "traffic restored" not in told
    assert find_traffic_restored_at(ordered, world.rollbacks()[-1:]) is None


def test_a_function_outside_the_plan_that_fails_during_the_monitoring() -> None:
    """The next check notices it, says so and corrects the page; when it works again, also that."""
    world = World(policy=WATCHED)
    world.deploy_bad(["getBook"])
    world.alert()
    world.pass_time(8 * MINUTE)
    [rollback], [trouble] = world.rollbacks(), world.incidents()
    assert (rollback.status, trouble.status) == (RollbackStatus.WATCHING, IncidentStatus.WATCHING)
    live, first = world.live, find_recovered_at(trouble, [rollback])

    make_function_fail(world, "payOrder")
    world.pass_time(2.5 * MINUTE)

    [rollback], [trouble] = world.rollbacks(), world.incidents()
    assert rollback.status is RollbackStatus.WATCHING
    assert trouble.status is IncidentStatus.ESCALATED
    assert trouble.timeline[-1].note == "functions fail that the rollback did not change: payOrder"
    assert find_recovered_at(trouble, [rollback]) is None
    assert is_said_once(world, "incident.failing-again")
    world.pass_time(3 * MINUTE)
    assert is_said_once(world, "incident.failing-again")
    assert (world.live, len(world.rollbacks())) == (live, 1)

    [serving] = world.live["payOrder"]
    world.platform.set_failure_rate("payOrder", serving, 0.0)
    world.pass_time(8 * MINUTE)

    [rollback], [trouble] = world.rollbacks(), world.incidents()
    assert trouble.status is IncidentStatus.WATCHING
    assert is_said_once(world, "incident.recovery-observed")
    again = find_recovered_at(trouble, [rollback])
    assert first is not None
    assert again is not None
    assert again > first + 5 * MINUTE
    world.pass_time(HOUR)
    [rollback], [trouble] = world.rollbacks(), world.incidents()
    assert (rollback.outcome, trouble.status) == ("no regression during monitoring", IncidentStatus.RESOLVED)
    assert find_recovered_at(trouble, [rollback]) == again


def test_what_fails_outside_the_plan_to_the_end_waits_for_a_person() -> None:
    """The end of the monitoring calls nothing recovered that nobody observed to work again."""
    world = World(policy=WATCHED)
    world.deploy_bad(["getBook"])
    world.alert()
    world.pass_time(8 * MINUTE)
    make_function_fail(world, "payOrder")
    world.pass_time(5 * MINUTE)
    world.pass_time(HOUR)

    [rollback], [trouble] = world.rollbacks(), world.incidents()
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert "functions that fail: payOrder" in rollback.outcome
    assert trouble.status is IncidentStatus.ESCALATED


def is_said_once(world: World, event: str) -> bool:
    """Whether the record was told of an event of that name exactly once."""
    return sum(f":{event}" in sent.key and ":record" in sent.key for sent in world.sent_notices) == 1


def test_how_it_was_before_is_recorded_with_the_decision() -> None:
    """The hour before the bad release, not the minutes after it."""
    world = World()
    world.pass_time(HOUR)

    rollback = rolled_back(world)

    assert rollback.baseline is not None
    assert rollback.baseline.requests is not None
    assert rollback.baseline.requests.total > 0
    assert rollback.baseline.requests.failed == 0


@pytest.mark.parametrize(("rate", "ends_well"), [(0.04, True), (0.09, False)])
def test_a_regression_that_only_the_hour_before_shows(rate: float, ends_well: bool) -> None:
    """No function fails by itself; more than before fails all the same: escalated, not flipped."""
    world = World()
    world.pass_time(HOUR)
    world.deploy_bad()
    world.alert()
    world.pass_time(10 * MINUTE)
    assert world.rollback.status is RollbackStatus.WATCHING
    stable = world.live

    for function, service in world.platform.services().items():
        [serving] = world.live[function]
        world.platform.set_failure_rate(service.function, serving, rate)
    world.pass_time(HOUR)

    rollback = world.rollback
    assert world.live == stable
    incident = world.incident
    if ends_well:
        assert rollback.status is RollbackStatus.SUCCEEDED
    else:
        assert rollback.status is RollbackStatus.FAILED
        assert "worse than before" in rollback.outcome
        assert incident.is_decided_by_person


@pytest.mark.parametrize(
    ("is_open", "outcome", "becomes"),
    [
        (False, "no regression during monitoring", IncidentStatus.RESOLVED),
        (True, "no regression of what it changed, not over: function failure rate", IncidentStatus.ESCALATED),
    ],
)
def test_an_alert_whose_condition_is_not_over_at_the_end(
    is_open: bool, outcome: str, becomes: IncidentStatus
) -> None:
    """Cloud Monitoring is asked, whatever it notified of; what still stands waits for a person."""
    world = World()
    world.ports.alerts.open["0.abc"] = True
    world.deploy_bad()
    world.alert()
    world.pass_time(10 * MINUTE)

    world.ports.alerts.open["0.abc"] = is_open
    world.pass_time(HOUR)

    rollback = world.rollback
    incident = world.incident
    assert (rollback.status, rollback.outcome) == (RollbackStatus.SUCCEEDED, outcome)
    assert incident.status is becomes
    if becomes is IncidentStatus.ESCALATED:
        assert available_verbs(incident, rollback) == ("undo", "accept", "ack")


def told(world: World, name: str) -> list[str]:
    """What the trail of the one rollback says of an event of that name."""
    rollback = world.rollback
    return [
        str(event.facts["note"])
        for entry in world.trail(rollback)
        for event in entry.events
        if event.name == name
    ]


def is_said(world: World, event: str) -> bool:
    """Whether people were told of an event of that name."""
    return any(f":{event}:" in sent.key for sent in world.sent_notices)


@pytest.mark.parametrize(
    ("is_open", "event", "becomes"),
    [(False, "alerts.over", IncidentStatus.WATCHING), (True, "alerts.escalated", IncidentStatus.ESCALATED)],
)
def test_the_condition_is_read_within_30_minutes_of_the_last_shift(
    is_open: bool, event: str, becomes: IncidentStatus
) -> None:
    """What stands is told by then, though the watch goes on to its own end; nothing flips."""
    world = run_five_minutes_after_alert(is_open)
    live = world.live

    world.pass_time(time_to_condition_deadline(world) - MINUTE / 2)

    assert len(told(world, event)) == 1
    rollback = world.rollback
    assert rollback.conditions_read_at is not None
    assert world.incident.status is becomes
    assert is_said(world, event) is is_open
    texts = [sent.notice["text"] for sent in world.sent_notices if f":{event}:" in sent.key]
    assert all('"command":"cancel"' in str(text) for text in texts)
    world.pass_time(HOUR)
    rollback = world.rollback
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert rollback.verified_at is not None
    assert rollback.ended_at is not None
    assert rollback.ended_at - rollback.verified_at >= 30 * MINUTE
    assert len(told(world, event)) == 1
    assert world.live == live


def test_nobody_calls_it_recovered_while_a_condition_stands() -> None:
    """It is no regression: the watch goes on, and a person is called in."""
    world = run_five_minutes_after_alert(is_open=True)
    world.pass_time(time_to_condition_deadline(world))

    rollback = world.rollback
    incident = world.incident
    assert (rollback.status, incident.status) == (RollbackStatus.WATCHING, IncidentStatus.ESCALATED)
    assert find_recovered_at(incident, [rollback]) is None


@pytest.mark.parametrize("is_open", [True, False])
def test_an_outage_that_is_only_watched_and_of_which_no_request_tells(is_open: bool) -> None:
    """Functions that work again are no recovery while people still cannot sign in."""
    watched = Signal(Severity.HIGH, ScenarioName.NONE, Mode.OBSERVE)
    signals = {**BOOKSHOP.signals, "authentication_failure": watched}
    world = World(policy=replace(BOOKSHOP, signals=signals))
    world.ports.alerts.open["0.sign-in"] = is_open
    world.deploy_bad()
    world.alert()
    world.alert("0.sign-in", signal="authentication_failure")
    world.pass_time(10 * MINUTE)

    rollback = world.rollback
    incident = world.incident
    assert rollback.status is RollbackStatus.WATCHING
    assert (rollback.verified_at is None) is is_open
    assert (find_recovered_at(incident, [rollback]) is None) is is_open


def test_what_was_over_too_late_is_said_at_the_end() -> None:
    """A person was called in; once the conditions are over, nothing fails any more."""
    world = run_five_minutes_after_alert(is_open=True)
    world.pass_time(time_to_condition_deadline(world))
    world.ports.alerts.open["0.abc"] = False

    world.pass_time(HOUR)

    rollback = world.rollback
    incident = world.incident
    assert rollback.outcome == "no regression during monitoring, its alerts were over too late"
    assert incident.status is IncidentStatus.RESOLVED
    assert available_verbs(incident, rollback) == ()


def test_a_condition_that_is_over_at_the_last_read() -> None:
    """What stands at the first read is read again until the limit, and then it is over."""
    world = run_five_minutes_after_alert(is_open=True)
    world.pass_time(time_to_condition_deadline(world) - 2 * MINUTE)
    assert world.rollback.conditions_read_at is None

    world.ports.alerts.open["0.abc"] = False
    world.pass_time(2 * MINUTE)

    assert len(told(world, "alerts.over")) == 1
    assert world.incident.status is IncidentStatus.WATCHING


def test_a_condition_that_nobody_tells_of_is_asked_for_until_the_limit() -> None:
    """No answer is no answer: told as not known, and nobody is called in for that alone."""
    world = run_five_minutes_after_alert(is_open=None)
    world.ports.counts.rates = dict.fromkeys(world.policy.functions, 0.0)
    asked: list[timedelta] = []

    def note(verb: str, side: str) -> None:
        if (verb, side) == ("alerts.is_open", "before"):
            asked.append(time_to_condition_deadline(world))
            raise Unavailable("no answer")

    world.ports.alerts.hook = note
    world.pass_time(time_to_condition_deadline(world))

    assert len(asked) > 2
    assert min(asked) > timedelta(0)
    [said] = told(world, "alerts.unanswered")
    assert said.startswith("not known to be over: function failure rate")
    assert is_said(world, "alerts.unanswered")
    assert world.incident.status is IncidentStatus.WATCHING


@pytest.mark.parametrize("is_open", [False, True])
def test_conditions_when_the_clock_has_not_ticked_for_an_hour(is_open: bool) -> None:
    """Read at the next wake-up, however late: the end is the one that it would have had."""
    world = run_five_minutes_after_alert(is_open)
    world.advance_clock(HOUR)

    world.publish(topics.CLOCK, b"{}")
    world.settle()

    rollback = world.rollback
    incident = world.incident
    assert rollback.status is RollbackStatus.SUCCEEDED
    ended = IncidentStatus.ESCALATED if is_open else IncidentStatus.RESOLVED
    assert incident.status is ended
    assert len(told(world, "alerts.escalated" if is_open else "alerts.over")) == 1
    assert world.find_violated_invariants() == []


def test_a_look_a_day_does_not_keep_the_conditions_waiting() -> None:
    """Whatever the policy says of the watch, their wake-ups come in time."""
    rare = replace(WATCHED.execution, watch_every=timedelta(days=1))
    world = World(policy=replace(WATCHED, execution=rare))
    world.ports.alerts.open["0.abc"] = True
    world.deploy_bad()
    world.alert()
    world.pass_time(5 * MINUTE)

    world.pass_time(time_to_condition_deadline(world) - MINUTE / 2)

    assert len(told(world, "alerts.escalated")) == 1


def test_what_is_worse_than_before_the_trouble_is_not_verified() -> None:
    """It would be called recovered, and a moment later worse than before."""
    world = World()
    world.pass_time(HOUR)
    world.deploy_bad()

    def worsen() -> None:
        for function in world.policy.functions:
            world.platform.set_failure_rate(function, f"{function.lower()}-00001", 0.09)

    world.platform.hook = run_once("platform.shift", "before", worsen)
    world.alert()
    world.pass_time(HOUR)

    rollback = world.rollback
    assert (rollback.verified_at, rollback.shifted_at is None) == (None, False)
    assert "rollback.verified" not in world.events(rollback)


@pytest.mark.parametrize("works", [False, True])
def test_a_site_and_a_template_do_not_prove_that_functions_work(works: bool) -> None:
    """An alert counts requests of functions: they are counted before it is called recovered."""
    world = build_shop_with_bad_resources()
    if works:
        world.ports.beside.hook = run_once(
            "remote_config.publish", "after", lambda: set_failure_rate(world, 0)
        )
    world.alert()
    world.settle()
    [rollback], [opened] = world.rollbacks(), world.incidents()

    assert rollback.shifted_at is not None
    assert (rollback.verified_at is not None) is works
    assert any(one.is_well for one in opened.timeline) is works


def test_a_site_that_fails_after_its_recovery_is_observed_by_its_probe() -> None:
    """A person ended the monitoring; the probe has no signal, so no alert tells of it."""
    world = build_shop_with_bad_resources()
    world.ports.beside.hook = run_once("remote_config.publish", "after", lambda: set_failure_rate(world, 0))
    world.alert()
    world.settle()
    world.alert(state="closed")
    world.carry_out("cancel", incident=world.incident.id)
    told = [world.incident.status]
    for down in ({"shop"}, set[str]()):
        world.ports.prober.down = down.__contains__
        world.pass_time(4 * MINUTE)
        told.append(world.incident.status)

    recovered = IncidentStatus.RECOVERED
    assert told == [recovered, IncidentStatus.ESCALATED, recovered]
