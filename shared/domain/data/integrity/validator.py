"""Faults of a document by its collection's declaration: place and check, never a value. Pure."""

import base64
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema_rs
import msgspec

from shared.core.codec import FrozenStruct, JsonObject, from_json
from shared.domain.data.document import (
    DocumentSnapshot,
    GeoPoint,
    Reference,
    collection_of,
    is_document_path,
    is_same_value,
)
from shared.domain.policy.data_rules import Collection, Comparison, FaultyQuery, Term

_TYPES = ("timestamp", "bytes", "reference", "geopoint")
"""What JSON lacks. Each is written as an object whose one key no field can have
(https://firebase.google.com/docs/firestore/quotas: names between double underscores)."""


_REGISTRY = jsonschema_rs.Registry(
    [(f"firestore:{kind}", {"type": "object", "required": [f"__{kind}__"]}) for kind in _TYPES]
)
_COMPARATORS: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.LESS: lambda one, other: one < other,
    Comparison.AT_MOST: lambda one, other: one <= other,
    Comparison.MORE: lambda one, other: one > other,
    Comparison.AT_LEAST: lambda one, other: one >= other,
}


def compile_schema(schema: JsonObject) -> jsonschema_rs.Draft202012Validator:
    """The schema, ready to be asked; nothing is fetched for it. Raises: ValueError for none."""
    return _compile_cached(msgspec.json.encode(schema, order="deterministic"))


@lru_cache(maxsize=256)
def _compile_cached(schema: bytes) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(from_json(schema), registry=_REGISTRY, offline=True)


class IntegrityCheck(StrEnum):
    """What a fault breaks."""

    SCHEMA = "schema"
    REFERENCE = "reference"
    QUERY = "query"
    MEDIA = "media"
    COUNT = "count"


class DocumentFault(FrozenStruct):
    """One thing that is wrong."""

    path: str
    """The document's; of a count the collection's."""
    check: IntegrityCheck
    reason: str
    """Without anything that stands in the document but names of fields."""


class DocumentLink(FrozenStruct):
    """What a field names."""

    field: str
    target: str
    """A document's path; a file as `gs://BUCKET/NAME`; empty: it can name nothing there."""


class DocumentVerdict(FrozenStruct):
    """What was found of one document."""

    faults: tuple[DocumentFault, ...]
    unknown: tuple[DocumentFault, ...]

    @property
    def is_valid(self) -> bool | None:
        """Whether it keeps all that is declared; None: not known."""
        if self.faults:
            return False
        return None if self.unknown else True


class ObservedReferences(FrozenStruct):
    """What was seen of what documents name; what is absent could not be looked at."""

    documents: Mapping[str, bool] = {}
    """Whether there is one, by path."""
    files: Mapping[str, str] = {}
    """Why it cannot be read, by `gs://BUCKET/NAME`; empty: it can."""


class Validator:
    """The checks of one collection, made ready once."""

    def __init__(self, collection: Collection) -> None:
        """Raises: ValueError when its schema is none."""
        self._collection = collection
        self._schema = compile_schema(collection.schema)

    def references(self, version: DocumentSnapshot) -> list[DocumentLink]:
        """The documents that its fields name."""
        return [
            DocumentLink(field, _linked_document(value, target))
            for field, target in self._collection.references.items()
            for value in field_values(version.fields, field)
            if value is not None
        ]

    def files(self, version: DocumentSnapshot) -> list[DocumentLink]:
        """The files that its fields name."""
        return [
            DocumentLink(field, file_url(value, bucket))
            for field, bucket in self._collection.media.items()
            for value in field_values(version.fields, field)
            if value not in (None, "")
        ]

    def check_document(
        self, version: DocumentSnapshot, sight: ObservedReferences, *, files: bool = True
    ) -> DocumentVerdict:
        """All that is wrong with it, and all that is not known; `files`: of its files, too."""
        faults = list(self._check_fields(version))
        unknown: list[DocumentFault] = []
        for link in self.references(version):
            there = sight.documents.get(link.target) if link.target else False
            if there is not True:
                what = "what it names is not there" if there is False else "not looked at"
                fault = DocumentFault(version.path, IntegrityCheck.REFERENCE, f"{link.field}: {what}")
                (faults if there is False else unknown).append(fault)
        for link in self.files(version) if files else ():
            why = sight.files.get(link.target) if link.target else "it names no file there"
            if why != "":
                fault = DocumentFault(
                    version.path, IntegrityCheck.MEDIA, f"{link.field}: {why or 'not looked at'}"
                )
                (unknown if why is None else faults).append(fault)
        return DocumentVerdict(tuple(faults), tuple(unknown))

    def _check_fields(self, version: DocumentSnapshot) -> Iterator[DocumentFault]:
        """What is wrong by the schema, and by the queries for faulty documents."""
        instance = to_json_value(version.fields)
        if not self._schema.is_valid(instance):
            for error in self._schema.iter_errors(instance):
                yield DocumentFault(version.path, IntegrityCheck.SCHEMA, _describe_schema_error(error))

        for query in self._collection.faulty:
            if is_match(query, version.fields):
                yield DocumentFault(version.path, IntegrityCheck.QUERY, query.name)


def has_dropped(before: int, now: int, largest: float) -> bool:
    """Whether more than that share of the documents is gone."""
    return now < before * (1 - largest)


def is_match(query: FaultyQuery, fields: Mapping[str, Any]) -> bool:
    """Whether the query finds a document of these fields."""
    return all(_is_term_true(term, list(field_values(fields, term.field))) for term in query.where)


def field_values(fields: Mapping[str, Any], path: str) -> Iterator[Any]:
    """What stands under names joined by dots, of each item where there is a list."""
    return nested_values(fields, path.split("."))


def nested_values(value: Any, names: Sequence[str]) -> Iterator[Any]:
    """What stands under names, each below the one before; of each item where there is a list."""
    if isinstance(value, list):
        for item in value:
            yield from nested_values(item, names)
    elif not names:
        yield value
    elif isinstance(value, Mapping) and names[0] in value:
        yield from nested_values(value[names[0]], names[1:])


def to_json_value(value: Any) -> Any:
    """A value as JSON holds it; what JSON lacks is an object with one key that no field has."""
    match value:
        case dict():
            return {name: to_json_value(one) for name, one in value.items()}
        case list():
            return [to_json_value(one) for one in value]
        case float() if not math.isfinite(value):
            return {"__number__": str(value)}
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return {"__timestamp__": value.astimezone(UTC).isoformat()}
        case bytes():
            return {"__bytes__": base64.b64encode(value).decode()}
        case Reference():
            return {"__reference__": value.name}
        case GeoPoint():
            return {"__geopoint__": {"latitude": value.latitude, "longitude": value.longitude}}
    raise TypeError(f"a field cannot hold {type(value).__name__}")


def file_url(value: Any, bucket: str) -> str:
    """Return `gs://BUCKET/NAME` for a name or an address of Cloud Storage or Firebase, or empty."""
    if not isinstance(value, str):
        return ""
    name = value.lstrip("/")
    if "://" in value:
        parts = urlsplit(value)
        forms = {
            f"{bucket}": parts.path.lstrip("/") if parts.scheme == "gs" else "",
            "storage.googleapis.com": _strip_prefix(f"/{bucket}/", parts.path),
            "storage.cloud.google.com": _strip_prefix(f"/{bucket}/", parts.path),
            f"{bucket}.storage.googleapis.com": parts.path.lstrip("/"),
            "firebasestorage.googleapis.com": _strip_prefix(f"/v0/b/{bucket}/o/", parts.path),
        }
        found = forms.get(parts.netloc, "")
        name = found if parts.scheme == "gs" else unquote(found)
    return f"gs://{bucket}/{name}" if name else ""


def _strip_prefix(prefix: str, path: str) -> str:
    return path.removeprefix(prefix) if path.startswith(prefix) else ""


def _linked_document(value: Any, collection: str) -> str:
    """The path that a field names: a reference's, a whole path, or an id; empty for none there."""
    path = value.path if isinstance(value, Reference) else value
    if not isinstance(path, str) or not path:
        return ""
    path = path.strip("/") if "/" in path else f"{collection}/{path}"
    return path if is_document_path(path) and collection_of(path).split("/")[-1] == collection else ""


def _is_term_true(term: Term, found: list[Any]) -> bool:
    match term.op:
        case Comparison.PRESENT:
            return bool(found)
        case Comparison.ABSENT:
            return not found
        case Comparison.EQUAL:
            return any(_is_equal(one, term.value) for one in found)
        case Comparison.UNEQUAL:
            return any(not _is_equal(one, term.value) for one in found)
        case Comparison.ONE_OF:
            return any(_is_equal(one, wanted) for one in found for wanted in term.value)
    return any(_is_comparable(one, term.value) and _COMPARATORS[term.op](one, term.value) for one in found)


def _is_equal(one: Any, other: Any) -> bool:
    return bool(one == other) if _is_comparable(one, other) else is_same_value(one, other)


def _is_comparable(one: Any, other: Any) -> bool:
    numbers = [isinstance(it, int | float) and not isinstance(it, bool) for it in (one, other)]
    return all(numbers) or (isinstance(one, str) and isinstance(other, str))


def _describe_schema_error(error: jsonschema_rs.ValidationError) -> str:
    """Where a document breaks its schema and by which keyword, without what stands there."""
    where = ".".join(str(part) for part in error.instance_path) or "the document"
    if error.kind.name == "required":
        missing = error.kind.as_dict()["property"]
        kind = missing.strip("_")
        return f"{where}: is no {kind}" if kind in _TYPES else f"{where}: {missing} is missing"
    return f"{where}: breaks {error.kind.name}"
