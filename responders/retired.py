"""The end of an event suppression that an earlier version raised for a repair."""

from __future__ import annotations

from typing import Final

from responders.piecemeal import over
from shared.audit import event
from shared.command import CommandRecord
from shared.documents import encode
from shared.notice import creates, loud
from shared.outside import write_down
from shared.policy import Policy
from shared.ports import Document, Ports, Update
from shared.severity import Severity

SUPPRESSION: Final = "silence"
"""The command by which a worker went on with it."""
ENDED: Final = "silence.ended"


def end_suppression(ports: Ports, tell: Policy, document: Document, record: CommandRecord) -> None:
    """Name each subscription that may not push any more, with the command that gives its push back.

    Nothing here may change a subscription. `tell` says who is notified. Raises: Moved, Unavailable.
    """
    found = ports.store.get(f"fences/{record.system}:silence")
    fields, now = found.fields or {}, document.read_at
    result = f"{record.system}: event suppression was removed in this version"
    ended = over(record, now, result)
    writes = [Update(document.path, encode(ended), document.version)]
    if fields.get("command") == record.id and not fields["is_over"]:
        commands = [
            "gcloud pubsub subscriptions modify-push-config "
            f"{one['hearer']['subscription']} {one['by_hand']}"
            for one in fields["listeners"]
            if one["by_hand"]
        ]
        to_do = "Restore each push configuration with these commands:"
        text = "\n".join((f"{result}. {to_do}", *commands))
        writes.append(Update(found.path, {"is_over": True}, found.version))
        happened = event(ENDED, now, "worker", commands=commands)
        said = loud(tell, record.id, Severity.CRITICAL, ENDED, text, now)
        told = [write_down(record.system, f"{ENDED}:{record.id}", happened), *creates(said)]
    else:
        told = []
    ports.store.commit([*writes, *told])
