"""The report that is filed by itself, the root cause, and the reminder of it."""

import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from responders.rollback.report_filing import count_impact
from shared.core.codec import decode
from shared.core.errors import Unavailable
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.notices.notice import NoticeStatus
from shared.domain.policy.channels import Audience, Channel, ChannelKind
from shared.domain.policy.system_policy import Outage
from shared.domain.reports.filed_report import FiledReport, report_path
from shared.domain.reports.impact import ImpactCounts
from shared.state.reader import StateReader
from tests.support.fakes.storage.public_pages import MemoryPages
from tests.support.faults.fault_injection import shorten_watch
from tests.support.notices.status_page import read_page
from tests.support.notices.system_events import read_dead_letters
from tests.support.runtime.world import World

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HALF_A_MINUTE = timedelta(seconds=30)
IT: dict[str, Any] = {"system": "bookshop", "incident": "INC-20260302-001"}
USERS = 'metric.type="logging.googleapis.com/user/users_met" AND resource.type="cloud_run_revision"'
COUNTING = replace(
    shorten_watch(),
    outage=Outage(60.0, "EUR", USERS),
    console_url="https://ops.example/",
    channels=shorten_watch().channels[:1],
)


def over(policy: Any = COUNTING, prepare: Callable[[World], None] = lambda _: None) -> World:
    """An incident that a rollback has just ended."""
    world = World(policy=policy)
    prepare(world)
    world.deploy_bad()
    world.alert()
    while not world.incidents() or world.incident.ended_at is None:
        world.pass_time(MINUTE)
    return world


def report(world: World) -> FiledReport:
    fields = world.documents[report_path(IT["incident"])]
    return decode(FiledReport, fields)


def said(world: World, event: str) -> list[Any]:
    return [one for one in StateReader(world.store).notices(IT["incident"]) if one.event.startswith(event)]


def test_within_minutes_of_its_end_it_is_filed_and_told() -> None:
    """As Markdown and as a page, with what Monitoring counted, and where to find it."""
    world = over()
    assert report(world).written_at is None

    world.pass_time(6 * MINUTE)

    kept = report(world)
    assert kept.written_at is not None
    ended_at = world.incident.ended_at
    assert ended_at is not None
    assert kept.written_at - ended_at <= 5 * MINUTE
    assert kept.counts.requests is not None
    assert kept.counts.requests.failed > 0
    assert (kept.counts.users or 0) > 0
    assert f"{kept.counts.users} users met a failure." in zlib.decompress(kept.markdown).decode()
    html = zlib.decompress(kept.html).decode()
    assert f"{kept.counts.requests.failed} failed" in html
    assert "<script" not in html
    [notice] = said(world, "report")
    assert "its report is written\nit did not work for" in notice.text
    assert "https://ops.example/incidents/INC-20260302-001/report" in notice.commands
    assert "rollback report INC-20260302-001" in notice.commands
    assert world.find_violated_invariants() == []


def test_requests_that_failed_while_traffic_moved_are_counted() -> None:
    """The runbook: "seamless transition (minimal disruption)"; beside as many minutes before."""
    world = over()
    world.pass_time(6 * MINUTE)

    counts = report(world).counts
    assert counts.moved is not None
    assert counts.before_move is not None
    assert counts.moved.total == counts.before_move.total > 0
    assert counts.moved.failed <= counts.before_move.failed
    line = (
        f"{counts.moved.failed} of {counts.moved.total} requests failed while traffic moved, "
        f"{counts.before_move.failed} of {counts.before_move.total} in as many minutes before: "
        "seamless (no larger share)"
    )
    assert f"{line}." in zlib.decompress(report(world).markdown).decode()
    assert f"<p>{line}.</p>" in zlib.decompress(report(world).html).decode()
    [notice] = said(world, "report")
    assert line in notice.text


@pytest.mark.parametrize("is_counted", [True, False])
def test_the_business_reads_of_users_and_cost(is_counted: bool) -> None:
    """How many users met a failure and what it cost; or that it is not known."""
    board = Channel("board", ChannelKind.WEBHOOK, "https://y.example", audience=Audience.STAKEHOLDERS)
    outage = COUNTING.outage if is_counted else None
    world = over(replace(COUNTING, outage=outage, channels=(*COUNTING.channels, board)))
    world.pass_time(6 * MINUTE)

    [summary] = [one.notice for one in world.sent_notices if ":report" in one.key and one.channel == "board"]
    [known] = [line for line in summary["body"].splitlines() if line.startswith("Impact so far: ")]
    kept = report(world)
    if is_counted:
        assert f"{kept.counts.users} users met a failure, that cost " in known
        assert "EUR" in known
        assert "not known" not in known
    else:
        assert known.endswith("; not known: users, cost")


def test_an_order_that_breaks_what_worked_is_not_seamless() -> None:
    """Nothing failed before it moved traffic, and requests failed while it did."""
    world = World(policy=COUNTING)
    stable = world.live
    world.deploy_bad(rate=0.0)
    for function, revisions in stable.items():
        for revision in revisions:
            world.platform.set_failure_rate(function, revision, 0.5)
    world.send_command("rollback", auto_confirm=True)
    world.pass_time(6 * MINUTE)
    incident, now = world.incident, world.now

    impact = count_impact(world.ports, COUNTING, incident, ImpactCounts(), now)

    assert impact.shift_line.endswith("in as many minutes before: not seamless (a larger share)")


def test_requests_of_a_move_that_may_be_counted_later() -> None:
    """Their counts are visible up to three minutes late: nothing is said before."""
    world = World(policy=COUNTING)
    world.deploy_bad()
    world.alert()
    world.pass_time(MINUTE)
    incident, now = world.incident, world.now

    assert world.rollback.shifted_at is not None
    assert count_impact(world.ports, COUNTING, incident, ImpactCounts(), now).shift_line == ""


def test_whom_a_short_trouble_has_met_is_counted() -> None:
    """Routers count by whole minutes: those that it has touched are counted whole."""
    world = over()
    incident = world.incident
    began = incident.onset_at.replace(second=20, microsecond=0)
    judged = replace(incident.timeline[0], status=IncidentStatus.INVESTIGATING)
    brief = replace(incident, onset_at=began, timeline=[judged], ended_at=began + HALF_A_MINUTE)

    impact = count_impact(world.ports, COUNTING, brief, ImpactCounts(), world.now)

    assert impact.requests is not None
    assert impact.requests.failed > 0
    assert (impact.users or 0) > 0
    assert impact.complete_until is None


def test_what_routers_may_count_later_is_named() -> None:
    """Their counts are visible up to three minutes late."""
    world = over()
    still = replace(world.incident, ended_at=None, timeline=world.incident.timeline[:1])
    now = world.now

    impact = count_impact(world.ports, COUNTING, still, ImpactCounts(), now)

    assert impact.complete_until == now - 3 * MINUTE


def test_a_redelivery_files_nothing_twice() -> None:
    """What is written is due no more."""
    world = over()
    world.pass_time(6 * MINUTE)
    before = dict(world.documents[report_path(IT["incident"])])

    due = {"kind": "report", "id": IT["incident"], "due_at": "2026-03-02T12:00:00Z"}
    world.publish("rollback-work", due)
    world.settle()

    assert world.documents[report_path(IT["incident"])] == before


def test_metrics_that_give_no_answer_are_waited_for_and_not_for_ever() -> None:
    """A quarter of an hour after the end it is filed without, and says so."""
    world = over()

    def fail(verb: str, side: str) -> None:
        if verb in ("metrics.requests", "metrics.counted") and side == "before":
            raise Unavailable("no")

    world.ports.counts.hook = fail
    world.pass_time(10 * MINUTE)
    assert report(world).written_at is None

    world.pass_time(7 * MINUTE)

    assert report(world).counts == ImpactCounts()
    text = zlib.decompress(report(world).markdown).decode()
    assert "- Failed requests: not counted" in text
    assert "- Users: not counted: the counter that the policy names" in text


def test_an_incident_that_comes_back_is_reported_when_it_is_over_again() -> None:
    """What was due of it until then is due no more."""
    world = over()
    world.alert(incident="0.second")
    world.settle()
    assert world.incident.ended_at is None

    world.pass_time(5 * MINUTE)
    assert report(world).written_at is None
    world.command(command="cancel", **IT)
    world.settle()
    world.command(command="accept", **IT)
    world.pass_time(6 * MINUTE)

    assert report(world).written_at is not None
    assert len(said(world, "report")) == 1


def test_of_a_false_alarm_nobody_is_reminded() -> None:
    """It is filed, and that is all."""
    world = World(policy=COUNTING)
    world.alert()
    world.alert(state="closed")
    world.pass_time(20 * MINUTE)
    assert world.incident.status is IncidentStatus.RESOLVED

    assert report(world).written_at is not None
    assert said(world, "report") + said(world, "root-cause") == []


def test_a_day_after_the_end_people_are_reminded_once() -> None:
    """While nobody has recorded what it came from."""
    world = over()
    world.pass_time(6 * MINUTE)
    [reminder] = said(world, "root-cause")
    ended_at = world.incident.ended_at
    assert ended_at is not None
    assert reminder.due_at == ended_at + 24 * HOUR
    assert any(line.startswith("rollback root-cause INC-20260302-001") for line in reminder.commands)

    world.advance_clock(24 * HOUR)
    world.pass_time(5 * MINUTE)

    keys = [one.key for one in world.sent_notices if ":root-cause:" in one.key]
    assert keys == [f"INC-20260302-001:root-cause:{COUNTING.channels[0].name}"]


def test_a_root_cause_is_in_the_report_and_on_the_page_and_nobody_is_reminded() -> None:
    """The report is written anew, with what was counted before; the public reads its own words."""

    def published(world: World) -> None:
        world.ports.pages = MemoryPages()

    world = over(prepare=published)
    world.pass_time(6 * MINUTE)
    counts = report(world).counts

    world.command(
        command="root-cause",
        cause="a migration locked <orders> [x](http://evil.example)",
        prevention="a test of migrations",
        public="A change locked orders; ask ada@example.com",
        actor="ada",
        **IT,
    )
    world.pass_time(MINUTE)

    text = zlib.decompress(report(world).markdown).decode()
    assert "## Root cause\n\n- It came from: a migration locked" in text
    assert "What keeps it from coming again: a test of migrations" in text
    assert "](http" not in text
    assert "&lt;orders&gt;" in zlib.decompress(report(world).html).decode()
    assert "- Root cause:" not in text
    assert report(world).counts == counts
    assert len(said(world, "report")) == 1
    shown = read_page(world)
    assert "Root cause: A change locked orders; ask [removed]" in shown
    assert "migration" not in shown
    [told] = said(world, "analysed")
    assert told.status is NoticeStatus.SENT

    world.advance_clock(24 * HOUR)
    world.pass_time(5 * MINUTE)

    [reminder] = said(world, "root-cause")
    assert reminder.status is NoticeStatus.WITHDRAWN
    assert world.find_violated_invariants() == []


def test_a_root_cause_may_be_known_before_it_is_over_and_be_corrected() -> None:
    """Then nobody is reminded at all; the newest word stands."""
    world = World(policy=COUNTING)
    world.deploy_bad()
    world.alert()
    world.pass_time(MINUTE)
    for cause in ("the network", "a migration"):
        world.command(command="root-cause", cause=cause, **IT)
        world.settle()
    while world.incident.ended_at is None:
        world.pass_time(MINUTE)
    world.pass_time(6 * MINUTE)

    analysis = world.incident.analysis
    assert analysis is not None
    assert (analysis.cause, analysis.prevention) == ("a migration", "")
    assert "- Prevention: nobody has recorded" in zlib.decompress(report(world).markdown).decode()
    assert said(world, "root-cause") == []


@pytest.mark.parametrize("wrong", [{}, {"cause": ""}, {"cause": "x", "public": "y" * 501}])
def test_a_root_cause_says_something(wrong: dict[str, Any]) -> None:
    """Without words it is refused."""
    world = over()

    world.command(command="root-cause", **IT, **wrong)
    world.settle()

    assert len(read_dead_letters(world)) == 1
    assert world.incident.analysis is None


def test_a_report_that_is_held_expires_never() -> None:
    """As all that is kept of its incident."""
    world = over()
    world.pass_time(6 * MINUTE)
    assert report(world).expires_at is not None

    world.command(command="hold", **IT)
    world.pass_time(MINUTE)

    assert report(world).expires_at is None
