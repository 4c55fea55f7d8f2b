"""Composite indexes: those that were dropped."""

from datetime import timedelta

from responders.scenarios.resource_plan import Portion, ResourceState, resource_step
from shared.domain.deployments.inventory.inventory_parts import Index, is_creatable, json_fingerprint
from shared.engine.steps.resources.create_index import ABSENT_INDEX, KIND

MAX_BUILD_DURATION = timedelta(hours=1)
"""How long an index may take: it depends on how many documents there are, and nobody says how."""


def plan_indexes(sight: ResourceState, within: timedelta) -> Portion:
    """One step for each index that is gone; one that was added hurts nobody and is left."""
    then, now = sight.recorded.indexes or {}, sight.live.indexes or {}
    dropped = [then[name] for name in sorted(then.keys() - now.keys())]
    return Portion(
        steps=tuple(
            resource_step(_step_name(one), KIND, one.database, one, MAX_BUILD_DURATION, seen=ABSENT_INDEX)
            for one in dropped
            if is_creatable(one)
        ),
        reported=(
            *(
                f"index {one.definition}: a rollback cannot create this kind: create it manually"
                for one in dropped
                if not is_creatable(one)
            ),
            *(f"index {name} was added later: not changed" for name in sorted(now.keys() - then.keys())),
        ),
    )


def _step_name(index: Index) -> str:
    return f"create index {index.group} {json_fingerprint(index.definition)[:8]}"
