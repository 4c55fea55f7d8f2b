"""JSON Schemas of collections, compiled once."""

from functools import lru_cache
from typing import Any, Final

import jsonschema_rs
import msgspec

from shared.core.codec import from_json

_TYPES: Final = ("timestamp", "bytes", "reference", "geopoint")
"""What JSON lacks. Each is written as an object whose one key no field can have
(https://firebase.google.com/docs/firestore/quotas: names between double underscores)."""


_REGISTRY: Final = jsonschema_rs.Registry(
    [(f"firestore:{kind}", {"type": "object", "required": [f"__{kind}__"]}) for kind in _TYPES]
)


def compile_schema(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """The schema, ready to be asked; nothing is fetched for it. Raises: ValueError for none."""
    return _compile_cached(msgspec.json.encode(schema, order="deterministic"))


@lru_cache(maxsize=256)
def _compile_cached(schema: bytes) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(from_json(schema), registry=_REGISTRY, offline=True)
