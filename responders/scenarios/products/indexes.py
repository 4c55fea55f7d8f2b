"""Composite indexes: those that were dropped."""

from __future__ import annotations

from datetime import timedelta

from responders.scenarios.portion import Portion
from responders.scenarios.resource_plan import ResourceState
from shared.core.codec import encode
from shared.domain.deployments.inventory.inventory_parts import Index, is_creatable, json_fingerprint
from shared.domain.rollback.plan import Step
from shared.engine.steps.resources.create_index import ABSENT_INDEX, KIND

MAX_BUILD_DURATION = timedelta(hours=1)
"""How long an index may take: it depends on how many documents there are, and nobody says how."""


def plan_indexes(sight: ResourceState, within: timedelta) -> Portion:
    """One step for each index that is gone; one that was added hurts nobody and is left."""
    then, now = sight.recorded.indexes or {}, sight.live.indexes or {}
    dropped = [then[name] for name in sorted(then.keys() - now.keys())]
    return Portion(
        steps=tuple(_step(one) for one in dropped if is_creatable(one)),
        reported=(
            *(
                f"index {one.definition}: of a kind that is not made again: do it by hand"
                for one in dropped
                if not is_creatable(one)
            ),
            *(f"index {name} was added since: left as it is" for name in sorted(now.keys() - then.keys())),
        ),
    )


def _step(index: Index) -> Step:
    return Step(
        name=f"create index {index.group} {json_fingerprint(index.definition)[:8]}",
        kind=KIND,
        target=index.database,
        goal=encode(index),
        writes=1,
        within_seconds=MAX_BUILD_DURATION.total_seconds(),
        seen=ABSENT_INDEX,
    )
