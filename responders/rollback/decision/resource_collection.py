"""What lies beside the functions, looked at before a plan is made over it."""

from collections.abc import Collection
from functools import partial

from msgspec.structs import replace

from responders.scenarios.products import hosting
from responders.scenarios.resource_plan import ResourceState
from responders.support.inventory_reader import read_inventory
from responders.support.parallel_calls import (
    CALL_TIMEOUT_SECONDS,
    MAX_TOTAL_SECONDS,
    ExtendLease,
    call_all,
    call_one,
    skip_lease,
)
from shared.core.errors import RollbackError
from shared.core.store import Document
from shared.domain.decision.scenario_scope import SCENARIO_SCOPES
from shared.domain.deployments.deployment import record_path
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.deployments.inventory.products import PRODUCTS, InventoryPart
from shared.domain.policy.resources import Resources
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports


def collect_resource_state(
    ports: Ports, policy: Policy, scenario: ScenarioName, target: str, hold: ExtendLease = skip_lease
) -> ResourceState | None:
    """Read what was recorded of the target, and what is live. Raises: Unavailable; as `hold`."""
    reach = SCENARIO_SCOPES[scenario].other_parts
    if not target or not reach:
        return None
    hold(CALL_TIMEOUT_SECONDS)
    record: Document = call_one(ports, partial(ports.store.get, record_path(policy.system, target)))
    fields = record.fields
    recorded = stocks.unpack_inventory(fields["live"]) if fields is not None else WholeInventory()
    hold(MAX_TOTAL_SECONDS)
    live = read_inventory(ports, replace(policy, resources=_select_parts(policy.resources, reach)))
    versions = hosting.versions_to_check(recorded, live)
    hold(CALL_TIMEOUT_SECONDS)
    read = ports.system(policy.system).resources.hosting.version
    answers = call_all(ports, {"/".join(one): partial(read, *one) for one in versions})
    statuses = {one: answers["/".join(one)] for one in versions}
    known = {one: status for one, status in statuses.items() if not isinstance(status, RollbackError)}
    return ResourceState(recorded, live, known)


def _select_parts(resources: Resources, parts: Collection[InventoryPart]) -> Resources:
    """Of what is protected, what these parts are about: nothing else need be looked at."""
    keys = {key for part in parts for key in PRODUCTS[part].keys}
    return Resources(**{key: getattr(resources, key) for key in keys})
