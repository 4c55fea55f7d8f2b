"""What goes wrong with the way back itself: `FAULTS=quota`, `images-gone` or `one-broken`."""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from local.demo.staging.processes import DemoStage
from shared.domain.deployments.deployment import Deployment
from shared.domain.policy.system_policy import Policy

LOST_IMAGE_COUNT = 3
"""So many functions lose the image of their stable revision."""
BROKEN_BUILD = "Build failed: npm error code E404"


class RollbackFault(StrEnum):
    """One way in which going back is hard."""

    NONE = ""
    QUOTA = "quota"
    """Cloud Run refuses writes in the middle, and says when to come back."""
    IMAGES_GONE = "images-gone"
    """Some functions have no image to go back to: they are built again."""
    ONE_BROKEN = "one-broken"
    """One function has none either, and no build of it succeeds."""


class FaultTargets(Struct, frozen=True):
    """What the fault takes away; the laws expect no more and no less."""

    rebuilt: frozenset[str] = frozenset()
    """Functions that come back by a build of our copy of their source."""
    broken: frozenset[str] = frozenset()
    """Functions that cannot come back at all."""

    @property
    def images(self) -> list[str]:
        """The functions whose stable revision starts no more, in order."""
        return sorted(self.rebuilt | self.broken)

    @property
    def told(self) -> Iterator[str]:
        """What is wrong, in words."""
        if self.images:
            yield f"the images of the stable revisions are deleted: {', '.join(self.images)}"
        if self.broken:
            yield f"every build fails of {', '.join(sorted(self.broken))}"


def select_fault_targets(fault: RollbackFault, policy: Policy) -> FaultTargets:
    """Whom the fault meets: none that goes back first in its group, and so speaks for it."""
    first = {group.canary or min(group.functions) for group in policy.groups.values()}
    others = sorted(set(policy.functions) - first)
    match fault:
        case RollbackFault.IMAGES_GONE:
            return FaultTargets(rebuilt=frozenset(others[:LOST_IMAGE_COUNT]))
        case RollbackFault.ONE_BROKEN:
            return FaultTargets(broken=frozenset(others[:1]))
    return FaultTargets()


def inject_fault(stage: DemoStage, missing: FaultTargets, stable: Deployment) -> None:
    """The stable revisions start no more, and no build succeeds of what is broken."""
    for function in missing.images:
        for revision in stable.functions[function].revisions:
            stage.degrade(function, revision)
    if missing.broken:
        location = f"projects/{stage.policy.project}/locations/{stage.policy.region}"
        stage.install_fault_plan(
            {
                "operations": [
                    {"service": f"{location}/functions/{function}", "failure": BROKEN_BUILD}
                    for function in sorted(missing.broken)
                ]
            }
        )
