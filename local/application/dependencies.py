"""Who calls whom: a request to a function fails, too, when a call that it makes fails."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from local.application.service import Period, TrafficFlow
from shared.domain.policy.system_policy import Policy

Callees = tuple[tuple[str, ...], ...]
"""What one request calls: one function, or part, of each tuple, all of it equally often."""


def derive_calls(policy: Policy) -> dict[str, Callees]:
    """By function: a group calls every group that is to go `after` it."""
    return {
        function: tuple(other.functions for other in policy.groups.values() if group in other.after)
        for function, group in policy.functions.items()
    }


def is_reachable(calls: Mapping[str, Callees], start: str, goal: str) -> bool:
    """Whether something calls something else, directly or through others."""
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        if name not in reached:
            reached.add(name)
            waiting += [callee for group in calls.get(name, ()) for callee in group]
    return False


def client_periods(
    own: tuple[Period, ...], called: Sequence[Sequence[tuple[Period, ...]]]
) -> tuple[Period, ...]:
    """The periods of a function as its clients feel them, given those of what it calls.

    A call adds its latency, and its failure is a failure of the request.
    """
    if not any(called):
        return own
    begun = own[0].since
    others = (period.since for group in called for periods in group for period in periods)
    moments = {period.since for period in own} | {since for since in others if since > begun}
    return tuple(Period(moment, _client_flows_at(moment, own, called)) for moment in sorted(moments))


def _client_flows_at(
    moment: datetime, own: tuple[Period, ...], called: Sequence[Sequence[tuple[Period, ...]]]
) -> tuple[TrafficFlow, ...]:
    passes, added = 1.0, timedelta()
    for group in called:
        fates = [_combine_flows(period_at(periods, moment).flows) for periods in group]
        if fates:
            passes *= 1.0 - sum(rate for rate, _ in fates) / len(fates)
            added += sum((latency for _, latency in fates), timedelta()) / len(fates)
    return tuple(
        replace(flow, failure_rate=1.0 - (1.0 - flow.failure_rate) * passes, latency=flow.latency + added)
        for flow in period_at(own, moment).flows
    )


def period_at(periods: Sequence[Period], moment: datetime) -> Period:
    """The period that holds at a moment; before the first, the first."""
    holding = [period for period in periods if period.since <= moment]
    return holding[-1] if holding else periods[0]


def _combine_flows(flows: Iterable[TrafficFlow]) -> tuple[float, timedelta]:
    """How often a call fails, and how long it takes, over all that serves it."""
    flows = list(flows)
    failing = sum(flow.share * flow.failure_rate for flow in flows)
    taking = sum((flow.share * flow.latency for flow in flows), timedelta())
    return failing, taking
