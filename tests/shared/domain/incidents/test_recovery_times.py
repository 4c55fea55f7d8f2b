"""The two durations of an incident: one function computes them, and everything renders it."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.incidents.incident import IncidentStatus, StatusPageRecord, TimelineEvent
from shared.domain.incidents.recovery_times import measure_recovery, recovery_lines
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.rollback.plan import PlanHeader
from shared.domain.rollback.rollback import Direction, Rollback, RollbackRequest, RollbackStatus
from shared.domain.signals.alert import IncidentScope
from tests.support.cli.browser import Browser, visible_text
from tests.support.cli.in_process import WorldPrompt
from tests.support.fakes.runtime.clock import START
from tests.support.notices.response import build_incident, build_rollback
from tests.support.notices.status_page import build_world_with_page
from tests.support.runtime.world import BOOKSHOP

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def plan_of(scenario: ScenarioName) -> PlanHeader:
    return PlanHeader(scenario, "v1", 1, "f", "p")


def went(status: RollbackStatus, shifted: int | None = None, verified: int | None = None) -> Rollback:
    """A rollback with effects that reached these minutes after detection."""
    at = {name: START + (minute or 0) * MINUTE for name, minute in (("s", shifted), ("v", verified))}
    return build_rollback(
        status,
        started_at=START,
        shifted_at=None if shifted is None else at["s"],
        verified_at=None if verified is None else at["v"],
    )


WELL = went(RollbackStatus.SUCCEEDED, 1, 3)
IDLE = build_rollback(RollbackStatus.NOT_TAKEN)
UNDO = replace(
    WELL, order=RollbackRequest("c", "ada", "why", way=Direction.UNDO), shifted_at=None, verified_at=None
)


@pytest.mark.parametrize(
    ("rollbacks", "is_over", "restored", "recovered"),
    [
        ([went(RollbackStatus.RUNNING)], False, None, None),
        ([went(RollbackStatus.VERIFYING, 1)], False, 1, None),
        ([went(RollbackStatus.WATCHING, 1, 3)], False, 1, 3),
        ([went(RollbackStatus.WATCHING, 1)], False, 1, None),
        ([went(RollbackStatus.FAILED, 1, 3)], False, 1, None),
        ([WELL, went(RollbackStatus.RUNNING)], False, None, None),
        ([WELL, build_rollback(RollbackStatus.DECIDING)], False, 1, None),
        ([WELL, went(RollbackStatus.WATCHING, 8, 9)], False, 8, 9),
        ([WELL, IDLE], True, 1, 3),
        ([WELL, IDLE], False, 1, None),
        ([WELL, UNDO], True, None, 60),
        ([went(RollbackStatus.FAILED, 1)], True, 1, 60),
        ([IDLE], True, None, 60),
    ],
    ids=[
        *("runs", "shifted", "verified", "not verified", "worse again", "a further one runs"),
        *("judged again", "two", "then nothing to do", "then a person is needed", "undone"),
        *("recovered after a failure", "recovered by itself"),
    ],
)
def test_the_durations_hold_over_all_rollbacks(
    rollbacks: list[Rollback], *, is_over: bool, restored: int | None, recovered: int | None
) -> None:
    """The newest rollback that changed anything counts, and only while nothing contradicts it."""
    status = IncidentStatus.RESOLVED if is_over else IncidentStatus.ESCALATED
    ended_at = START + 60 * MINUTE if is_over else None
    timeline = [TimelineEvent(status, ended_at or START, "over")]
    trouble = build_incident(status, ended_at=ended_at, timeline=timeline)

    times = measure_recovery(BOOKSHOP, trouble, rollbacks)

    def minutes(at: datetime | None) -> float | None:
        return None if at is None else (at - START) / MINUTE

    assert (minutes(times.traffic_restored_at), minutes(times.recovered_at)) == (restored, recovered)


def test_what_fails_again_recovers_when_that_is_over() -> None:
    """A further alert contradicts what was verified: the later observation counts."""
    turns = [
        TimelineEvent(IncidentStatus.WATCHING, START + 3 * MINUTE, "verified"),
        TimelineEvent(IncidentStatus.INVESTIGATING, START + 5 * MINUTE, "a further alert joined"),
        TimelineEvent(IncidentStatus.RESOLVED, START + 9 * MINUTE, "recovered"),
    ]
    trouble = build_incident(IncidentStatus.RESOLVED, ended_at=turns[-1].at, timeline=turns)

    times = measure_recovery(BOOKSHOP, trouble, [WELL, IDLE])

    assert times.recovered_at == START + 9 * MINUTE


def test_what_fails_again_has_no_restored_traffic() -> None:
    """A shift before that restored what fails now no longer; a later shift does."""
    turns = [
        TimelineEvent(IncidentStatus.WATCHING, START + 3 * MINUTE, "verified"),
        TimelineEvent(IncidentStatus.RESOLVED, START + 4 * MINUTE, "recovered"),
        TimelineEvent(IncidentStatus.INVESTIGATING, START + 5 * MINUTE, "a further alert joined"),
    ]
    trouble = build_incident(IncidentStatus.INVESTIGATING, timeline=turns)

    times = measure_recovery(BOOKSHOP, trouble, [WELL, build_rollback(RollbackStatus.DECIDING)])
    later = measure_recovery(BOOKSHOP, trouble, [WELL, went(RollbackStatus.VERIFYING, 8)])

    assert recovery_lines(times, START + 6 * MINUTE)[0] == "traffic is not restored yet"
    assert later.traffic_restored_at == START + 8 * MINUTE


@pytest.mark.parametrize("failing", [(), ("searchBooks",), ("payOrder", "searchBooks")])
def test_what_fails_beside_a_narrow_order_has_no_restored_traffic(failing: tuple[str, ...]) -> None:
    """The shift of one function restores the traffic of no other one."""
    narrow = replace(WELL, plan=replace(plan_of(ScenarioName.FUNCTIONS), changed=("searchBooks",)))

    times = measure_recovery(BOOKSHOP, replace(build_incident(), failing=failing), [narrow])

    assert times.traffic_restored_at == (None if "payOrder" in failing else START + MINUTE)


@pytest.mark.parametrize("has_failed", [True, False])
def test_an_unpin_of_what_fails_then_restores_nothing(has_failed: bool) -> None:
    """While nothing has failed, its shift is a change; once something has, no restoration."""
    order = RollbackRequest("c", "ada", "why", way=Direction.UNPIN)
    unpinned = replace(went(RollbackStatus.VERIFYING, 1), order=order)
    observed_at = START + 2 * MINUTE if has_failed else None
    scopes = (IncidentScope(ScenarioName.FUNCTIONS),)
    subject = replace(build_incident(), scopes=scopes, failure_observed_at=observed_at)

    times = measure_recovery(BOOKSHOP, subject, [unpinned])

    assert subject.has_failed is has_failed
    assert times.traffic_restored_at == (None if has_failed else START + MINUTE)


def test_what_a_person_closes_has_not_recovered() -> None:
    """Nobody observed it: there is no second duration, and every text says so."""
    closed = TimelineEvent(IncidentStatus.RECOVERY_NOT_OBSERVED, START + MINUTE, "accepted by ada")
    trouble = build_incident(closed.status, ended_at=closed.at, timeline=[closed])

    times = measure_recovery(BOOKSHOP, trouble, [went(RollbackStatus.SUCCEEDED, 1, 3)])

    assert times.recovered_at is None
    assert "recovery was not observed" in recovery_lines(times, START + MINUTE)[1]


@pytest.mark.parametrize(
    ("scenario", "severity", "minutes", "kind"),
    [
        (ScenarioName.COMPLETE, Severity.CRITICAL, 5, "CRITICAL incident"),
        (ScenarioName.DATABASE, Severity.CRITICAL, 15, "database rollback"),
        (ScenarioName.FUNCTIONS, Severity.CRITICAL, 10, "functions rollback"),
        (ScenarioName.FUNCTIONS, Severity.HIGH, 10, "functions rollback"),
        (ScenarioName.FEATURE, Severity.MEDIUM, 60, "MEDIUM incident"),
    ],
)
def test_each_kind_has_the_target_of_the_runbook(
    scenario: ScenarioName, severity: Severity, minutes: int, kind: str
) -> None:
    """A repair of data is never measured against the five minutes of a critical rollback."""
    one = replace(WELL, plan=plan_of(scenario))

    times = measure_recovery(BOOKSHOP, build_incident(severity=severity), [one])

    assert (times.target, times.kind) == (minutes * MINUTE, kind)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (StatusPageRecord(START + 20 * SECOND), "status page written 20 s after detection"),
        (StatusPageRecord(START + 90 * SECOND), "status page written 1 min 30 s after detection, 30 s late"),
        (StatusPageRecord(), "status page not written; it was due 1 min 0 s ago"),
        (None, None),
    ],
    ids=["in time", "late", "missing", "no page"],
)
def test_the_page_has_a_time_of_its_own(written: StatusPageRecord | None, said: str | None) -> None:
    """Its 60 seconds count from the detection; where there is no page, nothing is promised."""
    times = measure_recovery(BOOKSHOP, build_incident(), [], written)

    lines = recovery_lines(times, START + 2 * MINUTE)[2:]

    assert lines == (() if said is None else (said,))


@pytest.mark.parametrize(("alerted", "is_due"), [(False, False), (True, True)])
def test_an_order_that_stays_private_owes_no_page(alerted: bool, is_due: bool) -> None:
    """The page shows an order once an alert belongs to it."""
    ordered = replace(build_incident(), signal="unpin")

    times = measure_recovery(BOOKSHOP, ordered, [WELL], StatusPageRecord(alerted=alerted))

    assert (times.status_page_due_at is not None) is is_due


def test_the_page_of_an_order_is_due_once_it_must_be_public() -> None:
    """An alert joins an unpin after ten minutes: the page has 60 seconds from then on."""
    alerted_at = START + 10 * MINUTE
    record = StatusPageRecord(alerted_at + 50 * SECOND, alerted=True, alerted_at=alerted_at)
    ordered = replace(build_incident(), signal="unpin")

    times = measure_recovery(BOOKSHOP, ordered, [WELL], record)

    assert times.status_page_due_at == alerted_at + MINUTE
    assert recovery_lines(times, START + HOUR)[-1] == "status page written 10 min 50 s after detection"


def test_the_page_of_an_order_is_not_due_before_the_order() -> None:
    """An order inherits the detection of what fails: another incident told the public of it."""
    incident = build_incident()
    record = StatusPageRecord(START + 6 * MINUTE, alerted=True, alerted_at=START + MINUTE)
    opened = replace(incident.timeline[0], at=START + 5 * MINUTE)
    ordered = replace(incident, signal="", timeline=[opened, *incident.timeline[1:]])

    times = measure_recovery(BOOKSHOP, ordered, [WELL], record)

    assert times.status_page_due_at == opened.at + MINUTE


def test_everything_tells_the_same_durations(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`status`, the report, the console and the notices of one incident have one value each."""
    world = build_world_with_page()
    world.deploy_bad()
    world.alert()
    world.settle()
    world.pass_time(6 * MINUTE)
    [rollback], [trouble] = world.rollbacks(), world.incidents()
    assert rollback.status is RollbackStatus.WATCHING
    prompt, browser = WorldPrompt(monkeypatch, tmp_path, world), Browser(world)
    browser.sign_in()

    times: dict[str, Any] = json.loads(prompt.say("status", "--json").stdout)["systems"][0]["times"]
    report = json.loads(prompt.say("report", trouble.id, "--json").stdout)
    shown = (
        prompt.say("status").stdout,
        prompt.say("report", trouble.id).stdout,
        visible_text(browser.get(f"/incidents/{trouble.id}")),
        "\n".join(moment.note for moment in trouble.timeline),
    )

    measured = measure_recovery(BOOKSHOP, trouble, [rollback], StatusPageRecord(START))
    restored, recovered = recovery_lines(measured, START)[:2]
    assert report["times"] == times
    assert times["status_page_at"] is not None
    for text in shown:
        assert restored.casefold() in text.casefold()
        assert recovered.partition(";")[0].casefold() in text.casefold()
    for text in shown[:3]:
        assert "status page written" in text.casefold()
