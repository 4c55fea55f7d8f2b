from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument
from google.cloud import firestore
from google.cloud.firestore import And, FieldFilter, GeoPoint, Or, Query
from google.cloud.firestore_v1.field_path import FieldPath

from tests.local.support.firestore import FirestoreWorld, serving

NAN = float("nan")

DOCUMENTS: dict[str, dict[str, Any]] = {
    "d1": {"n": 1, "kind": "a", "tags": ["x", "y"], "at": {"due": 5}},
    "d2": {"n": 2, "kind": "b", "tags": ["y"], "at": {"due": 3}},
    "d3": {"n": 2.5, "kind": "a", "tags": [], "at": {}},
    "d4": {"n": NAN, "kind": None},
    "d5": {"n": "2", "kind": "c", "tags": "x"},
    "d6": {"kind": "a", "n": None},
    "d7": {"kind": "b"},
}


@pytest.fixture(scope="module")
def world() -> Iterator[FirestoreWorld]:
    with serving() as world:
        yield world


@pytest.fixture(scope="module")
def collection(world: FirestoreWorld) -> Iterator[firestore.CollectionReference]:
    with world.client() as client:
        batch = client.batch()
        for name, fields in DOCUMENTS.items():
            batch.create(client.document("d", name), fields)
        batch.commit()
        yield client.collection("d")


def ids(query: Query) -> str:
    return " ".join(found.id for found in query.stream())


@pytest.mark.parametrize(
    ("field", "op", "operand", "found"),
    [
        ("n", "==", 2, "d2"),
        ("n", "==", 2.0, "d2"),
        ("n", "==", NAN, "d4"),
        ("n", "==", None, "d6"),
        ("n", "!=", 2, "d4 d1 d3 d5"),
        ("n", "!=", None, "d4 d1 d2 d3 d5"),
        ("n", ">", 1, "d2 d3"),
        ("n", ">=", 2, "d2 d3"),
        ("n", "<", 2.5, "d4 d1 d2"),
        ("n", "<=", "2", "d5"),
        ("n", "in", [1, "2", 7], "d1 d5"),
        ("n", "not-in", [1, 2], "d4 d3 d5"),
        ("n", "not-in", [1, None], ""),
        ("tags", "array_contains", "x", "d1"),
        ("tags", "array_contains_any", ["x", "y"], "d1 d2"),
        ("at.due", ">", 3, "d1"),
        ("absent", "==", None, ""),
    ],
)
def test_one_filter(
    collection: firestore.CollectionReference, field: str, op: str, operand: object, found: str
) -> None:
    """Comparisons by order are within one type; what is absent passes nothing."""
    assert ids(collection.where(filter=FieldFilter(field, op, operand))) == found


def test_filters_together(collection: firestore.CollectionReference) -> None:
    """And and or nest."""
    a_or_b = Or([FieldFilter("kind", "==", "a"), FieldFilter("kind", "==", "b")])

    assert ids(collection.where(filter=And([FieldFilter("n", "<", 2), a_or_b]))) == "d1"
    assert ids(collection.where(filter=a_or_b)) == "d1 d2 d3 d6 d7"


def test_orders(collection: firestore.CollectionReference) -> None:
    """Documents without the field are not found; equals are in the order of their names."""
    assert ids(collection.order_by("n")) == "d6 d4 d1 d2 d3 d5"
    assert ids(collection.order_by("n", direction=Query.DESCENDING)) == "d5 d3 d2 d1 d4 d6"
    assert ids(collection.order_by("kind")) == "d4 d1 d3 d6 d2 d7 d5"
    assert ids(collection.order_by("kind", direction=Query.DESCENDING)) == "d5 d7 d2 d6 d3 d1 d4"
    by_kind = collection.order_by("kind").order_by("n", direction=Query.DESCENDING)
    assert ids(by_kind) == "d4 d3 d1 d6 d2 d5"


def test_an_order_implied_by_an_inequality(collection: firestore.CollectionReference) -> None:
    """A compared field orders the query, in the direction of the last order."""
    compared = collection.where(filter=FieldFilter("n", ">", 0))

    assert ids(compared) == "d1 d2 d3"
    assert ids(compared.order_by("n", direction=Query.DESCENDING)) == "d3 d2 d1"
    assert ids(compared.order_by("kind", direction=Query.DESCENDING)) == "d2 d3 d1"


def test_cursors_and_limits(collection: firestore.CollectionReference) -> None:
    """A cursor is a place in the order; limits and offsets count from there."""
    by_name = collection.order_by("__name__")
    by_kind = collection.order_by("kind")

    assert ids(by_kind.start_at({"kind": "b"})) == "d2 d7 d5"
    assert ids(by_kind.start_after({"kind": "b"})) == "d5"
    assert ids(by_kind.end_before({"kind": "b"})) == "d4 d1 d3 d6"
    assert ids(by_kind.end_at({"kind": "b"})) == "d4 d1 d3 d6 d2 d7"
    assert ids(by_name.start_after(collection.document("d5").get())) == "d6 d7"
    assert ids(by_kind.start_after(collection.document("d3").get()).limit(2)) == "d6 d2"
    assert ids(by_name.offset(2).limit(2)) == "d3 d4"
    assert ids(by_name.limit(0)) == ""
    descending = collection.order_by("kind", direction=Query.DESCENDING)
    assert ids(descending.start_at({"kind": "b"}).end_at({"kind": "a"})) == "d7 d2 d6 d3 d1"
    assert [found.id for found in by_name.limit_to_last(2).get()] == ["d6", "d7"]


def test_filters_on_the_name(collection: firestore.CollectionReference) -> None:
    """Names compare as references do."""
    name = FieldPath.document_id()
    between = And(
        [
            FieldFilter(name, ">=", collection.document("d2")),
            FieldFilter(name, "<", collection.document("d4")),
        ]
    )
    chosen = FieldFilter(name, "in", [collection.document("d7"), collection.document("d1")])

    assert ids(collection.where(filter=between)) == "d2 d3"
    assert ids(collection.where(filter=chosen)) == "d1 d7"


def test_the_order_of_names(client: firestore.Client) -> None:
    """Numeric ids first, then by code points, whatever was written when; both ways alike."""
    ordered = ["__id-3__", "__id2__", "__id10__", "10", "9", "B", "a", "a-1", "b", "é"]
    for name in ("b", "9", "gone", "__id10__", "a", "é", "B", "__id2__", "a-1", "10", "__id-3__"):
        client.document("n", name).create({"odd": len(name) % 2})
    client.document("n/gone").delete()
    names = client.collection("n").order_by("__name__")
    backwards = client.collection("n").order_by("__name__", direction=Query.DESCENDING)

    def at(name: str) -> dict[str, Any]:
        return {"__name__": client.document("n", name)}

    assert ids(names).split() == ordered
    assert ids(backwards).split() == ordered[::-1]
    assert ids(client.collection_group("n")).split() == ordered
    assert ids(names.start_at(at("9")).end_at(at("a"))) == "9 B a"
    assert ids(names.start_after(at("9")).end_before(at("a"))) == "B"
    assert ids(names.start_after(at("gone"))) == "é"
    assert ids(names.start_after(at("aa")).limit(1)) == "b"
    assert ids(names.offset(1).limit(2)) == "__id2__ __id10__"
    assert ids(names.where(filter=FieldFilter("odd", "==", 0)).limit(1)) == "__id-3__"


def test_a_projection(collection: firestore.CollectionReference) -> None:
    """Only the chosen fields come, with the document's times."""
    [found] = collection.where(filter=FieldFilter("n", "==", 1)).select(["at.due", "no"]).stream()

    assert found.to_dict() == {"at": {"due": 5}}
    assert found.update_time == collection.document("d1").get().update_time
    assert collection.document("d1").get(["n"]).to_dict() == {"n": 1}


def test_the_order_of_all_types(client: firestore.Client) -> None:
    """Values of different types stand in one order."""
    ordered = [
        None,
        False,
        True,
        NAN,
        float("-inf"),
        -1,
        0.5,
        1,
        2**53,
        2**53 + 1,
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 2, tzinfo=UTC),
        "",
        "Z",
        "a",
        "ä",
        "\uffff",
        "\U0001f600",
        b"",
        b"\x00",
        client.document("a/1"),
        client.document("a/1/b/1"),
        GeoPoint(-1, 2),
        GeoPoint(1, -2),
        [],
        [1],
        [1, 2],
        [2],
        {},
        {"a": 1},
        {"a": 1, "b": 0},
        {"a": 2},
        {"b": 0},
    ]
    batch = client.batch()
    for place, value in enumerate(ordered):
        batch.create(client.document("v", f"{len(ordered) - place:02d}"), {"v": value, "p": place})
    batch.commit()

    places = [found.get("p") for found in client.collection("v").order_by("v").stream()]

    assert places == list(range(len(ordered)))


def test_collection_groups(client: firestore.Client) -> None:
    """A group is every collection of one id, wherever it lies, and no other."""
    for path in ("steps/0", "rollbacks/r1/steps/1", "rollbacks/r2/steps/2", "rollbacks/r1/stepsize/3"):
        client.document(path).create({"path": path})

    assert ids(client.collection_group("steps")) == "1 2 0"
    below = client.document("rollbacks/r1").collection("steps")
    assert ids(below) == "1"
    assert ids(client.collection("rollbacks").recursive()) == "1 3 2"


def test_partitions(client: firestore.Client) -> None:
    """A large group is parted into ranges that together are the whole."""
    for start in range(0, 400, 200):
        batch = client.batch()
        for number in range(start, start + 200):
            batch.create(client.document(f"g/{number:03d}"), {})
        batch.commit()

    partitions = list(client.collection_group("g").get_partitions(3))

    sizes = [len(list(partition.query().stream())) for partition in partitions]
    assert sum(sizes) == 400
    assert len(sizes) == 4
    assert len(list(client.collection_group("none").get_partitions(3))) == 1


def test_aggregations(collection: firestore.CollectionReference) -> None:
    """Sums and averages are over numbers; documents count where all summed fields are there."""
    numbers = collection.where(filter=FieldFilter("n", ">", 0))
    aggregation = numbers.sum("n", alias="sum").avg("n", alias="mean").count(alias="count")

    assert {one.alias: one.value for one in aggregation.get()[0]} == {"sum": 5.5, "mean": 5.5 / 3, "count": 3}
    assert collection.count().get()[0][0].value == len(DOCUMENTS)
    assert numbers.limit(2).sum("n").get()[0][0].value == 3
    assert collection.sum("absent").get()[0][0].value == 0
    assert collection.limit(3).count().get()[0][0].value == 3


def test_a_limited_sum_without_an_order(client: firestore.Client) -> None:
    """It runs over the smallest values of the summed field."""
    for name, value in (("a", 30), ("b", 20), ("c", 10)):
        client.document("s", name).create({"v": value})

    assert client.collection("s").limit(2).sum("v").get()[0][0].value == 30


def test_aggregations_that_cannot_be(collection: firestore.CollectionReference) -> None:
    """One alias is for one figure."""
    with pytest.raises(InvalidArgument):
        collection.count(alias="twice").sum("n", alias="twice").get()


@pytest.mark.parametrize(
    "refused",
    [
        FieldFilter("n", "in", []),
        FieldFilter("n", "in", list(range(31))),
        FieldFilter("n", "not-in", list(range(11))),
    ],
)
def test_filters_that_cannot_be(collection: firestore.CollectionReference, refused: FieldFilter) -> None:
    """Lists have the service's limits."""
    with pytest.raises(InvalidArgument):
        ids(collection.where(filter=refused))
