"""approve, reject, ack, accept, publish, root-cause, mark, breach: words about an incident."""

from datetime import datetime

from msgspec.structs import replace

from responders.alerts.incident_assignment import IncidentAssigner
from responders.commands.subject import CommandSubject, find_subject
from responders.rollback import report_filing
from responders.rollback.approval import NO_PLAN_TEXT
from responders.support.command_handler import CommandEffect, CommandRequest
from responders.support.resumable_command import completed_record
from shared.core.errors import Refused
from shared.core.redaction import redact_personal_data
from shared.core.store import Document, Query, Write
from shared.core.text import count_noun, join_names
from shared.domain.audit.chain import create_event
from shared.domain.commands.command import CommandRecord
from shared.domain.decision.backtest import advise_threshold
from shared.domain.incidents.incident import (
    WRONG,
    Incident,
    IncidentMark,
    IncidentStatus,
    RootCauseAnalysis,
    acknowledge,
    change_status,
)
from shared.domain.incidents.incident_notices import create_incident_notices
from shared.domain.incidents.opening import public_state_writes
from shared.domain.notices.notice import Notice, notice_writes
from shared.domain.notices.recipients import BEGINNING_STAGES, incident_stage
from shared.domain.policy.signals import BREACH_SIGNAL
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import ApprovalAnswer, ApprovalRequest, approvers
from shared.domain.signals.alert import DECLARED_PREFIX, create_alert
from shared.domain.system_record import System
from shared.engine.audited_commit import CommitDraft
from shared.engine.lease import DUE_TIME_SKEW_TOLERANCE
from shared.ports.groups import Ports
from shared.state.reader import StateReader


def approve(asked: CommandRequest) -> CommandEffect:
    """One person wants exactly the plan that is asked about; the worker decides again."""
    subject = find_subject(asked)
    question = _require_question(subject, "approve")
    rollback, actor = subject.rollback, asked.command.actor
    until = rollback.parked_until
    if until is not None and subject.rollback_document.read_at >= until:
        raise Refused(f"the request for approval expired at {until:%Y-%m-%d %H:%M:%S} UTC")
    before = approvers(rollback, question.plan.fingerprint, question.needed)
    if asked.person in before:
        wants = before[asked.person]
        raise Refused(f"{wants} approved it already; {question.needed} different people must approve")
    word = _build_answer(subject, question)
    told = create_event("rollback.approved", word.at, actor, plan=word.plan, reason=word.reason)
    fields = {"approvals": (*rollback.approvals, word), "due_at": word.at}
    if rollback.decide_by is not None and len(before) + 1 >= question.needed:  # it may be decided again now
        within = asked.policy.gates.decide_within[subject.incident.severity]
        fields["decide_by"] = min(rollback.decide_by, word.at + within)
    draft = CommitDraft((told,), fields)
    result = f"{len(before) + 1} of {count_noun(question.needed, 'approval')} given for {rollback.id}"
    return CommandEffect(result, (*subject.write_rollback(draft), *subject.write_acknowledgement()))


def reject(asked: CommandRequest) -> CommandEffect:
    """One person does not want it: nothing is done, and that is told."""
    subject = find_subject(asked)
    word = _build_answer(subject, _require_question(subject, "reject"))
    told = create_event("rollback.rejected", word.at, word.actor, plan=word.plan, reason=word.reason)
    draft = CommitDraft((told,), {"rejected": word, "due_at": word.at})
    writes = (*subject.write_rollback(draft), *subject.write_acknowledgement())
    return CommandEffect(f"rejected {subject.rollback.id}", writes)


def _require_question(subject: CommandSubject, verb: str) -> ApprovalRequest:
    """What is asked. Raises: Refused, when nothing is, or something else than the person saw."""
    subject.require_possible(verb)
    command, question = subject.asked.command, subject.rollback.question
    if question is None:
        raise Refused(f"{subject.rollback.id} requests no approval")
    plan = question.plan.fingerprint
    if subject.asked.at_console and not command.plan:
        raise Refused(NO_PLAN_TEXT)
    if command.plan not in ("", plan):
        raise Refused(f"{subject.rollback.id} now requests approval of another plan: {plan}")
    if not command.plan and subject.asked.said_at < question.asked_at - DUE_TIME_SKEW_TOLERANCE:
        raise Refused(f"{subject.rollback.id} has requested approval again since then, of the plan {plan}")
    return question


def _build_answer(subject: CommandSubject, question: ApprovalRequest) -> ApprovalAnswer:
    command = subject.asked.command
    return ApprovalAnswer(
        actor=command.actor,
        at=subject.rollback_document.read_at,
        plan=question.plan.fingerprint,
        reason=command.reason,
        command=command.id,
        person=subject.asked.person,
    )


def ack(asked: CommandRequest) -> CommandEffect:
    """Acknowledge the incident, which stops the escalation. Raises: Refused, if somebody has."""
    subject = find_subject(asked)
    known = subject.incident
    if known.ended_at is None and known.acknowledged_at is not None:
        at = f"{known.acknowledged_at:%Y-%m-%d %H:%M:%S} UTC"
        raise Refused(f"{known.id} was acknowledged by {known.acknowledged_by} at {at}")
    subject.require_possible("ack")
    command, now = asked.command, subject.incident_document.read_at
    incident = acknowledge(subject.incident, command.actor, now)
    return CommandEffect(
        f"acknowledged {incident.id}",
        (
            subject.write_incident(incident),
            *_build_notification_writes(subject, f"acknowledged-{incident.rollbacks}", "acknowledged"),
        ),
        changes={"acknowledged_by": ("", command.actor)},
    )


def accept(asked: CommandRequest) -> CommandEffect:
    """A person ends the incident as it is: resolved only if its recovery was observed."""
    subject = find_subject(asked)
    subject.require_possible("accept")
    command, now = asked.command, subject.system.read_at
    note = f"accepted by {command.actor}: {command.reason}"
    is_recovered = subject.incident.status is IncidentStatus.RECOVERED
    becomes = IncidentStatus.RESOLVED if is_recovered else IncidentStatus.RECOVERY_NOT_OBSERVED
    incident = change_status(subject.incident, becomes, now, note)
    writes = [
        subject.write_incident(incident),
        *subject.write_rollback(
            CommitDraft((create_event("incident.accepted", now, command.actor, reason=command.reason),))
        ),
        *_build_notification_writes(
            replace(subject, incident=incident), f"accepted-{incident.rollbacks}", "accepted"
        ),
        *public_state_writes(asked.policy, incident, now),
        *report_filing.build_report_request(incident),
    ]
    closed = subject.system.decode(System).end_incident(incident.id, now)
    writes.append(subject.system.build_update(closed))
    changes = {"status": (subject.incident.status, incident.status)}
    return CommandEffect(f"accepted {incident.id}", tuple(writes), changes=changes)


def publish(asked: CommandRequest) -> CommandEffect:
    """Show the incident on the status page now; with a plan, approve that message to users."""
    subject = find_subject(asked)
    command, now = asked.command, subject.system.read_at
    if command.plan:
        return _approve_message(asked, subject.incident, now)
    if subject.incident.published_by:
        raise Refused(f"{subject.incident.id} was published by {subject.incident.published_by} already")
    incident = replace(subject.incident, published_by=command.actor)
    return CommandEffect(
        f"published {incident.id}",
        (
            subject.write_incident(incident),
            *public_state_writes(asked.policy, incident, now),
            *_build_notification_writes(subject, "published", "put on the status page"),
        ),
        changes={"published_by": ("", command.actor)},
    )


def _approve_message(asked: CommandRequest, incident: Incident, now: datetime) -> CommandEffect:
    """Approve exactly the texts to users that the command names. Raises: Refused."""
    command, store = asked.command, asked.ports.store
    if not asked.responder:
        raise Refused("only a person approves a message to users")
    for document in store.query(Query.equal("notices", incident=command.incident)):
        notice = document.decode(Notice)
        if notice.is_asked and notice.fingerprint == command.plan:
            if incident.ended_at is not None and incident_stage(notice.event) in BEGINNING_STAGES:
                raise Refused(f"{incident.id} has ended: nothing is sent")
            said = replace(notice, approved_by=command.actor, due_at=now, since=now)
            write = document.build_update(said)
            changes = {"approved_by": ("", command.actor)}
            return CommandEffect(f"approved the message by {notice.channel}", (write,), changes=changes)
    raise Refused(f"no such message of {command.incident} waits for approval: its texts may have changed")


def _build_notification_writes(subject: CommandSubject, event_name: str, word: str) -> list[Write]:
    asked, now = subject.asked, subject.system.read_at
    text = f"{word} by {asked.command.actor}: {asked.command.reason}"
    return [*notice_writes(create_incident_notices(asked.policy, subject.incident, event_name, text, now))]


def record_root_cause(asked: CommandRequest) -> CommandEffect:
    """Replace the root cause in the report, in later notices and, if public, on the status page."""
    subject = find_subject(asked)
    command, now = asked.command, subject.system.read_at
    found = RootCauseAnalysis(
        cause=command.cause,
        by=command.actor,
        at=now,
        prevention=command.prevention,
        public=redact_personal_data(command.public),
    )
    before = subject.incident
    incident = replace(before, analysis=found)
    lines = [f"root cause recorded by {command.actor}: {found.cause}"]
    lines += [f"prevention: {found.prevention}"] if found.prevention else []
    event, meant = f"analysed-{command.id}", f"root cause: {found.cause}"
    said = create_incident_notices(asked.policy, incident, event, "\n".join(lines), now, meant=meant)
    was = before.analysis.cause if before.analysis is not None else ""
    return CommandEffect(
        f"the root cause of {incident.id} is recorded",
        (
            subject.write_incident(incident),
            *public_state_writes(asked.policy, incident, now),
            *report_filing.build_report_rewrite(asked.ports, incident, now),
            *notice_writes(said),
        ),
        changes={"root_cause": (was, found.cause)},
    )


def mark(asked: CommandRequest) -> CommandEffect:
    """Record the verdict; after `wrong`, automation asks about these signals until it is promoted.

    The opposite verdict replaces it, with its effect. Raises: Refused, for the same one again.
    """
    subject, command = find_subject(asked), asked.command
    incident, earlier = subject.incident, subject.incident.mark
    signals = sorted({scope.signal for scope in incident.scopes if scope.signal})
    if earlier is not None and earlier.verdict == command.verdict:
        raise Refused(f"{incident.id} is already {earlier}")
    system = subject.system.decode(System)
    wrong = {name: others for name, others in system.wrong_signals.items() if name != incident.id}
    lines = [f"{incident.id} is marked {command.verdict}"]
    if command.verdict == WRONG and signals:
        wrong[incident.id] = tuple(signals)
        lines.append(f"automation asks about {join_names(signals)} until the next `rollback promote`")
        if subject.newest is not None and subject.newest.started_at is not None:
            lines.append(f"once the rollback has ended, `rollback undo {incident.id}` restores what was live")
        snapshots = StateReader(asked.ports.store).snapshots(incident)
        lines += [
            advise_threshold(name, snapshots, asked.policy)
            for name in signals
            if name in asked.policy.signals
        ]
    marked = replace(incident, mark=IncidentMark(command.verdict, command.actor, command.reason))
    limited = replace(system, wrong_signals=wrong)
    return CommandEffect(
        "; ".join(lines),
        (subject.write_incident(marked), subject.system.build_update(limited)),
        changes={"mark": (earlier and earlier.verdict, command.verdict)},
    )


def declare_breach(asked: CommandRequest) -> CommandEffect:
    """It is declared; a worker records the alert. Raises: Refused, without such a signal."""
    if BREACH_SIGNAL not in asked.policy.signals:
        raise Refused(f"the policy of {asked.policy.system} has no signal {BREACH_SIGNAL}")
    return CommandEffect("a security breach is declared", goes_on=True)


def continue_breach(ports: Ports, policy: Policy, document: Document, record: CommandRecord) -> None:
    """Record the alert, once by the command's id. Raises: Moved, Unavailable."""
    now, said = document.read_at, f"declared by {record.actor}: {record.reason}"
    alert = create_alert(
        f"{DECLARED_PREFIX}{record.id}",
        "open",
        policy.system,
        BREACH_SIGNAL,
        started_at=record.received_at,
        now=now,
        notification=said,
    )
    IncidentAssigner(ports, "on_work").record(alert, policy)
    ports.store.commit([document.build_update(completed_record(record, now, record.result))])
