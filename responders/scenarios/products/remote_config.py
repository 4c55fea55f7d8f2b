"""Remote Config: the template that was published."""

from __future__ import annotations

from datetime import timedelta

from responders.scenarios.products import Portion, unseen
from shared.core.codec import encode
from shared.domain.deployments.inventory.diff import InventoryPart
from shared.domain.deployments.inventory.state import RemoteConfigTemplate, WholeInventory
from shared.domain.rollback.plan import Step
from shared.engine.steps.resources.publish_remote_config import (
    KIND,
    RemoteConfigGoal,
    RemoteConfigOrigin,
    packed,
)

CACHED = "clients ask again when their own cache is over, by default after 12 hours"
"""https://firebase.google.com/docs/reference/js/remote-config.remoteconfigsettings
(read 2026-11)."""


def portion(recorded: WholeInventory, live: WholeInventory, within: timedelta) -> Portion:
    """One publication for each namespace that says something else, from our copy."""
    unknown = unseen(InventoryPart.REMOTE_CONFIG, recorded, live)
    if unknown:
        return unknown
    then, now = recorded.remote_config or {}, live.remote_config or {}
    differing = [name for name in sorted(then) if name in now and now[name].hash != then[name].hash]
    return Portion(
        steps=tuple(
            _step(name, then[name], now[name], within) for name in differing if then[name].content
        ),
        reported=tuple(_told(name, then[name]) for name in differing),
    )


def _step(
    name: str, then: RemoteConfigTemplate, now: RemoteConfigTemplate, within: timedelta
) -> Step:
    return Step(
        name=f"publish {name} template",
        kind=KIND,
        target=name,
        goal=encode(RemoteConfigGoal(then.hash, packed(then.content))),
        origin=encode(RemoteConfigOrigin(now.hash)),
        writes=1,
        within_seconds=within.total_seconds(),
        seen=now.etag,
    )


def _told(name: str, then: RemoteConfigTemplate) -> str:
    if then.content:
        return f"template {name}: {CACHED}"
    return (
        f"template {name}: version {then.version} is larger than what is kept: left as it is;"
        " the console of Remote Config keeps 300 versions to go back to"
    )
