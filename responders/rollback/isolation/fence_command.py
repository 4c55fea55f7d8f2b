"""fence: what writes is stopped for a while, told in public, and brought back whatever comes.

A fence is a document, and a command that a worker goes on with (`responders.commands.worker`), look
after look, also where its system has no policy any more: the clock finds it by its due_at, so it
falls also where whoever raised it has died.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from responders.rollback.isolation.fence_lifecycle import Looking
from responders.rollback.outcome_summary import restores_function
from responders.support.command_handler import CommandEffect, CommandRequest
from responders.support.stop_switches import Switch
from shared.core.codec import decode, encode
from shared.core.errors import Refused
from shared.core.store import Document, Put, Query, Update, Write, written
from shared.domain import system as systems
from shared.domain.audit.chain import event
from shared.domain.audit.system_chain import write_down
from shared.domain.commands import command as commands
from shared.domain.commands.command import CommandRecord, moment
from shared.domain.data.isolation import write_fence as fences
from shared.domain.data.isolation.notices import TOLD, text, turn
from shared.domain.data.isolation.write_fence import Fence, FenceStatus
from shared.domain.incidents import incident
from shared.domain.incidents.incident import PUBLIC_KEPT_FOR, PublicState, PublicTurn
from shared.domain.notices.notice import creates, loud, notices
from shared.domain.policy.model import Policy
from shared.domain.policy.severity import Severity
from shared.domain.presentation.status_page import MAINTENANCE
from shared.domain.retention import KEPT_FOR
from shared.domain.system import Controls, System
from shared.engine.engine import load_steps
from shared.ports.groups import Ports
from shared.state import work_queue

VERB: Final = "fence"
WORK_FOR_SECONDS: Final = 90.0
LOOK_AGAIN: Final = timedelta(seconds=5)
LOOK_EVERY: Final = timedelta(seconds=20)
"""While it stands: the clock hands it on twice a minute."""


def raise_fence(asked: CommandRequest) -> CommandEffect:
    """The writers that the policy names are stopped until then, or until it is lifted.

    Raises: Refused, where nothing keeps automation from taking that for an outage.
    """
    command, policy, store = asked.command, asked.policy, asked.ports.store
    rules = policy.fence
    if rules is None:
        raise Refused(f"{policy.system} declares no invariants that need a fence (fence)")
    document = store.get(fences.fence_path(policy.system))
    now = document.read_at
    before = decode(Fence, document.fields) if document.fields else None
    if before is not None and not before.is_over:
        raise Refused(f"a fence of {before.actor} is {before.status} since {before.began_at:%H:%M}")
    longest = now + rules.longest
    until = min(moment(command.expires, now) or longest, longest)
    if until <= now:
        raise Refused(f"expires: {until:%Y-%m-%d %H:%M:%S} UTC is over")
    switch = Switch(asked)
    _require_no_shift(asked, switch.value)
    fence = Fence(policy.system, command.id, command.actor, command.reason, now, until)
    frozen = switch.after(freezes=(*switch.value.freezes, fence.window))
    result = fences.promise(rules, until)
    return CommandEffect(result, (written(document, encode(fence)), frozen), goes_on=True)


def lift(asked: CommandRequest) -> CommandEffect:
    """The fence falls now. Raises: Refused, where none is up."""
    command, policy = asked.command, asked.policy
    document = asked.ports.store.get(fences.fence_path(policy.system))
    fence = decode(Fence, document.fields) if document.fields else None
    if fence is None or fence.is_over:
        raise Refused(f"{policy.system} has no fence")
    if fence.status is FenceStatus.FALLING:
        return CommandEffect(f"it falls already: {fence.why}")
    after = fences.falls(fence, f"lifted by {command.actor}: {command.reason}", document.read_at)
    due = Update(commands.command_path(fence.command), {"due_at": document.read_at})
    told = _told(asked.ports, policy, fence, after, document)
    return CommandEffect("it falls", (*told, due))


def _require_no_shift(asked: CommandRequest, system: System | Controls) -> None:
    """No rollback that changes functions is under way: both would change the same services."""
    slot = system.slot if isinstance(system, System) else ""
    steps = load_steps(asked.ports.store, slot).values() if slot else ()
    if any(restores_function(step) for step in steps):
        raise Refused(f"{slot} is bringing functions back: wait for its end, or cancel it")


def go_on(ports: Ports, tell: Policy, document: Document, record: CommandRecord) -> None:
    """One look after another, until it stands, is down, or the time is over; then it is due again.

    `tell` says who is notified: its own policy, or another one where that is gone. Raises: Moved,
    when somebody wrote first; Unavailable.
    """
    policy = tell if tell.system == record.system else None
    until = ports.clock.monotonic() + WORK_FOR_SECONDS
    while record.due_at is not None:
        found = ports.store.get(fences.fence_path(record.system))
        before = decode(Fence, found.fields)
        if before.command != record.id or before.is_over:
            _keep(ports, record, document, None, found.read_at, ())
            return
        after = Looking(ports, policy, before, found).after()
        due = _due(after, found.read_at)
        writes = _told(ports, tell, before, after, found)
        record = _keep(ports, record, document, due, found.read_at, writes)
        if after.rollback and after.status is not before.status and policy is not None:  # it waits
            work_queue.publish(ports.bus, work_queue.ROLLBACK, after.rollback, found.read_at)
        goes_on = due is not None and due <= found.read_at + LOOK_AGAIN
        if not goes_on or ports.clock.monotonic() > until:
            return
        ports.clock.sleep(LOOK_AGAIN.total_seconds())
        document = ports.store.get(document.path)


def hand_over_orphans(ports: Ports, systems: Container[str], now: datetime) -> None:
    """Publish each fence that is up in none of these systems. Raises: Unavailable."""
    for document in ports.store.query(Query("fences", where=(("is_over", "==", False),))):
        up = document.fields or {}
        if up["system"] not in systems:
            work_queue.publish(ports.bus, work_queue.COMMAND, up["command"], now)


def _due(fence: Fence, now: datetime) -> datetime | None:
    """When somebody must look next; None: it is down."""
    if fence.is_over:
        return None
    if fence.status is FenceStatus.STANDING:
        return now + LOOK_EVERY
    # Nothing is left to do but to wait, or people were told: no worker is kept busy with it.
    rests = fence.status is FenceStatus.FALLING and (not fence.waiting or fence.told_at is not None)
    return now + (LOOK_EVERY if rests else LOOK_AGAIN)


def _keep(
    ports: Ports,
    record: CommandRecord,
    document: Document,
    due: datetime | None,
    now: datetime,
    writes: Iterable[Write],
) -> CommandRecord:
    """Commit the look, and when the next one is due. Raises: Moved, Unavailable."""
    expires = now + KEPT_FOR if due is None else None
    after = replace(record, due_at=due, expires_at=expires)
    ports.store.commit([Update(document.path, encode(after), document.version), *writes])
    return after


def _told(
    ports: Ports, policy: Policy, before: Fence, after: Fence, found: Document
) -> Iterator[Write]:
    """The writes that keep a look, with the event and the notices where it has turned."""
    now, name = found.read_at, turn(before, after, found.read_at)
    if name == "fence.stuck":
        after = replace(after, told_at=now)
    yield Update(found.path, encode(after), found.version)
    if after.is_over:
        yield _thawed(ports, after)
    if not name:
        return
    facts = {"why": after.why, "waiting": after.waiting, "left": after.left}
    yield write_down(after.system, f"{name}:{after.command}", event(name, now, "worker", **facts))
    severity = TOLD[name]
    tell = loud if severity is Severity.CRITICAL else notices
    # What another system's people hear waits for nothing that those of its own do not.
    is_own = policy.system == after.system
    key = after.command if is_own else f"{after.command}-{after.system}"
    yield from creates(tell(policy, key, severity, name, "\n".join(text(name, after)), now))
    yield from _public(policy, after, name, now)


def _thawed(ports: Ports, fence: Fence) -> Write:
    """The window goes with its fence."""
    document = ports.store.get(systems.system_path(fence.system))
    system = decode(System, document.fields)
    left = tuple(one for one in system.freezes if one != fence.window)
    return Update(document.path, encode(replace(system, freezes=left)), document.version)


def _public(policy: Policy, fence: Fence, name: str, now: datetime) -> Iterable[Write]:
    """What the status page says of it: from the first writer that stops to the last that starts."""
    if name not in ("fence.raising", "fence.down") or not fence.writers:
        return
    ended = now if fence.is_over else None
    known_as = policy.display_name if policy.system == fence.system else ""
    turns = [PublicTurn(MAINTENANCE, fence.began_at)]
    state = PublicState(
        system=fence.system,
        display_name=known_as or fence.system,
        word="resolved" if ended else MAINTENANCE,
        incident=fence.public_id,
        severity=Severity.LOW,
        since=fence.began_at,
        updated_at=now,
        turns=[*turns, PublicTurn("resolved", now)] if ended else turns,
        ended_at=ended,
        published=True,
        expires_at=now + PUBLIC_KEPT_FOR,
    )
    yield Put(f"{incident.public_history(fence.system)}/{fence.public_id}", encode(state))
