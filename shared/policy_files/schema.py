"""The JSON Schema in `policies/policy.schema.json`, read at first use, and what breaks it."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path as FilePath
from typing import Any, cast

import jsonschema_rs

from shared.core.codec import JsonObject, from_json
from shared.policy_files.yaml_document import Findings, YamlPath, read_plain_scalar

SCHEMA_FILE = FilePath(__file__).parent.parent.parent / "policies" / "policy.schema.json"

_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "above",
    "exclusiveMaximum": "below",
}
_KINDS = {
    "object": "keys with values",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "empty",
}


def validate_schema(policy: Any) -> Findings:
    """Where a policy file's value breaks the schema, and how."""
    for error in _validator().iter_errors(policy):
        yield from _describe_error(error)


@cache
def _schema() -> JsonObject:
    schema: JsonObject = from_json(SCHEMA_FILE.read_bytes())
    return schema


@cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(_schema())


def _describe_error(error: jsonschema_rs.ValidationError) -> Findings:
    path = tuple(error.instance_path)
    details: Mapping[str, Any] = error.kind.as_dict()
    match error.kind.name:
        case "additionalProperties":
            known = tuple(_schema_part(error).get("properties", ()))
            for key in details["unexpected"]:
                yield (*path, key), f"unknown key {key!r}{_suggest_key(key, known)}"
        case "propertyNames":
            name = details["error"].instance
            yield (*path, name), f"name {name!r} {_describe_unfit_value(details['error'])}"
        case "required":
            beside = _keys_that_need(error, details["property"])
            yield path, f"{_format_key(path)}key {details['property']!r} is missing{beside}"
        case "anyOf":  # a value, or null: what counts is what the value should have been
            for one in details["context"][0]:
                yield from _describe_error(one)
        case _:
            yield path, f"{_format_key(path)}{_format_value(error.instance)} {_describe_unfit_value(error)}"


def _describe_unfit_value(error: jsonschema_rs.ValidationError) -> str:
    details: Mapping[str, Any] = error.kind.as_dict()
    match error.kind.name:
        case "type":
            return _describe_wrong_type(error, details["types"])
        case "enum":
            options = details["options"]
            return f"is not one of {', '.join(options)}{_suggest_key(error.instance, options)}"
        case "pattern":
            return f"is not {_schema_part(error)['title']}"
        case "minLength":
            return "is too short"
        case "minItems" | "minProperties":
            return "has too few entries"
        case "maxItems" | "maxProperties":
            return f"has too many entries: at most {details['limit']}"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" as bound:
            return f"is out of range: {_BOUNDS[bound]} {details['limit']}"
    return error.message


def _describe_wrong_type(error: jsonschema_rs.ValidationError, types: Sequence[str]) -> str:
    """Say what belongs there, and what to write where a number or a word has quotes too many."""
    wanted, value = " or ".join(_KINDS[kind] for kind in types), error.instance
    if isinstance(value, str) and not {*types}.isdisjoint(_kinds_of(read_plain_scalar(value))):
        return f"is text in quotes, not {wanted}: write it without quotes"
    return f"is not {_schema_part(error).get('title', wanted)}"


def _kinds_of(value: Any) -> Sequence[str]:
    if isinstance(value, bool):
        return ("boolean",)
    return {int: ("integer", "number"), float: ("number",)}.get(type(value), ())


def _keys_that_need(error: jsonschema_rs.ValidationError, key: str) -> str:
    """The keys beside which another one must stand; nothing, where it is always needed."""
    if error.schema_path[-1] != "dependentRequired":
        return ""
    needs, written = _schema_part(error)["dependentRequired"].items(), cast("JsonObject", error.instance)
    return f" beside {next(one for one, keys in needs if key in keys and one in written)!r}"


def _schema_part(error: jsonschema_rs.ValidationError) -> JsonObject:
    """The part of the schema whose keyword is broken."""
    part: Any = _schema()
    for key in error.schema_path[:-1]:
        part = part[key]
    found: JsonObject = part
    return found


def _suggest_key(name: Any, known: Sequence[str]) -> str:
    if not isinstance(name, str):
        return ""
    close = get_close_matches(name, known, n=1) or get_close_matches(name.lower(), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _format_key(path: YamlPath) -> str:
    return f"{'.'.join(map(str, path))}: " if path else ""


def _format_value(value: Any) -> str:
    if isinstance(value, dict | list):
        return _KINDS["object" if isinstance(value, dict) else "array"]
    words = {None: "an empty value", True: "true", False: "false"}
    shown = words[value] if value is None or isinstance(value, bool) else repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
