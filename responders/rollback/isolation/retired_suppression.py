"""The end of an event suppression that an earlier version raised for a repair."""

from typing import Final

from responders.support.resumable_command import completed_record
from shared.core.codec import encode
from shared.core.store import Create, Document, Update
from shared.domain.audit.system_chain import system_event
from shared.domain.commands.command import CommandRecord
from shared.domain.notices.notice import notice_writes
from shared.domain.notices.recipients import create_team_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports

SUPPRESSION_VERB: Final = "silence"
"""The command by which a worker went on with it."""
SUPPRESSION_ENDED_EVENT: Final = "silence.ended"
MANUAL_RESTORE_TEXT: Final = (
    "The subscriptions below push nothing. Events that wait there, those of the repair as well,"
    " start their functions as soon as they push again. For each, run `gcloud pubsub subscriptions"
    " modify-push-config` with the options that stand as `by_hand` in this document of the state:"
)


def end_suppression(ports: Ports, tell: Policy, document: Document, record: CommandRecord) -> None:
    """End the command, and name each subscription whose push configuration was taken away.

    Nothing here may change a subscription, and how one pushes may hold a secret: the options stay
    in the document. `tell` says who is notified. Raises: Moved, Unavailable.
    """
    found = ports.store.get(f"fences/{record.system}:silence")
    fields, now = found.fields or {}, document.read_at
    result = f"{record.system}: event suppression was removed in this version"
    writes = [Update(document.path, encode(completed_record(record, now, result)), document.version)]
    told: list[Create] = []
    if fields.get("command") == record.id and not fields["is_over"]:
        taken = [one["hearer"]["subscription"] for one in fields["listeners"] if one["by_hand"]]
        text = "\n".join((f"{result}. {MANUAL_RESTORE_TEXT}", found.path, *taken))
        writes.append(Update(found.path, {"is_over": True}, found.version))
        said = create_team_notices(tell, record.id, Severity.CRITICAL, SUPPRESSION_ENDED_EVENT, text, now)
        key = f"{SUPPRESSION_ENDED_EVENT}:{record.id}"
        told = [system_event(record.system, key, SUPPRESSION_ENDED_EVENT, now, "worker", subscriptions=taken)]
        told += notice_writes(said) if taken else []
    ports.store.commit([*writes, *told])
