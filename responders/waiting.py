"""A question to a person that nobody has answered yet."""

from __future__ import annotations

from responders.case import Case, Turn
from responders.deciding import PARKED_LOOK
from responders.ending import ended
from responders.joined import unjudged
from shared.incident import Status
from shared.rollback import Status as RollbackStatus


def wait(case: Case) -> bool:
    """Judge again when an alert has joined; expire into doing nothing. Whether to go on now."""
    if unjudged(case.joined_alerts()):
        again = {"status": RollbackStatus.DECIDING, "parked_until": None}
        case.take(
            Turn(
                event="rollback.unparked",
                note="a further alert joined: it is judged again",
                changes=again,
                say=False,
            )
        )
        return True
    until = case.rollback.parked_until
    if until is not None and case.now() < until:
        case.wait("rollback.waits", "for a person", min(until, case.look_after(PARKED_LOOK)))
        return False
    expired = Turn(
        event="rollback.expired",
        note="nobody decided in time: nothing was done",
        changes=ended(case, RollbackStatus.NOT_TAKEN, "the question expired"),
        status=Status.ESCALATED,
    )
    return not case.end(expired)
