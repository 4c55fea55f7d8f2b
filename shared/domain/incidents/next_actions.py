"""What a person may do about an incident now."""

from collections.abc import Mapping
from typing import Any

from shared.core import topics
from shared.domain.commands.command import format_gcloud_command
from shared.domain.incidents.incident import Incident
from shared.domain.rollback.rollback import Direction, Rollback, RollbackStatus


def available_verbs(incident: Incident, rollback: Rollback | None) -> tuple[str, ...]:
    """The verbs that do something about an incident, whose newest rollback is given; () at its end.

    One that has failed offers retry, undo and accept; one that was undone, accept alone; one that
    has succeeded while an alert still stands, undo and accept. The undo is offered only where it
    restores something. While the recovery is observed, accept ends it. None: the rollback was
    deleted after its time; accept is left.
    """
    if incident.ended_at is not None:
        return ()
    if rollback is None:
        return ("accept",)
    verbs: list[str] = []
    if rollback.is_awaiting_approval:
        verbs += ["approve", "reject"]
    if not rollback.has_ended:
        verbs += [] if rollback.cancel_requested else ["cancel"]
    elif incident.is_decided_by_person:
        verbs += closing_verbs(rollback, is_undoable=incident.is_undoable)
    else:
        verbs.append("accept")
    if not incident.acknowledged_by:
        verbs.append("ack")
    return tuple(verbs)


def closing_verbs(rollback: Rollback, *, is_undoable: bool) -> tuple[str, ...]:
    """The verbs that end an incident which waits for a person after this rollback of it.

    One that failed before its first step offers the undo too where an earlier one of the incident
    has moved something.
    """
    is_done = rollback.status is RollbackStatus.SUCCEEDED
    ended = is_done or rollback.status is RollbackStatus.FAILED or rollback.started_at is not None
    offers_undo = is_undoable and ended and not (is_done and rollback.way is Direction.UNDO)
    return (*(() if is_done else ("retry",)), *(("undo",) if offers_undo else ()), "accept")


def format_shell_lines(system: str, incident: str, *verbs: str, **more: Any) -> tuple[str, ...]:
    """Each of these verbs as one line for a shell; `more` goes into each of them."""
    about: Mapping[str, Any] = {"system": system, "incident": incident, **more}
    return tuple(
        format_gcloud_command(topics.COMMANDS, {"command": verb, **about, "reason": f"{verb} {incident}"})
        for verb in verbs
    )
