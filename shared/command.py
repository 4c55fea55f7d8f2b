"""What a person asks for, checked whole before any of it is done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jsonschema_rs
import msgspec
from msgspec import Struct

from shared.documents import SCHEMA
from shared.errors import Refused
from shared.policy import Policy, Severity

SCHEMA_FILE = Path(__file__).with_name("command.schema.json")
LIMIT_BYTES = 64 * 1024
NOT_YET = (
    *("approve", "reject", "cancel", "retry", "accept", "undo", "freeze", "ack", "mark-stable"),
    *("mark-bad", "unpin", "drill", "hold", "release", "erase"),
)
"""Known, and refused until their effects exist."""


class Command(Struct, frozen=True):
    """One valid command."""

    id: str
    command: Literal["rollback", "pause", "resume", "promote"]
    reason: str
    actor: str
    system: str = ""
    """Empty: all systems."""
    target: str = "last-stable"
    groups: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    severity: Severity = Severity.CRITICAL
    batch_size: int | None = None
    delay_seconds: float = 0.0
    mode: str = ""


class CommandRecord(Struct, frozen=True):
    """What became of a command; its document is the proof that it was carried out."""

    id: str
    command: str
    system: str
    actor: str
    reason: str
    received_at: datetime
    result: str
    due_at: datetime | None = None
    expires_at: datetime | None = None
    schema: int = SCHEMA


def parse(data: bytes, message_id: str, policies: Mapping[str, Policy]) -> Command:
    """The command in a message. Raises: Refused, with every fault in its reason."""
    if len(data) > LIMIT_BYTES:
        raise Refused(f"a command of {len(data)} bytes; at most {LIMIT_BYTES} are read")
    try:
        content = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as unreadable:
        raise Refused(f"not JSON: {unreadable}") from unreadable
    faults = _faults(content) or _unknown_names(content, policies)
    if faults:
        raise Refused("; ".join(faults))
    given = {key: value for key, value in content.items() if key not in ("version", "scenario")}
    try:
        return msgspec.convert({"id": message_id, "actor": "not named", **given}, Command)
    except msgspec.ValidationError as unlike:  # 5.0 is an integer to JSON Schema
        raise Refused(str(unlike)) from unlike


def _faults(content: Any) -> list[str]:
    if not isinstance(content, dict):
        return ["not a JSON object"]
    verb = content.get("command")
    if verb in NOT_YET:
        return [f"{verb} is not supported yet"]
    scenario = content.get("scenario", "functions")
    if verb == "rollback" and scenario in ("complete", "database", "auth", "feature"):
        return [f"the scenario {scenario} is not supported yet"]
    return [_said(error) for error in _validators(verb).iter_errors(content)]


def _said(error: Any) -> str:
    where = ".".join(str(part) for part in error.instance_path)
    return f"{where}: {error.message}" if where else error.message


def _validators(verb: object) -> jsonschema_rs.Draft202012Validator:
    """The schema of one verb alone, so that its faults are not hidden behind the alternatives."""
    return _compiled(verb if verb in ("rollback", "pause", "resume", "promote") else None)


@cache
def _compiled(verb: object) -> jsonschema_rs.Draft202012Validator:
    schema = json.loads(SCHEMA_FILE.read_text())
    for shape in schema.pop("oneOf"):
        admitted = shape["properties"]["command"]
        if verb in admitted.get("enum", [admitted.get("const")]):
            schema["allOf"] = [shape]
    return jsonschema_rs.Draft202012Validator(schema)


def _unknown_names(content: Mapping[str, Any], policies: Mapping[str, Policy]) -> list[str]:
    name = content.get("system")
    if name is None:
        return []
    if name not in policies:
        return [f"system {name} is not known; there is {', '.join(sorted(policies))}"]
    policy = policies[name]
    unknown = [f"group {one}" for one in content.get("groups", []) if not policy.groups_called(one)]
    unknown += [
        f"function {one}" for one in content.get("functions", []) if one not in policy.functions
    ]
    return [f"{one} is not known in {name}" for one in unknown]


def as_gcloud(topic: str, command: Mapping[str, Any]) -> str:
    """The command as one line for a shell."""
    message = json.dumps({"version": 1, **command}, separators=(",", ":"))
    return f"gcloud pubsub topics publish {topic} --message='{message}'"


def path(command: str) -> str:
    """Where the proof of a command is kept."""
    return f"commands/{command}"
