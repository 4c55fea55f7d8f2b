"""What of a command a worker does, when it is due: rehearse, drill, begin, hold, see it pause."""

from contextlib import suppress

from responders.commands.registry import CONTINUATIONS
from responders.commands.rollback import drill, schedule
from responders.commands.switches import switches
from responders.rollback.decision.dry_run import record_dry_run
from responders.rollback.isolation import fence_command
from responders.support.resumable_command import RETRY_INTERVAL
from shared.core.errors import Moved, Refused, Unavailable
from shared.core.store import Document
from shared.domain.commands.command import CommandRecord, command_path
from shared.domain.policy.system_policy import Policies
from shared.engine.lease import DUE_TIME_SKEW_TOLERANCE
from shared.ports.groups import Ports


def execute_command(ports: Ports, policies: Policies, command: str) -> None:
    """Return once it is done, due again later, or another worker is at it.

    A redelivery does what is left. What another one is at, or nobody answers, comes again by the
    clock alone, which hands on what stays due: each half minute there would be one worker more.
    Raises: Refused, without the system's policy, which nothing needs to fall; Moved, when
    something else was written meanwhile; Unavailable.
    """
    document = ports.store.get(command_path(command))
    record, due_by = document.find(CommandRecord), document.read_at + DUE_TIME_SKEW_TOLERANCE
    if record is None or record.due_at is None or record.due_at > due_by:
        return
    try:
        _dispatch_command(ports, policies, document, record)
    except Moved:
        if ports.store.get(document.path).version == document.version:
            raise
    except Unavailable:
        _schedule_redelivery(ports, document.path)
        raise


def _schedule_redelivery(ports: Ports, path: str) -> None:
    """Have it due again in a while, as long as nobody answers: its message may go until then."""
    with suppress(Unavailable, Moved):  # then our message comes again
        found = ports.store.get(path)
        due_at = (found.fields or {})["due_at"]
        if due_at is not None and due_at <= found.read_at:
            ports.store.commit([found.build_update({"due_at": found.read_at + RETRY_INTERVAL})])


def _dispatch_command(ports: Ports, policies: Policies, document: Document, record: CommandRecord) -> None:
    """What a command that is due is about. Raises: as `execute_command`, and Moved in any case."""
    if record.command == "pause":
        switches.confirm_pause(ports, policies, document, record)
        return
    policy = policies.get(record.system)
    if policy is None and record.command == fence_command.FENCE_VERB:
        policy = next(iter(policies.values()))  # people of another system are notified
    if policy is None:
        raise Refused(f"command {record.id}: no policy for the system {record.system}")
    if record.planned is not None:
        schedule.begin_scheduled_rollback(ports, policy, document, record, record.planned)
    elif record.order is not None and record.drills:
        drill.run_drill(ports, policy, document, record, record.order)
    elif record.order is not None:
        record_dry_run(ports, policy, document, record, record.order)
    else:
        CONTINUATIONS[record.command](ports, policy, document, record)
