"""Whom a rollback that ended early has not looked for: taken out afterwards, as soon as may be.

A person has cancelled it, or it was held too long: its own last step was never taken. It is a
command that the rollback gives itself in the commit that ends it, and that a worker goes on with:
no pause loses it. How far it has come is kept after each portion, and each is safe to repeat.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from msgspec.structs import replace

from responders.data.repair.erasure_during_repair import RepairEraser
from responders.support.controls import is_change_blocked
from responders.support.resumable_command import COMMAND_TIMEOUT, completed_record, postponed_record
from shared.core.codec import encode
from shared.core.errors import Rejected, RollbackError
from shared.core.store import Create
from shared.domain.commands.command import CommandRecord, command_path
from shared.domain.data.document import REWRITE_TIMEOUT_SECONDS
from shared.domain.data.repair.repair_plan import decode_position, encode_position
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import ENDED_STEP_STATUSES, Step
from shared.domain.rollback.rollback import Rollback
from shared.domain.rollback.write_ramp import WriteRamp
from shared.engine.steps.documents import erase
from shared.ports.groups import Ports
from shared.state.reader import StateReader

ERASE_AFTER_REPAIR_VERB: Final = "take-out"
"""Nobody can say it: a rollback alone gives it itself."""


def build_outstanding_erasure(rollback: Rollback, steps: Iterable[Step], now: datetime) -> Iterator[Create]:
    """The command for the last step of a rollback that ends before it was taken; else none."""
    is_left = any(one.kind == erase.KIND and one.status not in ENDED_STEP_STATUSES for one in steps)
    if not is_left or rollback.started_at is None:
        return
    record = CommandRecord(
        id=erasure_command_id(rollback.id),
        command=ERASE_AFTER_REPAIR_VERB,
        system=rollback.system,
        actor="worker",
        reason=f"{rollback.id} has ended before it",
        received_at=now,
        result=f"who was erased while {rollback.id} wrote is to be taken out",
        incident=rollback.incident,
        due_at=now + timedelta(seconds=REWRITE_TIMEOUT_SECONDS),  # what is on its way has landed
        answer={"rollback": rollback.id, "position": ""},
    )
    yield Create(command_path(record.id), encode(record))


def erasure_command_id(rollback: str) -> str:
    """What the command of a rollback is called."""
    return f"{ERASE_AFTER_REPAIR_VERB}-{rollback}"


def erase_late_portion(ports: Ports, policy: Policy, record: CommandRecord, now: datetime) -> CommandRecord:
    """The record after one portion more; the same place again, where nothing may be done now."""
    rollback, position = record.answer["rollback"], decode_position(record.answer["position"])
    if now - record.received_at > COMMAND_TIMEOUT:
        why = f"who was erased while {rollback} wrote is NOT taken out in time"
        return completed_record(record, now, why)
    ended = StateReader(ports.store).rollback(rollback)
    if ended is None or ended.started_at is None:
        raise ValueError(f"{rollback} has written nothing")
    try:
        if not may_erase_now(ports, policy):
            return postponed_record(record, now)
        position = build_repair_eraser(ports, policy, rollback, ended.started_at).erase_portion(position)
    except Rejected as no:
        why = f"who was erased while {rollback} wrote is NOT taken out: {no}"
        return completed_record(record, now, why)
    except RollbackError:
        return postponed_record(record, now)
    after = replace(record, answer={**record.answer, "position": encode_position(position)}, due_at=now)
    if not position.is_over:
        return after
    return completed_record(after, now, f"{rollback}: {erase.describe_erased_counts(position)}")


def build_repair_eraser(ports: Ports, policy: Policy, rollback: str, began_at: datetime) -> RepairEraser:
    """What takes out of a rollback that is over; whoever was erased before `began_at` was known."""
    ramp, leave = WriteRamp(0.0, ports.clock.monotonic()), partial(may_erase_now, ports, policy)
    return RepairEraser(ports, policy, rollback, began_at, ramp, leave, is_alone=False)


def may_erase_now(ports: Ports, policy: Policy) -> bool:
    """Whether no switch forbids it, and no other rollback may read the same copies."""
    is_taken = bool(StateReader(ports.store).system(policy.system).slot)
    return not is_taken and not is_change_blocked(ports, policy)
