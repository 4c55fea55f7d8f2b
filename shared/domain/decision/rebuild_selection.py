"""Select the functions that are built again: their stable revision cannot serve any more."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from msgspec.structs import replace

from shared.domain.decision.facts import ChangeSet, DecisionFacts, compare_traffic
from shared.domain.deployments.build_recipe import Recipe, derive_recipe, is_running_as_recorded
from shared.domain.deployments.deployment import Deployment, DeploymentStatus, Inventory
from shared.domain.deployments.inventory.inventory_parts import FunctionState, Generation, WholeInventory
from shared.domain.deployments.inventory.traffic import Revision
from shared.domain.policy.system_policy import Policy


def change_since_stable(facts: DecisionFacts, policy: Policy) -> ChangeSet:
    """Return the difference from the newest STABLE deployment; none without an inventory."""
    stable = next((one for one in facts.deployments if one.status is DeploymentStatus.STABLE), None)
    if stable is None or facts.inventory is None:
        return ChangeSet(stable, {})
    return detailed_change(stable, facts.inventory, facts, policy)


def detailed_change(
    target: Deployment, inventory: Inventory, facts: DecisionFacts, policy: Policy
) -> ChangeSet:
    """What differs from `target`, with what is known of its functions beyond their traffic."""
    record = facts.records.get(target.id)
    change = compare_traffic(target, inventory, facts.deployments, policy)
    if record is None or record.functions is None:
        return change
    return add_rebuilds(change, inventory, record.functions, facts.seen)


def add_rebuilds(
    change: ChangeSet,
    inventory: Inventory,
    recorded: Mapping[str, FunctionState],
    seen: WholeInventory | None,
) -> ChangeSet:
    """Add what only a rebuild restores; deleted functions stay out of `functions`."""
    if change.target is None:
        return change
    recipes = {name: made for name, one in recorded.items() if (made := derive_recipe(one)) is not None}
    older = dict(_first_generation_changes(change, recipes, seen))
    lost = set(unrestorable_functions(change, inventory)) | set(older)
    known = set((seen.functions or {}) if seen is not None else {})
    return replace(
        change,
        functions={**change.functions, **older},
        deleted=tuple(name for name in change.deleted if name not in older),
        recipes=recipes,
        rebuilt=frozenset(((lost & known) | set(change.deleted) - known) & set(recipes)),
    )


def _first_generation_changes(
    change: ChangeSet, recipes: Mapping[str, Recipe], seen: WholeInventory | None
) -> Iterator[tuple[str, datetime]]:
    """The functions without a service that run something else than they did, and since when."""
    live = (seen.functions or {}) if seen is not None else {}
    for name, made in recipes.items():
        now = live.get(name)
        older = now is not None and now.generation is Generation.FIRST
        if now is None or not older or is_running_as_recorded(now, made) or change.target is None:
            continue
        changed_by = [one.at for one in change.skipped if name in one.changed_functions]
        yield name, min(changed_by, default=change.target.at)


def unrestorable_functions(change: ChangeSet, inventory: Inventory) -> dict[str, str]:
    """The changed functions that have a revision to go back to which would not serve, and why."""
    if change.target is None:
        return {}
    return {
        function: why
        for function in change.functions.keys() & inventory.keys() & change.target.functions.keys()
        for name in change.target.functions[function].revisions
        if (why := _unusable_reason(name, inventory[function].revision(name)))
    }


def _unusable_reason(name: str, revision: Revision | None) -> str:
    """Why a revision of that name would not serve; empty: it would."""
    if revision is None:
        return f"revision {name} is gone"
    if revision.lost_image:
        return f"the image of revision {name} is gone"
    return "" if revision.ready else f"revision {name} is not ready"
