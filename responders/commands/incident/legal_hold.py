"""hold and release: whether what is kept of an incident, or a backup by export, expires.

A hold goes on until its incident can get no more documents: each look takes the expiry off what has
come to rest since, and the next one is due later. What is under way is left alone, because its
worker writes it; it is kept for weeks in any case. A notice that may have to be said some day is
under way only then.

Each file of a backup is held by Cloud Storage itself in each place, so that no rule of the bucket
deletes it. Google's own backups cannot be held: they go when their schedule says.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from msgspec.structs import replace

from responders.commands.subject import find_subject
from responders.support.command_handler import CommandEffect, CommandRequest
from responders.support.parallel_calls import call_in_batches, call_one
from responders.support.resumable_command import completed_record
from shared.core.errors import Refused, RollbackError
from shared.core.store import Document, Query, Update, Write
from shared.core.text import suggest_names
from shared.domain.audit.chain import create_event
from shared.domain.audit.system_chain import system_event
from shared.domain.commands.command import CommandRecord
from shared.domain.data.backups.export import Backup, ExportStatus, export_path
from shared.domain.incidents.incident import Incident, incident_path
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.reports import filed_report
from shared.domain.retention import RECORD_RETENTION
from shared.domain.rollback.rollback import Rollback, rollback_path
from shared.engine.audited_commit import CommitDraft, build_rollback_writes
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.reader import StateReader, read_entries_after

MAX_WRITES_PER_COMMIT = 200
"""Documents in one commit: far below what a request may hold."""
RECHECK_INTERVAL = timedelta(minutes=10)
ACTOR = "on_work"
MAX_PARALLEL_CALLS = 16
WORK_TIME_LIMIT_SECONDS = 60.0
"""No batch is begun after that; the rest is done when it is due again."""
RETRY_INTERVAL = timedelta(minutes=1)
RETRY_TIMEOUT = timedelta(hours=1)
"""What is refused for so long is told."""
RELEASED_RETENTION = timedelta(days=1)
"""So long after a release an entry is kept whose files may be gone by then."""


def change_hold(asked: CommandRequest) -> CommandEffect:
    """Keep an incident, or a backup, until it is released; then it expires after its usual time."""
    if asked.command.backup:
        return _change_backup_hold(asked)
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
        _continue_backup_hold(ports, policy, document, record)
        return
    incident = ports.store.get(incident_path(record.incident)).decode(Incident)
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
    ports.store.commit([document.build_update(after)])


def _has_pending_notices(ports: Ports, incident: Incident) -> bool:
    """Whether something is still to be said of it, or withdrawn: its worker writes that."""
    said = ports.store.query(Query.equal("notices", incident=incident.id))
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
    for name in incident.rollback_ids:
        document = store.get(rollback_path(name))
        rollback = document.find(Rollback)
        if rollback is None or not rollback.has_ended:
            continue
        for below in ("steps", "audit", "decisions"):
            yield from _batch_expiry_writes(store.query(Query(f"{document.path}/{below}")), expires_at)
        entries = read_entries_after(store, rollback.id)
        yield from _batch_expiry_writes((entry for _, entry in entries), expires_at)
        if _needs_expiry_change(rollback.expires_at, expires_at):
            told = create_event(f"rollback.{record.command}", document.read_at, record.actor)
            kept = replace(rollback, expires_at=expires_at)
            yield build_rollback_writes(kept, document, CommitDraft((told,)), ports.ids)


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


def _change_backup_hold(asked: CommandRequest) -> CommandEffect:
    """Hold or release a backup. Raises: Refused."""
    command = asked.command
    document, backup = _find_backup(asked)
    holds = command.command == "hold"
    if holds and backup.held_by:
        raise Refused(f"{backup.id} is held by {backup.held_by} already")
    if not holds and not backup.held_by:
        raise Refused(f"{backup.id} is not held")
    if backup.status is not ExportStatus.KEPT:
        raise Refused(f"{backup.id} is {backup.status}: only a complete backup can be held")
    usual = max(backup.began_at + RECORD_RETENTION, document.read_at + RELEASED_RETENTION)
    by = command.actor if holds else ""
    return CommandEffect(
        f"{backup.id} is {'held' if holds else 'released'}; its files follow",
        (document.build_update({"held_by": by, "expires_at": None if holds else usual}),),
        goes_on=True,
        changes={"held_by": (backup.held_by, by)},
        answer={"backup": backup.id},
    )


def _continue_backup_hold(ports: Ports, policy: Policy, document: Document, record: CommandRecord) -> None:
    """Hold or release the files that are left; due again until done. Raises: Moved, Unavailable."""
    backup = ports.store.get(export_path(record.answer["backup"])).decode(Backup)
    held, now = record.command == "hold", document.read_at
    if bool(backup.held_by) is not held:  # the opposite was said since
        ports.store.commit([_build_final_write(document, record)])
        return
    done, total, why = _set_file_holds(ports, backup, int(record.answer.get("done", 0)), held=held)
    answer = {**record.answer, "done": done, "files": total}
    if done < total and now < record.received_at + RETRY_TIMEOUT:
        later = replace(record, answer=answer, due_at=now + RETRY_INTERVAL)
        ports.store.commit([document.build_update(later)])
        return
    word = "held" if held else "released"
    name = f"backup.{word}" if done == total else "backup.not-held"
    facts = {"backup": backup.id, "files": total, "done": done, "why": why}
    said = []
    if done < total:
        text = f"{policy.system}: {done} of {total} files of {backup.id} are {word}: {why}"
        key = f"backup-{backup.id}"
        said = create_notices(policy, key, Severity.HIGH, f"not-{word}-{record.id}", text, now)
    writes = (
        _build_final_write(document, replace(record, answer=answer)),
        system_event(policy.system, f"{name}:{record.id}", name, now, ACTOR, **facts),
    )
    work_queue.commit_with_notices(ports, writes, said)


def _set_file_holds(ports: Ports, backup: Backup, done: int, *, held: bool) -> tuple[int, int, str]:
    """Set the holds from number `done` on; return the files done, all files, and why it stopped."""
    mirrors = ports.projects.export_buckets
    buckets = [backup.bucket, *([backup.second] if backup.second else [])]
    prefixes = [f"{backup.folder}/", *([backup.configuration] if backup.configuration else [])]
    try:
        names = [
            (bucket, name)
            for bucket in buckets
            for prefix in prefixes
            for name in sorted(call_one(ports, partial(mirrors.list_objects, bucket, prefix)))
        ]
    except RollbackError as failure:
        return done, max(done + 1, backup.objects), str(failure)
    calls = {
        str(number): partial(mirrors.hold, *names[number], held=held) for number in range(done, len(names))
    }
    answers = call_in_batches(ports, calls, MAX_PARALLEL_CALLS, WORK_TIME_LIMIT_SECONDS)
    for number in range(done, len(names)):
        answer = answers.get(str(number), "the time limit was reached")
        if answer is not None:
            return number, len(names), str(answer)
    return len(names), len(names), ""


def _build_final_write(document: Document, record: CommandRecord) -> Update:
    return document.build_update(completed_record(record, document.read_at, record.result))


def _find_backup(asked: CommandRequest) -> tuple[Document, Backup]:
    """The backup that a command names. Raises: Refused, with the nearest known ones."""
    command, store = asked.command, asked.ports.store
    document = store.get(export_path(command.backup))
    backup = document.find(Backup)
    if backup is None or backup.system != command.system:
        known = [one.id for one in StateReader(store).backups(command.system)]
        raise Refused(
            f"backup {command.backup} is not known in {command.system}{suggest_names(command.backup, known)}"
        )
    return document, backup
