"""fence: what writes is stopped for a while, told in public, and brought back whatever comes.

A fence is a document, and a command that a worker goes on with (`responders.commands.worker`), look
after look, also where its system has no policy any more: the clock finds it by its due_at, so it
falls also where whoever raised it has died.
"""

from collections.abc import Container, Iterable, Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from responders.rollback.isolation.fence_lifecycle import FenceStep
from responders.rollback.outcome_summary import restores_function
from responders.support.command_handler import CommandEffect, CommandRequest
from responders.support.controls import ControlChange
from shared.core.codec import encode
from shared.core.errors import Refused
from shared.core.store import Document, Put, Query, Update, Write
from shared.domain import system_record as systems
from shared.domain.audit.system_chain import system_event
from shared.domain.commands.command import CommandRecord, command_path, parse_time
from shared.domain.data.isolation.write_fence import (
    NOTICE_SEVERITIES,
    Fence,
    FenceStatus,
    describe_fence,
    fence_path,
    notice_lines,
    start_lowering,
    transition_event,
)
from shared.domain.incidents.incident import PublicState, PublicStatusChange, public_history_path
from shared.domain.notices.notice import notice_writes
from shared.domain.notices.recipients import create_notices, create_team_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.presentation.status_page import MAINTENANCE_STATUS_NAME
from shared.domain.retention import PUBLIC_RETENTION, RECORD_RETENTION
from shared.domain.system_record import Controls, System
from shared.engine.engine import load_steps
from shared.ports.groups import Ports
from shared.state import work_queue

FENCE_VERB = "fence"
WORK_TIME_LIMIT_SECONDS = 90.0
TRANSITION_POLL_INTERVAL = timedelta(seconds=5)
ACTIVE_POLL_INTERVAL = timedelta(seconds=20)
"""While it stands: the clock hands it on twice a minute."""


def raise_fence(asked: CommandRequest) -> CommandEffect:
    """Raise a write fence until its expiry. Raises: Refused, where the policy declares none."""
    command, policy, store = asked.command, asked.policy, asked.ports.store
    rules = policy.fence
    if rules is None:
        raise Refused(f"{policy.system} declares no invariants that need a fence (fence)")
    document = store.get(fence_path(policy.system))
    now = document.read_at
    fence = document.find(Fence)
    if fence is not None and not fence.is_over:
        raise Refused(f"a fence of {fence.actor} is {fence.status} since {fence.began_at:%H:%M}")
    longest = now + rules.longest
    until = min(parse_time(command.expires, now) or longest, longest)
    if until <= now:
        raise Refused(f"expires: {until:%Y-%m-%d %H:%M:%S} UTC is in the past")
    switch = ControlChange(asked)
    _require_no_active_shift(asked, switch.value)
    fence = Fence(policy.system, command.id, command.actor, command.reason, now, until)
    frozen = switch.build_write(freezes=(*switch.value.freezes, fence.window))
    result = describe_fence(rules, until)
    return CommandEffect(result, (document.build_write(fence), frozen), goes_on=True)


def lift_fence(asked: CommandRequest) -> CommandEffect:
    """The fence falls now. Raises: Refused, where none is up."""
    command, policy = asked.command, asked.policy
    document = asked.ports.store.get(fence_path(policy.system))
    fence = document.find(Fence)
    if fence is None or fence.is_over:
        raise Refused(f"{policy.system} has no fence")
    if fence.status is FenceStatus.FALLING:
        return CommandEffect(f"it is being lifted already: {fence.why}")
    after = start_lowering(fence, f"lifted by {command.actor}: {command.reason}", document.read_at)
    due = Update(command_path(fence.command), {"due_at": document.read_at})
    told = _build_transition_writes(asked.ports, policy, fence, after, document)
    return CommandEffect("the fence is being lifted", (*told, due))


def _require_no_active_shift(asked: CommandRequest, system: System | Controls) -> None:
    """No rollback that changes functions is under way: both would change the same services."""
    slot = system.slot if isinstance(system, System) else ""
    steps = load_steps(asked.ports.store, slot).values() if slot else ()
    if any(restores_function(step) for step in steps):
        raise Refused(f"{slot} is restoring functions: wait for its end, or cancel it")


def continue_fence(ports: Ports, tell: Policy, document: Document, record: CommandRecord) -> None:
    """Advance a fence, look by look; `tell` says who is notified. Raises: Moved, Unavailable."""
    policy = tell if tell.system == record.system else None
    until = ports.clock.monotonic() + WORK_TIME_LIMIT_SECONDS
    while record.due_at is not None:
        found = ports.store.get(fence_path(record.system))
        fence = found.decode(Fence)
        if fence.command != record.id or fence.is_over:
            _commit_fence(ports, record, document, None, found.read_at, ())
            return
        next_fence = FenceStep(ports, policy, fence, found).advance()
        due = _next_check_at(next_fence, found.read_at)
        writes = _build_transition_writes(ports, tell, fence, next_fence, found)
        record = _commit_fence(ports, record, document, due, found.read_at, writes)
        if next_fence.rollback and next_fence.status is not fence.status and policy is not None:  # it waits
            work_queue.publish_work_item(ports.bus, work_queue.ROLLBACK, next_fence.rollback, found.read_at)
        goes_on = due is not None and due <= found.read_at + TRANSITION_POLL_INTERVAL
        if not goes_on or ports.clock.monotonic() > until:
            return
        ports.clock.sleep(TRANSITION_POLL_INTERVAL.total_seconds())
        document = ports.store.get(document.path)


def publish_orphaned_fences(ports: Ports, systems: Container[str], now: datetime) -> None:
    """Publish each fence that is up in none of these systems. Raises: Unavailable."""
    for document in ports.store.query(Query.equal("fences", is_over=False)):
        up = document.fields or {}
        if up["system"] not in systems:
            work_queue.publish_work_item(ports.bus, work_queue.COMMAND, up["command"], now)


def _next_check_at(fence: Fence, now: datetime) -> datetime | None:
    """When somebody must look next; None: it is down."""
    if fence.is_over:
        return None
    if fence.status is FenceStatus.STANDING:
        return now + ACTIVE_POLL_INTERVAL
    # Nothing is left to do but to wait, or people were told: no worker is kept busy with it.
    rests = fence.status is FenceStatus.FALLING and (not fence.waiting or fence.told_at is not None)
    return now + (ACTIVE_POLL_INTERVAL if rests else TRANSITION_POLL_INTERVAL)


def _commit_fence(
    ports: Ports,
    record: CommandRecord,
    document: Document,
    due: datetime | None,
    now: datetime,
    writes: Iterable[Write],
) -> CommandRecord:
    """Commit the look, and when the next one is due. Raises: Moved, Unavailable."""
    record = replace(record, due_at=due, expires_at=now + RECORD_RETENTION if due is None else None)
    ports.store.commit([document.build_update(record), *writes])
    return record


def _build_transition_writes(
    ports: Ports, policy: Policy, before: Fence, after: Fence, found: Document
) -> Iterator[Write]:
    now, name = found.read_at, transition_event(before, after, found.read_at)
    if name == "fence.stuck":
        after = replace(after, told_at=now)
    yield found.build_update(after)
    if after.is_over:
        system_document = ports.store.get(systems.system_path(after.system))
        system = system_document.decode(System)
        left = tuple(one for one in system.freezes if one != after.window)  # which goes with its fence
        yield system_document.build_update(replace(system, freezes=left))
    if not name:
        return
    facts = {"why": after.why, "waiting": after.waiting, "left": after.left}
    yield system_event(after.system, f"{name}:{after.command}", name, now, "worker", **facts)
    severity = NOTICE_SEVERITIES[name]
    tell = create_team_notices if severity is Severity.CRITICAL else create_notices
    # What another system's people hear waits for nothing that those of its own do not.
    key = after.command if policy.system == after.system else f"{after.command}-{after.system}"
    yield from notice_writes(tell(policy, key, severity, name, "\n".join(notice_lines(name, after)), now))
    yield from _build_status_page_writes(policy, after, name, now)


def _build_status_page_writes(policy: Policy, fence: Fence, name: str, now: datetime) -> Iterable[Write]:
    """What the status page says of it: from the first writer that stops to the last that starts."""
    if name not in ("fence.raising", "fence.down") or not fence.writers:
        return
    ended = now if fence.is_over else None
    known_as = policy.display_name if policy.system == fence.system else ""
    turns = [PublicStatusChange(MAINTENANCE_STATUS_NAME, fence.began_at)]
    state = PublicState(
        system=fence.system,
        display_name=known_as or fence.system,
        word="resolved" if ended else MAINTENANCE_STATUS_NAME,
        incident=fence.public_id,
        severity=Severity.LOW,
        since=fence.began_at,
        onset_at=fence.began_at,
        updated_at=now,
        signal="",
        turns=[*turns, PublicStatusChange("resolved", now)] if ended else turns,
        ended_at=ended,
        published=True,
        expires_at=now + PUBLIC_RETENTION,
    )
    yield Put(f"{public_history_path(fence.system)}/{fence.public_id}", encode(state))
