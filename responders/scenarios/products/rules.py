"""Firebase Rules: the rulesets that were in force."""

from collections.abc import Iterator
from datetime import timedelta

from responders.scenarios.resource_plan import Portion, ResourceState
from shared.domain.deployments.inventory import rules_diff
from shared.domain.deployments.inventory.inventory_parts import RulesRelease, WholeInventory
from shared.domain.rollback.plan import Step, build_step
from shared.engine.steps.resources.release_rules import KIND, RulesGoal, RulesOrigin


def plan_rules(sight: ResourceState, within: timedelta) -> Portion:
    """One step for each release that leads elsewhere, with what that changes for whom."""
    recorded, live = sight.recorded, sight.live
    changed = list(_changed_releases(recorded, live))
    before, now = recorded.rules or {}, live.rules or {}
    return Portion(
        steps=tuple(_step(*one, within) for one in changed),
        reported=(
            *(line for one in changed for line in _format_release_change(*one)),
            *(
                f"rules {name} were first released later: not changed"
                for name in sorted(now.keys() - before.keys())
            ),
        ),
    )


def _changed_releases(
    recorded: WholeInventory, live: WholeInventory
) -> Iterator[tuple[str, RulesRelease, RulesRelease | None]]:
    """Return the releases, by name, that are gone or whose rules have another text."""
    for name, then in sorted((recorded.rules or {}).items()):
        now = (live.rules or {}).get(name)
        if now is not None and now.ruleset == then.ruleset:
            continue
        if now is None or not then.source or now.source != then.source:
            yield name, then, now


def _step(name: str, then: RulesRelease, now: RulesRelease | None, within: timedelta) -> Step:
    found = now.ruleset if now else ""
    goal, origin = RulesGoal(name, then.ruleset, then.source), RulesOrigin(found)
    step_name = f"release rules {name}".replace("/", " ")
    return build_step(step_name, KIND, name, goal, within, seen=found, origin=origin)


def _format_release_change(name: str, then: RulesRelease, now: RulesRelease | None) -> Iterator[str]:
    if not then.source or (now is not None and not now.source):
        yield f"rules {name}: the difference cannot be shown: no copy of one side is stored"
        return
    source = now.source if now else ()
    for line in rules_diff.difference(source, then.source):
        yield f"rules {name}: {line}"
    for path in rules_diff.touched_paths(source, then.source):
        yield f"rules {name}: touches {path}"
