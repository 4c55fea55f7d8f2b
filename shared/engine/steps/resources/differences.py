"""What a step beside the functions has to do with a difference of the inventory; pure."""

from __future__ import annotations

from collections.abc import Iterable

from shared.core.codec import decode
from shared.domain.deployments.inventory.diff import Difference, InventoryPart
from shared.domain.deployments.inventory.state import Index, WholeInventory
from shared.domain.rollback.plan import Step
from shared.engine.steps.resources import (
    create_index,
    publish_remote_config,
    release_hosting,
    release_rules,
)
from shared.engine.steps.resources import set_auth_config as identity

PARTS: dict[str, InventoryPart] = {
    release_hosting.KIND: InventoryPart.SITES,
    publish_remote_config.KIND: InventoryPart.REMOTE_CONFIG,
    release_rules.KIND: InventoryPart.RULES,
    identity.KIND: InventoryPart.IDENTITY,
    create_index.KIND: InventoryPart.INDEXES,
}
"""By the kind of a step, the part of an inventory that it changes."""


def all_of(functions: int, beside: Iterable[str]) -> str:
    """So many functions, and the name of each step of something else."""
    others = list(beside)
    return ", ".join([*([f"{functions} functions"] if functions or not others else []), *others])


def touches(step: Step, difference: Difference) -> bool:
    """Whether the step changes the thing that differs."""
    if PARTS.get(step.kind) is not difference.part:
        return False
    match difference.part:
        case InventoryPart.IDENTITY:
            paths = [one.path for one in decode(identity.AuthConfigGoal, step.goal).settings]
            return any(f"{difference.name}.".startswith(f"{path}.") for path in paths)
        case InventoryPart.INDEXES:
            return decode(Index, step.goal).definition == difference.name
    return step.target == difference.name


def is_ours(
    difference: Difference, before: WholeInventory, live: WholeInventory, steps: Iterable[Step]
) -> bool:
    """Whether all that differs is where one of these steps was to lead."""
    mine = [step for step in steps if touches(step, difference)]
    if difference.part is InventoryPart.SITES:
        return bool(mine) and _released(difference.name, before, live, mine)
    return any(_is_there(step, difference, live) for step in mine)


def _released(
    site: str, before: WholeInventory, live: WholeInventory, steps: Iterable[Step]
) -> bool:
    was, now = (
        found.served if (found := (one.sites or {}).get(site)) else {} for one in (before, live)
    )
    changed = {channel: now.get(channel) for channel in was | now}
    changed = {name: serves for name, serves in changed.items() if serves != was.get(name)}
    goals = [decode(release_hosting.HostingGoal, step.goal) for step in steps]
    return changed.items() <= {goal.channel: goal.version for goal in goals}.items()


def _is_there(step: Step, difference: Difference, live: WholeInventory) -> bool:
    name = difference.name
    match difference.part:
        case InventoryPart.REMOTE_CONFIG:
            template = (live.remote_config or {}).get(name)
            goal = decode(publish_remote_config.RemoteConfigGoal, step.goal)
            return template is not None and template.hash == goal.hash
        case InventoryPart.RULES:
            rules, release = (
                decode(release_rules.RulesGoal, step.goal),
                (live.rules or {}).get(name),
            )
            if release is None:
                return False
            same = bool(rules.source) and release.source == rules.source
            return same or release.ruleset == rules.ruleset
        case InventoryPart.IDENTITY:
            found = identity.fields(live.identity or {})
            settings = decode(identity.AuthConfigGoal, step.goal).settings
            return all(
                found.get(one.path) == one.goal
                for one in settings
                if f"{name}.".startswith(f"{one.path}.")
            )
        case InventoryPart.INDEXES:
            return name in (live.indexes or {})
    return False
