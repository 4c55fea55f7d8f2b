"""The people who stay erased: keyed hashes of ids with times, looked up for each copy. Pure."""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from msgspec.structs import replace

from shared.core.codec import FrozenStruct, StoredDocument, documents_of, system_documents_of
from shared.core.text import last_segment
from shared.domain.data.document import (
    DocumentSnapshot,
    Reference,
    collection_of,
    documents_above,
    is_document_id,
    is_in_scope,
)
from shared.domain.data.integrity.validator import field_values
from shared.domain.policy.data_rules import ErasureRules, Place

ledger_path = documents_of("erasing")
erasure_path = system_documents_of("erasures")
"""Where the salt of a system's ledger is kept."""


class ErasureLedgerRecord(StoredDocument):
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


class Erasure(StoredDocument):
    """One person, `erasures/{system}:{hash}`. It is kept as long as there may be a copy."""

    system: str
    hash: str
    erased_at: datetime
    places: tuple[str, ...]
    """The path templates that held then."""


class ErasureProgress(FrozenStruct):
    """How far a copy was gone through."""

    place: int = 0
    cursor: str = ""
    """The last path of it that was looked at; empty: none."""
    removed: dict[str, int] = {}
    """Documents that were taken out, by the id of their collection."""
    is_over: bool = False


def hash_person(salt: str, person: str) -> str:
    """HMAC-SHA256 of a person's id, 64 hexadecimal digits."""
    return hmac.new(salt.encode(), person.encode(), hashlib.sha256).hexdigest()


def person_ids(place: Place, version: DocumentSnapshot) -> Iterator[str]:
    """The ids of whom a document may belong to."""
    if not place.field:
        yield last_segment(version.path)
        return
    for value in field_values(version.fields, place.field):
        if isinstance(value, Reference):
            yield last_segment(value.path)
        elif isinstance(value, str):
            yield last_segment(value)


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
        collection = last_segment(collection_of(one))
        counts[collection] = counts.get(collection, 0) + 1
    return replace(progress, removed=counts)


def declared_erasure(rules: ErasureRules, version: DocumentSnapshot) -> tuple[str, datetime] | None:
    """Return the person that a document declares erased, and since when; None: nobody."""
    [person, *_] = [*field_values(version.fields, rules.person), None]
    [erased_at, *_] = [*field_values(version.fields, rules.erased_at), None]
    if isinstance(person, Reference):
        person = last_segment(person.path)
    if not isinstance(person, str) or not person or not isinstance(erased_at, datetime):
        return None
    return person, erased_at


def owners_by_name(rules: ErasureRules, path: str) -> set[str]:
    """Whom a document belongs to by its own name, or by that of one that it stands below."""
    return {
        last_segment(one)
        for place in rules.documents
        for one in (*documents_above(path), path)
        if not place.field and is_in_scope(place.scope, one)
    }


def has_owner_field(rules: ErasureRules, path: str) -> bool:
    """Whether a field of the document says whose it is."""
    return any(place.field and is_in_scope(place.scope, path) for place in rules.documents)


def owning_ancestors(rules: ErasureRules, path: str) -> list[str]:
    """The documents that it stands below whose fields say whose they are, and whose it is so."""
    return [one for one in documents_above(path) if has_owner_field(rules, one)]


def owner_fields(rules: ErasureRules, collection: str) -> list[str]:
    """The fields of a collection's documents that say whose they are."""
    return [one.field for one in rules.documents if one.field and is_in_scope(one.scope, f"{collection}/-")]


def owners_by_field(rules: ErasureRules, version: DocumentSnapshot) -> Iterator[str]:
    """Whom its fields name; what can be nobody's id, since the document is damaged, is left out."""
    for place in rules.documents:
        if place.field and is_in_scope(place.scope, version.path):
            yield from (one for one in person_ids(place, version) if is_document_id(one))
