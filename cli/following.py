"""`rollback watch`: an incident, followed until its rollback has ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import typer
from msgspec import Struct
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from cli.screen import AsJson, at, console, lasting, print_json, printable, say
from cli.sending import Incident
from cli.wired import NO, Operations, leaving, operations
from shared import incident as incidents
from shared.plan import ENDED as STEP_ENDED
from shared.plan import Step
from shared.policy import Policy
from shared.rollback import ENDED, Rollback, Status

LOOK_EVERY_SECONDS = 1.0


class Seen(Struct, frozen=True):
    """One look at an incident and its newest rollback."""

    incident: incidents.Incident
    rollback: Rollback
    steps: list[Step]
    now: datetime

    @property
    def went_well(self) -> bool:
        """Whether nobody is needed: it succeeded, or nothing had to be done."""
        return self.rollback.status is Status.SUCCEEDED or (
            self.rollback.status is Status.NOT_TAKEN
            and self.incident.status is incidents.Status.RESOLVED
        )

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.rollback.status in ENDED


def watch(incident: Incident, as_json: AsJson = False) -> None:
    """Follow an incident with its progress beside the targets, until its rollback has ended.

    Exit code 0 when it succeeded, or nothing had to be done; 1 when it failed, was cancelled, or
    was left to a person.
    """
    with operations() as ours:
        seen = follow(ours, incident, quietly=as_json)
    if as_json:
        print_json({"incident": seen.incident, "rollback": seen.rollback, "steps": seen.steps})
    if not seen.went_well:
        raise typer.Exit(NO)


def follow(ours: Operations, name: str, *, quietly: bool) -> Seen:
    """The last look at an incident, after its end; exits when there is no such incident."""
    seen = _look(ours, name)
    if quietly:
        return _until_over(ours, seen, lambda _: None)
    policy = ours.policies[seen.incident.system]
    if not console().is_terminal:
        return _until_over(ours, seen, _Lines().tell)
    with Live(_picture(seen, policy), console=console(), transient=True) as live:
        seen = _until_over(ours, seen, lambda now: live.update(_picture(now, policy)))
    _Lines().tell(seen)
    return seen


def _until_over(ours: Operations, seen: Seen, tell: Callable[[Seen], None]) -> Seen:
    tell(seen)
    while not seen.is_over:
        ours.wiring.clock.sleep(LOOK_EVERY_SECONDS)
        seen = _look(ours, seen.incident.id)
        tell(seen)
    return seen


def _look(ours: Operations, name: str) -> Seen:
    incident = ours.incident(name)
    newest = incidents.rollback_id(incident.id, incident.rollbacks)
    rollback = ours.reading.rollback(newest)
    if rollback is None:
        raise leaving(NO, f"rollback {newest} is gone: it has expired")
    steps = ours.reading.steps(newest)
    return Seen(incident, rollback, steps, ours.wiring.clock.now())


class _Lines:
    """Where there is no terminal: each moment of the time line once, and each quarter of a plan."""

    def __init__(self) -> None:
        self._told = 0
        self._quarter = 0

    def tell(self, seen: Seen) -> None:
        for moment in seen.incident.timeline[self._told :]:
            say(f"{at(moment.at)}  {moment.status}  {moment.note}")
        self._told = len(seen.incident.timeline)
        done, total = _progress(seen.steps)
        if total and done * 4 // total > self._quarter:
            self._quarter = done * 4 // total
            say(f"{at(seen.now)}  {done} of {total} steps")


def _picture(seen: Seen, policy: Policy) -> Group:
    """What a terminal shows while it is followed."""
    incident, rollback = seen.incident, seen.rollback
    newest = incident.timeline[-1]
    lines = [
        f"{incident.id}  {incident.severity}  {incident.status}",
        f"{rollback.id}: {rollback.status}",
        f"{at(newest.at)}  {newest.note}",
        *_times(seen, policy),
    ]
    bars = Progress(TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn())
    done, total = _progress(seen.steps)
    if total:
        bars.add_task("steps", completed=done, total=total)
    if rollback.watch_until and rollback.verified_at:
        whole = rollback.watch_until - rollback.verified_at
        watched = min(whole, seen.now - rollback.verified_at)
        minute = timedelta(minutes=1)
        bars.add_task("minutes watched", completed=watched // minute, total=whole // minute)
    return Group(*(Text(printable(line)) for line in lines), bars)


def _times(seen: Seen, policy: Policy) -> list[str]:
    """How long it has taken, beside what the policy wants."""
    detected = seen.incident.detected_at
    restored = seen.rollback.shifted_at
    target = policy.targets.by_severity[seen.incident.severity]
    spent = (restored or seen.now) - detected
    word = "restored after" if restored else "running for"
    return [f"{word} {lasting(spent)}; the target is {lasting(target)}"]


def _progress(steps: list[Step]) -> tuple[int, int]:
    return sum(step.status in STEP_ENDED for step in steps), len(steps)
