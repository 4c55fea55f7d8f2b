"""A rollback of one feature makes way for whatever is worse."""

from shared.core.codec import decode
from shared.core.store import Write
from shared.domain.audit.chain import create_event
from shared.domain.incidents import incident as incidents
from shared.domain.incidents.incident import Incident
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import is_worse
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback import rollback as rollbacks
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from shared.domain.signals.alert import Alert
from shared.domain.signals.labels import signal_label
from shared.domain.system_record import System
from shared.engine.audited_commit import CommitDraft, prepare_commit
from shared.ports.groups import Ports

PREEMPTIBLE_STATUSES = frozenset(
    {RollbackStatus.DECIDING, RollbackStatus.PARKED, RollbackStatus.RUNNING, RollbackStatus.VERIFYING}
)
"""Later nothing is left to be stopped: the watch ends by itself for what must be judged."""


def build_preemption_writes(
    ports: Ports, policy: Policy, system: System, alert: Alert, actor: str
) -> list[Write]:
    """The commit by which the rollback under way is to stop for an alert; none where it goes on."""
    signal = policy.signals[alert.signal]
    if policy.strictest_mode(signal) is Mode.OBSERVE:
        return []
    document = ports.store.get(rollbacks.rollback_path(system.rollback))
    rollback = decode(Rollback, document.fields) if document.fields else None
    if rollback is None or not _is_feature_rollback(rollback) or rollback.cancel_requested:
        return []
    fields = ports.store.get(incidents.incident_path(rollback.incident)).fields
    if rollback.status not in PREEMPTIBLE_STATUSES or fields is None:
        return []
    if not is_worse(signal.severity, decode(Incident, fields).severity):
        return []
    why = f"it yields to {signal_label(alert.signal)} ({signal.severity})"
    now = document.read_at
    told = create_event("rollback.yields", now, actor, alert=alert.key)
    changes = {"cancel_requested": why, "yields_to": alert.key, "due_at": now}
    draft = CommitDraft((told,), changes)
    return prepare_commit(rollback, document.version, draft, ports.ids(), renew=False)[1]


def _is_feature_rollback(rollback: Rollback) -> bool:
    scenario = rollback.plan.scenario if rollback.plan is not None else None
    if scenario is None and rollback.order is not None:
        scenario = rollback.order.scenario
    return scenario is ScenarioName.FEATURE
