"""What people are told of a fence: how it turns, and what is stopped or left. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from shared.domain.data.isolation import write_fence as fences
from shared.domain.data.isolation.write_fence import Fence, FenceStatus
from shared.domain.policy.severity import Severity

NOTICE_SEVERITIES: Final[Mapping[str, Severity]] = {
    "fence.raising": Severity.HIGH,
    "fence.stands": Severity.HIGH,
    "fence.falls": Severity.HIGH,
    "fence.down": Severity.HIGH,
    "fence.stuck": Severity.CRITICAL,
}
"""The events that people hear of."""


def transition_event(before: Fence, after: Fence, now: datetime) -> str:
    """The event that lies between the two; empty: none."""
    if fences.is_stuck(after, now):
        return "fence.stuck"
    if after.status is not before.status:
        return {
            FenceStatus.STANDING: "fence.stands",
            FenceStatus.FALLING: "fence.falls",
            FenceStatus.DOWN: "fence.down",
        }[after.status]
    return "fence.raising" if after.writers and not before.writers else ""


def notice_lines(event: str, fence: Fence) -> Iterator[str]:
    """The lines of one notice."""
    names = ", ".join(one.function for one in fence.writers)
    match event:
        case "fence.raising":
            yield f"{fence.system}: {names} are stopped, until {fence.until:%H:%M} UTC at most"
            yield f"by {fence.actor}: {fence.reason}"
        case "fence.stands":
            yield f"{fence.system}: the fence stands: the canary is refused, {names} have stopped"
        case "fence.falls":
            yield f"{fence.system}: the fence falls: {fence.why}"
        case "fence.down":
            yield f"{fence.system}: the fence is down: {names or 'nothing'} as before"
            yield from (f"{one}: somebody has changed it since: left" for one in fence.left)
        case _:
            yield f"{fence.system}: THE FENCE DOES NOT FALL: {fence.waiting}"
            yield from (
                f"{one.function}: its instances were {one.scaling} ({one.service})" for one in fence.writers
            )
