"""hold and release: whether what is kept of an incident expires; begun by a command.

A hold goes on until its incident can get no more documents: each look takes the expiry off what has
come to rest since, and the next one is due later. What is under way is left alone, because its
worker writes it; it is kept for weeks in any case. A notice that may have to be said some day is
under way only then.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from msgspec.structs import replace

from responders.backups import legal_hold
from responders.commands.subject import find_subject
from responders.support.command_handler import CommandEffect, CommandRequest
from shared.core.codec import decode, encode
from shared.core.errors import Refused
from shared.core.store import Document, Query, Update, Write
from shared.domain.audit.chain import create_event
from shared.domain.commands.command import CommandRecord
from shared.domain.incidents.incident import Incident, incident_path, rollback_id
from shared.domain.policy.system_policy import Policy
from shared.domain.reports import filed_report
from shared.domain.retention import RECORD_RETENTION
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, Rollback, rollback_path
from shared.engine.audited_commit import CommitDraft, prepare_commit
from shared.ports.groups import Ports
from shared.state.reader import read_entries_after

MAX_WRITES_PER_COMMIT = 200
"""Documents in one commit: far below what a request may hold."""
RECHECK_INTERVAL = timedelta(minutes=10)


def change_hold(asked: CommandRequest) -> CommandEffect:
    """Keep an incident, or a backup, until it is released; then it expires after its usual time."""
    if asked.command.backup:
        return legal_hold.change_backup_hold(asked)
    subject, holds = find_subject(asked), asked.command.command == "hold"
    name, before = subject.incident.id, subject.incident.held_by
    if holds and before:
        raise Refused(f"{name} is held by {before} already")
    if not holds and not before:
        raise Refused(f"{name} is not held")
    expires = not holds and subject.incident.ended_at is not None
    expires_at = subject.incident_document.read_at + RECORD_RETENTION if expires else None
    by = asked.command.actor if holds else ""
    return CommandEffect(
        f"{name} is {'held' if holds else 'released'}",
        (subject.write_incident(replace(subject.incident, held_by=by, expires_at=expires_at)),),
        goes_on=True,
        changes={"held_by": (before, by)},
    )


def continue_legal_hold(ports: Ports, policy: Policy, document: Document, record: CommandRecord) -> None:
    """Continue a hold, until no alert can join, or a release. Raises: Moved, Unavailable."""
    if "backup" in record.answer:
        legal_hold.continue_backup_hold(ports, policy, document, record)
        return
    incident = decode(Incident, ports.store.get(incident_path(record.incident)).fields)
    holding = record.command == "hold"
    now = document.read_at
    goes_on = False
    if bool(incident.held_by) is holding:  # else the opposite was said since
        for writes in _build_expiry_write_batches(ports, incident, record):
            ports.store.commit(writes)
        joined_until = incident.ended_at and incident.ended_at + policy.gates.join_window
        may_grow = joined_until is None or now <= joined_until  # else no alert can join it any more
        goes_on = holding and (may_grow or _has_pending_notices(ports, incident))
    after = replace(
        record,
        due_at=now + RECHECK_INTERVAL if goes_on else None,
        expires_at=None if goes_on else now + RECORD_RETENTION,
    )
    ports.store.commit([Update(document.path, encode(after), document.version)])


def _has_pending_notices(ports: Ports, incident: Incident) -> bool:
    """Whether something is still to be said of it, or withdrawn: its worker writes that."""
    said = ports.store.query(Query("notices", where=(("incident", "==", incident.id),)))
    return any(_is_write_pending(one.fields or {}) for one in said)


def _is_write_pending(fields: Mapping[str, Any]) -> bool:
    scheduled = fields.get("unless") and not fields.get("attempts")
    return fields.get("due_at") is not None and not scheduled


def _build_expiry_write_batches(
    ports: Ports, incident: Incident, record: CommandRecord
) -> Iterator[list[Write]]:
    store = ports.store
    expires_at = None if record.command == "hold" else record.received_at + RECORD_RETENTION
    about = (("incident", "==", incident.id),)
    for collection in ("alerts", "notices"):
        yield from _batch_expiry_writes(store.query(Query(collection, where=about)), expires_at)
    yield from _batch_expiry_writes([store.get(filed_report.report_path(incident.id))], expires_at)
    for number in range(1, incident.rollbacks + 1):
        document = store.get(rollback_path(rollback_id(incident.id, number)))
        rollback = decode(Rollback, document.fields) if document.fields is not None else None
        if rollback is None or rollback.status not in ENDED_ROLLBACK_STATUSES:
            continue
        for below in ("steps", "audit"):
            yield from _batch_expiry_writes(store.query(Query(f"{document.path}/{below}")), expires_at)
        entries = read_entries_after(store, rollback.id)
        yield from _batch_expiry_writes((entry for _, entry in entries), expires_at)
        if _needs_expiry_change(rollback.expires_at, expires_at):
            told = create_event(f"rollback.{record.command}", document.read_at, record.actor)
            kept = replace(rollback, expires_at=expires_at)
            yield prepare_commit(kept, document.version, CommitDraft((told,)), ports.ids(), renew=False)[1]


def _batch_expiry_writes(found: Iterable[Document], expires_at: datetime | None) -> Iterator[list[Write]]:
    writes: Iterator[Write] = (
        Update(one.path, {"expires_at": expires_at})
        for one in found
        if one.fields is not None
        and not _is_write_pending(one.fields)
        and _needs_expiry_change(one.fields.get("expires_at"), expires_at)
    )
    while some := list(islice(writes, MAX_WRITES_PER_COMMIT)):
        yield some


def _needs_expiry_change(is_: datetime | None, wanted: datetime | None) -> bool:
    """Whether one of the two expires and the other does not."""
    return (is_ is None) is not (wanted is None)
