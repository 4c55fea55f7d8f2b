"""An incident without a rollback in progress: open until its recovery was observed."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from responders.rollback.verification import recovery
from shared.core.codec import encode
from shared.core.store import Put, Update, Write
from shared.domain.data.isolation.write_fence import Fence, FenceStatus, fence_path
from shared.domain.incidents.incident import Incident, IncidentStatus, incident_path
from shared.domain.incidents.next_actions import available_verbs
from shared.domain.incidents.recovery_times import find_recovered_at, measure_recovery
from shared.domain.policy.channels import Audience, Channel, ChannelKind
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.signals import BREACH_SIGNAL
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.signals.alert import IncidentScope
from shared.domain.system_record import System
from tests.support.decision.outages import make_function_fail, of_function
from tests.support.fakes.runtime.hooks import run_once
from tests.support.notices.notices import read_notices
from tests.support.notices.status_page import read_public_state
from tests.support.rollbacks.approvals import build_world_awaiting_approval, publish_command
from tests.support.runtime.switches import iso_time_after
from tests.support.runtime.world import BOOKSHOP, EXAMPLE, World

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
USERS = Channel("users", ChannelKind.RECORDING, audience=Audience.USERS)
TOLD = replace(BOOKSHOP, channels=(*BOOKSHOP.channels, USERS))


def observed() -> World:
    """A bad release in a system that automation only observes, six minutes after its alert."""
    world = World(policy=TOLD, promoted=False)
    world.deploy_bad()
    world.alert()
    world.pass_time(6 * MINUTE)
    return world


def heal(world: World) -> None:
    """Whatever serves answers well from now on."""
    for function, revisions in world.live.items():
        for revision in revisions:
            world.platform.set_failure_rate(function, revision, 0.0)


def events(world: World) -> list[str]:
    return [str(one["event"]) for one in read_notices(world).values()]


def test_what_is_only_observed_stays_open_while_it_fails() -> None:
    """Not acting is not success: nobody reads that it is over, and nothing is to spare."""
    world = observed()
    world.pass_time(5 * MINUTE)

    trouble, [rollback] = world.newest_incident, world.rollbacks()
    assert (rollback.status, trouble.status) == (RollbackStatus.NOT_TAKEN, IncidentStatus.INVESTIGATING)
    assert (read_public_state(world).word, read_public_state(world).ended_at) == ("investigating", None)
    times = measure_recovery(world.policy, trouble, [rollback])
    assert times.recovered_at is None
    assert times.recover_by < world.now
    assert available_verbs(trouble, rollback) == ("accept", "ack")
    assert "reports/INC-20260302-001" not in world.documents
    users = [one for one in read_notices(world).values() if one["channel"] == "users"]
    assert [one["event"] for one in users if one["status"] != "WITHDRAWN"] == ["detected"]


def test_what_is_only_observed_ends_once_it_has_recovered() -> None:
    """The end is in the audit log, on the status page, in notices, and a report follows."""
    world = observed()
    heal(world)

    world.pass_time(8 * MINUTE)

    trouble, [rollback] = world.newest_incident, world.rollbacks()
    assert trouble.status is IncidentStatus.RESOLVED
    assert trouble.timeline[-1].note == "recovered without a rollback"
    assert (read_public_state(world).word, read_public_state(world).ended_at) == (
        "resolved",
        trouble.ended_at,
    )
    assert world.events(rollback)[-1] == "incident.recovered"
    assert "report" in events(world)
    texts = [one.notice["text"] for one in world.sent_notices if "incident.recovered" in one.key]
    assert any("recovered without a rollback" in text for text in texts)
    assert find_recovered_at(trouble, [rollback]) == trouble.ended_at
    assert world.find_violated_invariants() == []


def test_a_closed_notification_alone_is_no_recovery() -> None:
    """Cloud Monitoring calls it closed, and the routers see functions fail."""
    world = observed()

    world.alert(state="closed")
    world.ports.alerts.open["0.abc"] = False
    world.pass_time(10 * MINUTE)

    assert world.newest_incident.status is IncidentStatus.INVESTIGATING


def test_a_condition_that_cloud_monitoring_calls_open_is_no_recovery() -> None:
    """Few requests fail, and the condition still stands."""
    world = observed()
    heal(world)
    world.ports.alerts.open["0.abc"] = True

    world.pass_time(10 * MINUTE)

    assert world.newest_incident.status is IncidentStatus.INVESTIGATING


def test_a_recovery_that_nobody_can_observe_ends_as_that() -> None:
    """Nobody uses it: no check tells whether it works; it is never called resolved."""
    world = observed()
    heal(world)
    world.ports.counts.rates = dict.fromkeys(world.policy.functions, 0.0)

    world.pass_time(10 * MINUTE)
    waiting = world.newest_incident
    world.advance_clock(DAY)
    world.pass_time(2 * MINUTE)

    trouble, [rollback] = world.newest_incident, world.rollbacks()
    assert (waiting.status, waiting.unobserved_since is not None) == (IncidentStatus.INVESTIGATING, True)
    assert trouble.status is IncidentStatus.RECOVERY_NOT_OBSERVED
    assert read_public_state(world).word == "recovery not observed"
    assert find_recovered_at(trouble, [rollback]) is None
    users = [one.notice for one in world.sent_notices if ":users" in one.key]
    assert all("works again" not in str(one) for one in users)


LOG_MATCH = {"conditionMatchedLog": {"filter": "severity=ERROR"}}


def test_a_log_entry_that_matched_is_over_for_no_check() -> None:
    """Cloud Monitoring closes such an alert after its time, whatever happens."""
    world = World(policy=TOLD, promoted=False)
    world.alert("0.log", signal="frontend_unavailable", condition=LOG_MATCH)
    world.ports.alerts.open["0.log"] = False
    world.pass_time(30 * MINUTE)
    assert world.newest_incident.status is IncidentStatus.DETECTED

    world.advance_clock(DAY)
    world.pass_time(2 * MINUTE)

    assert world.incidents()[-1].status is IncidentStatus.RECOVERY_NOT_OBSERVED


def test_a_declared_breach_is_resolved_by_no_check() -> None:
    """Nobody observes its end: after its time it ends as what it is."""
    breach = replace(TOLD.signals["frontend_unavailable"], threshold=None)
    world = World(policy=replace(TOLD, signals={**TOLD.signals, BREACH_SIGNAL: breach}), promoted=False)
    world.alert("declared:1", signal=BREACH_SIGNAL)
    world.pass_time(30 * MINUTE)
    assert world.newest_incident.ended_at is None

    world.advance_clock(DAY)
    world.pass_time(2 * MINUTE)

    assert world.newest_incident.status is IncidentStatus.RECOVERY_NOT_OBSERVED


def breached(*, promoted: bool) -> World:
    """A declared breach, beside which a function has failed for four minutes."""
    breach = replace(TOLD.signals["frontend_unavailable"], threshold=None)
    world = World(policy=replace(TOLD, signals={**TOLD.signals, BREACH_SIGNAL: breach}), promoted=promoted)
    world.alert("declared:1", signal=BREACH_SIGNAL)
    world.pass_time(2 * MINUTE)
    make_function_fail(world, "getBook")
    world.pass_time(4 * MINUTE)
    return world


@pytest.mark.parametrize("promoted", [False, True], ids=["observed", "escalated"])
def test_a_breach_in_which_functions_failed_says_once_that_they_work_again(*, promoted: bool) -> None:
    """The public does not read for a day that they fail; the breach itself stays open."""
    world = breached(promoted=promoted)
    assert (world.newest_incident.failing, read_public_state(world).word) == (("getBook",), "investigating")

    heal(world)
    world.pass_time(12 * MINUTE)

    incident = world.newest_incident
    notes = [one.note for one in incident.timeline if one.works]
    assert notes == ["all that failed beside the breach works again"]
    assert (incident.timeline[-1].note, incident.ended_at) == (
        "all that failed beside the breach works again",
        None,
    )
    assert read_public_state(world).word == "under investigation"


def test_a_breach_says_nothing_of_recovery_while_another_function_fails() -> None:
    """One function heals as another one begins to fail."""
    world = breached(promoted=False)

    heal(world)
    make_function_fail(world, "payOrder")
    world.pass_time(10 * MINUTE)

    assert not any(one.is_well for one in world.newest_incident.timeline)
    assert world.newest_incident.failing == ("payOrder",)


def half_done() -> World:
    """A rollback that a person called off after some of its functions had moved."""
    world = World(policy=TOLD)
    world.deploy_bad()
    calls = 0

    def cancel(verb: str, side: str) -> None:
        nonlocal calls
        if (verb, side) == ("platform.shift", "after"):
            calls += 1
            if calls == 1:
                world.send_command("cancel", incident="INC-20260302-001")
                world.deliver_commands()

    world.platform.hook = cancel
    world.alert()
    world.pass_time(10 * MINUTE)
    rollback = world.rollback
    assert (rollback.status, rollback.started_at is not None) == (RollbackStatus.CANCELLED, True)
    assert world.newest_incident.status is IncidentStatus.ESCALATED
    return world


def test_a_person_still_decides_about_what_was_left_half_done() -> None:
    """Its signals recovered: that is said to everybody, and the incident does not end by itself."""
    world = half_done()
    heal(world)
    world.pass_time(10 * MINUTE)

    trouble, [rollback] = world.newest_incident, world.rollbacks()
    assert trouble.status is IncidentStatus.RECOVERED
    assert read_public_state(world).word == "rolling back (monitoring)"
    assert available_verbs(trouble, rollback) == ("retry", "undo", "accept")
    assert find_recovered_at(trouble, [rollback]) is not None
    world.pass_time(HOUR)
    assert world.newest_incident.status is IncidentStatus.RECOVERED

    assert publish_command(world, "accept", actor="alice") == ""
    assert world.incidents()[-1].status is IncidentStatus.RESOLVED


def test_what_fails_again_is_said_again() -> None:
    """The public word follows what is observed, both ways."""
    world = half_done()
    heal(world)
    world.pass_time(10 * MINUTE)
    assert world.newest_incident.status is IncidentStatus.RECOVERED

    for function in world.policy.functions:
        make_function_fail(world, function)
    world.pass_time(6 * MINUTE)

    assert world.incidents()[-1].status is IncidentStatus.ESCALATED
    assert read_public_state(world).word == "investigating"
    assert world.events(world.rollback)[-1] == "incident.failing-again"
    notices = [one.notice for one in world.sent_notices if "failing-again" in one.key]
    assert "gcloud pubsub topics publish rollback-commands" in notices[0]["text"]


def test_what_is_being_cancelled_offers_no_cancel() -> None:
    """The worker has not seen the first cancel yet: a second one would be refused."""
    world = build_world_awaiting_approval()
    world.send_command("cancel", incident=world.newest_incident.id)
    world.deliver_commands()

    rollback = world.rollback
    assert rollback.cancel_requested
    assert "cancel" not in available_verbs(world.newest_incident, rollback)


def test_an_unanswered_question_ends_by_recovery() -> None:
    """Nothing was moved: once it works again, nobody has anything to decide."""
    world = build_world_awaiting_approval()
    world.pass_time(40 * MINUTE)
    assert world.newest_incident.status is IncidentStatus.ESCALATED

    heal(world)
    world.pass_time(8 * MINUTE)

    assert world.newest_incident.timeline[-1].note == "recovered without a rollback"


@pytest.mark.parametrize("escalate", [False, True])
def test_whether_observing_wakes_on_call_is_the_policys(escalate: bool) -> None:
    """By default it is notified once, and nobody further is called."""
    policy = replace(TOLD, escalate_when_observing=escalate)
    world = World(policy=policy, promoted=False)
    world.deploy_bad()
    world.alert()
    world.pass_time(HOUR)

    assert any(one.startswith("on-call") for one in events(world)) is escalate
    assert any(one.startswith("response-time") for one in events(world)) is escalate
    assert events(world).count("detected") == len(world.policy.channels)


def test_what_automation_may_answer_wakes_on_call() -> None:
    """A system that is promoted escalates."""
    world = World(policy=TOLD)
    world.deploy_bad()
    world.alert()
    world.pass_time(MINUTE)

    assert any(one.startswith("on-call") for one in events(world))


def test_a_group_that_still_fails_keeps_the_incident_open() -> None:
    """The plan's functions are stable; another group, which the roll-out reached later, is not."""
    world = World(policy=TOLD)
    world.deploy_bad(["getBook", "listBooks", "searchBooks"])
    world.alert()
    world.pass_time(8 * MINUTE)
    assert world.rollback.status is RollbackStatus.WATCHING

    make_function_fail(world, "payOrder")
    world.pass_time(HOUR)

    rollback = world.rollback
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert rollback.outcome.startswith("no regression of what it changed, functions that fail: payOrder")
    assert world.newest_incident.status is IncidentStatus.ESCALATED
    heal(world)
    world.pass_time(10 * MINUTE)
    assert world.newest_incident.timeline[-1].note == "recovered after the rollback INC-20260302-001"


def test_what_was_never_verified_is_not_resolved_by_the_end_of_the_watch() -> None:
    """Too few requests tell of it: the page never says that it works again."""
    world = World(policy=TOLD)
    world.deploy_bad()
    silence = dict.fromkeys(world.policy.functions, 0.0)
    world.platform.hook = run_once(
        "platform.shift", "after", lambda: setattr(world.ports.counts, "rates", silence)
    )
    world.alert()
    world.pass_time(HOUR)

    rollback = world.rollback
    assert (rollback.status, rollback.verified_at) == (RollbackStatus.SUCCEEDED, None)
    assert world.newest_incident.status is IncidentStatus.INVESTIGATING
    assert "rolling back (monitoring)" not in {one.word for one in read_public_state(world).turns}


def test_an_order_leaves_the_incident_before_it_open_until_that_has_recovered() -> None:
    """Superseded is not resolved; by then a person may end either of them."""
    world = observed()
    world.carry_out("rollback", functions=["getBook"])
    world.pass_time(MINUTE)
    first, second = world.incidents()

    assert first.status is IncidentStatus.INVESTIGATING
    assert publish_command(world, "accept", incident=first.id, actor="alice") == ""
    assert world.incidents()[0].status is IncidentStatus.RECOVERY_NOT_OBSERVED
    assert world.incidents()[1].ended_at is None
    system = world.documents["systems/bookshop"]
    assert (system["incident"], system["earlier_incidents"]) == (second.id, [])


def test_what_failed_before_the_rollback_of_another_incident_is_no_failure_after_it() -> None:
    """An order rolls everything back: the incident that it continues recovers soon after that."""
    world = observed()
    world.send_command("rollback")
    world.pass_time(5 * MINUTE)

    first, shifted_at = world.incidents()[0], world.newest_rollback.shifted_at
    assert first.status is IncidentStatus.RESOLVED
    assert shifted_at is not None
    assert first.ended_at is not None
    assert first.ended_at - shifted_at < 4 * MINUTE


def test_what_failed_before_a_cancelled_rollback_of_another_incident_is_no_failure_after_it() -> None:
    """A person cancels the order after the function that fails has moved."""
    world = World(policy=TOLD, promoted=False)
    world.deploy_bad(["getBook"])
    world.alert()
    world.pass_time(6 * MINUTE)

    def cancel() -> None:
        world.send_command("cancel", incident="INC-20260302-002")
        world.deliver_commands()

    world.platform.hook = run_once("platform.shift", "after", cancel)
    world.send_command("rollback")
    world.pass_time(5 * MINUTE)

    first, [*_, second] = world.incidents()[0], world.rollbacks()
    assert (second.status, second.shifted_at) == (RollbackStatus.CANCELLED, None)
    assert second.ended_at is not None
    assert first.ended_at is not None
    assert first.ended_at - second.ended_at < 4 * MINUTE


def test_an_order_for_the_whole_system_recovers_with_the_whole_system() -> None:
    """An alert about one function joined it; its end proves nothing about the other functions."""
    world = World(policy=TOLD, promoted=False)
    make_function_fail(world, "payOrder")
    world.send_command("rollback")
    world.pass_time(MINUTE)
    labels = {"project_id": world.policy.project, "service_name": "getbook"}
    world.alert("0.books", resource={"type": "cloud_run_revision", "labels": labels})
    world.ports.alerts.open["0.books"] = False
    world.pass_time(8 * MINUTE)
    standing = world.incident
    heal(world)
    world.pass_time(8 * MINUTE)

    assert (standing.status, world.newest_incident.status) == (
        IncidentStatus.INVESTIGATING,
        IncidentStatus.RESOLVED,
    )


def test_our_own_probe_closes_what_it_opened() -> None:
    """Three good checks in a row are the observation; nothing else is needed."""
    world = World(policy=replace(EXAMPLE, collections={}), promoted=False)
    world.ports.prober.down = lambda name: name == "shop"
    world.pass_time(5 * MINUTE)
    assert world.newest_incident.status is IncidentStatus.INVESTIGATING

    world.ports.prober.down = lambda name: False
    world.pass_time(4 * MINUTE)

    assert world.newest_incident.timeline[-1].note == "recovered without a rollback"


def test_what_was_counted_before_an_undo_is_no_recovery_after_it() -> None:
    """The bad release serves again: only requests of after that tell."""
    world = World(policy=TOLD)
    world.deploy_bad()
    world.send_command("rollback")
    world.pass_time(MINUTE)
    assert publish_command(world, "cancel") == ""
    assert publish_command(world, "undo", actor="alice") == ""

    world.pass_time(10 * MINUTE)

    undone = world.newest_rollback
    assert (undone.status, world.newest_incident.status) == (
        RollbackStatus.SUCCEEDED,
        IncidentStatus.ESCALATED,
    )


def test_what_has_recovered_stays_so_when_a_person_cancels_the_monitoring() -> None:
    """The page goes on to say that it works; the time at which it recovered stays."""
    world = World(policy=TOLD)
    world.deploy_bad()
    world.alert()
    world.pass_time(8 * MINUTE)
    monitored = world.rollback
    assert monitored.status is RollbackStatus.WATCHING

    assert publish_command(world, "cancel") == ""

    cancelled = world.rollback
    assert (cancelled.status, world.newest_incident.status) == (
        RollbackStatus.CANCELLED,
        IncidentStatus.RECOVERED,
    )
    assert find_recovered_at(world.newest_incident, [cancelled]) == monitored.verified_at
    assert read_public_state(world).word == "rolling back (monitoring)"
    assert publish_command(world, "accept") == ""
    assert world.newest_incident.status is IncidentStatus.RESOLVED


def test_an_alert_that_closed_before_an_undo_is_no_recovery_after_it() -> None:
    """The bad release serves again, and nobody has counted a request of it yet."""
    world = World(policy=replace(TOLD, probes=()))
    world.deploy_bad()
    world.alert()
    world.pass_time(5 * MINUTE)
    assert publish_command(world, "cancel") == ""
    world.alert(state="closed")
    world.ports.alerts.open["0.abc"] = False
    assert publish_command(world, "undo", actor="alice") == ""
    world.pass_time(MINUTE)

    undone = world.newest_rollback
    assert (undone.status, world.newest_incident.status) == (
        RollbackStatus.SUCCEEDED,
        IncidentStatus.ESCALATED,
    )


def test_an_order_with_nothing_to_do_recovers_by_requests_after_it() -> None:
    """What was counted before the order tells nothing of what made a person order it."""
    world = World(policy=TOLD)
    world.pass_time(6 * MINUTE)
    world.carry_out("rollback")
    early = world.newest_incident.status
    world.pass_time(4 * MINUTE)

    assert (early, world.newest_incident.status) == (IncidentStatus.INVESTIGATING, IncidentStatus.RESOLVED)


def test_an_alert_that_closed_is_no_recovery_after_a_rollback_that_failed() -> None:
    """One function still fails, and nobody has counted a request of after the end yet."""
    world = World(policy=replace(TOLD, probes=()))
    world.deploy_bad()
    world.alert()
    world.pass_time(MINUTE)
    make_function_fail(world, "payOrder")
    world.alert(state="closed")
    world.ports.alerts.open["0.abc"] = False
    while world.newest_rollback.status is not RollbackStatus.FAILED:
        world.pass_time(MINUTE / 6)

    assert world.newest_incident.status is IncidentStatus.ESCALATED


def test_what_an_order_continues_recovers_while_the_order_is_held() -> None:
    """All functions are back when a person pauses: requests of before that fail no more."""
    world = observed()
    shifted: list[bool] = []

    def pause_after_the_last(verb: str, side: str) -> None:
        if (verb, side) != ("platform.shift", "after"):
            return
        shifted.append(True)
        if len(shifted) == len(world.policy.functions):
            world.send_command("pause", actor="anna")
            world.deliver_newest()

    world.platform.hook = pause_after_the_last
    world.send_command("rollback")
    world.pass_time(4 * MINUTE)

    continued, ordered = world.incidents()
    [held] = [one for one in world.rollbacks() if one.incident == ordered.id]
    assert (held.paused_since is None, held.shifted_at) == (False, None)
    assert ordered.timeline[-1].works
    assert continued.status is IncidentStatus.RESOLVED


def watched() -> World:
    """A system without probes whose rollback is being monitored."""
    world = World(policy=replace(TOLD, probes=()))
    world.deploy_bad(["getBook"])
    world.alert()
    world.pass_time(5 * MINUTE)
    assert world.newest_incident.status is IncidentStatus.WATCHING
    return world


def test_an_alert_that_closed_before_a_regression_is_no_recovery_after_it() -> None:
    """The restored version fails, and nobody has counted a request since the rollback failed."""
    world = watched()
    world.alert(state="closed")
    world.ports.alerts.open["0.abc"] = False
    make_function_fail(world, "getBook")
    for _ in range(20):
        world.pass_time(timedelta(seconds=10))
        if world.rollback.ended_at is not None:
            break

    assert world.rollback.outcome.startswith("it got worse again")
    assert [one.status for one in world.newest_incident.timeline[-1:]] == [IncidentStatus.ESCALATED]


def test_a_failing_check_and_an_alert_are_a_regression_at_once() -> None:
    """One failing check alone is none yet: the next one, a minute later, confirms it."""
    world = watched()
    make_function_fail(world, "getBook")
    world.alert("0.again", started_at=world.now)
    world.settle()

    assert world.newest_incident.status is IncidentStatus.ESCALATED
    assert world.rollback.outcome.startswith("it got worse again")


def doubt(world: World) -> None:
    """The newest check of the monitoring has failed, and none has passed since."""
    world.store.commit([Update(f"rollbacks/{world.rollback.id}", {"ill_since": world.now})])


def test_a_failed_check_stands_until_one_passes() -> None:
    """Checks without an answer confirm nothing: monitoring ends, and the incident does not."""
    world = watched()
    doubt(world)
    world.ports.counts.rates = dict.fromkeys(world.policy.functions, 0.0)
    world.pass_time(5 * MINUTE)
    assert world.rollback.ill_since is not None
    world.pass_time(35 * MINUTE)

    ended = world.rollback
    assert (ended.status, ended.ill_since is None) == (RollbackStatus.SUCCEEDED, False)
    assert "a check failed at 12:" in ended.outcome
    assert IncidentStatus.RESOLVED not in {one.status for one in world.newest_incident.timeline}
    assert not world.newest_incident.timeline[-1].is_well


def test_what_is_cancelled_after_a_failed_check_has_not_recovered() -> None:
    """The second check, which would tell, is not made any more."""
    world = watched()
    doubt(world)

    assert publish_command(world, "cancel") == ""
    world.settle()

    assert world.rollback.status is RollbackStatus.CANCELLED
    assert world.newest_incident.status is IncidentStatus.ESCALATED


def test_what_is_cancelled_during_a_check_that_fails_has_not_recovered() -> None:
    """The worker carries the cancel out, and knows what its own check has just found."""
    world = watched()
    make_function_fail(world, "getBook")

    def cancel() -> None:
        world.send_command("cancel", incident=world.newest_incident.id)
        world.deliver_commands()

    world.ports.counts.hook = run_once("metrics.requests", "after", cancel)
    world.pass_time(2 * MINUTE)

    assert world.rollback.status is RollbackStatus.CANCELLED
    assert world.newest_incident.status is IncidentStatus.ESCALATED


def test_monitoring_does_not_end_between_a_failing_and_a_second_passing_check() -> None:
    """One check failed just before the end; the last one passes, which proves little."""
    world = watched()
    rollback = world.rollback
    assert rollback.watch_until is not None
    world.pass_time(rollback.watch_until - world.now - timedelta(seconds=1))
    doubt(world)

    world.pass_time(MINUTE)
    assert world.rollback.status is RollbackStatus.WATCHING
    world.pass_time(MINUTE)
    assert world.rollbacks()[0].status is RollbackStatus.SUCCEEDED


def test_monitoring_ends_though_checks_fail_in_turn() -> None:
    """A few checks longer, and not as a success."""
    world = watched()
    rollback = world.rollback
    assert rollback.watch_until is not None
    world.pass_time(rollback.watch_until - world.now - timedelta(seconds=1))
    for _ in range(6):
        if world.rollback.ended_at is None:
            doubt(world)
        world.pass_time(MINUTE)

    ended = world.rollback
    assert ended.status is RollbackStatus.SUCCEEDED
    assert "a check failed at 12:" in ended.outcome
    assert world.newest_incident.timeline[-1].status is not IncidentStatus.RESOLVED


def test_what_worked_before_an_order_is_no_recovery_after_it() -> None:
    """A function has failed for half a minute, of five that are counted."""
    world = World(policy=TOLD, promoted=False)
    world.pass_time(6 * MINUTE)
    world.platform.deploy(["payOrder"], failure_rate=0.8)
    world.send_command("pause")
    world.send_command("rollback")
    world.pass_time(timedelta(seconds=20))
    assert publish_command(world, "cancel") == ""
    world.pass_time(timedelta(seconds=40))

    assert world.newest_incident.status is not IncidentStatus.RESOLVED


def test_few_requests_tell_after_a_while() -> None:
    """A small shop: what is counted in half an hour is enough, and nothing of it fails."""
    world = observed()
    heal(world)
    world.ports.counts.rates = dict.fromkeys(world.policy.functions, 0.0005)

    world.pass_time(10 * MINUTE)
    early = world.newest_incident.status
    world.pass_time(50 * MINUTE)

    assert early is IncidentStatus.INVESTIGATING
    assert world.newest_incident.status is IncidentStatus.RESOLVED


def test_a_function_that_few_requests_see_failing_is_no_recovery() -> None:
    """Its requests are too few to tell, and those that came failed."""
    world = observed()
    heal(world)
    make_function_fail(world, "payOrder")
    world.ports.counts.rates = {"payOrder": 0.01}

    world.pass_time(20 * MINUTE)

    assert world.newest_incident.status is IncidentStatus.INVESTIGATING


def test_a_signal_that_the_policy_dropped_ends_after_its_time() -> None:
    """Nobody can tell what it was about; nothing crashes over it."""
    world = observed()
    heal(world)
    kept = {name: one for name, one in TOLD.signals.items() if name != "function_failure_rate"}
    world.policy = replace(TOLD, signals=kept)
    world.start_instances()

    world.pass_time(10 * MINUTE)
    world.advance_clock(DAY)
    world.pass_time(2 * MINUTE)

    assert world.newest_incident.ended_at is not None


def test_a_newer_warning_keeps_nobody_from_retrying() -> None:
    """What is offered is not refused: the newer incident has moved nothing."""
    world = build_world_awaiting_approval()
    assert publish_command(world, "reject") == ""
    world.pass_time(MINUTE)
    first = world.newest_incident.id
    world.alert("0.corrupt", signal="database_corruption")
    world.pass_time(6 * MINUTE)
    assert [one.status for one in world.rollbacks()] == [RollbackStatus.NOT_TAKEN] * 2

    assert publish_command(world, "retry", incident=first, actor="alice") == ""
    world.pass_time(MINUTE)

    system = world.documents["systems/bookshop"]
    assert (system["incident"], system["earlier_incidents"]) == (first, ["INC-20260302-002"])


def test_nobody_calls_it_recovered_behind_a_fence() -> None:
    """Its writers are stopped: what answers well tells nothing of them."""
    world = observed()
    heal(world)
    now = world.now
    fence = Fence("bookshop", "c-1", "ada", "a repair by hand", now, now + HOUR, status=FenceStatus.STANDING)
    path = fence_path("bookshop")
    world.store.commit([Put(path, encode(fence))])

    world.pass_time(10 * MINUTE)
    behind = world.newest_incident.status
    world.store.commit([Put(path, encode(replace(fence, is_over=True)))])
    world.pass_time(2 * MINUTE)

    assert (behind, world.newest_incident.status) == (IncidentStatus.INVESTIGATING, IncidentStatus.RESOLVED)


def test_the_incident_of_an_order_learns_what_was_observed_to_work() -> None:
    """The order waits for the end of a pause: by then the failure that it continues is over."""
    world = observed()
    world.send_command("pause")
    world.carry_out("rollback", functions=["searchBooks"])
    first, second = world.incidents()
    assert (second.detected_at, second.failing != ()) == (first.detected_at, True)

    heal(world)
    while world.incidents()[0].ended_at is None:
        world.pass_time(SECOND)

    second = world.newest_incident
    assert (second.failing, {*second.working}) == ((), {*BOOKSHOP.functions})


def test_a_breach_is_not_called_recovered_when_its_rollback_is_cancelled() -> None:
    """The functions beside it work again; nobody observes the end of the breach."""
    world = breached(promoted=True)
    heal(world)
    world.pass_time(12 * MINUTE)
    name = world.newest_incident.id
    world.send_command("pause")
    world.carry_out("retry", incident=name)
    world.carry_out("cancel", incident=name)

    assert world.newest_rollback.status is RollbackStatus.CANCELLED
    assert IncidentStatus.RECOVERED not in [one.status for one in world.newest_incident.timeline]


def recover_before_order(**changes: Any) -> tuple[Incident, list[Write]]:
    """An order that follows an observed incident, and what is written once all functions work."""
    world = observed()
    recovered = world.newest_incident
    order = replace(recovered, id="INC-20260302-002", **changes)
    world.store.commit([Put(incident_path(order.id), encode(order))])
    system = System("bookshop", incident=order.id, earlier_incidents=(recovered.id,))
    functions = {*BOOKSHOP.functions}
    return order, recovery._build_follower_writes(
        world.ports, BOOKSHOP, recovered, functions, system, world.now, is_over=True
    )


def test_an_order_about_what_never_failed_recovers_from_nothing() -> None:
    """It is not said to work again, nor to be verified before it has changed anything."""
    about = (IncidentScope(ScenarioName.FUNCTIONS, function="searchBooks"),)
    order, [update, *_] = recover_before_order(scopes=about, failure_observed_at=None, failing=(), working=())

    assert isinstance(update, Update)
    assert update.fields["timeline"] == encode(order)["timeline"]
    assert {*update.fields["working"]} == {*BOOKSHOP.functions}


def test_an_order_about_data_learns_nothing_of_functions_that_work_again() -> None:
    """It names no function and continues no failure: nothing of it has recovered."""
    _, writes = recover_before_order(scopes=(IncidentScope(ScenarioName.DATABASE),))

    assert writes == []


def test_a_question_ends_when_every_alert_is_over() -> None:
    """Somebody has mended it meanwhile: the page says no longer that it fails."""
    world = build_world_awaiting_approval()
    heal(world)
    world.pass_time(5 * MINUTE)
    world.alert(state="closed")

    world.pass_time(8 * MINUTE)

    rollback = world.rollback
    assert rollback.status is RollbackStatus.NOT_TAKEN
    assert "every alert is over" in rollback.outcome
    assert world.newest_incident.status is IncidentStatus.RESOLVED
    assert world.newest_incident.timeline[-1].note == "recovered without a rollback"


def test_what_has_recovered_stays_so_when_an_order_is_not_executed_in_time() -> None:
    """The order waits for the end of a freeze; meanwhile what it is about works again."""
    world = World(policy=TOLD, promoted=False)
    make_function_fail(world, "payOrder")
    world.alert(resource=of_function(world, "payOrder"))
    world.settle()
    heal(world)
    world.alert(state="closed", resource=of_function(world, "payOrder"))
    world.pass_time(2 * MINUTE)
    world.send_command("freeze", until=iso_time_after(world, 60 * MINUTE))
    world.send_command("rollback", functions=["payOrder"])
    world.pass_time(8 * MINUTE)
    ends = [one.status for one in world.newest_incident.timeline[-2:]]

    assert ends == [IncidentStatus.RECOVERED, IncidentStatus.RESOLVED]
