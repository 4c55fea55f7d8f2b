"""on_work: claim a rollback that is due and carry it forward until it waits or ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from responders.commands.worker import carry_out
from responders.data.repair.erasure_during_repair import TakingOut
from responders.data.repair.writer import Rewriting
from responders.rollback import approval, completion, report_filing
from responders.rollback.case import Case, Transition
from responders.rollback.decision import repair_decision, rollback_decision, undo_decision
from responders.rollback.isolation import fence_guard
from responders.rollback.verification import repair_verification, rollback_verification
from shared.core.errors import LostRollback, RollbackError, Unavailable
from shared.domain.data.document import REWRITE_SECONDS
from shared.domain.data.repair.plan import Position
from shared.domain.policy.model import Policy
from shared.domain.rollback.rollback import ENDED, Direction, RollbackStatus
from shared.domain.rollback.write_ramp import Ramp
from shared.engine.engine import Engine, StopReason
from shared.engine.lease import SKEW, claim, given_up
from shared.engine.steps.base import StepKind, step_context
from shared.engine.steps.documents import erase, repair, restore
from shared.engine.steps.registry import STEPS
from shared.engine.stop_conditions import StopConditions
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.envelope import Message

WORK_FOR_SECONDS = 120.0
"""A worker hands over after that, long before its instance's time-out."""
AGAIN_AFTER = timedelta(seconds=10)
"""When something of ours or Google's gave no answer."""

DECIDES: Mapping[Direction, Callable[[Case], bool]] = {
    Direction.BACK: rollback_decision.decide,
    Direction.REPAIR: repair_decision.decide,
    Direction.UNDO: undo_decision.decide,
    Direction.UNPIN: undo_decision.decide,
}
"""Who decides, by the way that was ordered."""

LIFTED = Transition(
    event="rollback.goes-on",
    note="what held it is lifted",
    changes={"held_since": None},
    say=False,
    despite_words=True,
)
"""Said before anything is done: a later hold has all of its time again."""


class WorkTrigger:
    """Decides and carries out; one rollback at a time per instance."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = policies

    def receive(self, message: Message) -> None:
        """Return once the rollback waits, has ended, is another's, or was handed over.

        A redelivery takes over at once where its first delivery died; what is left of a
        command it does.
        Raises: Refused; Unavailable; LostRollback.
        """
        due = work_queue.parse_work_item(
            message.data, work_queue.ROLLBACK, work_queue.COMMAND, work_queue.REPORT
        )
        ports = self._ports
        if due.kind == work_queue.COMMAND:
            carry_out(ports, self._policies, due.id)
            return
        if due.kind == work_queue.REPORT:
            report_filing.file(ports, self._policies, due.id)
            return
        tenure = claim(ports.store, ports.clock, ports.ids, due.id, message.id, self._policies)
        if tenure is None:
            return
        policy = self._policies[tenure.rollback.system]
        pool = ports.pool()
        try:
            case = Case(ports, policy, tenure, pool)
            try:
                self._carry_on(case)
            except Unavailable as unanswered:
                self._come_back(case, str(unanswered))
                raise
        except LostRollback:
            with suppress(RollbackError):  # then it counts as dead
                tenure.admit_late()
            raise
        finally:
            pool.close()

    def _come_back(self, case: Case, why: str) -> None:
        """Let go for a moment; what has ended stays ended, whatever gave no answer after it."""
        if case.rollback.status in ENDED:
            return
        with suppress(Unavailable):  # then the lease runs out, or our message comes again
            case.wait("worker.unanswered", why, case.now() + AGAIN_AFTER)

    def _carry_on(self, case: Case) -> None:
        until = self._ports.clock.monotonic() + WORK_FOR_SECONDS
        kinds = self._kinds(case)
        if why := given_up(case.rollback):
            completion.fail(case, why)
            return
        while self._forward(case, kinds, until):
            if self._ports.clock.monotonic() >= until:
                case.hand_over()
                return

    def _forward(self, case: Case, kinds: Mapping[str, StepKind], until: float) -> bool:
        """One move; whether there is another for this worker."""
        status = case.rollback.status
        if case.rollback.cancel_requested and status is not RollbackStatus.RUNNING:
            return completion.cancel(case)
        no = case.rollback.rejected
        if no is not None and status in (RollbackStatus.DECIDING, RollbackStatus.PARKED):
            return approval.give_up(case, no)
        match status:
            case RollbackStatus.DECIDING:
                return DECIDES[case.rollback.way](case)
            case RollbackStatus.PARKED:
                return approval.wait(case)
            case RollbackStatus.RUNNING:
                if not case.rollback.cancel_requested and fence_guard.is_awaited(case):
                    return fence_guard.wait(case)
                return self._run(case, kinds, until)
            case RollbackStatus.VERIFYING:
                repairs = case.rollback.way is Direction.REPAIR
                return (
                    repair_verification.verify(case)
                    if repairs
                    else rollback_verification.verify(case)
                )
            case RollbackStatus.WATCHING:
                return rollback_verification.watch(case, kinds)
        return False

    def _run(self, case: Case, kinds: Mapping[str, StepKind], until: float) -> bool:
        ports = self._ports
        switches = StopConditions(ports.store, ports.clock, case.rollback)
        if case.rollback.held_since is not None and not switches.stop():
            case.take(LIFTED)
            # That turn has read what a person has said since the look before it.
            switches = StopConditions(ports.store, ports.clock, case.rollback)
        engine = Engine(ports.store, ports.clock, case.pool, kinds, switches, case.policy.execution)
        left = engine.carry(case.tenure, until)
        if left is StopReason.HANDED_OVER:
            case.hand_over()
            return False
        if case.rollback.cancel_requested:
            return completion.cancel(case)
        if left is StopReason.ENDED:
            return rollback_verification.conclude(case, kinds)
        return self._hold(case, switches.stop())

    def _hold(self, case: Case, reason: str) -> bool:
        """Wait while a switch is set, and say so once; in the end, end."""
        now, since = case.now(), case.rollback.held_since
        if not reason:  # lifted in this very moment
            return True
        if since is not None and now - since > case.policy.gates.approval_expires:
            return completion.fail(case, f"held for too long: {reason}")
        held = Transition(
            event="rollback.held",
            note=f"nothing is in flight and nothing more is done: {reason}",
            changes={
                "held_since": since or now,
                "due_at": case.look_after(case.policy.gates.judge_every),
                "lease": None,
            },
            say=since is None,
            occasion=f"-{now:%H%M%S}",
        )
        landed = case.take(held)
        if landed and since is None:  # with this one, all that a pause waits for may have settled
            self._hand_on_commands()
        return not landed

    def _hand_on_commands(self) -> None:
        ports = self._ports
        now = ports.clock.now() + SKEW
        work_queue.publish_due(ports.store, ports.bus, work_queue.COMMAND, now, self._policies)

    def _kinds(self, case: Case) -> dict[str, StepKind]:
        rewriting, taking_out = self._writing(case)
        portions: dict[str, Callable[..., Position]] = {
            repair.KIND: rewriting.portion,
            restore.KIND: rewriting.return_portion,
            erase.KIND: taking_out.portion,
        }
        context = step_context(self._ports, case.policy.system, portions)
        return {kind: step(context) for kind, step in STEPS.items()}

    def _writing(self, case: Case) -> tuple[Rewriting, TakingOut]:
        """What writes documents back and takes some out, as fast as all workers together may."""
        ports, rollback, tenure = self._ports, case.rollback, case.tenure
        switches = StopConditions(ports.store, ports.clock, rollback)
        began_at = rollback.started_at or case.now()
        ramp = Ramp((case.now() - began_at).total_seconds(), ports.clock.monotonic())

        def may_go_on() -> bool:
            is_stopped = switches.stop()
            tenure.check()
            return not is_stopped

        def may_write(deadline: datetime | None) -> bool:
            fence_guard.require(ports, case.policy, case.rollback)
            if not may_go_on():
                return False
            lands_by = tenure.now() + timedelta(seconds=REWRITE_SECONDS)
            in_time = deadline is None or lands_by <= deadline
            return in_time and tenure.lasts(REWRITE_SECONDS)

        taking_out = TakingOut(ports, case.policy, rollback.id, began_at, ramp, may_go_on)
        return Rewriting(ports, case.policy, rollback, ramp, may_write), taking_out
