"""What is raised for a while, kept up, and let fall: a fence, a silence.

Each is a document, and a command that a worker goes on with (`responders.commanded`), look after
look: the clock finds it by its due_at, so it falls also where whoever raised it has died.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Generic

from msgspec import Struct
from msgspec.structs import replace

from responders.case import Case
from shared import command as commands
from shared import handover
from shared.audit import event
from shared.command import CommandRecord
from shared.documents import decode, encode
from shared.fence import Fence
from shared.notice import creates, loud, notices
from shared.outside import write_down
from shared.policy import Policy
from shared.ports import Create, Document, Ports, Update, Write
from shared.rollback import KEPT_FOR
from shared.severity import Severity
from shared.system import System
from shared.upheld import Status, T, Upheld

WORK_FOR_SECONDS: Final = 90.0
LOOK_AGAIN: Final = timedelta(seconds=5)
LOOK_EVERY: Final = timedelta(seconds=20)
"""While it stands: the clock hands it on twice a minute."""


class Way(Struct, Generic[T], frozen=True):
    """In what the one differs from the other."""

    kind: type[T]
    path: Callable[[str], str]
    """Where the newest of a system is kept."""
    told: Callable[[Ports, Policy, T, T, Document], Iterable[Write]]
    """The writes that keep a look, by the policy whose people are told where it has turned."""
    busy_for: timedelta = timedelta()
    """So long no other worker is called while one goes on with it."""


class Around(Struct, frozen=True):
    """What is raised with what writes documents, or why that cannot begin now."""

    fence: Fence | None = None
    """None: none is raised."""
    commands: tuple[str, ...] = ()
    """Those that a worker goes on with."""
    writes: tuple[Write, ...] = ()
    why_not: str = ""
    """Empty: it can begin."""

    def beside(self, other: Around) -> Around:
        """Both."""
        return Around(
            self.fence or other.fence,
            (*self.commands, *other.commands),
            (*self.writes, *other.writes),
            self.why_not or other.why_not,
        )

    def with_window(self, system: System) -> System:
        """The system, in which automation does not answer what a fence brings about."""
        if self.fence is None:
            return system
        return replace(system, freezes=(*system.freezes, self.fence.window))

    def begin(self, case: Case) -> None:
        """Have it raised at once, now that all is committed."""
        for command in self.commands:
            handover.publish(case.ports.bus, handover.COMMAND, command, case.now())


def ordered(case: Case, verb: str, result: str) -> CommandRecord:
    """The command that a rollback gives itself as it begins to write documents."""
    rollback, now = case.rollback, case.now()
    order = rollback.order
    if order is None:
        raise ValueError(f"{rollback.id} moves data that nobody has ordered to be moved")
    return CommandRecord(
        id=f"{verb}-{rollback.id}",
        command=verb,
        system=case.policy.system,
        actor=order.actor,
        reason=f"{rollback.id}: {order.reason}",
        received_at=now,
        result=result,
        incident=rollback.incident,
        due_at=now,
    )


def created(record: CommandRecord) -> Create:
    """The write that gives it."""
    return Create(commands.path(record.id), encode(record))


def go_on(
    ports: Ports,
    way: Way[T],
    look: Callable[[T, Document], T],
    tell: Policy,
    document: Document,
    record: CommandRecord,
) -> None:
    """One look after another, until it stands, is down, or the time is over; then it is due again.

    `tell` says who is told: its own policy, or another one where that is gone. Raises: Moved, when
    somebody wrote first; Unavailable.
    """
    until = ports.clock.monotonic() + WORK_FOR_SECONDS
    while record.due_at is not None:
        found = ports.store.get(way.path(record.system))
        before = decode(way.kind, found.fields)
        if before.command != record.id or before.is_over:
            _keep(ports, record, document, None, found.read_at, ())
            return
        after = look(before, found)
        due = _due(after, found.read_at)
        goes_on = due is not None and due <= found.read_at + LOOK_AGAIN
        goes_on = goes_on and ports.clock.monotonic() <= until
        again = found.read_at + way.busy_for if goes_on and way.busy_for else due
        writes = way.told(ports, tell, before, after, found)
        record = _keep(ports, record, document, again, found.read_at, writes)
        if after.rollback and after.status is not before.status and is_of(tell, after):  # it waits
            handover.publish(ports.bus, handover.ROLLBACK, after.rollback, found.read_at)
        if not goes_on:
            return
        ports.clock.sleep(LOOK_AGAIN.total_seconds())
        document = ports.store.get(document.path)


def _due(one: Upheld, now: datetime) -> datetime | None:
    """When somebody must look next; None: it is down."""
    if one.is_over:
        return None
    if one.status is Status.STANDING:
        return now + LOOK_EVERY
    # Nothing is left to do but to wait, or people were told: no worker is kept busy with it.
    rests = one.status is Status.FALLING and (not one.waiting or one.told_at is not None)
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


def is_of(policy: Policy, one: Upheld) -> bool:
    """Whether it is the policy of its own system."""
    return policy.system == one.system


def said(
    policy: Policy,
    one: Upheld,
    name: str,
    severity: Severity,
    lines: Iterable[str],
    facts: Mapping[str, Any],
    now: datetime,
) -> Iterator[Write]:
    """The writes of an event of that name, and of its notices: loud where it does not fall."""
    happened = event(name, now, "worker", **facts)
    yield write_down(one.system, f"{name}:{one.command}", happened)
    tell = loud if severity is Severity.CRITICAL else notices
    # What another system's people hear waits for nothing that those of its own do not.
    key = one.command if is_of(policy, one) else f"{one.command}-{one.system}"
    yield from creates(tell(policy, key, severity, name, "\n".join(lines), now))
