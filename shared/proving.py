"""The proof of a backup: restored into a scratch database, looked through, timed. Pure.

One document each, `proofs/{id}`, made of system and day. The scratch database has a name of its
own, which is on record before it is made, and is deleted whatever comes of the proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared import backing
from shared.backing import Backup
from shared.backup import NativeBackup, Restoring, in_a_database
from shared.documents import SCHEMA
from shared.erasure import Progress
from shared.integrity import Run
from shared.policy import Policy
from shared.resources import ProofRules
from shared.rollback import KEPT_FOR

_FAULTS_SHOWN: Final = 20


class Status(StrEnum):
    """How far a proof has come."""

    RESTORING = "RESTORING"
    CHECKING = "CHECKING"
    CLOSING = "CLOSING"
    """What came of it is known, and the scratch database is deleted."""
    PROVEN = "PROVEN"
    FAILED = "FAILED"


class Proof(Struct, frozen=True):
    """One attempt to restore a backup, and what came of it."""

    id: str
    system: str
    backup: str
    """In the catalogue, or the full name of a native one."""
    source: str
    """What is restored: `gs://BUCKET/FOLDER`, or the full name of a native backup."""
    snapshot_at: datetime
    """The moment that the backup is of."""
    original: str
    """The database that was backed up."""
    database: str
    """The scratch one."""
    began_at: datetime
    counts: dict[str, int] = {}
    """Documents per collection group that must be there; empty: nobody counted."""
    status: Status = Status.RESTORING
    is_over: bool = False
    """Whether nothing more is done for it: what is looked for in the store."""
    asked_at: datetime | None = None
    """When the filling was asked for last; None: not yet."""
    operation: str = ""
    restored_at: datetime | None = None
    purge: Progress = Progress()
    """Who was erased since the backup is taken out before anybody looks."""
    run: Run | None = None
    """The look through what was restored."""
    compared: int = 0
    """Documents that were compared, field by field, with what they were."""
    faults: tuple[str, ...] = ()
    """Why it is no proof."""
    unknown: tuple[str, ...] = ()
    """What could not be looked at."""
    waiting: str = ""
    """Why it came no further the last time."""
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    schema: int = SCHEMA

    @property
    def took(self) -> timedelta | None:
        """From the request to the restored database, to the minute in which that was seen."""
        return self.restored_at - self.began_at if self.restored_at else None

    @property
    def is_native(self) -> bool:
        """Whether one of Google's own backups is proven."""
        return not self.source.startswith("gs://")


class Seen(Struct, frozen=True):
    """What was seen of a restored database beside the look through it."""

    counted: Mapping[str, int]
    """Documents per collection group."""
    compared: int = 0
    """Documents that were compared with what they were at the moment of the backup."""
    differing: tuple[str, ...] = ()
    """The paths of those that are not the same."""


def path(proof: str) -> str:
    """Where a proof is kept."""
    return f"proofs/{proof}"


def id_of(system: str, slot_at: datetime) -> str:
    """The name of the proof of a time slot."""
    return f"{system}-{slot_at:%Y%m%d}"


def slot(now: datetime) -> datetime:
    """The beginning of the day, UTC."""
    return backing.slot(timedelta(days=1), now)


def chosen(
    policy: Policy, exports: Iterable[Backup], natives: Iterable[NativeBackup], now: datetime
) -> Proof | None:
    """The intent to prove the newest backup that is whole; None: there is none."""
    slot_at = slot(now)
    found = [
        Proof(
            id=id_of(policy.system, slot_at),
            system=policy.system,
            backup=name,
            source=source,
            snapshot_at=snapshot_at,
            original=policy.backups.database,
            database=f"{_prefix(policy.system)}{now:%Y%m%d%H%M}",
            began_at=now,
            counts=counts,
            expires_at=now + KEPT_FOR,
        )
        for name, source, snapshot_at, counts in _restorable(exports, natives)
    ]
    return max(found, key=lambda one: one.snapshot_at, default=None)


def _restorable(
    exports: Iterable[Backup], natives: Iterable[NativeBackup]
) -> Iterator[tuple[str, str, datetime, dict[str, int]]]:
    for one in exports:
        if one.status is backing.Status.KEPT:
            yield one.id, one.places[0], one.snapshot_at, one.counts
    for native in natives:
        if native.is_ready:
            yield native.name, native.name, native.snapshot_at, {}


def _prefix(system: str) -> str:
    return f"proof-{in_a_database(system)}-"


def scratch(system: str, names: Iterable[str]) -> list[str]:
    """Of all databases those that proofs of the system have left, this one's too."""
    form = re.compile(re.escape(_prefix(system)) + r"\d{12}")
    return [one for one in names if form.fullmatch(one)]


def is_late(proof: Proof, rules: ProofRules, now: datetime) -> bool:
    """Whether it takes longer than the policy allows."""
    return now >= proof.began_at + rules.within


def asked(proof: Proof, now: datetime) -> Proof:
    """The proof whose filling is asked for now, once this is on record."""
    return replace(proof, asked_at=now)


def may_ask(proof: Proof, now: datetime) -> bool:
    """Whether no request to fill its database can be on its way any more."""
    return proof.asked_at is None or now >= proof.asked_at + backing.ASKED_FOR


def restored(proof: Proof, found: Restoring) -> Proof:
    """The proof by how far the filling has come."""
    if found.ended_at is None:
        return replace(proof, operation=found.operation, waiting="")
    if found.failure:
        return failed(proof, f"the restore failed: {found.failure}")
    return replace(
        proof,
        status=Status.CHECKING,
        operation=found.operation,
        restored_at=found.ended_at,
        waiting="",
    )


def failed(proof: Proof, fault: str) -> Proof:
    """The proof that is none; its database is left to delete."""
    return replace(proof, status=Status.CLOSING, run=None, faults=(*proof.faults, fault))


def checked(proof: Proof, rules: ProofRules, seen: Seen) -> Proof:
    """The proof once all was looked through, by what was found; its database is left to delete."""
    faults = [
        *_miscounted(proof, rules, seen.counted),
        *_faulty(proof.run, rules),
        *(f"{one}: not what it was when it was backed up" for one in seen.differing),
    ]
    return replace(
        proof,
        status=Status.CLOSING,
        compared=seen.compared,
        faults=tuple(faults[:_FAULTS_SHOWN]),
        unknown=tuple(_unknown(proof, seen)),
        waiting="",
    )


def closed(proof: Proof, now: datetime) -> Proof:
    """The proof whose database is gone."""
    status = Status.FAILED if proof.faults else Status.PROVEN
    return replace(proof, status=status, is_over=True, ended_at=now, waiting="")


def _miscounted(proof: Proof, rules: ProofRules, counted: Mapping[str, int]) -> Iterator[str]:
    for name, wanted in sorted(proof.counts.items()):
        found = counted.get(name, 0) + proof.purge.removed.get(name, 0)
        if abs(found - wanted) > wanted * rules.tolerance:
            yield f"{name}: {found} documents where {wanted} were backed up"


def _faulty(run: Run | None, rules: ProofRules) -> Iterator[str]:
    for name, tally in sorted(run.tallies.items()) if run else ():
        if tally.faulty > tally.documents * rules.tolerance:
            kinds = ", ".join(f"{count} by {check}" for check, count in tally.checks.items())
            yield f"{name}: {tally.faulty} of {tally.documents} documents are not valid ({kinds})"


def _unknown(proof: Proof, seen: Seen) -> Iterator[str]:
    if not proof.counts:
        yield "how many documents there must be: nobody counted when it was made"
    if not seen.compared and not seen.differing:
        yield "what the documents were: none was compared with the moment of the backup"
    if proof.run is None or not proof.run.counts:
        yield "whether the documents are valid: the policy declares no collections"
