"""Probe results, and the ways in which they show a signal; thin data shows nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from shared.core.durations import format_duration
from shared.domain.policy.signals import Signal, Unit
from shared.domain.signals.health import RouterRequests
from shared.domain.signals.registry import SIGNALS

PROBE_INTERVAL = timedelta(seconds=30)
PROBE_REPEATS = 5
"""A failed answer is repeated so often, in parallel and at once: one alone proves little."""
MAX_STORED_RESULTS = 60
"""Looks of one probe that are kept: half an hour."""
MAX_PROBE_SECONDS = 50.0
"""No look waits longer, so that each invocation of the clock ends within two minutes."""
MAX_RESULT_AGE = 2 * PROBE_INTERVAL
"""When the newest look is older than this, nothing is known of now."""
MAX_RESULT_GAP = 2 * PROBE_INTERVAL
"""Looks further apart than this are no run: nobody knows what was between them."""
MIN_BAD_RESULTS = 2
"""So many bad looks it takes at least, whatever the policy says."""
DEFAULT_RATIO_WINDOW = timedelta(minutes=5)
"""Of ratios, where the policy states no duration."""
MIN_WINDOW_COVERAGE = 0.5
"""A ratio is known when this part of its window's looks is there."""
PRESENT_WINDOW = timedelta(minutes=10)
"""What a probe usually takes is the median of what it took before this; the rest is the present."""
MIN_USUAL_RESULTS = 10
"""With fewer looks than this nobody knows what is usual."""
QUICK_ANSWER_SECONDS = 1.0
"""An answer within this is never slow, however much faster the usual one is."""
SLOW_RESPONSE_SIGNAL = "slow_response"
"""The signal of which a failure that comes at once tells nothing."""
SLOWDOWN_SIGNAL = "performance_degraded"
"""The signal whose own ratio is how much slower than usual answers are."""
DEFAULT_SLOWDOWN = 0.5
"""The runbook's "Performance degradation >50%", where a policy states no threshold."""


class ProbeResult(Struct, frozen=True):
    """One look through a probe."""

    at: datetime
    """The half minute that it belongs to."""
    ended_at: datetime
    """When the answer was there, or given up: trouble that it shows had begun by then."""
    passed: bool
    """Whether most of its answers were as expected."""
    seconds: float
    status: int | None
    answers: int = 1
    """The first one and its repeats: a failed answer is repeated at once."""
    failures: int | None = None
    """How many of them were not as expected; None: all, or none, as `passed` says."""

    @property
    def count(self) -> RouterRequests:
        """Return its answers and failures as counted requests."""
        failures = self.failures if self.failures is not None else self.answers * (not self.passed)
        return RouterRequests(self.answers, failures)

    def add_answer(self, *, passed: bool) -> ProbeResult:
        """Return the result with one more repeat."""
        total, failed = self.count.total + 1, self.count.failed + (not passed)
        return replace(self, passed=failed <= total / 2, answers=total, failures=failed)


class CriterionKind(StrEnum):
    """How bad looks are weighed."""

    LASTING = "lasting"
    """All of them, with all their repeats, for as long as that: nothing succeeds."""
    COUNTED = "counted"
    """So many within the span."""
    SHARE = "share"
    """More than that part of those within the span."""
    SLOWER = "slower"
    """The median of the span, against the usual."""


class SignalCriterion(Struct, frozen=True):
    """One way in which a signal shows."""

    kind: CriterionKind
    span: timedelta
    limit: float = 0.0
    seconds: float | None = None
    """An answer that takes longer is bad; None: however long it takes."""
    slowdown: float | None = None
    """One that takes so much longer than usual is bad, as a ratio; None: as above."""
    failures: bool = True
    """Whether one that failed is bad."""

    def is_bad(self, look: ProbeResult, usual: float | None) -> bool:
        """Whether one look is bad in this way."""
        if self.failures:
            total, failed = look.count.total, look.count.failed
            if failed == total or (self.kind is not CriterionKind.LASTING and not look.passed):
                return True
        too_long = self.slow_threshold(usual)
        return too_long is not None and look.seconds > too_long

    def slow_threshold(self, usual: float | None) -> float | None:
        """The seconds above which an answer is slow; None: it never is, or nobody knows."""
        limits = [] if self.seconds is None else [self.seconds]
        if self.slowdown is not None and usual is not None:
            limits.append(max(QUICK_ANSWER_SECONDS, usual * (1 + self.slowdown)))
        return min(limits, default=None)


def signal_criteria(
    name: str, signal: Signal, slow_after: timedelta | None = None
) -> tuple[SignalCriterion, ...]:
    """Every way in which a signal shows to a probe, that of its own threshold first.

    `slow_after`: when an answer of the probe is slow; only performance counts these as bad.
    """
    threshold = signal.threshold
    own = _create_criterion(SIGNALS[name].unit, threshold, signal.duration)
    also = [_create_criterion(one.unit, one.threshold, one.duration) for one in signal.also]
    if threshold is None:
        return (own, *also)
    if name == SLOW_RESPONSE_SIGNAL:
        slow = [way for way in (own, *also) if way.kind is not CriterionKind.SHARE]
        return tuple(replace(way, failures=False, seconds=threshold) for way in slow)
    if name == SLOWDOWN_SIGNAL:
        span = signal.duration or DEFAULT_RATIO_WINDOW
        own = SignalCriterion(CriterionKind.SLOWER, span, limit=threshold, slowdown=threshold, failures=False)
        seconds = None if slow_after is None else slow_after.total_seconds()
        also = [
            replace(way, slowdown=threshold, seconds=seconds) if way.kind is CriterionKind.COUNTED else way
            for way in also
        ]
    return (own, *also)


def _create_criterion(unit: Unit, threshold: float | None, duration: timedelta | None) -> SignalCriterion:
    if threshold is None:
        return SignalCriterion(CriterionKind.LASTING, duration or PROBE_INTERVAL)
    match unit:
        case Unit.COUNT:
            in_a_row = PROBE_INTERVAL * max(1, int(threshold) - 1)
            if duration is None:
                return SignalCriterion(CriterionKind.LASTING, in_a_row)
            return SignalCriterion(CriterionKind.COUNTED, duration, limit=threshold)
        case Unit.SECONDS:
            return SignalCriterion(CriterionKind.LASTING, duration or PROBE_INTERVAL, seconds=threshold)
        case Unit.RATIO:
            return SignalCriterion(CriterionKind.SHARE, duration or DEFAULT_RATIO_WINDOW, limit=threshold)


def unobservable_reason(unit: Unit, threshold: float | None, duration: timedelta | None) -> str:
    """Why no probe can ever tell of this; empty when one can."""
    way = _create_criterion(unit, threshold, duration)
    if way.seconds is not None and way.seconds >= MAX_PROBE_SECONDS:
        return f"no probe waits longer than {MAX_PROBE_SECONDS:.0f} s"
    if way.span > MAX_STORED_RESULTS * PROBE_INTERVAL:
        return f"only the last {format_duration(MAX_STORED_RESULTS * PROBE_INTERVAL)} of a probe are kept"
    looks = way.span // PROBE_INTERVAL
    if way.kind is CriterionKind.COUNTED and way.limit > looks:
        return f"a probe looks {looks} times in {format_duration(way.span)}, not {way.limit:g}"
    return ""


def typical_seconds(looks: Sequence[ProbeResult], now: datetime) -> float | None:
    """The seconds that good answers took before the present began; None: nobody knows."""
    before = [look.seconds for look in looks if look.passed and look.at <= now - PRESENT_WINDOW]
    return median(before) if len(before) >= MIN_USUAL_RESULTS else None


def is_fresh(looks: Sequence[ProbeResult], now: datetime) -> bool:
    """Whether the newest look tells of now."""
    return bool(looks) and looks[-1].at >= now - MAX_RESULT_AGE


def detect_trouble(
    way: SignalCriterion, looks: Sequence[ProbeResult], known: float | None
) -> tuple[ProbeResult | None, str]:
    """The first look of the trouble and how it shows; None: it does not, or nobody knows."""
    newest = looks[-1]
    bad = [look for look in looks if way.is_bad(look, known)]
    if len(bad) < MIN_BAD_RESULTS or bad[-1] is not newest:
        return None, ""
    within = [look for look in looks if look.at > newest.at - way.span]
    bad_within = [look for look in bad if look.at > newest.at - way.span]
    span = format_duration(way.span)
    enough = len(within) >= MIN_WINDOW_COVERAGE * (way.span / PROBE_INTERVAL)
    match way.kind:
        case CriterionKind.LASTING:
            run = _bad_run(way, looks, known)
            if newest.at - run[0].at >= way.span:
                lasted = format_duration(newest.at - run[0].at)
                return run[0], f"failing or slow for {lasted}, {_describe_result(newest)}"
        case CriterionKind.COUNTED if len(bad_within) >= way.limit:
            how = f"{len(bad_within)} failed or slow checks in {span}, {_describe_result(newest)}"
            return bad_within[0], how
        case CriterionKind.SHARE if enough and len(bad_within) >= MIN_BAD_RESULTS:
            share = len(bad_within) / len(within)
            if share > way.limit:
                return bad_within[0], f"{share:.0%} of {len(within)} checks failed in {span}"
        case CriterionKind.SLOWER if enough and known is not None and len(bad_within) >= MIN_BAD_RESULTS:
            takes, too_long = median(look.seconds for look in within), way.slow_threshold(known)
            if too_long is not None and takes > too_long:
                return bad_within[0], f"takes {takes:.1f} s, usually {known:.1f} s"
    return None, ""


def _bad_run(way: SignalCriterion, looks: Sequence[ProbeResult], known: float | None) -> list[ProbeResult]:
    """The bad looks in a row up to the newest, which is one, oldest first."""
    run = [looks[-1]]
    for look in reversed(looks[:-1]):
        if not way.is_bad(look, known) or run[0].at - look.at > MAX_RESULT_GAP:
            break
        run.insert(0, look)
    return run


def _describe_result(look: ProbeResult) -> str:
    answer = "no answer" if look.status is None else str(look.status)
    return f"{answer} after {look.seconds:.1f} s"
