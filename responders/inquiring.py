"""What is known of damage to the data, and who wants them looked through before their time."""

from __future__ import annotations

from contextlib import suppress

from msgspec.structs import replace

from responders.verbs import Asked, Effect
from shared.core.codec import decode, encode
from shared.core.errors import Moved, Refused
from shared.core.store import Document, written
from shared.domain.data.integrity import damage
from shared.domain.data.integrity.damage import Record
from shared.domain.policy.model import Policy
from shared.ports.world import Ports


def check(asked: Asked) -> Effect:
    """By a person: the clock begins a run within a minute, or once the one under way is over."""
    command, policy = asked.command, asked.policy
    if not policy.collections:
        raise Refused(f"{policy.system} declares no collections")
    document, known = known_damage(asked.ports, policy)
    wanted = replace(known, asked=f"asked for by {command.actor}: {command.reason}")
    when = "once the run under way is over" if known.run is not None else "within a minute"
    names = ", ".join(sorted(policy.collections))
    return Effect(f"looked through {when}: {names}", (written(document, encode(wanted)),))


def look_anew(ports: Ports, document: Document, record: Record, why: str) -> None:
    """Have the data looked through, unless that is under way or asked for."""
    if record.run is None and not record.asked:
        with suppress(Moved):  # somebody looks just now
            ports.store.commit([written(document, encode(replace(record, asked=why)))])


def known_damage(ports: Ports, policy: Policy) -> tuple[Document, Record]:
    """What the last run has found of a system, and its document. Raises: Unavailable."""
    document = ports.store.get(damage.path(policy.system))
    record = decode(Record, document.fields) if document.fields else Record(policy.system)
    return document, record
