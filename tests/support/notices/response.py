"""An incident, its rollback, and who is called, as they are kept."""

from typing import Any

from msgspec.structs import replace

from shared.domain.incidents.escalation import create_escalation_notices
from shared.domain.incidents.incident import Incident, IncidentStatus, TimelineEvent
from shared.domain.notices.notice import Notice
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from shared.domain.signals.alert import IncidentScope
from tests.support.fakes.runtime.clock import START
from tests.support.runtime.world import BOOKSHOP

FAILING = IncidentScope(ScenarioName.FUNCTIONS, "function_failure_rate")


def build_incident(status: IncidentStatus = IncidentStatus.INVESTIGATING, **changes: Any) -> Incident:
    detected = TimelineEvent(IncidentStatus.DETECTED, START, "detected")
    severity = changes.pop("severity", Severity.CRITICAL)
    return Incident(
        "INC-20260302-001",
        BOOKSHOP.system,
        severity,
        changes.pop("signal", "function_failure_rate"),
        status,
        START,
        START,
        changes.pop("timeline", [detected]),
        scopes=changes.pop("scopes", (FAILING,)),
        respond_by=START + BOOKSHOP.targets.by_severity[severity],
        **changes,
    )


def build_rollback(status: RollbackStatus = RollbackStatus.RUNNING, **changes: Any) -> Rollback:
    return Rollback("INC-20260302-001", "INC-20260302-001", BOOKSHOP.system, status, START, START, **changes)


def build_escalation_notices(**changes: Any) -> list[Notice]:
    """The notices of the example's ladder: the keeper after 5 minutes, the night shift after 15."""
    made = create_escalation_notices(BOOKSHOP, build_incident(), START, START)
    return [replace(one, **changes) for one in made]
