"""Native backups of Firestore: schedules, what they made, and how far back a database reads."""

from dataclasses import dataclass
from datetime import UTC
from typing import Any

from google.cloud.firestore_admin_v1 import types

from shared.adapters.gcp.errors import call_once
from shared.core.errors import Unavailable
from shared.domain.data.backups.backup_records import BackupSchedule, Database, NativeBackup, Recurrence

PAST_PERMISSIONS = ("datastore.backups.list", "datastore.databases.getMetadata")
"""What there is to come back to."""
PERMISSIONS = ("datastore.backupSchedules.list", *PAST_PERMISSIONS)

_ENABLED = types.Database.PointInTimeRecoveryEnablement.POINT_IN_TIME_RECOVERY_ENABLED
_READY = types.Backup.State.READY
_RECURRENCES = {"daily_recurrence": Recurrence.DAILY, "weekly_recurrence": Recurrence.WEEKLY}


@dataclass
class FirestoreBackups:
    """A Backups over one project. The client's own retries are off."""

    _admin: Any
    _project: str

    def database(self, database: str) -> Database:
        answer = call_once(
            self._admin.get_database, {"name": f"projects/{self._project}/databases/{database}"}
        )
        found = types.Database.pb(answer)
        return Database(
            location=found.location_id,
            point_in_time_recovery=found.point_in_time_recovery_enablement == _ENABLED,
            earliest_at=found.earliest_version_time.ToDatetime(UTC),
        )

    def schedules(self, database: str) -> list[BackupSchedule]:
        """Those of one database, daily before weekly."""
        request = {"parent": f"projects/{self._project}/databases/{database}"}
        answer = call_once(self._admin.list_backup_schedules, request)
        found = map(_schedule, map(types.BackupSchedule.pb, answer.backup_schedules))
        return sorted((one for one in found if one), key=lambda one: one.recurrence)

    def backups(self, database: str) -> list[NativeBackup]:
        """Those of one database, wherever they lie."""
        name = f"projects/{self._project}/databases/{database}"
        answer = call_once(self._admin.list_backups, {"parent": f"projects/{self._project}/locations/-"})
        if answer.unreachable:
            raise Unavailable(f"no answer from {', '.join(answer.unreachable)}")
        found = [_backup(one) for one in answer.backups if one.database == name]
        return sorted(found, key=lambda one: one.snapshot_at)


def _schedule(found: Any) -> BackupSchedule | None:
    """None for a recurrence that this version of the API does not know."""
    recurrence = _RECURRENCES.get(found.WhichOneof("recurrence"))
    if recurrence is None:
        return None
    return BackupSchedule(
        recurrence=recurrence,
        kept=found.retention.ToTimedelta(),
        created_at=found.create_time.ToDatetime(UTC),
    )


def _backup(answer: Any) -> NativeBackup:
    found = types.Backup.pb(answer)
    return NativeBackup(
        name=found.name,
        snapshot_at=found.snapshot_time.ToDatetime(UTC),
        expires_at=found.expire_time.ToDatetime(UTC),
        is_ready=found.state == _READY,
        documents=found.stats.document_count,
    )
