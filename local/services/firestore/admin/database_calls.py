"""The parts of `FirestoreAdmin` about whole databases: exports, imports, backups and copies."""

import re
from typing import Any

import grpc
from google.cloud.firestore_admin_v1 import types
from google.protobuf import empty_pb2
from google.protobuf.message import Message

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.faults.hooks import FaultHooks
from local.services.firestore.admin import exports, imports, restores
from local.services.firestore.admin.backups import DatabaseBackups
from local.services.firestore.admin.exports import DocumentExports
from local.services.firestore.admin.imports import DocumentImports
from local.services.firestore.admin.operations import LongRunningOperations
from local.services.firestore.admin.restores import DatabaseRestores
from local.services.firestore.data.databases import DatabaseState
from local.services.firestore.names import check_database
from local.services.firestore.service import FirestoreService
from local.services.firestore.statuses import invalid_argument, unimplemented
from local.services.storage.buckets import Buckets

_PROJECT = re.compile(r"projects/[^/]+")
_LOCATION = re.compile(r"projects/[^/]+/locations/[^/]+")
_Created = types.CreateDatabaseMetadata.pb()
_Updated = types.UpdateDatabaseMetadata.pb()
_Deleted = types.DeleteDatabaseMetadata.pb()
_Databases = types.ListDatabasesResponse.pb()
_ListedBackups = types.ListBackupsResponse.pb()
_Schedules = types.ListBackupSchedulesResponse.pb()


class DatabaseAdminCalls:
    """Exports, backups and copies of databases, with `operations` that end later."""

    def __init__(
        self,
        firestore: FirestoreService,
        buckets: Buckets,
        clock: CloudClock,
        journal: Journal,
        faults: FaultHooks,
    ) -> None:
        engine, databases = firestore.engine, firestore.databases
        self._firestore = firestore
        self.operations = LongRunningOperations(clock, journal, faults)
        self.backups = DatabaseBackups(engine, databases, clock, journal, faults)
        self._exports = DocumentExports(engine, self.operations, buckets, clock)
        self._imports = DocumentImports(engine, self.operations, buckets)
        self._copies = DatabaseRestores(engine, databases, self.backups, self.operations)
        self.operations.kinds = {
            exports.KIND: (exports.METADATA, self._exports.finish),
            imports.KIND: (imports.METADATA, self._imports.finish),
            restores.RESTORE: (restores.RESTORED, self._copies.finish),
            restores.CLONE: (restores.CLONED, self._copies.finish),
        }

    def catch_up(self) -> None:
        """Make the backups and end the operations that are due."""
        self.backups.catch_up()
        self.operations.catch_up()

    def ExportDocuments(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The operation of a new export."""
        return self._exports.begin(request)

    def ImportDocuments(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The operation that puts an export's documents into a database."""
        self._firestore.databases.require_usable(check_database(request.name))
        return self._imports.begin(request)

    def RestoreDatabase(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The operation that fills a new database from a backup."""
        self.catch_up()
        return self._copies.restore(request)

    def CloneDatabase(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The operation that fills a new database from another's past."""
        self.operations.catch_up()
        return self._copies.clone(request)

    def GetDatabase(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A database by its full name."""
        found: Message = self._firestore.databases.find(check_database(request.name))
        return found

    def ListDatabases(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The databases of a project that were named or created."""
        return _Databases(databases=self._firestore.databases.of(_require_name(request.parent, _PROJECT)))

    def CreateDatabase(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """An operation that is over already, with the empty database."""
        project = _require_name(request.parent, _PROJECT)
        made = self._firestore.databases.create(
            project, request.database_id, request.database, DatabaseState.OPEN
        )
        return self.operations.completed(made.name, _Created(), made)

    def UpdateDatabase(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """An operation that is over already, with the database and its settings from now on."""
        check_database(request.database.name)
        made = self._firestore.databases.update(request.database, request.update_mask.paths)
        return self.operations.completed(made.name, _Updated(), made)

    def DeleteDatabase(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """An operation that is over already; database and documents are gone, backups stay."""
        self.operations.catch_up()
        gone = self._firestore.databases.delete(check_database(request.name), request.etag)
        self._firestore.engine.drop(gone.name)
        return self.operations.completed(gone.name, _Deleted(), gone)

    def CreateBackupSchedule(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The new schedule."""
        self._firestore.databases.require_usable(check_database(request.parent))
        made: Message = self.backups.create_schedule(request.parent, request.backup_schedule)
        return made

    def GetBackupSchedule(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A schedule by its full name."""
        found: Message = self.backups.schedule(request.name)
        return found

    def ListBackupSchedules(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The schedules of a database, two at most."""
        database = check_database(request.parent)
        return _Schedules(backup_schedules=self.backups.schedules(database))

    def UpdateBackupSchedule(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The schedule with another retention."""
        if set(request.update_mask.paths) - {"retention"}:
            raise unimplemented("Of a schedule only its retention can be changed here.")
        changed: Message = self.backups.update_schedule(request.backup_schedule)
        return changed

    def DeleteBackupSchedule(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """Nothing, once the schedule is gone."""
        self.backups.delete_schedule(request.name)
        return empty_pb2.Empty()

    def GetBackup(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A backup by its full name."""
        self.backups.catch_up()
        found: Message = self.backups.backup(request.name)
        return found

    def ListBackups(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The backups of a location (`-`: of all)."""
        self.backups.catch_up()
        parent = _require_name(request.parent, _LOCATION)
        return _ListedBackups(backups=self.backups.of(parent, request.filter))

    def DeleteBackup(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """Nothing, once the backup is gone."""
        self.backups.delete(request.name)
        return empty_pb2.Empty()


def _require_name(name: str, form: re.Pattern[str]) -> str:
    if not form.fullmatch(name):
        raise invalid_argument(f'"{name}" is not a parent of what is asked for.')
    return name
