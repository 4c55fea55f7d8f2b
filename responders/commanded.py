"""What of a command a worker does, when it is due: rehearse it, drill, hold and release."""

from __future__ import annotations

from collections.abc import Mapping

from responders import drilling
from responders.holding import go_on
from responders.rehearsing import rehearse
from shared import command as commands
from shared.command import CommandRecord
from shared.documents import decode
from shared.errors import Refused
from shared.policy import Policy
from shared.ports import Ports
from shared.tenure import SKEW


def carry_out(ports: Ports, policies: Mapping[str, Policy], command: str) -> None:
    """Return once it is done, or due again later; a redelivery does what is left.

    Raises: Refused, without the system's policy; Moved; Unavailable.
    """
    document = ports.store.get(commands.path(command))
    if document.fields is None:
        return
    record = decode(CommandRecord, document.fields)
    if record.due_at is None or record.due_at > document.read_at + SKEW:
        return
    if record.system not in policies:
        raise Refused(f"command {command}: no policy for the system {record.system}")
    policy = policies[record.system]
    if record.order is not None and record.drills:
        drilling.carry_out(ports, policy, document, record, record.order)
    elif record.order is not None:
        rehearse(ports, policy, document, record, record.order)
    else:
        go_on(ports, policy, document, record)
