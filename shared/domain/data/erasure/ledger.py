"""The people who stay erased: keyed hashes of ids with times, looked up for each copy. Pure."""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shared.core.codec import SCHEMA_VERSION
from shared.domain.data.document import DocumentSnapshot, Reference, collection_of
from shared.domain.data.integrity.validator import field_values
from shared.domain.policy.erasure_rules import ErasureRules, Place


class ErasureLedgerRecord(Struct, frozen=True):
    """What the ledger of a system is written with, `erasing/{system}`."""

    system: str
    salt: str
    """The key of every hash in it."""
    read_until: datetime
    """Whatever was written into the declared collection before is in the ledger."""
    cursor: str = ""
    """The last path of it that a reading under way has come to; empty: none is."""
    reading_since: datetime | None = None
    """When that one began."""
    is_to_forget: bool = False
    """Whether somebody was read of whom quarantine may hold copies still."""
    added_at: datetime | None = None
    """When somebody came into the ledger last, by the store's clock; None: nobody has."""
    schema: int = SCHEMA_VERSION


class Erasure(Struct, frozen=True):
    """One person, `erasures/{system}:{hash}`. It is kept as long as there may be a copy."""

    system: str
    hash: str
    erased_at: datetime
    places: tuple[str, ...]
    """The path templates that held then."""
    schema: int = SCHEMA_VERSION


class ErasureProgress(Struct, frozen=True):
    """How far a copy was gone through."""

    place: int = 0
    cursor: str = ""
    """The last path of it that was looked at; empty: none."""
    removed: dict[str, int] = {}
    """Documents that were taken out, by the id of their collection."""
    is_over: bool = False


def ledger_path(system: str) -> str:
    """Where the salt of a system's ledger is kept."""
    return f"erasing/{system}"


def erasure_path(system: str, hashed: str) -> str:
    """Where an erasure is kept."""
    return f"erasures/{system}:{hashed}"


def hash_person(salt: str, person: str) -> str:
    """HMAC-SHA256 of a person's id, 64 hexadecimal digits."""
    return hmac.new(salt.encode(), person.encode(), hashlib.sha256).hexdigest()


def person_ids(place: Place, version: DocumentSnapshot) -> Iterator[str]:
    """The ids of whom a document may belong to."""
    if not place.field:
        yield version.path.rpartition("/")[2]
        return
    for value in field_values(version.fields, place.field):
        if isinstance(value, Reference):
            yield value.path.rpartition("/")[2]
        elif isinstance(value, str):
            yield value.rpartition("/")[2]


def has_erased_person(
    whose: Iterable[str], book: ErasureLedgerRecord, erased: Mapping[str, datetime], at: datetime
) -> bool:
    """Return whether one of them was erased since; who came back before the copy stays in it."""
    times = (erased.get(hash_person(book.salt, person)) for person in whose)
    return any(time is not None and time >= at for time in times)


def add_removed_documents(progress: ErasureProgress, paths: Iterable[str]) -> ErasureProgress:
    """The progress with these documents taken out."""
    counts = dict(progress.removed)
    for one in paths:
        collection = collection_of(one).rpartition("/")[2]
        counts[collection] = counts.get(collection, 0) + 1
    return replace(progress, removed=counts)


def declared_erasure(rules: ErasureRules, version: DocumentSnapshot) -> tuple[str, datetime] | None:
    """Return the person that a document declares erased, and since when; None: nobody."""
    [person, *_] = [*field_values(version.fields, rules.person), None]
    [erased_at, *_] = [*field_values(version.fields, rules.erased_at), None]
    if isinstance(person, Reference):
        person = person.path.rpartition("/")[2]
    if not isinstance(person, str) or not person or not isinstance(erased_at, datetime):
        return None
    return person, erased_at
