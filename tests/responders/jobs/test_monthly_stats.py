"""What stays of an incident when it is over, and what months are made of."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.incidents.incident import Incident, IncidentStatus
from shared.domain.incidents.recovery_times import measure_recovery
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.reports.monthly_stats import IncidentTally, compute_monthly_stats, tally_incident
from shared.domain.rollback.rollback import Rollback, RollbackRequest, RollbackStatus
from tests.support.cli.browser import Browser, visible_text
from tests.support.fakes.runtime.clock import START
from tests.support.notices.response import build_incident, build_rollback
from tests.support.rollbacks.pins import build_rolled_back_world
from tests.support.runtime.world import BOOKSHOP, World

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
IGNORED = ({"gate": "still true", "answer": "stop", "reason": "over", "leads_to": "ignore"},)
OBSERVED = ({"gate": "mode", "answer": "stop", "reason": "observe", "leads_to": "observe"},)


def over(**changes: Any) -> Incident:
    """An incident that began two minutes before its detection and is over after an hour."""
    times = {"onset_at": START - 2 * MINUTE, "ended_at": START + 60 * MINUTE}
    return replace(build_incident(IncidentStatus.RESOLVED), **{**times, **changes})


def went(status: RollbackStatus, **changes: Any) -> Rollback:
    return replace(build_rollback(status), **changes)


BACK = {"started_at": START + MINUTE, "shifted_at": START + 4 * MINUTE}
ORDER = RollbackRequest("a command", "ada", "a test")


@pytest.mark.parametrize(
    ("rollbacks", "expected"),
    [
        (
            [went(RollbackStatus.SUCCEEDED, scenario="functions", **BACK)],
            ("functions", "SUCCEEDED", False, 120.0, 240.0, 180.0),
        ),
        (
            [went(RollbackStatus.NOT_TAKEN, gates=IGNORED)],
            ("functions", "NOT_TAKEN", True, 120.0, None, None),
        ),
        (
            [went(RollbackStatus.NOT_TAKEN, gates=OBSERVED)],
            ("functions", "NOT_TAKEN", False, 120.0, None, None),
        ),
        (
            [went(RollbackStatus.SUCCEEDED, order=ORDER, scenario="complete", **BACK)],
            ("complete", "SUCCEEDED", False, None, 240.0, 180.0),
        ),
        (
            [went(RollbackStatus.FAILED, scenario="functions", **BACK), went(RollbackStatus.CANCELLED)],
            ("functions", "CANCELLED", False, 120.0, 240.0, 180.0),
        ),
        ([], ("functions", "", False, 120.0, None, None)),
    ],
)
def test_what_is_kept_of_an_incident(rollbacks: list[Rollback], expected: tuple[Any, ...]) -> None:
    """What went back, how it ended, and how long that took, as far as it is known."""
    made = tally_incident(BOOKSHOP, over(), rollbacks)

    assert made is not None
    assert expected == (
        made.scenario,
        made.outcome,
        made.false_alarm,
        made.detect_seconds,
        made.restore_seconds,
        made.took_seconds,
    )


def test_every_rollback_of_an_incident_counts() -> None:
    """The first failed, the second succeeded: two were executed, and one of them well."""
    made = tally_incident(
        BOOKSHOP, over(), [went(RollbackStatus.FAILED, **BACK), went(RollbackStatus.SUCCEEDED, **BACK)]
    )
    assert made is not None

    [month] = compute_monthly_stats([made])

    assert (month.incidents, month.rollbacks, month.succeeded) == (1, 2, 1)
    assert month.success_rate == 0.5


def test_an_incident_without_a_plan_is_of_the_kind_that_status_and_report_name() -> None:
    """By its signal: what was accepted without a rollback is compared with the same target."""
    [observed] = rollbacks = [went(RollbackStatus.NOT_TAKEN, gates=OBSERVED)]
    for signal, kind in (("function_failure_rate", "functions"), ("database_corruption", "database")):
        made = tally_incident(BOOKSHOP, over(signal=signal), rollbacks)
        times = measure_recovery(BOOKSHOP, over(signal=signal), rollbacks)
        assert (made and made.scenario, times.kind) == (kind, f"{kind} rollback")
    ordered = replace(observed, order=RollbackRequest("a command", "ada", "a test", ScenarioName.AUTH))
    unknown = tally_incident(BOOKSHOP, over(signal="command"), [ordered])
    assert unknown is not None
    assert unknown.scenario == "auth"


def test_nothing_is_kept_of_an_open_incident() -> None:
    """Its numbers are not final."""
    assert tally_incident(BOOKSHOP, over(ended_at=None), []) is None


def test_months() -> None:
    """By month and scenario, the newest first; a false alarm does not count as detected late."""
    known = IncidentTally(
        *("INC-1", "bookshop", Severity.CRITICAL, "functions", START, START),
        ordered=False,
        outcome="SUCCEEDED",
        false_alarm=False,
        detect_seconds=60.0,
        restore_seconds=200.0,
        took_seconds=100.0,
        recover_seconds=None,
        executed=1,
        succeeded=1,
        has_target=True,
    )
    slow = replace(known, outcome="FAILED", succeeded=0, detect_seconds=120.0, restore_seconds=400.0)
    false = replace(known, outcome="NOT_TAKEN", executed=0, succeeded=0, false_alarm=True, detect_seconds=9.0)
    false = replace(false, restore_seconds=None, took_seconds=None)
    other = replace(known, scenario="complete")
    before = replace(known, detected_at=START - 31 * DAY)

    found = compute_monthly_stats([before, known, slow, false, other])

    assert [(one.month, one.scenario) for one in found] == [
        ("2026-03", "functions"),
        ("2026-03", "complete"),
        ("2026-01", "functions"),
    ]
    newest = found[0]
    assert (newest.incidents, newest.false_alarms, newest.rollbacks) == (3, 1, 2)
    assert newest.success_rate == 0.5
    assert (newest.detect_seconds, newest.restore_seconds) == (90.0, 300.0)
    assert newest.took_seconds == 100.0


def tallies(world: World) -> list[IncidentTally]:
    return [decode(IncidentTally, one.fields) for one in world.store.query(Query("tallies"))]


def test_an_incident_outlives_its_documents_as_a_line_of_its_month(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Tallied the day after its end, once, and told as an event whose numbers are metrics."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.settle()
    world.alert(state="closed")
    world.pass_time(25 * MINUTE)
    ended = world.incident
    assert ended.ended_at is not None
    assert tallies(world) == []
    capsys.readouterr()

    for _ in range(2):
        world.advance_clock(DAY)
        world.start_instances()
        world.pass_time(MINUTE)

    [kept] = tallies(world)
    assert (kept.incident, kept.scenario, kept.outcome) == (ended.id, "functions", "SUCCEEDED")
    told = world.documents[f"systems/bookshop/audit/tallied:{ended.id}"]
    assert told["facts"]["restore_seconds"] == kept.restore_seconds
    assert "expires_at" not in world.documents[f"tallies/{ended.id}"]
    for path in [one for one in world.documents if one.startswith("incidents/")]:
        del world.documents[path]
    browser = Browser(world)
    browser.sign_in()
    page = visible_text(browser.get("/trends"))
    assert "2026-03" in page
    assert "100%" in page
    assert ended.id in page


def test_an_unpin_is_shown_without_a_target() -> None:
    """Nothing has to recover by it; the rollback before it has its target."""
    world = build_rolled_back_world()
    world.platform.deploy()
    world.pass_time(40 * MINUTE)
    world.send_command("unpin")
    world.pass_time(40 * MINUTE)
    assert [one.status for one in world.incidents()] == [IncidentStatus.RESOLVED] * 2
    browser = Browser(world)
    browser.sign_in()

    lines = visible_text(browser.get("/trends")).split("INC-")

    shown = {f"INC-{one.partition(',')[0]}": "the target is" in one for one in lines[1:]}
    rolled_back, unpinned = (one.id for one in world.incidents())
    assert (shown[rolled_back], shown[unpinned]) == (True, False)
