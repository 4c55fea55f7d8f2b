"""Hosting: each channel back to the version that it served."""

from collections.abc import Iterator
from datetime import timedelta

from msgspec.structs import replace

from responders.scenarios.resource_plan import Portion, ResourceState, Statuses
from shared.core.codec import FrozenStruct
from shared.domain.deployments.inventory.inventory_parts import LIVE_CHANNEL, WholeInventory
from shared.domain.deployments.restorability import FINALIZED
from shared.domain.rollback.plan import Step, build_step
from shared.engine.steps.resources.release_hosting import KIND, HostingGoal, HostingOrigin


class _Channel(FrozenStruct):
    site: str
    name: str
    then: str
    """The version; empty: nothing was released."""
    now: str | None
    """None: the site or the channel is gone."""

    def __str__(self) -> str:
        return self.site if self.name == LIVE_CHANNEL else f"{self.site} ({self.name})"


def versions_to_check(recorded: WholeInventory, live: WholeInventory) -> set[tuple[str, str]]:
    """The versions, by site, whose statuses must be known before a plan is made."""
    return {
        (one.site, one.then) for one in _changed_channels(recorded, live) if one.then and one.now is not None
    }


def plan_hosting(sight: ResourceState, within: timedelta) -> Portion:
    """One release for each channel that serves another version, where the old one is there."""
    recorded, live = sight.recorded, sight.live
    changed = list(_changed_channels(recorded, live))
    obstacles = {one: _obstacle(one, sight.statuses) for one in changed}
    return Portion(
        steps=tuple(_step(one, within) for one in changed if not obstacles[one]),
        reported=(
            *(f"{one}: {said}" for one, said in obstacles.items() if said),
            *(f"{one} was created later: not changed" for one in _new_channels(recorded, live)),
        ),
    )


def as_if_changed(sight: ResourceState) -> ResourceState:
    """Return the inventory with each release's version: its step checks that it is available."""
    return replace(sight, statuses=dict.fromkeys(versions_to_check(sight.recorded, sight.live), FINALIZED))


def _obstacle(channel: _Channel, statuses: Statuses) -> str:
    """Why a channel is left as it is; empty: nothing stands in the way."""
    key = (channel.site, channel.then)
    if channel.now is None:
        return "it was deleted later: not restored"
    if not channel.then:
        return "nothing was released at that time: not changed"
    if not channel.now and channel.name == LIVE_CHANNEL:
        return "nothing is released now, perhaps because a person disabled it: not changed"
    if key not in statuses:
        return f"the status of {channel.then} cannot be read: not changed"
    if statuses[key] != FINALIZED:
        return f"{channel.then} is {statuses[key] or 'gone'}: it cannot be released"
    return ""


def _step(channel: _Channel, within: timedelta) -> Step:
    now = channel.now or ""
    goal, origin = HostingGoal(channel.site, channel.name, channel.then), HostingOrigin(now)
    return build_step(f"release {channel}", KIND, channel.site, goal, within, seen=now, origin=origin)


def _changed_channels(recorded: WholeInventory, live: WholeInventory) -> Iterator[_Channel]:
    now = _served_versions(live)
    for (site, name), version in sorted(_served_versions(recorded).items()):
        found = now.get((site, name))
        if found != version:
            yield _Channel(site, name, version, found)


def _new_channels(recorded: WholeInventory, live: WholeInventory) -> Iterator[str]:
    for site, name in sorted(_served_versions(live).keys() - _served_versions(recorded).keys()):
        yield site if name == LIVE_CHANNEL else f"{site} ({name})"


def _served_versions(inventory: WholeInventory) -> dict[tuple[str, str], str]:
    return {
        (name, channel): version
        for name, site in (inventory.sites or {}).items()
        for channel, version in site.served_versions.items()
    }
