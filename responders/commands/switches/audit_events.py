"""A switch told in the trail of each rollback that it concerns, once, which it wakes."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from shared.core.codec import decode, encode
from shared.core.store import Document, Update, Write, retry_on_conflict
from shared.domain.audit.chain import create_event
from shared.domain.commands import command as commands
from shared.domain.commands.command import CommandRecord
from shared.domain.incidents import incident as incidents
from shared.domain.incidents.incident import Incident
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback import rollback as rollbacks
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from shared.domain.system_record import ALL_SYSTEMS
from shared.engine.audited_commit import CommitDraft, prepare_commit
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.reader import StateReader

LIFTING_EVENTS = frozenset({"rollback.resumed", "rollback.unfrozen"})
"""A rollback that is held again after one of these has not been held since before it."""
ACKNOWLEDGING_EVENTS = frozenset({"rollback.paused", "rollback.resumed"})
"""A person who does one of these responds to the incident of each rollback that it concerns."""
COMMIT_ATTEMPTS = 20
RETRY_SECONDS = 0.1


def record_control_change_in_rollbacks(ports: Ports, policies: Mapping[str, Policy], command: str) -> None:
    """Record a switch, which is in force, once in each affected rollback. Raises: Unavailable."""
    record = _read_command(ports.store.get(commands.command_path(command)))
    if not record.tells:
        return
    for rollback in active_rollbacks(ports, "" if record.system == ALL_SYSTEMS else record.system):
        append = partial(_append_control_event, ports, policies, command, rollback.id)
        too_fast = f"rollback {rollback.id} changes too fast to be told of command {command}"
        pause = partial(ports.clock.sleep, RETRY_SECONDS)
        retry_on_conflict(append, COMMIT_ATTEMPTS, too_fast, pause)
    ports.store.commit([Update(commands.command_path(command), {"tells": ""})])


def count_unsettled_effects(ports: Ports, system: str) -> int:
    """Effects that have not settled, of one system or of all."""
    return sum(one.in_flight for one in active_rollbacks(ports, system))


def _append_control_event(ports: Ports, policies: Mapping[str, Policy], command: str, rollback: str) -> None:
    """One commit: the event, and that it is told. Raises: Moved, when somebody wrote first."""
    document = ports.store.get(commands.command_path(command))
    record = _read_command(document)
    if not record.tells or rollback in record.told:  # by another delivery, meanwhile
        return
    told = {"told": [*record.told, rollback]}
    mark = Update(document.path, told, document.version)
    writes, said = _build_audit_writes(ports, policies, record, rollback)
    work_queue.commit_with_notices(ports.store, ports.bus, [mark, *writes], said)


def _build_audit_writes(
    ports: Ports, policies: Mapping[str, Policy], record: CommandRecord, rollback_id: str
) -> tuple[list[Write], list[Notice]]:
    """Return the event in the rollback's audit log, unless it has ended, and who is notified."""
    document = ports.store.get(rollbacks.rollback_path(rollback_id))
    rollback = decode(Rollback, document.fields)
    if rollback.due_at is None:
        return [], []
    now = document.read_at
    told = create_event(record.tells, now, record.actor, reason=record.reason)
    changes: dict[str, Any] = {}
    if rollback.status is RollbackStatus.RUNNING:
        changes["due_at"] = min(rollback.due_at, now)
    if record.tells in LIFTING_EVENTS:
        changes["held_since"] = None
    draft = CommitDraft((told,), changes)
    _, writes = prepare_commit(rollback, document.version, draft, ports.ids(), renew=False)
    place = ports.store.get(incidents.incident_path(rollback.incident))
    if place.fields is None:
        return writes, []
    incident = decode(Incident, place.fields)
    owned = incidents.acknowledge(incident, record.responder, now)
    if record.tells in ACKNOWLEDGING_EVENTS and owned != incident:
        writes.append(Update(place.path, encode(owned), place.version))
    policy = policies.get(rollback.system)
    if record.tells not in LIFTING_EVENTS or rollback.paused_since is None or policy is None:
        return writes, []
    text = f"{incident.id} {incident.severity}: {record.result} by {record.actor}: {record.reason}"
    event = f"rollback.goes-on-{now:%H%M%S}"
    return writes, create_notices(policy, incident.id, incident.severity, event, text, now)


def _read_command(document: Document) -> CommandRecord:
    return decode(CommandRecord, document.fields)


def active_rollbacks(ports: Ports, system: str) -> list[Rollback]:
    """The rollbacks that have not ended, of one system or of all."""
    return [one for one in StateReader(ports.store).active_rollbacks() if system in ("", one.system)]
