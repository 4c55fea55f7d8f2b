from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.incidents.escalation import create_escalation_notices
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.incidents.recovery_times import measure_recovery
from shared.domain.policy.channels import Channel, ChannelKind, Rung
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.rollback.rollback import RollbackRequest
from tests.support.fakes.runtime.hooks import run_once
from tests.support.notices.outage import LADDER, ack, outage
from tests.support.notices.system_events import read_dead_letters
from tests.support.runtime.switches import publish_after_second_shift
from tests.support.runtime.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def paged(world: World) -> list[str]:
    """Who was paged because nobody had acknowledged."""
    sent = world.sent_notices
    return sorted(one.key.rpartition(":")[2] for one in sent if ":on-call-" in one.key)


def breaches(world: World) -> list[str]:
    """Which response times were said to be breached, on the channel that hears all."""
    return [
        str(sent.notice["event"])
        for sent in world.sent_notices
        if ":response-time-" in sent.key and sent.key.endswith(":record")
    ]


def test_who_does_not_acknowledge_is_followed_by_the_next() -> None:
    """The ladder is climbed, rung by rung, while nobody has the incident in hand."""
    world = outage()

    world.pass_time(4 * MINUTE)
    assert paged(world) == []
    world.pass_time(2 * MINUTE)
    assert paged(world) == ["anna", "record"]
    world.pass_time(5 * MINUTE)

    assert paged(world) == ["anna", "boss", "record"]


def test_an_acknowledged_incident_pages_nobody_more() -> None:
    """Who has it, and since when, stands on the incident."""
    world = outage()
    world.pass_time(6 * MINUTE)

    ack(world, actor="anna")
    world.pass_time(HOUR)

    assert paged(world) == ["anna", "record"]
    incident = world.incident
    assert incident.acknowledged_by == "anna"
    assert incident.acknowledged_at is not None
    assert incident.status is IncidentStatus.ESCALATED


def test_whoever_orders_a_rollback_has_acknowledged_its_incident() -> None:
    """The opening commit has the acknowledgement: nobody else is paged five minutes later."""
    world = World(policy=LADDER)
    world.deploy_bad()

    world.send_command("rollback", actor="anna", reason="checkout broken")
    world.deliver_commands()
    opened = world.incident
    world.pass_time(HOUR)

    assert (opened.acknowledged_by, opened.acknowledged_at) == ("anna", opened.detected_at)
    assert opened.timeline[0].note == "ordered by anna: checkout broken"
    assert paged(world) == []
    texts = [str(one.notice["text"]) for one in world.sent_notices if ":detected:record" in one.key]
    order = "ordered by anna: checkout broken"
    assert texts == [f"INC-20260302-001 CRITICAL: manual rollback of The Bookshop; {order}"]


def test_an_order_of_a_service_account_acknowledges_nothing() -> None:
    """No program answers a page: the escalation goes on."""
    order = RollbackRequest("c", "deploy@ci.iam.gserviceaccount.com", "red build")

    assert order.responder == ""
    assert replace(order, actor="ada", person="uid-ada").responder == "ada"
    assert replace(order, actor="override: ada").responder == "override: ada"
    assert replace(order, actor="override: not named").responder == ""


def test_who_retries_takes_an_incident_that_nobody_has() -> None:
    """An acknowledgement of somebody else stays."""
    world = outage()
    about = {"system": "bookshop", "incident": world.newest_incident.id}

    for actor in ("anna", "bob"):
        world.command(command="retry", actor=actor, **about)
        world.settle()
    world.pass_time(HOUR)

    assert world.newest_incident.acknowledged_by == "anna"
    assert paged(world) == []


@pytest.mark.parametrize("verb", ["approve", "reject", "pause", "resume", "cancel"])
def test_who_acts_on_an_incident_has_acknowledged_it(verb: str) -> None:
    """Nobody else is paged five minutes later about an incident that a person has just handled."""
    world = World(policy=LADDER)
    world.carry_out("promote", mode="ask")
    world.deploy_bad()
    world.alert()
    world.settle()
    incident = world.incident
    about = {} if verb in ("pause", "resume") else {"incident": incident.id}

    world.send_command(verb, actor="anna", **about)
    world.deliver_commands()
    incident = world.incident
    world.pass_time(HOUR)

    assert incident.acknowledged_by == "anna"
    assert paged(world) == []


def test_a_second_acknowledgement_is_refused_with_the_first() -> None:
    """Bob reads who responds, and since when."""
    world = outage()
    ack(world, actor="anna")
    at = world.newest_incident.acknowledged_at

    ack(world, actor="bob")

    [refused] = read_dead_letters(world)
    assert refused["reason"] == f"INC-20260302-001 was acknowledged by anna at {at:%Y-%m-%d %H:%M:%S} UTC"
    assert world.newest_incident.acknowledged_by == "anna"


def test_an_acknowledgement_outlives_what_the_worker_writes_after_it() -> None:
    """A person's word and the worker's turns are on one document, and neither is lost."""
    world = World(policy=LADDER)
    world.deploy_bad()

    def ack_meanwhile() -> None:
        world.send_command("ack", actor="anna", incident=world.newest_incident.id)
        world.deliver_newest()

    world.platform.hook = run_once("platform.shift", "after", ack_meanwhile)
    world.alert()
    world.pass_time(HOUR)

    incident = world.incident
    assert (incident.status, incident.acknowledged_by) == (IncidentStatus.RESOLVED, "anna")


def test_a_response_time_that_is_breached_is_told_once() -> None:
    """The target that `status` shows runs from detection, whatever has become of it."""
    world = outage()
    incident = world.incident
    times = measure_recovery(BOOKSHOP, incident, world.rollbacks())
    assert incident.respond_by == times.recover_by == incident.detected_at + 10 * MINUTE

    world.pass_time(HOUR)

    assert breaches(world) == ["response-time-critical"]


def test_a_system_that_is_back_in_time_breaches_nothing() -> None:
    """Withdrawn, because what it was to warn of was prevented."""
    world = World(policy=LADDER)
    world.deploy_bad()
    world.alert()

    world.pass_time(HOUR)

    assert breaches(world) == []


def test_an_order_of_which_nothing_fails_breaches_nothing() -> None:
    """Its time is over while it is held; nothing has to recover."""
    world = World(policy=LADDER)
    world.deploy_bad(rate=0.0)
    publish_after_second_shift(world, "pause")
    world.send_command("rollback", severity="CRITICAL")

    world.pass_time(20 * MINUTE)

    assert [one.held_since is not None for one in world.rollbacks()] == [True]

    assert [one.has_failed for one in world.incidents()] == [False]
    assert breaches(world) == []


def test_a_raised_incident_has_less_time_and_wakes_more_people() -> None:
    """The faster time replaces the slower one; who was on the ladder already is not paged twice."""
    path = replace(BOOKSHOP.signals["critical_path_blocked"], scenario=ScenarioName.COMPLETE)
    signals = {**BOOKSHOP.signals, "critical_path_blocked": path}
    world = outage("critical_path_blocked", replace(LADDER, signals=signals))
    incident = world.incident
    assert incident.respond_by == incident.detected_at + 15 * MINUTE
    world.pass_time(MINUTE)

    world.alert("0.worse")
    world.pass_time(HOUR)

    incident = world.incident
    assert incident.respond_by == incident.detected_at + 5 * MINUTE
    [breach] = breaches(world)
    assert breach.startswith("response-time-critical")
    assert paged(world) == ["anna", "boss", "record"]


def test_a_raised_incident_with_the_same_time_breaches_it_once() -> None:
    """A rollback of functions has ten minutes at each severity: the team is notified once."""
    world = outage("critical_path_blocked", LADDER)
    world.pass_time(MINUTE)

    world.alert("0.worse")
    world.pass_time(HOUR)

    [breach] = breaches(world)
    assert breach.startswith("response-time-critical")


def test_a_raised_order_has_the_time_of_its_rollback() -> None:
    """The breach that people read of is the one that `status` counts."""
    world = World(policy=LADDER)
    world.deploy_bad(["getBook"])
    world.carry_out("rollback", functions=["getBook"], severity="MEDIUM")
    world.alert(signal="critical_path_blocked", function="getBook")
    world.pass_time(MINUTE)

    [ordered], rollbacks = world.incidents(), world.rollbacks()
    assert ordered.severity is Severity.HIGH
    assert ordered.respond_by == ordered.detected_at + world.policy.targets.functions
    assert ordered.respond_by == measure_recovery(world.policy, ordered, rollbacks).recover_by


def came_back(minutes: int = 4) -> World:
    """Acknowledged, accepted, and so many minutes later there again."""
    world = outage()
    ack(world, actor="anna")
    world.send_command("accept", incident=world.newest_incident.id)
    world.pass_time(minutes * MINUTE)
    world.alert("0.again")
    world.settle()
    return world


def test_an_incident_that_comes_back_runs_anew() -> None:
    """Accepted, and a moment later there again: time and ladder begin from there."""
    world = came_back(5)
    world.pass_time(HOUR)

    again = world.incident
    assert again.acknowledged_by == ""
    assert again.respond_by is not None
    assert again.respond_by > again.detected_at + 9 * MINUTE
    assert "boss" in paged(world)


def test_the_ladder_of_what_was_over_is_withdrawn() -> None:
    """Nobody is paged five minutes after a trouble that was over in between."""
    world = came_back()

    world.pass_time(4 * MINUTE)
    assert paged(world) == []
    world.pass_time(2 * MINUTE)

    assert paged(world) == ["anna", "record"]


def test_what_came_back_is_acknowledged_anew() -> None:
    """The second acknowledgement is another word, and told as one."""
    world = came_back()

    ack(world, actor="bob")

    assert world.newest_incident.acknowledged_by == "bob"


def test_a_channel_that_wants_the_least_and_the_worst_keeps_no_incident_from_being_raised() -> None:
    """Raised step by step past a severity that it does not want, it is asked twice: no clash."""
    odd = Channel("odd", ChannelKind.RECORDING, severities=(Severity.MEDIUM, Severity.CRITICAL))
    policy = replace(LADDER, channels=(odd,), on_call=(Rung(5 * MINUTE, channel="odd"),))
    trouble = replace(outage().incidents()[0], severity=Severity.MEDIUM)
    now = trouble.detected_at

    first = create_escalation_notices(policy, trouble, now, now)
    worst = replace(trouble, severity=Severity.CRITICAL)
    raised = create_escalation_notices(policy, worst, now, now, instead_of=Severity.HIGH)

    assert raised
    assert not {one.id for one in first} & {one.id for one in raised}
