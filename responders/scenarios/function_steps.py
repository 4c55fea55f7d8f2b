"""The steps by which one function comes back: by traffic, by a rebuild, or by either; pure."""

from msgspec.structs import replace

from shared.core.codec import encode
from shared.domain.decision.facts import ChangeSet
from shared.domain.deployments import build_recipe
from shared.domain.deployments.deployment import Inventory
from shared.domain.deployments.inventory.inventory_parts import Generation, WholeInventory
from shared.domain.deployments.inventory.traffic import Service, Traffic, apply_shares
from shared.domain.deployments.source_copies import rebuild_obstacle
from shared.domain.policy.execution_limits import Execution
from shared.domain.rollback.plan import Step, build_step
from shared.engine.steps.functions import redeploy, serve_revision, shift_traffic


class FunctionStepBuilder:
    """Chooses by what is live, what was recorded, and what a rebuild may do."""

    def __init__(
        self,
        inventory: Inventory,
        change: ChangeSet,
        execution: Execution,
        seen: WholeInventory | None,
        *,
        may_rebuild: bool,
    ) -> None:
        if change.target is None:
            raise ValueError("there is no way back without a deployment to go back to")
        self._inventory = inventory
        self._target = change.target
        self._change = change
        self._execution = execution
        self._seen = seen.function_states if seen is not None else {}
        self._may_rebuild = may_rebuild

    def service_name(self, function: str) -> str:
        """Full name of its Cloud Run service, or of the one that it had; empty: it has none."""
        if function in self._inventory:
            return self._inventory[function].service.name
        placed = self._target.functions.get(function)
        return placed.service if placed is not None else ""

    def newest_revision(self, function: str) -> str:
        """Short name of the newest revision that was found; empty: there is none."""
        live = self._inventory.get(function)
        return live.service.latest_created if live is not None else ""

    def build_steps(self, function: str, after: tuple[str, ...], *, canary: bool = False) -> tuple[Step, ...]:
        """Its steps, in order: a rebuild and then its traffic, or a shift and what stands in."""
        if function in self._change.rebuilt:
            return self._build_rebuild(function, after)
        service = self._inventory[function].service
        traffic = apply_shares(service.traffic, self._target.functions[function].revisions)
        goal = shift_traffic.TrafficGoal(service.name, traffic, rehearsed=canary)
        direct = build_shift(function, service, goal, self._execution)
        direct = replace(direct, after=after, despite_stopped=True, despite_failed=True)
        if not (self._may_rebuild and function in self._change.recipes and function in self._seen):
            return (direct,)
        instead = self._build_rebuild(function, (), traffic)
        return (direct, *(replace(step, instead_of=direct.name) for step in instead))

    def _build_rebuild(self, function: str, after: tuple[str, ...], asked: Traffic = ()) -> tuple[Step, ...]:
        """A rebuild, and its traffic where it has any; `asked` is what its shift asked for."""
        recipe = self._change.recipes[function]
        found = self._seen.get(function)
        here = build_recipe.deployment_marker(found)
        kept = (
            redeploy.ReplacedDeployment(build_recipe.derive_recipe(found), rebuild_obstacle(found))
            if found
            else redeploy.ReplacedDeployment()
        )
        origin = redeploy.RedeployOrigin(here, self.newest_revision(function))
        again = build_redeploy(redeploy.RedeployGoal(function, recipe), origin, self._execution, after)
        again = replace(again, kept=encode(kept), despite_stopped=True)
        if recipe.generation is Generation.FIRST:
            return (again,)
        live = self._inventory.get(function)
        traffic = live.service.traffic if live is not None else ()
        goal = serve_revision.ServeRevisionGoal(function, self.service_name(function), recipe.source)
        found_traffic = serve_revision.ServeRevisionOrigin(traffic, asked)
        return (again, build_serve(goal, found_traffic, self._execution, (again.name,)))


def build_shift(
    function: str, service: Service, goal: shift_traffic.TrafficGoal, execution: Execution
) -> Step:
    """Return the step that moves a function's traffic, from what its service has now."""
    origin = shift_traffic.TrafficOrigin(service.traffic, service.latest_created, service.scaling)
    name, within, writes = f"shift {function}", execution.step_within, 2 if goal.rehearsed else 1
    return build_step(
        name, shift_traffic.KIND, function, goal, within, origin=origin, writes=writes, seen=service.etag
    )


def build_redeploy(
    goal: redeploy.RedeployGoal, origin: redeploy.RedeployOrigin, execution: Execution, after: tuple[str, ...]
) -> Step:
    """Return the step that builds a function again, behind the steps `after`."""
    name, kind, within = f"redeploy {goal.function}", redeploy.KIND, execution.rebuild_within
    step = build_step(name, kind, goal.function, goal, within, origin=origin)
    writes, mark = redeploy.WRITES_PER_REDEPLOY, origin.mark
    return replace(step, after=after, despite_failed=True, writes=writes, seen=mark)


def build_serve(
    goal: serve_revision.ServeRevisionGoal,
    origin: serve_revision.ServeRevisionOrigin,
    execution: Execution,
    after: tuple[str, ...],
) -> Step:
    """Return the step that leads traffic to what was built again, behind the steps `after`."""
    name, kind, within = f"serve {goal.function}", serve_revision.KIND, execution.step_within
    return build_step(name, kind, goal.function, goal, within, origin=origin, after=after)
