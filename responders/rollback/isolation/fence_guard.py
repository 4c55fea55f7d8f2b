"""A repair, or the undo of one, behind a fence, where the policy declares one.

It is raised with the plan, and waited for. It falls by itself once its rollback writes no more
(`responders.rollback.isolation.fence_lifecycle`). A fence of a person is used, and left up.
"""

from datetime import timedelta

from msgspec.structs import replace

from responders.rollback.case import Case
from responders.rollback.completion import fail_rollback
from responders.rollback.isolation.fence_command import FENCE_VERB
from shared.core.codec import FrozenStruct, encode
from shared.core.durations import describe_duration
from shared.core.errors import Rejected
from shared.core.store import Create, Document, Write
from shared.domain.commands.command import CommandRecord, command_path
from shared.domain.data.isolation.write_fence import Fence, FenceStatus, describe_fence, fence_path
from shared.domain.policy.data_rules import FenceRules
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import Rollback
from shared.domain.system_record import System
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.reader import StateReader

POLL_INTERVAL = timedelta(seconds=5)
RAISE_GRACE_PERIOD = timedelta(minutes=1)
"""So much later than it was to stand a fence is given up that nobody has let fall."""


class FencePreparation(FrozenStruct):
    """The fence that is raised with what writes documents, or why that cannot begin now."""

    fence: Fence | None = None
    writes: tuple[Write, ...] = ()
    why_not: str = ""

    def add_freeze_window(self, system: System) -> System:
        """The system, in which automation does not answer what a fence brings about."""
        if self.fence is None:
            return system
        return replace(system, freezes=(*system.freezes, self.fence.window))

    def start_fence(self, case: Case) -> None:
        """Have it raised at once, now that all is committed."""
        if self.fence is not None:
            work_queue.publish_work_item(case.ports.bus, work_queue.COMMAND, self.fence.command, case.now())


def prepare_fence(case: Case, takes: timedelta) -> FencePreparation:
    """Return what a commit that begins to write documents needs beside it. Raises: Unavailable."""
    rules, now = case.policy.fence, case.now()
    if rules is None:
        return FencePreparation()
    document = case.ports.store.get(fence_path(case.policy.system))
    fence = document.find(Fence)
    if fence is None or fence.is_over:
        return _build_new_fence(case, rules, document)
    if fence.status is FenceStatus.FALLING:
        return FencePreparation(why_not=f"a fence is being lifted: {fence.why}")
    if fence.rollback:
        return FencePreparation(why_not=f"the fence of {fence.rollback} is lifted with it")
    if fence.status is FenceStatus.RAISING:
        takes += rules.stands_within
    if now + takes > fence.until:
        ends = f"the fence of {fence.actor} is lifted at {fence.until:%H:%M} UTC"
        return FencePreparation(
            why_not=f"{ends}, and the repair takes {describe_duration(takes)}: lift it, or wait"
        )
    return FencePreparation()


def is_awaited(case: Case) -> bool:
    """Whether no document may be written yet, because the fence does not stand."""
    rollback = case.rollback
    if not rollback.is_fenced or rollback.started_at is not None:
        return False
    fence = read_fence(case.ports, case.policy)
    return fence is None or fence.status is not FenceStatus.STANDING


def await_fence(case: Case) -> bool:
    """Look again soon; end it where the fence comes to nothing. Whether to go on now."""
    rules, fence = case.policy.fence, read_fence(case.ports, case.policy)
    if rules is None:
        return fail_rollback(case, "no document was written: the policy declares no fence any more")
    if fence is None or fence.status in (FenceStatus.FALLING, FenceStatus.DOWN):
        return fail_rollback(case, f"no document was written: {_describe_lost_fence(fence)}")
    if fence.status is FenceStatus.STANDING:
        return True
    if case.now() >= fence.began_at + rules.stands_within + RAISE_GRACE_PERIOD:
        return fail_rollback(case, f"no document was written: the fence is not active: {fence.waiting}")
    case.wait("fence.waited", f"for the fence: {fence.waiting}", case.now() + POLL_INTERVAL)
    return False


def require_fence(ports: Ports, policy: Policy, rollback: Rollback) -> None:
    """Return if the repair's fence stands, or it needs none. Raises: Rejected, Unavailable."""
    if not rollback.is_fenced:
        return
    fence, began = read_fence(ports, policy), rollback.started_at
    if fence is None or fence.status is not FenceStatus.STANDING:
        raise Rejected(f"no more documents are written: {_describe_lost_fence(fence)}")
    if began is not None and fence.began_at > began:
        raise Rejected("no more documents are written: the fence was lifted, and another one is active")


def await_fence_removal(case: Case) -> bool:
    """Whether a fence is up still: its fall is waited for as long as the repair is watched."""
    watch_until = case.rollback.watch_until
    if watch_until is not None and case.now() >= watch_until:
        return False
    if not is_fence_up(case.ports, case.policy):
        return False
    case.wait("fence.waited", "for the fence to be lifted", case.now() + POLL_INTERVAL)
    return True


def is_fence_up(ports: Ports, policy: Policy) -> bool:
    """Whether functions of the system may be stopped by a fence. Raises: Unavailable."""
    fence = read_fence(ports, policy)
    return fence is not None and not fence.is_over


def read_fence(ports: Ports, policy: Policy) -> Fence | None:
    """The newest fence of a system, whatever its policy declares now. Raises: Unavailable."""
    return StateReader(ports.store).fence(policy.system)


def _build_new_fence(case: Case, rules: FenceRules, document: Document) -> FencePreparation:
    """A new one, which a worker goes on with as with a person's command."""
    rollback, now, until = case.rollback, case.now(), case.now() + rules.longest
    order = rollback.order
    if order is None:
        raise ValueError(f"{rollback.id} moves data that nobody has ordered to be moved")
    record = CommandRecord(
        id=f"{FENCE_VERB}-{rollback.id}",
        command=FENCE_VERB,
        system=case.policy.system,
        actor=order.actor,
        reason=f"{rollback.id}: {order.reason}",
        received_at=now,
        result=describe_fence(rules, until),
        incident=rollback.incident,
        due_at=now,
    )
    fence = Fence(record.system, record.id, record.actor, record.reason, now, until, rollback=rollback.id)
    begins = Create(command_path(record.id), encode(record))
    return FencePreparation(fence, (document.build_write(fence), begins))


def _describe_lost_fence(fence: Fence | None) -> str:
    return f"the fence was lifted: {fence.why}" if fence is not None else "there is no fence"
