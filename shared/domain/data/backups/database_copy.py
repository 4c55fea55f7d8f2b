"""A copy of a database as of a restore point, from its intent to its end. Pure.

One document each, `copies/{id}`; the copy is a database of that name, which is on record before it
is made. Nobody's own data is touched: a copy is read, or a person lets the application use it
(docs/cutover.md), and what nobody uses is deleted once its time is over.
"""

import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from msgspec import field
from msgspec.structs import replace

from shared.core.codec import documents_of
from shared.core.text import count_noun
from shared.domain.data.backups.backup_records import database_name_part
from shared.domain.data.backups.filled_database import (
    FilledDatabase,
    FillStatus,
    faulty_collections,
    mark_ended,
)
from shared.domain.data.backups.restore_point import RestorePoint
from shared.domain.data.integrity import scan
from shared.domain.policy.resources import CopyRules
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.retention import RECORD_RETENTION

MAX_COPIES_PER_SYSTEM = 2
DELETION_TIMEOUT = timedelta(hours=1)
"""Whoever works on it has ended by then: what still may not be deleted is somebody's."""
_PREFIX = "copy-"


NOTICE_SEVERITIES: Mapping[str, Severity] = {
    "copy.ready": Severity.HIGH,
    "copy.failed": Severity.HIGH,
    "copy.ends": Severity.MEDIUM,
    "copy.deleted": Severity.LOW,
    "copy.left": Severity.MEDIUM,
}
CUTOVER_INSTRUCTION = "let the application use it as docs/cutover.md says"
copy_path = documents_of("copies")


class DatabaseCopy(FilledDatabase, kw_only=True):
    """One copy, and what came of it."""

    CLOSES = FillStatus.LETTING_GO
    point: RestorePoint
    location: str
    """Where it is made; of a native backup that is the backup's place anyway."""
    command: str
    actor: str
    reason: str
    status: FillStatus = FillStatus.MAKING
    filled_at: datetime | None = field(default=None, name="made_at")
    purged_at: datetime | None = None
    """When it was begun last to take people out who were erased: again while it is kept."""
    ready_at: datetime | None = None
    counts: dict[str, int] = {}
    """Documents of each declared collection when it was ready: others mean that it is used."""
    kept_until: datetime | None = None
    reminded_at: datetime | None = None

    @property
    def database(self) -> str:
        """Its name is its database's, too."""
        return self.id

    @property
    def as_of(self) -> datetime:
        """The moment whose documents it holds."""
        return self.point.at


def new_copy_id(system: str, now: datetime) -> str:
    """The name of a copy that is asked for now, and of its database."""
    return f"{_PREFIX}{database_name_part(system)}-{now.astimezone(UTC):%Y%m%d%H%M%S}"


def mark_ready(
    copy: DatabaseCopy, counts: Mapping[str, int], rules: CopyRules, now: datetime
) -> DatabaseCopy:
    """The copy once all was looked through."""
    return replace(
        copy,
        status=FillStatus.READY,
        counts=dict(counts),
        ready_at=now,
        kept_until=now + rules.kept,
        waiting="",
    )


def should_remind(copy: DatabaseCopy, rules: CopyRules, now: datetime) -> bool:
    """Whether people are to be told now that its end is near: at three quarters of its time."""
    if copy.status is not FillStatus.READY or copy.kept_until is None or copy.reminded_at is not None:
        return False
    return copy.kept_until - rules.kept / 4 <= now < copy.kept_until


def mark_deleted(copy: DatabaseCopy, now: datetime) -> DatabaseCopy:
    """The copy whose database is gone, or never was there."""
    return end_copy(copy, FillStatus.FAILED if copy.faults else FillStatus.DELETED, now)


def describe_findings(copy: DatabaseCopy, policy: Policy) -> Iterator[str]:
    """What was found of a copy that is ready, one line each."""
    removed = sum(copy.purge.removed.values())
    if copy.run is not None and copy.run.counts:
        yield scan.describe_coverage(copy.run, policy.integrity)
        for name, tally, checks in faulty_collections(copy.run):
            yield f"{name}: {tally.faulty} of {tally.documents} are not valid ({checks})"
    else:
        yield "whether its documents are valid is not known: the policy declares no collections"
    if policy.erasure is None:
        yield "who was erased since then may be in it: the policy declares no data of persons"
    elif removed:
        yield f"removed {count_noun(removed, 'document')} of people who were erased since then"


def notice_lines(event: str, copy: DatabaseCopy, policy: Policy) -> Iterator[str]:
    """The lines of one notice."""
    of = f"{copy.original} as of {copy.point}"
    match event:
        case "copy.ready":
            yield f"{copy.system}: the copy {copy.id} is ready: {of}"
            yield from describe_findings(copy, policy)
            deleted_at = _format_time(copy.kept_until)
            yield f"{CUTOVER_INSTRUCTION}, or leave it: it is deleted at {deleted_at}, and paid for"
            yield f"keep it: {protection_command(copy, policy)}"
        case "copy.failed":
            yield f"{copy.system}: there is no copy {copy.id}: {of}"
            yield from copy.faults
        case "copy.ends":
            yield f"{copy.system}: the copy {copy.id} is deleted at {_format_time(copy.kept_until)}: {of}"
            yield f"keep it: {protection_command(copy, policy)}"
        case "copy.deleted":
            yield f"{copy.system}: the copy {copy.id} is deleted: {of}"
        case _:
            yield f"{copy.system}: the copy {copy.id} is nobody's of ours any more: {copy.waiting}"
            yield f"whoever uses it pays for it, and deletes it: {_gcloud('delete', copy, policy)}"


def describe_status(copy: DatabaseCopy) -> str:
    """How far it is, for a glance at the system."""
    said = f"copy {copy.id} of {copy.point}: {copy.status}"
    if copy.status is FillStatus.READY:
        return f"{said} until {_format_time(copy.kept_until)}: {CUTOVER_INSTRUCTION}"
    return f"{said}, {copy.waiting}" if copy.waiting else said


def protection_command(copy: DatabaseCopy, policy: Policy) -> str:
    """The line by which a person keeps its database."""
    return _gcloud("update", copy, policy, "--delete-protection")


def _gcloud(verb: str, copy: DatabaseCopy, policy: Policy, *more: str) -> str:
    about = (f"--database={copy.id}", f"--project={policy.project}", *more)
    return shlex.join(("gcloud", "firestore", "databases", verb, *about))


def _format_time(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "some time"


def end_copy(copy: DatabaseCopy, status: FillStatus, now: datetime, why: str = "") -> DatabaseCopy:
    """The copy at its end, whose record expires."""
    return replace(mark_ended(copy, status, now, why), expires_at=now + RECORD_RETENTION)
