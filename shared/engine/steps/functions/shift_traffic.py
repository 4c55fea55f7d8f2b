"""Traffic of one service back to the revisions that served before."""

from shared.core.codec import FrozenStruct, decode
from shared.core.errors import Rejected
from shared.domain.deployments.inventory.traffic import (
    EXPECTED_SHIFT_SECONDS,
    Scaling,
    Traffic,
    TrafficPosition,
    traffic_position,
)
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import DrillCheck, FunctionStep, StepObservation, StepVerdict
from shared.ports.platform import OperationState

KIND = "shift"


class TrafficGoal(FrozenStruct):
    """The whole traffic list that a service is to have."""

    service: str
    traffic: Traffic
    rehearsed: bool = False
    """Ask with validate_only first: a group's canary does, for all of its group."""
    verbatim: bool = False
    """Nothing but this very list will do: LATEST stays LATEST, and no name takes its place."""
    scaling: Scaling | None = None
    """What the service's instances are to be from then on; None: they are left as they are."""


class TrafficOrigin(FrozenStruct):
    """What the plan found, verbatim."""

    traffic: Traffic
    latest_created: str
    scaling: Scaling = Scaling()


class ShiftTrafficStep(FunctionStep):
    """Conditional on the service's etag; done when the routers follow."""

    drill = DrillCheck.VALIDATE
    expected_seconds = EXPECTED_SHIFT_SECONDS

    def look(self, step: Step) -> StepObservation:
        """Compare asked-for and routed traffic with goal and origin."""
        goal, origin = decode(TrafficGoal, step.goal), decode(TrafficOrigin, step.origin)
        operation = self._read_operation(step)
        if not operation.done:
            return StepObservation(StepVerdict.UNDER_WAY)
        try:
            service = self._platform.service(goal.service)
        except Rejected as gone:
            return StepObservation(StepVerdict.IMPOSSIBLE, note=str(gone))
        found = traffic_position(
            service, goal.traffic, origin.traffic, origin.latest_created, verbatim=goal.verbatim
        )
        if found is TrafficPosition.ELSEWHERE:
            entries = ", ".join(
                f"{one.percent} % {one.revision or 'LATEST'}" + (f" (tag {one.tag})" if one.tag else "")
                for one in service.traffic
            )
            note = f"found {entries}; newest revision {service.latest_created}"
            return StepObservation(StepVerdict.ELSEWHERE, note=note)
        scaled = goal.scaling is not None and service.scaling != origin.scaling
        if found is TrafficPosition.AT_ORIGIN and scaled:
            return StepObservation(StepVerdict.ELSEWHERE, note=f"found other instances: {service.scaling}")
        if found is TrafficPosition.UNDER_WAY and not (service.reconciling or service.ready):
            # The platform failed to do what was asked for: it must be asked again.
            return StepObservation(StepVerdict.AT_ORIGIN, service.etag, operation.error or "not ready")
        return StepObservation(StepVerdict(found.value), service.etag, operation.error)

    def rehearse(self, step: Step) -> None:
        """Ask with validate_only, where the goal wants that."""
        goal = decode(TrafficGoal, step.goal)
        if goal.rehearsed:
            self._platform.shift(goal.service, goal.traffic, step.seen, scaling=goal.scaling, dry_run=True)

    def set(self, step: Step) -> str:
        """Ask for the goal's traffic list, at the etag that the intent names."""
        goal = decode(TrafficGoal, step.goal)
        return self._platform.shift(goal.service, goal.traffic, step.seen, scaling=goal.scaling)

    def _read_operation(self, step: Step) -> OperationState:
        if not step.operation:
            return OperationState(done=True)
        try:
            return self._platform.operation(step.operation)
        except Rejected:  # operations are forgotten in time; the service itself tells the rest
            return OperationState(done=True)
