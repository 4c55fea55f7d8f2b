"""`rollback status`: what each system is in, at a glance."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cli.screen import STYLES, AsJson, System, at, lasting, print_json, say
from cli.wired import Operations, operations
from shared.incident import Incident
from shared.plan import ENDED, Step
from shared.policy import Policy
from shared.rollback import Rollback
from shared.system import Freeze, Pause, paused


def status(system: System = "", as_json: AsJson = False) -> None:
    """Show mode, switches, incident, rollback and progress of every system, or of one."""
    with operations() as ours:
        policies = [ours.policy(system)] if system else list(ours.policies.values())
        now = ours.wiring.clock.now()
        seen = [_seen(ours, policy, now) for policy in policies]
        controls = ours.reading.controls()
        in_flight = sum(_in_flight(ours, name) for name in ours.policies)
    freezes = _ahead(controls.freezes, now)
    if as_json:
        everything = {"paused": controls.pause, "pause": paused(controls.pause, in_flight)}
        print_json({"at": now, **everything, "freezes": freezes, "systems": seen})
        return
    if controls.pause:
        say(f"everything: {_paused(controls.pause, in_flight)}", "bold yellow")
    for window in freezes:
        say(f"everything is {_when(window)}", "yellow")
    for one in seen:
        _show(one, now)


def _seen(ours: Operations, policy: Policy, now: datetime) -> dict[str, Any]:
    """What is known of one system."""
    reading = ours.reading
    system = reading.system(policy.system)
    incident = reading.incident(system.incident) if system.incident else None
    rollback = reading.rollback(system.rollback) if system.rollback else None
    return {
        "system": policy.system,
        "name": policy.display_name or policy.system,
        "mode": system.mode.name.lower(),
        "paused": system.pause,
        "in_flight": (in_flight := _in_flight(ours, policy.system)),
        "pause": paused(system.pause, in_flight),
        "freezes": _ahead(system.freezes, now),
        "cool_down_until": system.cool_down_until if _lies_ahead(system, now) else None,
        "incident": incident,
        "rollback": rollback,
        "steps": reading.steps(rollback.id) if rollback else [],
        "target": policy.targets.by_severity[incident.severity] if incident else None,
    }


def _in_flight(ours: Operations, name: str) -> int:
    """Effects of a system's newest rollback that have not settled."""
    newest = ours.reading.system(name).rollback
    rollback = ours.reading.rollback(newest) if newest else None
    return rollback.in_flight if rollback else 0


def _lies_ahead(system: Any, now: datetime) -> bool:
    return bool(system.cool_down_until and system.cool_down_until > now)


def _ahead(freezes: Iterable[Freeze], now: datetime) -> list[Freeze]:
    """The windows that are not over."""
    return [one for one in freezes if one.until > now]


def _show(seen: dict[str, Any], now: datetime) -> None:
    say(f"{seen['name']} ({seen['system']}), mode {seen['mode']}", "bold")
    if seen["paused"]:
        say(f"  {_paused(seen['paused'], seen['in_flight'])}", "yellow")
    for window in seen["freezes"]:
        say(f"  {_when(window)}", "yellow")
    if seen["cool_down_until"]:
        say(f"  cooling down until {at(seen['cool_down_until'])} UTC: no automatic rollback")
    incident: Incident | None = seen["incident"]
    if incident is None:
        say("  no incident is known")
        return
    since = lasting((incident.ended_at or now) - incident.detected_at)
    how_long = f"over after {since}" if incident.ended_at else f"open for {since}"
    line = f"  incident {incident.id}  {incident.severity}  {incident.status}  {incident.signal}"
    say(line, STYLES.get(incident.status, STYLES.get(incident.severity, "")))
    target = lasting(seen["target"])
    say(f"  detected {at(incident.detected_at)} UTC, {how_long}; to be restored within {target}")
    if seen["rollback"]:
        _show_rollback(seen["rollback"], seen["steps"])


def _show_rollback(rollback: Rollback, steps: list[Step]) -> None:
    done = sum(step.status in ENDED for step in steps)
    target = f" to {rollback.plan.target}" if rollback.plan else ""
    progress = f", {done} of {len(steps)} steps" if steps else ""
    progress += f", {rollback.in_flight} in flight" if rollback.in_flight else ""
    say(f"  rollback {rollback.id}{target}: {rollback.status}{progress}")
    if rollback.outcome:
        say(f"  {rollback.outcome}")


def _when(window: Freeze) -> str:
    return f"{window}; from {at(window.begins_at)} UTC"


def _paused(pause: Pause, in_flight: int) -> str:
    """How far it has come, and whose it is."""
    count = f" ({in_flight} in flight)" if in_flight else ""
    by = f"by {pause.actor} since {at(pause.at)} UTC: {pause.reason}"
    return f"{paused(pause, in_flight)}{count} {by}"
