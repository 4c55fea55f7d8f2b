from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from responders.data.repair import preview
from shared.core.codec import encode
from shared.core.store import Put
from shared.domain.data.repair.repair_plan import (
    DocumentOutcome,
    RepairPosition,
    RepairPreview,
    encode_position,
)
from shared.domain.decision.forecast import DurationForecast, forecast_duration, remaining_duration
from shared.domain.policy.execution_limits import Execution, WriteQuota
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.rollback.plan import ENDED_STEP_STATUSES, Step, StepStatus
from shared.domain.rollback.rollback import Direction, RollbackRequest
from shared.domain.rollback.write_quota import SavedPace, TokenBucket, quota_path
from shared.domain.signals.baseline import Baseline
from shared.domain.signals.health import RouterRequests
from tests.support.decision.gate_facts import NOW
from tests.support.runtime.world import BOOKSHOP, World

ROUND_TRIP = 8.4
OF_FUNCTIONS = ScenarioName.FUNCTIONS, Severity.HIGH
QUOTA = Execution(write_quota=WriteQuota(burst=60, per_second=1.0))


def shift(name: str, *after: str, status: StepStatus = StepStatus.PENDING) -> Step:
    return Step(name=name, kind="shift", target=name, after=after, writes=1, status=status)


def judge(name: str, *after: str) -> Step:
    return Step(name=name, kind="judge", target=name, after=after)


def seconds(steps: list[Step], tokens: float = 60, **limits: object) -> float:
    took = remaining_duration(steps, QUOTA, tokens=tokens, **limits)  # type: ignore[arg-type]
    return round(took.total_seconds(), 1)


def test_nothing_left_takes_no_time() -> None:
    """What has ended costs nothing more, and a judgement alone writes nothing."""
    assert seconds([]) == 0.0
    assert seconds([shift("a", status=StepStatus.DONE), judge("b")]) == 0.0


def test_what_the_burst_admits_takes_one_round_trip() -> None:
    assert seconds([shift(str(n)) for n in range(57)]) == ROUND_TRIP


def test_beyond_the_burst_the_quota_sets_the_pace() -> None:
    """The bound of 127 shifts with 5 % refused, and a full burst of 60 at one a second."""
    steps = [shift(str(n)) for n in range(127)]

    assert seconds(steps) == pytest.approx(127 / 0.95 - 60 + ROUND_TRIP, abs=0.1)
    assert seconds(steps, tokens=0) == pytest.approx(127 / 0.95 + ROUND_TRIP, abs=0.1)


def test_what_waits_for_another_begins_a_round_trip_later() -> None:
    """Canary, judgement, the others, and the next group behind them: three waves of writes."""
    steps = [
        shift("canary"),
        judge("judged", "canary"),
        shift("other", "judged"),
        shift("next canary", "other"),
    ]

    assert seconds(steps) == pytest.approx(3 * ROUND_TRIP)


def test_what_stands_in_for_another_costs_nothing_until_it_is_begun() -> None:
    """Nobody expects every shift to fail; one that has, is built again, and counts from then on."""
    direct = [shift(str(n)) for n in range(100)]
    again = [replace(shift(f"again{n}"), kind="redeploy", writes=3, instead_of=str(n)) for n in range(100)]
    begun = replace(again[0], status=StepStatus.BEGUN)

    assert seconds([*direct, *again]) == seconds(direct)
    assert seconds([*direct, begun, *again[1:]]) > seconds([*direct, *again])


def test_batches_and_their_pauses_are_counted() -> None:
    steps = [shift(str(n)) for n in range(20)]

    took = seconds(steps, batch_size=10, delay=timedelta(seconds=30))

    assert took == pytest.approx(2 * ROUND_TRIP + 30)


def test_what_was_sent_costs_no_more_of_the_quota() -> None:
    """While it runs, only what is not sent yet waits for tokens."""
    sent = [replace(shift(f"sent{n}", status=StepStatus.BEGUN), attempts=1) for n in range(60)]
    waiting = [shift(str(n)) for n in range(10)]

    assert seconds(sent, tokens=0) == ROUND_TRIP
    assert seconds([*sent, *waiting], tokens=0) == pytest.approx(10 / 0.95 + ROUND_TRIP, abs=0.1)


@pytest.mark.parametrize(
    ("functions", "fits"),
    [
        (360, "within"),
        (410, "within"),
        (411, "possibly more than"),
        (524, "possibly more than"),
        (525, "MORE THAN"),
    ],
)
def test_more_functions_than_ten_minutes_of_quota_do_not_fit(functions: int, fits: str) -> None:
    """What cannot be verified in time is known before it begins: requests count minutes late."""
    ahead = forecast_duration([shift(str(n)) for n in range(functions)], BOOKSHOP, *OF_FUNCTIONS)

    assert ahead.fits is (fits != "MORE THAN")
    assert f", {fits} the target of 10 min" in str(ahead)


def test_an_outlook_while_it_runs_counts_what_has_passed_and_what_was_learnt() -> None:
    """The quota's level and rate are those that its worker last kept."""
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    left = SavedPace(0.0, now, per_second=0.5)
    steps = [shift(str(n)) for n in range(19)]
    throttled = sum(1 / (0.5 + 0.02 * n) for n in range(20))

    ahead = forecast_duration(
        steps, BOOKSHOP, *OF_FUNCTIONS, left=left, detected=now - timedelta(seconds=570), now=now
    )

    assert ahead.seconds == pytest.approx(throttled + ROUND_TRIP)
    assert ahead.whole_seconds == pytest.approx(570 + ahead.seconds)
    assert not ahead.fits
    said = "last shift in about 39 s, verified about 13 min 49 s after detection, MORE THAN"
    assert str(ahead) == f"{said} the target of 10 min"


def test_a_last_shift_within_the_target_is_not_a_recovery_within_it() -> None:
    """The target is for the verification: nine minutes to the last shift are too late for ten."""
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    detected = now - timedelta(minutes=8, seconds=30)

    ahead = forecast_duration([shift("a")], BOOKSHOP, *OF_FUNCTIONS, detected=detected, now=now)

    assert ahead.whole_seconds < 540
    assert not ahead.fits


def test_few_requests_promise_no_verification() -> None:
    """Nobody knows when it is verified; the last shift is still announced."""
    baseline = Baseline(NOW - timedelta(hours=1), NOW, RouterRequests(9, 0), is_verifiable=False)

    ahead = forecast_duration([shift("a")], BOOKSHOP, *OF_FUNCTIONS, baseline=baseline)

    assert ahead.fits
    assert str(ahead) == "last shift in about 9 s; few requests are expected: it may be verified late"
    late = str(ahead.after(700.0))
    assert late.startswith("last shift in about 9 s, MORE THAN the target of 10 min; few requests")


@pytest.mark.parametrize("way", [Direction.UNDO, Direction.UNPIN])
def test_what_repairs_nothing_has_no_target(way: Direction) -> None:
    """An undo is not verified at all, and an unpin restores nothing."""
    order = RollbackRequest(command="c", actor="ada", reason="why", way=way)

    ahead = forecast_duration([shift("a")], BOOKSHOP, order=order)

    assert (str(ahead), ahead.fits) == ("last shift in about 9 s", True)
    assert bool(ahead.verify_seconds) is (way is Direction.UNPIN)


@pytest.mark.parametrize(
    ("scenario", "severity", "minutes"),
    [
        (ScenarioName.COMPLETE, Severity.CRITICAL, 5),
        (ScenarioName.AUTH, Severity.CRITICAL, 5),
        (ScenarioName.FUNCTIONS, Severity.CRITICAL, 10),
        (ScenarioName.FUNCTIONS, Severity.HIGH, 10),
        (ScenarioName.FEATURE, Severity.HIGH, 15),
        (ScenarioName.DATABASE, Severity.CRITICAL, 15),
    ],
)
def test_each_kind_of_rollback_has_its_own_target(
    scenario: ScenarioName, severity: Severity, minutes: int
) -> None:
    """The runbook's: critical, functions, database; six minutes are too long for a critical one."""
    steps = [shift(str(n)) for n in range(390)]

    ahead = forecast_duration(steps, BOOKSHOP, scenario, severity)

    assert ahead.target_seconds == 60 * minutes
    assert ahead.fits is (minutes > 5)


@pytest.mark.parametrize(("functions", "refused"), [(127, 60), (500, 100), (127, 1)])
def test_refusals_in_a_row_do_not_make_the_forecast_jump(functions: int, refused: int) -> None:
    """Six refusals cut the rate to an eighth, and each write gives some of it back."""
    began = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    bucket, passed, done, foreseen = TokenBucket(60, 1.0, 0.0), 0.0, 0, []
    for sent in range(1, functions + 7):
        now, left = began + timedelta(seconds=passed), functions - done
        pace = SavedPace(bucket.level(passed), now, per_second=bucket.rate)
        steps = [shift(str(n)) for n in range(left)]
        ahead = forecast_duration(steps, BOOKSHOP, left=pace, detected=began, now=now)
        foreseen.append(ahead.whole_seconds)
        passed += bucket.seconds_until(1, passed)
        assert bucket.take(1, passed)
        if refused <= sent < refused + 6:
            bucket.record_refusal(2.0, passed)
        else:
            bucket.record_success(1)
            done += 1

    took = passed + ROUND_TRIP
    assert done == functions
    assert max(foreseen) < 1.25 * took
    assert min(foreseen[refused + 6 :]) > 0.9 * took


@pytest.mark.parametrize(("ago", "left"), [(0, 90.4), (60, 30.4), (200, 0.0)])
def test_what_is_on_its_way_takes_the_less_the_longer_it_is(ago: float, left: float) -> None:
    """A build that was begun a minute ago is nearer to its end; one that lasts is due."""
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    begun = replace(
        Step("redeploy a", "redeploy", "a", writes=2, attempts=1, status=StepStatus.BEGUN),
        begun_at=now - timedelta(seconds=ago),
    )

    assert seconds([begun], now=now) == pytest.approx(left)
    assert seconds([replace(begun, attempts=0)], now=now) == pytest.approx(90.4)


def test_a_share_of_the_quota_takes_its_time() -> None:
    """Half of a pool is half of its burst and half of its rate."""
    execution = replace(BOOKSHOP.execution, write_quota=WriteQuota(share=0.5))
    ahead = forecast_duration([shift(str(n)) for n in range(38)], replace(BOOKSHOP, execution=execution))

    assert ahead.seconds == pytest.approx((40 - 30) / 0.5 + ROUND_TRIP)


def test_what_cannot_fit_says_so_before_it_starts() -> None:
    """The frozen plan reports it, and whoever is told of the decision reads it."""
    slow = replace(BOOKSHOP.execution, write_quota=WriteQuota(burst=4, per_second=0.01))
    world = World(policy=replace(BOOKSHOP, execution=slow))
    world.deploy_bad()

    world.alert()
    world.settle()

    header = world.rollbacks()[0].plan
    assert header is not None
    assert header.reported[0].startswith("it cannot fit: last shift in about ")
    [told] = [
        sent.notice
        for sent in world.ports.sender.sent
        if sent.key.split(":")[1] == "rollback.decided" and sent.key.endswith(":record")
    ]
    assert "MORE THAN the target of 10 min" in str(told)


def test_what_is_left_of_the_quota_is_told_before_it_starts() -> None:
    """Another rollback has spent it: the plan would fit with the whole of it, and now does not."""
    slow = replace(BOOKSHOP.execution, write_quota=WriteQuota(per_second=0.003))
    world = World(policy=replace(BOOKSHOP, execution=slow))
    world.deploy_bad()
    spent = SavedPace(0.0, world.ports.clock.now())
    world.ports.store.commit([Put(quota_path(BOOKSHOP.system), encode(spent))])

    world.alert()
    world.settle()

    header = world.rollbacks()[0].plan
    assert header is not None
    assert not any("cannot fit" in line for line in header.reported)
    [told] = [
        sent.notice
        for sent in world.ports.sender.sent
        if sent.key.split(":")[1] == "rollback.decided" and sent.key.endswith(":record")
    ]
    assert "MORE THAN the target of 10 min" in str(told)


def piece(documents: int, seen: int = 0, took: float = 0.0, status: StepStatus = StepStatus.BEGUN) -> Step:
    """A step that brings documents back; how many it has gone through, and in how many seconds."""
    there = (
        encode_position(RepairPosition("users/x", status in ENDED_STEP_STATUSES, seen, seconds=took))
        if seen
        else ""
    )
    goal = {"documents": documents}
    return Step(f"{documents}", "repair", "users", goal=goal, operation=there, status=status)


NEXT = StepStatus.PENDING


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ([piece(1000), piece(500, status=NEXT)], 3.0),
        ([piece(1000, 250, 20), piece(1000, 250, 20)], 60.0),
        ([piece(1000, 250, 20), piece(1000, 500, 20)], 60.0),
        ([piece(1000, 250, 20), piece(1000)], 80.0),
        ([piece(1000, 1000, 10, StepStatus.DONE), piece(4000, status=NEXT)], 40.0),
        ([piece(1000, 200, 20), piece(3000, status=NEXT)], 380.0),
        ([piece(1000, 400, 5, StepStatus.FAILED), piece(1000, 600, 6)], 4.0),
        ([piece(1000, 1200, 9), piece(100, 50, 1)], 1.0),
        ([piece(1000, 1000, 9, StepStatus.DONE), shift("a", status=StepStatus.DONE)], 0.0),
    ],
    ids=[
        "nothing yet",
        "in parallel",
        "one is slower",
        "one has not told",
        "one after the other",
        "what waits",
        "one has failed",
        "more came",
        "over",
    ],
)
def test_documents_go_on_as_they_have_gone(steps: list[Step], left: float) -> None:
    """What is measured counts once there is any; what has ended costs nothing more."""
    now = datetime(2026, 3, 2, tzinfo=UTC)

    ahead = forecast_duration(steps, BOOKSHOP, detected=now - timedelta(seconds=30), now=now)

    assert ahead.seconds == pytest.approx(left)
    assert ahead.whole_seconds == pytest.approx(30 + left)
    assert ahead.last == "document"
    assert ahead.target_seconds == BOOKSHOP.targets.database.total_seconds()


@pytest.mark.parametrize(
    ("looked", "written", "expected"),
    [(0.0, 1000, 10.0), (45.0, 1000, 45.0), (15.0, 10_000, 20.0)],
    ids=["as stated", "a slow machine", "as fast as may be written"],
)
def test_what_was_measured_beforehand_counts(looked: float, written: int, expected: float) -> None:
    """A repair is not foreseen to be faster than the data were just looked through."""
    position = RepairPosition("users/x", is_over=True, seen=10_000, fates={DocumentOutcome.BACK: written})

    found = preview.survey_seconds(RepairPreview(goals=(), positions=(position,), seconds=looked))

    assert found == pytest.approx(expected)


def test_a_position_of_before_time_was_kept_foresees_no_end_at_once() -> None:
    """What nobody has timed goes on as fast as what was, or else as may be begun."""
    now = datetime(2026, 3, 2, tzinfo=UTC)
    untimed = piece(10_000, 5_000, 0.0)
    timed = replace(piece(10_000, 5_000, 50.0), name="another")

    assert forecast_duration([untimed], BOOKSHOP, detected=now, now=now).seconds == pytest.approx(10.0)
    assert forecast_duration([untimed, timed], BOOKSHOP, detected=now, now=now).seconds == pytest.approx(50.0)


@pytest.mark.parametrize("per_second", [20.0, 120.0, 400.0])
def test_what_is_foreseen_of_documents_comes_to_what_it_takes(per_second: float) -> None:
    """However slow the machine; what a death has cost is not expected again."""
    began, documents, held = datetime(2026, 3, 2, tzinfo=UTC), 40_000, 30.0
    whole = documents / per_second + held
    for share, expected in ((0.1, whole - held), (0.5, whole), (0.9, whole)):
        spent = share * whole
        lost = held if share > 0.3 else 0.0
        steps = [piece(documents, int((spent - lost) * per_second), spent - lost)]
        now = began + timedelta(seconds=spent)
        ahead = forecast_duration(steps, BOOKSHOP, detected=began, now=now)
        assert ahead.whole_seconds == pytest.approx(expected, abs=1.0)
        assert ahead.verify_seconds == 60 + documents / 1000
        assert ahead.fits is (ahead.whole_seconds + ahead.verify_seconds <= 900)


@pytest.mark.parametrize(("seconds", "said"), [(100, "1 min 40 s"), (1, "1 s"), (600, "10 min")])
def test_a_target_is_said_as_a_duration(seconds: float, said: str) -> None:
    """A policy may set any target."""
    assert str(DurationForecast(0, 0, seconds)).endswith(f"within the target of {said}")
