"""The published schema and the types say the same."""

import json
from datetime import timedelta
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from shared.core.durations import DURATION_PATTERN, format_duration, parse_duration
from shared.domain.commands.registry import COMMAND_RULES
from shared.domain.policy import (
    channels,
    data_rules,
    execution_limits,
    gate_limits,
    operator_identity,
    probes,
    resources,
    scenario_names,
    severity,
    signals,
    system_policy,
)
from shared.domain.policy.operator_identity import Role
from shared.domain.signals.registry import SIGNALS
from shared.policy_files.schema import SCHEMA_FILE

SCHEMA: dict[str, Any] = json.loads(SCHEMA_FILE.read_text())
SECTIONS = (
    system_policy,
    channels,
    data_rules,
    execution_limits,
    gate_limits,
    operator_identity,
    probes,
    resources,
    scenario_names,
    severity,
    signals,
)
KINDS = [
    kind
    for module in SECTIONS
    for kind in vars(module).values()
    if isinstance(kind, type) and kind.__module__ == module.__name__
]
STRUCTS = [kind for kind in KINDS if issubclass(kind, msgspec.Struct)]
ENUMS = [Role, *(kind for kind in KINDS if issubclass(kind, Enum))]
FILLED_IN = {("Policy", name) for name in ("text", "fingerprint", "foreign", "declared")}


def written(value: object) -> object:
    """A default as a policy file would write it."""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, msgspec.Struct):
        return {}
    if isinstance(value, tuple):
        return [written(item) for item in value]
    if isinstance(value, dict):
        return {written(key): written(item) for key, item in value.items()}
    return value


def fields_of(struct: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {
        field.name: field
        for field in msgspec.structs.fields(struct)
        if (struct.__name__, field.name) not in FILLED_IN
    }


def test_the_schema_is_a_schema() -> None:
    """The schema is valid JSON Schema of draft 2020-12."""
    jsonschema_rs.meta.validate(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_each_struct_has_its_part(struct: type[msgspec.Struct]) -> None:
    """The same fields, of which the same are required, and nothing else is admitted."""
    part = SCHEMA["$defs"][struct.__name__]
    fields = fields_of(struct)

    assert set(part["properties"]) == set(fields)
    assert set(part.get("required", ())) == {n for n, field in fields.items() if field.required}
    assert part["additionalProperties"] is False


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_each_default_is_the_code_s(struct: type[msgspec.Struct]) -> None:
    """What editors show as default is what the code takes."""
    properties = SCHEMA["$defs"][struct.__name__]["properties"]

    for name, field in fields_of(struct).items():
        if field.default_factory is not msgspec.NODEFAULT:
            assert properties[name]["default"] == written(field.default_factory())
        elif field.default is not msgspec.NODEFAULT:
            assert properties[name]["default"] == written(field.default)
        else:
            assert "default" not in properties[name]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_each_key_is_described(struct: type[msgspec.Struct]) -> None:
    """An editor can say of every key what it is for."""
    for part in SCHEMA["$defs"][struct.__name__]["properties"].values():
        described = SCHEMA["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else {}
        assert part.get("description") or described.get("description")


@pytest.mark.parametrize("kind", ENUMS, ids=lambda kind: kind.__name__)
def test_each_enum_has_its_words(kind: type[Enum]) -> None:
    """The schema admits exactly the words that the code knows."""
    assert SCHEMA["$defs"][kind.__name__]["enum"] == [
        str(written(member)) if isinstance(member, IntEnum) else member.value for member in kind
    ]


def test_each_signal_is_admitted() -> None:
    """The schema admits exactly the signals that the code knows."""
    signals = SCHEMA["$defs"]["Policy"]["properties"]["signals"]
    assert signals["propertyNames"]["enum"] == list(SIGNALS)


def test_each_command_may_be_given_a_role() -> None:
    """The schema admits exactly the commands that the code knows a role for."""
    assert SCHEMA["$defs"]["Verb"]["enum"] == list(COMMAND_RULES)


def test_the_schema_s_durations_are_the_code_s() -> None:
    """What the schema lets through as a duration can be read as one."""
    assert SCHEMA["$defs"]["duration"]["pattern"] == DURATION_PATTERN
    assert SCHEMA["$defs"]["positiveDuration"]["pattern"] == "^(?=.*[1-9])" + DURATION_PATTERN[1:]


def test_both_policies_name_the_schema_for_editors() -> None:
    """An editor finds the schema from the first line of each policy."""
    for file in sorted(Path(SCHEMA_FILE).parent.glob("*.yaml")):
        first = file.read_text().splitlines()[0]
        assert first == "# yaml-language-server: $schema=policy.schema.json"


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0s", timedelta(0)),
        ("30s", timedelta(seconds=30)),
        ("2m", timedelta(minutes=2)),
        ("1h30m", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("1d1h1m1s", timedelta(days=1, hours=1, minutes=1, seconds=1)),
    ],
)
def test_a_duration_is_read_and_written_alike(text: str, duration: timedelta) -> None:
    """A duration survives the way to text and back."""
    assert parse_duration(text) == duration
    assert format_duration(duration) == text


@pytest.mark.parametrize("text", ["", "5", "s", "1m1h", "-1s", "1.5h", " 1s", "1s\n", "1S", "99999d", "٣s"])
def test_what_is_no_duration(text: str) -> None:
    """Only the one way of writing is a duration."""
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)
