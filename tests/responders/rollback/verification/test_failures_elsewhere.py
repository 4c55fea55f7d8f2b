"""What fails beside the trouble of an incident: it changes neither its recovery nor its times."""

from datetime import timedelta

from shared.domain.incidents.incident import IncidentStatus
from shared.domain.incidents.recovery_times import find_recovered_at
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.decision.outages import MINUTE, build_monitored_world, make_function_fail, of_function
from tests.support.runtime.world import World


def test_monitoring_leaves_a_failure_to_the_incident_that_is_about_it() -> None:
    """It is not escalated, and it recovered when it did."""
    world = build_monitored_world()
    before = find_recovered_at(world.incident, world.rollbacks())

    make_function_fail(world, "payOrder")
    world.pass_time(MINUTE)
    world.alert("0.second", started_at=world.now, resource=of_function(world, "payOrder"))
    world.settle()
    world.pass_time(40 * MINUTE)

    first, second = world.incidents()
    own = [one for one in world.rollbacks() if one.incident == first.id]
    assert IncidentStatus.ESCALATED not in {one.status for one in first.timeline}
    assert find_recovered_at(first, own) == before
    assert second.ended_at is None


def accepted_by_nobody() -> World:
    """It recovered after a person cancelled the monitoring, and waits for a decision."""
    world = build_monitored_world()
    world.carry_out("cancel", incident=world.incident.id)
    world.alert("0.first", state="closed", resource=of_function(world, "getBook"))
    world.pass_time(15 * MINUTE)
    assert world.incident.status is IncidentStatus.RECOVERED
    return world


def test_a_failure_of_another_group_is_no_relapse_of_what_recovered() -> None:
    """The alert about it comes before a check observes it, and has an incident of its own."""
    world = accepted_by_nobody()
    make_function_fail(world, "payOrder")
    world.alert("0.second", started_at=world.now, resource=of_function(world, "payOrder"))
    world.settle()
    world.pass_time(10 * MINUTE)

    assert [one.status is IncidentStatus.RECOVERED for one in world.incidents()] == [True, False]


def test_a_failure_that_no_alert_reports_is_said_of_the_incident_that_is_open() -> None:
    """Its check is the only one that sees it: nobody may read that all works."""
    world = accepted_by_nobody()
    make_function_fail(world, "payOrder")
    world.pass_time(5 * MINUTE)

    incident = world.incident
    assert incident.status is IncidentStatus.ESCALATED
    assert incident.timeline[-1].note == "it fails again: functions that fail: payOrder"


def test_a_few_failures_that_may_be_chance_are_no_relapse() -> None:
    """A little more than a tenth of them fails: too few requests to prove that it fails again."""
    world = accepted_by_nobody()
    [serving] = world.live["payOrder"]
    world.platform.set_failure_rate("payOrder", serving, 0.12)
    world.pass_time(20 * MINUTE)

    assert world.incident.status is IncidentStatus.RECOVERED


def test_monitoring_does_not_end_well_while_too_few_requests_fail_to_prove_a_failure() -> None:
    """A further check tells whether it was chance; here nearly all fail then."""
    world = build_monitored_world()
    until = world.rollback.watch_until
    assert until is not None
    [serving] = world.live["payOrder"]
    world.platform.set_failure_rate("payOrder", serving, 0.12)
    world.pass_time(until - world.now + timedelta(seconds=30))
    make_function_fail(world, "payOrder")
    world.pass_time(5 * MINUTE)

    assert [turn.status for turn in world.incident.timeline][-2:] == [
        IncidentStatus.ESCALATED,
        IncidentStatus.INVESTIGATING,
    ]
    assert world.incident.ended_at is None


def test_the_monitoring_of_an_unpin_does_not_end_well_while_a_later_incident_is_about_it() -> None:
    """The alert is a moment old, so that the counts of five minutes still look well."""
    world = build_monitored_world()
    world.alert("0.first", state="closed", resource=of_function(world, "getBook"))
    world.pass_time(60 * MINUTE)
    world.platform.deploy(["getBook"])
    world.send_command("unpin", functions=["getBook"])
    world.pass_time(2 * MINUTE)
    until = world.newest_rollback.watch_until
    assert until is not None
    world.pass_time(until - world.now - MINUTE)
    unpinned = world.newest_incident
    world.alert("0.second", started_at=world.now, resource=of_function(world, "getBook"))
    world.settle()
    world.pass_time(3 * MINUTE)

    outcome = next(one.outcome for one in world.rollbacks() if one.incident == unpinned.id)
    assert outcome == "no regression of what it changed, a later incident is about getBook"
    assert next(one for one in world.incidents() if one.id == unpinned.id).ended_at is None


def test_alerts_that_the_plan_answers_do_not_delay_the_verification() -> None:
    """One comes during each check; the rollback is verified all the same."""
    world = World()
    world.deploy_bad(["getBook"])
    joined: list[str] = []

    def join(verb: str, side: str) -> None:
        is_check = [one.status for one in world.rollbacks()] == [RollbackStatus.VERIFYING]
        if (verb, side) != ("metrics.requests", "after") or not is_check or len(joined) > 80:
            return
        joined.append(f"0.late{len(joined)}")
        started_at = world.incident.detected_at
        world.alert(joined[-1], started_at=started_at, resource=of_function(world, "getBook"))
        world.deliver_newest()
        world.advance_clock(timedelta(seconds=5))

    world.ports.counts.hook = join
    world.alert("0.first", resource=of_function(world, "getBook"))
    world.pass_time(8 * MINUTE)

    assert joined
    verified_at = world.rollback.verified_at
    assert verified_at is not None
    assert verified_at - world.incident.detected_at < timedelta(minutes=5)
