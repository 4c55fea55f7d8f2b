"""undo (a further rollback of its incident) and unpin (an incident of its own), as plans."""

from responders.commands.rollback.rollback import open_order_incident, order_further_rollback
from responders.commands.subject import CommandSubject, find_subject
from responders.support.command_handler import CommandEffect, CommandRequest
from responders.support.undoable_changes import has_undoable_changes
from shared.core.errors import Refused
from shared.domain.policy.severity import Severity
from shared.domain.rollback.rollback import Direction, RollbackRequest
from shared.domain.signals.labels import status_label
from shared.domain.system_record import system_path
from shared.state.reader import StateReader

UNPIN_SIGNAL = "unpin"
"""Of the incident that an unpin opens."""


def undo(asked: CommandRequest) -> CommandEffect:
    """Order a rollback that restores what the incident's rollbacks found. Raises: Refused."""
    subject = find_subject(asked)
    return order_further_rollback(subject, build_undo_order(subject))


def build_undo_order(subject: CommandSubject) -> RollbackRequest:
    """The order that an undo gives. Raises: Refused, with what stands against it."""
    command, rollback, name = subject.asked.command, subject.rollback, subject.incident.id
    if not rollback.has_ended:
        status = status_label(rollback.status).lower()
        raise Refused(f"{rollback.id} is {status}: cancel it, or wait for its end")
    subject.require_unobstructed("undo")
    subject.require_current()
    if not has_undoable_changes(subject.asked.ports.store, subject.incident):
        raise Refused(f"{name} has nothing to undo: no change of a function or document is left")
    return RollbackRequest(
        command=command.id,
        actor=command.actor,
        reason=command.reason,
        target=f"the state before {name}",
        incident=name,
        person=subject.asked.person,
        right=subject.asked.right,
        way=Direction.UNDO,
    )


def unpin(asked: CommandRequest) -> CommandEffect:
    """Open an incident in which the named pins, or all, are lifted. Raises: Refused."""
    system = asked.ports.store.get(system_path(asked.policy.system))
    return open_order_incident(asked, system, build_unpin_order(asked), Severity.LOW, UNPIN_SIGNAL)


def build_unpin_order(asked: CommandRequest) -> RollbackRequest:
    """The order that an unpin gives. Raises: Refused, with what stands against it."""
    command, policy, store = asked.command, asked.policy, asked.ports.store
    system = StateReader(store).system(policy.system)
    groups = {group for name in command.groups for group in policy.groups_by_name(name)}
    held_now = StateReader(store).pins(policy.system)
    named = [
        one
        for one in held_now
        if not (command.groups or command.functions)
        or policy.functions.get(one.function) in groups
        or one.function in command.functions
    ]
    if not named:
        pinned = ", ".join(one.function for one in held_now) or "nothing"
        raise Refused(f"none of these functions is pinned. Pinned functions: {pinned}")
    if keeper := StateReader(store).pin_keeper(system, named):
        raise Refused(
            f"{keeper} is open and concerns these functions: cancel its rollback or wait for the end, "
            "then accept it"
        )
    return RollbackRequest(
        command=command.id,
        actor=command.actor,
        reason=command.reason,
        target="the newest revisions",
        functions=tuple(one.function for one in named),
        person=asked.person,
        right=asked.right,
        way=Direction.UNPIN,
    )
