"""Rollbacks that are planned for a stated time: told of beforehand, begun then, or called off.

Whatever else is open by then comes first: a planned rollback yields, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import reduce

from msgspec.structs import replace

from responders.commands.rollback import rollback
from responders.commands.rollback.rollback import order_of, require_target
from responders.commands.subject import find
from responders.support.command_handler import CommandEffect, CommandRequest
from shared.core import topics
from shared.core.codec import decode
from shared.core.durations import format_duration
from shared.core.errors import Refused
from shared.core.store import Document, Query, Update, Write
from shared.domain import system as systems
from shared.domain.audit.chain import event
from shared.domain.audit.system_chain import write_down
from shared.domain.commands.command import CommandRecord, Planned, as_gcloud
from shared.domain.incidents.opening import Opening, open_incident
from shared.domain.notices.notice import OUTSIDE, Notice, Unless, creates, notices, scheduled
from shared.domain.policy.model import Policy
from shared.domain.policy.severity import worse
from shared.domain.retention import KEPT_FOR
from shared.ports.groups import Ports
from shared.state import work_queue


def order(asked: CommandRequest) -> CommandEffect:
    """A rollback: at once, or at the time that it names."""
    begins_at = asked.command.at
    return rollback.order(asked) if begins_at is None else _plan(asked, begins_at)


def _plan(asked: CommandRequest, begins_at: datetime) -> CommandEffect:
    """The order is kept until its time; people are told now, and again shortly before it.

    Raises: Refused, when that time is over, or its target is not known.
    """
    command, policy = asked.command, asked.policy
    if command.incident:
        find(asked)
    now = asked.ports.store.get(systems.system_path(policy.system)).read_at
    if begins_at <= now:
        raise Refused(f"at: {begins_at:%Y-%m-%d %H:%M} UTC is over")
    require_target(command, asked.ports.store)
    kept = replace(order_of(command, policy, asked.said_at), person=asked.person, right=asked.right)
    planned = Planned(kept, command.severity, begins_at)
    result = f"planned for {begins_at:%Y-%m-%d %H:%M} UTC"
    said = creates(_announced(asked, planned, result, now))
    return CommandEffect(result, tuple(said), planned=planned)


def call_off(asked: CommandRequest) -> CommandEffect:
    """Nothing that was planned for the system begins."""
    command, policy, store = asked.command, asked.policy, asked.ports.store
    now = store.get(systems.system_path(policy.system)).read_at
    waiting = Query("commands", where=(("system", "==", policy.system), ("due_at", ">", now)))
    result = f"called off by {command.actor}: {command.reason}"
    found = [
        (planned, Update(one.path, _over(result, now), one.version))
        for one in store.query(waiting)
        if (planned := decode(CommandRecord, one.fields).planned) is not None
    ]
    if not found:
        return CommandEffect("nothing is planned")
    severity = reduce(worse, (planned.severity for planned, _ in found))
    text = f"{policy.system}: what was planned is {result}"
    key = f"unplanned-{command.id}"
    said = notices(policy, key, severity, "unplanned", text, now)
    writes = (write for _, write in found)
    return CommandEffect(f"{len(found)} called off", (*writes, *creates(said)))


def begin(
    ports: Ports, policy: Policy, document: Document, record: CommandRecord, planned: Planned
) -> None:
    """Open the incident of a planned rollback, once; or tell why it is not begun.

    Raises: Moved, when somebody wrote first; Unavailable.
    """
    now = document.read_at
    against = _against(ports, policy, planned, now)
    opening = None if against else _opened(ports, policy, record, planned)
    result = f"not begun: {against}" if opening is None else f"opened {opening.incident.id}"
    said: tuple[Notice, ...] = opening.notices if opening is not None else ()
    if opening is None:
        text = f"{policy.system}: the rollback that {record.actor} planned is {result}"
        key = f"planned-{record.id}"
        said = tuple(notices(policy, key, planned.severity, "not-begun", text, now))
    told = event("command.begun", now, "worker", command=record.id, result=result)
    writes: list[Write] = [
        Update(document.path, _over(result, now), document.version),
        write_down(policy.system, f"begun:{record.id}", told),
        *(opening.writes if opening is not None else creates(said)),
    ]
    ports.store.commit(writes)
    work_queue.publish_notices(ports.bus, said)
    if opening is not None:
        work_queue.publish(ports.bus, work_queue.ROLLBACK, opening.rollback.id, now)


def _against(ports: Ports, policy: Policy, planned: Planned, now: datetime) -> str:
    """Why it does not begin; empty: nothing stands in the way."""
    late = now - planned.begins_at
    if late > policy.gates.stale_after:
        return f"it is {format_duration(timedelta(seconds=round(late.total_seconds())))} too late"
    fields = ports.store.get(systems.system_path(policy.system)).fields
    ahead = systems.stored(fields, policy.system).open_incident
    return f"it yields to {ahead}" if ahead else ""


def _opened(ports: Ports, policy: Policy, record: CommandRecord, planned: Planned) -> Opening:
    system = ports.store.get(systems.system_path(policy.system))
    now = system.read_at
    ordered = {"command": record.id, "right": planned.order.right, "planned_for": planned.begins_at}
    return open_incident(
        policy,
        system,
        ports.store,
        severity=planned.severity,
        signal="command",
        commit_id=ports.ids(),
        events=[event("rollback.ordered", now, record.actor, **ordered)],
        order=planned.order,
    )


def _announced(
    asked: CommandRequest, planned: Planned, result: str, now: datetime
) -> Iterator[Notice]:
    """What is said of it now, and again when it is near; people outside hear when it begins."""
    command, policy = asked.command, asked.policy
    said = {"command": "unplan", "system": policy.system, "reason": "not now"}
    line = as_gcloud(topics.COMMANDS, said)
    named = (*planned.order.groups, *planned.order.functions)
    what = ", ".join(named) or "Remote Config"
    about = f"rollback of the feature {what}, by {command.actor}: {command.reason}"
    key, severity = f"planned-{command.id}", planned.severity
    text = f"{policy.system}: {result}: {about}\n{line}"
    yield from notices(policy, key, severity, "planned", text, now, to_paste=(line,))
    before = policy.gates.notice_before
    if planned.begins_at - before <= now:
        return
    near = f"{policy.system}: begins in {format_duration(before)}: {about}\n{line}"
    for notice in scheduled(
        policy,
        [one for one in policy.channels if one.audience not in OUTSIDE],
        key,
        severity,
        "planned-soon",
        near,
        now,
        planned.begins_at - before,
        Unless.CALLED_OFF,
        command=command.id,
    ):
        yield replace(notice, commands=(line,))


def _over(result: str, now: datetime) -> dict[str, object]:
    """The fields of a command that is done."""
    return {"result": result, "due_at": None, "expires_at": now + KEPT_FOR}
