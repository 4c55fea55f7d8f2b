"""Everybody's sessions end: at a person's word, or with the approved plan of a breach.

Identity Platform ends them person by person. That is done page by page, after each of which the
place is kept: whoever dies is followed by the next, and ending a session twice changes nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from msgspec.structs import replace

from responders.asking import ask, ask_all
from responders.switched import is_stopped
from responders.verbs import Asked, Effect
from shared import command as commands
from shared import handover
from shared.audit import event
from shared.command import CommandRecord
from shared.documents import encode
from shared.errors import Refused, Rejected, RollbackError
from shared.notice import creates, notices
from shared.outside import write_down
from shared.policy import Policy
from shared.ports import Create, Document, Ports, Update
from shared.rollback import KEPT_FOR, Rollback
from shared.severity import Severity

VERB = "revoke-sessions"
WORK_FOR_SECONDS = 90.0
AGAIN_AFTER = timedelta(seconds=20)
"""While a switch is set, or where somebody's sessions could not be ended."""
GIVEN_UP_AFTER = timedelta(days=1)


def revoke(asked: Asked) -> Effect:
    """Every session that was begun before this was said ends. Raises: Refused."""
    if not asked.policy.resources.identity:
        raise Refused(f"how people sign in to {asked.policy.system} is not protected: no identity")
    result = "every session of before now is to end"
    return Effect(result, goes_on=True, answer=_begun(asked.said_at))


def with_plan(rollback: Rollback, policy: Policy, now: datetime) -> Create:
    """The command that the approved plan of a breach gives itself, in the commit that begins it."""
    name = f"{rollback.id}-sessions"
    record = CommandRecord(
        id=name,
        command=VERB,
        system=policy.system,
        actor="worker",
        reason=rollback.incident,
        received_at=now,
        result="every session of before now is to end",
        incident=rollback.incident,
        due_at=now,
        answer=_begun(now),
    )
    return Create(commands.path(name), encode(record))


def go_on(ports: Ports, policy: Policy, document: Document, record: CommandRecord) -> None:
    """End the sessions of page after page, until all are over or the time is; then hand over.

    Raises: Moved, when somebody wrote first; Unavailable.
    """
    until = ports.clock.monotonic() + WORK_FOR_SECONDS
    path = commands.path(record.id)
    while record.due_at is not None:
        record = _one_page(ports, policy, record, document.read_at)
        writes = [Update(path, encode(record), document.version)]
        said = []
        if record.due_at is None:
            text = f"{policy.system}: {record.result}"
            said = notices(policy, record.id, Severity.HIGH, VERB, text, document.read_at)
            told = event("sessions.ended", document.read_at, "worker", result=record.result)
            known = write_down(policy.system, f"{VERB}:{record.id}", told)
            ports.store.commit([*writes, known, *creates(said)])
            handover.publish_notices(ports.bus, said)
            return
        ports.store.commit(writes)
        document = ports.store.get(path)
        if record.due_at > document.read_at or ports.clock.monotonic() > until:
            return


def _one_page(ports: Ports, policy: Policy, record: CommandRecord, now: datetime) -> CommandRecord:
    """The record after one page more; the same place again, where that could not be ended."""
    ended = record.answer["ended"]
    if now - record.received_at > GIVEN_UP_AFTER:
        why = f"given up: {ended} people's sessions are ended, not everybody's"
        return _over(record, why, now)
    if is_stopped(ports, policy):
        return replace(record, due_at=now + AGAIN_AFTER)
    sessions = ports.estate(policy.system).sessions
    since = datetime.fromtimestamp(record.answer["since"], UTC)
    page = ask(ports, partial(sessions.people, record.answer["cursor"], since))
    calls = {one: partial(sessions.end, one, since) for one in page.older}
    answers = ask_all(ports, calls)
    failed = [one for one in answers.values() if isinstance(one, RollbackError)]
    if any(not isinstance(one, Rejected) for one in failed):
        return replace(record, due_at=now + AGAIN_AFTER)
    ended += len(answers) - len(failed)  # who was refused is gone
    after = replace(record, answer={**record.answer, "cursor": page.cursor, "ended": ended})
    if page.cursor:
        return replace(after, due_at=now)
    return _over(after, f"the sessions of {ended} people are ended: they sign in again", now)


def _over(record: CommandRecord, result: str, now: datetime) -> CommandRecord:
    return replace(record, result=result, due_at=None, expires_at=now + KEPT_FOR)


def _begun(since: datetime) -> dict[str, Any]:
    """Where it stands at the beginning; `since` in seconds: no session ends by a finer moment."""
    return {"since": int(since.timestamp()), "cursor": "", "ended": 0}
