"""End everybody's sessions, page by page from a stored place; to end one twice changes nothing."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from msgspec.structs import replace

from responders.support.command_handler import CommandEffect, CommandRequest
from responders.support.controls import is_change_blocked
from responders.support.parallel_calls import call_all, call_one
from responders.support.resumable_command import COMMAND_TIMEOUT, completed_record, postponed_record
from shared.core.codec import encode
from shared.core.errors import Refused, Rejected, RollbackError
from shared.core.store import Create
from shared.domain.commands.command import CommandRecord, command_path
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import Rollback
from shared.ports.groups import Ports

REVOKE_SESSIONS_VERB = "revoke-sessions"


def revoke_sessions(asked: CommandRequest) -> CommandEffect:
    """Every session that was begun before this was said ends. Raises: Refused."""
    if not asked.policy.resources.identity:
        raise Refused(f"how people sign in to {asked.policy.system} is not protected: no identity")
    result = "every session of before now is to end"
    return CommandEffect(result, goes_on=True, answer=_initial_progress(asked.said_at))


def build_revocation_command(rollback: Rollback, policy: Policy, now: datetime) -> Create:
    """The command that the approved plan of a breach gives itself, in the commit that begins it."""
    name = f"{rollback.id}-sessions"
    record = CommandRecord(
        id=name,
        command=REVOKE_SESSIONS_VERB,
        system=policy.system,
        actor="worker",
        reason=rollback.incident,
        received_at=now,
        result="every session of before now is to end",
        incident=rollback.incident,
        due_at=now,
        answer=_initial_progress(now),
    )
    return Create(command_path(name), encode(record))


def revoke_page(ports: Ports, policy: Policy, record: CommandRecord, now: datetime) -> CommandRecord:
    """The record after one page more; the same place again, where that could not be ended."""
    ended = record.answer["ended"]
    if now - record.received_at > COMMAND_TIMEOUT:
        return completed_record(record, now, f"given up: sessions ended: {ended}, not everybody's")
    if is_change_blocked(ports, policy):
        return postponed_record(record, now)
    sessions = ports.system(policy.system).resources.sessions
    since = datetime.fromtimestamp(record.answer["since"], UTC)
    try:
        page = call_one(ports, partial(sessions.people, record.answer["cursor"], since))
    except Rejected as no:
        return completed_record(record, now, f"sessions ended: {ended}, not everybody's: {no}")
    except RollbackError:
        return postponed_record(record, now)
    answers = call_all(ports, {one: partial(sessions.end, one, since) for one in page.older})
    failed = [one for one in answers.values() if isinstance(one, RollbackError)]
    if any(not isinstance(one, Rejected) for one in failed):
        return postponed_record(record, now)
    ended += len(answers) - len(failed)
    refused = record.answer.get("refused", 0) + len(failed)
    answer = {**record.answer, "cursor": page.cursor, "ended": ended, "refused": refused}
    after = replace(record, answer=answer)
    if page.cursor:
        return replace(after, due_at=now)
    others = f"; of {refused} others, who are gone or may not be changed, they are not"
    result = f"the sessions of {ended} people are ended: they sign in again"
    return completed_record(after, now, result + (others if refused else ""))


def _initial_progress(since: datetime) -> dict[str, Any]:
    """Where it stands at the beginning; `since` in seconds: no session ends by a finer moment."""
    return {"since": int(since.timestamp()), "cursor": "", "ended": 0}
