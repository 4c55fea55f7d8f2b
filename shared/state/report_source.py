"""All that is kept of an incident, gathered for its report."""

from datetime import datetime

from shared.domain.incidents.incident import Incident
from shared.domain.policy.system_policy import Policy
from shared.domain.reports.impact import ImpactCounts
from shared.domain.reports.report import ReportedRollback, ReportFacts
from shared.domain.rollback.rollback import Rollback
from shared.state.audit_reader import AuditReader
from shared.state.reader import StateReader


def gather_report_facts(
    reading: StateReader,
    trail: AuditReader,
    policy: Policy,
    incident: Incident,
    now: datetime,
    counts: ImpactCounts,
) -> ReportFacts:
    """Gather the facts of a report as they are now. Raises: Unavailable."""
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
        rollbacks=[_reported_rollback(reading, one) for one in reading.rollbacks(incident)],
        elsewhere=[_reported_rollback(reading, one) for one in others],
        outside=trail.system_lines(incident.system),
        notices=reading.notices(name),
        pins=reading.pins(incident.system),
        now=now,
        counts=counts,
        page=reading.status_page_record(incident),
    )


def _reported_rollback(reading: StateReader, rollback: Rollback) -> ReportedRollback:
    name = rollback.id
    return ReportedRollback(rollback, reading.steps(name), reading.audit_entries(name), reading.journal(name))
