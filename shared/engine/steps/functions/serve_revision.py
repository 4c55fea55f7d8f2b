"""Traffic to the revision that a redeployment has made, or as it was before one."""

from collections.abc import Mapping

from shared.core.codec import FrozenStruct, decode
from shared.core.errors import Rejected
from shared.domain.deployments.inventory.inventory_parts import SourceObject
from shared.domain.deployments.inventory.traffic import (
    Scaling,
    Service,
    Traffic,
    apply_shares,
    describe_served_revisions,
    is_same_traffic_list,
    traffic_shares,
)
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import FunctionStep, StepContext, StepObservation, StepVerdict

KIND = "serve"


class ServeRevisionGoal(FrozenStruct):
    """The newest deployment of the function takes every request, or those of a list."""

    function: str
    service: str
    """Full name of its Cloud Run service."""
    source: SourceObject | None = None
    """What that deployment must be of; None: of anything."""
    traffic: Traffic = ()
    """The exact list that is wanted, with LATEST; empty: that deployment takes every request."""
    scaling: Scaling | None = None
    """What the service's instances are to be from then on; None: they are left as they are."""


class ServeRevisionOrigin(FrozenStruct):
    """The traffic lists from which nobody has moved it since the plan was made."""

    found: Traffic
    """Verbatim; empty: there was no service."""
    asked: Traffic = ()
    """What the shift asked for that it stands in for; empty: it does for none."""


class ServeRevisionStep(FunctionStep):
    """Moves pinned traffic to a redeployed revision, under the service's etag."""

    expected_seconds = 8.0

    def __init__(self, context: StepContext) -> None:
        super().__init__(context)
        self._lists: dict[str, Traffic] = {}
        """What each step that is about to be sent asks for."""

    def look(self, step: Step) -> StepObservation:
        """Compare asked-for and routed traffic with the revision of the newest deployment."""
        goal, origin = (decode(ServeRevisionGoal, step.goal), decode(ServeRevisionOrigin, step.origin))
        found = self._builder.find_function(goal.function)
        revision = found.revision if found is not None else ""
        try:
            service = self._platform.service(goal.service)
        except Rejected as gone:
            return StepObservation(StepVerdict.IMPOSSIBLE, note=str(gone))
        if goal.source is not None and (found is None or found.state.source != goal.source):
            return StepObservation(StepVerdict.ELSEWHERE, note="somebody has deployed it since")
        wanted = traffic_shares(goal.traffic, revision) or {revision: 100}
        if _is_requested(service, goal, wanted):
            if traffic_shares(service.serving, service.latest_ready) == wanted and not service.reconciling:
                return StepObservation(
                    StepVerdict.AT_GOAL, note=f"served by {describe_served_revisions(wanted)}"
                )
            if service.reconciling or service.ready:
                return StepObservation(StepVerdict.UNDER_WAY)
            return StepObservation(StepVerdict.AT_ORIGIN, service.etag, "not ready")
        if service.latest_created != revision or service.traffic not in (origin.found, origin.asked):
            lists = ", ".join(f"{one.percent} % {one.revision or 'LATEST'}" for one in service.traffic)
            note = f"found {lists}; newest revision {service.latest_created}"
            return StepObservation(StepVerdict.ELSEWHERE, note=note)
        if service.reconciling:
            return StepObservation(StepVerdict.UNDER_WAY)
        return StepObservation(StepVerdict.AT_ORIGIN, service.etag)

    def rehearse(self, step: Step) -> None:
        """Work out the list to ask for: once the lease is looked at, nothing is read any more."""
        goal = decode(ServeRevisionGoal, step.goal)
        traffic = goal.traffic
        if not traffic:
            found = self._builder.find_function(goal.function)
            revision = found.revision if found is not None else ""
            traffic = apply_shares(self._platform.service(goal.service).traffic, {revision: 100})
        self._lists[step.name] = traffic

    def set(self, step: Step) -> str:
        """Ask for the list of its rehearsal, at the etag that the intent names."""
        goal = decode(ServeRevisionGoal, step.goal)
        return self._platform.shift(goal.service, self._lists.pop(step.name), step.seen, scaling=goal.scaling)


def _is_requested(service: Service, goal: ServeRevisionGoal, wanted: Mapping[str, int]) -> bool:
    if goal.traffic:
        return is_same_traffic_list(service.traffic, goal.traffic)
    return traffic_shares(service.traffic, service.latest_ready) == wanted
