"""Select the target: the last stable deployment before the change that explains the failure."""

from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import takewhile

from msgspec.structs import replace

from shared.core.durations import describe_duration
from shared.domain.decision.facts import ChangeSet, DecisionFacts, live_shares
from shared.domain.decision.rebuild_selection import detailed_change
from shared.domain.deployments.deployment import (
    MARKED_STATUSES,
    Deployment,
    DeploymentStatus,
    Inventory,
    places_differently,
)
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.system_policy import Policy


def change_since_target(facts: DecisionFacts, policy: Policy) -> ChangeSet:
    """What differs from the newest STABLE deployment that does not serve what fails.

    Where each of them serves it, or none is told apart, from the newest. With every reason why it
    might be the wrong one. Without an inventory nothing can be compared, and nothing is changed.
    """
    stable = [one for one in facts.deployments if one.status is DeploymentStatus.STABLE]
    if not stable or facts.inventory is None:
        return ChangeSet(stable[0] if stable else None, {})
    failing = facts.find_failing(policy)
    # The newest, and those before it up to the first that is too old to be a suspect itself.
    young = len([*takewhile(lambda one: _is_young(one, facts, policy), stable)])
    changes = [detailed_change(one, facts.inventory, facts, policy) for one in stable[: young + 1]]
    chosen = next((one for one in changes if failing & suspect_functions(one, facts, policy)), changes[0])
    return replace(chosen, doubts=tuple(_target_doubts(chosen, stable, facts, policy)))


def suspect_functions(change: ChangeSet, facts: DecisionFacts, policy: Policy) -> set[str]:
    """The functions that serve something else since shortly before their trouble began."""
    window = policy.gates.suspect_window
    return {
        function
        for function in change.functions
        if (moved := change.changed_at(function)) is not None
        and moved <= facts.onset_of(function) <= moved + window
    }


def passed_over_deployments(
    change: ChangeSet, inventory: Inventory | None
) -> list[tuple[Deployment, datetime]]:
    """Return what served since the target, or since a STABLE or BAD one, and until when."""
    found: dict[str, datetime] = {}
    for function, since in change.functions.items():
        live, target = (inventory or {}).get(function), change.target
        if live is None or target is None or function not in target.functions:
            continue
        until = since
        for one in change.skipped:
            then = one.functions.get(function)
            if then is None or one.named:
                continue
            if then.revisions != live_shares(live):
                if one.status in MARKED_STATUSES or then.revisions == target.functions[function].revisions:
                    break
                found[one.id] = min(until, found.get(one.id, until))
            until = min(until, one.at)
    return [(one, found[one.id]) for one in change.skipped if one.id in found]


def suspect_resources(
    change: ChangeSet, facts: DecisionFacts, policy: Policy, parts: Collection[InventoryPart]
) -> tuple[list[str], list[str]]:
    """Return these parts' changes shortly before the onset: sure ones, and possible ones."""
    surely: list[str] = []
    perhaps: list[str] = []
    window = policy.gates.suspect_window
    for one in change.skipped:
        changed = [f"{it.part} {it.name}" for it in one.changes if it.part in parts]
        began = one.not_before or one.at
        if one.status is DeploymentStatus.BAD or not began <= facts.onset <= one.at + window:
            continue
        (surely if one.at <= facts.onset else perhaps).extend(changed)
    return surely, perhaps


def _is_young(deployment: Deployment, facts: DecisionFacts, policy: Policy) -> bool:
    """Whether it began so shortly before the trouble that it may be the cause."""
    return deployment.at >= facts.onset - policy.gates.suspect_window


def _target_doubts(
    change: ChangeSet, stable: list[Deployment], facts: DecisionFacts, policy: Policy
) -> Iterator[str]:
    target = change.target
    if target is None:
        return
    failing = facts.find_failing(policy)
    place = stable.index(target)
    for one in stable[:place]:
        yield f"{one.id} is stable too, and serves what fails"
    for one in stable[place + 1 : place + 2] if _is_young(target, facts, policy) else ():
        changed = {name for name in failing if places_differently(one, target, (name,))}
        is_proven = target.baked_at is not None and changed <= suspect_functions(change, facts, policy)
        if changed & change.functions.keys() and not is_proven:
            age = describe_duration(facts.onset - target.at)
            why = "what it deployed fails too" if target.baked_at else "no bake time has proved it"
            yield f"{target.id} may be the cause: it changed what fails {age} before, and {why}"
    for one in stable:
        if one.id != target.id and one.at == target.at and places_differently(one, target, one.functions):
            yield f"{one.id} is stable too, of the same moment, and places functions otherwise"
    for one in change.skipped:
        untested = one.status is DeploymentStatus.LIVE and not _is_young(one, facts, policy)
        if untested and places_differently(one, target, change.functions):
            yield f"{one.id} served between, for long, and nobody called it stable or bad"
