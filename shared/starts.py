"""Which functions of a deployment were seen to start lately, by what its proof was told; pure.

Nothing is made to start (docs/decisions/0031-a-start-is-seen-where-it-happens.md). What was not
seen to start may start: nobody has asked for it, or it serves with the instances that it has. So it
stands in nobody's way, and is said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Final

from shared import shortened
from shared.deployment import Deployment
from shared.rollout import PROVE_EVERY

STARTS: Final = "starts"
"""Nobody could look for them: Cloud Monitoring gave no answer."""


def kept(deployment: Deployment, seen: Mapping[str, datetime] | None) -> dict[str, datetime]:
    """When each of its revisions was last seen to start: now, or by the proof before.

    `seen` has those of lately, of whatever deployment; None: nobody could look.
    """
    before = deployment.restorable.started if deployment.restorable else None
    every = {**(before or {}), **(seen or {})}
    ours = {name for placed in deployment.functions.values() for name in placed.revisions}
    return {name: moment for name, moment in sorted(every.items()) if name in ours}


def not_seen_to_start(deployment: Deployment) -> dict[str, datetime | None]:
    """The functions with a revision that was not seen to start in the day before the proof.

    And when that one was last seen to; None: never. None at all, where nobody has looked or could.
    """
    proof, found = deployment.restorable, dict[str, datetime | None]()
    if proof is None or proof.started is None or STARTS in proof.unknown:
        return found
    lately = proof.checked_at - PROVE_EVERY
    for name, placed in sorted(deployment.functions.items()):
        seen = [proof.started[one] for one in placed.revisions if one in proof.started]
        if len(seen) < len(placed.revisions):
            found[name] = None
        elif seen and min(seen) <= lately:
            found[name] = min(seen)
    return found


def lines(functions: Mapping[str, datetime | None]) -> list[str]:
    """Each function, and when it was last seen to start."""
    return [
        f"{name} ({f'last {last.astimezone(UTC):%Y-%m-%d %H:%M} UTC' if last else 'never'})"
        for name, last in functions.items()
    ]


def warning(deployment: Deployment, functions: Collection[str]) -> str:
    """What is said of these before they are led back there; empty: each was seen to start."""
    proof = deployment.restorable
    if proof is None or deployment.functions.keys().isdisjoint(functions):
        return ""
    if STARTS in proof.unknown:
        return "whether they start is not known: Cloud Monitoring gave no answer"
    found = not_seen_to_start(deployment)
    told = lines({name: last for name, last in found.items() if name in functions})
    day = f"in the day before {proof.checked_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"not seen to start {day}: {shortened.phrase(told)}" if told else ""
