"""Where it is heading: an early warning with the time at which a signal would show.

A warning is told and never acted on. The line through the looks is Theil and Sen's, the median of
all slopes between two of them: up to 29 % of the looks may be as wrong as they like (H. Theil 1950,
P. K. Sen, JASA 63, 1968).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import combinations
from statistics import median

from msgspec import Struct

from shared.domain.policy.model import Policy
from shared.domain.signals.probe_history import (
    HALF_MINUTE,
    ProbeLook,
    ProbeWindow,
    SignalWay,
    is_fresh,
    usual,
    ways,
)
from shared.domain.signals.probe_signals import ProbeRecord, feeding

LOOKED_AT = timedelta(minutes=15)
"""The looks that a trend of time is seen in."""
POINTS = 12
"""Fewer looks than this show no trend."""
BIN = 5
"""Looks whose failures make one point of a ratio."""
BINS = 6
STEADY = 0.75
"""This part of all slopes must point upwards."""
HORIZON = timedelta(hours=1)
"""What is further away than this is no warning."""
WARNED_FOR = timedelta(hours=1)
"""Nobody is warned of the same more often."""
BLIND_AFTER = timedelta(minutes=10)
"""A probe that could not be asked for so long is told of: what it feeds is not watched."""

Points = Sequence[tuple[datetime, float]]


class EarlyWarning(Struct, frozen=True):
    """Something that people should know before it is trouble."""

    about: str
    """A signal, or the probe that is blind: of which people were not warned lately."""
    signal: str
    text: str


def warnings(record: ProbeRecord, policy: Policy, now: datetime) -> tuple[EarlyWarning, ...]:
    """What to warn of now, each at most once an hour."""
    found = {one.about: one for one in _found(record, policy, now)}
    return tuple(
        one
        for about, one in found.items()
        if about not in record.warned or now - record.warned[about] >= WARNED_FOR
    )


def crosses_at(points: Points, limit: float, now: datetime) -> datetime | None:
    """When the line through the points reaches the limit; None: not soon, or there is no trend.

    None as well for a level that is there already: that is no trend any more.
    """
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0]).total_seconds()
        for earlier, later in combinations(points, 2)
    ]
    if not slopes or sum(slope > 0 for slope in slopes) < STEADY * len(slopes):
        return None
    slope = median(slopes)
    level = median(value + slope * (now - at).total_seconds() for at, value in points)
    if level >= limit:
        return None
    left = timedelta(seconds=min((limit - level) / slope, 2 * HORIZON.total_seconds()))
    return now + left if left <= HORIZON else None


def _found(record: ProbeRecord, policy: Policy, now: datetime) -> Iterator[EarlyWarning]:
    open_ones = {one.signal for one in record.findings if one.closed_at is None}
    for name, probes in feeding(policy).items():
        for probe in probes:
            looks = record.looks.get(probe.name, ())
            newest = looks[-1].at if looks else record.since
            if now - newest >= BLIND_AFTER:
                text = f"probe {probe.name} could not be asked since {newest:%H:%M} UTC"
                yield EarlyWarning(f"blind-{probe.name}", name, f"{text}: {name} is not watched")
            if name in open_ones or not is_fresh(looks, now):
                continue
            for way in ways(name, policy.signals[name]):
                text = _heading(way, looks, now)
                if text:
                    yield EarlyWarning(
                        name, name, f"at this rate {name} {text}; probe {probe.name}"
                    )


def _heading(way: SignalWay, looks: Sequence[ProbeLook], now: datetime) -> str:
    """Which limit is crossed when, in words; empty: none, or not soon."""
    if way.kind is ProbeWindow.SHARE:
        crossing = crosses_at(_shares(way, looks, now), way.limit, now)
        return f"crosses {way.limit:.0%} at {crossing:%H:%M} UTC" if crossing else ""
    limit = way.too_long(usual(looks, now))
    points = [(one.at, one.seconds) for one in looks if one.passed and one.at > now - LOOKED_AT]
    if limit is None or len(points) < POINTS:
        return ""
    crossing = crosses_at(points, limit, now)
    return f"crosses {limit:g} s at {crossing:%H:%M} UTC" if crossing else ""


def _shares(way: SignalWay, looks: Sequence[ProbeLook], now: datetime) -> Points:
    """The part of the looks that failed, for each few of them up to the newest, oldest first."""
    bins = [looks[max(0, end - BIN) : end] for end in range(len(looks), 0, -BIN)]
    longest = 2 * BIN * HALF_MINUTE
    whole = [few for few in reversed(bins) if len(few) == BIN and few[-1].at - few[0].at < longest]
    if len(whole) < BINS:
        return ()
    return [(few[-1].at, sum(way.is_bad(look, None) for look in few) / BIN) for few in whole]
