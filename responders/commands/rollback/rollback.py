"""rollback, retry and cancel: an order opens an incident, joins a rollback, or extends it."""

from datetime import datetime

from msgspec.structs import replace

from responders.commands.rollback import superseding
from responders.commands.subject import CommandSubject, find_subject
from responders.commands.upkeep.deployment_mark import build_unknown_deployment_refusal
from responders.data.repair.preview import find_named_source
from responders.scenarios.registry import SCENARIOS
from responders.support.command_handler import CommandEffect, CommandRequest
from shared.core.codec import encode
from shared.core.errors import Refused, Rejected
from shared.core.store import Document, Query, Reader
from shared.domain import system_record as systems
from shared.domain.audit.chain import Event, create_event
from shared.domain.commands.command import Command
from shared.domain.data.backups import restore_point
from shared.domain.data.repair.repair_plan import SelectionKind
from shared.domain.decision.request_scope import find_scope_fault, widen_order
from shared.domain.deployments.deployment import Deployment, DeploymentStatus
from shared.domain.incidents.opening import IncidentOpening, open_incident, reopen_incident
from shared.domain.notices.notice import Notice, notice_writes
from shared.domain.notices.recipients import create_team_notices
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import LAST_STABLE, Direction, RollbackRequest
from shared.engine.audited_commit import CommitDraft
from shared.engine.engine import load_steps
from shared.engine.steps.functions.shift_traffic import KIND as SHIFT

DEFAULT_DOCUMENT_SELECTION = SelectionKind.INVALID.value
"""What is brought back where nobody says what."""


def start_manual_rollback(asked: CommandRequest) -> CommandEffect:
    """Open an incident for the order, or let it join, extend or supersede what is under way.

    Where the order would end a rollback, or continue an incident that waits for a person, a worker
    reads first whether it would change anything (`superseding`). A dry run opens nothing.
    """
    command, policy, store = asked.command, asked.policy, asked.ports.store
    if command.incident:
        find_subject(asked)
    wanted = build_possible_order(asked)
    if command.dry_run:
        return CommandEffect("dry run requested", rehearses=wanted)
    order = replace(wanted, person=asked.person, right=asked.right)
    system = store.get(systems.system_path(policy.system))
    now = system.read_at  # all instances agree on the store's time
    known = systems.decode_system(system.fields, policy.system)
    if known.open_incident:
        return superseding.order_beside_incident(asked, order, known.incident, now)
    return open_order_incident(asked, system, order, command.severity)


def open_order_incident(
    asked: CommandRequest,
    system: Document,
    order: RollbackRequest,
    severity: Severity,
    signal: str = "command",
) -> CommandEffect:
    """Open an incident for an order; the team is notified of an emergency override."""
    opening = open_incident(
        asked.policy,
        system,
        asked.ports.store,
        severity=severity,
        signal=signal,
        commit_id=asked.ports.ids(),
        events=[build_order_event(asked, system.read_at)],
        order=order,
    )
    loudly = notice_writes(build_override_notices(asked.policy, opening))
    opened = opening.incident.id
    return CommandEffect(f"opened {opened}", (*opening.writes, *loudly), incident=opened)


def retry(asked: CommandRequest) -> CommandEffect:
    """Order the same once more for a waiting incident. Raises: Refused."""
    subject = find_subject(asked)
    return order_further_rollback(subject, build_retry_order(subject))


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
    command, rollback = asked.command, subject.rollback
    if rollback.cancel_requested and not rollback.has_ended:
        raise Refused(f"{rollback.id} is being cancelled: {rollback.cancel_requested}")
    subject.require_possible("cancel")
    now = subject.rollback_document.read_at
    why = f"cancelled by {command.actor}: {command.reason}"
    told = create_event("rollback.cancel-requested", now, command.actor, reason=command.reason)
    draft = CommitDraft((told,), {"cancel_requested": why, "due_at": now})
    writes = (*subject.write_rollback(draft), *subject.write_acknowledgement())
    when = "after the steps in flight" if rollback.in_flight else "now: no step is in flight"
    return CommandEffect(f"{rollback.id} stops {when}", writes)


def build_rollback_order(command: Command, policy: Policy, said_at: datetime) -> RollbackRequest:
    """Return the order, with the policy's names of groups; a span counts from `said_at`."""
    groups = [group for name in command.groups for group in policy.groups_by_name(name)]
    restores_documents = bool(command.select or command.restore_point)
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
        way=Direction.REPAIR if restores_documents else Direction.BACK,
        select=(command.select or DEFAULT_DOCUMENT_SELECTION) if restores_documents else "",
        restore_point=restore_point.make_absolute(command.restore_point, said_at),
    )


def build_possible_order(asked: CommandRequest) -> RollbackRequest:
    """Return the order if scope, target and restore point exist. Raises: Refused, Unavailable."""
    ports, policy = asked.ports, asked.policy
    order = build_rollback_order(asked.command, policy, asked.said_at)
    if fault := find_scope_fault(order, policy):
        raise Refused(fault)
    if order.way is not Direction.REPAIR:
        require_target(ports.store, policy.system, order.target)
    if not order.restore_point:  # else the damage dates it, once the data was checked
        return order
    try:
        find_named_source(ports, policy, order.restore_point)
    except Rejected as unread:
        raise Refused(f"the restore points of {policy.system} cannot be read: {unread}") from unread
    return order


def require_target(store: Reader, system: str, target: str) -> None:
    """Return where the target is recorded. Raises: Refused, with the nearest deployments."""
    field, value = ("status", DeploymentStatus.STABLE) if target == LAST_STABLE else ("id", target)
    found = store.query(Query("deployments", (("system", "==", system), (field, "==", value))))
    if not found and target == LAST_STABLE:
        raise Refused(f"no stable deployment is known in {system}: name a deployment")
    if not found:
        raise build_unknown_deployment_refusal(store, system, target)
    named = found[0].decode(Deployment)
    if target != LAST_STABLE and named.settled_at is None:
        reasons = {
            DeploymentStatus.ROLLING_OUT: "is still rolling out",
            DeploymentStatus.BAD: "is marked as bad, and was never stable",
        }
        why = reasons.get(named.status, "was replaced before it was stable")
        raise Refused(f"{target} {why}")


def build_retry_order(subject: CommandSubject) -> RollbackRequest:
    """Return the newest rollback as an order, without its confirmations. Raises: Refused."""
    subject.require_unobstructed("retry")
    subject.require_possible("retry")
    command, before = subject.asked.command, subject.rollback
    earlier = before.order or _build_order_from_automation(subject)
    return replace(
        widen_order(earlier, before.extension, subject.asked.policy),
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
    before, signals = subject.rollback, subject.asked.policy.signals
    plan = before.plan or (before.question.plan if before.question is not None else None)
    if plan is not None:
        return plan.scenario
    if before.order is not None:
        return before.order.scenario
    if subject.incident.signal not in signals:
        return ScenarioName.FUNCTIONS
    scenario = before.scenario or signals[subject.incident.signal].scenario
    return ScenarioName.FUNCTIONS if scenario == ScenarioName.NONE else scenario


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
    return create_event("rollback.ordered", now, command.actor, command=encode(command), right=asked.right)


def build_override_notices(policy: Policy, opening: IncidentOpening) -> list[Notice]:
    """Return the notices of an emergency override: each channel of the team gets one."""
    order, incident = opening.rollback.order, opening.incident
    if order is None or not order.override:
        return []
    return create_team_notices(
        policy,
        incident.id,
        incident.severity,
        "rollback.override",
        f"{incident.id} {incident.severity}: {order.actor} overrides approval, freeze and barriers "
        f"for {order.incident}: {order.reason}",
        opening.rollback.created_at,
        command=encode(order),
    )
