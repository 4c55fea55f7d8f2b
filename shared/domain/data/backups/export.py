"""A backup by export, from its intent to the compared copy on the second continent. Pure.

One document of the catalogue each, `backups/{id}`. Its name, and the folder of its files, are made
of system and time slot, so that a second attempt after a death finds what the first one began.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from shared.core.codec import StoredDocument, documents_of
from shared.core.durations import floor_to_minute
from shared.domain.data.backups.backup_records import Export, ObjectMetadata
from shared.domain.deployments.inventory.inventory_record import InventoryRecord
from shared.domain.policy.system_policy import Policy
from shared.domain.retention import RECORD_RETENTION

MAX_EXPORT_ATTEMPTS = 3
"""Exports that fail late are begun anew, so often in all."""
REQUEST_TIMEOUT = timedelta(minutes=1)
"""So long a request to begin an export may be on its way: well over the client's time-out."""
MAX_SNAPSHOT_AGE = timedelta(minutes=50)
"""So old a moment can be exported, whether or not there is point-in-time recovery (an hour)."""
FINAL_FILE_SUFFIX = ".overall_export_metadata"
"""Ends the name of the file that an export writes last."""
export_path = documents_of("backups")


class ExportStatus(StrEnum):
    """How far a backup has come."""

    EXPORTING = "EXPORTING"
    COPYING = "COPYING"
    KEPT = "KEPT"
    FAILED = "FAILED"


class Backup(StoredDocument):
    """One entry of the catalogue."""

    id: str
    system: str
    database: str
    bucket: str
    second: str | None
    slot_at: datetime
    snapshot_at: datetime
    """The one moment that its documents are of; a whole minute."""
    began_at: datetime
    status: ExportStatus = ExportStatus.EXPORTING
    is_over: bool = False
    """Whether nothing more is done for it: what is looked for in the store."""
    attempt: int = 1
    asks: int = 0
    """How often an export was asked for; each time it goes into a folder of its own."""
    asked_at: datetime | None = None
    """When the export of this attempt was asked for; None: not yet."""
    operation: str = ""
    copying: str = ""
    """The object that is copied in part, by its token."""
    token: str = ""
    ended_at: datetime | None = None
    documents: int = 0
    objects: int = 0
    size_bytes: int = 0
    counts: dict[str, int] = {}
    """Documents per declared collection group at that moment."""
    places: tuple[str, ...] = ()
    """Where whole and equal copies lie: `gs://BUCKET/FOLDER`."""
    configuration: str = ""
    """The object with all that was live then, beside the folder; empty: none lies there."""
    failure: str = ""
    held_by: str = ""
    """Who keeps it beyond its time, by a legal hold; empty: nobody."""
    expires_at: datetime | None = None

    @property
    def folder(self) -> str:
        """The folder in each bucket; another one per attempt, so that a late one harms none."""
        database, name = self.database.strip("()"), self.id.removeprefix(f"{self.system}-")
        again = f"-{self.asks}" if self.asks > 1 else ""
        return f"{self.system}/{database}/{name}{again}"

    @property
    def inventory_object(self) -> str:
        """The name of the object with all that was live; an import does not look there."""
        return f"{self.folder}.json"

    @property
    def prefix(self) -> str:
        """Where its export is."""
        return f"gs://{self.bucket}/{self.folder}"


def encode_inventory(stock: InventoryRecord) -> bytes:
    """What was live when that was last read, as JSON; no secret is in it, nor a plain value."""
    content = {"system": stock.system, "read_at": stock.read_at, "live": stock.live}
    return msgspec.json.format(msgspec.json.encode(content))


def slot_start(every: timedelta, now: datetime) -> datetime:
    """The beginning of the time slot that `now` lies in; slots begin at midnight, UTC."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (now - midnight) // every * every


def backup_id(system: str, slot_at: datetime) -> str:
    """The name of the backup of a time slot."""
    return f"{system}-{slot_at:%Y%m%dT%H%MZ}"


def create_backup(policy: Policy, slot_at: datetime, now: datetime, before: str = "") -> Backup:
    """The intent of a backup of a slot, or of the deployment `before`, with a readable moment."""
    rules = policy.backups
    return Backup(
        id=f"{policy.system}-before-{before}" if before else backup_id(policy.system, slot_at),
        system=policy.system,
        database=rules.database,
        bucket=rules.bucket or "",
        second=rules.second,
        slot_at=slot_at,
        snapshot_at=exportable_time(slot_at, now),
        began_at=now,
        expires_at=now + RECORD_RETENTION,
    )


def may_request(asked_at: datetime | None, now: datetime) -> bool:
    """Whether no request of that time, to export or to fill, can be on its way any more."""
    return asked_at is None or now >= asked_at + REQUEST_TIMEOUT


def mark_requested(backup: Backup, counts: Mapping[str, int], now: datetime) -> Backup:
    """Mark the export as requested, with the counts of its moment: later it may be unreadable."""
    return replace(backup, asks=backup.asks + 1, asked_at=now, counts=dict(counts))


def is_late(backup: Backup, policy: Policy, now: datetime) -> bool:
    """Whether the next one is due and this one is not over."""
    return now >= backup.began_at + policy.backups.every


def record_failed_attempt(backup: Backup, failure: str, now: datetime) -> Backup:
    """The backup after an attempt that failed: the next one, or its end."""
    if backup.attempt == MAX_EXPORT_ATTEMPTS:
        return mark_failed(backup, failure, now)
    return replace(
        backup,
        status=ExportStatus.EXPORTING,
        attempt=backup.attempt + 1,
        asked_at=None,
        operation="",
        copying="",
        token="",
        configuration="",
        failure=failure,
    )


def mark_failed(backup: Backup, failure: str, now: datetime) -> Backup:
    """The backup that is none."""
    return replace(backup, status=ExportStatus.FAILED, is_over=True, ended_at=now, failure=failure, places=())


def mark_exported(
    backup: Backup, export: Export, files: Mapping[str, ObjectMetadata], now: datetime
) -> Backup:
    """The backup whose export is over, by what the service says of it and what lies there.

    An export counts documents itself, and so does the database: it cannot hold fewer of them all
    than the declared collections alone.
    """
    if not any(name.endswith(FINAL_FILE_SUFFIX) for name in files):
        return record_failed_attempt(backup, "the file that closes the export is missing", now)
    least = sum(backup.counts.values())
    if export.documents < least:
        reason = f"the export has {export.documents} documents, the collections alone {least}"
        return record_failed_attempt(backup, reason, now)
    return replace(
        backup,
        status=ExportStatus.COPYING,
        snapshot_at=export.snapshot_at or backup.snapshot_at,
        documents=export.documents,
        objects=len(files),
        size_bytes=_total_bytes(files),
        failure="",
    )


def has_unchanged_files(backup: Backup, files: Mapping[str, ObjectMetadata]) -> bool:
    """Whether there lies what lay there when its export was over."""
    return (len(files), _total_bytes(files)) == (backup.objects, backup.size_bytes)


def find_differing_files(
    files: Mapping[str, ObjectMetadata], copies: Mapping[str, ObjectMetadata]
) -> tuple[str, ...]:
    """The names whose copy is missing, cut short or otherwise not the same, in order."""
    return tuple(name for name in sorted(files) if copies.get(name) != files[name])


def mark_complete(backup: Backup, now: datetime) -> Backup:
    """The backup that lies whole in each of its places."""
    buckets = (backup.bucket, *([backup.second] if backup.second else []))
    return replace(
        backup,
        status=ExportStatus.KEPT,
        is_over=True,
        ended_at=now,
        copying="",
        token="",
        failure="",
        places=tuple(f"gs://{bucket}/{backup.folder}" for bucket in buckets),
    )


def exportable_time(wanted: datetime, now: datetime) -> datetime:
    """The wanted whole minute, or the last one where that can be exported no more."""
    if now - wanted <= MAX_SNAPSHOT_AGE:
        return wanted
    return floor_to_minute(now)


def _total_bytes(files: Mapping[str, ObjectMetadata]) -> int:
    return sum(one.size_bytes for one in files.values())
