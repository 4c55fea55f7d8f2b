"""rollback, retry and cancel: what a person orders, which supersedes automation."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from responders.commands.subject import CommandSubject, find_subject
from responders.commands.upkeep.deployment_mark import build_unknown_deployment_refusal
from responders.scenarios.registry import SCENARIOS, has_plan
from responders.support.command_handler import CommandEffect, CommandRequest
from shared.core.codec import decode, encode
from shared.core.errors import Refused
from shared.core.store import Document, Query, Reader, Update, Write
from shared.domain import system_record as systems
from shared.domain.audit.chain import Event, create_event
from shared.domain.commands.command import Command
from shared.domain.data.backups import restore_point
from shared.domain.data.repair.repair_plan import SelectionKind
from shared.domain.incidents import incident as incidents
from shared.domain.incidents.incident import Incident, IncidentStatus
from shared.domain.incidents.opening import (
    IncidentOpening,
    open_incident,
    public_state_writes,
    reopen_incident,
)
from shared.domain.notices.notice import notice_writes
from shared.domain.notices.recipients import create_team_notices
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback import rollback as rollbacks
from shared.domain.rollback.rollback import (
    ENDED_ROLLBACK_STATUSES,
    LAST_STABLE,
    Direction,
    Rollback,
    RollbackRequest,
)
from shared.domain.system_record import System
from shared.engine.audited_commit import CommitDraft, prepare_commit
from shared.engine.engine import load_steps
from shared.engine.steps.functions.shift_traffic import KIND as SHIFT

DEFAULT_DOCUMENT_SELECTION = SelectionKind.INVALID.value
"""What is brought back where nobody says what."""


def start_manual_rollback(asked: CommandRequest) -> CommandEffect:
    """A rollback in an incident of its own; whatever goes on makes way for it.

    A dry run opens nothing and supersedes nothing: a worker tells what would be done.
    """
    command, policy, store = asked.command, asked.policy, asked.ports.store
    if command.incident:
        find_subject(asked)
    if is_data_rollback(command) and not policy.collections:
        raise Refused(f"{policy.system} declares no collections: nobody knows what is valid")
    require_target(command, store)
    wanted = build_rollback_order(command, policy, asked.said_at)
    if command.dry_run:
        return CommandEffect("to be rehearsed", rehearses=wanted)
    system = store.get(systems.system_path(policy.system))
    now = system.read_at  # all instances agree on the store's time
    opening = open_incident(
        policy,
        system,
        store,
        severity=command.severity,
        signal="command",
        commit_id=asked.ports.ids(),
        events=[build_order_event(asked, now)],
        order=replace(wanted, person=asked.person, right=asked.right),
    )
    superseded = _build_supersede_writes(asked, system, opening.incident.id)
    loudly = _build_override_notices(asked, opening) if command.override else []
    opened = opening.incident.id
    return CommandEffect(f"opened {opened}", (*opening.writes, *superseded, *loudly), incident=opened)


def retry(asked: CommandRequest) -> CommandEffect:
    """A further rollback of an incident that waits for a person: the same target, once more.

    Only what is not back yet is shifted, because a plan holds what differs.
    Raises: Refused, also where its scenario cannot be carried out yet: no other takes its place.
    """
    subject = find_subject(asked)
    subject.require_possible("retry")
    scenario = _previous_scenario(subject)
    if not has_plan(scenario):
        raise Refused(
            f"the scenario {scenario} of {subject.incident.id} is not supported yet: "
            "say rollback, with what is to go back"
        )
    subject.require_newest()
    return order_further_rollback(subject, _build_retry_order(subject))


def order_further_rollback(subject: CommandSubject, order: RollbackRequest) -> CommandEffect:
    """A further rollback of an incident that nobody works on, as somebody has ordered it."""
    asked, now = subject.asked, subject.system.read_at
    opening = reopen_incident(
        asked.policy,
        subject.system,
        subject.incident_document,
        now=now,
        commit_id=asked.ports.ids(),
        events=[build_order_event(asked, now)],
        order=order,
    )
    return CommandEffect(f"ordered {opening.rollback.id}", opening.writes)


def cancel(asked: CommandRequest) -> CommandEffect:
    """The rollback begins nothing more; what is in flight settles, and nothing is undone."""
    subject = find_subject(asked)
    subject.require_possible("cancel")
    command, rollback = asked.command, subject.rollback
    if rollback.cancel_requested:
        raise Refused(f"{rollback.id} is being cancelled: {rollback.cancel_requested}")
    now = subject.rollback_document.read_at
    why = f"cancelled by {command.actor}: {command.reason}"
    told = create_event("rollback.cancel-requested", now, command.actor, reason=command.reason)
    draft = CommitDraft((told,), {"cancel_requested": why, "due_at": now})
    return CommandEffect(f"{rollback.id} is to stop", tuple(subject.write_rollback(draft)))


def build_rollback_order(command: Command, policy: Policy, said_at: datetime) -> RollbackRequest:
    """What a person asks for, with the policy's own names of the groups.

    However late it is begun, or said again: a span counts back from when it was said.
    """
    groups = [group for name in command.groups for group in policy.groups_by_name(name)]
    return RollbackRequest(
        command=command.id,
        actor=command.actor,
        reason=command.reason,
        scenario=command.scenario,
        target=command.target,
        groups=tuple(dict.fromkeys(groups)),
        functions=command.functions,
        batch_size=command.batch_size,
        delay_seconds=command.delay_seconds,
        auto_confirm=command.auto_confirm,
        override=command.override,
        incident=command.incident,
        way=Direction.REPAIR if is_data_rollback(command) else Direction.BACK,
        select=(command.select or DEFAULT_DOCUMENT_SELECTION) if is_data_rollback(command) else "",
        restore_point=restore_point.make_absolute(command.restore_point, said_at),
    )


def require_target(command: Command, store: Reader) -> None:
    """Return where a deployment of that name is recorded, or none is named.

    Raises: Refused, with the nearest recorded ones.
    """
    meant = (("system", "==", command.system), ("id", "==", command.target))
    if command.target != LAST_STABLE and not store.query(Query("deployments", meant)):
        raise build_unknown_deployment_refusal(store, command.system, command.target)


def is_data_rollback(command: Command) -> bool:
    """Whether the order is about the documents of the database, and not about code."""
    return bool(command.select or command.restore_point)


def _build_retry_order(subject: CommandSubject) -> RollbackRequest:
    """The order that repeats what the earlier rollback was about, without its confirmations."""
    command, before = subject.asked.command, subject.rollback
    earlier = before.order or _build_order_from_automation(subject)
    return replace(
        earlier,
        command=command.id,
        actor=command.actor,
        person=subject.asked.person,
        right=subject.asked.right,
        reason=command.reason,
        incident=command.incident,
        auto_confirm=False,
        override=False,
    )


def _previous_scenario(subject: CommandSubject) -> str:
    """What the earlier rollback was to do."""
    before, signals = subject.rollback, subject.asked.policy.signals
    plan = before.plan or (before.question.plan if before.question is not None else None)
    if plan is not None:
        return plan.scenario
    if before.order is not None:
        return before.order.scenario
    if subject.incident.signal not in signals:
        return ScenarioName.FUNCTIONS
    return before.scenario or signals[subject.incident.signal].scenario


def _build_order_from_automation(subject: CommandSubject) -> RollbackRequest:
    """What automation was about, as if somebody had ordered it."""
    before = subject.rollback
    plan = before.plan or (before.question and before.question.plan)
    steps = load_steps(subject.asked.ports.store, before.id).values()
    shifted = tuple(step.target for step in steps if step.kind == SHIFT)
    scenario = ScenarioName(_previous_scenario(subject))
    return RollbackRequest(
        command="",
        actor="",
        reason="",
        scenario=scenario,
        target=plan.target if plan else LAST_STABLE,
        functions=() if scenario in SCENARIOS else shifted,
    )


def build_order_event(asked: CommandRequest, now: datetime) -> Event:
    """Who ordered what, and by what right."""
    command = asked.command
    said = encode(command)
    return create_event("rollback.ordered", now, command.actor, command=said, right=asked.right)


def _build_override_notices(asked: CommandRequest, opening: IncidentOpening) -> Iterable[Write]:
    """Break-glass is told on every channel, whatever it wants to hear of."""
    command, incident = asked.command, opening.incident
    said = create_team_notices(
        asked.policy,
        incident.id,
        incident.severity,
        "rollback.override",
        f"{incident.id} {incident.severity}: {command.actor} overrides approval, freeze and budget "
        f"for {command.incident}: {command.reason}",
        incident.detected_at,
        command=encode(command),
    )
    return notice_writes(said)


def _build_supersede_writes(asked: CommandRequest, system: Document, successor: str) -> list[Write]:
    """Request the rollback in progress to stop; without one, check whether it recovers."""
    known = decode(System, system.fields) if system.fields else None
    if known is None or not known.rollback or known.incident_ended_at:
        return []
    store, now, actor = asked.ports.store, system.read_at, asked.command.actor
    why = f"superseded by {successor}"
    document = store.get(rollbacks.rollback_path(known.rollback))
    before = decode(Rollback, document.fields) if document.fields else None
    if before is not None and before.status not in ENDED_ROLLBACK_STATUSES:
        told = create_event("rollback.superseded", now, actor, by=successor)
        changes = {"cancel_requested": why, "superseded_by": successor, "due_at": now}
        draft = CommitDraft((told,), changes)
        _, writes = prepare_commit(before, document.version, draft, asked.ports.ids(), renew=False)
        return writes
    waiting = store.get(incidents.incident_path(known.incident))
    incident = decode(Incident, waiting.fields)
    if incident.is_decided_by_person:
        incident = incidents.change_status(incident, IncidentStatus.INVESTIGATING, now, why)
    incident = replace(incident, due_at=now)
    return [
        Update(waiting.path, encode(incident), waiting.version),
        *public_state_writes(asked.policy, incident, now, newest=False),
    ]
