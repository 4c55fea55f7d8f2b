"""A deployment of which one image lies in a repository that is cleaned up."""

from shared.domain.deployments.deployment import Deployment
from shared.domain.deployments.images import Cleanup, CleanupCondition, CleanupPolicy, StoredImage
from tests.support.rollbacks.deployments import read_deployments
from tests.support.rollbacks.rebuild_shop import ORDER, PLACE
from tests.support.runtime.world import World

IMAGE = f"{PLACE}/order@sha256:1"


def record_with_image(world: World, days: int, *, newest: bool = False) -> Deployment:
    """The deployment `v2`, of which one image is deleted after so many days."""
    beside = world.ports.beside
    condition = CleanupCondition(older_than=f"{days * 86400}s")
    beside.pushed[PLACE] = {IMAGE: StoredImage(IMAGE, world.ports.clock.now())}
    beside.cleaned[PLACE] = Cleanup({"firebase-functions-cleanup": CleanupPolicy("DELETE", condition)})
    world.ports.world.move_image(ORDER, IMAGE, newest=newest)
    world.announce("v2", stable=True)
    world.settle()
    return read_deployments(world)["v2"]
