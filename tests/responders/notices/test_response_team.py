"""The roles of the response team: who is notified of what, and how often (the runbook's team)."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.incidents.incident import IncidentStatus
from shared.domain.policy.channels import (
    Channel,
    ChannelKind,
    Contact,
    IncidentStage,
    RoleNotice,
    Rung,
    TeamRole,
)
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy, service_of
from shared.policy_files import loader
from tests.support.notices.outage import LADDER, ack, outage
from tests.support.runtime.world import BOOKSHOP, POLICIES, World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
CVPLUS = loader.load_policy(POLICIES / "cvplus.yaml")


def notices_on(world: World, channel: str) -> list[str]:
    """The events of incidents that a channel was notified of."""
    sent = [one for one in world.sent_notices if one.key.endswith(f":{channel}")]
    return [str(one.notice["event"]) for one in sent if str(one.notice["incident"]).startswith("INC-")]


def send_storm(world: World, state: str = "open") -> None:
    """Cloud Monitoring notifies of each service: one alert for each of the system's functions."""
    for number, function in enumerate(sorted(world.policy.functions)):
        labels = {"project_id": world.policy.project, "service_name": service_of(function)}
        resource = {"type": "cloud_run_revision", "labels": labels}
        signal = "functions_failing_share" if number % 3 == 0 else "function_failure_rate"
        world.alert(f"0.{number}", state, signal=signal, resource=resource)
        world.settle()
        world.advance_clock(timedelta(milliseconds=300))


def rage(world: World, acknowledged_by: str = "") -> None:
    """A bad release of all functions, an alert of each, its rollback, and the end of each alert."""
    world.deploy_bad()
    send_storm(world)
    if acknowledged_by:
        trouble = world.incident.id
        world.send_command("ack", acknowledged_by, incident=trouble)
    world.pass_time(8 * MINUTE)
    send_storm(world, "closed")
    world.pass_time(HOUR)


@pytest.fixture(scope="module")
def acknowledged() -> World:
    world = World(policy=CVPLUS)
    rage(world, acknowledged_by="gil")
    return world


def test_a_storm_of_151_alerts_pages_once_and_clears_once(acknowledged: World) -> None:
    """One bad release is one incident: the pager rings once for its level, and for its end."""
    opened = [one for one in acknowledged.store._stored if one.startswith("alerts/") and ":open" in one]

    [incident] = acknowledged.incidents()
    assert incident.status is IncidentStatus.RESOLVED
    assert len(opened) == 151
    assert notices_on(acknowledged, "pager") == ["incident.raised-high", "rollback.succeeded"]


def test_each_role_of_the_runbook_is_notified_of_its_stages(acknowledged: World) -> None:
    """The policy of CVPlus has the four roles; a channel of no role is notified of everything."""
    heard = {one.name: notices_on(acknowledged, one.name) for one in CVPLUS.channels}

    assert [*CVPLUS.roles] == ["emergency-lead", "technical-lead", "communication-lead", "monitoring-lead"]
    assert heard["engineering"] == [
        *("detected", "incident.raised-high", "rollback.decided", "rollback.verified"),
        *("alert.raised-critical", "rollback.succeeded"),
    ]
    assert heard["business"] == ["detected-high", "rollback.verified", "rollback.succeeded", "report"]
    assert {"rollback.verified", "report"} < {*heard["monitoring"]}
    begun = {"detected-high"}  # by a channel that is not notified of LOW, in place of the raised level
    assert {event for events in heard.values() for event in events} - begun == {*heard["record"]}


@pytest.mark.slice
def test_a_storm_that_nobody_acknowledges_escalates_once_to_each_role() -> None:
    """The pager rings again for the step of on-call alone, not for each alert."""
    world = World(policy=CVPLUS)

    rage(world)

    assert notices_on(world, "pager") == ["incident.raised-high", "on-call-1-high", "rollback.succeeded"]
    assert [one for one in notices_on(world, "engineering") if "on-call" in one] == ["on-call-2-low"]


def test_a_storm_without_a_cause_asks_the_pager_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Each further alert has the incident judged again; a person is needed already."""
    world = World(policy=CVPLUS)
    for function in world.policy.functions:
        [serving] = world.live[function]
        world.platform.set_failure_rate(function, serving, 0.9)
    world.advance_clock(10 * MINUTE)

    send_storm(world)
    world.pass_time(3 * MINUTE)
    send_storm(world, "closed")

    assert len(world.incidents()) == 1
    assert world.incident.rollbacks > 1
    assert notices_on(world, "pager") == ["incident.raised-high", "rollback.escalated"]


def with_pager(*stages: IncidentStage, severities: tuple[Severity, ...] = tuple(Severity)) -> Policy:
    """The bookshop, with one role that has a pager and a mailbox."""
    return replace(
        BOOKSHOP,
        channels=(
            Channel("pager", ChannelKind.RECORDING, severities=severities),
            Channel("mail", ChannelKind.RECORDING),
        ),
        contacts=(Contact("ada", ("pager", "mail")),),
        roles={"lead": TeamRole(("ada",), (RoleNotice(stages, ("pager",)),))},
        on_call=(Rung(5 * MINUTE, role="lead"),),
    )


def test_a_step_of_on_call_notifies_each_channel_of_the_role() -> None:
    """At once the rule names the pager; without an acknowledgement the mailbox is notified too."""
    world = outage(policy=with_pager(IncidentStage.BEGUN))
    before = notices_on(world, "pager"), notices_on(world, "mail")

    world.pass_time(6 * MINUTE)

    assert before == (["detected"], [])
    assert notices_on(world, "mail") == ["on-call-1-critical"]


def test_a_pager_for_the_worst_rings_when_the_severity_becomes_that() -> None:
    """It was not notified of the incident before: for it, the incident begins."""
    world = outage("critical_path_blocked", with_pager(IncidentStage.BEGUN, severities=(Severity.CRITICAL,)))
    assert notices_on(world, "pager") == []

    world.alert("0.worse")
    world.pass_time(MINUTE)

    assert len(notices_on(world, "pager")) == 1


def test_an_incident_that_comes_back_after_its_end_pages_again() -> None:
    """It is a new response, with a new page."""
    world = outage(policy=with_pager(IncidentStage.BEGUN, IncidentStage.OVER))
    world.carry_out("accept", incident=world.incident.id)

    world.alert("0.again")
    world.settle()

    assert notices_on(world, "pager") == ["detected", "accepted-1", "reopened-2"]


def unanswered(capsys: pytest.CaptureFixture[str]) -> int:
    """How many lines of the log Cloud Monitoring counts since the last time."""
    return capsys.readouterr().err.count('"event": "incident.unanswered"')


def test_monitoring_pages_only_when_nobody_answers_on_call(capsys: pytest.CaptureFixture[str]) -> None:
    """Five minutes after the last step, at each sweep, until somebody acknowledges."""
    world = outage()
    assert LADDER.answer_within == 15 * MINUTE

    world.pass_time(14 * MINUTE)
    assert unanswered(capsys) == 0
    world.pass_time(2 * MINUTE)
    assert unanswered(capsys) > 1
    ack(world, actor="anna")
    unanswered(capsys)
    world.pass_time(5 * MINUTE)

    assert unanswered(capsys) == 0


@pytest.mark.parametrize("channels", [(), (Channel("chat", ChannelKind.WEBHOOK, "https://x.example"),)])
def test_monitoring_pages_where_no_channel_works(
    channels: tuple[Channel, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """What it waits for is the acknowledgement, not the delivery of a notice."""
    world = outage(policy=replace(BOOKSHOP, channels=channels, contacts=(), on_call=()))
    world.ports.sender.down.add("chat")

    world.pass_time(7 * MINUTE)

    assert unanswered(capsys) > 0


def test_monitoring_does_not_page_for_an_incident_that_has_recovered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Automation has restored the system, and monitors it."""
    world = World(policy=replace(LADDER, unanswered_after=MINUTE))
    world.deploy_bad()
    world.alert()

    world.pass_time(14 * MINUTE)

    assert world.incident.status is IncidentStatus.WATCHING
    assert unanswered(capsys) == 0


def test_monitoring_does_not_page_for_what_automation_only_observes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody is on call for it, unless the policy says so."""
    world = World(policy=LADDER)
    world.carry_out("promote", mode="observe")
    world.deploy_bad()
    world.alert()

    world.pass_time(20 * MINUTE)

    assert world.incident.is_observed_only
    assert unanswered(capsys) == 0
