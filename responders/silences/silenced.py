"""A repair, or the undo of one, of which those hear nothing whom the policy keeps from it.

The silence is raised with the plan, and waited for. It falls by itself once its rollback writes no
more (`responders.silences.silencing`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from responders import upholding
from responders.case import Case
from responders.ending import fail
from responders.silences.silencing import VERB
from responders.upholding import Around
from shared import silence as silences
from shared.documents import decode, encode
from shared.errors import Rejected
from shared.plan import Step
from shared.policy import Policy
from shared.ports import Ports, written
from shared.rollback import Rollback
from shared.silence import Silence
from shared.upheld import Status

AGAIN: Final = timedelta(seconds=5)
GRACE: Final = timedelta(minutes=1)
"""So much later than it was to stand a silence is given up that nobody has let fall."""


def around(case: Case, steps: Iterable[Step]) -> Around:
    """What the commit that begins these steps needs beside it. Raises: Unavailable."""
    listeners = silences.listeners(steps)
    if not listeners:
        return Around()
    document, now = case.ports.store.get(silences.path(case.policy.system)), case.now()
    before = decode(Silence, document.fields) if document.fields else None
    if before is not None and not before.is_over:
        return Around(why_not=silences.not_over(before))
    until = now + silences.LONGEST
    record = upholding.ordered(case, VERB, silences.promise(listeners, until))
    silence = Silence(
        system=case.policy.system,
        command=record.id,
        actor=record.actor,
        reason=record.reason,
        began_at=now,
        until=until,
        rollback=case.rollback.id,
        listeners=listeners,
    )
    writes = (written(document, encode(silence)), upholding.created(record))
    return Around(commands=(record.id,), writes=writes)


def is_awaited(case: Case) -> bool:
    """Whether no document may be written yet, because the silence does not stand."""
    rollback = case.rollback
    if not rollback.is_silent or rollback.started_at is not None:
        return False
    silence = _of(case.ports, case.policy, rollback)
    return silence is None or silence.status is not Status.STANDING


def wait(case: Case) -> bool:
    """Look again soon; end it where the silence comes to nothing. Whether to go on now."""
    silence = _of(case.ports, case.policy, case.rollback)
    if silence is None or silence.status in (Status.FALLING, Status.DOWN):
        return fail(case, f"no document was written: {_gone(silence)}")
    if silence.status is Status.STANDING:
        return True
    if case.now() >= silence.began_at + silences.STANDS_WITHIN + GRACE:
        return fail(case, f"no document was written: no silence stands: {silence.waiting}")
    case.wait("silence.waited", f"for the silence: {silence.waiting}", case.now() + AGAIN)
    return False


def require(ports: Ports, policy: Policy, rollback: Rollback) -> None:
    """Return while the silence stands that the repair was begun in, or where it needs none.

    Raises: Rejected, with why it has fallen; Unavailable.
    """
    if not rollback.is_silent:
        return
    silence = _of(ports, policy, rollback)
    if silence is None or silence.status is not Status.STANDING:
        raise Rejected(f"nothing more is written: {_gone(silence)}")


def _of(ports: Ports, policy: Policy, rollback: Rollback) -> Silence | None:
    """The silence of a rollback; None: there is none any more. Raises: Unavailable."""
    fields = ports.store.get(silences.path(policy.system)).fields
    found = decode(Silence, fields) if fields else None
    return found if found is not None and found.rollback == rollback.id else None


def _gone(silence: Silence | None) -> str:
    return (
        f"the silence has fallen: {silence.why}" if silence is not None else "there is no silence"
    )
