"""Which parts of a system an incident affects, read from its alerts and its newest rollback."""

from __future__ import annotations

from shared.domain.incidents import incident as incidents
from shared.domain.incidents.incident import PublicState, StatusPageRecord
from shared.domain.policy.system_policy import Policy
from shared.domain.presentation.status_page import record_parts
from shared.state.reader import StateReader


def read_affected_parts(
    reading: StateReader, policy: Policy, state: PublicState, known: StatusPageRecord
) -> StatusPageRecord:
    """Return the record with what is observed now; that of a fence stays as it is."""
    incident = reading.incident(state.incident or "-")
    if incident is None:
        return known
    newest = reading.rollback(incidents.rollback_id(incident.id, incident.rollbacks))
    return record_parts(policy, state, known, reading.alerts(incident.id), newest, incident.failing)
