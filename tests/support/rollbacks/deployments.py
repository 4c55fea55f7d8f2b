"""Worlds in which something is deployed, hinted at and recorded."""

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from shared.core import topics
from shared.core.codec import decode
from shared.domain.deployments.deployment import Deployment
from shared.domain.deployments.inventory.inventory_record import InventoryRecord
from shared.domain.deployments.inventory.inventory_record import decode as decode_stock
from shared.domain.policy.resources import Resources
from shared.domain.system_record import System
from tests.support.runtime.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
SHOP = replace(BOOKSHOP, resources=Resources(hosting_sites=("shop",), secrets=""))


def read_deployments(world: World) -> dict[str, Deployment]:
    """Every deployment, by id."""
    return {
        path.partition(":")[2]: decode(Deployment, fields)
        for path, fields in world.ports.store.documents.items()
        if path.startswith("deployments/") and path.count("/") == 1
    }


def later_deployments(world: World) -> list[Deployment]:
    """Those beside the first one, the oldest first."""
    found = [one for one in read_deployments(world).values() if one.id != "v1"]
    return sorted(found, key=lambda one: one.at)


def read_stock(world: World) -> InventoryRecord:
    return decode_stock(world.ports.store.documents["inventory/bookshop"])


def read_system(world: World) -> System:
    return decode(System, world.ports.store.documents["systems/bookshop"])


def publish_audit_hint(world: World, at: datetime | None = None, **changes: Any) -> None:
    """The audit log tells of a change."""
    moment = at or world.ports.clock.now()
    payload = {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "serviceName": "cloudfunctions.googleapis.com",
        "methodName": "google.cloud.functions.v2.FunctionService.UpdateFunction",
        "resourceName": f"projects/{world.policy.project}/locations/l/functions/getBook",
        "authenticationInfo": {"principalEmail": "ci@example.com"},
        **changes,
    }
    entry = {
        "insertId": "1",
        "logName": f"projects/{world.policy.project}/logs/cloudaudit.googleapis.com%2Factivity",
        "timestamp": moment.isoformat(),
        "protoPayload": payload,
    }
    world.publish(topics.DEPLOYMENTS, entry)


def deploy_release(world: World, *functions: str) -> None:
    world.ports.clock.advance(MINUTE)
    world.ports.world.deploy(functions or None)
