"""What our own looks from outside mean: which signals open by them, and close; pure."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from responders.jobs.internal_alerts import select_recorded_findings
from shared.domain.policy.probes import Probe
from shared.domain.policy.signals import SignalCondition, Unit
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.probe_history import MAX_STORED_RESULTS, PROBE_INTERVAL, ProbeResult
from shared.domain.signals.probe_signals import (
    ProbeFinding,
    ProbeRecord,
    apply_changes,
    detect_changes,
    extend_timeout,
    find_slow_probes,
    record_results,
)
from tests.support.runtime.world import EXAMPLE

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def of(probe: str, seen_by_it: str, start: datetime = NOON) -> dict[str, list[ProbeResult]]:
    """Looks half a minute apart: `.` good, `x` bad, a blank not made."""
    return {
        probe: [
            ProbeResult(at, at + timedelta(seconds=1), sign == ".", 0.1, 200 if sign == "." else 500)
            for number, sign in enumerate(seen_by_it)
            if sign != " "
            for at in [start + number * PROBE_INTERVAL]
        ]
    }


def followed(
    seen_by_it: str, record: ProbeRecord | None = None, policy: Policy = EXAMPLE
) -> tuple[ProbeRecord, list[str]]:
    """Judged after each half minute: the record, and in which of them what changed."""
    record = record or ProbeRecord("bookshop", since=NOON)
    told = []
    for number in range(len(seen_by_it)):
        now = NOON + number * PROBE_INTERVAL
        shop = of("shop", seen_by_it[number], now)
        record = record_results(record, shop, policy)
        changes = detect_changes(record, policy, now)
        record = apply_changes(record, changes)
        told += [f"{number} {one.state}" for one in changes]
    return record, told


@pytest.mark.parametrize(
    ("looks", "changes"),
    [
        ("....x....", []),
        (".xx.", []),  # a minute it must last
        (".xxx", ["3 open"]),
        (".xxxx..", ["3 open"]),
        (".xxxx...", ["3 open", "7 closed"]),  # three good looks in a row
        (".xxxx..x..", ["3 open"]),
        (".xxxx..x...", ["3 open", "10 closed"]),
        (".xxxx          ", ["3 open"]),  # nobody knows
        (".xxxx . . .", ["3 open", "10 closed"]),
        (".xxx...xxx", ["3 open", "6 closed", "9 open"]),
        (".xxx...xx", ["3 open", "6 closed"]),
        ("x   x   x   x", []),  # too thin to say
    ],
)
def test_opening_and_closing(looks: str, changes: list[str]) -> None:
    """Bad for a minute opens it, three good looks in a row close it, and nothing else does."""
    assert followed(looks)[1] == changes


def test_what_was_before_its_end_opens_nothing_again() -> None:
    """One more bad look is one, although the span that counts them reaches back to the others."""
    front = replace(EXAMPLE.signals["frontend_unavailable"], duration=10 * MINUTE)
    front = replace(front, also=(SignalCondition(Unit.COUNT, 5, 10 * MINUTE),))
    policy = replace(EXAMPLE, signals={**EXAMPLE.signals, "frontend_unavailable": front})

    assert followed("xxxxx...x", policy=policy)[1] == ["4 open", "7 closed"]
    assert followed("xxxxx...xxxxx", policy=policy)[1] == ["4 open", "7 closed", "12 open"]


def test_what_a_finding_says() -> None:
    """It began with the first bad look, whose answer was there a second later."""
    record, _ = followed(".xxx")

    [finding] = record.findings
    assert finding == ProbeFinding(
        signal="frontend_unavailable",
        probe="shop",
        function=None,
        since=NOON + PROBE_INTERVAL,
        onset_at=NOON + PROBE_INTERVAL + timedelta(seconds=1),
        reason="probe shop: failing or slow for 1m, 500 after 0.1 s",
    )
    assert finding.id("bookshop") == "probe:bookshop:frontend_unavailable:20260302T120030Z"


def two(probes: Iterable[str]) -> Policy:
    """The bookshop with several probes of its front."""
    [shop] = [one for one in EXAMPLE.probes if one.name == "shop"]
    return replace(EXAMPLE, probes=tuple(replace(shop, name=name) for name in probes))


def test_a_signal_with_two_probes() -> None:
    """Any of them opens it, and only both together close it."""
    policy = two(["shop", "mirror"])
    begun, _ = followed("xxx", policy=policy)
    now = NOON + 5 * PROBE_INTERVAL
    well = of("shop", "......") | of("mirror", "......")
    half = of("shop", "......") | of("mirror", ".....x")
    alone = of("shop", "......")

    closing = [
        detect_changes(record_results(replace(begun, looks={}), looks, policy), policy, now)
        for looks in (well, half, alone, of("mirror", "......"))
    ]

    assert [len(changes) for changes in closing] == [1, 0, 1, 0]


def test_a_signal_that_nothing_feeds_any_more() -> None:
    """The policy changed: it ends as cancelled, which is nobody's recovery."""
    begun, _ = followed("xxx")
    without = replace(EXAMPLE, probes=EXAMPLE.probes[1:])

    [change] = detect_changes(record_results(begun, {}, without), without, NOON + 2 * MINUTE)

    assert (change.state, change.cancelled) == ("closed", True)


def test_what_is_slow_stays_so_however_long_it_lasts() -> None:
    """What was usual is kept as it was when it began: an hour of slowness is not usual."""
    signals = {"performance_degraded": replace(EXAMPLE.signals["slow_response"], threshold=0.5)}
    probe = Probe("api", "https://shop.bookshop.example/api", signal="performance_degraded")
    policy = replace(EXAMPLE, signals=signals, probes=(probe,))
    record, told = ProbeRecord("bookshop", since=NOON), []
    for number in range(200):
        now = NOON + number * PROBE_INTERVAL
        takes = 4.0 if 60 <= number < 180 else 2.0
        look = ProbeResult(now, now, True, takes, 200)
        record = record_results(record, {"api": [look]}, policy)
        changes = detect_changes(record, policy, now)
        record = apply_changes(record, changes)
        told += [f"{number} {one.state}" for one in changes]

    assert told == ["65 open", "182 closed"]


@pytest.mark.parametrize(
    ("seconds", "age", "slow"),
    [
        pytest.param(3.5, 0, {"book"}, id="slower than usual"),
        pytest.param(2.5, 0, set(), id="as usual"),
        pytest.param(3.5, 5, set(), id="nothing is known of now"),
    ],
)
def test_a_probe_of_another_signal_can_be_slow(seconds: float, age: int, slow: set[str]) -> None:
    """Its stored checks are judged by `performance_degraded`; external probes are not."""
    slowness = replace(EXAMPLE.signals["slow_response"], threshold=0.5)
    policy = replace(
        EXAMPLE,
        signals={**EXAMPLE.signals, "performance_degraded": slowness},
        probes=(*EXAMPLE.probes, Probe("provider", external=True)),
    )
    times = [NOON + number * PROBE_INTERVAL for number in range(40)]
    checks = [ProbeResult(at, at, True, 2.0 if at < times[30] else seconds, 200) for at in times]
    now = times[-1] + age * MINUTE

    assert find_slow_probes(policy, {"book": checks, "provider": checks}, now) == slow
    assert not find_slow_probes(EXAMPLE, {"book": checks}, now)


def test_looks_are_bounded_sorted_and_one_for_each_half_minute() -> None:
    """Late ones find their place, repeated ones change nothing, old ones go."""
    record = record_results(ProbeRecord("bookshop", since=NOON), of("shop", "." * 40), EXAMPLE)
    late = of("shop", "x", NOON + 50 * PROBE_INTERVAL)
    again = of("shop", "x" * 10, NOON + 45 * PROBE_INTERVAL)

    record = record_results(record, late, EXAMPLE)
    record = record_results(record, of("shop", "." * 30, NOON + 40 * PROBE_INTERVAL), EXAMPLE)
    record = record_results(record, again, EXAMPLE)

    looks = record.looks["shop"]
    assert [look.at for look in looks] == [NOON + n * PROBE_INTERVAL for n in range(10, 70)]
    assert [look.at for look in looks if not look.passed] == [NOON + 50 * PROBE_INTERVAL]
    assert len(looks) == MAX_STORED_RESULTS
    assert set(record.looks) == {probe.name for probe in EXAMPLE.probes}


def test_what_is_on_record_is_not_told_again() -> None:
    """An open one is kept until its end is on record as well."""
    begun, _ = followed("xxx")
    ended, _ = followed("xxx...")

    assert [one.recorded for one in begun.findings] == [""]
    assert [one.recorded for one in select_recorded_findings(begun.findings)] == ["open"]
    assert select_recorded_findings(ended.findings) == []
    assert set(ended.closed) == {"frontend_unavailable"}


@pytest.mark.parametrize(("probe", "seconds"), [("shop", 10.0), ("order-status", 21.0), ("book", 9.0)])
def test_how_long_a_look_may_take(probe: str, seconds: float) -> None:
    """Its time-out; where the signal counts seconds, a second more than its threshold."""
    [one] = [known for known in EXAMPLE.probes if known.name == probe]

    assert extend_timeout(one, EXAMPLE).timeout == timedelta(seconds=seconds)
