"""The schemas of Google's discovery documents, as google-api-python-client carries them."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from local.core.rest import Resource, invalid_argument

_NUMBERS = ("integer", "number", "int64", "uint64")
"""Types, and formats of texts, that hold a number."""
_TYPES: Mapping[str, type] = {"boolean": bool, "string": str}


def check_objects(fields: Resource, schema: str) -> None:
    """Refuse an unknown field or another type inside the fields of a resource.

    `schema` names the document and the resource in it: `monitoring.v3.AlertPolicy`.
    Raises: StatusError INVALID_ARGUMENT.
    """
    document, _, name = schema.rpartition(".")
    schemas = _read_schemas(document)
    for key, value in fields.items():
        _check(schemas, schemas[name]["properties"][key], value, key)


@cache
def _read_schemas(document: str) -> Mapping[str, Any]:
    place = files("googleapiclient.discovery_cache") / "documents" / f"{document}.json"
    schemas: Mapping[str, Any] = json.loads(place.read_text())["schemas"]
    return schemas


def _check(schemas: Mapping[str, Any], schema: Mapping[str, Any], value: Any, place: str) -> None:
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    kind = schema["type"]
    if value is None or kind == "any":
        return
    if kind == "array" and isinstance(value, list):
        for number, one in enumerate(value):
            _check(schemas, schema["items"], one, f"{place}[{number}]")
    elif kind == "object" and isinstance(value, dict):
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        for key, it in value.items():
            if key not in known and other is None:
                raise invalid_argument(
                    f"Invalid JSON payload received. Unknown name \"{key}\" at '{place}': Cannot find field."
                )
            _check(schemas, known.get(key, other), it, f"{place}.{key}")
    elif not _is_scalar(schema, value):
        raise invalid_argument(f"Invalid value at '{place}': {json.dumps(value)[:80]}")


def _is_scalar(schema: Mapping[str, Any], value: Any) -> bool:
    """Whether a value has the type of a field; a number may come as text."""
    kind = schema["type"]
    if "enum" in schema:
        return value in schema["enum"]
    if kind in _NUMBERS or schema.get("format") in _NUMBERS:
        try:
            number = float(value)
        except (OverflowError, TypeError, ValueError):
            return False
        return not isinstance(value, bool) and (kind == "number" or number.is_integer())
    return kind in _TYPES and isinstance(value, _TYPES[kind])
