from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from responders.triggers.work import WorkTrigger
from shared.core import topics
from shared.core.errors import Unavailable
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.incidents.next_actions import available_verbs
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import Signal
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.decision.outages import build_monitored_world, make_function_fail, of_function
from tests.support.fakes.runtime.hooks import no_hook, raise_error, run_once
from tests.support.faults.fault_injection import ProcessCrash, shorten_watch
from tests.support.rollbacks.approvals import build_world_awaiting_approval
from tests.support.runtime.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def pause_in_the_midst(world: World) -> None:
    """A person throws the kill switch once the first function is led back."""

    def pause() -> None:
        world.command(command="pause")
        world.deliver_newest()
        world.advance_clock(timedelta(seconds=3))

    world.platform.hook = run_once("platform.shift", "after", pause)


def escalated() -> World:
    """Everything fails without a change: a person has it."""
    world = World()
    for function in world.policy.functions:
        make_function_fail(world, function)
    world.advance_clock(10 * MINUTE)
    world.alert("0.first")
    world.pass_time(5 * MINUTE)
    assert world.incident.status is IncidentStatus.ESCALATED
    return world


def told(world: World, event: str) -> list[str]:
    return [sent.key for sent in world.sent_notices if event in sent.key]


def test_trouble_after_an_escalation_is_judged_and_not_swallowed() -> None:
    """An incident that waits for a person does not make the system deaf."""
    world = escalated()
    for function in world.policy.functions:
        [serving] = world.live[function]
        world.platform.set_failure_rate(function, serving, 0.0)
    stable = world.live
    world.advance_clock(timedelta(days=3))
    world.deploy_bad()
    world.pass_time(70 * MINUTE)  # what is deployed during an incident is a person's for an hour

    world.alert("0.second")
    world.pass_time(60 * MINUTE)

    assert world.live == stable
    assert [one.status for one in world.rollbacks()] == [RollbackStatus.NOT_TAKEN, RollbackStatus.SUCCEEDED]
    assert world.incident.status is IncidentStatus.RESOLVED


def test_a_storm_on_an_escalated_incident_is_judged_together() -> None:
    """Many alerts that join within half a minute make one further rollback."""
    world = World()
    for function in world.policy.functions:
        make_function_fail(world, function)
    world.advance_clock(10 * MINUTE)
    world.alert("0.first")
    world.pass_time(MINUTE)
    assert world.incident.status is IncidentStatus.ESCALATED

    for number in range(50):
        world.alert(f"0.storm{number}")
    world.pass_time(2 * MINUTE)

    assert len(world.rollbacks()) == 2


def test_an_alert_that_joins_while_another_is_judged_is_judged_too() -> None:
    """The end of a decision and a joining alert meet in one transaction."""
    world = World()
    stable = world.live
    world.deploy_bad()
    world.alert("0.mild", signal="slow_response")

    def critical() -> None:
        world.alert("0.critical")
        world.deliver_newest()

    world.platform.hook = run_once("platform.inventory", "before", critical)
    world.pass_time(60 * MINUTE)

    assert world.live == stable
    assert world.incident.severity == "CRITICAL"
    assert told(world, "incident.raised-critical")


def test_a_worse_alert_raises_the_severity_while_the_rollback_runs() -> None:
    """Raised, told, and never lowered."""
    world = World()
    world.deploy_bad()

    def critical() -> None:
        world.alert("0.critical")
        world.deliver_newest()

    world.platform.hook = run_once("platform.shift", "after", critical)
    world.alert("0.high", signal="critical_path_blocked")
    world.pass_time(2 * MINUTE)
    world.ports.alerts.open |= {"0.high": False, "0.critical": False}
    world.pass_time(60 * MINUTE)

    incident = world.incident
    assert (incident.severity, incident.status) == ("CRITICAL", IncidentStatus.RESOLVED)
    assert len(told(world, "incident.raised-critical")) >= 1
    assert len(world.rollbacks()) == 1


def test_an_alert_of_another_kind_during_a_rollback_opens_its_own_incident() -> None:
    """It is no part of the rollback's incident: each ends by its own signals."""
    world = World()
    world.deploy_bad()

    def corruption() -> None:
        world.alert("0.corrupt", signal="database_corruption")
        world.deliver_newest()

    world.platform.hook = run_once("platform.shift", "after", corruption)
    world.alert()
    world.pass_time(30 * MINUTE)

    first, second = world.rollbacks()
    assert (first.status, second.status) == (RollbackStatus.SUCCEEDED, RollbackStatus.NOT_TAKEN)
    assert first.outcome == "no regression during monitoring"
    assert [one.status for one in world.incidents()] == [IncidentStatus.RESOLVED, IncidentStatus.ESCALATED]
    assert told(world, f"{second.incident}:rollback.escalated")


def test_what_asks_for_nothing_ends_no_escalation() -> None:
    """An alert that is only watched joins what waits for a person: people are told that once."""
    world = escalated()

    for number in (2, 3):
        world.alert(f"0.slow-{number}", signal="slow_response")
        world.pass_time(5 * MINUTE)

        [trouble], newest = world.incidents(), world.newest_rollback
        assert (newest.id, newest.status) == (f"{trouble.id}-r{number}", RollbackStatus.NOT_TAKEN)
        assert trouble.status is IncidentStatus.ESCALATED
        assert available_verbs(trouble, newest) == ("retry", "accept", "ack")
        assert bool(told(world, f"rollback.escalated-r{number}")) is (number == 2)
        assert not told(world, f"reopened-{number}")


def test_an_alert_that_joins_a_question_is_judged_with_it() -> None:
    """A question to a person does not hide what comes later."""
    world = World()
    stable = world.live
    world.carry_out("promote", mode="ask")
    world.deploy_bad()
    world.alert("0.first")
    world.settle()
    assert world.rollback.status is RollbackStatus.PARKED
    world.carry_out("promote", mode="act")

    world.alert("0.second")
    world.pass_time(60 * MINUTE)

    assert world.live == stable
    assert world.rollbacks()[0].status is RollbackStatus.SUCCEEDED


def test_a_pause_does_not_answer_a_question() -> None:
    """What waits for a person goes on waiting, until its own time is over."""
    world = build_world_awaiting_approval()

    world.command(command="pause")
    world.command(command="resume")
    world.pass_time(5 * MINUTE)
    waiting = world.rollback.status
    world.pass_time(30 * MINUTE)

    assert waiting is RollbackStatus.PARKED
    rollback = world.rollback
    assert (rollback.status, rollback.outcome) == (
        RollbackStatus.NOT_TAKEN,
        "the request for approval expired",
    )


@pytest.mark.parametrize("closed_first", [True, False])
def test_a_blip_that_closed_again_is_no_trouble(closed_first: bool) -> None:
    """Closed, and nothing else sees it: no action, in whichever order the two arrive."""
    world = World()
    world.deploy_bad(rate=0.0)
    for state in ("closed", "open") if closed_first else ("open", "closed"):
        world.alert("0.blip", state)

    world.pass_time(10 * MINUTE)

    assert told(world, "escalated") == []
    assert {one.status for one in world.incidents()} <= {IncidentStatus.RESOLVED}


def test_an_alert_that_closes_while_the_watch_looks_does_not_end_it() -> None:
    """What is joined and what is answered are told from one look at the alerts."""
    world = World()
    world.deploy_bad()
    world.alert("0.first")
    world.pass_time(5 * MINUTE)
    assert world.rollback.status is RollbackStatus.WATCHING

    def closed() -> None:
        world.alert("0.late", state="closed")
        world.deliver_newest()

    world.alert("0.late", started_at=world.now)
    world.ports.counts.hook = run_once("metrics.requests", "after", closed)
    world.pass_time(20 * MINUTE)

    assert [one.outcome for one in world.rollbacks()] == ["no regression during monitoring"]


def test_an_alert_that_joins_during_monitoring_is_judged_at_once() -> None:
    """The page does not say until the next check, a minute later, that all parts work again."""
    world = build_monitored_world()

    world.alert("0.second", started_at=world.now, resource=of_function(world, "listBooks"))
    world.settle()

    assert world.incident.status is IncidentStatus.INVESTIGATING
    assert world.rollbacks()[0].outcome == "the watch ended early: a further alert must be judged"
    assert world.find_violated_invariants() == []


def test_another_group_that_fails_during_monitoring_is_an_incident_of_its_own() -> None:
    """What was recovered in time stays so; what fails now is measured from its own beginning."""
    world = build_monitored_world()
    recovered = world.incident
    assert recovered.status is IncidentStatus.WATCHING

    began = world.now
    world.alert("0.second", started_at=began, resource=of_function(world, "payOrder"))
    world.settle()

    first, second = world.incidents()
    assert first == recovered
    assert second.detected_at >= began
    assert {one.function for one in second.scopes} == {"payOrder"}
    world.pass_time(40 * MINUTE)
    assert world.incidents()[0].status is IncidentStatus.RESOLVED
    assert world.find_violated_invariants() == []


def test_a_late_alert_about_another_group_joins_during_monitoring() -> None:
    """It tells of what failed before the recovery."""
    world = build_monitored_world()
    world.alert("0.late", started_at=world.incident.detected_at, resource=of_function(world, "payOrder"))
    world.settle()

    assert len(world.incidents()) == 1


def ended_beside(joins_at: int | None) -> tuple[World, int]:
    """A rollback that has ended, and how many commits its watch has taken.

    Right before so many-th of them an alert is kept, and who keeps it dies of that.
    """
    world = World(policy=shorten_watch())
    world.deploy_bad()
    commits = 0

    def count(verb: str, side: str) -> None:
        nonlocal commits
        if (verb, side) != ("store.commit", "before"):
            return
        if [one.status for one in world.rollbacks()] != [RollbackStatus.WATCHING]:
            return
        commits += 1
        if commits - 1 == joins_at:
            world.store.hook = raise_error("store.commit", ProcessCrash(), "after")
            world.alert("0.late", started_at=world.now)
            with suppress(ProcessCrash):
                world.deliver_newest()
            world.store.hook = no_hook

    world.alert()
    world.settle()
    world.store.hook = count
    world.pass_time(8 * MINUTE)
    world.store.hook = no_hook
    return world, commits


def test_an_alert_that_is_kept_right_before_the_end_is_judged() -> None:
    """The end is a transaction over the alerts: it is seen though nobody looks a second time."""
    _, commits = ended_beside(None)

    for at in range(commits):
        world, _ = ended_beside(at)
        late = world.documents["alerts/0.late:open"]
        assert late["absorbed_by"], at


def test_a_closed_alert_is_no_recovery_while_routers_see_the_trouble() -> None:
    """What is really failing goes back, whatever the notification says."""
    world = World()
    stable = world.live
    world.deploy_bad()
    world.alert("0.abc")
    world.alert("0.abc", "closed")

    world.pass_time(60 * MINUTE)

    assert world.live == stable


def test_an_older_switch_never_lifts_a_newer_one() -> None:
    """A resume that was held up on its way does not undo the pause that was said after it."""
    world = World()
    world.command(command="resume")
    late = world.take_newest()
    world.advance_clock(MINUTE)
    world.command(command="pause")
    world.settle()

    world.deliver(late, published_at=world.now - MINUTE)

    assert world.documents["controls/global"]["pause"] is not None


def test_an_order_from_another_hour_is_refused() -> None:
    """What a person wanted then is not done now."""
    world = World()
    world.deploy_bad()
    world.send_command("rollback")
    late = world.take_newest()

    world.deliver(late, published_at=world.now - 16 * MINUTE)

    assert world.rollbacks() == []


def test_a_late_redelivery_of_what_was_carried_out_is_no_late_order() -> None:
    """It was done in time: it comes again, and changes nothing."""
    world = World()
    world.send_command("promote", mode="ask", id="mine")
    [published] = world.waiting()
    world.settle()
    said_at = world.now
    world.advance_clock(30 * MINUTE)

    assert world.deliver(published, published_at=said_at)

    assert [one for one in world.ports.bus.messages if one.topic == topics.DEAD_LETTERS] == []


def test_an_order_waits_when_what_is_live_cannot_be_read() -> None:
    """No answer is no answer: not that there is nothing to do."""
    world = World()
    stable = world.live
    world.deploy_bad()
    world.platform.hook = run_once("platform.inventory", "before", _unavailable)

    world.send_command("rollback")
    world.pass_time(60 * MINUTE)

    assert world.live == stable
    assert world.rollback.status is RollbackStatus.SUCCEEDED


def _unavailable() -> None:
    raise Unavailable("no answer")


def test_an_order_for_what_was_deleted_since_is_asked_about() -> None:
    """What nobody can shift any more would be created again, if a person wants that."""
    world = World()
    world.platform.delete_function("payOrder")

    world.send_command("rollback", functions=["payOrder"])
    world.pass_time(2 * MINUTE)

    rollback = world.rollback
    assert rollback.status is RollbackStatus.PARKED
    assert rollback.question is not None
    assert rollback.question.reason == "approval: payOrder: deleted since, and would be created again"


def test_answers_that_fail_now_and_then_fail_no_rollback() -> None:
    """Lost answers are no deaths: a watch with a lost query in each look ends well."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(5 * MINUTE)
    assert world.rollback.status is RollbackStatus.WATCHING
    asked: list[int] = []

    def every_other(verb: str, side: str) -> None:
        if verb == "store.query" and side == "before":
            asked.append(1)
            if len(asked) % 2:
                _unavailable()

    world.store.hook = every_other
    for _ in range(60):
        world.publish(topics.CLOCK, b"{}")
        with suppress(AssertionError):  # so soon, its message waits for another answer
            world.settle(limit=20)
    world.store.hook = no_hook
    world.pass_time(30 * MINUTE)

    assert world.rollbacks()[0].status is RollbackStatus.SUCCEEDED


def test_a_pause_longer_than_a_steps_time_fails_nothing() -> None:
    """The time of a step is not counted while a switch forbids it."""
    world = World()
    stable = world.live
    world.deploy_bad()
    pause_in_the_midst(world)
    world.alert()
    world.pass_time(15 * MINUTE)
    assert told(world, "rollback.held")
    world.command(command="resume")
    world.pass_time(60 * MINUTE)

    assert world.live == stable
    assert world.rollback.status is RollbackStatus.SUCCEEDED


def test_a_pause_that_is_never_lifted_ends_the_rollback_and_tells() -> None:
    """It ends: what is half done is listed, and a person is told."""
    world = World()
    world.deploy_bad()
    pause_in_the_midst(world)
    world.alert()
    world.pass_time(45 * MINUTE)

    rollback = world.rollback
    assert rollback.status is RollbackStatus.FAILED
    assert "held for too long" in rollback.outcome
    assert told(world, "rollback.failed")


def test_a_rollback_of_an_unknown_system_is_refused_and_left_alone() -> None:
    """Without its policy nobody knows what to do: nothing is claimed."""
    world = World()
    world.alert()
    world.deliver_newest()
    before = world.rollbacks()
    world.responders[topics.WORK] = WorkTrigger(world.ports, {})

    world.settle()

    assert world.rollbacks() == before


MEDIA = Signal(Severity.HIGH, ScenarioName.FEATURE, Mode.ACT)
SHOP = replace(
    BOOKSHOP,
    signals={**BOOKSHOP.signals, "media_failing": MEDIA, "payments_failing": MEDIA},
    scenarios={**BOOKSHOP.scenarios, ScenarioName.FEATURE: Mode.ACT},
)


def build_world_after_media() -> World:
    """Media failed, was rolled back, and its incident is resolved."""
    world = World(policy=SHOP)
    world.deploy_bad(["getBook"])
    world.alert("0.media", signal="media_failing", resource=of_function(world, "getBook"))
    world.pass_time(2 * MINUTE)
    world.ports.alerts.open["0.media"] = False
    world.pass_time(18 * MINUTE)
    assert world.incident.status is IncidentStatus.RESOLVED
    return world


def test_trouble_elsewhere_soon_after_the_end_is_another_incident() -> None:
    """Payments fail five minutes after media was resolved: neither is dated by the other."""
    world = build_world_after_media()
    media = world.incident
    world.platform.deploy(["payOrder"], failure_rate=0.8)
    world.alert("0.pay", signal="payments_failing", resource=of_function(world, "payOrder"))
    world.pass_time(MINUTE)

    before, payments = world.incidents()
    assert (before, payments.signal) == (media, "payments_failing")
    assert media.ended_at is not None
    assert world.now - media.ended_at < world.policy.gates.join_window
    assert payments.detected_at > (media.ended_at or payments.detected_at)


def test_an_alert_without_a_function_soon_after_the_end_is_another_incident() -> None:
    """Payments fail after media was resolved, and the alert names no function."""
    world = build_world_after_media()
    media = world.incident
    world.platform.deploy(["payOrder"], failure_rate=0.8)
    world.alert("0.wide")
    world.pass_time(MINUTE)

    before, payments = world.incidents()
    assert before == media
    assert payments.detected_at > (media.ended_at or payments.detected_at)


def test_the_same_trouble_soon_after_the_end_reopens_the_incident() -> None:
    """It is the same group of functions: the incident goes on."""
    world = World(policy=SHOP)
    world.deploy_bad(["getBook"])
    world.alert("0.media", signal="media_failing", resource=of_function(world, "getBook"))
    world.pass_time(20 * MINUTE)

    world.alert("0.again", signal="media_failing", resource=of_function(world, "searchBooks"))
    world.pass_time(MINUTE)

    assert world.incident.rollbacks == 2


def test_two_incidents_at_once_act_one_after_the_other() -> None:
    """The second one waits for the slot, and neither ends the other."""
    world = World(policy=SHOP)
    world.deploy_bad(["getBook"])

    def payments() -> None:
        world.advance_clock(timedelta(seconds=1))
        world.platform.deploy(["payOrder"], failure_rate=0.8)  # a release of its own
        began = world.now
        resource = of_function(world, "payOrder")
        world.alert("0.pay", signal="payments_failing", resource=resource, started_at=began)
        world.deliver_newest()

    world.platform.hook = run_once("platform.shift", "after", payments)
    world.alert("0.media", signal="media_failing", resource=of_function(world, "getBook"))
    world.pass_time(MINUTE)

    media, pay = world.incidents()
    system = world.documents["systems/bookshop"]
    assert (system["incident"], system["earlier_incidents"]) == (pay.id, [media.id])
    assert "decision.held" in world.events(world.rollbacks()[1])
    world.ports.alerts.open["0.media"] = False
    world.pass_time(20 * MINUTE)
    world.platform.deploy(["payOrder"])
    world.ports.alerts.open["0.pay"] = False
    world.alert("0.pay", "closed", signal="payments_failing", resource=of_function(world, "payOrder"))

    world.pass_time(HOUR)

    first, second = world.rollbacks()
    assert first.status is RollbackStatus.SUCCEEDED
    assert {step.target for step in world.steps(first.id).values()} == {"getBook"}
    assert (second.status, second.outcome[:9]) == (RollbackStatus.NOT_TAKEN, "cool-down")
    assert [one.timeline[-1].note for one in world.incidents()] == [
        first.outcome,
        f"recovered after the rollback {first.id}",
    ]
    assert world.find_violated_invariants() == []
    assert world.documents["systems/bookshop"]["earlier_incidents"] == []


def test_the_end_of_an_incident_is_told_after_that_of_its_rollback() -> None:
    """Wherever it is read by time, SUCCEEDED comes before RESOLVED."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(HOUR)

    [trouble], [rollback] = world.incidents(), world.rollbacks()
    assert trouble.ended_at is not None
    assert rollback.ended_at is not None
    assert rollback.ended_at <= trouble.ended_at
    assert trouble.timeline[-1].status is IncidentStatus.RESOLVED


def test_an_alert_that_comes_after_the_recovery_is_not_dated_before_it() -> None:
    """It was delivered an hour late: since then it worked, and was observed to work."""
    world = World(policy=SHOP)
    world.deploy_bad(["getBook"])
    began_at = world.now
    media: dict[str, Any] = {"signal": "media_failing", "resource": of_function(world, "getBook")}
    world.alert("0.media", **media)
    world.pass_time(2 * MINUTE)
    world.ports.alerts.open["0.media"] = False
    world.pass_time(HOUR)
    first = world.incident
    assert first.status is IncidentStatus.RESOLVED

    world.alert("0.late", started_at=began_at, **media)
    world.settle()

    late = world.newest_incident
    assert late.id != first.id
    assert late.onset_at == late.detected_at


def test_what_was_observed_to_work_is_not_forgotten_when_an_alert_names_another_function() -> None:
    """The page closes the parts of the functions that work; a further alert opens its own alone."""
    world = World(policy=SHOP, promoted=False)
    world.deploy_bad(["getBook"])
    world.alert("0.media", signal="media_failing", resource=of_function(world, "getBook"))
    world.pass_time(3 * MINUTE)
    assert "searchBooks" in world.incident.working

    world.alert("0.more", signal="media_failing", resource=of_function(world, "listBooks"))
    world.settle()

    incident = world.incident
    assert "searchBooks" in incident.working
    assert "listBooks" not in incident.working
