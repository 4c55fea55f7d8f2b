"""When looks show that a signal is true: barely, barely not, and nobody knows."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import Signal, SignalCondition, Unit
from shared.domain.signals.probe_history import (
    PROBE_INTERVAL,
    ProbeResult,
    detect_trouble,
    is_fresh,
    signal_criteria,
    typical_seconds,
    unobservable_reason,
)
from shared.policy_files.loader import load_policy
from tests.support.runtime.world import POLICIES

CVPLUS = load_policy(POLICIES / "cvplus.yaml")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def signal(
    threshold: float | None = None, duration: timedelta | None = None, *also: SignalCondition
) -> Signal:
    return Signal(Severity.HIGH, ScenarioName.FUNCTIONS, Mode.ACT, threshold, duration, also=tuple(also))


def looks(seen: str, seconds: float = 0.1) -> list[ProbeResult]:
    """Half a minute apart from noon: `.` good, `x` failed, a digit good after so many seconds.

    `~` is a failure for want of any answer, after 50 s; a blank is a look that was not made.
    """
    found = []
    for number, sign in enumerate(seen):
        at = NOON + number * PROBE_INTERVAL
        takes = float(sign) if sign.isdigit() else 50.0 if sign == "~" else seconds
        status = {"x": 503, "~": None}.get(sign, 200)
        ended_at = at + timedelta(seconds=takes)
        if sign != " ":
            found.append(ProbeResult(at, ended_at, status == 200, takes, status))
    return found


def shown(
    name: str, meaning: Signal, seen: str, known: float | None = None, slow_after: timedelta | None = None
) -> int | None:
    """The number of the half minute in which the trouble began, in the first way that shows it."""
    made = looks(seen)
    for way in signal_criteria(name, meaning, slow_after):
        first, how = detect_trouble(way, made, known)
        if first is not None:
            assert how
            return int((first.at - NOON) / PROBE_INTERVAL)
    return None


FRONTEND = signal(None, timedelta(seconds=30), SignalCondition(Unit.COUNT, 3, 2 * MINUTE))
CRITICAL_PATH = signal(45)
SLOW = signal(30)
DEGRADED = signal(
    0.5, None, SignalCondition(Unit.COUNT, 5, 10 * MINUTE), SignalCondition(Unit.RATIO, 0.25, 5 * MINUTE)
)
SIGN_IN = signal(0.8, 5 * MINUTE)
ERRORS = signal(0.1, 5 * MINUTE, SignalCondition(Unit.RATIO, 0.05, 30 * MINUTE))
GOOD = "." * 20


TABLES: dict[str, tuple[Signal, list[tuple[str, int | None]]]] = {
    "frontend_unavailable": (
        FRONTEND,
        [
            ("x", None),
            ("..x", None),  # one failure heals by itself
            ("..x.", None),
            ("..xx", 2),  # bad for 30 s
            ("..x x", 2),  # the look between was not made
            ("..x  x", None),  # nobody knows what was between them
            ("x.x.", None),
            ("x.x", None),
            ("xx.", None),  # what has passed since opens nothing
            ("x.x..x", None),  # 3 failures, in 2 min 30 s
            ("x..x x", 3),
            ("xx.x", 0),  # 3 failures, in 1 min 30 s
            (" x.xx", 3),  # the first way counts: bad for 30 s
        ],
    ),
    "critical_path_blocked": (
        CRITICAL_PATH,
        [
            ("..x", None),
            ("..xx", 2),
            ("..x~", 2),
            ("..99", None),  # slow, but within 45 s
            ("..~", None),
            ("..~~", 2),
        ],
    ),
    "slow_response": (
        SLOW,
        [
            ("..xx", None),  # a failure that comes at once is not slow
            ("..~x", None),
            ("..~~", 2),
            ("..~.", None),
        ],
    ),
    "authentication_failure": (
        SIGN_IN,
        [
            ("xxxx", None),  # 4 of 10 looks: too few to say
            ("xxxxx", 0),
            ("xxxx.x", 0),  # 83 %
            ("xxx.x", None),  # 80 % is not above 80 %
            ("xxxxxxxx..", None),
            (".xxxxxxxxx", 1),  # 9 of 10
            ("..xxxxxxxx", None),  # 8 of 10
            ("x....." + "xx.xxxxxxx", 6),  # what lies before the 5 minutes does not count
        ],
    ),
    "error_rate": (
        ERRORS,
        [
            (GOOD + "x.......x", 20),  # 2 of 10
            ("." * 38 + "x.........x", None),  # 1 of 10, and 2 of 49
            ("." * 24 + "xx" + "." * 8, None),
            ("x..........." * 4 + "x", 0),  # 5 of 49 in half an hour
            ("x" + "." * 28 + "x", 0),  # 2 of 30: half of the looks is enough to know
            ("x" + "." * 40 + "x" + "." * 16 + "x", 0),  # 3 of 59 is above 5 %
            ("x" + "." * 40 + "x" + "." * 17 + "x", None),  # 3 of 60 is not
        ],
    ),
}


@pytest.mark.parametrize(
    ("name", "seen", "began"),
    [(name, seen, began) for name, (_, rows) in TABLES.items() for seen, began in rows],
)
def test_a_signal(name: str, seen: str, began: int | None) -> None:
    """It shows by its own threshold, duration or further conditions, never by one look."""
    assert shown(name, TABLES[name][0], seen) == began


@pytest.mark.parametrize(
    ("seen", "known", "began"),
    [
        ("4444444444", 2.0, 0),  # twice as slow, for 5 minutes
        ("3333333333", 2.0, None),  # half as slow again is not more than that
        ("4444444444", None, None),  # nobody knows what is usual
        ("4444", 2.0, None),  # too few to say
        ("1111111111", 0.1, None),  # quick enough for anybody
        ("2222222222", 0.1, 0),
        ("2224442442", 2.0, None),  # the median is as ever, and the newest is
        ("2244244244", 2.0, 2),
        ("x....x....x....x....x", 2.0, None),  # 5 failures, in more than 10 minutes
        ("x....x....x....x...x", 2.0, 0),
        ("4....4....4....4...x", 2.0, 0),  # slow ones count like failures
        ("4....4....4....4...x", None, None),
        ("x.......x", 2.0, None),  # 22 % failed
        ("x......x", 2.0, None),  # 25 % is not above 25 %
        ("x.....x", 2.0, 0),
    ],
)
def test_performance(seen: str, known: float | None, began: int | None) -> None:
    """Slower than usual by half, 5 bad looks in 10 minutes, or more than a quarter failed in 5."""
    assert shown("performance_degraded", DEGRADED, seen, known) == began


@pytest.mark.parametrize(
    ("name", "meaning", "seen", "began"),
    [
        ("frontend_unavailable", FRONTEND, "99999", None),
        ("critical_path_blocked", CRITICAL_PATH, "99999", None),
        ("performance_degraded", DEGRADED, "9999", None),
        ("performance_degraded", DEGRADED, "99999", 0),
        ("performance_degraded", DEGRADED, "55555", None),
    ],
)
def test_slow_is_not_down(name: str, meaning: Signal, seen: str, began: int | None) -> None:
    """An answer that takes longer than `slow_after` is bad for performance alone."""
    assert shown(name, meaning, seen, slow_after=timedelta(seconds=5)) == began


@pytest.mark.parametrize(
    ("meaning", "seen", "began"),
    [
        (signal(), "x", None),
        (signal(), "xx", 0),
        (signal(1), "x", None),  # one look opens nothing, whatever the policy says
        (signal(1), "xx", 0),
        (signal(1, 3 * MINUTE), "x", None),
        (signal(1, 3 * MINUTE), "x.x", 0),
        (signal(3), "xx", None),
        (signal(3), "xxx", 0),
        (signal(3, 2 * MINUTE), "x.x.x", None),
        (signal(3, 3 * MINUTE), "x.x.x", 0),
    ],
)
def test_a_signal_that_counts(meaning: Signal, seen: str, began: int | None) -> None:
    """Without a duration so many in a row; with one so many within it."""
    assert shown("database_connectivity", meaning, seen) == began


@pytest.mark.parametrize(
    ("unit", "threshold", "duration", "why"),
    [
        (Unit.COUNT, None, 30 * MINUTE, ""),
        (Unit.COUNT, None, 31 * MINUTE, "only the last 30m of a probe are kept"),
        (Unit.COUNT, 10, MINUTE, "a probe looks 2 times in 1m, not 10"),
        (Unit.COUNT, 2, MINUTE, ""),
        (Unit.SECONDS, 49, None, ""),
        (Unit.SECONDS, 50, None, "no probe waits longer than 50 s"),
        (Unit.RATIO, 0.05, 30 * MINUTE, ""),
        (Unit.RATIO, 0.05, timedelta(hours=1), "only the last 30m of a probe are kept"),
    ],
)
def test_what_no_probe_can_tell(
    unit: Unit, threshold: float | None, duration: timedelta | None, why: str
) -> None:
    """A condition that looks twice a minute can never meet is told before it is relied upon."""
    assert unobservable_reason(unit, threshold, duration) == why


def test_a_sign_in_that_fails_is_known_within_two_minutes() -> None:
    """By CVPlus's policy; at most half a minute passes before the first probe that fails."""
    meaning = CVPLUS.signals["authentication_failure"]
    needed = [many for many in range(1, 11) if shown("authentication_failure", meaning, GOOD + "x" * many)]

    assert needed[0] * PROBE_INTERVAL < 2 * MINUTE


def test_what_is_usual() -> None:
    """The median of good answers from before the last ten minutes; too few of them say nothing."""
    made = looks("2" * 9 + "x" + "9" + "." * 20)
    later = made[-1].at

    assert typical_seconds(made, later) == 2.0
    assert typical_seconds(made, later + PROBE_INTERVAL) == 2.0
    assert typical_seconds(made[2:], later) is None
    assert typical_seconds([], later) is None


def test_news_that_are_old() -> None:
    """What was a minute ago is still news; what was before is not."""
    made = looks("x")

    assert is_fresh(made, NOON + MINUTE)
    assert not is_fresh(made, NOON + MINUTE + timedelta(microseconds=1))
    assert not is_fresh([], NOON)
