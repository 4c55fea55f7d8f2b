"""pause, resume, freeze, unfreeze and promote: what automation may do, here or everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from responders.commands.switches.audit_events import alive
from responders.support.command_handler import CommandEffect, CommandRequest
from responders.support.stop_switches import Switch
from shared.core.codec import decode
from shared.core.durations import format_duration
from shared.core.errors import Refused
from shared.core.store import Query
from shared.domain.commands.command import moment
from shared.domain.notices.notice import Notice, Unless, creates, notices, scheduled
from shared.domain.policy.model import Mode, Policy
from shared.domain.policy.severity import Severity
from shared.domain.rollback.drill import PROMOTING, Drill
from shared.domain.system import Freeze, Pause, Paused, System, paused

OVERTAKEN = CommandEffect("overtaken by a newer switch")
LIMIT_FREEZES = 50
"""Windows that are not over, of one system or of all."""


def pause(asked: CommandRequest) -> CommandEffect:
    """Nothing more is begun; what is in flight settles, and then that is told (`pausing`)."""
    command, switch = asked.command, Switch(asked)
    if _overtaken(switch.value.switched_at, asked):
        return OVERTAKEN
    expires_at = moment(command.expires, asked.said_at)
    if expires_at is not None and expires_at <= asked.said_at:
        raise Refused(f"expires: {expires_at:%Y-%m-%d %H:%M:%S} UTC is over")
    known = alive(asked.ports, command.system)
    count = sum(one.in_flight for one in known)
    at_work = any(one.lease for one in known)  # what it began by an older look is waited for
    now = switch.document.read_at
    set_by = Pause(
        command.actor,
        asked.said_at,
        command.reason,
        command.id,
        expires_at,
        reached_at=None if count or at_work else now,
    )
    reached = paused(set_by)
    result = f"{reached}, {count} in flight"
    said = [*_said(asked, switch, result), *_reminders(asked, switch, expires_at)]
    write = switch.after(pause=set_by, switched_at=asked.said_at)
    return CommandEffect(
        result,
        (write, *creates(said)),
        tells="rollback.paused",
        goes_on=reached is Paused.REQUESTED,
        answer={"in_flight": count},
        changes={"pause": (switch.value.pause, set_by)},
    )


def resume(asked: CommandRequest) -> CommandEffect:
    """What was paused goes on."""
    switch = Switch(asked)
    if _overtaken(switch.value.switched_at, asked):
        return OVERTAKEN
    write = switch.after(pause=None, switched_at=asked.said_at)
    said = _said(asked, switch, "resumed")
    changes = {"pause": (switch.value.pause, None)}
    return CommandEffect(
        "resumed", (write, *creates(said)), tells="rollback.resumed", changes=changes
    )


def freeze(asked: CommandRequest) -> CommandEffect:
    """A window in which automation changes nothing, and a person only by override."""
    command, switch = asked.command, Switch(asked)
    if _overtaken(switch.value.thawed_at, asked):
        return OVERTAKEN
    begins_at = command.begins_at or asked.said_at
    now = switch.document.read_at
    if command.until is None or command.until <= max(now, begins_at):
        raise Refused(f"until: {command.until} is over, or before the window begins")
    window = Freeze(command.actor, asked.said_at, command.reason, begins_at, command.until)
    windows = (*(one for one in switch.value.freezes if one.until > now), window)
    if len(windows) > LIMIT_FREEZES:
        raise Refused(f"there are {LIMIT_FREEZES} freeze windows: unfreeze, or wait")
    result = f"frozen from {begins_at:%Y-%m-%d %H:%M} to {command.until:%Y-%m-%d %H:%M} UTC"
    said = _said(asked, switch, result)
    return CommandEffect(
        result,
        (switch.after(freezes=windows), *creates(said)),
        tells="rollback.frozen",
        changes={"freezes": (_in_words(switch.value.freezes), _in_words(windows))},
    )


def _in_words(windows: Iterable[Freeze]) -> str:
    """Freeze windows for the trail, where a list may hold no list."""
    return "; ".join(f"from {one.begins_at:%Y-%m-%d %H:%M} UTC, {one}" for one in windows)


def unfreeze(asked: CommandRequest) -> CommandEffect:
    """Every window that was set before this was said is lifted; a fence's goes with the fence."""
    switch = Switch(asked)
    if _overtaken(switch.value.thawed_at, asked):
        return OVERTAKEN
    left = tuple(one for one in switch.value.freezes if one.at > asked.said_at or not one.orders)
    write = switch.after(freezes=left, thawed_at=asked.said_at)
    said = _said(asked, switch, "unfrozen")
    changes = {"freezes": (_in_words(switch.value.freezes), _in_words(left))}
    return CommandEffect(
        "unfrozen", (write, *creates(said)), tells="rollback.unfrozen", changes=changes
    )


def promote(asked: CommandRequest) -> CommandEffect:
    """How far automation may go by itself, and who answers for that; people are told.

    Raises: Refused, further than before without the drills that the policy asks for.
    """
    command, switch, mode = asked.command, Switch(asked), Mode[asked.command.mode.upper()]
    system = switch.value
    if isinstance(system, System) and _overtaken(system.promoted_at, asked):
        return OVERTAKEN
    before = system.mode if isinstance(system, System) else Mode.OBSERVE
    _require_drills(asked, before, mode, switch.document.read_at)
    write = switch.after(mode=mode, promoted_by=command.actor, promoted_at=asked.said_at)
    result = f"{command.system} may {command.mode}"
    said = _said(asked, switch, f"automation may {command.mode}, before {before.name.lower()}")
    changes = {"mode": (before.name.lower(), command.mode)}
    return CommandEffect(result, (write, *creates(said)), changes=changes)


def _require_drills(asked: CommandRequest, before: Mode, mode: Mode, now: datetime) -> None:
    """Each step of a promotion needs its drills, one that skips a step those of both."""
    gates = asked.policy.gates
    to_ask = gates.drills_before_ask if before < Mode.ASK <= mode else 0
    needed = max(to_ask, gates.drills_before_act if mode is Mode.ACT else 0)
    if not needed:
        return
    ours = (("system", "==", asked.policy.system),)
    found = asked.ports.store.query(Query("drills", where=ours))
    kept = [decode(Drill, document.fields) for document in found]
    recent = [one for one in kept if one.at > now - gates.drills_within]
    agreeing = sum(one.agrees and one.scenario in PROMOTING for one in recent)
    missing = needed - agreeing
    if missing > 0:
        within = format_duration(gates.drills_within)
        raise Refused(
            f"{missing} more agreeing drills of {' or '.join(PROMOTING)} within {within} are "
            f"needed before {asked.policy.system} may {asked.command.mode}: say drill"
        )


def _overtaken(newest: datetime | None, asked: CommandRequest) -> bool:
    """Whether the switch was set by what was said later."""
    return newest is not None and newest > asked.said_at


def _said(asked: CommandRequest, switch: Switch, result: str) -> list[Notice]:
    """The notices of a switch, for each system that it concerns."""
    command, now = asked.command, switch.document.read_at
    where = command.system or "all systems"
    text = f"{where}: {result}, by {command.actor}: {command.reason}"
    return [
        notice
        for policy in _concerned(asked)
        for notice in notices(
            policy, key(command.id, policy), Severity.LOW, command.command, text, now
        )
    ]


def _reminders(asked: CommandRequest, switch: Switch, expires_at: datetime | None) -> list[Notice]:
    """Pages at the time when a pause was to be over, unless it is: nothing lifts it by itself."""
    if expires_at is None:
        return []
    command, now = asked.command, switch.document.read_at
    text = (
        f"{command.system or 'all systems'}: still paused by {command.actor}, though only until "
        f"{expires_at:%Y-%m-%d %H:%M} UTC: a person resumes, or pauses anew"
    )
    return [
        notice
        for policy in _concerned(asked)
        for notice in scheduled(
            policy,
            policy.channels,
            key(command.id, policy),
            Severity.CRITICAL,
            "pause-expired",
            text,
            now,
            expires_at,
            Unless.LIFTED,
            switch=switch.document.path,
            command=command.id,
        )
    ]


def _concerned(asked: CommandRequest) -> list[Policy]:
    return [asked.policy] if asked.command.system else [*asked.policies.values()]


def key(command: str, policy: Policy) -> str:
    """What stands in a notice of a switch where others have their incident."""
    return f"switch-{command}-{policy.system}"
