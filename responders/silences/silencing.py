"""silence: nobody is told of documents while a rollback writes some, and then of all but those.

It is upheld (`responders.upholding`) also where its system has no policy any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Final

from msgspec.structs import replace

from responders import upholding
from responders.repairs.journalled import standing
from responders.silences.falling import Falling
from responders.silences.listening import Listening
from responders.silences.raising import Raising
from responders.upholding import Way, said
from responders.verbs import Asked, Effect
from shared import command as commands
from shared import quarantine, upheld
from shared import silence as silences
from shared.command import CommandRecord
from shared.documents import decode, encode
from shared.errors import Refused, Rejected
from shared.policy import Policy
from shared.ports import Document, Ports, Update, Write
from shared.quarantine import Entry, Landed
from shared.silence import Silence
from shared.silence_told import TOLD, text, turn
from shared.upheld import Status

VERB: Final = "silence"
"""Nobody can say it: a rollback alone gives it itself."""
BUSY_FOR: Final = timedelta(seconds=45)
"""Longer than one look: two workers at once would have parts of what came in hand."""


def lift(asked: Asked) -> Effect:
    """The silence falls now. Raises: Refused, where none is up."""
    command, policy = asked.command, asked.policy
    document = asked.ports.store.get(silences.path(policy.system))
    silence = decode(Silence, document.fields) if document.fields else None
    if silence is None or silence.is_over:
        raise Refused(f"{policy.system} has no fence")
    if silence.status is Status.FALLING:
        return Effect(f"it falls already: {silence.why}")
    why = f"lifted by {command.actor}: {command.reason}"
    after = upheld.falls(silence, why, document.read_at)
    due = Update(commands.path(silence.command), {"due_at": document.read_at})
    told = _told(asked.ports, policy, silence, after, document)
    return Effect("it falls", (*told, due))


def go_on(ports: Ports, policy: Policy, document: Document, record: CommandRecord) -> None:
    """One look after another, until it stands, is down, or the time is over; then it is due again.

    Raises: Moved, when somebody wrote first; Unavailable.
    """
    listening = Listening(ports, partial(_completed, ports, policy))

    def look(silence: Silence, found: Document) -> Silence:
        return Raising(ports, policy, silence, found, listening).after()

    upholding.go_on(ports, WAY, look, policy, document, record)


def let_fall(ports: Ports, tell: Policy, document: Document, record: CommandRecord) -> None:
    """The same for a silence whose system has no policy any more; another one says who is told."""
    listening = Listening(ports, lambda entry: entry)

    def look(silence: Silence, found: Document) -> Silence:
        return Falling(ports, silence, found, listening).after()

    upholding.go_on(ports, WAY, look, tell, document, record)


def _completed(ports: Ports, policy: Policy, entry: Entry) -> Entry:
    """The entry with what landed and was never told, as far as it stands there.

    What somebody has written over since is not known, nor what nothing is kept of any more, and
    neither are their events. Raises: Unavailable.
    """
    if not entry.unknown or ports.quarantine is None:
        return entry
    try:
        kept = quarantine.unpacked(ports.quarantine.read(entry.kept))
    except Rejected:
        return entry
    known = {one.path for one in entry.landed} | {one.path for one in entry.left}
    there = standing(
        ports, policy.system, entry.database, [one for one in kept if one.path not in known]
    )
    landed = tuple(
        Landed(one.path, there[one.path], one.before.updated_at if one.before else None)
        for one in kept
        if one.path in there
    )
    return replace(entry, landed=(*entry.landed, *landed))


def _told(
    _: Ports, policy: Policy, before: Silence, after: Silence, found: Document
) -> Iterator[Write]:
    """The writes that keep a look, with the event and the notices where it has turned."""
    now, name = found.read_at, turn(before, after, found.read_at)
    if name == "silence.stuck":
        after = replace(after, told_at=now)
    yield Update(found.path, encode(after), found.version)
    if name:
        facts = {"why": after.why, "waiting": after.waiting, "left": after.left}
        yield from said(policy, after, name, TOLD[name], text(name, after), facts, now)


WAY: Final = Way(Silence, silences.path, _told, BUSY_FOR)
