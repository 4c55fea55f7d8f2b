"""A moment of the data to come back to: as people name it, and where it can still be had. Pure.

A database is read as of a whole minute of its window (point-in-time recovery); beyond that there
are backups, each of one moment. One that was never restored to try it is taken only by its name.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from shared.core.codec import FrozenStruct
from shared.core.durations import ceil_to_minute, floor_to_minute, parse_duration
from shared.core.errors import Refused
from shared.core.text import suggest_names
from shared.domain.data.backups.backup_records import Database, NativeBackup
from shared.domain.data.backups.export import Backup, ExportStatus
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.restore_test import RestoreTest
from shared.domain.deployments.deployment import Deployment

LATEST_RESTORE_POINT = "latest"
"""The newest backup that was restored to test it, else the data that a check last found valid."""
ACCEPTED_FORMS = (
    "latest, a time such as 2026-03-02T12:00:00Z or 20260302_1200 (UTC in a message, local time in the "
    "CLI), a span back such as 1h, a deployment, a backup or a copy"
)
MAX_SUGGESTIONS_PER_SIDE = 2

STAMP = re.compile(r"[0-9]{8}_[0-9]{4}")
STAMP_FORMAT = "%Y%m%d_%H%M"
_DAY_FIRST = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class RestoreSource(StrEnum):
    """Where the data of a restore point comes from."""

    WINDOW = "window"
    """The database itself, read as of then."""
    NATIVE = "native backup"
    EXPORT = "export"
    COPY = "copy"
    """A database of its own (`shared.domain.data.backups.database_copy`), read as it is."""


class RestorePoint(FrozenStruct):
    """A moment that the data can be had of."""

    at: datetime
    source: RestoreSource
    place: str = ""
    """`gs://BUCKET/FOLDER` of an export, the full name of a native backup, a copy's database."""
    backup: str = ""
    """As the catalogue and the proofs call it, or the copy's name; empty: of the window."""
    proven_at: datetime | None = None
    """When the backup or copy was tested; None: never, or it is of the window."""
    until: datetime | None = None
    """About when it cannot be had any more; None: nobody knows."""
    documents: int = 0
    """How many documents a backup holds; 0: nobody knows."""

    @property
    def is_verified(self) -> bool:
        """Whether it was tried, or is the database's own past."""
        return self.source is RestoreSource.WINDOW or self.proven_at is not None

    @property
    def name(self) -> str:
        """What chooses this one, later too: the backup, or the minute."""
        return self.backup or f"{self.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

    def read_source(self, original: str) -> tuple[str, datetime | None] | None:
        """Return the database and moment to read (None: as it is); None: copy it first."""
        match self.source:
            case RestoreSource.WINDOW:
                return original, self.at
            case RestoreSource.COPY:
                return self.place, None
        return None

    def __str__(self) -> str:
        said = f"{self.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        if self.source is RestoreSource.WINDOW:
            return said
        tried = f"proven {self.proven_at:%Y-%m-%d}" if self.proven_at else "never proven"
        return f"{said} ({self.source} {self.backup}, {tried})"


class AvailablePoints(FrozenStruct):
    """What there is of one database's past, each part as it was seen."""

    now: datetime
    database: Database | None
    """None: there is no such database (any more)."""
    exports: tuple[Backup, ...] = ()
    natives: tuple[NativeBackup, ...] = ()
    proofs: tuple[RestoreTest, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    copies: tuple[RestorePoint, ...] = ()
    """Those that are ready: each is meant by its name alone."""
    valid_at: datetime | None = None
    """The minute at which a check last found the data valid; None: no check did."""

    @property
    def window(self) -> tuple[RestorePoint, RestorePoint] | None:
        """The first and the last whole minute that can be read; None: there is none."""
        if self.database is None:
            return None
        first, newest = ceil_to_minute(self.database.earliest_at), floor_to_minute(self.now)
        if first > newest:
            return None
        return self._build_point(first), self._build_point(newest)

    def find_point(self, at: datetime) -> RestorePoint | None:
        """That minute, where the database can be read as of it."""
        window = self.window
        if window is None or not window[0].at <= at <= window[1].at:
            return None
        return self._build_point(at)

    @property
    def backups(self) -> list[RestorePoint]:
        """What can be restored, the oldest first."""
        over = (one for one in self.proofs if one.is_over)
        newest = {one.backup: one for one in sorted(over, key=lambda one: one.began_at)}
        proven = {
            name: one.ended_at or one.began_at
            for name, one in newest.items()
            if one.status is FillStatus.PROVEN
        }
        return sorted(_restorable_backups(self.exports, self.natives, proven), key=lambda one: one.at)

    @property
    def verified_points(self) -> list[RestorePoint]:
        """The bounds of the window and the backups that were tried, the oldest first."""
        known = [*(self.window or ()), *(one for one in self.backups if one.is_verified)]
        return sorted(known, key=lambda one: one.at)

    def measured_rate(self, source: RestoreSource) -> float | None:
        """Return the documents a second of the newest timed restore test; None: there is none."""
        sizes = {one.backup: one.documents for one in self.backups if one.source is source and one.documents}
        known = ((one.began_at, sizes.get(one.backup, 0), one.duration) for one in self.proofs)
        rates = {began: size / took.total_seconds() for began, size, took in known if size and took}
        return rates[max(rates)] if rates else None

    def _build_point(self, at: datetime) -> RestorePoint:
        kept = self.now - self.database.earliest_at if self.database else timedelta()
        return RestorePoint(at, RestoreSource.WINDOW, until=at + kept)


def resolve_restore_point(text: str, kept: AvailablePoints) -> RestorePoint:
    """Resolve the point, with nothing newer in it. Raises: Refused, with the nearest ones."""
    if text == LATEST_RESTORE_POINT:
        return _latest_verified_point(kept)
    points = (*kept.backups, *kept.copies)
    named = {name: one for one in points for name in (one.backup, one.place)}.get(text)
    deployment = {one.id: one for one in kept.deployments}.get(text)
    by_name = [named.at] if named is not None else []
    by_name += [_minute_before_deployment(deployment)] if deployment is not None else []
    try:
        at = parse_time_or_span(text, kept.now)
    except Refused:
        if not by_name:
            raise
        at = None
    if at is not None and by_name:
        either = " or ".join(f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in (floor_to_minute(at), *by_name))
        raise Refused(f"restore_point: {text[:80]} is a time and a name as well: say {either}")
    if at is not None:
        return _restore_point_at(floor_to_minute(at), text, kept)
    if named is not None:
        return named
    if deployment is not None:
        return _restore_point_before(deployment, kept)
    known = [LATEST_RESTORE_POINT, *(one.id for one in kept.deployments), *(one.backup for one in points)]
    raise Refused(f"restore_point: {text[:80]} is none{suggest_names(text, known)}; say {ACCEPTED_FORMS}")


def make_absolute(text: str, now: datetime) -> str:
    """What somebody says now, so that it means the same later: a span back becomes its time."""
    with suppress(ValueError, OverflowError):
        return f"{now - parse_duration(text):%Y-%m-%dT%H:%M:%SZ}"
    return text


def parse_time_or_span(text: str, now: datetime) -> datetime | None:
    """Parse a time, or a span back from now; None: neither. Raises: Refused, without a zone."""
    with suppress(ValueError, OverflowError):
        return now - parse_duration(text)
    try:
        if STAMP.fullmatch(text):
            return datetime.strptime(text, STAMP_FORMAT).replace(tzinfo=UTC)
        if not _DAY_FIRST.match(text):
            return None
        said = datetime.fromisoformat(text)
        if said.tzinfo is None:
            raise Refused(f"restore_point: {text[:80]} has no zone: end it with Z for UTC")
        return said.astimezone(UTC)
    except (ValueError, OverflowError) as none:
        raise Refused(f"restore_point: {text[:80]} is no time; say {ACCEPTED_FORMS}") from none


def _latest_verified_point(kept: AvailablePoints) -> RestorePoint:
    """The newest proven backup or valid data within the window, else that backup itself."""
    proven = [one for one in kept.backups if one.is_verified]
    for at in (*(floor_to_minute(one.at) for one in proven[-1:]), kept.valid_at):
        if at is not None and (found := kept.find_point(at)):
            return found
    if not proven:
        untried = _untested_names(kept.backups)
        raise Refused(f"restore_point: no backup is proven{untried}{_suggest_nearest(kept, kept.now)}")
    return proven[-1]


def _restore_point_at(at: datetime, text: str, kept: AvailablePoints) -> RestorePoint:
    """The minute from the window, else the proven backup of exactly that minute."""
    if at > kept.now:
        raise Refused(f"restore_point: {text[:80]} is in the future")
    found = kept.find_point(at)
    there = [one for one in kept.backups if floor_to_minute(one.at) == at]
    sure = [one for one in there if one.is_verified]
    if found or sure:
        return found or sure[-1]
    said = f"restore_point: {at:%Y-%m-%d %H:%M} UTC cannot be had"
    raise Refused(f"{said}{_untested_names(there)}{_suggest_nearest(kept, at)}")


def _minute_before_deployment(deployment: Deployment) -> datetime:
    return floor_to_minute(deployment.backup_at or deployment.at)


def _restore_point_before(deployment: Deployment, kept: AvailablePoints) -> RestorePoint:
    """The data as it was before the deployment: the backup made for it is as good as the minute."""
    at = _minute_before_deployment(deployment)
    found = kept.find_point(at)
    if found:
        return found
    made_for = [one for one in kept.backups if one.backup.endswith(f"-before-{deployment.id}")]
    if any(one.is_verified for one in made_for):
        return made_for[-1]
    said = f"restore_point: {at:%Y-%m-%d %H:%M} UTC, before {deployment.id}, cannot be had"
    raise Refused(f"{said}{_untested_names(made_for)}{_suggest_nearest(kept, at)}")


def _untested_names(points: Iterable[RestorePoint]) -> str:
    names = [one.backup for one in points if not one.is_verified]
    if not names:
        return ""
    return f"; never proven, and taken by its name alone: {', '.join(names[-MAX_SUGGESTIONS_PER_SIDE:])}"


def _suggest_nearest(kept: AvailablePoints, at: datetime) -> str:
    earlier = [one for one in kept.verified_points if one.at < at][-MAX_SUGGESTIONS_PER_SIDE:]
    later = [one for one in kept.verified_points if one.at >= at][:MAX_SUGGESTIONS_PER_SIDE]
    if not (earlier or later):
        return "; nothing else can be had either"
    return f"; nearest: {', '.join(map(str, (*earlier, *later)))}"


def _restorable_backups(
    exports: Iterable[Backup], natives: Iterable[NativeBackup], proven: Mapping[str, datetime]
) -> Iterator[RestorePoint]:
    for one in exports:
        if one.status is ExportStatus.KEPT:
            place, rest = one.places[0], (proven.get(one.id), one.expires_at, one.documents)
            yield RestorePoint(one.snapshot_at, RestoreSource.EXPORT, place, one.id, *rest)
    for native in natives:
        if native.is_ready:
            name, rest = native.name, (proven.get(native.name), native.expires_at, native.documents)
            yield RestorePoint(native.snapshot_at, RestoreSource.NATIVE, name, name, *rest)
