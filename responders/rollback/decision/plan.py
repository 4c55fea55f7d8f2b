"""What a decision leads to: the plan of its scenario, at once or once people have agreed."""

from msgspec.structs import replace

from responders.scenarios import capacity, functions
from responders.scenarios.registry import SCENARIOS, has_plan
from responders.scenarios.resource_plan import (
    PlanParts,
    Portion,
    ResourceState,
    exclude_manual_changes,
    join_plans,
)
from shared.domain.decision import forecast
from shared.domain.decision.facts import DecisionFacts
from shared.domain.decision.gate_evaluation import Decision, require_approval
from shared.domain.decision.gates.base import Outcome
from shared.domain.decision.scenario_scope import SCENARIO_SCOPES
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.gate_limits import Rebuilds
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import OVERLONG_PLAN_PREFIX, Plan, add_report_line, freeze_plan
from shared.domain.rollback.rollback import RollbackRequest
from shared.engine.steps.resource_differences import describe_steps, is_resource

SECURITY_APPROVAL_REASON = "older rules and settings of identity can reopen a hole"


def prepare_plan(
    policy: Policy,
    facts: DecisionFacts,
    decision: Decision,
    sight: ResourceState | None,
    order: RollbackRequest | None = None,
    *,
    expired: bool = True,
    severity: Severity = Severity.CRITICAL,
) -> tuple[Decision, Plan | None]:
    """The decision as its plan makes it, and the plan that it leads to or leaves to a person.

    What needs a person's word in any case goes into the plan where people are asked anyway, or
    have agreed in advance; else it is named by the plan, and a further plan asks for it.
    """
    leads = decision.outcome in (Outcome.ROLLBACK, Outcome.ASK)
    left = decision.outcome is Outcome.ESCALATE and (decision.scope or sight is not None)
    if not (leads or left) or not has_plan(decision.scenario) or facts.inventory is None:
        return decision, None
    target = decision.change.target
    made = functions.plan_functions(
        policy,
        facts.inventory,
        decision.change,
        decision.scope,
        may_rebuild=decision.outcome is Outcome.ASK or policy.gates.rebuilds is Rebuilds.ACT,
        record=facts.records.get(target.id) if target is not None else None,
        seen=facts.seen,
    )
    made = capacity.add_capacity(made, policy, facts.inventory, target)
    if sight is None:
        header = replace(made.header, scenario=decision.scenario)
        return decision, _add_duration_warning(replace(made, header=header), policy, order, severity)
    sight, theirs = exclude_manual_changes(sight, facts.system.suspended if order is None else {})
    part = Portion(made.steps, (*theirs, *made.header.reported))
    decision, plan = _prepare_resource_plan(policy, decision, part, sight, order, expired=expired)
    return decision, _add_duration_warning(plan, policy, order, severity) if plan is not None else None


def _prepare_resource_plan(
    policy: Policy,
    decision: Decision,
    part: Portion,
    sight: ResourceState,
    order: RollbackRequest | None,
    *,
    expired: bool,
) -> tuple[Decision, Plan | None]:
    """As `prepare_plan`, of a scenario that is about more than functions; `part` is theirs."""
    halves = SCENARIOS[decision.scenario](policy, part, sight)
    if order is not None and order.rest:
        halves = PlanParts(asks=halves.asks)
    if decision.outcome is Outcome.ROLLBACK:
        wait = bool(unread_parts(decision.scenario, sight)) and not expired
        decision = _adjust_decision_to_parts(policy, decision, halves, order, wait=wait)
    together = decision.outcome is not Outcome.ROLLBACK or _is_preapproved(policy, order)
    chosen = join_plans(halves.acts, halves.asks) if together else halves.acts
    if not chosen.steps:
        return decision, None
    others = () if together else tuple(step.name for step in halves.asks.steps)
    lines = (*(f"{name}: asked about next" for name in others), *chosen.reported)
    plan = freeze_plan(decision.scenario, decision.target, chosen.steps, policy.fingerprint, lines)
    return decision, replace(plan, header=replace(plan.header, asks=others))


def _add_duration_warning(
    plan: Plan, policy: Policy, order: RollbackRequest | None, severity: Severity
) -> Plan:
    """Add a warning if the plan does not fit its time, even with the whole quota."""
    ahead = forecast.forecast_duration(plan.steps, policy, plan.header.scenario, severity, order=order)
    return plan if ahead.fits else add_report_line(plan, f"{OVERLONG_PLAN_PREFIX}: {ahead}")


def describe_plan_size(plan: Plan, shown: int) -> str:
    """What a plan brings back, in words."""
    return describe_steps(shown, [step.name for step in plan.steps if is_resource(step)])


def _adjust_decision_to_parts(
    policy: Policy, decision: Decision, halves: PlanParts, order: RollbackRequest | None, *, wait: bool
) -> Decision:
    if halves.acts.steps or (halves.asks.steps and _is_preapproved(policy, order)):
        return decision
    if halves.asks.steps:
        return require_approval(decision, SECURITY_APPROVAL_REASON)
    said = join_plans(halves.acts, halves.asks).reported
    if not said and order is not None and not order.rest:
        reason = "everything asked for is at its target already"
        return replace(decision, outcome=Outcome.IGNORE, reason=reason)
    reason = "; ".join(("there is nothing that can be brought back", *said[:5]))
    return replace(decision, outcome=Outcome.HOLD if wait else Outcome.ESCALATE, reason=reason)


def unread_parts(scenario: ScenarioName, sight: ResourceState) -> list[InventoryPart]:
    """The parts beside the functions that a scenario brings back, and that gave no answer."""
    return [
        part
        for part in sorted(SCENARIO_SCOPES[scenario].other_parts)
        if getattr(sight.live, part) is None and getattr(sight.recorded, part) is not None
    ]


def _is_preapproved(policy: Policy, order: RollbackRequest | None) -> bool:
    """Return whether rules and sign-in settings need no approval: by the policy, or an override."""
    return not policy.gates.security_approval or (order is not None and order.override)
