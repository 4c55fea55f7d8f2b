"""A version that a Hosting site served before, on one channel, served again."""

from collections.abc import Iterable

from shared.core.codec import FrozenStruct, decode
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.deployments.restorability import FINALIZED
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import ResourceStep, StepObservation, StepVerdict

KIND = "release_hosting"


class HostingGoal(FrozenStruct):
    """What a channel is to serve."""

    site: str
    channel: str
    version: str
    """Short name."""


class HostingOrigin(FrozenStruct):
    """What the plan found on the channel."""

    version: str


class ReleaseHostingStep(ResourceStep):
    """No precondition protects it: it lands within its time-out, or never."""

    part = InventoryPart.SITES
    expected_seconds = 1.0
    unconditional_timeout_seconds: float | None = 10.0
    """`shared.adapters.gcp.rest.EFFECT_TIMEOUT_SECONDS`: one call."""

    def look(self, step: Step) -> StepObservation:
        """Compare what is live with goal and origin; a version must still be there to go back."""
        goal, origin = decode(HostingGoal, step.goal), decode(HostingOrigin, step.origin)
        site = self._estate.hosting.site(goal.site)
        if site is None:
            return StepObservation(StepVerdict.IMPOSSIBLE, note=f"there is no site {goal.site}")
        serves = site.served_versions.get(goal.channel)
        if serves is None:
            return StepObservation(StepVerdict.IMPOSSIBLE, note=f"{goal.site} has no channel {goal.channel}")
        if serves == goal.version:
            return StepObservation(StepVerdict.AT_GOAL)
        if serves != origin.version:
            return StepObservation(StepVerdict.ELSEWHERE, note=f"found {serves or 'nothing'} released")
        status = self._estate.hosting.version(goal.site, goal.version)
        if status != FINALIZED:
            return StepObservation(StepVerdict.IMPOSSIBLE, note=f"{goal.version} is {status or 'gone'}")
        return StepObservation(StepVerdict.AT_ORIGIN, serves)

    def set(self, step: Step) -> str:
        """Release the goal's version, whatever is live by then."""
        goal = decode(HostingGoal, step.goal)
        self._estate.hosting.release(goal.site, goal.channel, goal.version, "rolled back")
        return ""

    @classmethod
    def explains(cls, name: str, before: WholeInventory, live: WholeInventory, steps: Iterable[Step]) -> bool:
        """Return whether each channel that differs serves the version of one of these steps."""
        was, now = (
            found.served_versions if (found := (one.sites or {}).get(name)) else {} for one in (before, live)
        )
        changed = {channel: now.get(channel) for channel in was | now}
        changed = {one: serves for one, serves in changed.items() if serves != was.get(one)}
        goals = [decode(HostingGoal, step.goal) for step in steps]
        return changed.items() <= {goal.channel: goal.version for goal in goals}.items()
