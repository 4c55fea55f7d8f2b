"""A document with every kind of value that Firestore holds."""

from datetime import UTC, datetime
from typing import Any

from shared.domain.data.document import GeoPoint, Reference
from tests.local.support.firestore_admin import DATABASE

EVERYTHING: dict[str, Any] = {
    "none": None,
    "true": True,
    "one": 1,
    "least": -(2**63),
    "one_as_double": 1.0,
    "no_number": float("nan"),
    "endless": float("inf"),
    "minus_zero": -0.0,
    "text": "Zürich\n",
    "bytes": b"\x00\xff",
    "moment": datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    "person": Reference(f"{DATABASE}/documents/users/ada"),
    "of_another": Reference("projects/other/databases/d-2/documents/a/b"),
    "place": GeoPoint(47.5, 0.0),
    "nowhere": GeoPoint(0.0, 0.0),
    "list": [1, "a", None, {"b": [2.5]}],
    "empty_list": [],
    "empty_map": {},
    "odd.name": {"`": 1, " ": 2},
    "vector": {"__type__": "__vector__", "value": [0.5, 1.0]},
}
"""One value of each type that a field can hold, and the edges of each."""
