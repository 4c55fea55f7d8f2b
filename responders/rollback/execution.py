"""The execution of a rollback by one worker: claim it, move it forward until it waits or ends."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from msgspec.structs import replace

from responders.data.repair.erasure_during_repair import RepairEraser
from responders.data.repair.writer import DocumentRewriter
from responders.rollback import approval, completion
from responders.rollback.case import Case, Transition
from responders.rollback.decision import repair_decision, rollback_decision, undo_decision
from responders.rollback.isolation import fence_guard
from responders.rollback.verification import repair_verification, rollback_verification
from responders.rollback.verification.hold_check import observe_hold
from responders.rollback.verification.monitoring import monitor_rollback
from responders.support.published_policies import find_plan_policy
from shared.core.errors import LostRollback, RollbackError, Unavailable
from shared.domain.data.document import REWRITE_TIMEOUT_SECONDS
from shared.domain.data.repair.repair_plan import RepairPosition
from shared.domain.policy.system_policy import Policies
from shared.domain.rollback.rollback import Direction, RollbackStatus
from shared.domain.rollback.write_ramp import WriteRamp
from shared.engine.engine import Engine, StopReason
from shared.engine.lease import DUE_TIME_SKEW_TOLERANCE, claim_rollback, give_up_reason
from shared.engine.steps.base import StepKind, step_context
from shared.engine.steps.documents import erase, repair, restore
from shared.engine.steps.registry import STEPS
from shared.engine.stop_conditions import StopConditions
from shared.ports.groups import Ports
from shared.state import work_queue

WORK_TIME_LIMIT_SECONDS = 120.0
"""A worker hands over after that, long before its instance's time-out."""
RETRY_INTERVAL = timedelta(seconds=10)
"""The pause after one of our services or Google's gave no answer."""

DECISION_HANDLERS: Mapping[Direction, Callable[[Case], bool]] = {
    Direction.BACK: rollback_decision.decide_rollback,
    Direction.REPAIR: repair_decision.decide_repair,
    Direction.UNDO: undo_decision.decide_undo,
    Direction.UNPIN: undo_decision.decide_undo,
}


HOLD_LIFTED_TRANSITION = Transition(
    event="rollback.goes-on",
    note="the rollback continues: the hold has ended",
    changes={"held_since": None},
    despite_words=True,
)
"""Recorded before anything is done: a later hold has all of its time again."""


def execute(ports: Ports, policies: Policies, rollback: str, message: str) -> None:
    """Return once the rollback waits, has ended, is another worker's, or was handed over.

    `message` is the id of the work message: its redelivery takes over at once.
    Raises: Refused, without its system's policy; Unavailable; LostRollback.
    """
    tenure = claim_rollback(ports.store, ports.clock, ports.ids, rollback, message, policies)
    if tenure is None:
        return
    pool = ports.pool()
    try:
        case = Case(ports, find_plan_policy(ports, policies, tenure.rollback), tenure, pool)
        try:
            _Execution(case, policies).work()
        except Unavailable as unanswered:
            _wait_for_service(case, str(unanswered))
            raise
    except LostRollback:
        with suppress(RollbackError):  # then it counts as dead
            tenure.record_late_worker()
        raise
    finally:
        pool.close()


def _wait_for_service(case: Case, why: str) -> None:
    """Release the rollback for a moment."""
    with suppress(Unavailable):  # then the lease runs out, or our message comes again
        case.wait("worker.unanswered", why, case.now() + RETRY_INTERVAL)


class _Execution:
    """One claimed rollback, for as long as its worker may work on it."""

    def __init__(self, case: Case, systems: Collection[str]) -> None:
        self._case = case
        self._systems = systems
        self._until = case.ports.clock.monotonic() + WORK_TIME_LIMIT_SECONDS
        self._kinds = _step_kinds(case)

    def work(self) -> None:
        """Move the rollback forward until it waits, ends, or the worker's time is over."""
        if why := give_up_reason(self._case.rollback):
            completion.fail_rollback(self._case, why)
            return
        while self._move():
            if self._case.rollback.yield_requested or self._case.ports.clock.monotonic() >= self._until:
                self._case.hand_over()
                return

    def _move(self) -> bool:
        """Make one move; return whether this worker makes another."""
        case, status = self._case, self._case.rollback.status
        if case.rollback.cancel_requested and status is not RollbackStatus.RUNNING:
            return completion.cancel_rollback(case)
        case.decided_by = case.rollback.operator_inputs if status is RollbackStatus.DECIDING else None
        no = case.rollback.rejected
        if no is not None and status in (RollbackStatus.DECIDING, RollbackStatus.PARKED):
            return approval.end_rejected(case, no)
        match status:
            case RollbackStatus.DECIDING:
                return DECISION_HANDLERS[case.rollback.way](case)
            case RollbackStatus.PARKED:
                return approval.await_approval(case)
            case RollbackStatus.RUNNING:
                if not case.rollback.cancel_requested and fence_guard.is_awaited(case):
                    return fence_guard.await_fence(case)
                return self._run()
            case RollbackStatus.VERIFYING:
                if case.rollback.way is Direction.REPAIR:
                    return repair_verification.verify_repair(case)
                return rollback_verification.verify_rollback(case)
            case RollbackStatus.WATCHING:
                return monitor_rollback(case, self._kinds)
        return False

    def _run(self) -> bool:
        """Run the steps of the plan; return whether this worker makes another move."""
        case, ports = self._case, self._case.ports
        conditions = StopConditions(ports.store, ports.clock, case.rollback)
        if case.rollback.held_since is not None and not conditions.find_stop_reason():
            case.commit_transition(replace(HOLD_LIFTED_TRANSITION, occasion=f"-{case.now():%H%M%S}"))
            # That transition has read what a person has said since the check before it.
            conditions = StopConditions(ports.store, ports.clock, case.rollback)
        limits = case.policy.execution

        def watch() -> None:
            case.raise_severity(case.read_alerts())

        first = case.build_undo_writes if case.rollback.way is Direction.UNDO else list
        engine = Engine(ports.store, ports.clock, case.pool, self._kinds, conditions, limits, watch, first)
        watch()
        left = engine.execute_plan(case.tenure, self._until)
        if left is StopReason.HANDED_OVER:
            case.hand_over()
            return False
        if case.rollback.cancel_requested:
            return completion.cancel_rollback(case)
        if left is StopReason.ENDED:
            return rollback_verification.conclude_steps(case, self._kinds)
        return case.rollback.yield_requested or self._hold(conditions.find_stop_reason())

    def _hold(self, reason: str) -> bool:
        """Wait and check while a stop condition holds; notify once; fail after the longest wait."""
        case, ports = self._case, self._case.ports
        now, since = case.now(), case.rollback.held_since
        if not reason:  # lifted in this very moment
            return True
        if since is not None and now - since > case.policy.gates.approval_expires:
            return completion.fail_rollback(case, f"held for too long: {reason}")
        works = observe_hold(case, since) if since is not None else None
        word = "" if works is None else ("it works again; " if works else "it fails again; ")
        held = Transition(
            event="rollback.held",
            note=f"{word}no step is in flight, and no further step starts: {reason}",
            is_noted=works is not None,
            works=works,
            changes={
                "held_since": since or now,
                "due_at": case.next_check_at(case.policy.gates.judge_every),
                "lease": None,
            },
            say=since is None,
            occasion=f"-{now:%H%M%S}",
        )
        landed = case.commit_transition(held)
        if landed and since is None:  # with this one, all that a pause waits for may have settled
            by = ports.clock.now() + DUE_TIME_SKEW_TOLERANCE
            work_queue.publish_due_items(ports.store, ports.bus, work_queue.COMMAND, by, self._systems)
        return not landed


def _step_kinds(case: Case) -> dict[str, StepKind]:
    """Return the kinds of step; documents are written within the write quota of all workers."""
    ports, rollback, tenure = case.ports, case.rollback, case.tenure
    stop_conditions = StopConditions(ports.store, ports.clock, rollback)
    began_at = rollback.started_at or case.now()
    ramp = WriteRamp((case.now() - began_at).total_seconds(), ports.clock.monotonic())

    def may_go_on() -> bool:
        is_stopped = stop_conditions.find_stop_reason()
        tenure.require_lease()
        return not is_stopped

    def may_write(deadline: datetime | None) -> bool:
        fence_guard.require_fence(ports, case.policy, case.rollback)
        if not may_go_on():
            return False
        in_time = deadline is None or tenure.now() + timedelta(seconds=REWRITE_TIMEOUT_SECONDS) <= deadline
        return in_time and tenure.is_leased_for(REWRITE_TIMEOUT_SECONDS)

    rewriter = DocumentRewriter(ports, case.policy, rollback, ramp, may_write)
    portions: dict[str, Callable[..., RepairPosition]] = {
        repair.KIND: rewriter.rewrite_portion,
        restore.KIND: rewriter.restore_portion,
        erase.KIND: RepairEraser(ports, case.policy, rollback.id, began_at, ramp, may_go_on).erase_portion,
    }
    context = step_context(ports, case.policy.system, portions)
    return {kind: step(context) for kind, step in STEPS.items()}
