"""How responses went, by month and scenario: one line is kept of each incident that is over. Pure.

An incident and all below it expire after 30 days; its tally does not, and names nobody.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import msgspec

from shared.core.codec import FrozenStruct, StoredDocument, documents_of
from shared.domain.decision.gates.base import GateResult, Outcome
from shared.domain.incidents.incident import Incident, IncidentStatus
from shared.domain.incidents.recovery_times import find_scenario, measure_recovery
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import Rollback, RollbackStatus

TALLY_DELAY = timedelta(hours=1)
"""An alert may bring an incident back until well before that."""
TALLY_SEARCH_WINDOW = timedelta(days=8)
"""So long after its end an incident is looked for that has no tally yet."""
tally_path = documents_of("tallies")
EXECUTED_STATUSES = (RollbackStatus.SUCCEEDED, RollbackStatus.FAILED, RollbackStatus.CANCELLED)


class IncidentTally(StoredDocument):
    """One incident, as far as trends go."""

    incident: str
    system: str
    severity: Severity
    scenario: str
    """What went back, or would have, as status and report name it; `none`: nothing was to."""
    detected_at: datetime
    ended_at: datetime
    ordered: bool
    """Whether a person began it, and no alert."""
    outcome: str
    """How its newest rollback ended, as `RollbackStatus` has it; "" for none."""
    false_alarm: bool
    """Whether it was over before anything was decided but to ignore it."""
    detect_seconds: float | None
    """From its beginning to its detection; None: a person has told of it."""
    restore_seconds: float | None
    """Traffic restored, as `recovery_times` has it; None: no rollback did."""
    took_seconds: float | None
    """What that rollback took, from its first intent to its last shift."""
    recover_seconds: float | None
    """Recovered, as `recovery_times` has it; None: it was not observed."""
    executed: int
    """How many of its rollbacks were executed."""
    succeeded: int
    has_target: bool
    """Whether the runbook sets a target, as `recovery_times` has it."""


class MonthlyStats(FrozenStruct):
    """The incidents of one month and scenario; times are medians, None where there is none."""

    month: str
    """2026-03, by their detection in UTC."""
    scenario: str
    incidents: int
    false_alarms: int
    rollbacks: int
    """All that were executed, with or without success: an incident may have several."""
    succeeded: int
    detect_seconds: float | None
    restore_seconds: float | None
    recover_seconds: float | None
    took_seconds: float | None

    @property
    def success_rate(self) -> float | None:
        """The share of rollbacks that succeeded."""
        return self.succeeded / self.rollbacks if self.rollbacks else None


def tally_incident(policy: Policy, incident: Incident, rollbacks: Sequence[Rollback]) -> IncidentTally | None:
    """What is kept of an incident with its rollbacks, the first first; None while it is open."""
    if incident.ended_at is None:
        return None
    newest = rollbacks[-1] if rollbacks else None
    moved = next((one for one in reversed(rollbacks) if one.shifted_at is not None), None)
    times = measure_recovery(policy, incident, rollbacks)
    executed = [one.status for one in rollbacks if one.status in EXECUTED_STATUSES]
    ordered = bool(rollbacks) and rollbacks[0].order is not None
    is_resolved = incident.status is IncidentStatus.RESOLVED
    return IncidentTally(
        incident=incident.id,
        system=incident.system,
        severity=incident.severity,
        scenario=find_scenario(policy, incident.signal, incident.severity, rollbacks),
        detected_at=incident.detected_at,
        ended_at=incident.ended_at,
        ordered=ordered,
        outcome=newest.status if newest is not None else "",
        false_alarm=is_resolved and bool(rollbacks) and all(map(_is_ignored, rollbacks)),
        detect_seconds=None if ordered else _seconds_between(incident.onset_at, incident.detected_at),
        restore_seconds=_seconds_between(incident.detected_at, times.traffic_restored_at),
        took_seconds=_seconds_between(moved.started_at, moved.shifted_at) if moved else None,
        recover_seconds=_seconds_between(incident.detected_at, times.recovered_at),
        executed=len(executed),
        succeeded=executed.count(RollbackStatus.SUCCEEDED),
        has_target=times.has_target,
    )


def compute_monthly_stats(tallies: Iterable[IncidentTally]) -> list[MonthlyStats]:
    """By month, the newest first, and scenario."""
    found: dict[tuple[str, str], list[IncidentTally]] = {}
    for one in tallies:
        found.setdefault((f"{one.detected_at:%Y-%m}", one.scenario), []).append(one)
    return [_summarize_month(*key, found[key]) for key in sorted(found, reverse=True)]


def tally_facts(one: IncidentTally) -> dict[str, Any]:
    """As an event has them, for metrics: what is not known is left out."""
    said: dict[str, Any] = msgspec.to_builtins(one)
    return {name: value for name, value in said.items() if value is not None and name != "schema"}


def _summarize_month(month: str, scenario: str, several: Sequence[IncidentTally]) -> MonthlyStats:
    return MonthlyStats(
        month=month,
        scenario=scenario,
        incidents=len(several),
        false_alarms=sum(one.false_alarm for one in several),
        rollbacks=sum(one.executed for one in several),
        succeeded=sum(one.succeeded for one in several),
        detect_seconds=_median(one.detect_seconds for one in several if not one.false_alarm),
        restore_seconds=_median(one.restore_seconds for one in several),
        recover_seconds=_median(one.recover_seconds for one in several if not one.false_alarm),
        took_seconds=_median(one.took_seconds for one in several),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _is_ignored(rollback: Rollback) -> bool:
    """Whether its gates said that there was no trouble, or none any more."""
    return rollback.status is RollbackStatus.NOT_TAKEN and any(
        gate["answer"] == GateResult.STOP and gate["leads_to"] == Outcome.IGNORE for gate in rollback.gates
    )


def _seconds_between(since: datetime | None, until: datetime | None) -> float | None:
    if since is None or until is None:
        return None
    return max(0.0, (until - since).total_seconds())
