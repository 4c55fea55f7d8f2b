"""The comparison of an order with the rollback under way: is it part of it or wider?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from shared.core.codec import decode
from shared.core.store import Query, Reader
from shared.domain import system_record as systems
from shared.domain.commands.credential import SERVICE_ACCOUNT_RIGHT
from shared.domain.decision.request_scope import requested_functions
from shared.domain.decision.scenario_scope import SCENARIO_SCOPES
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback import rollback as rollbacks
from shared.domain.rollback.plan import Step, StepStatus
from shared.domain.rollback.rollback import (
    ENDED_ROLLBACK_STATUSES,
    Direction,
    Rollback,
    RollbackRequest,
    RollbackStatus,
)


class OrderRelation(StrEnum):
    """What an order is to the rollback under way."""

    JOINS = "joins"
    """All of it goes back already."""
    EXTENDS = "extends"
    """It names more, back to the same target."""
    REPEATS = "repeats"
    """All of it has gone back, and is monitored."""
    CONFLICTS = "conflicts"


class OrderComparison(Struct, frozen=True):
    """What an order is to the rollback under way, and what would end with that rollback."""

    incident: str
    rollback: str
    relation: OrderRelation
    reason: str
    """Why the order is no part of it; empty: it is."""
    progress: str
    """How far the rollback has come."""
    is_asking: bool
    """Whether its plan waits for approval."""
    ordered_by_person: bool
    """Whether neither automation nor a service account began it."""
    planned: tuple[str, ...]
    """The functions that it is about; empty: it is not decided yet."""
    named: tuple[str, ...]
    """The functions that the order names; empty: all that its scenario is about."""
    undone: tuple[str, ...]
    """What neither it nor the order would bring back, if the order superseded it."""

    @property
    def is_joined(self) -> bool:
        """Whether the order becomes part of the rollback, unless it supersedes it."""
        return self.relation in (OrderRelation.JOINS, OrderRelation.EXTENDS)

    def describe(self) -> list[str]:
        """Return what the order would do to the rollback under way, one line each."""
        return (
            [self.describe_join()]
            if self.is_joined
            else [*filter(None, (self.reason,)), *self.describe_end()]
        )

    def describe_join(self) -> str:
        """Return what becomes of the order without superseding anything."""
        follow = f"{self.progress}; follow with `rollback watch {self.incident}`"
        if self.relation is OrderRelation.EXTENDS:
            more = f"what differs beyond {_count_functions(len(self.planned))}"
            return f"{more} is added to {self.incident}; {follow}"
        count = len(self.named)
        named = f"{count} of {_count_functions(count)} {'is' if count == 1 else 'are'}"
        part = named if count else "everything that the order names is"
        return f"{part} already part of {self.incident}: nothing more to do; {follow}"

    def describe_end(self) -> list[str]:
        """Return what superseding it would end, and what would stay undone, one line each."""
        lines = [f"{self.incident} would end: {self.progress}"]
        functions = [name for name in self.undone if name in self.planned]
        if functions:
            counted = f"{len(functions)} of {_count_functions(len(self.planned))}"
            lines.append(f"{counted} would stay on the bad release: {', '.join(functions)}")
        if len(functions) < len(self.undone):
            others = (name for name in self.undone if name not in self.planned)
            lines.append(f"not rolled back either: {', '.join(others)}")
        return lines


def compare_with_current(reader: Reader, policy: Policy, order: RollbackRequest) -> OrderComparison | None:
    """Return what an order is to the rollback under way of its system; None: there is none."""
    system = systems.decode_system(reader.get(systems.system_path(policy.system)).fields, policy.system)
    fields = reader.get(rollbacks.rollback_path(system.rollback)).fields if system.open_incident else None
    if fields is None:
        return None
    current = decode(Rollback, fields)
    if current.status in ENDED_ROLLBACK_STATUSES:
        return None
    steps = [decode(Step, one.fields) for one in reader.query(Query(f"rollbacks/{current.id}/steps"))]
    return compare_order(policy, order, current, steps)


def compare_order(
    policy: Policy, order: RollbackRequest, current: Rollback, steps: Sequence[Step]
) -> OrderComparison:
    """Return what an order is to a rollback that has not ended."""
    ours, theirs = requested_functions(order, policy), _planned_functions(policy, current, steps)
    pending = [one for one in _effects(steps) if one.status is StepStatus.PENDING]
    left = [one.target if one.target in policy.functions else one.name for one in pending]
    left = left if steps else sorted(theirs)
    covered = ours if order.way is Direction.BACK else set()
    asked = current.plan.asks if current.plan is not None else ()
    reason, by = _find_conflict(order, current), current.order
    relation = OrderRelation.CONFLICTS if reason else OrderRelation.JOINS
    if not reason and not ours <= _covered_functions(policy, current, theirs):
        relation = OrderRelation.EXTENDS
        if current.status is RollbackStatus.PARKED or order.scenario in policy.gates.four_eyes:
            relation, reason = OrderRelation.CONFLICTS, "it names more than people were asked about"
    if not reason and current.status is RollbackStatus.WATCHING:
        relation = OrderRelation.REPEATS
    return OrderComparison(
        incident=current.incident,
        rollback=current.id,
        relation=relation,
        reason=reason,
        progress=_describe_progress(current, theirs, steps),
        is_asking=current.status is RollbackStatus.PARKED,
        ordered_by_person=by is not None and bool(by.actor) and by.right != SERVICE_ACCOUNT_RIGHT,
        planned=tuple(sorted(theirs)),
        named=tuple(sorted(ours)) if order.groups or order.functions else (),
        undone=tuple(name for name in dict.fromkeys((*left, *asked)) if name not in covered),
    )


def _effects(steps: Iterable[Step]) -> list[Step]:
    """Return the steps that change something, without those that stand in for others."""
    return [one for one in steps if one.writes and not one.instead_of]


def _planned_functions(policy: Policy, current: Rollback, steps: Iterable[Step]) -> set[str]:
    """Return the functions that a rollback is about, as far as that is decided or ordered."""
    planned = {step.target for step in steps} & policy.functions.keys()
    ordered = current.plan is None and current.order is not None
    return planned or (_covered_functions(policy, current, ()) if ordered else set())


def _covered_functions(policy: Policy, current: Rollback, planned: Collection[str]) -> set[str]:
    """Return the functions of which nothing more is to be done once the rollback has succeeded."""
    orders = [one for one in (current.order, *current.additions) if one is not None]
    return {*planned}.union(*(requested_functions(one, policy) for one in orders))


def _find_conflict(order: RollbackRequest, current: Rollback) -> str:
    """Return why an order is neither part of a rollback nor wider than it; empty: it is."""
    before = current.order or RollbackRequest(command="", actor="", reason="")
    target = current.plan.target if current.plan is not None else ""
    scenario = current.plan.scenario if current.plan is not None else before.scenario
    if current.cancel_requested:
        return f"the rollback stops: {current.cancel_requested}"
    if order.way is not current.way:
        return "the order goes another direction"
    if before.rest or (current.plan is None and current.order is None):
        asked = current.status is RollbackStatus.PARKED
        return "the rollback waits for approval" if asked else "the rollback is not decided yet"
    if order.override and not before.override:
        return "the order is an emergency override"
    if (order.select, order.restore_point) != (before.select, before.restore_point):
        return "the order is about other documents"
    if order.target not in (target, before.target):
        return f"the order has another target: {order.target}, not {target or before.target}"
    if not _parts(order.scenario, order) <= _parts(scenario, current.order):
        return f"the order is about another scenario: {order.scenario}, not {scenario}"
    return ""


def _parts(scenario: ScenarioName, order: RollbackRequest | None) -> frozenset[InventoryPart]:
    """Return what a scenario is about; a feature that names functions is about these alone."""
    named = order is not None and (order.groups or order.functions)
    scope = SCENARIO_SCOPES[
        ScenarioName.FUNCTIONS if named and scenario is ScenarioName.FEATURE else scenario
    ]
    return scope.acts | scope.asks


def _describe_progress(current: Rollback, planned: set[str], steps: Sequence[Step]) -> str:
    match current.status:
        case RollbackStatus.DECIDING:
            return "its rollback is not decided yet"
        case RollbackStatus.PARKED:
            return "its rollback waits for approval"
        case RollbackStatus.WATCHING:
            return f"its rollback is monitored until {current.watch_until:%H:%M} UTC"
    waiting = {one.target for one in _effects(steps) if one.status is not StepStatus.DONE}
    return f"{len(planned - waiting)} of {_count_functions(len(planned))} restored"


def _count_functions(count: int) -> str:
    return f"{count} function" if count == 1 else f"{count} functions"
