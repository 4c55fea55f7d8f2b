"""on_work: claim a rollback that is due and carry it forward until it waits or ends."""

from __future__ import annotations

from collections.abc import Mapping

from responders import deciding, verifying
from responders.case import Case
from shared import handover
from shared.controls import Switches
from shared.engine import Engine, Left
from shared.envelope import Message
from shared.errors import Refused
from shared.policy import Policy
from shared.ports import Ports
from shared.rollback import Status
from shared.steps import Kind
from shared.steps.judge import KIND as JUDGE
from shared.steps.judge import Judge
from shared.steps.shift import KIND as SHIFT
from shared.steps.shift import Shift
from shared.tenure import LIMIT_TAKEOVERS, claim

WORK_FOR_SECONDS = 120.0
"""A worker hands over after that, long before its instance's time-out."""


class Work:
    """Decides and carries out; one rollback at a time per instance."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = policies

    def receive(self, message: Message) -> None:
        """Return once the rollback waits, has ended, is another's, or was handed over.

        A redelivery takes over at once where its first delivery died.
        Raises: Refused; Unavailable; LostRollback.
        """
        due = handover.parse(message.data, handover.ROLLBACK)
        ports = self._ports
        tenure = claim(ports.store, ports.clock, ports.ids, due.id, message.id)
        if tenure is None:
            return
        policy = self._policies.get(tenure.rollback.system)
        if policy is None:
            raise Refused(f"no policy for the system {tenure.rollback.system}")
        pool = ports.pool()
        try:
            self._carry_on(Case(ports, policy, tenure, pool))
        finally:
            pool.close()

    def _carry_on(self, case: Case) -> None:
        until = self._ports.clock.monotonic() + WORK_FOR_SECONDS
        kinds = self._kinds(case.policy)
        if case.rollback.takeovers > LIMIT_TAKEOVERS:
            verifying.fail(case, f"{LIMIT_TAKEOVERS} workers in a row died over it", [])
            return
        while self._forward(case, kinds, until):
            if self._ports.clock.monotonic() >= until:
                case.hand_over()
                return

    def _forward(self, case: Case, kinds: dict[str, Kind], until: float) -> bool:
        """One move; whether there is another for this worker."""
        status = case.rollback.status
        if case.rollback.cancel_requested and status is not Status.RUNNING:
            return verifying.cancel(case)
        match status:
            case Status.DECIDING:
                return deciding.decide(case)
            case Status.PARKED:
                return deciding.expire(case)
            case Status.RUNNING:
                return self._run(case, kinds, until)
            case Status.VERIFYING:
                return verifying.verify(case)
            case Status.WATCHING:
                return verifying.watch(case, kinds)
        return False

    def _run(self, case: Case, kinds: dict[str, Kind], until: float) -> bool:
        ports = self._ports
        switches = Switches(ports.store, ports.clock, case.policy.system)
        engine = Engine(ports.store, ports.clock, case.pool, kinds, switches, case.policy.execution)
        left = engine.carry(case.tenure, until)
        if case.rollback.cancel_requested:
            return verifying.cancel(case)
        match left:
            case Left.ENDED:
                return verifying.conclude(case, kinds)
            case Left.HANDED_OVER:
                case.hand_over()
            case Left.STOPPED:
                again = case.now() + case.policy.gates.judge_every
                case.wait("rollback.held", switches.stop(), again)
        return False

    def _kinds(self, policy: Policy) -> dict[str, Kind]:
        platform = self._ports.platform(policy.system)
        return {SHIFT: Shift(platform), JUDGE: Judge(platform, self._ports.prober)}
