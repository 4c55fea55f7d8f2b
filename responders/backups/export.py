"""Exports by time slot and before deployments, carried by the clock one conditional step each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Final

from msgspec.structs import replace

from responders.backups.job_step import ACTOR, Recorded
from responders.support.parallel_calls import answered, ask, ask_all
from shared.core import log
from shared.core.codec import decode, encode
from shared.core.errors import Ambiguous, Exists, Moved, Rejected, Unavailable
from shared.core.store import Create, Query
from shared.domain.audit.chain import event
from shared.domain.audit.system_chain import write_down
from shared.domain.data.backups import export as backing
from shared.domain.data.backups.export import Backup, ExportStatus
from shared.domain.data.backups.values import Stored
from shared.domain.deployments.inventory import record as stocks
from shared.domain.notices.notice import notices
from shared.domain.policy.document_scope import Scope
from shared.domain.policy.model import Policy
from shared.domain.policy.severity import Severity
from shared.ports.groups import Ports

FOR_SECONDS: Final = 15.0
"""Nothing more is begun after that long: the rest comes with the next minute."""
COPY_SECONDS: Final = 65.0
"""A call gives up by itself after a minute, and keeps what it has copied."""
TURNS: Final = {
    ExportStatus.COPYING: "backup.copying",
    ExportStatus.KEPT: "backup.kept",
    ExportStatus.FAILED: "backup.failed",
}
"""What is written down when a backup has come that far."""


class BackingUp:
    """The backups of the systems that export; one that does not costs nothing."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = {
            system: policy for system, policy in policies.items() if policy.backups.bucket
        }

    def back_up(self) -> None:
        """Begin the backup of the present slot, and carry each unfinished one a step forward.

        What a service does not answer is asked again in a minute. Raises: Unavailable, for the
        store's.
        """
        for policy in self._policies.values():
            self._begin(policy)
        if not self._policies:
            return
        until = self._ports.clock.monotonic() + FOR_SECONDS
        for document in self._ports.store.query(
            Query("backups", where=(("is_over", "==", False),))
        ):
            if self._ports.clock.monotonic() >= until:
                return
            backup = decode(Backup, document.fields)
            if backup.system in self._policies:
                _Step(self._ports, self._policies[backup.system], document).carry_forward(backup)

    def _begin(self, policy: Policy) -> None:
        """Have the intent on record; the name of the slot keeps a second one out."""
        now = self._ports.clock.now()
        slot_at = backing.slot(policy.backups.every, now)
        _intend(self._ports, backing.begun(policy, slot_at, now), ACTOR, now)


class _Step(Recorded):
    """One backup, one step further."""

    def carry_forward(self, backup: Backup) -> None:
        """One look, and what it takes, kept in one commit with who is told."""
        now = self._now
        try:
            after = self._after(backup)
        except Unavailable as failure:
            log.write("WARNING", f"backup {backup.id}: {failure}", event="backup.waits")
            after = backup
        except Rejected as refused:  # said when it is late: a person may set it right until then
            log.write("ERROR", f"backup {backup.id}: {refused}", event="backup.refused")
            after = replace(backup, failure=str(refused), copying="", token="")
        if not after.is_over and backing.is_late(backup, self._policy, now):
            reason = after.failure or f"not over when the next one is due ({after.status.lower()})"
            after = backing.failed(after, reason, now)
        if after != backup:
            said = []
            if after.status is ExportStatus.FAILED:
                text = f"{after.system}: backup {after.id} failed: {after.failure}"
                key = f"backup-{after.id}"
                said = notices(self._policy, key, Severity.HIGH, "backup-failed", text, now)
            self._keep(after, [_told(after, name, now) for name in _turns(backup, after)], said)

    def _after(self, backup: Backup) -> Backup:
        """The backup after one look, and what it takes. Raises: Unavailable, for a service's."""
        if backup.status is ExportStatus.COPYING:
            return self._copied(self._described(backup))
        exports, export = self._ports.system(backup.system).exports, None
        if backup.operation:
            export = ask(self._ports, partial(exports.look, backup.operation))
        elif backup.asked_at is not None:  # whoever began it
            export = ask(self._ports, partial(exports.find, backup.database, backup.prefix))
        if export is None:
            return self._asked(backup) if backing.may_ask(backup, self._now) else backup
        if export.ended_at is None:
            return replace(backup, operation=export.operation)
        if not export.is_whole:
            return backing.retried(backup, f"the export failed: {export.failure}", self._now)
        files = self._found(backup.bucket, f"{backup.folder}/")
        return backing.exported(backup, export, files, self._now)

    def _asked(self, backup: Backup) -> Backup:
        """Begin the export, once it is on record that it is asked for: of two, one loses there."""
        chosen = replace(backup, snapshot_at=backing.fresh(backup.snapshot_at, self._now))
        intent = backing.asked(chosen, self._counts(chosen), self._now)
        begin = partial(
            self._ports.system(intent.system).exports.begin,
            intent.database,
            intent.prefix,
            intent.snapshot_at,
        )
        try:
            self._intend(intent)
        except Moved:  # another instance has begun it
            return backup
        try:
            return replace(intent, operation=ask(self._ports, begin))
        except Ambiguous:  # the next look finds it, or not
            return backup
        except (Exists, Rejected) as refused:
            return backing.retried(intent, f"the export was refused: {refused}", self._now)

    def _counts(self, backup: Backup) -> dict[str, int]:
        """The documents of the declared collections at the moment that is exported."""
        count = partial(self._ports.system(backup.system).documents.count, backup.database)
        asked = {
            one: partial(count, Scope(one, everywhere=True), backup.snapshot_at)
            for one in self._policy.backups.collections
        }
        return {one: answered(found) for one, found in ask_all(self._ports, asked).items()}

    def _copied(self, backup: Backup) -> Backup:
        """The backup with more of its copy, or whole: what differs is copied again."""
        mirrors = self._ports.projects.export_buckets
        files: dict[str, Stored] = self._found(backup.bucket, f"{backup.folder}/")
        if not backing.is_as_exported(backup, files):
            reason = f"what was exported is not there any more: {len(files)} of {backup.objects}"
            return backing.retried(backup, f"{reason} files", self._now)
        if backup.second is None:
            return backing.whole_export(backup, self._now)
        if backup.configuration:
            files |= self._found(backup.bucket, backup.configuration)
        copies = self._found(backup.second, f"{backup.folder}/") | self._found(
            backup.second, backup.described_in
        )
        waiting = backing.differing(files, copies)
        if not waiting:
            return backing.whole_export(backup, self._now)
        until = self._ports.clock.monotonic() + FOR_SECONDS
        for name in waiting:
            token = backup.token if name == backup.copying else ""
            while self._ports.clock.monotonic() < until:
                part = partial(mirrors.copy, backup.bucket, name, backup.second, token)
                token = ask(self._ports, part, COPY_SECONDS)
                backup = replace(backup, copying=name if token else "", token=token)
                if not token:
                    break
        return backup

    def _described(self, backup: Backup) -> Backup:
        """The backup with all that is live beside it, as far as anybody has looked.

        Where that may not be written, the backup is none the worse, and it is logged.
        """
        if backup.configuration:
            return backup
        document = self._ports.store.get(stocks.inventory_path(backup.system))
        if document.fields is None:
            return backup
        content = backing.snapshot(stocks.decode(document.fields))
        write = partial(
            self._ports.projects.export_buckets.write, backup.bucket, backup.described_in, content
        )
        try:
            ask(self._ports, write)
        except Exists:  # of an attempt before
            pass
        except Rejected as refused:
            why = f"backup {backup.id}: what is live was not written beside it: {refused}"
            log.write("ERROR", why, event="backup.refused")
            return backup
        return replace(backup, configuration=backup.described_in)

    def _found(self, bucket: str, prefix: str) -> dict[str, Stored]:
        found: dict[str, Stored] = ask(
            self._ports, partial(self._ports.projects.export_buckets.listed, bucket, prefix)
        )
        return found


def before_deployment(ports: Ports, policy: Policy, deployment: str, now: datetime) -> None:
    """Have the intent of a backup of this minute on record; the clock carries it out.

    Nothing is recorded for a system that exports nothing, or a second time. Raises: Unavailable.
    """
    if policy.backups.bucket is not None:
        minute = now.replace(second=0, microsecond=0)
        _intend(ports, backing.begun(policy, minute, now, deployment), "on_deployment", now)


def _intend(ports: Ports, backup: Backup, actor: str, now: datetime) -> None:
    """Have a backup in the catalogue, once."""
    if ports.store.get(backing.export_path(backup.id)).fields is None:
        told = _told(backup, "backup.begun", now, actor)
        with suppress(Exists):  # another instance has put it there
            ports.store.commit([Create(backing.export_path(backup.id), encode(backup)), told])


def _turns(before: Backup, after: Backup) -> Iterable[str]:
    """What is written down of a step."""
    if after.attempt != before.attempt:
        yield "backup.retried"
    elif after.status is not before.status:
        yield TURNS[after.status]


def _told(backup: Backup, name: str, now: datetime, actor: str = ACTOR) -> Create:
    facts = {"backup": backup.id, "attempt": backup.attempt, "failure": backup.failure}
    return write_down(
        backup.system,
        f"{name}:{backup.id}:{backup.attempt}",
        event(name, now, actor, **facts),
    )
