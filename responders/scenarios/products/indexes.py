"""Composite indexes: those that were dropped."""

from datetime import timedelta

from responders.scenarios.resource_plan import Portion, ResourceState
from shared.domain.deployments.inventory.inventory_parts import is_creatable, json_fingerprint
from shared.domain.rollback.plan import build_step
from shared.engine.steps.resources.create_index import ABSENT_INDEX, KIND

MAX_BUILD_DURATION = timedelta(hours=1)
"""How long an index may take: it depends on how many documents there are, and nobody says how."""


def plan_indexes(sight: ResourceState, within: timedelta) -> Portion:
    """One step for each index that is gone; one that was added hurts nobody and is left."""
    then, now = sight.recorded.indexes or {}, sight.live.indexes or {}
    dropped = [then[name] for name in sorted(then.keys() - now.keys())]
    steps = []
    for one in filter(is_creatable, dropped):
        name = f"create index {one.group} {json_fingerprint(one.definition)[:8]}"
        steps.append(build_step(name, KIND, one.database, one, MAX_BUILD_DURATION, seen=ABSENT_INDEX))
    return Portion(
        steps=tuple(steps),
        reported=(
            *(
                f"index {one.definition}: a rollback cannot create this kind: create it manually"
                for one in dropped
                if not is_creatable(one)
            ),
            *(f"index {name} was added later: not changed" for name in sorted(now.keys() - then.keys())),
        ),
    )
