"""The two durations of an incident, from its detection: traffic restored, and recovered. Pure.

Every statement about how long an incident lasted is computed and worded here, over all rollbacks of
the incident: status, report, console, notices and trends cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from shared.core.durations import describe_duration
from shared.domain.incidents.incident import Incident, IncidentStatus, StatusPageRecord
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy, Targets
from shared.domain.rollback.rollback import Direction, Rollback, RollbackStatus

TRAFFIC_RESTORED, RECOVERED = "traffic restored", "recovered"
STATUS_PAGE_WRITTEN = "status page written"
RECOVERED_STATUSES = frozenset({IncidentStatus.RESOLVED, IncidentStatus.RECOVERED})
"""The recovery of the incident was observed."""
IDLE_STATUSES = frozenset({RollbackStatus.NOT_TAKEN, RollbackStatus.CANCELLED})
"""How rollbacks end that may have changed nothing."""


class RecoveryTimes(Struct, frozen=True):
    """When an incident's promises were kept, or until when they must be."""

    detected_at: datetime
    traffic_restored_at: datetime | None
    """When the last shift of its newest rollback was confirmed; None: none is."""
    recovered_at: datetime | None
    """When its recovery was verified; None: it is not, or it fails again."""
    ended_at: datetime | None
    target: timedelta
    """Until it must have recovered."""
    kind: str
    """What the target is for."""
    status_page_at: datetime | None = None
    """When the first status page that shows it was written; None: none was."""
    status_page_due_at: datetime | None = None
    """None: it is shown by a person only, or there is no page."""

    @property
    def recover_by(self) -> datetime:
        """Until when it must have recovered."""
        return self.detected_at + self.target

    @property
    def seconds_to_traffic(self) -> float | None:
        """The duration named "traffic restored"."""
        return _seconds_between(self.detected_at, self.traffic_restored_at)

    @property
    def seconds_to_recovery(self) -> float | None:
        """The duration named "recovered"."""
        return _seconds_between(self.detected_at, self.recovered_at)


def measure_recovery(
    policy: Policy, incident: Incident, rollbacks: Sequence[Rollback], page: StatusPageRecord | None = None
) -> RecoveryTimes:
    """Return the times of an incident with all its rollbacks, the first first."""
    scenario = find_scenario(policy, incident.signal, rollbacks)
    shown_after = policy.status_page.publish_after.get(incident.severity)
    target = recovery_target(policy.targets, scenario, incident.severity)
    by_scenario = target != policy.targets.by_severity[incident.severity]
    return RecoveryTimes(
        detected_at=incident.detected_at,
        traffic_restored_at=find_traffic_restored_at(rollbacks),
        recovered_at=find_recovered_at(incident, rollbacks),
        ended_at=incident.ended_at,
        target=target,
        kind=f"{scenario} rollback" if by_scenario else f"{incident.severity} incident",
        status_page_at=page.written_at if page is not None else None,
        status_page_due_at=None
        if page is None or shown_after is None
        else incident.detected_at + shown_after + policy.targets.status_page,
    )


def find_scenario(policy: Policy, signal: str, rollbacks: Sequence[Rollback] = ()) -> str:
    """Return the scenario of the newest rollback that has one, else that of the signal."""
    for one in reversed(rollbacks):
        order = one.order.scenario if one.order is not None else ""
        if named := one.plan.scenario if one.plan is not None else one.scenario or order:
            return named
    known = policy.signals.get(signal)
    return known.scenario if known is not None else ScenarioName.NONE


def recovery_target(targets: Targets, scenario: str, severity: Severity) -> timedelta:
    """Return how long after detection a kind of incident must have recovered, by the runbook.

    A critical rollback of functions has the shorter of two targets (docs/decisions/0057).
    """
    if scenario == ScenarioName.DATABASE:
        return targets.database
    by_severity = targets.by_severity[severity]
    return min(targets.functions, by_severity) if scenario == ScenarioName.FUNCTIONS else by_severity


def find_traffic_restored_at(rollbacks: Sequence[Rollback]) -> datetime | None:
    """Return when the last shift was confirmed of the newest rollback that changed anything."""
    changing = [one for one in rollbacks if _has_effects(one)]
    return changing[-1].shifted_at if changing and changing[-1].way is not Direction.UNDO else None


def find_recovered_at(incident: Incident, rollbacks: Sequence[Rollback]) -> datetime | None:
    """Return when recovery was observed, as far as nothing has contradicted it since."""
    observed_at = None
    for moment in reversed(incident.timeline):
        if moment.status not in RECOVERED_STATUSES:
            break
        observed_at = moment.at
    for one in reversed(rollbacks):
        if one.status not in IDLE_STATUSES or _has_effects(one):
            is_monitored = one.status is RollbackStatus.WATCHING
            holds = is_monitored or (one.status is RollbackStatus.SUCCEEDED and observed_at is not None)
            return one.verified_at or observed_at if holds else observed_at
    return observed_at


def recovery_lines(times: RecoveryTimes, now: datetime) -> tuple[str, ...]:
    """Return the durations as sentences without a full stop, each beside its target."""
    traffic, recovery = times.traffic_restored_at, times.recovered_at
    lines = []
    if traffic is not None:
        lines.append(f"{TRAFFIC_RESTORED} {describe_duration(traffic - times.detected_at)} after detection")
    elif times.ended_at is None:
        lines.append("traffic is not restored yet")
    wanted = f"the target is {describe_duration(times.target)} ({times.kind})"
    margin = describe_duration(abs(times.recover_by - (recovery or now)))
    if recovery is not None:
        kept = f"{margin} to spare" if recovery < times.recover_by else f"{margin} late"
        lines.append(
            f"{RECOVERED} {describe_duration(recovery - times.detected_at)} after detection; {wanted}, {kept}"
        )
    elif times.ended_at is not None:
        lines.append(f"recovery was not observed; {wanted}")
    else:
        left = f"{margin} left" if now <= times.recover_by else f"missed {margin} ago"
        lines.append(f"not recovered yet; {wanted}, {left}")
    return (*lines, *_status_page_lines(times, now))


def _status_page_lines(times: RecoveryTimes, now: datetime) -> list[str]:
    due, shown = times.status_page_due_at, times.status_page_at
    if shown is not None:
        late = "" if due is None or shown < due else f", {describe_duration(shown - due)} late"
        return [f"{STATUS_PAGE_WRITTEN} {describe_duration(shown - times.detected_at)} after detection{late}"]
    if due is None or now <= due or times.ended_at is not None:
        return []
    return [f"status page not written; it was due {describe_duration(now - due)} ago"]


def _has_effects(rollback: Rollback) -> bool:
    return rollback.started_at is not None or rollback.shifted_at is not None


def _seconds_between(since: datetime, until: datetime | None) -> float | None:
    return None if until is None else max(0.0, (until - since).total_seconds())
