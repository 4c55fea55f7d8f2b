"""Parse a message on rollback-deployments: announcement, hint or due work, told apart by shape."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from shared.core.codec import FrozenStruct, JsonObject, from_builtins, from_json
from shared.core.errors import Refused
from shared.core.message_redaction import redact_message
from shared.core.pubsub_message import EARLIEST_TIME
from shared.core.text import is_blank
from shared.domain.policy.system_policy import Policies
from shared.domain.rollback.rollback import LAST_STABLE
from shared.state import work_queue

MAX_MESSAGE_BYTES = 512 * 1024
"""Twice what an entry of Cloud Logging may have (https://cloud.google.com/logging/quotas)."""
AUDITED_SERVICES = frozenset(
    f"{name}.googleapis.com"
    for name in (
        "cloudfunctions",
        "cloudscheduler",
        "firebasehosting",
        "firebaseremoteconfig",
        "firebaserules",
        "firestore",
        "identitytoolkit",
        "run",
        "secretmanager",
    )
)
"""Who carries out what changes an inventory; terraform/sink.tf asks for these alone."""
MUTATING_METHOD_PREFIXES = (
    "add",
    "create",
    "delete",
    "destroy",
    "disable",
    "enable",
    "pause",
    "publish",
    "release",
    "remove",
    "replace",
    "resume",
    "rollback",
    "set",
    "update",
)
"""How the methods begin that change something. One that is not among them is no hint: what it
changes, if it does, is found by the next look."""

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,200}\Z")]
Text = Annotated[str, Meta(max_length=500)]
Moment = Annotated[datetime, Meta(tz=True)]


class Announcement(FrozenStruct, forbid_unknown_fields=True):
    """What CI or a person says of a deployment."""

    version: Literal[1]
    system: str
    deployment: Name = ""
    """Empty: named after its time."""
    git_hash: Name = ""
    stable: bool = False
    upcoming: bool = False
    """It has not begun: the database is backed up first."""
    barrier: Text = ""
    at: Moment | None = None


class Hint(FrozenStruct):
    """Something may have changed in these systems: look."""

    systems: tuple[str, ...]
    """None: it concerns nobody."""
    at: datetime | None
    """When it was logged."""


class _Payload(FrozenStruct, rename="camel"):
    service_name: str
    method_name: str
    resource_name: str = ""


class _Resource(FrozenStruct):
    labels: dict[str, str] = {}


class _Entry(FrozenStruct, rename="camel"):
    """A LogEntry, as a sink of Cloud Logging publishes it."""

    proto_payload: _Payload
    timestamp: Moment | None = None
    resource: _Resource = _Resource()


def parse_deployment_message(
    content: bytes, policies: Policies, now: datetime
) -> Announcement | Hint | work_queue.WorkItem:
    """What the message tells. Raises: Refused, with every fault."""
    if len(content) > MAX_MESSAGE_BYTES:
        raise Refused(f"not a message for this topic: {len(content)} bytes")
    try:
        said = from_json(redact_message(content))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as unreadable:
        raise Refused(f"not a message for this topic: {unreadable}") from unreadable
    if not isinstance(said, dict):
        raise Refused("not a message for this topic: not a JSON object")
    if "kind" in said:
        return work_queue.parse_work_item(content, work_queue.DEPLOYMENT, work_queue.INVENTORY)
    if "protoPayload" in said or "logName" in said:
        return _hint(said, policies)
    return _announcement(said, policies, now)


def _announcement(said: JsonObject, policies: Policies, now: datetime) -> Announcement:
    faults = list(_faults(said, Announcement, "$"))
    known = {field.name for field in msgspec.structs.fields(Announcement)}
    faults += [f"{name[:80]!r} is not an option here" for name in said if name not in known]
    if is_blank(said.get("barrier")):
        faults.append("barrier: no visible character")
    if said.get("deployment") == LAST_STABLE:
        faults.append(f"deployment: {LAST_STABLE} always names the newest stable one")
    system = said.get("system")
    if isinstance(system, str) and system not in policies:
        faults.append(f"system {system[:80]} is not known")
    if said.get("upcoming") and not said.get("deployment"):
        faults.append("an upcoming deployment needs a name: deployment")
    if said.get("upcoming") and (said.get("stable") or said.get("barrier")):
        faults.append("an upcoming deployment cannot be stable or a barrier yet")
    if not faults:
        announcement = from_builtins(said, Announcement)
        if announcement.at is None or EARLIEST_TIME < announcement.at < now + timedelta(days=1):
            return announcement
        faults.append(f"a deployment at {announcement.at.isoformat()}: the time is too early or too late")
    raise Refused(f"no announcement of a deployment: {'; '.join(faults)}")


def _hint(said: JsonObject, policies: Policies) -> Hint:
    faults = list(_faults(said, _Entry, "$"))
    payload = said.get("protoPayload")
    if isinstance(payload, dict):
        faults += _faults(payload, _Payload, "$.protoPayload")
    if faults:
        raise Refused(f"no audit entry: {'; '.join(dict.fromkeys(faults))}")
    entry = from_builtins(said, _Entry)
    payload = entry.proto_payload
    method = payload.method_name.rpartition(".")[2].lower()
    if payload.service_name not in AUDITED_SERVICES or not method.startswith(MUTATING_METHOD_PREFIXES):
        return Hint((), entry.timestamp)
    kind, _, rest = payload.resource_name.partition("/")
    named = rest.partition("/")[0] if kind == "projects" else ""
    projects = {entry.resource.labels.get("project_id", ""), named}
    concerned = (name for name, policy in policies.items() if policy.project in projects)
    return Hint(tuple(concerned), entry.timestamp)


def _faults(said: Mapping[str, Any], kind: type[Struct], where: str) -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        if name not in said:
            if field.required:
                yield f"{where}.{name} is missing"
            continue
        try:
            from_builtins(said[name], field.type)
        except msgspec.ValidationError as wrong:
            what, _, below = str(wrong).partition(" - at `$")
            yield f"{where}.{name}{below.rstrip('`')}: {what}"
