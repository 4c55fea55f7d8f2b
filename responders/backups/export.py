"""Exports by time slot and before deployments, carried by the clock one conditional step each."""

from contextlib import suppress
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from responders.backups.database_fill_step import ACTOR, RecordStep
from responders.support.parallel_calls import call_all, call_one, require_answer
from shared.core import log
from shared.core.codec import encode
from shared.core.durations import floor_to_minute
from shared.core.errors import Ambiguous, Exists, Moved, Rejected, Unavailable
from shared.core.store import Create, Query
from shared.domain.audit.system_chain import system_event
from shared.domain.data.backups.backup_records import ObjectMetadata
from shared.domain.data.backups.export import (
    Backup,
    ExportStatus,
    create_backup,
    encode_inventory,
    export_path,
    exportable_time,
    find_differing_files,
    has_unchanged_files,
    is_late,
    mark_complete,
    mark_exported,
    mark_failed,
    mark_requested,
    may_request,
    record_failed_attempt,
    slot_start,
)
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.document_scope import Scope
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policies, Policy
from shared.ports.groups import Ports

EXPORT_TIME_LIMIT_SECONDS = 15.0
"""Nothing more is begun after that long: the rest comes with the next minute."""
COPY_CALL_TIMEOUT_SECONDS = 65.0
"""A call gives up by itself after a minute, and keeps what it has copied."""
EVENT_NAMES = {
    ExportStatus.COPYING: "backup.copying",
    ExportStatus.KEPT: "backup.kept",
    ExportStatus.FAILED: "backup.failed",
}


def advance_exports(ports: Ports, policies: Policies) -> None:
    """Begin this slot's backups; carry unfinished ones a step forward. Raises: Unavailable."""
    exporting = {system: policy for system, policy in policies.items() if policy.backups.bucket}
    if not exporting:
        return
    for policy in exporting.values():  # the name of the slot keeps a second intent out
        now = ports.clock.now()
        slot_at = slot_start(policy.backups.every, now)
        _record_backup_intent(ports, create_backup(policy, slot_at, now), ACTOR, now)
    until = ports.clock.monotonic() + EXPORT_TIME_LIMIT_SECONDS
    for document in ports.store.query(Query.equal("backups", is_over=False)):
        if ports.clock.monotonic() >= until:
            return
        backup = document.decode(Backup)
        if backup.system in exporting:
            _ExportStep(ports, exporting[backup.system], document).carry_forward(backup)


class _ExportStep(RecordStep):
    def carry_forward(self, backup: Backup) -> None:
        """One look, and what it takes, kept in one commit with who is told."""
        now = self._now
        try:
            after = self._advance_record(backup)
        except Unavailable as failure:
            log.write("WARNING", f"backup {backup.id}: {failure}", event="backup.waits")
            after = backup
        except Rejected as refused:  # said when it is late: a person may set it right until then
            log.write("ERROR", f"backup {backup.id}: {refused}", event="backup.refused")
            after = replace(backup, failure=str(refused), copying="", token="")
        if not after.is_over and is_late(backup, self._policy, now):
            reason = after.failure or f"not finished when the next one was due ({after.status.lower()})"
            after = mark_failed(after, reason, now)
        if after != backup:
            said, events = [], []
            if after.status is ExportStatus.FAILED:
                text = f"{after.system}: backup {after.id} failed: {after.failure}"
                key = f"backup-{after.id}"
                said = create_notices(self._policy, key, Severity.HIGH, "backup-failed", text, now)
            if after.attempt != backup.attempt:
                events = [_build_event(after, "backup.retried", now)]
            elif after.status is not backup.status:
                events = [_build_event(after, EVENT_NAMES[after.status], now)]
            self._save_result(after, events, said)

    def _advance_record(self, backup: Backup) -> Backup:
        """The backup after one look, and what it takes. Raises: Unavailable, for a service's."""
        if backup.status is ExportStatus.COPYING:
            return self._copy_files(self._store_inventory(backup))
        exports, export = self._ports.system(backup.system).exports, None
        if backup.operation:
            export = call_one(self._ports, partial(exports.look, backup.operation))
        elif backup.asked_at is not None:  # whoever began it
            export = call_one(self._ports, partial(exports.find, backup.database, backup.prefix))
        if export is None:
            return self._request_export(backup) if may_request(backup.asked_at, self._now) else backup
        if export.ended_at is None:
            return replace(backup, operation=export.operation)
        if not export.is_whole:
            return record_failed_attempt(backup, f"the export failed: {export.failure}", self._now)
        files = self._list_objects(backup.bucket, f"{backup.folder}/")
        return mark_exported(backup, export, files, self._now)

    def _request_export(self, backup: Backup) -> Backup:
        """Begin the export, once it is on record that it is asked for: of two, one loses there."""
        chosen = replace(backup, snapshot_at=exportable_time(backup.snapshot_at, self._now))
        intent = mark_requested(chosen, self._count_documents(chosen), self._now)
        exports = self._ports.system(intent.system).exports
        begin = partial(exports.begin, intent.database, intent.prefix, intent.snapshot_at)
        try:
            self._save_intent(intent)
        except Moved:  # another instance has begun it
            return backup
        try:
            return replace(intent, operation=call_one(self._ports, begin))
        except Ambiguous:  # the next look finds it, or not
            return backup
        except (Exists, Rejected) as refused:
            return record_failed_attempt(intent, f"the export was refused: {refused}", self._now)

    def _count_documents(self, backup: Backup) -> dict[str, int]:
        count = partial(self._ports.system(backup.system).documents.count, backup.database)
        asked = {
            one: partial(count, Scope(one, everywhere=True), backup.snapshot_at)
            for one in self._policy.backups.collections
        }
        return {one: require_answer(found) for one, found in call_all(self._ports, asked).items()}

    def _copy_files(self, backup: Backup) -> Backup:
        """The backup with more of its copy, or whole: what differs is copied again."""
        mirrors = self._ports.projects.export_buckets
        files = self._list_objects(backup.bucket, f"{backup.folder}/")
        if not has_unchanged_files(backup, files):
            reason = f"exported files are missing: found {len(files)} of {backup.objects}"
            return record_failed_attempt(backup, f"{reason} files", self._now)
        if backup.second is None:
            return mark_complete(backup, self._now)
        if backup.configuration:
            files |= self._list_objects(backup.bucket, backup.configuration)
        copies = self._list_objects(backup.second, f"{backup.folder}/") | self._list_objects(
            backup.second, backup.inventory_object
        )
        waiting = find_differing_files(files, copies)
        if not waiting:
            return mark_complete(backup, self._now)
        until = self._ports.clock.monotonic() + EXPORT_TIME_LIMIT_SECONDS
        for name in waiting:
            token = backup.token if name == backup.copying else ""
            while self._ports.clock.monotonic() < until:
                part = partial(mirrors.copy, backup.bucket, name, backup.second, token)
                token = call_one(self._ports, part, COPY_CALL_TIMEOUT_SECONDS)
                backup = replace(backup, copying=name if token else "", token=token)
                if not token:
                    break
        return backup

    def _store_inventory(self, backup: Backup) -> Backup:
        """Store the inventory beside the backup; a failure is logged and harms no backup."""
        if backup.configuration:
            return backup
        document = self._ports.store.get(stocks.inventory_path(backup.system))
        if document.fields is None:
            return backup
        content = encode_inventory(stocks.decode(document.fields))
        buckets = self._ports.projects.export_buckets
        write = partial(buckets.write, backup.bucket, backup.inventory_object, content)
        try:
            call_one(self._ports, write)
        except Exists:  # of an attempt before
            pass
        except Rejected as refused:
            why = f"backup {backup.id}: the inventory was not stored with it: {refused}"
            log.write("ERROR", why, event="backup.inventory-refused")
            return backup
        return replace(backup, configuration=backup.inventory_object)

    def _list_objects(self, bucket: str, prefix: str) -> dict[str, ObjectMetadata]:
        listed = partial(self._ports.projects.export_buckets.list_objects, bucket, prefix)
        found: dict[str, ObjectMetadata] = call_one(self._ports, listed)
        return found


def request_backup_before_deployment(ports: Ports, policy: Policy, deployment: str, now: datetime) -> None:
    """Record a backup of this minute, once, where the system exports. Raises: Unavailable."""
    if policy.backups.bucket is not None:
        backup = create_backup(policy, floor_to_minute(now), now, deployment)
        _record_backup_intent(ports, backup, "on_deployment", now)


def _record_backup_intent(ports: Ports, backup: Backup, actor: str, now: datetime) -> None:
    if ports.store.get(export_path(backup.id)).fields is None:
        told = _build_event(backup, "backup.begun", now, actor)
        with suppress(Exists):  # another instance has put it there
            ports.store.commit([Create(export_path(backup.id), encode(backup)), told])


def _build_event(backup: Backup, name: str, now: datetime, actor: str = ACTOR) -> Create:
    facts = {"backup": backup.id, "attempt": backup.attempt, "failure": backup.failure}
    return system_event(backup.system, f"{name}:{backup.id}:{backup.attempt}", name, now, actor, **facts)
