"""`rollback watch`: an incident, followed until its rollback has ended."""

import re
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from cli.support.context import Operations
from cli.support.exit_codes import REFUSED, create_exit
from cli.support.output import STYLES, console, escape_control_characters, format_time, print_line
from cli.support.response_time import incident_line, response_lines, show_choices
from shared.core.codec import FrozenStruct
from shared.core.text import count_noun
from shared.domain.decision.forecast import DurationForecast
from shared.domain.incidents import incident as incidents
from shared.domain.incidents.recovery_times import RecoveryTimes
from shared.domain.incidents.response_status import ResponseStatus
from shared.domain.rollback.plan import Step, count_progress
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from shared.domain.signals.labels import status_label
from shared.state.available_commands import read_available_verbs
from shared.state.system_status import read_forecast, read_recovery_times, read_response_status

POLL_INTERVAL_SECONDS = 1.0
TIME_SPANS = re.compile(r"(?:\d+ (?:h|min|s)\b ?)+")


class FollowedIncident(FrozenStruct):
    """One look at an incident and its newest rollback."""

    incident: incidents.Incident
    rollback: Rollback
    steps: list[Step]
    times: RecoveryTimes
    response: ResponseStatus
    now: datetime
    outlook: DurationForecast | None = None

    @property
    def is_successful(self) -> bool:
        """Whether nobody is needed: it succeeded, or an order had nothing to do."""
        return self.rollback.status is RollbackStatus.SUCCEEDED or (
            self.rollback.status is RollbackStatus.NOT_TAKEN and self._had_nothing_to_do
        )

    @property
    def _had_nothing_to_do(self) -> bool:
        """Whether an order was at its target already, or the incident has recovered."""
        is_answered = self.rollback.order is not None and not self.incident.is_decided_by_person
        return is_answered or self.incident.status is incidents.IncidentStatus.RESOLVED

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.rollback.has_ended


def follow_incident(ours: Operations, name: str, *, quietly: bool) -> FollowedIncident:
    """The last look at an incident, after its end; exits when there is no such incident."""
    seen = _read_incident(ours, name)
    if quietly:
        return _states_until_end(ours, seen, lambda _: None)
    if console().is_terminal:
        with Live(render_incident(seen), console=console(), transient=True) as live:
            seen = _states_until_end(ours, seen, lambda now: live.update(render_incident(now)))
        Lines().print_changes(seen)
    else:
        seen = _states_until_end(ours, seen, Lines().print_changes)
    show_choices(seen.incident.id, read_available_verbs(ours.reading, seen.incident, seen.rollback))
    return seen


def _states_until_end(
    ours: Operations, seen: FollowedIncident, tell: Callable[[FollowedIncident], None]
) -> FollowedIncident:
    tell(seen)
    while not seen.is_over:
        ours.wiring.clock.sleep(POLL_INTERVAL_SECONDS)
        seen = _read_incident(ours, seen.incident.id)
        tell(seen)
    return seen


def _read_incident(ours: Operations, name: str) -> FollowedIncident:
    incident = ours.incident(name)
    newest = incidents.rollback_id(incident.id, incident.rollbacks)
    rollback = ours.reading.rollback(newest)
    if rollback is None:
        raise create_exit(REFUSED, f"rollback {newest} was deleted: it has expired")
    steps, now = ours.reading.steps(newest), ours.wiring.clock.now()
    policy = ours.policies[incident.system]
    times = read_recovery_times(ours.reading, policy, incident)
    standing = read_response_status(ours.reading, incident, rollback, times, now)
    ahead = read_forecast(ours.reading, policy, incident, rollback, steps, now)
    return FollowedIncident(incident, rollback, steps, times, standing, now, ahead)


class Lines:
    """Where there is no terminal: each moment of the time line once, and each quarter of a plan."""

    def __init__(self) -> None:
        self._told = 0
        self._quarter = 0
        self._response: Collection[str] = ()

    def print_changes(self, seen: FollowedIncident) -> None:
        """Print what is new since the last look."""
        for moment in seen.incident.timeline[self._told :]:
            print_line(f"{format_time(moment.at)}  {status_label(moment.status)}  {moment.note}")
        self._told = len(seen.incident.timeline)
        response = response_lines(seen.response, seen.times, seen.incident.id, seen.now)
        for line, _ in response:  # each that states another fact than at the last look
            if TIME_SPANS.sub("", line) not in self._response:
                print_line(f"{format_time(seen.now)}  {line}")
        self._response = {TIME_SPANS.sub("", line) for line, _ in response}
        done, total = count_progress(seen.steps)
        if total and done * 4 // total > self._quarter:
            self._quarter = done * 4 // total
            ahead = f"; {seen.outlook}" if seen.outlook else ""
            print_line(f"{format_time(seen.now)}  {done} of {count_noun(total, 'step')}{ahead}")


def render_incident(seen: FollowedIncident) -> Group:
    """What a terminal shows while it is followed."""
    incident, rollback = seen.incident, seen.rollback
    newest = incident.newest_turn
    lines = [
        (incident_line(incident), "bold"),
        (f"{rollback.id}: {status_label(rollback.status)}", STYLES.get(rollback.status, "")),
        (f"{format_time(newest.at)}  {newest.note}", ""),
        *response_lines(seen.response, seen.times, incident.id, seen.now),
    ]
    if seen.outlook is not None:
        lines.append((str(seen.outlook), "" if seen.outlook.fits else "bold yellow"))
    bars = Progress(TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn())
    done, total = count_progress(seen.steps)
    if total:
        bars.add_task("steps", completed=done, total=total)
    if rollback.watch_until and rollback.verified_at:
        whole = rollback.watch_until - rollback.verified_at
        watched = min(whole, seen.now - rollback.verified_at)
        minute = timedelta(minutes=1)
        bars.add_task("minutes watched", completed=watched // minute, total=whole // minute)
    return Group(*(Text(escape_control_characters(line), style=style) for line, style in lines), bars)
