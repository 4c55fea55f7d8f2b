"""pause, resume, freeze, unfreeze and promote: what automation may do, here or everywhere."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from responders.support.command_handler import CommandEffect, CommandRequest
from responders.support.controls import ControlChange
from responders.support.resumable_command import completed_record
from shared.core.durations import format_duration
from shared.core.errors import Refused
from shared.core.store import Document, Query, Write
from shared.core.text import count_noun
from shared.domain.audit.system_chain import system_event
from shared.domain.commands.command import CommandRecord, parse_time
from shared.domain.deployments.inventory.inventory_record import inventory_path
from shared.domain.notices.notice import Notice, WithdrawalCondition, notice_writes
from shared.domain.notices.recipients import create_notices, create_scheduled_notices
from shared.domain.policy.function_groups import describe_ungrouped, find_ungrouped
from shared.domain.policy.scenario_names import Mode
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policies, Policy
from shared.domain.rollback.drill import PROMOTION_SCENARIOS, Drill
from shared.domain.system_record import (
    ALL_SYSTEMS,
    GLOBAL_CONTROLS_PATH,
    MAX_CONTROLS_AGE_SECONDS,
    Freeze,
    Pause,
    PauseState,
    System,
    pause_state,
    system_path,
)
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.reader import StateReader

SUPERSEDED_EFFECT = CommandEffect("superseded by a newer command")
MAX_ACTIVE_FREEZES = 50
"""Windows that are not over, of one system or of all."""


def pause(asked: CommandRequest) -> CommandEffect:
    """Nothing more is begun; what is in flight settles, and then that is told (`confirm_pause`)."""
    command, switch = asked.command, ControlChange(asked)
    if _is_superseded(switch.value.switched_at, asked):
        return SUPERSEDED_EFFECT
    expires_at = parse_time(command.expires, asked.said_at)
    if expires_at is not None and expires_at <= asked.said_at:
        raise Refused(f"expires: {expires_at:%Y-%m-%d %H:%M:%S} UTC is in the past")
    known = StateReader(asked.ports.store).active_rollbacks(command.system)
    count = sum(one.in_flight for one in known)
    at_work = any(one.lease for one in known)  # what it began by an older look is waited for
    set_by = Pause(
        command.actor,
        asked.said_at,
        command.reason,
        command.id,
        expires_at,
        reached_at=None if count or at_work else switch.document.read_at,
    )
    reached = pause_state(set_by)
    state = "paused" if reached is PauseState.YES else "pause requested"
    result = f"{state}, {count_noun(count, 'step')} in flight"
    said = [*_build_notices(asked, switch, result), *_build_expiry_reminders(asked, switch, expires_at)]
    return CommandEffect(
        result,
        (switch.build_write(pause=set_by, switched_at=asked.said_at), *notice_writes(said)),
        tells="rollback.paused",
        goes_on=reached is PauseState.REQUESTED,
        answer={"in_flight": count},
        changes={"pause": (switch.value.pause, set_by)},
    )


def resume(asked: CommandRequest) -> CommandEffect:
    """What was paused goes on."""
    switch = ControlChange(asked)
    if _is_superseded(switch.value.switched_at, asked):
        return SUPERSEDED_EFFECT
    write = switch.build_write(pause=None, switched_at=asked.said_at)
    said = _build_notices(asked, switch, "resumed")
    changes = {"pause": (switch.value.pause, None)}
    return CommandEffect("resumed", (write, *notice_writes(said)), tells="rollback.resumed", changes=changes)


def freeze(asked: CommandRequest) -> CommandEffect:
    """A window in which automation changes nothing, and a person only by override."""
    command, switch = asked.command, ControlChange(asked)
    if _is_superseded(switch.value.thawed_at, asked):
        return SUPERSEDED_EFFECT
    begins_at = command.begins_at or asked.said_at
    now = switch.document.read_at
    if command.until is None or command.until <= max(now, begins_at):
        raise Refused(f"until: {command.until} is in the past, or before the start of the window")
    window = Freeze(command.actor, asked.said_at, command.reason, begins_at, command.until)
    windows = (*(one for one in switch.value.freezes if one.until > now), window)
    if len(windows) > MAX_ACTIVE_FREEZES:
        raise Refused(f"there are {MAX_ACTIVE_FREEZES} freeze windows: unfreeze, or wait")
    result = f"frozen from {begins_at:%Y-%m-%d %H:%M} to {command.until:%Y-%m-%d %H:%M} UTC"
    return CommandEffect(
        result,
        (switch.build_write(freezes=windows), *notice_writes(_build_notices(asked, switch, result))),
        tells="rollback.frozen",
        changes={"freezes": (_format_freezes(switch.value.freezes), _format_freezes(windows))},
    )


def _format_freezes(windows: Iterable[Freeze]) -> str:
    """Freeze windows for the trail, where a list may hold no list."""
    return "; ".join(f"from {one.begins_at:%Y-%m-%d %H:%M} UTC, {one}" for one in windows)


def unfreeze(asked: CommandRequest) -> CommandEffect:
    """Every window that was set before this was said is lifted; a fence's goes with the fence."""
    switch = ControlChange(asked)
    if _is_superseded(switch.value.thawed_at, asked):
        return SUPERSEDED_EFFECT
    left = tuple(one for one in switch.value.freezes if one.at > asked.said_at or not one.orders)
    write = switch.build_write(freezes=left, thawed_at=asked.said_at)
    said = _build_notices(asked, switch, "unfrozen")
    changes = {"freezes": (_format_freezes(switch.value.freezes), _format_freezes(left))}
    return CommandEffect(
        "unfrozen", (write, *notice_writes(said)), tells="rollback.unfrozen", changes=changes
    )


def promote(asked: CommandRequest) -> CommandEffect:
    """Set the automation mode and notify people.

    Raises: Refused, if drills are missing, or functions are in no group or not known.
    """
    command, switch, mode = asked.command, ControlChange(asked), Mode[asked.command.mode.upper()]
    system = switch.value
    if isinstance(system, System) and _is_superseded(system.promoted_at, asked):
        return SUPERSEDED_EFFECT
    before = system.mode if isinstance(system, System) else Mode.OBSERVE
    if mode > Mode.OBSERVE:
        _require_grouped_functions(asked)
    _require_promotion_drills(asked, before, mode, switch.document.read_at)
    write = switch.build_write(
        mode=mode, promoted_by=command.actor, promoted_at=asked.said_at, wrong_signals={}
    )
    result = f"automation mode of {command.system}: {command.mode}"
    said = _build_notices(asked, switch, f"automation mode {command.mode}, before: {before.name.lower()}")
    changes = {"mode": (before.name.lower(), command.mode)}
    return CommandEffect(result, (write, *notice_writes(said)), changes=changes)


def _require_promotion_drills(asked: CommandRequest, before: Mode, mode: Mode, now: datetime) -> None:
    """Each step of a promotion needs its drills, one that skips a step those of both."""
    gates = asked.policy.gates
    to_ask = gates.drills_before_ask if before < Mode.ASK <= mode else 0
    needed = max(to_ask, gates.drills_before_act if mode is Mode.ACT else 0)
    if not needed:
        return
    found = asked.ports.store.query(Query.equal("drills", system=asked.policy.system))
    kept = [document.decode(Drill) for document in found]
    recent = [one for one in kept if one.at > now - gates.drills_within]
    missing = needed - sum(one.agrees and one.scenario in PROMOTION_SCENARIOS for one in recent)
    if missing > 0:
        within = format_duration(gates.drills_within)
        raise Refused(
            f"{missing} more passed drills of {' or '.join(PROMOTION_SCENARIOS)} within {within} "
            f"are needed in {asked.policy.system} for the mode {asked.command.mode}: run `rollback drill`"
        )


def _require_grouped_functions(asked: CommandRequest) -> None:
    """Automation that may act must cover every function that was live when they were last read."""
    fields = asked.ports.store.get(inventory_path(asked.policy.system)).fields
    if fields is None:
        raise Refused(
            f"mode {asked.command.mode} is refused: the live functions have not been read yet; "
            "they are read every 5 minutes"
        )
    if ungrouped := find_ungrouped(asked.policy, fields.get("codebases", {})):
        raise Refused(f"mode {asked.command.mode} is refused: {describe_ungrouped(ungrouped)}")


def _is_superseded(newest: datetime | None, asked: CommandRequest) -> bool:
    return newest is not None and newest > asked.said_at


def _build_notices(asked: CommandRequest, switch: ControlChange, result: str) -> list[Notice]:
    command, now = asked.command, switch.document.read_at
    text = f"{command.system or 'all systems'}: {result}, by {command.actor}: {command.reason}"
    return _create_control_notices(_affected_policies(asked), command.id, command.command, text, now)


def _build_expiry_reminders(
    asked: CommandRequest, switch: ControlChange, expires_at: datetime | None
) -> list[Notice]:
    """Pages at the time when a pause was to be over, unless it is: nothing lifts it by itself."""
    if expires_at is None:
        return []
    command, now = asked.command, switch.document.read_at
    text = (
        f"{command.system or 'all systems'}: still paused by {command.actor}. The pause was to end at "
        f"{expires_at:%Y-%m-%d %H:%M} UTC: resume, or pause again"
    )
    return [
        notice
        for policy in _affected_policies(asked)
        for notice in create_scheduled_notices(
            policy,
            policy.channels,
            _control_notice_key(command.id, policy),
            Severity.CRITICAL,
            "pause-expired",
            text,
            now,
            expires_at,
            WithdrawalCondition.LIFTED,
            switch=switch.document.path,
            command=command.id,
        )
    ]


def _affected_policies(asked: CommandRequest) -> list[Policy]:
    return [asked.policy] if asked.command.system else [*asked.policies.values()]


def _create_control_notices(
    policies: Iterable[Policy], command: str, event: str, text: str, now: datetime
) -> list[Notice]:
    keys = ((policy, _control_notice_key(command, policy)) for policy in policies)
    found = (create_notices(policy, key, Severity.LOW, event, text, now) for policy, key in keys)
    return [notice for several in found for notice in several]


def _control_notice_key(command: str, policy: Policy) -> str:
    """What stands in a notice of a switch where others have their incident."""
    return f"switch-{command}-{policy.system}"


def confirm_pause(ports: Ports, policies: Policies, document: Document, record: CommandRecord) -> None:
    """One look: PAUSE_REQUESTED becomes PAUSED when nothing is in flight; else it is due again.

    A worker may have looked at the switches up to two seconds before the pause: what it began by
    that look is waited for. One that was lifted, or said anew, is told no further.
    Raises: Moved, when somebody else has looked, or the switch was written meanwhile; Unavailable.
    """
    wait = MAX_CONTROLS_AGE_SECONDS - (document.read_at - record.received_at).total_seconds()
    ports.clock.sleep(min(max(0.0, wait), MAX_CONTROLS_AGE_SECONDS))
    everywhere = record.system == ALL_SYSTEMS
    switch = ports.store.get(GLOBAL_CONTROLS_PATH if everywhere else system_path(record.system))
    now = switch.read_at
    active = StateReader(ports.store).active_rollbacks("" if everywhere else record.system)
    pause = (switch.fields or {}).get("pause") or {}
    in_force = pause.get("command") == record.id
    if in_force and any(one.in_flight for one in active):
        ports.store.commit([document.build_update({"due_at": now})])
        return
    over = completed_record(record, now, record.result)
    if not in_force:
        ports.store.commit([document.build_update(over)])
        return
    result = f"paused: no step is in flight ({record.answer['in_flight']} when it was requested)"
    told = system_event(
        record.system,
        f"paused:{record.id}",
        "pause.reached",
        now,
        "worker",
        command=record.id,
        note=result,
        changes={"status": (PauseState.REQUESTED, PauseState.YES)},
    )
    writes: list[Write] = [
        document.build_update(replace(over, result=result)),
        switch.build_update({"pause": {**pause, "reached_at": now}}),
        told,
    ]
    where = "all systems" if everywhere else record.system
    text = f"{where}: {result}; paused by {record.actor}: {record.reason}"
    affected = [policy for name, policy in policies.items() if everywhere or name == record.system]
    said = _create_control_notices(affected, record.id, "paused", text, now)
    work_queue.commit_with_notices(ports, writes, said)
