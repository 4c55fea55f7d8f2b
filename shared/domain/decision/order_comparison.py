"""The comparison of an order with the rollback under way: is it part of it or wider?"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec.structs import replace

from shared.core.codec import FrozenStruct, decode
from shared.core.store import Document, Query, Reader
from shared.core.text import count_noun
from shared.domain import system_record as systems
from shared.domain.commands.credential import SERVICE_ACCOUNT_RIGHT
from shared.domain.decision.request_scope import requested_functions
from shared.domain.decision.scenario_scope import SCENARIO_SCOPES
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.incidents import incident as incidents
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback import rollback as rollbacks
from shared.domain.rollback.hold import describe_hold
from shared.domain.rollback.plan import ENDED_STEP_STATUSES, Step, StepStatus, unreached_steps
from shared.domain.rollback.rollback import (
    ENDED_ROLLBACK_STATUSES,
    Direction,
    Rollback,
    RollbackRequest,
    RollbackStatus,
)
from shared.domain.system_record import System


class OrderRelation(StrEnum):
    """What an order is to the rollback under way."""

    JOINS = "joins"
    EXTENDS = "extends"
    """It names more, back to the same target."""
    REPEATS = "repeats"
    """All that it names has gone back, and is monitored."""
    CONFLICTS = "conflicts"


_DIRECTION_TEXTS = {
    Direction.BACK: ("restored", "on the bad release", "rolled back"),
    Direction.UNDO: ("undone", "rolled back", "undone"),
    Direction.REPAIR: ("repaired", "as they are", "repaired"),
    Direction.UNPIN: ("unpinned", "pinned", "unpinned"),
}
"""What is done to functions, how those stay that it does not reach; the same of other things."""


class OrderComparison(FrozenStruct):
    """What an order is to the rollback under way, and what would end with that rollback."""

    incident: str
    rollback: str
    relation: OrderRelation
    joins: str
    """What becomes of the order as a part of the rollback; empty: it is none."""
    ends: tuple[str, ...]
    """Why it is none, what superseding would end, and what would stay undone; one line each."""
    undone: tuple[str, ...]
    """What neither the rollback nor the order would bring back then."""
    is_barred: bool = False
    """Whether the order may supersede none: a person ordered one, and a service account this."""

    def describe(self, *, supersedes: bool = False) -> tuple[str, ...]:
        """Return what the order does to the rollback, as lines of a question."""
        return (self.joins,) if self.joins and not supersedes else self.ends


def compare_with_current(reader: Reader, policy: Policy, order: RollbackRequest) -> OrderComparison | None:
    """Relate an order to the rollback under way; None: none. It joins one, or supersedes all."""
    record = reader.get(systems.system_path(policy.system))
    system = systems.decode_system(record.fields, policy.system)
    switches = decode(systems.Controls, reader.get(systems.GLOBAL_CONTROLS_PATH).fields or {})
    found = []
    for document in read_open_rollbacks(reader, system):
        current = decode(Rollback, document.fields)
        steps = [decode(Step, one.fields) for one in reader.query(Query(f"rollbacks/{current.id}/steps"))]
        hold = describe_hold(switches, system, current, record.read_at)
        found.append(_compare_order(policy, order, current, steps, hold))
    if not found:
        return None
    found.sort(key=lambda one: (not one.joins, one.rollback != system.slot))
    return replace(
        found[0],
        ends=tuple(line for one in found for line in one.ends),
        undone=tuple(dict.fromkeys(name for one in found for name in one.undone)),
        is_barred=any(one.is_barred for one in found),
    )


def read_open_rollbacks(reader: Reader, system: System) -> list[Document]:
    """Return the rollbacks of open incidents that have not ended, those of the newest first."""
    found = []
    for name in system.open_incidents:
        number = (reader.get(incidents.incident_path(name)).fields or {})["rollbacks"]
        document = reader.get(rollbacks.rollback_path(incidents.rollback_id(name, number)))
        if document.fields is not None and document.fields["status"] not in ENDED_ROLLBACK_STATUSES:
            found.append(document)
    return found


def _compare_order(
    policy: Policy, order: RollbackRequest, current: Rollback, steps: Sequence[Step], hold: str
) -> OrderComparison:
    effects = [one for one in steps if one.writes and not one.instead_of]
    unreached = [one for one in unreached_steps({one.name: one for one in steps}) if one.writes]
    earlier = [one for one in (current.order, current.extension) if one is not None]
    planned = {one.target for one in effects} & policy.functions.keys()
    covered = planned.union(*(requested_functions(one, policy) for one in earlier))
    planned = planned or (covered if current.way in (Direction.BACK, Direction.UNPIN) else set[str]())
    named, (word, stay, other) = requested_functions(order, policy), _DIRECTION_TEXTS[current.way]
    going_on = {one.target for one in unreached if one.status not in ENDED_STEP_STATUSES}
    lost = {one.target: one.note for one in unreached if one.target in named - going_on}
    relation, reason = _relate_order(policy, order, current, is_wider=not named <= covered, lost=lost)
    pending = [one for one in unreached if one.status is StepStatus.PENDING]
    left = {one.target if one.target in planned else one.name for one in pending}
    left = left if steps else (planned or {"its whole scope"})
    asks = current.plan.asks if current.plan is not None else ()
    elsewhere = named if order.way is current.way is Direction.BACK else set()
    undone = [name for name in dict.fromkeys((*sorted(left), *asks)) if name not in elsewhere]
    done = f"{len(planned - {one.target for one in unreached})} of {count_noun(len(planned), 'function')}"
    if not planned:
        done = f"{sum(one not in unreached for one in effects)} of {count_noun(len(effects), 'step')}"
    progress = "; ".join(filter(None, (_describe_progress(current, f"{done} {word}"), hold)))
    joins, count = "", len(named)
    if relation is OrderRelation.EXTENDS:
        joins = f"what differs beyond {count_noun(len(planned), 'function')} is added to {current.incident}"
    elif relation is OrderRelation.JOINS:
        part = f"{count} of {count_noun(count, 'function')} {'is' if count == 1 else 'are'}"
        part = part if order.groups or order.functions else "everything that the order names is"
        joins = f"{part} already part of {current.incident}: nothing more to do"
    by_person = any(one.actor and one.right != SERVICE_ACCOUNT_RIGHT for one in earlier)
    if is_barred := order.right == SERVICE_ACCOUNT_RIGHT and by_person:
        cancel = f"`rollback cancel {current.incident}` first, or wait for its end"
        reason = f"a service account supersedes no order of a person: {cancel}"
    ends = [*filter(None, (reason,)), f"{current.incident} would end: {progress}"]
    if functions := [name for name in undone if name in planned]:
        counted = f"{len(functions)} of {count_noun(len(planned), 'function')}"
        ends.append(f"{counted} would stay {stay}: {', '.join(functions)}")
    if others := [name for name in undone if name not in planned]:
        ends.append(f"not {other} either: {', '.join(others)}")
    return OrderComparison(
        incident=current.incident,
        rollback=current.id,
        relation=relation,
        joins=joins and f"{joins} ({progress}); follow with `rollback watch {current.incident}`",
        ends=tuple(ends),
        undone=tuple(undone),
        is_barred=is_barred,
    )


def _relate_order(
    policy: Policy, order: RollbackRequest, current: Rollback, *, is_wider: bool, lost: Mapping[str, str]
) -> tuple[OrderRelation, str]:
    """Return what an order is to a rollback, and why it is no part of it."""
    reason = _find_conflict(order, current, current.order or RollbackRequest(command="", actor="", reason=""))
    shown = current.status in (RollbackStatus.PARKED, RollbackStatus.WATCHING)
    if is_wider and (shown or order.scenario in policy.gates.four_eyes) and not reason:
        reason = "the order names more than people have seen of the rollback"
    if lost and not reason:
        why = ", ".join(f"{name} ({note})" for name, note in sorted(lost.items()))
        reason = f"the rollback could not restore {why}: order that again once {current.incident} has ended"
    if current.status is RollbackStatus.WATCHING and not reason:
        return OrderRelation.REPEATS, "what the order names has changed since the rollback"
    if reason:
        return OrderRelation.CONFLICTS, reason
    return OrderRelation.EXTENDS if is_wider else OrderRelation.JOINS, ""


def _find_conflict(order: RollbackRequest, current: Rollback, before: RollbackRequest) -> str:
    """Return why an order is neither part of a rollback nor wider than it; empty: it is."""
    target = current.plan.target if current.plan is not None else ""
    scenario = current.plan.scenario if current.plan is not None else before.scenario
    if current.cancel_requested:
        return f"the rollback stops: {current.cancel_requested}"
    if order.way is not current.way:
        return "the order goes another direction"
    if before.rest or (current.plan is None and current.order is None):
        asked = f"waits for approval (`rollback approve {current.incident}`)"
        return f"the rollback {asked if current.is_awaiting_approval else 'is not decided yet'}"
    if order.override and not before.override:
        return "the order is an emergency override"
    if (order.select, order.restore_point) != (before.select, before.restore_point):
        return "the order is about other documents"
    if order.target not in (target, before.target):
        return f"the order has another target: {order.target}, not {target or before.target}"
    if not _scenario_parts(order.scenario, order) <= _scenario_parts(scenario, current.order):
        return f"the order is about another scenario: {order.scenario}, not {scenario}"
    return ""


def _scenario_parts(scenario: ScenarioName, order: RollbackRequest | None) -> frozenset[InventoryPart]:
    """Return what an order is about; of a feature its functions, or if it names none the rest."""
    scope, functions = SCENARIO_SCOPES[scenario], frozenset({InventoryPart.FUNCTIONS})
    if order is None or scenario is not ScenarioName.FEATURE:
        return scope.acts | scope.asks
    return functions if order.groups or order.functions else scope.acts - functions


def _describe_progress(current: Rollback, restored: str) -> str:
    if current.is_awaiting_approval:
        return f"its rollback waits for approval: `rollback approve {current.incident}`"
    match current.status:
        case RollbackStatus.DECIDING:
            return "its rollback is not decided yet"
        case RollbackStatus.WATCHING:
            return f"its rollback is monitored until {current.watch_until:%H:%M} UTC"
    return restored
