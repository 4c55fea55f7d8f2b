"""Where it is heading: an early warning with the time at which a signal would show.

A warning is told and never acted on. The line through the looks is Theil and Sen's, the median of
all slopes between two of them: up to 29 % of the looks may be as wrong as they like (H. Theil 1950,
P. K. Sen, JASA 63, 1968).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import combinations
from statistics import median

from msgspec import Struct

from shared.domain.policy.system_policy import Policy
from shared.domain.signals.probe_history import (
    MIN_BAD_RESULTS,
    PROBE_INTERVAL,
    CriterionKind,
    ProbeResult,
    SignalCriterion,
    is_fresh,
    signal_criteria,
    typical_seconds,
)
from shared.domain.signals.probe_signals import ProbeRecord, probes_by_signal

TREND_WINDOW = timedelta(minutes=15)
"""The looks that a trend of time is seen in."""
MIN_TREND_POINTS = 12
"""Fewer looks than this show no trend."""
RESULTS_PER_POINT = 5
"""Looks whose failures make one point of a ratio."""
MIN_RATIO_POINTS = 6
MIN_RISING_SLOPE_RATIO = 0.75
"""This part of all slopes must point upwards."""
WARNING_HORIZON = timedelta(hours=1)
"""What is further away than this is no warning."""
WARNING_INTERVAL = timedelta(hours=1)
"""Nobody is warned of the same more often."""
BLIND_AFTER = timedelta(minutes=10)
"""A probe that could not be asked for so long is told of: what it feeds is not watched."""

TrendPoints = Sequence[tuple[datetime, float]]


class EarlyWarning(Struct, frozen=True):
    """Something that people should know before it is trouble."""

    about: str
    """A signal, or the probe that is blind: of which people were not warned lately."""
    signal: str
    text: str


def due_warnings(record: ProbeRecord, policy: Policy, now: datetime) -> tuple[EarlyWarning, ...]:
    """What to warn of now, each at most once an hour."""
    found = {one.about: one for one in _find_warnings(record, policy, now)}
    return tuple(
        one
        for about, one in found.items()
        if about not in record.warned or now - record.warned[about] >= WARNING_INTERVAL
    )


def limit_crossing_at(points: TrendPoints, limit: float, now: datetime) -> datetime | None:
    """Return when the trend reaches the limit; None: no trend, not soon, or already there."""
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0]).total_seconds()
        for earlier, later in combinations(points, 2)
    ]
    if not slopes or sum(slope > 0 for slope in slopes) < MIN_RISING_SLOPE_RATIO * len(slopes):
        return None
    slope = median(slopes)
    level = median(value + slope * (now - at).total_seconds() for at, value in points)
    if level >= limit:
        return None
    left = timedelta(seconds=min((limit - level) / slope, 2 * WARNING_HORIZON.total_seconds()))
    return now + left if left <= WARNING_HORIZON else None


def _find_warnings(record: ProbeRecord, policy: Policy, now: datetime) -> Iterator[EarlyWarning]:
    open_ones = {one.signal for one in record.findings if one.closed_at is None}
    for name, probes in probes_by_signal(policy).items():
        for probe in probes:
            looks = record.looks.get(probe.name, ())
            newest = looks[-1].at if looks else record.since
            if now - newest >= BLIND_AFTER:
                text = f"probe {probe.name} could not be asked since {newest:%H:%M} UTC"
                yield EarlyWarning(f"blind-{probe.name}", name, f"{text}: {name} is not watched")
            if name in open_ones or not is_fresh(looks, now):
                continue
            limit, taken = probe.slow_after, [one.seconds for one in looks[-MIN_BAD_RESULTS:] if one.passed]
            if limit and len(taken) == MIN_BAD_RESULTS and min(taken) > limit.total_seconds():
                text = f"probe {probe.name} answers slowly: {taken[-1]:.1f} s, slow above"
                yield EarlyWarning(f"slow-{probe.name}", name, f"{text} {limit.total_seconds():g} s")
            for way in signal_criteria(name, policy.signals[name], probe.slow_after):
                text = _describe_trend(way, looks, now)
                if text:
                    yield EarlyWarning(name, name, f"at this rate {name} {text}; probe {probe.name}")


def _describe_trend(way: SignalCriterion, looks: Sequence[ProbeResult], now: datetime) -> str:
    """Which limit is crossed when, in words; empty: none, or not soon."""
    if way.kind is CriterionKind.SHARE:
        crossing = limit_crossing_at(_failure_ratios(way, looks), way.limit, now)
        return f"crosses {way.limit:.0%} at {crossing:%H:%M} UTC" if crossing else ""
    limit = way.slow_threshold(typical_seconds(looks, now))
    points = [(one.at, one.seconds) for one in looks if one.passed and one.at > now - TREND_WINDOW]
    if limit is None or len(points) < MIN_TREND_POINTS:
        return ""
    crossing = limit_crossing_at(points, limit, now)
    return f"crosses {limit:g} s at {crossing:%H:%M} UTC" if crossing else ""


def _failure_ratios(way: SignalCriterion, looks: Sequence[ProbeResult]) -> TrendPoints:
    """The part of the looks that failed, for each few of them up to the newest, oldest first."""
    bins = [looks[max(0, end - RESULTS_PER_POINT) : end] for end in range(len(looks), 0, -RESULTS_PER_POINT)]
    longest = 2 * RESULTS_PER_POINT * PROBE_INTERVAL
    whole = [
        few for few in reversed(bins) if len(few) == RESULTS_PER_POINT and few[-1].at - few[0].at < longest
    ]
    if len(whole) < MIN_RATIO_POINTS:
        return ()
    return [(few[-1].at, sum(way.is_bad(look, None) for look in few) / RESULTS_PER_POINT) for few in whole]
