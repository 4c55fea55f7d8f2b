"""pause: told again, once, at the moment when nothing that it stops is in flight any more."""

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from responders.commands.switches.switches import create_control_notices
from responders.support.resumable_command import completed_record
from shared.core.codec import encode
from shared.core.store import Document, Update, Write
from shared.domain import system_record as systems
from shared.domain.audit.chain import create_event
from shared.domain.audit.system_chain import event_write
from shared.domain.commands.command import CommandRecord
from shared.domain.notices.notice import Notice
from shared.domain.policy.system_policy import Policy
from shared.domain.system_record import (
    ALL_SYSTEMS,
    GLOBAL_CONTROLS_PATH,
    MAX_CONTROLS_AGE_SECONDS,
    PauseState,
)
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.reader import StateReader


def confirm_pause(
    ports: Ports, policies: Mapping[str, Policy], document: Document, record: CommandRecord
) -> None:
    """One look: PAUSE_REQUESTED becomes PAUSED when nothing is in flight; else it is due again.

    A worker may have looked at the switches up to two seconds before the pause: what it began by
    that look is waited for. One that was lifted, or said anew, is told no further.
    Raises: Moved, when somebody else has looked, or the switch was written meanwhile; Unavailable.
    """
    _wait_for_running_workers(ports, document.read_at, record)
    everywhere = record.system == ALL_SYSTEMS
    switch = ports.store.get(GLOBAL_CONTROLS_PATH if everywhere else systems.system_path(record.system))
    now = switch.read_at
    active = StateReader(ports.store).active_rollbacks("" if everywhere else record.system)
    pause = (switch.fields or {}).get("pause") or {}
    in_force = pause.get("command") == record.id
    if in_force and any(one.in_flight for one in active):
        ports.store.commit([Update(document.path, {"due_at": now}, document.version)])
        return
    over = completed_record(record, now, record.result)
    if not in_force:
        ports.store.commit([Update(document.path, encode(over), document.version)])
        return
    before = record.answer["in_flight"]
    result = f"paused: nothing is in flight any more, {before} were when it was said"
    told = create_event(
        "pause.reached",
        now,
        "worker",
        command=record.id,
        note=result,
        changes={"status": (PauseState.REQUESTED, PauseState.YES)},
    )
    writes: list[Write] = [
        Update(document.path, encode(replace(over, result=result)), document.version),
        Update(switch.path, {"pause": {**pause, "reached_at": now}}, switch.version),
        event_write(record.system, f"paused:{record.id}", told),
    ]
    said = _build_notices(record, policies, result, now)
    work_queue.commit_with_notices(ports.store, ports.bus, writes, said)


def _wait_for_running_workers(ports: Ports, now: datetime, record: CommandRecord) -> None:
    since = (now - record.received_at).total_seconds()
    wait = MAX_CONTROLS_AGE_SECONDS - since
    ports.clock.sleep(min(max(0.0, wait), MAX_CONTROLS_AGE_SECONDS))


def _build_notices(
    record: CommandRecord, policies: Mapping[str, Policy], result: str, now: datetime
) -> list[Notice]:
    everywhere = record.system == ALL_SYSTEMS
    where = "all systems" if everywhere else record.system
    text = f"{where}: {result}; paused by {record.actor}: {record.reason}"
    affected = [policy for name, policy in policies.items() if everywhere or name == record.system]
    return create_control_notices(affected, record.id, "paused", text, now)
