"""The products that a rollback restores beside the functions, each with what plans it."""

from collections.abc import Callable
from datetime import timedelta

from responders.scenarios.products import hosting, identity, indexes, remote_config, rules
from responders.scenarios.resource_plan import Portion, ResourceState
from shared.core.codec import FrozenStruct
from shared.domain.deployments.inventory.products import InventoryPart


class Planner(FrozenStruct):
    """What plans one product."""

    portion: Callable[[ResourceState, timedelta], Portion]
    """Returns its part of a plan; each step has so long."""
    as_if_changed: Callable[[ResourceState], ResourceState] = lambda sight: sight
    """Returns the sight in which it differs, for a drill to validate its steps."""


PLANNERS: dict[InventoryPart, Planner] = {
    InventoryPart.SITES: Planner(hosting.plan_hosting, hosting.as_if_changed),
    InventoryPart.REMOTE_CONFIG: Planner(remote_config.plan_remote_config, remote_config.as_if_changed),
    InventoryPart.RULES: Planner(rules.plan_rules),
    InventoryPart.IDENTITY: Planner(identity.plan_auth_config),
    InventoryPart.INDEXES: Planner(indexes.plan_indexes),
}


def portion_of(part: InventoryPart, sight: ResourceState, within: timedelta) -> Portion:
    """Return a product's part of a plan, or why there is none. Raises: KeyError (unknown part)."""
    if getattr(sight.recorded, part) is None:
        return Portion(reported=(f"{part} was not recorded at that time: not changed",))
    if getattr(sight.live, part) is None:
        return Portion(reported=(f"{part} cannot be read now: not changed",))
    return PLANNERS[part].portion(sight, within)
