"""A switch told in the trail of each rollback that it concerns, once, which it wakes."""

from functools import partial
from typing import Any

from shared.core.store import Update, Write, retry_on_conflict
from shared.domain.audit.chain import create_event
from shared.domain.commands.command import CommandRecord, command_path
from shared.domain.incidents import incident as incidents
from shared.domain.incidents.incident_notices import create_incident_notices
from shared.domain.notices.notice import Notice
from shared.domain.policy.channels import Audience, IncidentStage
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policies
from shared.domain.rollback.rollback import Rollback, RollbackStatus, rollback_path
from shared.domain.system_record import ALL_SYSTEMS
from shared.engine.audited_commit import CommitDraft, build_rollback_writes
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.reader import StateReader
from shared.state.system_status import read_hold

LIFTING_EVENTS = frozenset({"rollback.resumed", "rollback.unfrozen"})
"""A rollback that is held again after one of these has not been held since before it."""
ACKNOWLEDGING_EVENTS = frozenset({"rollback.paused", "rollback.resumed"})
"""A person who does one of these responds to the incident of each rollback that it concerns."""
COMMIT_ATTEMPTS = 20


def record_control_change_in_rollbacks(ports: Ports, policies: Policies, command: str) -> None:
    """Record a switch, which is in force, once in each affected rollback. Raises: Unavailable."""
    record = ports.store.get(command_path(command)).decode(CommandRecord)
    if not record.tells:
        return
    system = "" if record.system == ALL_SYSTEMS else record.system
    for rollback in StateReader(ports.store).active_rollbacks(system):
        append = partial(_append_control_event, ports, policies, command, rollback.id)
        too_fast = f"rollback {rollback.id} changes too fast to record command {command}"
        retry_on_conflict(append, COMMIT_ATTEMPTS, too_fast, ports.clock.sleep)
    ports.store.commit([Update(command_path(command), {"tells": ""})])


def _append_control_event(ports: Ports, policies: Policies, command: str, rollback: str) -> None:
    """One commit: the event, and that it is told. Raises: Moved, when somebody wrote first."""
    document = ports.store.get(command_path(command))
    record = document.decode(CommandRecord)
    if not record.tells or rollback in record.told:  # by another delivery, meanwhile
        return
    mark = document.build_update({"told": [*record.told, rollback]})
    writes, said = _build_audit_writes(ports, policies, record, rollback)
    work_queue.commit_with_notices(ports, [mark, *writes], said)


def _build_audit_writes(
    ports: Ports, policies: Policies, record: CommandRecord, rollback_id: str
) -> tuple[list[Write], list[Notice]]:
    """Return the event in the rollback's audit log, unless it has ended, and who is notified."""
    document = ports.store.get(rollback_path(rollback_id))
    rollback = document.decode(Rollback)
    if rollback.due_at is None:
        return [], []
    now = document.read_at
    told = create_event(record.tells, now, record.actor, reason=record.reason)
    changes: dict[str, Any] = {}
    if rollback.status is RollbackStatus.RUNNING:
        changes["due_at"] = min(rollback.due_at, now)
    is_lifted = record.tells in LIFTING_EVENTS and not read_hold(StateReader(ports.store), rollback, now)
    if is_lifted:
        changes["held_since"] = None
    draft = CommitDraft((told,), changes)
    writes = build_rollback_writes(rollback, document, draft, ports.ids)
    place = ports.store.get(incidents.incident_path(rollback.incident))
    incident = place.find(incidents.Incident)
    if incident is None:
        return writes, []
    owned = incidents.acknowledge(incident, record.responder, now)
    if record.tells in ACKNOWLEDGING_EVENTS and owned != incident:
        writes.append(place.build_update(owned))
    policy = policies.get(rollback.system)
    if not is_lifted or rollback.paused_since is None or policy is None:
        return writes, []
    text = f"{record.result} by {record.actor}: {record.reason}"
    said = create_incident_notices(policy, incident, f"rollback.goes-on-{now:%H%M%S}", text, now)
    team = (one for one in policy.channels if one.audience is Audience.TEAM)
    wanted = (one for one in team if policy.is_wanted(one.name, IncidentStage.OTHER))
    notified = {one.name for one in wanted if Severity.LOW in one.severities}  # of the switch itself
    return writes, [one for one in said if one.channel not in notified]
