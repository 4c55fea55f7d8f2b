"""All that is kept of an incident, gathered for its report."""

from __future__ import annotations

from datetime import datetime

from shared.domain.incidents.incident import Incident
from shared.domain.policy.model import Policy
from shared.domain.reports.impact import Counts
from shared.domain.reports.report import ReportedRollback, ReportFacts
from shared.domain.rollback.rollback import Rollback
from shared.state.audit_reader import Trail
from shared.state.reader import Reading


def gathered(
    reading: Reading,
    trail: Trail,
    policy: Policy,
    incident: Incident,
    now: datetime,
    counts: Counts,
) -> ReportFacts:
    """As it stands.

    Raises: Unavailable.
    """
    name = incident.id
    others = [
        one
        for one in reading.rollbacks_of(incident.system)
        if one.incident != name and any(said.incident == name for said in one.overrides)
    ]
    return ReportFacts(
        policy=policy,
        incident=incident,
        alerts=reading.alerts(name),
        rollbacks=[_kept(reading, one) for one in reading.rollbacks(incident)],
        elsewhere=[_kept(reading, one) for one in others],
        outside=trail.told_of_system(incident.system),
        notices=reading.notices(name),
        pins=reading.pins(incident.system),
        now=now,
        counts=counts,
    )


def _kept(reading: Reading, rollback: Rollback) -> ReportedRollback:
    name = rollback.id
    return ReportedRollback(
        rollback, reading.steps(name), reading.trail(name), reading.journal(name)
    )
