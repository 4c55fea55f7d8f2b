"""check: a person wants the data looked through before its time."""

from __future__ import annotations

from msgspec.structs import replace

from responders.verbs import Asked, Effect
from shared import damage
from shared.damage import Record
from shared.documents import decode, encode
from shared.errors import Refused
from shared.ports import written


def check(asked: Asked) -> Effect:
    """The clock begins a run within a minute, or once the one under way is over."""
    command, policy = asked.command, asked.policy
    if not policy.collections:
        raise Refused(f"{policy.system} declares no collections")
    document = asked.ports.store.get(damage.path(policy.system))
    known = decode(Record, document.fields) if document.fields else Record(policy.system)
    wanted = replace(known, asked=f"asked for by {command.actor}: {command.reason}")
    when = "once the run under way is over" if known.run is not None else "within a minute"
    names = ", ".join(sorted(policy.collections))
    return Effect(f"looked through {when}: {names}", (written(document, encode(wanted)),))
