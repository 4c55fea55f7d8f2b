"""What is recorded of deployments in the embedded cloud."""

from shared.core import topics
from shared.domain.deployments.deployment import Deployment, DeploymentStatus, record_path
from shared.domain.deployments.inventory.inventory_parts import FunctionState
from shared.domain.deployments.inventory.inventory_record import unpack_inventory
from tests.e2e.support.cli import value
from tests.e2e.support.world import World


def publish_change(world: World) -> None:
    """Publish the entry of the audit log that one function was changed."""
    entry = {
        "timestamp": world.cloud.clock.now().isoformat(),
        "protoPayload": {
            "serviceName": "run.googleapis.com",
            "methodName": "google.cloud.run.v2.Services.UpdateService",
            "resourceName": f"projects/{world.policy.project}/locations/l/services/getbook",
        },
    }
    world.publish(topics.DEPLOYMENTS, entry)


def newest(world: World, status: DeploymentStatus) -> Deployment | None:
    """The newest deployment, once it has that status."""
    found = value("deployments")
    if not found or found[0]["id"] == "v1" or found[0]["status"] != status:
        return None
    return world.evidence.deployment(found[0]["id"])


def kept_functions(world: World, deployment: str) -> dict[str, FunctionState] | None:
    """The functions of a deployment's record, once all that is needed of them is kept."""
    found = world.evidence.deployment(deployment)
    if found is None or found.restorable is None or found.restorable.rebuild:
        return None
    fields = world.wiring.store.get(record_path(found.system, found.id)).fields
    assert fields is not None
    return unpack_inventory(fields["live"]).functions
