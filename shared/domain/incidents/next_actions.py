"""What a person may do about an incident now."""

from collections.abc import Mapping
from typing import Any

from shared.core import topics
from shared.domain.commands.command import format_gcloud_command
from shared.domain.incidents.incident import Incident
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, Direction, Rollback, RollbackStatus


def available_verbs(incident: Incident, rollback: Rollback | None) -> tuple[str, ...]:
    """The verbs that do something about an incident, whose newest rollback is given; () at its end.

    One that has failed offers exactly retry, undo and accept; one that was undone, accept alone;
    one that has succeeded while an alert still stands, undo and accept. While the recovery is
    observed, accept ends it. None: the rollback was deleted after its time; accept is left.
    """
    if incident.ended_at is not None:
        return ()
    if rollback is None:
        return ("accept",)
    verbs: list[str] = []
    asked = rollback.question is not None
    if rollback.status is RollbackStatus.PARKED or (rollback.status is RollbackStatus.DECIDING and asked):
        verbs += ["approve", "reject"]
    if rollback.status not in ENDED_ROLLBACK_STATUSES:
        verbs += [] if rollback.cancel_requested else ["cancel"]
    elif incident.is_decided_by_person:
        verbs += closing_verbs(rollback)
    else:
        verbs.append("accept")
    if not incident.acknowledged_by:
        verbs.append("ack")
    return tuple(verbs)


def closing_verbs(rollback: Rollback) -> tuple[str, ...]:
    """The verbs that end an incident which waits for a person after this rollback of it.

    One that failed before its first step offers the undo too: an earlier one of the incident may
    have moved something. Where none has, the undo is refused, and says so.
    """
    if rollback.status is RollbackStatus.SUCCEEDED:  # what it was to do is done
        return ("accept",) if rollback.way is Direction.UNDO else ("undo", "accept")
    moved = rollback.status is RollbackStatus.FAILED or rollback.started_at is not None
    return ("retry", "undo", "accept") if moved else ("retry", "accept")


def format_shell_lines(system: str, incident: str, *verbs: str, **more: Any) -> tuple[str, ...]:
    """Each of these verbs as one line for a shell; `more` goes into each of them."""
    about: Mapping[str, Any] = {"system": system, "incident": incident, **more}
    return tuple(
        format_gcloud_command(topics.COMMANDS, {"command": verb, **about, "reason": f"{verb} {incident}"})
        for verb in verbs
    )
