from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core import topics
from shared.domain.deployments.inventory.traffic import TrafficTarget
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.policy.execution_limits import Execution, WriteQuota
from shared.domain.policy.system_policy import Group, Policy
from shared.domain.rollback.plan import StepStatus
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.decision.outages import make_function_fail
from tests.support.fakes.runtime.hooks import no_hook
from tests.support.notices.status_page import read_public_state
from tests.support.runtime.world import BOOKSHOP, World

HOUR = timedelta(hours=1)
STEADY = replace(BOOKSHOP.execution, write_quota=WriteQuota(burst=100_000, per_second=1000.0))


def shop(groups: dict[str, Group], execution: Execution = STEADY) -> Policy:
    return replace(BOOKSHOP, groups=groups, probes=(), group_aliases={}, execution=execution)


def commits_between_claim_and_finish(world: World) -> int:
    """Commits that carry steps forward: not the claim, the decision, the verification, the end."""
    rollback = world.rollback
    return sum(
        all(event.name.startswith(("step.", "lease.")) for event in entry.events)
        for entry in world.trail(rollback)
    )


def test_a_bad_release_is_rolled_back_verified_watched_and_resolved() -> None:
    """One alert about a bad release ends in every function back on its stable revision."""
    world = World()
    stable = world.live
    world.deploy_bad()
    assert world.live != stable

    world.alert()
    world.pass_time(HOUR)

    assert world.live == stable
    rollback = world.rollback
    assert (rollback.status, rollback.outcome) == (
        RollbackStatus.SUCCEEDED,
        "no regression during monitoring",
    )
    incident = world.incident
    assert incident.status is IncidentStatus.RESOLVED
    assert [moment.status.value for moment in incident.timeline] == [
        *("DETECTED", "ROLLING_BACK", "VERIFYING", "WATCHING", "RESOLVED")
    ]
    assert read_public_state(world).word == "resolved"
    assert world.find_violated_invariants() == []


def test_twenty_steps_in_sequence_cost_few_commits_each() -> None:
    """In sequence, a step's result and the next one's intent share a commit."""
    chain = {
        f"group{number:02d}": Group(
            functions=(f"function{number:02d}",), after=(f"group{number - 1:02d}",) if number else ()
        )
        for number in range(20)
    }
    world = World(policy=shop(chain))
    world.deploy_bad()

    world.alert()
    world.pass_time(HOUR)

    rollback = world.rollback
    assert rollback.status is RollbackStatus.SUCCEEDED
    steps = world.steps(rollback.id).values()
    done = [step for step in steps if step.status is StepStatus.DONE]
    assert len(done) == 40
    assert commits_between_claim_and_finish(world) / len(done) <= 1.3


def test_a_hundred_functions_in_bulk_share_their_commits() -> None:
    """In bulk, many results and intents share a commit."""
    group = Group(functions=tuple(f"function{number:03d}" for number in range(127)))
    world = World(policy=shop({"all": group}))
    world.deploy_bad()

    world.alert()
    world.pass_time(HOUR)

    assert world.rollback.status is RollbackStatus.SUCCEEDED
    assert commits_between_claim_and_finish(world) / 127 <= 0.4


def test_what_is_right_already_is_left_alone() -> None:
    """A function that serves its goal is no step of the plan."""
    world = World()
    world.deploy_bad(["getBook", "listBooks"])

    world.alert()
    world.pass_time(HOUR)

    rollback = world.rollback
    shifted = {step.target for step in world.steps(rollback.id).values() if step.kind == "shift"}
    assert shifted == {"getBook", "listBooks"}
    assert sorted(world.platform.applied_shifts) == ["getbook", "listbooks"]


@pytest.mark.parametrize("function", ["searchBooks", "getBook"])
def test_a_function_that_a_person_changed_stops_alone_and_is_reported(function: str) -> None:
    """The human wins: their function is left as they made it, canary or not; the others go back."""
    changed = False

    def somebody(verb: str, side: str) -> None:
        nonlocal changed
        if verb == "platform.dry_run" and side == "before" and not changed:
            changed = True
            world.platform.deploy([function], failure_rate=0.0)

    world = World()
    stable = world.live
    world.deploy_bad()
    world.platform.hook = somebody
    world.alert()
    world.pass_time(HOUR)

    rollback = world.rollback
    assert rollback.status is RollbackStatus.FAILED
    stopped = [step for step in world.steps(rollback.id).values() if step.status is StepStatus.STOPPED]
    assert [step.target for step in stopped] == [function]
    assert {name for name, served in world.live.items() if served != stable[name]} == {function}
    assert world.incident.status is IncidentStatus.RECOVERED


def test_tags_stay_where_they_are() -> None:
    """Every tagged entry keeps its tag and revision; only percents move."""
    world = World()
    before = world.live
    service = world.platform.inventory()["getBook"].service
    tagged = (TrafficTarget("", 100), TrafficTarget(service.latest_ready, 0, "preview"))
    world.platform.change_by_hand("getBook", tagged)
    world.advance_clock(timedelta(minutes=1))
    world.deploy_bad()

    world.alert()
    world.pass_time(HOUR)

    after = world.platform.inventory()["getBook"].service.traffic
    assert world.live == before
    assert [(one.revision, one.tag) for one in after if one.tag] == [(service.latest_ready, "preview")]


def test_a_canary_that_is_no_better_stops_everything() -> None:
    """Where the old revision fails as well, nothing more is shifted, and nothing is flipped."""
    world = World()
    make_function_fail(world, "getBook")
    world.deploy_bad()
    bad = world.live

    world.alert()
    world.pass_time(HOUR)

    rollback = world.rollback
    assert rollback.status is RollbackStatus.FAILED
    steps = world.steps(rollback.id)
    assert steps["judge catalogue"].status is StepStatus.FAILED
    assert steps["shift listBooks"].status is StepStatus.SKIPPED
    assert world.live["listBooks"] == bad["listBooks"]
    assert world.incident.status is IncidentStatus.ESCALATED


def test_an_operation_that_fails_late_is_asked_for_again() -> None:
    """What the platform gives up is sent again, within the attempts that the policy allows."""
    world = World()
    stable = world.live
    world.deploy_bad()
    world.platform.fail_late("listBooks", "no capacity")

    world.alert()
    world.pass_time(HOUR)

    rollback = world.rollback
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert world.steps(rollback.id)["shift listBooks"].attempts == 2
    assert world.live == stable


def test_an_operation_that_always_fails_late_is_given_up() -> None:
    """It is sent as often as the policy allows, and no more; a person is told."""
    world = World()
    world.deploy_bad()
    allowed = world.policy.execution.step_attempts

    def fails(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "before"):
            world.platform.fail_late("listBooks", "no capacity")

    world.platform.hook = fails
    world.alert()
    world.pass_time(HOUR)

    rollback = world.rollback
    step = world.steps(rollback.id)["shift listBooks"]
    assert (step.status, step.attempts) == (StepStatus.FAILED, allowed)
    assert step.note == f"given up after {allowed} attempts: no capacity"
    assert rollback.status is RollbackStatus.FAILED
    assert world.incident.status is IncidentStatus.ESCALATED


def test_a_refused_write_waits_as_long_as_it_was_told() -> None:
    """A quota that is tighter than believed slows the rollback down, and fails nothing."""
    world = World()
    stable = world.live
    world.deploy_bad()
    world.platform.limit_writes(WriteQuota(burst=2, per_second=0.2))

    world.alert()
    world.pass_time(HOUR)

    assert world.live == stable
    assert world.rollback.status is RollbackStatus.SUCCEEDED


def test_a_long_rollback_is_handed_over_and_goes_on() -> None:
    """No worker works longer than its time; the next one goes on where it stopped."""
    world = World()
    stable = world.live
    world.platform.operation_latency = timedelta(seconds=100)
    world.deploy_bad()

    world.alert()
    world.pass_time(HOUR)

    rollback = world.rollback
    assert "worker.handed-over" in world.events(rollback)
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert world.live == stable
    assert world.find_violated_invariants() == []


def test_a_regression_during_the_watch_escalates_and_never_flips() -> None:
    """One step back only: what gets worse again is a person's."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(timedelta(minutes=5))
    assert world.rollback.status is RollbackStatus.WATCHING
    shifts = len(world.platform.applied_shifts)

    for function in world.policy.functions:
        make_function_fail(world, function)
    world.pass_time(timedelta(minutes=20))

    rollback = world.rollback
    assert rollback.status is RollbackStatus.FAILED
    assert "worse again" in rollback.outcome
    assert len(world.platform.applied_shifts) == shifts


def stop_traffic_at_shift(world: World) -> None:
    """Nobody sends a request from the first shift on."""

    def stop_traffic(verb: str, side: str) -> None:
        if verb == "platform.shift":
            world.ports.counts.rates = dict.fromkeys(world.policy.functions, 0.0)

    world.platform.hook = stop_traffic


def test_without_traffic_it_ends_unverified_and_says_so() -> None:
    """Thin data is inconclusive, and inconclusive at the deadline is told as it is."""
    world = World()
    world.deploy_bad()
    stop_traffic_at_shift(world)
    world.alert()
    world.pass_time(HOUR)

    rollback = world.rollback
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert rollback.verified_at is None
    assert rollback.outcome == (
        "no regression of what it changed, but never verified, last check: "
        "waiting for traffic: 0 of 5 requests counted, not known to be over: function failure rate"
    )
    assert [sent for sent in world.sent_notices if "rollback.unverified" in sent.key]
    incident = world.incident
    statuses = {moment.status for moment in incident.timeline}
    assert IncidentStatus.WATCHING not in statuses  # the page would say that it works again


def test_a_recovery_that_requests_prove_late_is_verified_during_monitoring() -> None:
    """Nobody came while it was verified; once enough requests work, people are told."""
    world = World()
    world.deploy_bad()
    stop_traffic_at_shift(world)
    world.alert()
    world.pass_time(timedelta(minutes=8))
    [unverified] = world.rollbacks()
    world.platform.hook = no_hook
    world.ports.counts.rates = {}
    world.alert(state="closed")
    world.pass_time(timedelta(minutes=8))

    [rollback] = world.rollbacks()
    assert (unverified.status, unverified.verified_at) == (RollbackStatus.WATCHING, None)
    assert rollback.status is RollbackStatus.WATCHING
    assert rollback.verified_at is not None
    assert rollback.watch_until == unverified.watch_until
    assert world.incident.status is IncidentStatus.WATCHING
    assert [sent for sent in world.sent_notices if "rollback.verified" in sent.key]


def test_an_outage_without_a_change_is_escalated_with_its_one_command() -> None:
    """No cause, no rollback: nothing that was not changed is rolled back."""
    world = World()
    for function in world.policy.functions:
        make_function_fail(world, function)
    world.advance_clock(timedelta(minutes=10))

    world.alert()
    world.pass_time(timedelta(minutes=10))

    assert world.rollback.status is RollbackStatus.NOT_TAKEN
    assert world.platform.applied_shifts == []
    assert world.incident.status is IncidentStatus.ESCALATED
    told = [sent for sent in world.sent_notices if "escalated" in sent.key]
    assert "gcloud pubsub topics publish rollback-commands" in told[0].notice["facts"]["prepared_command"]


def test_an_alert_that_nothing_confirms_is_judged_again_and_escalated_on_time() -> None:
    """Inconclusive holds, looks again, and at its deadline goes to a person."""
    world = World()
    world.ports.counts.rates = dict.fromkeys(world.policy.functions, 0.0)  # nothing refutes it
    world.deploy_bad(rate=0.0)
    world.alert()
    world.ports.alerts.open["0.abc"] = True
    world.pass_time(timedelta(minutes=2))
    assert world.rollback.status is RollbackStatus.DECIDING
    assert world.events(world.rollback).count("decision.held") >= 3

    world.pass_time(timedelta(minutes=3))

    assert world.rollbacks()[0].status is RollbackStatus.NOT_TAKEN
    assert world.incident.status is IncidentStatus.ESCALATED


def test_an_alert_that_enough_requests_refute_ends_without_a_person() -> None:
    """It waits until its deadline; the incident stays open, and recovers with its alert."""
    world = World()
    world.deploy_bad(rate=0.0)
    served = world.live
    world.alert()
    world.ports.alerts.open["0.abc"] = True
    world.pass_time(timedelta(minutes=2))
    assert world.rollback.status is RollbackStatus.DECIDING

    world.pass_time(timedelta(minutes=3))

    refuted = world.rollback
    assert refuted.status is RollbackStatus.NOT_TAKEN
    assert "enough requests show that it fails less than its level" in refuted.outcome
    assert world.incident.status is IncidentStatus.DETECTED
    assert "rollback.escalated" not in world.events(refuted)
    world.alert(state="closed")
    world.ports.alerts.open["0.abc"] = False
    world.pass_time(timedelta(minutes=5))
    assert world.incidents()[0].status is IncidentStatus.RESOLVED
    assert world.live == served


def test_a_system_that_nobody_promoted_is_only_observed() -> None:
    """Absent means observe: a fresh installation acts on nothing."""
    world = World(promoted=False)
    world.deploy_bad()
    bad = world.live

    world.alert()
    world.pass_time(timedelta(minutes=10))

    assert world.live == bad
    assert (world.rollback.status, world.incident.status) == (
        RollbackStatus.NOT_TAKEN,
        IncidentStatus.INVESTIGATING,
    )


def test_a_dropped_hand_over_is_found_by_the_clock() -> None:
    """Nothing gets stuck when every work message is lost: what is due is handed on again."""
    world = World()
    stable = world.live
    world.deploy_bad()
    world.alert()
    published = world.take_newest()
    assert world.deliver(published)
    world.ports.bus.messages = [one for one in world.ports.bus.messages if one.topic != topics.WORK]

    world.pass_time(HOUR)

    assert world.live == stable
    assert world.rollback.status is RollbackStatus.SUCCEEDED


def test_a_second_alert_after_a_rollback_goes_to_a_person() -> None:
    """Never twice backwards: within the cool-down, a further bad release is escalated."""
    world = World()
    world.deploy_bad()
    world.alert("0.first")
    world.pass_time(HOUR / 2)
    assert world.rollback.status is RollbackStatus.SUCCEEDED
    shifts = len(world.platform.applied_shifts)

    for function in world.policy.functions:
        served = world.platform.inventory()[function].service.latest_created
        world.platform.change_by_hand(function, (TrafficTarget(served, 100),))
    world.advance_clock(timedelta(minutes=12))
    world.alert("0.second")
    world.pass_time(timedelta(minutes=15))

    assert len(world.rollbacks()) == 2
    assert len(world.platform.applied_shifts) == shifts
    assert world.newest_incident.status is IncidentStatus.ESCALATED
