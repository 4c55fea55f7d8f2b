"""Which databases there are: named, created, being filled, or gone."""

import re
import threading
import uuid
from collections.abc import Collection
from datetime import UTC
from enum import StrEnum
from typing import Any

import msgspec
from google.cloud.firestore_admin_v1 import types
from msgspec import Struct

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.services.firestore.statuses import (
    already_exists,
    failed_precondition,
    invalid_argument,
    not_found,
    unimplemented,
)
from local.services.firestore.timeline import DEFAULT_VERSION_RETENTION, PITR_VERSION_RETENTION
from local.services.firestore.writes.transactions import Concurrency
from shared.core.codec import from_msgpack

LOCATION = "nam5"
"""Where a database lies that nobody said a place for."""

_JOURNAL_SERVICE = "firestore-databases"
_ID = re.compile(r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]")
_Database = types.Database.pb()
_Type = types.Database.DatabaseType
_Recovery = types.Database.PointInTimeRecoveryEnablement
_PROTECTED = types.Database.DeleteProtectionState.DELETE_PROTECTION_ENABLED
_MODES = {
    types.Database.ConcurrencyMode.OPTIMISTIC: Concurrency.OPTIMISTIC,
    types.Database.ConcurrencyMode.PESSIMISTIC: Concurrency.PESSIMISTIC,
}
_OUTPUT_ONLY = (
    "uid",
    "create_time",
    "update_time",
    "delete_time",
    "version_retention_period",
    "earliest_version_time",
    "key_prefix",
    "previous_id",
    "source_info",
    "free_tier",
    "etag",
)
_MUTABLE = frozenset(
    {
        "app_engine_integration_mode",
        "concurrency_mode",
        "delete_protection_state",
        "point_in_time_recovery_enablement",
    }
)


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

    def __init__(
        self,
        clock: CloudClock,
        journal: Journal,
        concurrency: Concurrency = Concurrency.PESSIMISTIC,
        *,
        point_in_time_recovery: bool = False,
    ) -> None:
        """Mode of transactions and recovery are those of a database that asks for neither."""
        self._clock = clock
        self._journal = journal
        self._concurrency = concurrency
        self._point_in_time_recovery = point_in_time_recovery
        self._lock = threading.RLock()
        self._known: dict[str, _DatabaseRecord] = {}
        self._settings: dict[str, tuple[Concurrency, bool]] = {}
        for name, value in journal.read(_JOURNAL_SERVICE):
            self._remember(name, from_msgpack(value, _DatabaseRecord))

    def concurrency(self, name: str) -> Concurrency:
        """The mode of a database's transactions that name none themselves."""
        return self._settings.get(name, (self._concurrency, False))[0]

    def recovers(self, name: str) -> bool:
        """Whether the past of a database is readable for seven days instead of one hour."""
        return self._settings.get(name, (self._concurrency, self._point_in_time_recovery))[1]

    def any_recovers(self) -> bool:
        """Whether that of any database is."""
        return self._point_in_time_recovery or any(recovers for _, recovers in self._settings.values())

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
        """A new database with the settings that `asked` says.

        Raises: Refused INVALID_ARGUMENT, UNIMPLEMENTED, ALREADY_EXISTS.
        """
        name = f"{project}/databases/{database_id}"
        if not _ID.fullmatch(database_id):
            raise invalid_argument(f"Invalid database id: {database_id}")
        if asked.type_ == _Type.DATASTORE_MODE:
            raise invalid_argument("Datastore mode is not served here.")
        if asked.database_edition == types.Database.DatabaseEdition.ENTERPRISE:
            raise unimplemented("The Enterprise edition is not served here.")
        if not asked.location_id:
            raise invalid_argument("location_id is required.")
        with self._lock:
            known = self._known.get(name)
            if known is not None and known.state is not DatabaseState.GONE:
                raise already_exists("Database already exists. Please use another database_id")
            message = _Database()
            message.CopyFrom(asked)
            for field in _OUTPUT_ONLY:
                message.ClearField(field)
            message.MergeFrom(self._new(name, asked.location_id))
            self._keep(message, state)
            return self._described(self._known[name])

    def update(self, asked: Any, paths: Collection[str]) -> Any:
        """A database with those settings of `asked`; no paths: with all that it sets.

        Raises: Refused NOT_FOUND, INVALID_ARGUMENT (a setting that stays), FAILED_PRECONDITION
        (another etag).
        """
        for path in paths:
            if path not in _MUTABLE:
                raise invalid_argument(f"The field '{path}' of a database cannot be changed.")
        with self._lock:
            message = self._open(asked.name, asked.etag)
            for path in paths or [one.name for one, _ in asked.ListFields() if one.name in _MUTABLE]:
                setattr(message, path, getattr(asked, path))
            message.update_time.FromDatetime(self._clock.now())
            message.etag = uuid.uuid5(uuid.NAMESPACE_URL, str(message)).hex
            self._keep(message, self._known[message.name].state)
            return self._described(self._known[message.name])

    def mark_ready(self, name: str) -> None:
        """Let a database that was being filled be read and written."""
        with self._lock:
            self._keep(_Database.FromString(self._known[name].message), DatabaseState.OPEN)

    def delete(self, name: str, etag: str = "") -> Any:
        """The database that is gone; its id can be used again.

        Raises: Refused NOT_FOUND, FAILED_PRECONDITION (protected, or another etag).
        """
        with self._lock:
            message = self._open(name, etag)
            if message.delete_protection_state == _PROTECTED:
                raise failed_precondition(f"The database {name} is protected from deletion.")
            message.delete_time.FromDatetime(self._clock.now())
            self._keep(message, DatabaseState.GONE)
            return message

    def _open(self, name: str, etag: str) -> Any:
        """A database that is there, and is as whoever gives an etag knows it. Raises: Refused."""
        known = self._known.get(name)
        if known is None or known.state is DatabaseState.GONE:
            raise _database_not_found(name)
        message = _Database.FromString(known.message)
        if etag and etag != message.etag:
            raise failed_precondition("The etag is not that of the database.")
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
        self._remember(message.name, known)

    def _remember(self, name: str, known: _DatabaseRecord) -> None:
        self._known[name] = known
        if known.state is DatabaseState.GONE:
            self._settings.pop(name, None)
            return
        message = _Database.FromString(known.message)
        recovery = message.point_in_time_recovery_enablement
        recovers = (
            self._point_in_time_recovery
            if not recovery
            else recovery == _Recovery.POINT_IN_TIME_RECOVERY_ENABLED
        )
        self._settings[name] = _MODES.get(message.concurrency_mode, self._concurrency), recovers

    def _described(self, known: _DatabaseRecord) -> Any:
        message = _Database.FromString(known.message)
        recovers = self.recovers(message.name)
        retention = PITR_VERSION_RETENTION if recovers else DEFAULT_VERSION_RETENTION
        described = _Database(
            app_engine_integration_mode=types.Database.AppEngineIntegrationMode.DISABLED,
            concurrency_mode=next(
                mode for mode, ours in _MODES.items() if ours is self.concurrency(message.name)
            ),
            database_edition=types.Database.DatabaseEdition.STANDARD,
            delete_protection_state=types.Database.DeleteProtectionState.DELETE_PROTECTION_DISABLED,
            point_in_time_recovery_enablement=_Recovery.POINT_IN_TIME_RECOVERY_ENABLED
            if recovers
            else _Recovery.POINT_IN_TIME_RECOVERY_DISABLED,
            version_retention_period=retention,
        )
        described.MergeFrom(message)
        created = message.create_time.ToDatetime(UTC)
        described.earliest_version_time.FromDatetime(max(created, self._clock.now() - retention))
        return described


def _database_not_found(name: str) -> Exception:
    return not_found(f"The database {name} does not exist.")
