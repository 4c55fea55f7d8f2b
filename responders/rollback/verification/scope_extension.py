"""The extension of a plan: by a roll-out that goes on, by an order, or by what fails besides."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial

from msgspec.structs import replace

from responders.rollback.case import Case, Transition
from responders.rollback.decision.rollback_decision import build_step_writes
from responders.rollback.outcome_summary import restores_function
from responders.scenarios import capacity, functions
from responders.scenarios.function_steps import FunctionStepBuilder
from responders.support.parallel_calls import (
    CALL_TIMEOUT_SECONDS,
    answer_or_none,
    call_all,
    require_answer,
    select_named,
)
from shared.core import text
from shared.core.codec import FrozenStruct, decode
from shared.domain.decision.facts import ChangeSet, compare_traffic
from shared.domain.decision.rebuild_selection import add_rebuilds, unrestorable_functions
from shared.domain.decision.request_scope import requested_functions
from shared.domain.deployments.deployment import (
    Deployment,
    DeploymentStatus,
    Inventory,
    counts_from_services,
    deployment_path,
    record_path,
)
from shared.domain.deployments.images import StoredImages, exclude_lost_images, repositories
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.deployments.inventory.inventory_parts import FunctionState, WholeInventory
from shared.domain.deployments.inventory.traffic import Service
from shared.domain.deployments.restorability import find_functions_without_secrets
from shared.domain.deployments.source_copies import carry_over_copies
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.policy.gate_limits import Rebuilds
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy, service_of
from shared.domain.rollback.plan import Plan, PlanHeader, Step, StepStatus, extend_plan, freeze_plan
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.signals.alert import Alert, open_alerts
from shared.domain.signals.failure_evidence import (
    FALSE_FURTHER_ALARMS,
    assess_failures,
    list_areas,
    spread_failure,
)
from shared.domain.signals.health import has_failed
from shared.domain.system_record import System, system_path
from shared.state.reader import StateReader

EXTENSIBLE_SCENARIOS = (ScenarioName.FUNCTIONS, ScenarioName.COMPLETE)
"""Scenarios that are about every function; the others leave a roll-out elsewhere alone."""
NARROW_SCENARIOS = (ScenarioName.FUNCTIONS, ScenarioName.FEATURE)
"""Scenarios that restore what fails, and more where that did not help."""
MAX_EXTENSIONS = 3
"""A roll-out that is not over after so many looks is left to a person."""


def find_ongoing_rollout(case: Case) -> Deployment | None:
    """The roll-out that began before the trouble and has not settled; None: there is none.

    Only automation follows one: what a person ordered or approved is what they were shown.
    """
    if not case.rollback.is_extensible(EXTENSIBLE_SCENARIOS):
        return None
    rolling = [
        one
        for one in StateReader(case.ports.store).every_deployment(case.policy.system)
        if one.status is DeploymentStatus.ROLLING_OUT and one.at <= case.incident.detected_at
    ]
    return max(rolling, key=lambda one: one.at, default=None)


def find_further_alerts(case: Case, steps: Iterable[Step]) -> list[Alert]:
    """Return the open alerts about further functions of the release: an extension restores them."""
    if not case.rollback.is_extensible(NARROW_SCENARIOS):
        return []
    alerts = [alert for alert in open_alerts(case.read_alerts()) if alert.function]
    records = _list_released(case) if alerts else []
    further = {name for record in records for name in record.changed_functions}
    further -= {step.target for step in steps}
    signals = case.policy.signals
    return [
        alert
        for alert in alerts
        if alert.function in further and signals[alert.signal].scenario in NARROW_SCENARIOS
    ]


def extend_by_failures(case: Case, steps: Collection[Step]) -> bool:
    """Return whether an automatic plan now restores further functions that fail as well.

    One function after another of a bad release gets the requests that prove its failure: all since
    its newest change. Where these could not be read, nothing is added. Raises: as `extend_scope`.
    """
    planned, policy = {step.target for step in steps}, case.policy
    if not case.rollback.is_extensible(NARROW_SCENARIOS):
        return False
    changes = (record.changed_at or record.at for record in _list_released(case))
    since, metrics = max(changes, default=case.incident.detected_at), case.ports.system(policy.system).metrics
    case.extend_lease(CALL_TIMEOUT_SECONDS)
    answers = call_all(case.ports, {"requests": partial(metrics.requests, since, case.now())})
    counted = answer_or_none(answers["requests"])
    counts = counts_from_services(counted or {}, {name: service_of(name) for name in policy.functions})
    evidence = assess_failures(policy, counts)
    proven = evidence.failing | {
        name
        for name in evidence.broken
        if has_failed(evidence.counts[name], evidence.level, FALSE_FURTHER_ALARMS)
    }
    if not proven - planned:
        return False
    further = spread_failure(list_areas(policy), {*proven}, evidence) - planned
    return extend_scope(case, None, steps, further)


def _list_released(case: Case) -> list[Deployment]:
    """Return the recorded deployments that the rollback takes back."""
    plan, started_at = case.rollback.plan, case.rollback.started_at
    if plan is None or started_at is None:
        return []
    records = StateReader(case.ports.store).every_deployment(case.policy.system)
    back_to = next((record.at for record in records if record.id == plan.target), started_at)
    return [record for record in records if back_to < record.at <= started_at]


def extend_scope(
    case: Case, rolling: Deployment | None, steps: Iterable[Step], failing: Collection[str] = ()
) -> bool:
    """Whether the plan now tells what becomes of what a roll-out has changed, or people have added.

    Steps are added, none is done again. What may not or cannot go back is in the plan too, as steps
    that are never begun: the rollback fails with them in its list. What is in a person's hands is
    left.
    Raises: Unavailable, when what is live could not be read; as LeasedRollback.commit.
    """
    header, order = case.rollback.plan, case.rollback.extension
    if header is None or not (order or rolling or failing):
        return False
    wanted = requested_functions(order, case.policy) if order is not None else {*failing}
    planned = {step.target for step in steps}
    is_followed = not (order or failing)
    addition = _build_additional_plan(case, header, rolling if is_followed else None, planned, wanted)
    if case.rollback.extension != order:  # somebody has ordered more meanwhile
        return True
    why = f"{rolling.id} goes on" if rolling is not None else "further functions fail"
    why = f"added by {order.actor}" if order is not None else why
    if addition is not None:
        case.commit_transition(_build_extension_transition(case, why, header, addition))
    elif order is not None:
        note = f"{why}: everything is at its target already"
        case.commit_transition(Transition("plan.not-extended", note, changes={"extension": None}, say=False))
    return bool(addition or order)


def _build_extension_transition(case: Case, why: str, header: PlanHeader, addition: Plan) -> Transition:
    """The longer plan takes the place of the one before, and its new steps are there."""
    plan = extend_plan(header, addition)
    left = {step.target for step in plan.steps if step.status is StepStatus.SKIPPED}
    more = {step.target for step in plan.steps if restores_function(step)} - left
    has_doubled = len(plan.header.changed).bit_length() > len(header.changed).bit_length()
    stay = f", {text.count_noun(len(left), 'stays as it is', 'stay as they are')}" if left else ""
    said = addition.header.reported
    count = text.count_noun(len(more), "further function")
    return Transition(
        event="plan.extended",
        note=f"{why}: {count} back to {header.target}{stay}",
        details=(
            *([", ".join(sorted(more)[:10])] if more else []),
            *text.first_lines([line for line in said if line not in header.reported]),
        ),
        facts={
            "functions": sorted(more),
            "left": sorted(left),
            "plan": plan.header.fingerprint,
            "before": header.fingerprint,
        },
        changes={
            "status": RollbackStatus.RUNNING,
            "plan": plan.header,
            "shifted_at": None,
            "extension": None,
            **dict.fromkeys(("confirmed_at", "verified_at", "watch_until", "failing_since", "ill_since")),
        },
        system=partial(_take_slot, case.rollback.id, more),
        status=IncidentStatus.ROLLING_BACK,
        occasion=f"-{plan.header.extensions}",
        say=has_doubled or not header.extensions or case.rollback.extension is not None,
        writes=tuple(build_step_writes(case, plan)),
    )


def _take_slot(rollback: str, restored: set[str], system: System) -> System | None:
    if system.slot not in ("", rollback):
        return None
    restored = restored.union(system.cool_down_functions)
    return replace(system, slot=rollback, cool_down_functions=tuple(sorted(restored)))


def _build_additional_plan(
    case: Case, header: PlanHeader, rolling: Deployment | None, planned: set[str], wanted: set[str]
) -> Plan | None:
    """The plan over what the roll-out, else what is wanted, has changed beyond `planned`.

    None: there is no more. What a person has changed by hand goes back by a person's order alone.
    """
    policy, looked = case.policy, _compare_with_target(case, header.target, planned)
    if looked is None:
        return None
    change = looked.change
    further = set(change.functions) - planned
    if rolling is None:
        further &= wanted
    started_at = case.rollback.started_at
    if case.rollback.extension is None and started_at is not None:
        # What was changed until then is judged by what fails, and later changes by their roll-out.
        later = {name for name in further if change.functions[name] > started_at}
        further = later if rolling is not None else further - later
    if case.rollback.extension is None:
        further -= _functions_under_manual_control(case, looked)
    if not further:
        return None
    barrier = rolling.id if rolling is not None and rolling.barrier else ""
    if rolling is None and change.target is not None:
        every, since = StateReader(case.ports.store).every_deployment(policy.system), change.target.at
        barrier = next((one.id for one in every if one.barrier and one.at > since), "")
    limited = rolling is not None and header.extensions >= MAX_EXTENSIONS
    left = _exclusion_reasons(policy, barrier, looked, further, limited=limited)
    more = further - left.keys()
    case.extend_lease(CALL_TIMEOUT_SECONDS)
    made = functions.plan_functions(
        policy,
        looked.inventory,
        replace(
            change,
            functions={name: change.functions[name] for name in more},
            served_by={},
            rebuilt=change.rebuilt & more,
        ),
        more,
        may_rebuild=policy.gates.rebuilds is Rebuilds.ACT,
        record=looked.record,
        seen=looked.seen,
    )
    made = capacity.add_capacity(made, policy, looked.inventory, change.target)
    ways = FunctionStepBuilder(looked.inventory, change, policy.execution, looked.seen, may_rebuild=False)
    stay = [
        replace(step, status=StepStatus.SKIPPED, note=f"it {why}", ended_at=case.now())
        for name, why in sorted(left.items())
        for step in ways.build_steps(name, ())
    ]
    return freeze_plan(
        made.header.scenario,
        made.header.target,
        (*made.steps, *stay),
        policy.fingerprint,
        (*(f"{name} {why}: left as it is" for name, why in sorted(left.items())), *made.header.reported),
    )


def _exclusion_reasons(
    policy: Policy, barrier: str, looked: _RolloutComparison, further: set[str], *, limited: bool
) -> dict[str, str]:
    """Why each of these functions stays as it is; what is not named goes back."""
    if barrier:
        return dict.fromkeys(further, f"lies behind a barrier of {barrier}")
    if limited:
        return dict.fromkeys(further, f"was reached after {MAX_EXTENSIONS} extensions")
    change = looked.change
    lost = further & set(unrestorable_functions(change, looked.inventory)) - change.rebuilt
    if looked.record is not None:
        lost |= further & {name for name, _ in find_functions_without_secrets(looked.record, looked.seen)}
    if policy.gates.rebuilds is Rebuilds.ASK:
        lost |= further & change.rebuilt
    return dict.fromkeys(lost, "has lost what it starts from")


class _RolloutComparison(FrozenStruct):
    """What is live, and how it differs from the target; as the first plan was made from it."""

    inventory: Inventory
    change: ChangeSet
    record: WholeInventory | None
    seen: WholeInventory


def _compare_with_target(case: Case, target: str, planned: set[str]) -> _RolloutComparison | None:
    """What differs from the target now, and what of it only a rebuild brings back.

    A revision whose image is known to be gone is none that one can go back to. None: the target is
    on record no more. Raises: Unavailable; as LeasedRollback.commit.
    """
    ports, policy = case.ports, case.policy
    platform = ports.system(policy.system).platform
    fields = ports.store.get(deployment_path(policy.system, target)).fields
    if fields is None:
        return None
    case.extend_lease(CALL_TIMEOUT_SECONDS)
    answers = call_all(ports, {"inventory": platform.inventory, "functions": platform.functions})
    inventory: Inventory = require_answer(answers["inventory"])
    before = _last_inventory(case)
    seen = carry_over_copies(replace(before, functions=require_answer(answers["functions"])), before)
    change = compare_traffic(decode(Deployment, fields), inventory, (), policy)
    inventory = exclude_lost_images(inventory, _read_stored_images(case, change, inventory, planned))
    kept = ports.store.get(record_path(policy.system, target)).fields
    record = stocks.unpack_inventory(kept["live"]) if kept else None
    if record is not None and record.functions is not None:
        change = add_rebuilds(change, inventory, record.functions, seen)
    return _RolloutComparison(inventory, change, record, seen)


def _read_stored_images(
    case: Case, change: ChangeSet, inventory: Inventory, planned: set[str]
) -> StoredImages:
    """What lies where the images of the revisions lie that would be gone back to."""
    then = change.target.functions if change.target is not None else {}
    images = [
        revision.image
        for function in set(change.functions) - planned
        for revision in inventory[function].revisions
        if revision.name in then[function].revisions
    ]
    stored = case.ports.system(case.policy.system).resources.images.list_images
    calls = {f"images {one}": partial(stored, one) for one in repositories(images)}
    case.extend_lease(CALL_TIMEOUT_SECONDS)
    return select_named(call_all(case.ports, calls), "images ")


def _functions_under_manual_control(case: Case, looked: _RolloutComparison) -> set[str]:
    """What is in a person's hands, or was led elsewhere by one."""
    system = case.ports.store.get(system_path(case.policy.system)).decode(System)
    until_when = (*system.chosen.items(), *system.suspended.items())
    in_hand = {name for name, until in until_when if until > case.now()}
    before = _last_inventory(case).function_states
    return in_hand | {
        name
        for name in looked.change.functions.keys() & looked.inventory.keys()
        if _is_traffic_moved(before.get(name), looked.inventory[name].service)
    }


def _last_inventory(case: Case) -> WholeInventory:
    """What was live at the last look; nothing is known before the first one."""
    fields = case.ports.store.get(stocks.inventory_path(case.policy.system)).fields
    return stocks.decode(fields).live if fields else WholeInventory()


def _is_traffic_moved(looked_at: FunctionState | None, service: Service) -> bool:
    """Whether somebody has moved the requests since the last look, and deployed nothing.

    No roll-out does that, and no look has yet told automation to leave the function alone.
    """
    if looked_at is None or looked_at.latest != service.latest_ready:
        return False
    return looked_at.traffic != service.traffic
