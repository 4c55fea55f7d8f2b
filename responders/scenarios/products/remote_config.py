"""Remote Config: the template that was published."""

import zlib
from datetime import timedelta

from msgspec.structs import replace

from responders.scenarios.resource_plan import Portion, ResourceState
from shared.domain.deployments.inventory.inventory_parts import RemoteConfigTemplate
from shared.domain.rollback.plan import Step, build_step
from shared.engine.steps.resources.publish_remote_config import KIND, RemoteConfigGoal, RemoteConfigOrigin

CLIENT_CACHE_NOTE = "clients fetch it when their cache expires, by default after 12 hours"
"""https://firebase.google.com/docs/reference/js/remote-config.remoteconfigsettings
(read 2026-11)."""


def plan_remote_config(sight: ResourceState, within: timedelta) -> Portion:
    """One publication for each namespace that says something else, from our copy."""
    then, now = sight.recorded.remote_config or {}, sight.live.remote_config or {}
    differing = [name for name in sorted(then) if name in now and now[name].hash != then[name].hash]
    return Portion(
        steps=tuple(_step(name, then[name], now[name], within) for name in differing if then[name].content),
        reported=tuple(_describe_template_change(name, then[name]) for name in differing),
    )


def as_if_changed(sight: ResourceState) -> ResourceState:
    """Return the inventory with each template changed; a published one can be validated, too."""
    templates = sight.live.remote_config or {}
    if not templates:
        return sight
    others = {name: replace(one, hash="") for name, one in templates.items()}
    return replace(sight, live=replace(sight.live, remote_config=others))


def _step(name: str, then: RemoteConfigTemplate, now: RemoteConfigTemplate, within: timedelta) -> Step:
    goal = RemoteConfigGoal(then.hash, zlib.compress(then.content.encode()))
    origin = RemoteConfigOrigin(now.hash)
    return build_step(f"publish {name} template", KIND, name, goal, within, seen=now.etag, origin=origin)


def _describe_template_change(name: str, then: RemoteConfigTemplate) -> str:
    if then.content:
        return f"template {name}: {CLIENT_CACHE_NOTE}"
    return (
        f"template {name}: version {then.version} is too large to be stored: not changed;"
        " the console of Remote Config keeps 300 versions"
    )
