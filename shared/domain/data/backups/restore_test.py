"""The proof of a backup: restored into a scratch database, looked through, timed. Pure.

One document each, `proofs/{id}`, made of system and day. The scratch database has a name of its
own, which is on record before it is made, and is deleted whatever comes of the proof.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import field
from msgspec.structs import replace

from shared.core.codec import FrozenStruct, documents_of
from shared.core.text import count_noun
from shared.domain.data.backups.backup_records import NativeBackup, database_name_part
from shared.domain.data.backups.export import Backup, ExportStatus
from shared.domain.data.backups.filled_database import (
    FilledDatabase,
    FillStatus,
    faulty_collections,
    mark_ended,
    start_deletion,
)
from shared.domain.policy.resources import ProofRules
from shared.domain.policy.system_policy import Policy
from shared.domain.retention import RECORD_RETENTION

_FAULTS_SHOWN = 20
EXPORT_WEEKDAY = 6
"""Sunday, UTC: an export is restored, whose import writes every document and is paid for."""
restore_test_path = documents_of("proofs")


class RestoreTest(FilledDatabase, kw_only=True):
    """One attempt to restore a backup, and what came of it."""

    CLOSES = FillStatus.CLOSING
    backup: str
    """In the catalogue, or the full name of a native one."""
    source: str
    """What is restored: `gs://BUCKET/FOLDER`, or the full name of a native backup."""
    snapshot_at: datetime
    database: str
    counts: dict[str, int] = {}
    """Documents per collection group that must be there; empty: nobody counted."""
    status: FillStatus = FillStatus.RESTORING
    filled_at: datetime | None = field(default=None, name="restored_at")
    compared: int = 0
    unknown: tuple[str, ...] = ()

    @property
    def duration(self) -> timedelta | None:
        """From the request to the restored database, to the minute in which that was seen."""
        return self.filled_at - self.began_at if self.filled_at else None

    @property
    def is_native(self) -> bool:
        """Whether one of Google's own backups is proven."""
        return not self.source.startswith("gs://")

    @property
    def as_of(self) -> datetime:
        """The moment whose documents it holds."""
        return self.snapshot_at


class ObservedRestore(FrozenStruct):
    """What was seen of a restored database beside the look through it."""

    counted: Mapping[str, int]
    compared: int = 0
    """Documents that were compared with what they were at the moment of the backup."""
    differing: tuple[str, ...] = ()
    """The paths of those that are not the same."""


def restore_test_id(system: str, now: datetime) -> str:
    """The name of the proof of a day, UTC."""
    return f"{system}-{now:%Y%m%d}"


def choose_backup(
    policy: Policy, exports: Iterable[Backup], natives: Iterable[NativeBackup], now: datetime
) -> RestoreTest | None:
    """The intent to prove the newest whole backup, Google's own except on Sundays; None: none."""
    whole = [
        (one.snapshot_at, one.id, one.places[0], one.counts)
        for one in exports
        if one.status is ExportStatus.KEPT
    ]
    ready = [one for one in natives if one.is_ready]
    if ready and (not whole or now.weekday() != EXPORT_WEEKDAY):
        whole = [(one.snapshot_at, one.name, one.name, {}) for one in ready]
    if not whole:
        return None
    snapshot_at, name, source, counts = max(whole, key=lambda one: one[0])
    return RestoreTest(
        id=restore_test_id(policy.system, now),
        system=policy.system,
        backup=name,
        source=source,
        snapshot_at=snapshot_at,
        original=policy.backups.database,
        database=f"{_database_prefix(policy.system)}{now:%Y%m%d%H%M}",
        began_at=now,
        counts=counts,
        expires_at=now + RECORD_RETENTION,
    )


def _database_prefix(system: str) -> str:
    return f"proof-{database_name_part(system)}-"


def leftover_databases(system: str, names: Iterable[str]) -> list[str]:
    """Of all databases those that proofs of the system have left, this one's too."""
    form = re.compile(re.escape(_database_prefix(system)) + r"\d{12}")
    return [one for one in names if form.fullmatch(one)]


def record_checks(proof: RestoreTest, rules: ProofRules, seen: ObservedRestore, now: datetime) -> RestoreTest:
    """The proof once all was looked through, by what was found; its database is left to delete."""
    faults = [
        *_find_count_faults(proof, rules, seen.counted),
        *(
            f"{name}: {one.faulty} of {one.documents} documents are not valid ({checks})"
            for name, one, checks in (faulty_collections(proof.run, rules.tolerance) if proof.run else ())
        ),
        *(f"{one}: not what it was when it was backed up" for one in seen.differing),
    ]
    known = replace(
        proof,
        compared=seen.compared,
        faults=tuple(faults[:_FAULTS_SHOWN]),
        unknown=tuple(_find_unknown_parts(proof, seen)),
        waiting="",
    )
    return start_deletion(known, now)


def mark_closed(proof: RestoreTest, now: datetime) -> RestoreTest:
    """The proof whose database is gone."""
    return mark_ended(proof, FillStatus.FAILED if proof.faults else FillStatus.PROVEN, now)


def _find_count_faults(proof: RestoreTest, rules: ProofRules, counted: Mapping[str, int]) -> Iterator[str]:
    for name, wanted in sorted(proof.counts.items()):
        found = counted.get(name, 0) + proof.purge.removed.get(name, 0)
        if abs(found - wanted) > wanted * rules.tolerance:
            yield f"{name}: {count_noun(found, 'document')} where {wanted} were backed up"


def _find_unknown_parts(proof: RestoreTest, seen: ObservedRestore) -> Iterator[str]:
    if not proof.counts:
        yield "how many documents there must be: nobody counted when it was made"
    if not seen.compared and not seen.differing:
        yield "what the documents were: none was compared with the moment of the backup"
    if proof.run is None or not proof.run.counts:
        yield "whether the documents are valid: the policy declares no collections"
