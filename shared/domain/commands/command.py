"""What a person asks for, checked whole before any of it is done."""

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import jsonschema_rs
import msgspec
from msgspec import Meta, field
from msgspec.structs import replace

from shared.core.codec import FrozenStruct, JsonObject, StoredDocument, documents_of, from_builtins, from_json
from shared.core.durations import parse_duration
from shared.core.errors import Refused
from shared.core.redaction import redact_value
from shared.core.text import is_blank, suggest_names
from shared.domain.commands.console_operator import OPERATOR_KEY
from shared.domain.commands.credential import TOKEN_KEY
from shared.domain.data.repair import repair_plan as repair
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policies
from shared.domain.rollback.rollback import LAST_STABLE, RollbackRequest

SCHEMA_FILE = Path(__file__).with_name("command.schema.json")
MAX_COMMAND_BYTES = 64 * 1024
AwareTime = Annotated[datetime, Meta(tz=True)]
TEXT_FIELDS = ("reason", "actor", "cause", "prevention", "public")
TIME_FIELDS = ("at", "begins_at", "since", "until")
command_path = documents_of("commands")
SHELL_OPTIONS = {"groups": "group", "functions": "function", "delay_seconds": "delay"}
"""The options of `rollback run` that are not called as the fields of the command."""


class Command(FrozenStruct, omit_defaults=True):
    """One valid command; what it does not say is empty."""

    id: str
    command: str
    reason: str
    actor: str
    system: str = ""
    """Empty: all systems."""
    incident: str = ""
    rollback: str = ""
    plan: str = ""
    """The fingerprint that an answer is about."""
    scenario: ScenarioName = ScenarioName.FUNCTIONS
    target: str = LAST_STABLE
    select: str = ""
    """Which documents are brought back; empty: none, or the invalid ones of a restore point."""
    restore_point: str = ""
    """Which past the data come from, as `shared.domain.data.backups.restore_point` parses it."""
    groups: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    severity: Severity = Severity.CRITICAL
    batch_size: int | None = None
    delay_seconds: float = 0.0
    dry_run: bool = False
    auto_confirm: bool = False
    override: bool = False
    supersede: bool = False
    """Whether it may end the rollback under way."""
    deployment: str = ""
    mode: str = ""
    expires: str = ""
    """A time or a span."""
    at: AwareTime | None = None
    """When a planned rollback is to begin; None: at once."""
    begins_at: AwareTime | None = field(default=None, name="from")
    since: AwareTime | None = None
    until: AwareTime | None = None
    format: str = ""
    backup: str = ""
    """The export that is held or released."""
    cause: str = ""
    prevention: str = ""
    public: str = ""
    """What users may read of the cause."""
    collection: str = ""
    """Whose derived data is to be made again."""
    documents: tuple[str, ...] = ()
    """Paths in it; none: all of them."""
    verdict: str = ""
    """Whether a rollback was the right answer to the incident."""
    person: str = ""
    """The hash of whom to erase (`shared.domain.data.erasure.ledger`)."""

    @property
    def digest(self) -> str:
        """The SHA-256 of what the command says, without who sends it."""
        return hashlib.sha256(msgspec.json.encode(replace(self, actor=""), order="deterministic")).hexdigest()


class ScheduledRollback(FrozenStruct):
    """A rollback that begins at its time."""

    order: RollbackRequest
    severity: Severity
    begins_at: datetime
    open_incident: str = ""
    """The one in spite of which it was ordered; empty: it yields to every incident."""
    refusal: str = ""
    """Why it ends no rollback of that incident; empty: it was confirmed that it may."""


class CommandRecord(StoredDocument):
    """What became of a command; its document is the proof that it was carried out."""

    id: str
    command: str
    system: str
    actor: str
    reason: str
    received_at: datetime
    result: str
    digest: str = ""
    """`Command.digest`; empty: the responders wrote the record without a command."""
    responder: str = ""
    """The person who acts by it; empty: a program, or nobody named."""
    incident: str = ""
    """The one that it opened or concerns; empty: none."""
    order: RollbackRequest | None = None
    """What is to be rehearsed: decided and planned, and nothing of it done."""
    drills: bool = False
    """Whether that is a drill: dry-run as well, and recorded."""
    planned: ScheduledRollback | None = None
    """What is to begin later; None: nothing."""
    due_at: datetime | None = None
    """When a worker must look next; None: it is done."""
    answer: JsonObject = {}
    """What the rehearsal found; of a pause, how much was in flight."""
    tells: str = ""
    """The event to write into the audit log of each rollback under way; empty: none is left."""
    told: tuple[str, ...] = ()
    """The rollbacks whose trails have it."""
    expires_at: datetime | None = None

    @property
    def is_undecided(self) -> bool:
        """Whether a worker still reads if the order would change anything."""
        return self.due_at is not None and self.planned is not None and bool(self.planned.open_incident)


def parse_command(data: bytes, message_id: str, policies: Policies) -> Command:
    """The command in a message. Raises: Refused, with every fault in its reason."""
    if len(data) > MAX_COMMAND_BYTES:
        raise Refused(f"a command of {len(data)} bytes; at most {MAX_COMMAND_BYTES} are read")
    try:
        content = from_json(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as unreadable:
        raise Refused(f"not JSON: {unreadable}") from unreadable
    if not isinstance(content, dict):
        raise Refused("not a JSON object")
    verb = content.get("command")
    shape = _shape_by_verb().get(verb, "") if isinstance(verb, str) else ""
    try:
        misshapen = list(_validator(shape).iter_errors(content))
    except ValueError as too_deep:
        raise Refused("JSON that is nested too deeply") from too_deep
    faults = [
        *(_describe_fault(error, shape) for error in misshapen),
        *_find_unknown_names(content, policies),
        *_find_selection_faults(content),
        *(f"{name}: no visible character" for name in TEXT_FIELDS if is_blank(content.get(name))),
    ]
    if faults:
        raise Refused("; ".join(faults))
    unkept = ("version", TOKEN_KEY, OPERATOR_KEY)
    given = {key: redact_value(value) for key, value in content.items() if key not in unkept}
    try:
        command = from_builtins({"id": message_id, "actor": "not named", **given}, Command)
    except msgspec.ValidationError as unlike:  # 5.0 is an integer to JSON Schema
        raise Refused(str(unlike)) from unlike
    times = {name: getattr(command, name) for name in TIME_FIELDS}
    return replace(command, **{name: _to_utc(at) for name, at in times.items() if at is not None})


def _describe_fault(error: jsonschema_rs.ValidationError, shape: str) -> str:
    """What is wrong, in words; with what it should be, where the schema has a title for that."""
    details: Mapping[str, Any] = error.kind.as_dict()
    if error.kind.name == "additionalProperties":
        known = _schema(shape)["properties"]
        unexpected = [f"{key}{suggest_names(key, known)}" for key in details["unexpected"]]
        return f"not an option here: {', '.join(unexpected)}"
    command_path = list(error.instance_path)
    if command_path == ["token"]:
        return "the field token holds none"  # whatever was sent in its place is repeated nowhere
    said = error.message
    if error.kind.name in ("pattern", "format", "anyOf") and command_path:
        title = _schema(shape)["properties"][command_path[0]].get("title")
        said = f"{str(error.instance)[:80]!r} is not {title}" if title else said
    elif error.kind.name == "not":
        said = f"{str(error.instance)[:80]} is {details['schema']['title']}"
    elif error.kind.name == "required":
        said = f"{details['property']} is missing"
    elif error.kind.name == "enum":
        said += suggest_names(error.instance, details["options"])
    where = ".".join(map(str, command_path))
    return f"{where}: {said}" if where else said


@cache
def _shape_by_verb() -> dict[str, str]:
    """Each verb, and the first verb of its shape, by which that is called."""
    shapes = [_verbs(one) for one in json.loads(SCHEMA_FILE.read_text())["oneOf"]]
    return {verb: verbs[0] for verbs in shapes for verb in verbs}


def _verbs(shape: Mapping[str, Any]) -> list[str]:
    admitted = shape["properties"]["command"]
    return admitted["enum"] if "enum" in admitted else [admitted["const"]]


@cache
def _schema(shape: str) -> JsonObject:
    """Return the schema of one shape, whose faults the alternatives hide; "": of all verbs."""
    schema: JsonObject = json.loads(SCHEMA_FILE.read_text())
    del schema["unevaluatedProperties"]
    for one in schema.pop("oneOf"):
        verbs = _verbs(one)
        del one["properties"]["command"]
        if shape in verbs:
            schema["properties"] |= one["properties"]
            schema["required"] += one.get("required", [])
            schema |= {key: one[key] for key in ("allOf",) if key in one}
            schema["additionalProperties"] = False
    return schema


@cache
def _validator(shape: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(_schema(shape), validate_formats=True)


def _find_unknown_names(content: Mapping[str, Any], policies: Policies) -> Iterator[str]:
    """The names that no policy has, whatever else may be wrong with the command."""
    name = content.get("system")
    if not isinstance(name, str) or not name:
        return
    policy = policies.get(name)
    if policy is None:
        known = ", ".join(sorted(policies))
        yield f"system {name[:80]} is not known{suggest_names(name, policies)}; there is {known}"
        return
    groups = [*policy.groups, *policy.group_aliases]
    for one in _list_texts(content.get("groups")):
        if not policy.groups_by_name(one):
            yield f"group {one} is not known in {name}{suggest_names(one, groups)}"
    for one in _list_texts(content.get("functions")):
        if one not in policy.functions:
            yield f"function {one} is not known in {name}{suggest_names(one, policy.functions)}"


def _find_selection_faults(content: Mapping[str, Any]) -> Iterator[str]:
    said = content.get("select")
    if isinstance(said, str):
        try:
            repair.parse_selection(said)
        except ValueError as none:
            yield str(none)


def _list_texts(value: object) -> list[str]:
    """The texts of a list; what else is in it, or in its place, is a fault of the shape."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def parse_time(text: str, said_at: datetime) -> datetime | None:
    """When a time or a span, said then, is; None for none. Raises: Refused, when it is neither."""
    if not text:
        return None
    with suppress(ValueError, OverflowError):  # then it is a time, or nothing
        return said_at + parse_duration(text)
    try:
        return _to_utc(from_builtins(text, AwareTime))
    except msgspec.ValidationError as neither:
        raise Refused(f"expires: {text!r} is no time") from neither


def _to_utc(at: datetime) -> datetime:
    """The same time in UTC. Raises: Refused, where an offset leads out of the calendar."""
    try:
        return at.astimezone(UTC)
    except OverflowError as outside:
        raise Refused(f"{at.isoformat()} is no time in UTC") from outside


def format_gcloud_command(topic: str, command: Mapping[str, Any]) -> str:
    """Return the command as one shell line, quoted safely; whoever pastes it signs it."""
    message = json.dumps({"version": 1, **command}, separators=(",", ":")).replace("'", "\\u0027")
    return f"""gcloud pubsub topics publish {topic} --message="$(rollback sign '{message}')\""""


def format_shell_command(command: Mapping[str, Any]) -> str:
    """A `rollback` command as the line by which the CLI shows its plan, asks, and follows it."""
    words = ["rollback", "run", "--system", command["system"]]
    hidden = ("id", "command", "actor", "system", "reason")
    for name in (*(one for one in command if one not in hidden), "reason"):
        option = f"--{SHELL_OPTIONS.get(name, name).replace('_', '-')}"
        values = command[name] if isinstance(command[name], list | tuple) else (command[name],)
        words += [word for one in values for word in ((option,) if one is True else (option, str(one)))]
    return shlex.join(words)
