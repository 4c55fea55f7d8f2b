"""What an order to take back would do now: to functions, and to the documents of repairs."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from responders.data.repair import preview
from responders.rollback.approval import DATA_APPROVAL_REASON, DATA_APPROVALS
from responders.rollback.decision.fact_collection import collect_facts
from responders.scenarios import undo_plan as reversal
from responders.scenarios.undo_targets import UndoTarget, collect_unpin_targets
from responders.support.parallel_calls import answer_or_none, call_all, call_in_batches
from responders.support.undoable_changes import moved_functions, repairs_with_writes
from shared.core import text
from shared.core.codec import decode, encode
from shared.core.durations import ceil_to_minute, floor_to_minute
from shared.core.errors import RollbackError, Unavailable
from shared.core.store import Store
from shared.domain.data.events.document_triggers import DocumentEvent
from shared.domain.data.repair import repair_plan as repair
from shared.domain.decision.facts import DecisionFacts, FunctionDifference
from shared.domain.decision.gate_evaluation import evaluate_reversal
from shared.domain.decision.gates.base import GateAnswer, Outcome
from shared.domain.deployments.build_recipe import BuiltFunction
from shared.domain.deployments.deployment import Inventory, counts_by_function
from shared.domain.incidents.incident import Incident, incident_path
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback import write_ramp
from shared.domain.rollback.plan import Plan, Step, add_report_line
from shared.domain.rollback.rollback import Direction, Rollback, RollbackRequest
from shared.domain.signals.health import sum_requests
from shared.engine.engine import load_steps
from shared.engine.steps.documents import erase, restore
from shared.ports.groups import Ports
from shared.state.reader import StateReader

SurveyedPiece = tuple[repair.RepairGoal, repair.RepairPosition]
"""A piece that a repair has gone through, and how far."""
REBUILD_WARNING: Final = "what is built again is not the artefact of old"


class UndoPreview(Struct, frozen=True):
    """What an order to take back would do now."""

    outcome: Outcome
    reason: str
    gates: tuple[GateAnswer, ...]
    reversal: reversal.UndoPlan
    takes: timedelta = timedelta()
    """How long documents are written."""

    @property
    def has_documents(self) -> bool:
        """Whether documents are among it."""
        return self.reversal.plan is not None and any(map(is_document_step, self.reversal.plan.steps))

    @property
    def document_lines(self) -> tuple[str, ...]:
        """What people read of those that are put back."""
        plan = self.reversal.plan
        said = plan.header.reported if plan is not None else ()
        return tuple(line for line in said if line not in self.reversal.reported)

    @property
    def required_approvals(self) -> int:
        """How many different people must want it, where it asks."""
        return DATA_APPROVALS if self.has_documents else 1


def preview_order(ports: Ports, policy: Policy, order: RollbackRequest) -> UndoPreview:
    """What would become of the order now, as it would be decided at first. Raises: Unavailable."""
    now = ports.clock.now()
    facts = collect_facts(ports, policy, now, list, "", writing=True).facts
    deadline = now + policy.gates.decide_within[Severity.LOW]
    return preview_from_facts(ports, policy, order, facts, deadline, now, "")


def preview_from_facts(
    ports: Ports,
    policy: Policy,
    order: RollbackRequest,
    facts: DecisionFacts,
    deadline: datetime,
    now: datetime,
    rollback: str,
) -> UndoPreview:
    """What the order does by these facts, and whether it may. Raises: Unavailable."""
    store, inventory = ports.store, facts.inventory or {}
    functions, repaired = _select_undo_targets(store, policy, order, inventory)
    answers = _read_rebuilt_functions(ports, policy, functions)
    built = {name: one for name, one in answers.items() if not isinstance(one, RollbackError)}
    unseen = answers.keys() - built.keys()
    allowed = evaluate_reversal(facts, policy, deadline, now, rollback)
    outcome, reason = allowed.outcome, allowed.reason
    if outcome is Outcome.ROLLBACK and unseen:
        outcome = Outcome.HOLD if now < deadline else Outcome.ESCALATE
        reason = f"no answer about what is deployed: {text.join_names(sorted(unseen))}"
    seen = {name: one for name, one in functions.items() if name not in unseen}
    planned = reversal.plan_undo(policy, inventory, seen, order.target, built)
    pieces = {name: _repaired_pieces(store, name) for name in repaired}
    documents = _build_restore_steps(policy, pieces, facts)
    planned = reversal.add_document_steps(planned, documents, policy, order.target)
    takes = timedelta(seconds=write_ramp.ramp_seconds(sum(one.goal.get("documents", 0) for one in documents)))
    rolled_back, again = _find_removed_revisions(store, policy, order, planned.shown, inventory)
    if planned.plan is not None and again:
        failed = describe_failures(ports, policy, rolled_back, [one.function for one in again], inventory)
        names = text.join_names([revision for one in again for revision in one.target])
        warning = f"warning: this restores what the rollback removed: {failed} on {names}"
        planned = replace(planned, plan=add_report_line(planned.plan, warning), warning=warning)
    worked = UndoPreview(outcome, reason, allowed.answers, planned, takes)
    if outcome is not Outcome.ROLLBACK:
        return worked
    unknown = preview.find_unknown_trigger_reason(facts)
    if worked.has_documents and unknown:
        outcome = Outcome.HOLD if now < deadline else Outcome.ESCALATE
        return replace(worked, outcome=outcome, reason=unknown)
    starts = preview.find_triggered_targets(
        policy, _count_undo_writes(chain.from_iterable(pieces.values())), facts
    )
    return _build_preview(policy, order, worked, starts)


def _find_removed_revisions(
    store: Store,
    policy: Policy,
    order: RollbackRequest,
    shown: list[FunctionDifference],
    inventory: Inventory,
) -> tuple[list[Rollback], list[FunctionDifference]]:
    """Find what would serve again although a rollback removed it, and those rollbacks."""
    reader = StateReader(store)
    if order.way is Direction.UNDO:
        return reader.rollbacks(decode(Incident, store.get(incident_path(order.incident)).fields)), shown
    pins = {pin.function: pin for pin in reader.pins(policy.system)}
    made = {
        one.function: [inventory[one.function].revision(name) for name in one.target]
        for one in shown
        if one.function in inventory and one.function in pins
    }
    old = [name for name, found in made.items() if any(x and x.created_at < pins[name].since for x in found)]
    named = [*filter(None, map(reader.rollback, dict.fromkeys(pins[name].rollback for name in old)))]
    return named if len(named) == 1 else [], [one for one in shown if one.function in old]


def describe_failures(
    ports: Ports,
    policy: Policy,
    rollbacks: Iterable[Rollback],
    functions: Iterable[str],
    inventory: Inventory,
) -> str:
    """Return how many requests to these functions failed until the first rollback's last shift.

    It counts whole minutes, so both ends are rounded outward.
    """
    counted = None
    for one in rollbacks:
        ended_at = one.shifted_at or one.ended_at or one.started_at
        if counted is None and one.baseline is not None and ended_at is not None:
            window = floor_to_minute(one.baseline.until), ceil_to_minute(ended_at)
            read = partial(ports.system(policy.system).metrics.requests, *window)
            counted = answer_or_none(call_all(ports, {"metrics": read})["metrics"])
    requests = counts_by_function(counted or {}, inventory)
    found = sum_requests(requests[name] for name in functions if name in requests)
    failed = f"{found.failed:,} of {found.total:,}" if found.total else "an unknown number of"
    return f"{failed} requests failed"


def _build_preview(
    policy: Policy, order: RollbackRequest, worked: UndoPreview, starts: Iterable[preview.TriggeredTarget]
) -> UndoPreview:
    """What may be done, where there is a plan for it; what moves documents or builds is asked."""
    found = worked.reversal
    if found.plan is None:
        reason = "; ".join(found.refused) or f"nothing is left to {order.way}"
        return replace(worked, outcome=Outcome.ESCALATE, reason=reason)
    if not worked.has_documents:
        if not found.rebuilt:
            return worked
        return replace(worked, outcome=Outcome.ASK, reason=REBUILD_WARNING)
    plan = found.plan
    for line in (*_format_document_counts(plan), *map(str, starts), *preview.format_fence_lines(policy)):
        plan = add_report_line(plan, line)
    worked = replace(worked, reversal=replace(found, plan=plan))
    why_not = preview.find_fence_duration_obstacle(policy, worked.takes) or preview.find_trigger_obstacle(
        policy, starts
    )
    if why_not:
        return replace(worked, outcome=Outcome.ESCALATE, reason=why_not)
    return replace(worked, outcome=Outcome.ASK, reason=DATA_APPROVAL_REASON)


def _format_document_counts(plan: Plan) -> Iterator[str]:
    """How many documents of each repair are put back, at most: what was written since stays."""
    for step in plan.steps:
        if step.kind == restore.KIND:
            goal = decode(restore.RestoreGoal, step.goal)
            yield f"{text.count_noun(goal.documents, 'document')} that {goal.rollback} has written"


def is_document_step(step: Step) -> bool:
    """Whether a step moves documents."""
    return step.kind in (restore.KIND, erase.KIND)


def _select_undo_targets(
    store: Store, policy: Policy, order: RollbackRequest, inventory: Inventory
) -> tuple[dict[str, UndoTarget], list[str]]:
    if order.way is Direction.UNDO:
        incident = decode(Incident, store.get(incident_path(order.incident)).fields)
        return moved_functions(store, incident), repairs_with_writes(store, incident)
    named = (one for one in StateReader(store).pins(policy.system) if one.function in order.functions)
    return collect_unpin_targets(named, inventory), []


def _read_rebuilt_functions(
    ports: Ports, policy: Policy, functions: Mapping[str, UndoTarget]
) -> dict[str, BuiltFunction | RollbackError | None]:
    """What ours have built again, as it is now; None: it is gone."""
    found = ports.system(policy.system).builder.find_function
    calls = {name: partial(found, name) for name, one in functions.items() if one.builds}
    return {**dict.fromkeys(calls, Unavailable("there was no time to ask")), **call_in_batches(ports, calls)}


def _build_restore_steps(
    policy: Policy, repaired: Mapping[str, list[SurveyedPiece]], facts: DecisionFacts
) -> list[Step]:
    steps: list[Step] = []
    for name, pieces in repaired.items():
        started = preview.find_triggered_targets(policy, _count_undo_writes(pieces), facts)
        names = tuple(sorted({one.name for one in started}))
        [database, *_] = [*(goal.database for goal, _ in pieces), policy.integrity.database]
        documents = sum(preview.count_written_documents(position.fates) for _, position in pieces)
        goal = restore.RestoreGoal(name, database, documents, names)
        step = Step(f"put back {name}", restore.KIND, "documents", goal=encode(goal))
        steps.append(replace(step, after=(steps[-1].name,) if steps else ()))
    if steps and policy.erasure is not None:
        steps.append(preview.build_erasure_step(policy, steps))
    return steps


def _repaired_pieces(store: Store, repaired: str) -> list[SurveyedPiece]:
    steps = (one for one in load_steps(store, repaired).values() if one.kind == repair.KIND)
    return [
        (decode(repair.RepairGoal, one.goal), repair.decode_position(one.operation or one.seen))
        for one in steps
    ]


def _count_undo_writes(pieces: Iterable[SurveyedPiece]) -> preview.DocumentWriteCounts:
    made, removed = DocumentEvent.CREATED, DocumentEvent.DELETED
    for goal, position in pieces:
        was = preview.count_document_events(position.fates)
        yield goal, {**was, made: was[removed], removed: was[made]}
