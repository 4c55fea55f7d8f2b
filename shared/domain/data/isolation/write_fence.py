"""A fence: for a while nothing of the application writes, and then all is as it was. Pure.

One document for each system, `fences/{system}`: its newest fence. What the writers' instances were
is on record before the first of them is stopped, and is brought back whatever comes.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec.structs import replace

from shared.core.codec import FrozenStruct, StoredDocument, documents_of
from shared.domain.deployments.inventory.traffic import Scaling, Service
from shared.domain.policy.data_rules import FenceRules
from shared.domain.policy.severity import Severity
from shared.domain.system_record import Freeze

SETTLE_TIMEOUT = timedelta(minutes=5)
"""So long after the last intent to stop something may a request land that a worker had in hand."""
MAX_INTENT_AGE = timedelta(seconds=30)
"""Nothing is sent by an intent that is older."""
MAX_LOWERING_TIME = timedelta(days=1)
"""Beyond its time: so long automation is held at most for a fence that does not fall."""
STUCK_FENCE_DELAY = timedelta(minutes=5)
"""A fence that has not fallen by then is told."""
NOTICE_SEVERITIES: Mapping[str, Severity] = {
    "fence.raising": Severity.HIGH,
    "fence.stands": Severity.HIGH,
    "fence.falls": Severity.HIGH,
    "fence.down": Severity.HIGH,
    "fence.stuck": Severity.CRITICAL,
}
fence_path = documents_of("fences")


class FenceStatus(StrEnum):
    """How far one has come."""

    RAISING = "RAISING"
    STANDING = "STANDING"
    FALLING = "FALLING"
    DOWN = "DOWN"


class Writer(FrozenStruct):
    """One function that writes, and what its instances were."""

    function: str
    service: str
    """Full name."""
    scaling: Scaling

    @property
    def stopped_scaling(self) -> Scaling:
        """What its instances are while the fence stands: none."""
        return replace(self.scaling, manual=0)


class Fence(StoredDocument):
    """One fence, and what came of it."""

    system: str
    command: str
    """The id of the command that a worker goes on with."""
    actor: str
    reason: str
    began_at: datetime
    until: datetime
    rollback: str = ""
    """The one that it was raised for, and falls with; empty: a person's word."""
    status: FenceStatus = FenceStatus.RAISING
    is_over: bool = False
    sent_at: datetime | None = None
    """When a worker was about to stop something last."""
    stood_at: datetime | None = None
    falls_at: datetime | None = None
    """When it was to fall."""
    why: str = ""
    left: tuple[str, ...] = ()
    """Names of what somebody has changed since: that is theirs."""
    waiting: str = ""
    """For what it waits; empty: for nothing but time."""
    told_at: datetime | None = None
    """When people were told that it does not fall; None: they were not."""
    ended_at: datetime | None = None
    writers: tuple[Writer, ...] = ()
    """As they were found; empty: nobody has looked yet, and nothing is stopped."""

    @property
    def window(self) -> Freeze:
        """In which automation does not answer what the fence itself brings about.

        It goes with the fence, which may fall later than it should.
        """
        reason, until = f"a fence, until it is down, {self.reason}", self.until + MAX_LOWERING_TIME
        return Freeze(self.actor, self.began_at, reason, self.began_at, until, orders=False)

    @property
    def public_id(self) -> str:
        """What the status page calls it."""
        return f"MAINTENANCE-{self.began_at:%Y%m%d-%H%M%S}"


class WriterPositions(FrozenStruct):
    """Where the writers are now."""

    to_stop: tuple[Writer, ...]
    to_free: tuple[Writer, ...]
    theirs: tuple[str, ...]
    is_settled: bool
    """Whether no service is being changed."""


def describe_fence(rules: FenceRules, until: datetime) -> str:
    """What is said where one is raised."""
    return f"nothing of {', '.join(rules.writers)} writes until {until:%H:%M} UTC at most"


def writer_positions(writers: Iterable[Writer], services: Mapping[str, Service]) -> WriterPositions:
    """Where each writer is, by its service as it was just read; one that is gone is somebody's."""
    to_stop, to_free, theirs, settled = list[Writer](), list[Writer](), list[str](), True
    for one in writers:
        service = services.get(one.service)
        if service is None:
            theirs.append(one.function)
            continue
        settled = settled and not service.reconciling
        if one.scaling == one.stopped_scaling == service.scaling:  # it was stopped before, and not by us
            continue
        if service.scaling == one.scaling:
            to_stop.append(one)
        elif service.scaling == one.stopped_scaling:
            to_free.append(one)
        else:
            theirs.append(one.function)
    return WriterPositions(tuple(to_stop), tuple(to_free), tuple(theirs), settled)


def may_send(fence: Fence, now: datetime) -> bool:
    """Whether it is on record that something is about to be stopped."""
    return fence.sent_at is not None and now < fence.sent_at + MAX_INTENT_AGE


def start_lowering(fence: Fence, why: str, now: datetime) -> Fence:
    """The fence that is to fall."""
    return replace(fence, status=FenceStatus.FALLING, falls_at=now, why=why, waiting="")


def may_be_lowered(fence: Fence, now: datetime) -> bool:
    """Whether no request to stop something can be on its way any more."""
    return fence.sent_at is None or now >= fence.sent_at + SETTLE_TIMEOUT


def mark_lowered(fence: Fence, theirs: Iterable[str], now: datetime) -> Fence:
    """The fence of which nothing is left; `theirs` is left as somebody has changed it."""
    return replace(fence, status=FenceStatus.DOWN, is_over=True, left=tuple(theirs), waiting="", ended_at=now)


def is_stuck(fence: Fence, now: datetime) -> bool:
    """Whether people are to be told now that it has not fallen in time."""
    late = fence.falls_at is not None and now >= fence.falls_at + STUCK_FENCE_DELAY
    return late and fence.told_at is None and bool(fence.waiting)


def transition_event(before: Fence, after: Fence, now: datetime) -> str:
    """The event that lies between the two; empty: none."""
    if is_stuck(after, now):
        return "fence.stuck"
    if after.status is not before.status:
        return {
            FenceStatus.STANDING: "fence.stands",
            FenceStatus.FALLING: "fence.falls",
            FenceStatus.DOWN: "fence.down",
        }[after.status]
    return "fence.raising" if after.writers and not before.writers else ""


def notice_lines(event: str, fence: Fence) -> Iterator[str]:
    """The lines of one notice."""
    names = ", ".join(one.function for one in fence.writers)
    match event:
        case "fence.raising":
            yield f"{fence.system}: {names} are stopped, until {fence.until:%H:%M} UTC at most"
            yield f"by {fence.actor}: {fence.reason}"
        case "fence.stands":
            yield f"{fence.system}: the fence stands: the canary is refused, {names} have stopped"
        case "fence.falls":
            yield f"{fence.system}: the fence falls: {fence.why}"
        case "fence.down":
            yield f"{fence.system}: the fence is down: {names or 'nothing'} as before"
            yield from (f"{one}: somebody has changed it since: left" for one in fence.left)
        case _:
            yield f"{fence.system}: THE FENCE DOES NOT FALL: {fence.waiting}"
            yield from (
                f"{one.function}: its instances were {one.scaling} ({one.service})" for one in fence.writers
            )
