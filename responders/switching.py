"""pause, resume, freeze, unfreeze and promote: what automation may do, here or everywhere."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from responders.verbs import Asked, Effect
from shared import rollback as rollbacks
from shared import system as systems
from shared.audit import event
from shared.command import moment
from shared.documents import decode, encode
from shared.drill import Drill
from shared.durations import format_duration
from shared.errors import Moved, Refused
from shared.notice import Notice, Unless, creates, notices, scheduled
from shared.policy import Mode, Policy, Severity
from shared.ports import Ports, Query, Write, written
from shared.rollback import Rollback, Status
from shared.system import GLOBAL, Controls, Freeze, Pause, System, paused
from shared.tenure import Draft, prepared

OVERTAKEN = Effect("overtaken by a newer switch")
LIMIT_FREEZES = 50
"""Windows that are not over, of one system or of all."""
TELL_ATTEMPTS = 20
RETRY_SECONDS = 0.1
FOREVER_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Switch:
    """The document that a command switches: of one system, or of all."""

    def __init__(self, asked: Asked) -> None:
        name = asked.command.system
        self.document = asked.ports.store.get(systems.path(name) if name else GLOBAL)
        empty: System | Controls = System(name=name) if name else Controls()
        kind = type(empty)
        fields = self.document.fields
        self.value: System | Controls = empty if fields is None else decode(kind, fields)

    def after(self, **changes: object) -> Write:
        """The write that changes it, unless somebody has written since."""
        return written(self.document, encode(replace(self.value, **changes)))


def pause(asked: Asked) -> Effect:
    """Nothing more is begun; once what is in flight has settled, the worker tells that."""
    command, switch = asked.command, Switch(asked)
    if _overtaken(switch.value.switched_at, asked):
        return OVERTAKEN
    expires_at = moment(command.expires, asked.said_at)
    if expires_at is not None and expires_at <= asked.said_at:
        raise Refused(f"expires: {expires_at:%Y-%m-%d %H:%M:%S} UTC is over")
    set_by = Pause(command.actor, asked.said_at, command.reason, command.id, expires_at)
    in_flight = sum(one.in_flight for one in _alive(asked.ports, command.system))
    result = f"{paused(set_by, in_flight)}, {in_flight} in flight"
    said = [*_said(asked, switch, result), *_reminders(asked, switch, expires_at)]
    write = switch.after(pause=set_by, switched_at=asked.said_at)
    return Effect(result, (write, *creates(said)), tells="rollback.paused")


def resume(asked: Asked) -> Effect:
    """What was paused goes on."""
    switch = Switch(asked)
    if _overtaken(switch.value.switched_at, asked):
        return OVERTAKEN
    write = switch.after(pause=None, switched_at=asked.said_at)
    said = _said(asked, switch, "resumed")
    return Effect("resumed", (write, *creates(said)), tells="rollback.resumed")


def freeze(asked: Asked) -> Effect:
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
    return Effect(result, (switch.after(freezes=windows), *creates(said)), tells="rollback.frozen")


def unfreeze(asked: Asked) -> Effect:
    """Every window that was set before this was said is lifted."""
    switch = Switch(asked)
    if _overtaken(switch.value.thawed_at, asked):
        return OVERTAKEN
    left = tuple(one for one in switch.value.freezes if one.at > asked.said_at)
    write = switch.after(freezes=left, thawed_at=asked.said_at)
    said = _said(asked, switch, "unfrozen")
    return Effect("unfrozen", (write, *creates(said)), tells="rollback.unfrozen")


def promote(asked: Asked) -> Effect:
    """How far automation may go by itself, and who answers for that.

    Raises: Refused, to act without the drills that the policy asks for.
    """
    command, switch, mode = asked.command, Switch(asked), Mode[asked.command.mode.upper()]
    system = switch.value
    if isinstance(system, System) and _overtaken(system.promoted_at, asked):
        return OVERTAKEN
    if mode is Mode.ACT:
        _require_drills(asked, switch.document.read_at)
    write = switch.after(mode=mode, promoted_by=command.actor, promoted_at=asked.said_at)
    return Effect(f"{command.system} may {command.mode}", (write,))


def _require_drills(asked: Asked, now: datetime) -> None:
    gates = asked.policy.gates
    if not gates.drills_before_act:
        return
    ours = (("system", "==", asked.policy.system),)
    found = asked.ports.store.query(Query("drills", where=ours))
    kept = [decode(Drill, document.fields) for document in found]
    agreeing = sum(one.agrees and one.at > now - gates.drills_within for one in kept)
    missing = gates.drills_before_act - agreeing
    if missing > 0:
        within = format_duration(gates.drills_within)
        raise Refused(
            f"{missing} more agreeing drills within {within} are needed before "
            f"{asked.policy.system} may act: say drill"
        )


def _overtaken(newest: datetime | None, asked: Asked) -> bool:
    """Whether the switch was set by what was said later."""
    return newest is not None and newest > asked.said_at


def _said(asked: Asked, switch: Switch, result: str) -> list[Notice]:
    """The notices of a switch, for each system that it concerns."""
    command, now = asked.command, switch.document.read_at
    where = command.system or "all systems"
    text = f"{where}: {result}, by {command.actor}: {command.reason}"
    return [
        notice
        for policy in _concerned(asked)
        for notice in notices(policy, _key(asked, policy), Severity.LOW, command.command, text, now)
    ]


def _reminders(asked: Asked, switch: Switch, expires_at: datetime | None) -> list[Notice]:
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
            _key(asked, policy),
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


def _concerned(asked: Asked) -> list[Policy]:
    return [asked.policy] if asked.command.system else [*asked.policies.values()]


def _key(asked: Asked, policy: Policy) -> str:
    """What stands in a notice where others have their incident."""
    return f"switch-{asked.command.id}-{policy.system}"


def tell_running(asked: Asked, event_name: str) -> None:
    """Write the switch into the trail of each rollback that it concerns, and wake it.

    The switch itself is in force already; a rollback whose worker keeps writing at this moment
    is told again, a bounded number of times.
    """
    for rollback in _alive(asked.ports, asked.command.system):
        for _ in range(TELL_ATTEMPTS):
            try:
                _append(asked, event_name, rollback.id)
                break
            except Moved:
                asked.ports.clock.sleep(RETRY_SECONDS)


def _append(asked: Asked, event_name: str, rollback_id: str) -> None:
    ports, command = asked.ports, asked.command
    document = ports.store.get(rollbacks.path(rollback_id))
    rollback = decode(Rollback, document.fields)
    if rollback.due_at is None:
        return
    now = document.read_at
    told = event(event_name, now, command.actor, reason=command.reason)
    woken = {"due_at": min(rollback.due_at, now)} if rollback.status is Status.RUNNING else {}
    draft = Draft((told,), woken)
    _, writes = prepared(rollback, document.version, draft, ports.ids(), renew=False)
    ports.store.commit(writes)


def _alive(ports: Ports, system: str) -> list[Rollback]:
    """The rollbacks that have not ended, of one system or of all."""
    found = ports.store.query(Query("rollbacks", where=(("due_at", ">", FOREVER_AGO),)))
    alive = (decode(Rollback, document.fields) for document in found)
    return [one for one in alive if system in ("", one.system)]
