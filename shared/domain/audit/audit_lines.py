"""What the trail tells, one event at a time: who, what, when, why, from where, before and after."""

import json
from collections.abc import Mapping
from typing import Any

from shared.core.codec import FrozenStruct
from shared.core.topics import ENTRY_POINTS
from shared.domain.audit.chain import AuditEntry, Event

RESPONDER_NAMES = {"worker": "on_work", "override": "on_override", **{name: name for name in ENTRY_POINTS}}
"""The responder that wrote an event, by the first word of its actor; on_command for every other."""
REASON_FIELDS = ("reason", "note", "why", "by")
"""Facts that say why, the best first."""


class AuditLine(FrozenStruct):
    """One event; "" where there is nothing to say."""

    at: str
    """When, ISO 8601 in UTC."""
    event: str
    actor: str
    origin: str
    """From where: the responder that wrote it down, or the topic that it came on."""
    why: str
    system: str
    incident: str = ""
    rollback: str = ""
    step: str = ""
    before: str = ""
    after: str = ""
    message: str = ""
    """The id of the message that brought it."""
    sequence: int = 0
    """The number of its entry or seal; 0: in none yet."""
    commit_id: str = ""
    facts: dict[str, Any] = {}


def audit_lines_of_entry(entry: AuditEntry, rollback: str, incident: str, system: str) -> list[AuditLine]:
    """The events of one commit of a rollback."""
    where = {"incident": incident, "rollback": rollback, "commit_id": entry.commit_id}
    return [audit_line_of_event(event, system, entry.sequence, **where) for event in entry.events]


def audit_line_of_event(event: Event, system: str, sequence: int = 0, **where: str) -> AuditLine:
    """An event; outside every rollback, unless `where` names that and its incident."""
    before, after = _changed_values(event)
    topic = event.actor if "topic" in event.actor else ""
    command = event.facts.get("command")
    said = {**command, **event.facts} if isinstance(command, Mapping) else event.facts
    return AuditLine(
        at=event.at,
        event=event.name,
        actor=event.actor,
        origin=topic or RESPONDER_NAMES.get(event.actor.partition(":")[0], "on_command"),
        why=next((str(said[fact]) for fact in REASON_FIELDS if said.get(fact)), ""),
        system=system,
        step=str(event.facts.get("step", "")),
        before=before,
        after=after,
        message=str(event.facts.get("message", "")),
        sequence=sequence,
        facts=event.facts,
        **where,
    )


def _changed_values(event: Event) -> tuple[str, str]:
    kind, _, became = event.name.partition(".")
    if kind == "step" or (kind == "deployment" and "before" in event.facts):
        return str(event.facts.get("before", "")), became.upper()
    changes = event.facts.get("changes")
    if not isinstance(changes, Mapping) or not changes:
        return "", ""
    if set(changes) == {"status"}:
        return str(changes["status"][0]), str(changes["status"][1])
    befores, afters = ({name: pair[side] for name, pair in changes.items()} for side in (0, 1))
    return json.dumps(befores), json.dumps(afters)
