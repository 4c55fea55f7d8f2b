"""The two durations of an incident, from its detection: traffic restored, and recovered. Pure.

They are computed and worded here alone, over all rollbacks of the incident, so that status, report,
console, notices and trends agree (docs/decisions/0057).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.core.codec import FrozenStruct
from shared.core.durations import describe_duration
from shared.domain.incidents.incident import (
    Incident,
    IncidentStatus,
    StatusPageRecord,
    failing_again_at,
    well_since,
)
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy, Targets
from shared.domain.rollback.rollback import Direction, Rollback, RollbackStatus
from shared.domain.signals.breadth import FEATURE_LEVELS, limit_signal
from shared.domain.signals.registry import SignalSource, has_source

NOTHING_FAILED_TEXT = "nothing was observed to fail"
TRAFFIC_RESTORED, RECOVERED, PAGE_WRITTEN = "traffic restored", "recovered", "status page written"
RECOVERED_STATUSES = frozenset({IncidentStatus.RESOLVED, IncidentStatus.RECOVERED})
"""The recovery of the incident was observed."""


class TimeNames(FrozenStruct):
    """What the two durations of an incident are called, and since when they count."""

    traffic: str
    recovered: str
    since: str


FAILURE_NAMES = TimeNames(TRAFFIC_RESTORED, RECOVERED, "after detection")
ORDER_NAMES = TimeNames("changed", "verified", "after the order")
"""Of an order, while nothing was observed to fail: nothing was restored, and nothing recovered."""
DECLARATION_NAMES = TimeNames("changed", "verified", "after detection")
"""The same of a declaration."""


class RecoveryTimes(FrozenStruct):
    """When an incident's promises were kept, or until when they must be; None: not yet."""

    detected_at: datetime
    traffic_restored_at: datetime | None
    """When the newest rollback with effects confirmed its last shift, if nothing failed again."""
    recovered_at: datetime | None
    """When its recovery was observed, and nothing has contradicted it since."""
    ended_at: datetime | None
    target: timedelta
    """Until it must have recovered."""
    kind: str
    """What the target is for."""
    status_page_at: datetime | None = None
    """When the first status page that shows it was written."""
    status_page_due_at: datetime | None = None
    """None: it is shown by a person only, or there is no page."""
    names: TimeNames = FAILURE_NAMES
    has_target: bool = True
    """Whether the runbook sets a target: not where nothing fails and nothing is rolled back."""

    @property
    def recover_by(self) -> datetime:
        """Until when it must have recovered."""
        return self.detected_at + self.target


def measure_recovery(
    policy: Policy, incident: Incident, rollbacks: Sequence[Rollback], page: StatusPageRecord | None = None
) -> RecoveryTimes:
    """Return the times of an incident with all its rollbacks, the first first."""
    scenario = find_scenario(policy, incident.signal, incident.severity, rollbacks)
    target = recovery_target(policy.targets, scenario, incident.severity)
    is_usual = target == policy.targets.by_severity[incident.severity]
    rules = policy.status_page
    is_private_order = incident.signal not in policy.signals and page is not None and not page.alerted
    publish_after = rules.publish_orders_after if is_private_order else rules.publish_after
    shown_after = publish_after.get(incident.severity) if page is not None else None
    proven_at = page.alerted_at if page is not None and incident.signal not in policy.signals else None
    opened_at = incident.timeline[0].at
    public_from = max(incident.detected_at + (shown_after or timedelta()), opened_at, proven_at or opened_at)
    is_unpin = any(one.way is Direction.UNPIN for one in rollbacks[:1])
    return RecoveryTimes(
        detected_at=incident.detected_at,
        traffic_restored_at=find_traffic_restored_at(incident, rollbacks),
        recovered_at=find_recovered_at(incident, rollbacks),
        ended_at=incident.ended_at,
        target=target,
        kind=f"{incident.severity} incident" if is_usual else f"{scenario} rollback",
        status_page_at=page.written_at if page is not None else None,
        status_page_due_at=None if shown_after is None else public_from + policy.targets.status_page,
        names=choose_time_names(incident),
        has_target=incident.has_failed or (incident.is_ordered and not is_unpin),
    )


def choose_time_names(incident: Incident) -> TimeNames:
    """Return what the durations of an incident are called, by whether anything has failed."""
    if incident.has_failed:
        return FAILURE_NAMES
    return ORDER_NAMES if incident.is_ordered else DECLARATION_NAMES


def find_scenario(policy: Policy, signal: str, severity: Severity, rollbacks: Sequence[Rollback] = ()) -> str:
    """Return the scenario of the newest rollback that has one, else that of the signal."""
    for one in reversed(rollbacks):
        order = one.order.scenario if one.order is not None else ""
        if named := one.plan.scenario if one.plan is not None else one.scenario or order:
            return named
    level = severity if severity in FEATURE_LEVELS else None  # a worse one has been raised by other alerts
    return limit_signal(policy, signal, level).scenario if signal in policy.signals else ScenarioName.NONE


def recovery_target(targets: Targets, scenario: str, severity: Severity) -> timedelta:
    """Return how long after detection a kind of incident must have recovered, by the runbook."""
    by_scenario = {ScenarioName.FUNCTIONS: targets.functions, ScenarioName.DATABASE: targets.database}
    return by_scenario.get(ScenarioName(scenario), targets.by_severity[severity])


def find_traffic_restored_at(incident: Incident, rollbacks: Sequence[Rollback]) -> datetime | None:
    """Return when the last shift of the newest rollback with effects was confirmed.

    None: there is none, a function fails that no plan contains, or something failed again after it;
    an undo, or an unpin of what failed then, restores nothing.
    """
    newest, again_at = _newest_with_effects(rollbacks), failing_again_at(incident)
    no_way = (Direction.UNDO, Direction.UNPIN) if incident.has_failed else (Direction.UNDO,)
    shifted_at = newest.shifted_at if newest is not None and newest.way not in no_way else None
    is_outdated = shifted_at is not None and again_at is not None and shifted_at < again_at
    moved = frozenset[str]().union(*(one.scope for one in rollbacks if one.shifted_at is not None))
    is_partial = bool(moved) and not moved.issuperset(incident.failing)
    return None if is_outdated or is_partial else shifted_at


def find_recovered_at(incident: Incident, rollbacks: Sequence[Rollback]) -> datetime | None:
    """Return when recovery was observed, as far as nothing has contradicted it since.

    That functions work again is no recovery of a breach, of which nobody observes the end.
    """
    observed_at, is_breach = None, has_source(incident.signal, SignalSource.DECLARED)
    for moment in reversed(incident.timeline):
        if (is_breach or not moment.works) and moment.status not in RECOVERED_STATUSES:
            break
        observed_at = moment.at
    newest = _newest_with_effects(rollbacks)
    if newest is not None and (observed_at or newest is rollbacks[-1]):
        monitored = newest.status is RollbackStatus.WATCHING
        ended = newest.status in (RollbackStatus.SUCCEEDED, RollbackStatus.CANCELLED)
        if monitored or (observed_at and ended):
            verified_at = newest.verified_at
            failing = [one.at for one in incident.timeline if not one.is_well]
            is_outdated = verified_at is not None and any(at >= verified_at for at in failing)
            well_at = well_since(incident)
            if is_outdated or verified_at is None:
                return well_at if is_outdated else observed_at
            return min(verified_at, well_at or verified_at)
    return observed_at


def recovery_lines(times: RecoveryTimes, now: datetime) -> tuple[str, ...]:
    """Return the durations as sentences without a full stop, each beside its target."""
    restored, recovered, page = times.traffic_restored_at, times.recovered_at, times.status_page_at
    names = times.names
    has_failed = names is FAILURE_NAMES
    is_missing = recovered is None and times.ended_at is None
    missing = "traffic is not restored yet" if has_failed else NOTHING_FAILED_TEXT
    traffic = f"{names.traffic} {_after(times, restored)}" if restored else missing
    margin = describe_duration(abs(times.recover_by - (recovered or now)))
    if recovered is not None:
        state = f"{names.recovered} {_after(times, recovered)}"
        kept = f", {margin} to spare" if recovered < times.recover_by else f", {margin} late"
    elif times.ended_at is not None:
        state, kept = "recovery was not observed" if has_failed else f"not {names.recovered}", ""
    else:
        state = f"not {names.recovered} yet"
        kept = f", {margin} left" if now <= times.recover_by else f", missed {margin} ago"
    due = times.status_page_due_at
    shown = "" if page is None else f"{PAGE_WRITTEN} {_after(times, page)}"
    if due is not None and (page or now) > due and (page or times.ended_at is None):
        missed = describe_duration((page or now) - due)
        shown = f"{shown}, {missed} late" if page else f"status page not written; it was due {missed} ago"
    if times.has_target:
        state = f"{state}; the target is {describe_duration(times.target)} ({times.kind}){kept}"
    return (
        *([traffic] if restored or is_missing or not has_failed else []),
        *([state] if times.has_target or restored or recovered else []),
        *([shown] if shown else []),
    )


def _newest_with_effects(rollbacks: Sequence[Rollback]) -> Rollback | None:
    changed = (one for one in reversed(rollbacks) if one.started_at or one.shifted_at or one.verified_at)
    return next(changed, None)


def _after(times: RecoveryTimes, moment: datetime) -> str:
    return f"{describe_duration(moment - times.detected_at)} {times.names.since}"
