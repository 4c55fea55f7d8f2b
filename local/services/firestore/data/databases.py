"""Which databases there are: named, created, being filled, or gone."""

import re
import threading
import uuid
from datetime import UTC
from enum import StrEnum
from typing import Any

import msgspec
from google.cloud.firestore_admin_v1 import types
from msgspec import Struct

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.services.firestore.statuses import already_exists, failed_precondition, invalid_argument, not_found
from local.services.firestore.timeline import DEFAULT_VERSION_RETENTION, PITR_VERSION_RETENTION
from shared.core.codec import from_msgpack

LOCATION = "nam5"
"""Where a database lies that nobody said a place for."""

_JOURNAL_SERVICE = "firestore-databases"
_ID = re.compile(r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]")
_Database = types.Database.pb()
_Type = types.Database.DatabaseType
_Recovery = types.Database.PointInTimeRecoveryEnablement
_PROTECTED = types.Database.DeleteProtectionState.DELETE_PROTECTION_ENABLED


class DatabaseState(StrEnum):
    """What can be done with a database."""

    OPEN = "open"
    FILLING = "filling"
    """A restore or a clone is under way: it is there, and nobody reads or writes it."""
    GONE = "gone"


class _DatabaseRecord(Struct, frozen=True):
    message: bytes
    state: DatabaseState


class Databases:
    """A database is there once it is named, until it is deleted; safe for threads."""

    def __init__(self, clock: CloudClock, journal: Journal, *, point_in_time_recovery: bool) -> None:
        self._clock = clock
        self._journal = journal
        self._point_in_time_recovery = point_in_time_recovery
        self._lock = threading.RLock()
        self._known = {
            name: from_msgpack(value, _DatabaseRecord) for name, value in journal.read(_JOURNAL_SERVICE)
        }

    def require_usable(self, name: str) -> None:
        """Nothing, once documents of the database can be read and written.

        Raises: Refused NOT_FOUND when it was deleted, FAILED_PRECONDITION while it is filled.
        """
        with self._lock:
            known = self._known.get(name)
            if known is None:
                self._keep(self._new(name, LOCATION), DatabaseState.OPEN)
            elif known.state is DatabaseState.GONE:
                raise _database_not_found(name)
            elif known.state is DatabaseState.FILLING:
                raise failed_precondition(f"The database {name} is not ready yet.")

    def find(self, name: str) -> Any:
        """A database, with how far back it can be read. Raises: Refused NOT_FOUND."""
        with self._lock:
            known = self._known.get(name)
        if known is None or known.state is DatabaseState.GONE:
            raise _database_not_found(name)
        return self._described(known)

    def of(self, project: str) -> list[Any]:
        """Those of `projects/P`, by name."""
        with self._lock:
            known = sorted(self._known.items())
        return [
            self._described(one)
            for name, one in known
            if name.startswith(f"{project}/databases/") and one.state is not DatabaseState.GONE
        ]

    def create(self, project: str, database_id: str, asked: Any, state: DatabaseState) -> Any:
        """A new database at the place and with the protection that `asked` says.

        Raises: Refused INVALID_ARGUMENT, ALREADY_EXISTS.
        """
        name = f"{project}/databases/{database_id}"
        if not _ID.fullmatch(database_id):
            raise invalid_argument(f"Invalid database id: {database_id}")
        if asked.type_ == _Type.DATASTORE_MODE:
            raise invalid_argument("Datastore mode is not served here.")
        with self._lock:
            known = self._known.get(name)
            if known is not None and known.state is not DatabaseState.GONE:
                raise already_exists("Database already exists. Please use another database_id")
            message = self._new(name, asked.location_id or LOCATION)
            message.delete_protection_state = asked.delete_protection_state
            self._keep(message, state)
            return message

    def mark_ready(self, name: str) -> None:
        """Let a database that was being filled be read and written."""
        with self._lock:
            self._keep(_Database.FromString(self._known[name].message), DatabaseState.OPEN)

    def delete(self, name: str, etag: str = "") -> Any:
        """The database that is gone; its id can be used again.

        Raises: Refused NOT_FOUND, FAILED_PRECONDITION (protected, or another etag).
        """
        with self._lock:
            known = self._known.get(name)
            if known is None or known.state is DatabaseState.GONE:
                raise _database_not_found(name)
            message = _Database.FromString(known.message)
            if message.delete_protection_state == _PROTECTED:
                raise failed_precondition(f"The database {name} is protected from deletion.")
            if etag and etag != message.etag:
                raise failed_precondition("The etag is not that of the database.")
            message.delete_time.FromDatetime(self._clock.now())
            self._keep(message, DatabaseState.GONE)
            return message

    def _new(self, name: str, location: str) -> Any:
        now = self._clock.now()
        message = _Database(
            name=name,
            uid=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name} {now.isoformat()}")),
            location_id=location,
            type_=_Type.FIRESTORE_NATIVE,
        )
        message.etag = uuid.uuid5(uuid.NAMESPACE_URL, message.uid).hex
        message.create_time.FromDatetime(now)
        message.update_time.FromDatetime(now)
        return message

    def _keep(self, message: Any, state: DatabaseState) -> None:
        known = _DatabaseRecord(message.SerializeToString(), state)
        self._journal.write(_JOURNAL_SERVICE, [(message.name, msgspec.msgpack.encode(known))])
        self._known[message.name] = known

    def _described(self, known: _DatabaseRecord) -> Any:
        retention = PITR_VERSION_RETENTION if self._point_in_time_recovery else DEFAULT_VERSION_RETENTION
        message = _Database.FromString(known.message)
        message.point_in_time_recovery_enablement = (
            _Recovery.POINT_IN_TIME_RECOVERY_ENABLED
            if self._point_in_time_recovery
            else _Recovery.POINT_IN_TIME_RECOVERY_DISABLED
        )
        message.version_retention_period.FromTimedelta(retention)
        created = message.create_time.ToDatetime(UTC)
        message.earliest_version_time.FromDatetime(max(created, self._clock.now() - retention))
        return message


def _database_not_found(name: str) -> Exception:
    return not_found(f"The database {name} does not exist.")
