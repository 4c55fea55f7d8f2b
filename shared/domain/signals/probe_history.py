"""One look through a probe, and the ways in which looks show that a signal is true.

Thin data says nothing: a way that cannot be told does not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from shared.core.durations import format_duration
from shared.domain.policy.model import Signal, Unit
from shared.domain.signals.registry import SIGNALS

HALF_MINUTE = timedelta(seconds=30)
KEPT = 60
"""Looks of one probe that are kept: half an hour."""
LONGEST_SECONDS = 50.0
"""No look waits longer, so that each invocation of the clock ends within two minutes."""
FRESH = 2 * HALF_MINUTE
"""When the newest look is older than this, nothing is known of now."""
GAP = 2 * HALF_MINUTE
"""Looks further apart than this are no run: nobody knows what was between them."""
BAD_LOOKS = 2
"""So many bad looks it takes at least, whatever the policy says."""
WINDOW = timedelta(minutes=5)
"""Of ratios, where the policy states no duration."""
ENOUGH = 0.5
"""A ratio is known when this part of its window's looks is there."""
USUAL_BEFORE = timedelta(minutes=10)
"""What a probe usually takes is the median of what it took before this; the rest is the present."""
USUAL_LOOKS = 10
"""With fewer looks than this nobody knows what is usual."""
QUICK_SECONDS = 1.0
"""An answer within this is never slow, however much faster the usual one is."""
SLOWNESS_ALONE = "slow_response"
"""The signal of which a failure that comes at once tells nothing."""
SLOWDOWN = "performance_degraded"
"""The signal whose own ratio is how much slower than usual answers are."""


class ProbeLook(Struct, frozen=True):
    """One look through a probe."""

    at: datetime
    """The half minute that it belongs to."""
    ended_at: datetime
    """When the answer was there, or given up: trouble that it shows had begun by then."""
    passed: bool
    seconds: float
    status: int | None


class ProbeWindow(StrEnum):
    """How bad looks are weighed."""

    LASTING = "lasting"
    """All of them, for as long as that."""
    COUNTED = "counted"
    """So many within the span."""
    SHARE = "share"
    """More than that part of those within the span."""
    SLOWER = "slower"
    """The median of the span, against the usual."""


class SignalWay(Struct, frozen=True):
    """One way in which a signal shows."""

    kind: ProbeWindow
    span: timedelta
    limit: float = 0.0
    seconds: float | None = None
    """An answer that takes longer is bad; None: however long it takes."""
    slowdown: float | None = None
    """One that takes so much longer than usual is bad, as a ratio; None: as above."""
    failures: bool = True
    """Whether one that failed is bad."""

    def is_bad(self, look: ProbeLook, usual: float | None) -> bool:
        """Whether one look is bad in this way."""
        if self.failures and not look.passed:
            return True
        too_long = self.too_long(usual)
        return too_long is not None and look.seconds > too_long

    def too_long(self, usual: float | None) -> float | None:
        """The seconds above which an answer is slow; None: it never is, or nobody knows."""
        if self.seconds is not None or self.slowdown is None or usual is None:
            return self.seconds
        return max(QUICK_SECONDS, usual * (1 + self.slowdown))


def ways(name: str, signal: Signal) -> tuple[SignalWay, ...]:
    """Every way in which a signal shows to a probe, that of its own threshold first."""
    threshold = signal.threshold
    own = _way(SIGNALS[name].unit, threshold, signal.duration)
    also = [_way(one.unit, one.threshold, one.duration) for one in signal.also]
    if threshold is None:
        return (own, *also)
    if name == SLOWNESS_ALONE:
        slow = [way for way in (own, *also) if way.kind is not ProbeWindow.SHARE]
        return tuple(replace(way, failures=False, seconds=threshold) for way in slow)
    if name == SLOWDOWN:
        span = signal.duration or WINDOW
        own = SignalWay(
            ProbeWindow.SLOWER, span, limit=threshold, slowdown=threshold, failures=False
        )
        counting = {ProbeWindow.COUNTED: threshold}
        also = [replace(way, slowdown=counting.get(way.kind)) for way in also]
    return (own, *also)


def _way(unit: Unit, threshold: float | None, duration: timedelta | None) -> SignalWay:
    if threshold is None:
        return SignalWay(ProbeWindow.LASTING, duration or HALF_MINUTE)
    match unit:
        case Unit.COUNT:
            in_a_row = HALF_MINUTE * max(1, int(threshold) - 1)
            if duration is None:
                return SignalWay(ProbeWindow.LASTING, in_a_row)
            return SignalWay(ProbeWindow.COUNTED, duration, limit=threshold)
        case Unit.SECONDS:
            return SignalWay(ProbeWindow.LASTING, duration or HALF_MINUTE, seconds=threshold)
        case Unit.RATIO:
            return SignalWay(ProbeWindow.SHARE, duration or WINDOW, limit=threshold)


def untellable(unit: Unit, threshold: float | None, duration: timedelta | None) -> str:
    """Why no probe can ever tell of this; empty when one can."""
    way = _way(unit, threshold, duration)
    if way.seconds is not None and way.seconds >= LONGEST_SECONDS:
        return f"no probe waits longer than {LONGEST_SECONDS:.0f} s"
    if way.span > KEPT * HALF_MINUTE:
        return f"only the last {format_duration(KEPT * HALF_MINUTE)} of a probe are kept"
    looks = way.span // HALF_MINUTE
    if way.kind is ProbeWindow.COUNTED and way.limit > looks:
        return f"a probe looks {looks} times in {format_duration(way.span)}, not {way.limit:g}"
    return ""


def usual(looks: Sequence[ProbeLook], now: datetime) -> float | None:
    """The seconds that good answers took before the present began; None: nobody knows."""
    before = [look.seconds for look in looks if look.passed and look.at <= now - USUAL_BEFORE]
    return median(before) if len(before) >= USUAL_LOOKS else None


def is_fresh(looks: Sequence[ProbeLook], now: datetime) -> bool:
    """Whether the newest look tells of now."""
    return bool(looks) and looks[-1].at >= now - FRESH


def shows(
    way: SignalWay, looks: Sequence[ProbeLook], known: float | None
) -> tuple[ProbeLook | None, str]:
    """The first look of the trouble and how it shows; None: it does not, or nobody knows."""
    newest = looks[-1]
    bad = [look for look in looks if way.is_bad(look, known)]
    if len(bad) < BAD_LOOKS or bad[-1] is not newest:
        return None, ""
    within = [look for look in looks if look.at > newest.at - way.span]
    bad_within = [look for look in bad if look.at > newest.at - way.span]
    span = format_duration(way.span)
    enough = len(within) >= ENOUGH * (way.span / HALF_MINUTE)
    match way.kind:
        case ProbeWindow.LASTING:
            run = _run(way, looks, known)
            if newest.at - run[0].at >= way.span:
                lasted = format_duration(newest.at - run[0].at)
                return run[0], f"bad for {lasted}, {_described(newest)}"
        case ProbeWindow.COUNTED if len(bad_within) >= way.limit:
            return bad_within[0], f"{len(bad_within)} bad looks in {span}, {_described(newest)}"
        case ProbeWindow.SHARE if enough and len(bad_within) >= BAD_LOOKS:
            share = len(bad_within) / len(within)
            if share > way.limit:
                return bad_within[0], f"{share:.0%} of {len(within)} looks failed in {span}"
        case ProbeWindow.SLOWER if enough and known is not None and len(bad_within) >= BAD_LOOKS:
            takes, too_long = median(look.seconds for look in within), way.too_long(known)
            if too_long is not None and takes > too_long:
                return bad_within[0], f"takes {takes:.1f} s, usually {known:.1f} s"
    return None, ""


def _run(way: SignalWay, looks: Sequence[ProbeLook], known: float | None) -> list[ProbeLook]:
    """The bad looks in a row up to the newest, which is one, oldest first."""
    run = [looks[-1]]
    for look in reversed(looks[:-1]):
        if not way.is_bad(look, known) or run[0].at - look.at > GAP:
            break
        run.insert(0, look)
    return run


def _described(look: ProbeLook) -> str:
    answer = "no answer" if look.status is None else str(look.status)
    return f"{answer} after {look.seconds:.1f} s"
