"""An order beside an open incident: it joins, extends or supersedes the rollback, or is refused."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from responders.rollback.decision.data_requests import Preparation, forecast_data_request
from responders.rollback.decision.dry_run import SURVEY_TIME_LIMIT_SECONDS, forecast_order
from responders.support.command_handler import CommandEffect, CommandRequest
from shared.core.codec import encode
from shared.core.errors import Moved, Refused
from shared.core.store import Write
from shared.domain.audit.chain import create_event
from shared.domain.commands.command import Command, ScheduledRollback, format_shell_command
from shared.domain.decision.gates.base import Outcome
from shared.domain.decision.order_comparison import (
    OrderComparison,
    OrderRelation,
    compare_with_current,
    read_open_rollbacks,
)
from shared.domain.decision.request_scope import widen_order
from shared.domain.incidents.incident import (
    WORKING_STATUSES,
    Incident,
    IncidentStatus,
    acknowledge,
    change_status,
    incident_path,
)
from shared.domain.incidents.incident_notices import create_incident_notices
from shared.domain.incidents.next_actions import format_shell_lines
from shared.domain.incidents.opening import public_state_writes
from shared.domain.notices.notice import Notice
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import (
    LAST_STABLE,
    MAX_ADDED_ORDERS,
    Direction,
    Rollback,
    RollbackRequest,
    RollbackStatus,
    rollback_path,
)
from shared.domain.system_record import System
from shared.engine.audited_commit import CommitDraft, build_rollback_writes
from shared.ports.groups import Ports

USUAL_FIELDS = (("target", LAST_STABLE), ("delay_seconds", 0))
"""What `rollback run` means where its options do not say so."""


def order_beside_incident(
    asked: CommandRequest, order: RollbackRequest, open_incident: str, now: datetime
) -> CommandEffect:
    """Join or extend the open rollback, or have a worker read the change. Raises: Refused."""
    command = asked.command
    found = compare_with_current(asked.ports.store, asked.policy, order)
    refusal = describe_conflict(found, command) if found else f"{open_incident} has another rollback"
    if found is not None and found.joins and not command.supersede:
        return _join_rollback(asked, found, order)
    conflicts = found is not None and found.relation is OrderRelation.CONFLICTS and not command.supersede
    if conflicts or (found is not None and found.is_barred):
        raise Refused(refusal)
    refusal = "" if command.supersede else refusal
    planned = ScheduledRollback(order, command.severity, now, open_incident, refusal)
    result = f"{open_incident} is open: checking what the request would change"
    return CommandEffect(result, _build_yield_writes(asked, found) if found else (), planned=planned)


def _build_yield_writes(asked: CommandRequest, found: OrderComparison) -> tuple[Write, ...]:
    """Have the worker of the rollback hand over: a single worker would read nothing until then."""
    document = asked.ports.store.get(rollback_path(found.rollback))
    told = create_event("rollback.yield-requested", document.read_at, asked.command.actor)
    draft = CommitDraft((told,), {"yield_requested": True})
    return tuple(build_rollback_writes(document.decode(Rollback), document, draft, asked.ports.ids))


def describe_conflict(found: OrderComparison, command: Command) -> str:
    """Return why the order is no part of the rollback, what would end, and the command for that."""
    given = msgspec.to_builtins(replace(command, supersede=True)).items()
    named = {name: one for name, one in given if (name, one) not in USUAL_FIELDS}
    said = format_shell_command({**named, "reason": command.reason})
    return "; ".join(found.ends if found.is_barred else (*found.ends, f"to end it: {said}"))


def _join_rollback(asked: CommandRequest, found: OrderComparison, order: RollbackRequest) -> CommandEffect:
    """The order becomes part of the rollback under way: who gave it and why is on record."""
    command, store = asked.command, asked.ports.store
    document = store.get(rollback_path(found.rollback))
    place = store.get(incident_path(found.incident))
    rollback, now = document.decode(Rollback), document.read_at
    if rollback.has_ended:
        raise Moved(f"{rollback.id} has ended in the meantime")
    word, changes = "joined", dict[str, Any]()
    if found.relation is OrderRelation.EXTENDS:
        undecided = rollback.status is RollbackStatus.DECIDING
        widened = widen_order(order, rollback.extension, asked.policy)
        if undecided and rollback.order is not None:
            widened = widen_order(rollback.order, order, asked.policy)
        word, changes = "extended", {"order" if undecided else "extension": widened, "due_at": now}
    note = f"{word} by a manual rollback request of {command.actor}: {command.reason}"
    if rollback.order is not None or "order" not in changes:  # else it becomes the order itself
        changes["added_orders"] = (*rollback.added_orders, note)[-MAX_ADDED_ORDERS:]
    told = create_event(f"rollback.{word}", now, command.actor, command=encode(command), right=asked.right)
    draft = CommitDraft((told,), changes)
    writes = build_rollback_writes(rollback, document, draft, asked.ports.ids)
    owned = acknowledge(place.decode(Incident), order.responder, now)
    noted = change_status(owned, owned.status, now, note)
    writes.append(place.build_update(noted))
    return CommandEffect(found.joins, tuple(writes), incident=found.incident)


def find_start_obstacle(
    ports: Ports, policy: Policy, planned: ScheduledRollback, system: System, now: datetime
) -> tuple[str, str]:
    """Read what the order changes now; return that it changes nothing, or why it is refused."""
    order = planned.order
    found = compare_with_current(ports.store, policy, order)
    if not planned.open_incident or (order.way is not Direction.BACK and found is None):
        return "", ""
    if order.way is Direction.BACK:
        ends = found.rollback if found else ""
        forecast = forecast_order(ports, policy, order, now, ends, severity=planned.severity)
        outcome, reason = forecast.decision.outcome, forecast.decision.reason
        acts = outcome in (Outcome.ROLLBACK, Outcome.ASK) and forecast.plan is not None
    else:  # as far as its documents can be read in that time
        data, _ = forecast_data_request(ports, policy, order, now, Preparation(), SURVEY_TIME_LIMIT_SECONDS)
        outcome, reason = data.outcome, data.reason
        acts = outcome is not Outcome.ESCALATE
    if outcome is Outcome.IGNORE:
        goes_on = f"; {system.open_incident} continues" if system.open_incident else ""
        return f"nothing to do: {reason}{goes_on}", ""
    if found is None:
        return "", ""
    refusal = "; ".join(found.ends) if found.is_barred else planned.refusal
    return "", refusal if acts else f"{reason}: {found.rollback} continues"


def build_supersede_writes(
    ports: Ports, policy: Policy, system: System, order: RollbackRequest, successor: str
) -> tuple[list[Write], list[Notice]]:
    """Ask running rollbacks to stop; record what continues an incident that has none."""
    under_way = read_open_rollbacks(ports.store, system)
    newest = ports.store.get(rollback_path(system.rollback))
    waits = system.incident_ended_at is None and newest.fields is not None
    waits = waits and newest.path not in {one.path for one in under_way}
    writes = []
    notices = []
    for document in (*under_way, *((newest,) if waits else ())):
        rollback, now = document.decode(Rollback), document.read_at
        place = ports.store.get(incident_path(rollback.incident))
        incident = acknowledge(place.decode(Incident), order.responder, now)
        changes = {"superseded_by": successor}
        if rollback.has_ended:
            note = f"continued by {successor}, requested by {order.actor}: {order.reason}"
            works = incident.status in WORKING_STATUSES
            becomes = IncidentStatus.WATCHING if works else IncidentStatus.INVESTIGATING
            incident = change_status(incident, becomes, now, note)
            incident = replace(incident, due_at=now)
            lines = format_shell_lines(policy.system, incident.id, "accept")
            event = f"superseded-{incident.rollbacks}"
            notices = create_incident_notices(policy, incident, event, note, now, to_paste=lines)
            writes += public_state_writes(policy, incident, now)
        else:
            changes |= {"cancel_requested": f"superseded by {successor}, {order}", "due_at": now}
        told = create_event("rollback.superseded", now, order.actor, by=successor, reason=order.reason)
        draft = CommitDraft((told,), changes)
        writes += build_rollback_writes(rollback, document, draft, ports.ids)
        writes.append(place.build_update(incident))
    return writes, notices
