"""Rollbacks planned for a stated time: announced, then begun, unless cancelled or overtaken."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import reduce

from msgspec.structs import replace

from responders.commands.rollback import rollback, superseding
from responders.commands.subject import find_subject
from responders.support.command_handler import CommandEffect, CommandRequest
from shared.core import topics
from shared.core.durations import format_duration
from shared.core.errors import Refused
from shared.core.store import Document, Query, Write
from shared.domain.audit.chain import create_event
from shared.domain.audit.system_chain import system_event
from shared.domain.commands.command import CommandRecord, ScheduledRollback, format_gcloud_command
from shared.domain.incidents.opening import open_incident
from shared.domain.notices.notice import Notice, WithdrawalCondition, notice_writes
from shared.domain.notices.recipients import EXTERNAL_AUDIENCES, create_notices, create_scheduled_notices
from shared.domain.policy.severity import worse_severity
from shared.domain.policy.system_policy import Policy
from shared.domain.retention import RECORD_RETENTION
from shared.domain.system_record import System, decode_system, system_path
from shared.engine.lease import DUE_TIME_SKEW_TOLERANCE
from shared.ports.groups import Ports
from shared.state import work_queue


def order_rollback(asked: CommandRequest) -> CommandEffect:
    """A rollback: at once, or at the time that it names."""
    begins_at = asked.command.at
    return (
        rollback.start_manual_rollback(asked) if begins_at is None else _schedule_rollback(asked, begins_at)
    )


def _schedule_rollback(asked: CommandRequest, begins_at: datetime) -> CommandEffect:
    """Store the order until its time; notify people now and shortly before. Raises: Refused."""
    command, policy = asked.command, asked.policy
    if command.incident:
        find_subject(asked)
    now = asked.ports.store.get(system_path(policy.system)).read_at
    if begins_at <= now:
        raise Refused(f"at: {begins_at:%Y-%m-%d %H:%M} UTC is in the past")
    kept = replace(rollback.build_possible_order(asked), person=asked.person, right=asked.right)
    planned = ScheduledRollback(kept, command.severity, begins_at)
    result = f"scheduled for {begins_at:%Y-%m-%d %H:%M} UTC"
    said = notice_writes(_build_announcements(asked, planned, result, now))
    return CommandEffect(result, tuple(said), planned=planned)


def cancel_scheduled_rollbacks(asked: CommandRequest) -> CommandEffect:
    """Nothing that was planned for the system begins."""
    command, policy, store = asked.command, asked.policy, asked.ports.store
    now = store.get(system_path(policy.system)).read_at
    waiting = Query("commands", where=(("system", "==", policy.system), ("due_at", ">", now)))
    result = f"cancelled by {command.actor}: {command.reason}"
    found = [
        (planned, one.build_update(_completed_fields(result, now)))
        for one in store.query(waiting)
        if (planned := one.decode(CommandRecord).planned) is not None
    ]
    if not found:
        return CommandEffect("no rollback is scheduled")
    severity = reduce(worse_severity, (planned.severity for planned, _ in found))
    text = f"{policy.system}: the scheduled rollback is {result}"
    said = create_notices(policy, f"unplanned-{command.id}", severity, "unplanned", text, now)
    writes = (write for _, write in found)
    return CommandEffect(f"scheduled rollbacks cancelled: {len(found)}", (*writes, *notice_writes(said)))


def begin_scheduled_rollback(
    ports: Ports, policy: Policy, document: Document, record: CommandRecord, planned: ScheduledRollback
) -> None:
    """Open the incident of a planned rollback, or record why not. Raises: Moved, Unavailable."""
    now, system = document.read_at, ports.store.get(system_path(policy.system))
    known = decode_system(system.fields, policy.system)
    needless, against = _find_start_obstacle(ports, policy, planned, known, now)
    said: list[Notice] = []
    writes: list[Write] = []
    result, incident, opening = needless or f"not started: {against}", "", None
    if against:
        text = f"{policy.system}: the rollback requested by {record.actor}: {result}"
        said = create_notices(policy, f"planned-{record.id}", planned.severity, "not-begun", text, now)
        writes += notice_writes(said)
    elif not needless:
        ordered = {"command": record.id, "right": planned.order.right, "planned_for": planned.begins_at}
        opening = open_incident(
            policy,
            system,
            ports.store,
            severity=planned.severity,
            signal="command",
            commit_id=ports.ids(),
            events=[create_event("rollback.ordered", system.read_at, record.actor, **ordered)],
            order=planned.order,
        )
        incident = opening.incident.id
        result = f"opened {incident}"
        more = rollback.build_override_notices(policy, opening)
        if known.open_incident:
            result += f", which continues {known.open_incident}"
            ends, told_of = superseding.build_supersede_writes(ports, policy, known, planned.order, incident)
            writes += ends
            more += told_of
        said = [*opening.notices, *more]
        writes += [*opening.writes, *notice_writes(more)]
    key, about = f"begun:{record.id}", {"command": record.id, "result": result}
    told = system_event(policy.system, key, "command.begun", now, "worker", **about)
    answer = {"incident": incident, "answer": {"refused": bool(against)}}
    ended = document.build_update({**_completed_fields(result, now), **answer})
    ports.store.commit([ended, told, *writes])
    work_queue.publish_notices(ports.bus, said)
    if opening is not None:
        by = ports.clock.now() + DUE_TIME_SKEW_TOLERANCE
        work_queue.publish_due_items(ports.store, ports.bus, work_queue.ROLLBACK, by, (policy.system,))


def _find_start_obstacle(
    ports: Ports, policy: Policy, planned: ScheduledRollback, system: System, now: datetime
) -> tuple[str, str]:
    """Return that nothing is to be done, or why it does not begin; both empty: it begins."""
    late = now - planned.begins_at
    if late > policy.gates.stale_after:
        return "", f"it is {format_duration(timedelta(seconds=round(late.total_seconds())))} too late"
    if system.open_incident and system.incident != planned.open_incident:
        return "", f"{system.open_incident} is open and has priority: order this again to change it"
    return superseding.find_start_obstacle(ports, policy, planned, system, now)


def _build_announcements(
    asked: CommandRequest, planned: ScheduledRollback, result: str, now: datetime
) -> Iterator[Notice]:
    """What is said of it now, and again when it is near; people outside hear when it begins."""
    command, policy = asked.command, asked.policy
    said = {"command": "unplan", "system": policy.system, "reason": "not now"}
    line = format_gcloud_command(topics.COMMANDS, said)
    what = ", ".join((*planned.order.groups, *planned.order.functions)) or "Remote Config"
    about = f"rollback of the feature {what}, by {command.actor}: {command.reason}"
    key, severity = f"planned-{command.id}", planned.severity
    text = f"{policy.system}: {result}: {about}\n{line}"
    yield from create_notices(policy, key, severity, "planned", text, now, to_paste=(line,))
    before = policy.gates.notice_before
    if planned.begins_at - before <= now:
        return
    yield from create_scheduled_notices(
        policy,
        [one for one in policy.channels if one.audience not in EXTERNAL_AUDIENCES],
        key,
        severity,
        "planned-soon",
        f"{policy.system}: starts in {format_duration(before)}: {about}\n{line}",
        now,
        planned.begins_at - before,
        WithdrawalCondition.CALLED_OFF,
        to_paste=(line,),
        command=command.id,
    )


def _completed_fields(result: str, now: datetime) -> dict[str, object]:
    return {"result": result, "due_at": None, "expires_at": now + RECORD_RETENTION}
