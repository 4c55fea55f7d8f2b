"""`rollback status`: what each system is in; `rollback contacts`: who is notified of incidents."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from cli.support.context import open_operations
from cli.support.output import STYLES, AsJson, System, format_lasting, format_time, print_json, print_line
from cli.support.response_time import incident_line, last_change_line, response_lines, show_choices
from shared.core.text import count_noun
from shared.domain.data.backups import database_copy
from shared.domain.incidents.incident import Incident
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import count_progress
from shared.domain.rollback.rollback import Rollback
from shared.domain.signals.declared_checks import VerificationState
from shared.domain.signals.labels import status_label
from shared.domain.system_record import Pause, pause_state
from shared.state.system_status import SystemStatus, read_system_status, unfinished_freezes


def status(system: System = "", as_json: AsJson = False) -> None:
    """Show mode, switches, incident, response time, rollback and progress of every system, or one.

    Exit code 0, also during an incident; 2 when the project has no state of any system.
    """
    with open_operations() as ours:
        ours.require_state()
        policies = ours.selected_policies(system)
        now = ours.wiring.clock.now()
        alive = ours.reading.active_rollbacks()
        seen = [read_system_status(ours.reading, policy, alive, now) for policy in policies]
        controls = ours.reading.controls()
    in_flight = sum(one.in_flight for one in alive)
    freezes = unfinished_freezes(controls.freezes, now)
    if as_json:
        everything = {"paused": controls.pause, "pause": pause_state(controls.pause)}
        print_json({"at": now, **everything, "freezes": freezes, "systems": seen})
        return
    if controls.pause:
        print_line(f"everything: {_pause_lines(controls.pause, in_flight)}", "bold yellow")
    for window in freezes:
        print_line(f"everything is {window}; from {format_time(window.begins_at)} UTC", "yellow")
    for one in seen:
        _show_system(one, now)


def _show_system(seen: SystemStatus, now: datetime) -> None:
    print_line(f"{seen.name} ({seen.system}), mode {seen.mode}", "bold")
    print_line(f"  {seen.why}", "bold")
    if seen.paused:
        print_line(f"  {_pause_lines(seen.paused, seen.in_flight)}", "yellow")
    for window in seen.freezes:
        print_line(f"  {window}; from {format_time(window.begins_at)} UTC", "yellow")
    if seen.cool_down_until:
        print_line(f"  cooling down until {format_time(seen.cool_down_until)} UTC: no automatic rollback")
    if seen.pinned_since:
        oldest = f"the oldest for {format_lasting(now - seen.pinned_since)}"
        whose = f"by {', '.join(seen.pinned_by)}, {oldest}: rollback pins --system {seen.system}"
        print_line(f"  {count_noun(seen.pins, 'function')} pinned to an old revision {whose}", "yellow")
    _show_data(seen)
    incident = seen.incident
    if incident is None:
        print_line("  no incident is known")
        return
    since = format_lasting((incident.ended_at or now) - incident.detected_at)
    how_long = f"over after {since}" if incident.ended_at else f"open for {since}"
    line = f"  incident {incident_line(incident)}"
    print_line(line, STYLES.get(incident.status, STYLES.get(incident.severity, "")))
    how_long += f"; {incident.mark}" if incident.mark is not None else ""
    print_line(f"  {incident.beginning} {format_time(incident.detected_at)} UTC, {how_long}")
    standing = seen.response and seen.times and response_lines(seen.response, seen.times, incident.id, now)
    for text, style in standing or ():
        print_line(f"  {text}", style)
    if seen.rollback:
        _show_rollback(seen.rollback, seen)
    show_choices(incident.id, seen.available_commands[incident.id])
    for one in seen.earlier:
        _show_earlier_incident(one, seen, now)
    for older in seen.older:
        said = "".join(f", {line}" for line in older.commands)
        print_line(f"  rollback {older.id}: {status_label(older.status)}{said}, {older.in_flight} in flight")


def _show_earlier_incident(incident: Incident, seen: SystemStatus, now: datetime) -> None:
    line = f"  incident {incident_line(incident)}"
    print_line(f"{line}, open for {format_lasting(now - incident.detected_at)}")
    print_line(f"  {last_change_line(incident)}")
    show_choices(incident.id, seen.available_commands[incident.id])


def _show_data(seen: SystemStatus) -> None:
    if seen.fence:
        said = f", {seen.fence.waiting}" if seen.fence.waiting else ""
        print_line(
            f"  fence {seen.fence.status} until {format_time(seen.fence.until)} UTC{said}", "bold yellow"
        )
    for question in seen.messages:
        print_line(f"  {question}", "bold yellow")
    for copy in seen.copies:
        print_line(f"  {database_copy.describe_status(copy)}")


def _show_rollback(rollback: Rollback, seen: SystemStatus) -> None:
    done, total = count_progress(seen.steps)
    target = f" to {rollback.plan.target}" if rollback.plan else ""
    come = f", {done} of {count_noun(total, 'step')}" if seen.steps else ""
    come += f", {rollback.in_flight} in flight" if rollback.in_flight else ""
    print_line(f"  rollback {rollback.id}{target}: {status_label(rollback.status)}{come}")
    for row in rollback.verification.values():
        print_line(f"  {row}", "bold yellow" if row.state is VerificationState.FAILED else "")
    if seen.outlook is not None:
        print_line(f"  {seen.outlook}", "" if seen.outlook.fits else "bold yellow")


def _pause_lines(pause: Pause, in_flight: int) -> str:
    count = f" ({in_flight} in flight)" if in_flight else ""
    by = f"by {pause.actor} since {format_time(pause.at)} UTC: {pause.reason}"
    return f"{status_label(pause_state(pause)).lower()}{count} {by}"


def contacts(system: System = "", as_json: AsJson = False) -> None:
    """Show who is notified of incidents, when, and by which channels. Exit code 0."""
    with open_operations() as ours:
        rules = [*list_contacts(ours.policy(system))]
    if as_json:
        print_json([{"when": when, "who": who, "channels": channels} for when, who, channels in rules])
        return
    for when, who, channels in rules:
        print_line(f"{when}: {who}, by {', '.join(channels)}")


def list_contacts(policy: Policy) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Yield when, who and channels: of each role at once, of each step of on-call, at last."""
    late = "not acknowledged after "
    holders = {name: f"{name} ({', '.join(role.contacts)})" for name, role in policy.roles.items()}
    for name, role in policy.roles.items():
        for rule in role.notify:
            stages = ", ".join(rule.stages).replace("_", " ")
            yield stages, holders[name], rule.channels or policy.channels_of_contacts(role.contacts)
    held = {name for role in policy.roles.values() for name in policy.channels_of_contacts(role.contacts)}
    if free := [one.name for one in policy.channels if one.name not in held]:
        yield "every stage", "channels of no role", free
    for rung in policy.on_call:
        called = holders.get(rung.role or "", rung.contact or rung.channel or "")
        yield late + format_lasting(rung.after), called, [one.name for one in policy.channels_of_step(rung)]
    last = late + format_lasting(policy.answer_within)
    yield last, "Cloud Monitoring (CRITICAL, HIGH)", ("pager_channels",)
