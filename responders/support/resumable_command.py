"""Commands done in pieces, each safe to repeat; progress is stored after each piece."""

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.core.store import Document
from shared.domain.audit.chain import Event, create_event
from shared.domain.audit.system_chain import event_write
from shared.domain.commands.command import CommandRecord
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.retention import RECORD_RETENTION
from shared.ports.groups import Ports
from shared.state import work_queue

WORK_TIME_LIMIT_SECONDS = 90.0
COMMAND_TIMEOUT = timedelta(days=1)
RETRY_INTERVAL = timedelta(seconds=20)
"""While something forbids it, or gave no answer."""

ProcessPiece = Callable[[Ports, Policy, CommandRecord, datetime], CommandRecord]
"""The record after one piece more, as of that moment: due then where the next one may follow, later
where it waits, never again where it is over."""

EndReport = tuple[Event, list[Notice]]
"""What is on record of the end, and what people hear of it."""


def continue_command(
    ports: Ports,
    policy: Policy,
    document: Document,
    record: CommandRecord,
    *,
    piece: ProcessPiece,
    end: Callable[[Policy, CommandRecord, datetime], EndReport],
) -> None:
    """Process pieces until the end, a wait, or the time limit. Raises: Moved, Unavailable."""
    until = ports.clock.monotonic() + WORK_TIME_LIMIT_SECONDS
    while record.due_at is not None:
        record = piece(ports, policy, record, document.read_at)
        write = document.build_update(record)
        if record.due_at is None:
            happened, said = end(policy, record, document.read_at)
            known = event_write(record.system, f"{record.command}:{record.id}", happened)
            work_queue.commit_with_notices(ports, [write, known], said)
            return
        ports.store.commit([write])
        document = ports.store.get(document.path)
        if record.due_at > document.read_at or ports.clock.monotonic() > until:
            return


def build_end_report(
    name: str, severity: Severity, policy: Policy, record: CommandRecord, now: datetime
) -> EndReport:
    """The end as an event of that name, and its result told to people."""
    text = f"{policy.system}: {record.result}"
    happened = create_event(name, now, "worker", result=record.result)
    return happened, create_notices(policy, record.id, severity, record.command, text, now)


def completed_record(record: CommandRecord, now: datetime, result: str) -> CommandRecord:
    """The record of what is over, with how it ended."""
    return replace(record, result=result, due_at=None, expires_at=now + RECORD_RETENTION)


def postponed_record(record: CommandRecord, now: datetime) -> CommandRecord:
    """The record at the same place, to be gone on with in a while."""
    return replace(record, due_at=now + RETRY_INTERVAL)
