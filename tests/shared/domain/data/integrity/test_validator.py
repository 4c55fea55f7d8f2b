"""What is wrong with a document, in tables: each check right, barely true, and unknown."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.data.document import DocumentSnapshot, GeoPoint, Reference, is_same_value, path_sort_key
from shared.domain.data.integrity.validator import (
    DocumentVerdict,
    IntegrityCheck,
    ObservedReferences,
    Validator,
    file_url,
    has_dropped,
    is_match,
)
from shared.domain.policy.data_rules import Collection, Comparison, FaultyQuery, Term

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "ada@example.com"
ADA = Reference("projects/p/databases/(default)/documents/users/ada")
SCHEMA = {
    "type": "object",
    "required": ["email"],
    "properties": {
        "email": {"type": "string", "pattern": "@"},
        "at": {"$ref": "firestore:timestamp"},
        "owner": {"$ref": "firestore:reference"},
        "key": {"$ref": "firestore:bytes"},
        "place": {"$ref": "firestore:geopoint"},
        "amount": {"type": "number", "minimum": 0},
        "lines": {"type": "array", "items": {"required": ["sku"]}},
    },
}
NO_DOCUMENTS = (".", "users/..", "__x__", "x" * 1501, "x/users/ada", "users//users/ada", "//")


def version(fields: dict[str, Any], path: str = "users/ada") -> DocumentSnapshot:
    return DocumentSnapshot(path, fields, NOON, NOON)


def judged(
    collection: Collection, fields: dict[str, Any], sight: ObservedReferences | None = None
) -> DocumentVerdict:
    return Validator(collection).check_document(version(fields), sight or ObservedReferences())


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({"email": SECRET}, []),
        ({"email": SECRET, "at": NOON, "owner": ADA, "key": b"k", "place": GeoPoint(1, 2)}, []),
        ({}, ["the document: email is missing"]),
        ({"email": 1}, ["email: breaks type"]),
        ({"email": "nobody"}, ["email: breaks pattern"]),
        ({"email": SECRET, "at": "2026-03-01T12:00:00Z"}, ["at: breaks type"]),
        ({"email": SECRET, "at": {"timestamp": "2026-03-01"}}, ["at: is no timestamp"]),
        ({"email": SECRET, "owner": "users/ada"}, ["owner: breaks type"]),
        ({"email": SECRET, "amount": float("nan")}, ["amount: breaks type"]),
        ({"email": SECRET, "amount": -1}, ["amount: breaks minimum"]),
        ({"email": SECRET, "lines": [{"sku": 1}, {}]}, ["lines.1: sku is missing"]),
    ],
)
def test_a_schema_sees_every_type_of_value(fields: dict[str, Any], reasons: list[str]) -> None:
    """A time is not a text that looks like one; and no reason says what stands in a field."""
    found = judged(Collection(schema=SCHEMA), fields)

    said = [one.reason for one in found.faults]
    assert said == reasons
    assert all(one.check is IntegrityCheck.SCHEMA for one in found.faults)
    assert SECRET not in "".join(said)
    assert found.is_valid is not bool(reasons)


@pytest.mark.parametrize(
    ("named", "there", "valid"),
    [
        ("ada", {"users/ada": True}, True),
        ("users/ada", {"users/ada": True}, True),
        (ADA, {"users/ada": True}, True),
        (None, {}, True),
        ("ada", {"users/ada": False}, False),
        (Reference(ADA.name.replace("users", "jobs")), {"jobs/ada": True}, False),
        ("jobs/ada", {"jobs/ada": True}, False),
        (7, {}, False),
        ("", {}, False),
        ("__id7__", {"users/__id7__": True}, True),
        *((one, {}, False) for one in NO_DOCUMENTS),
        (["ada", "bob"], {"users/ada": True, "users/bob": True}, True),
        (["ada", "bob"], {"users/ada": True, "users/bob": False}, False),
        ("ada", {}, None),
        (["ada", "bob"], {"users/bob": False}, False),
    ],
)
def test_a_reference(named: Any, there: dict[str, bool], valid: bool | None) -> None:
    """It leads to a document of its collection; what could not be looked at is unknown."""
    collection = Collection(references={"owner": "users"})

    assert judged(collection, {"owner": named}, ObservedReferences(documents=there)).is_valid is valid


@pytest.mark.parametrize(
    ("named", "file"),
    [
        ("cvs/a b.pdf", "gs://media/cvs/a b.pdf"),
        ("/cvs/a.pdf", "gs://media/cvs/a.pdf"),
        ("gs://media/cvs/a%20b.pdf", "gs://media/cvs/a%20b.pdf"),
        ("https://storage.googleapis.com/media/cvs/a%20b.pdf", "gs://media/cvs/a b.pdf"),
        ("https://media.storage.googleapis.com/a.pdf", "gs://media/a.pdf"),
        (
            "https://firebasestorage.googleapis.com/v0/b/media/o/cvs%2Fa.pdf?alt=media&token=t",
            "gs://media/cvs/a.pdf",
        ),
        ("gs://other/a.pdf", ""),
        ("https://storage.googleapis.com/other/a.pdf", ""),
        ("https://evil.example/media/a.pdf", ""),
        ("/", ""),
        (7, ""),
    ],
)
def test_a_file_is_named_in_many_ways(named: Any, file: str) -> None:
    """And only in the declared bucket."""
    assert file_url(named, "media") == file


@pytest.mark.parametrize(
    ("seen", "valid"), [({"gs://media/a": ""}, True), ({"gs://media/a": "it is empty"}, False), ({}, None)]
)
def test_a_file(seen: dict[str, str], valid: bool | None) -> None:
    """It is there and reads; what could not be looked at is unknown."""
    collection = Collection(media={"cv.file": "media"})

    found = judged(collection, {"cv": {"file": "a"}}, ObservedReferences(files=seen))

    assert found.is_valid is valid
    assert judged(collection, {"cv": {}}).is_valid is True


@pytest.mark.parametrize(
    ("term", "fields", "found"),
    [
        (Term("n", Comparison.EQUAL, 1), {"n": 1.0}, True),
        (Term("n", Comparison.EQUAL, 1), {"n": True}, False),
        (Term("n", Comparison.EQUAL, "1"), {"n": 1}, False),
        (Term("n", Comparison.UNEQUAL, 1), {"n": 2}, True),
        (Term("n", Comparison.UNEQUAL, 1), {}, False),
        (Term("n", Comparison.LESS, 0), {"n": -0.5}, True),
        (Term("n", Comparison.LESS, 0), {"n": 0}, False),
        (Term("n", Comparison.LESS, 0), {"n": "-1"}, False),
        (Term("n", Comparison.AT_LEAST, 0), {"n": 0}, True),
        (Term("n", Comparison.ONE_OF, ["a", "b"]), {"n": "b"}, True),
        (Term("n", Comparison.ABSENT), {}, True),
        (Term("n", Comparison.ABSENT), {"n": None}, False),
        (Term("n", Comparison.EQUAL, None), {"n": None}, True),
        (Term("a.n", Comparison.MORE, 2), {"a": [{"n": 1}, {"n": 3}]}, True),
    ],
)
def test_a_query_of_ones_own(term: Term, fields: dict[str, Any], found: bool) -> None:
    """It finds what it says; values of another type match nothing."""
    assert is_match(FaultyQuery("wrong", (term,)), fields) is found
    assert judged(Collection(faulty=(FaultyQuery("wrong", (term,)),)), fields).is_valid is not found


@pytest.mark.parametrize(
    ("before", "now", "dropped"),
    [(100, 70, True), (100, 90, False), (100, 89, True), (0, 0, False), (10, 20, False)],
)
def test_a_drop(before: int, now: int, dropped: bool) -> None:
    """Just as much as is tolerated is tolerated."""
    assert has_dropped(before, now, 0.1) is dropped


def test_values_are_the_same_only_in_their_type() -> None:
    """What Python calls equal may be stored otherwise; and NaN is stored like NaN."""
    assert is_same_value({"a": [float("nan"), ADA]}, {"a": [float("nan"), ADA]})
    for one, other in ((1, 1.0), (1, True), (0.0, -0.0), ([1], [1, 2]), ({"a": 1}, {"b": 1})):
        assert not is_same_value(one, other)


def test_names_are_ordered_part_by_part() -> None:
    """A slash separates: it is no sign that sorts."""
    assert sorted(["a-/b", "a/b", "a/a/c"], key=path_sort_key) == ["a/a/c", "a/b", "a-/b"]
