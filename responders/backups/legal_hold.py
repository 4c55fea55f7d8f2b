"""hold and release of a backup by export: whether its files may go; begun by a command.

Each file in each place is held by Cloud Storage itself, so that no rule of the bucket deletes it.
Google's own backups cannot be held: they go when their schedule says.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from responders.support.command_handler import CommandEffect, CommandRequest
from responders.support.parallel_calls import call_in_batches, call_one
from responders.support.resumable_command import completed_record
from shared.core.codec import decode, encode
from shared.core.errors import Refused, RollbackError
from shared.core.store import Document, Update
from shared.core.text import suggest_names
from shared.domain.audit.chain import create_event
from shared.domain.audit.system_chain import event_write
from shared.domain.commands.command import CommandRecord
from shared.domain.data.backups.export import Backup, ExportStatus, export_path
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.retention import RECORD_RETENTION
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.reader import StateReader

ACTOR: Final = "on_work"
MAX_PARALLEL_CALLS: Final = 16
WORK_TIME_LIMIT_SECONDS: Final = 60.0
"""No batch is begun after that; the rest is done when it is due again."""
RETRY_INTERVAL: Final = timedelta(minutes=1)
RETRY_TIMEOUT: Final = timedelta(hours=1)
"""What is refused for so long is told."""
RELEASED_RETENTION: Final = timedelta(days=1)
"""So long after a release an entry is kept whose files may be gone by then."""


def change_backup_hold(asked: CommandRequest) -> CommandEffect:
    """A backup is held, or released."""
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
    fields = {"held_by": by, "expires_at": None if holds else usual}
    return CommandEffect(
        f"{backup.id} is {'held' if holds else 'released'}; its files follow",
        (Update(document.path, fields, document.version),),
        goes_on=True,
        changes={"held_by": (backup.held_by, by)},
        answer={"backup": backup.id},
    )


def continue_backup_hold(ports: Ports, policy: Policy, document: Document, record: CommandRecord) -> None:
    """Hold or release the files that are left; due again until done. Raises: Moved, Unavailable."""
    backup = decode(Backup, ports.store.get(export_path(record.answer["backup"])).fields)
    held, now = record.command == "hold", document.read_at
    if bool(backup.held_by) is not held:  # the opposite was said since
        ports.store.commit([_build_final_write(document, record)])
        return
    done, total, why = _set_file_holds(ports, backup, int(record.answer.get("done", 0)), held=held)
    answer = {**record.answer, "done": done, "files": total}
    if done < total and now < record.received_at + RETRY_TIMEOUT:
        later = replace(record, answer=answer, due_at=now + RETRY_INTERVAL)
        ports.store.commit([Update(document.path, encode(later), document.version)])
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
        event_write(policy.system, f"{name}:{record.id}", create_event(name, now, ACTOR, **facts)),
    )
    work_queue.commit_with_notices(ports.store, ports.bus, writes, said)


def _set_file_holds(ports: Ports, backup: Backup, done: int, *, held: bool) -> tuple[int, int, str]:
    """How many of how many files are as wanted now, in their order, and why it is not one more."""
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
    calls: dict[str, Callable[[], Any]] = {
        str(number): partial(mirrors.hold, *names[number], held=held) for number in range(done, len(names))
    }
    answers = call_in_batches(ports, calls, MAX_PARALLEL_CALLS, WORK_TIME_LIMIT_SECONDS)
    for number in range(done, len(names)):
        answer = answers.get(str(number), "the time limit was reached")
        if answer is not None:
            return number, len(names), str(answer)
    return len(names), len(names), ""


def _build_final_write(document: Document, record: CommandRecord) -> Update:
    over = completed_record(record, document.read_at, record.result)
    return Update(document.path, encode(over), document.version)


def _find_backup(asked: CommandRequest) -> tuple[Document, Backup]:
    """The backup that a command names. Raises: Refused, with the nearest known ones."""
    command, store = asked.command, asked.ports.store
    document = store.get(export_path(command.backup))
    backup = decode(Backup, document.fields) if document.fields is not None else None
    if backup is None or backup.system != command.system:
        known = [one.id for one in StateReader(store).backups(command.system)]
        raise Refused(
            f"backup {command.backup} is not known in {command.system}{suggest_names(command.backup, known)}"
        )
    return document, backup
