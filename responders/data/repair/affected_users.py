"""Whose documents a rollback has written, or has meant to: known when they are told, never kept."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from shared.core.codec import FrozenStruct
from shared.core.durations import floor_to_minute
from shared.domain.data.document import DocumentSnapshot
from shared.domain.data.erasure import ledger
from shared.domain.data.repair.quarantine import JournalEntry
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports
from shared.state.reader import StateReader, read_entries_after

MAX_DOCUMENTS_READ = 10_000
"""So many documents are read, at most, for the field that names whose they are."""
DOCUMENTS_PER_BATCH = 100
"""So many of them are held at once: a document may have 1 MiB."""


class AffectedUsers(FrozenStruct):
    """Who is to be told."""

    persons: Sequence[str]
    """Their ids, in order; the same ones for the same rollback and moment."""
    unknown: int
    """Documents of unknown owners, and batches whose writes are not known."""


def rollback_start_minute(ports: Ports, rollback: str) -> datetime | None:
    """The last whole minute before a rollback had any effect; None: it had none."""
    found = StateReader(ports.store).rollback(rollback)
    return None if found is None or found.started_at is None else floor_to_minute(found.started_at)


def find_affected_users(
    ports: Ports, policy: Policy, rollback: str, at: datetime, before: datetime | None
) -> AffectedUsers:
    """Whose documents stand in the journal of a rollback, which has ended before `at`.

    A document that names its owner, or that of what stands below it, is looked at as it was then,
    and `before` the rollback: of the two, one may be gone or damaged. Raises: Unavailable;
    Rejected, for a moment that cannot be read (any more).
    """
    rules = policy.erasure
    if rules is None:
        return AffectedUsers((), 0)
    persons: set[str] = set()
    by_field: dict[str, set[str]] = {}
    untold = 0
    for _, document in read_entries_after(ports.store, rollback):
        entry = document.decode(JournalEntry)
        paths = [*(one.path for one in entry.landed), *(one.path for one in entry.left)]
        persons.update(*(ledger.owners_by_name(rules, path) for path in paths))
        by_field |= {path: set() for path in paths if ledger.has_owner_field(rules, path)}
        by_field |= {one: set() for path in paths for one in ledger.owning_ancestors(rules, path)}
        untold += not paths  # nobody could tell what it has written
    asked = sorted(by_field)
    for moment in [at, *([before] if before is not None else [])]:
        for version in read_documents(ports, policy, asked[:MAX_DOCUMENTS_READ], moment):
            by_field[version.path] |= set(ledger.owners_by_field(rules, version))
    lost = [path for path in asked if not by_field[path] and not ledger.owners_by_name(rules, path)]
    return AffectedUsers(sorted(persons.union(*by_field.values())), len(lost) + untold)


def read_documents(
    ports: Ports, policy: Policy, paths: Sequence[str], at: datetime
) -> Iterator[DocumentSnapshot]:
    """Those of the documents that were there then. Raises: Unavailable, Rejected."""
    documents, database = ports.system(policy.system).documents, policy.integrity.database
    for first in range(0, len(paths), DOCUMENTS_PER_BATCH):
        found = documents.get(database, paths[first : first + DOCUMENTS_PER_BATCH], at)
        yield from (one for one in found.values() if one is not None)
