"""The data half of a rollback: people are asked about documents once the code half has ended."""

from datetime import datetime

from msgspec.structs import replace

from responders.data.document_check import read_known_damage
from responders.data.restore_points import read_available_points
from responders.rollback.case import Case
from responders.support.parallel_calls import MAX_TOTAL_SECONDS
from shared.core.codec import FrozenStruct
from shared.core.durations import floor_to_minute
from shared.core.errors import Refused, Rejected, Unavailable
from shared.domain.data.backups.restore_point import RestorePoint, RestoreSource
from shared.domain.data.integrity.damage import CORRUPTION_SIGNAL, IntegrityRecord
from shared.domain.data.repair.quarantine import NO_BUCKET_REASON
from shared.domain.data.repair.repair_plan import SelectionKind
from shared.domain.decision.forecast import describe_copy_time
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.signals import BREACH_SIGNAL
from shared.domain.rollback.rollback import Direction, RollbackRequest, RollbackStatus
from shared.state.reader import StateReader


class DataHalf(FrozenStruct):
    """What follows for the documents after the code half."""

    line: str
    order: RollbackRequest | None = None
    """What people are asked about; None: nothing, and the line says why."""
    is_urgent: bool = False
    """Whether a check knows the damage: then the question waits for no monitoring."""


def find_data_half(case: Case, *, begins: bool = False) -> DataHalf | None:
    """Return what follows a code half of automation; None: nothing. Raises: Unavailable."""
    policy, order, incident = case.policy, case.rollback.order, case.incident
    signals = {one.signal for one in case.read_alerts()} & policy.signals.keys()
    scenarios, is_breach = {policy.signals[one].scenario for one in signals}, BREACH_SIGNAL in signals
    if not (is_breach or ScenarioName.DATABASE in scenarios) or not policy.gates.data_question:
        return None
    past = StateReader(case.ports.store).rollbacks(incident)
    moved = [one for one in past if one.started_at and one.way is Direction.BACK][-1:]
    done = {one.id for one in moved if one.status is RollbackStatus.SUCCEEDED} | {case.rollback.id}
    has_begun = begins or any(one.id in done for one in moved)
    if (order and not order.rest) or not has_begun or any(one.way is Direction.REPAIR for one in past):
        return None
    record = read_known_damage(case.ports, policy)[1]
    damaged = record.last_valid_at if record.open_findings else None
    valid_at = damaged or (floor_to_minute(incident.onset_at) if is_breach else None)
    try:
        select, point = _select_documents(case, record), _find_point(case, valid_at)
    except (Refused, Rejected) as no:
        return DataHalf(f"no approval is requested for documents: {no}")
    when = "next" if damaged is not None else "if a check then finds invalid documents"
    line = f"two people must approve documents ({select}) {when}, back to {point or 'before the damage'}"
    asks = RollbackRequest("", "", f"the documents of {incident.id}", ScenarioName.DATABASE, rest=True)
    asks = replace(asks, way=Direction.REPAIR, select=select, restore_point=point.name if point else "")
    return DataHalf(line, asks, is_urgent=damaged is not None)


def _select_documents(case: Case, record: IntegrityRecord) -> str:
    """Return which documents are restored. Raises: Refused, where none can be."""
    dropped = sorted(record.last.dropped) if record.last is not None else []
    if not case.policy.collections:
        raise Refused("the policy declares no collections")
    if case.ports.buckets.quarantine is None:
        raise Refused(NO_BUCKET_REASON)
    if CORRUPTION_SIGNAL in record.open_findings or not dropped:
        return SelectionKind.INVALID
    if len(dropped) > 1:
        raise Refused(f"documents are missing in {', '.join(dropped)}: restore each collection by itself")
    return f"{SelectionKind.COLLECTION}:{dropped[0]}"


def _find_point(case: Case, valid_at: datetime | None) -> RestorePoint | None:
    """Return the newest point before the damage; None: not known now. Raises: Refused, Rejected."""
    if valid_at is None:
        raise Refused("no check has found invalid or missing documents")
    case.extend_lease(MAX_TOTAL_SECONDS)
    try:
        kept = read_available_points(case.ports, case.policy, case.policy.integrity.database)
    except Unavailable:  # whoever prepares the question reads it again
        return None
    if found := kept.find_point(valid_at):
        return found
    older = (one for one in (*kept.backups, *kept.copies) if one.is_verified and one.at <= valid_at)
    best = max(older, key=lambda one: (one.at, one.source is RestoreSource.COPY), default=None)
    if best is None:
        raise Refused(f"no restore point before {valid_at:%Y-%m-%d %H:%M} UTC is known")
    if best.source is not RestoreSource.COPY:
        takes = describe_copy_time(case.policy, best, kept)
        raise Refused(f"{best} must be copied first ({takes}); then order the restoration from the copy")
    return best
