"""Decide one incident under the lease: gather the facts, ask the gates, freeze the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from msgspec.structs import replace

from responders.rollback.approval import described, parked
from responders.rollback.case import Case, Transition
from responders.rollback.completion import ended
from responders.rollback.decision.fact_collection import Gathered, gather
from responders.rollback.decision.plan import CANNOT_FIT, counted, people_needed, prepared
from responders.rollback.decision.resource_collection import survey
from responders.rollback.session_revocation import VERB, with_plan
from responders.scenarios.registry import SCENARIOS
from responders.scenarios.resource_plan import ResourceState
from responders.support.parallel_calls import ANSWER_SECONDS, Hold, ask_all, no_lease, or_none
from shared.core import text, topics
from shared.core.codec import decode, encode
from shared.core.store import Create, Write, written
from shared.domain.commands.command import as_gcloud, as_shell
from shared.domain.decision import forecast
from shared.domain.decision.facts import Facts, FunctionDifference, differences
from shared.domain.decision.forecast import Outlook
from shared.domain.decision.gate_evaluation import Decision, approved, evaluate, evaluate_order
from shared.domain.decision.gates.base import Outcome
from shared.domain.decision.request_scope import ordered_change
from shared.domain.deployments.deployment import by_function
from shared.domain.incidents.incident import IncidentStatus, was_escalated
from shared.domain.policy.model import Policy, ScenarioName
from shared.domain.policy.signals import BREACH
from shared.domain.rollback import plan as plans
from shared.domain.rollback.plan import Plan
from shared.domain.rollback.rollback import Order, Question, RollbackStatus, in_favour
from shared.domain.signals import baseline, probe_signals
from shared.domain.signals.baseline import Baseline
from shared.domain.signals.probe_signals import ProbeRecord
from shared.domain.system import Budget, System
from shared.ports.groups import Ports


def decide(case: Case) -> bool:
    """Whether the worker goes on with this rollback now; otherwise it was let go."""
    target = case.rollback.order.target if case.rollback.order else ""
    gathered = gather(
        case.ports, case.policy, case.now(), case.joined_alerts, case.rollback.id, target
    )
    if case.raised(gathered.alerts):
        return True
    decision = _decision(case, gathered.facts)
    decision, plan = planned(
        case.ports,
        case.policy,
        gathered.facts,
        decision,
        case.rollback.order,
        expired=case.now() >= case.decide_by,
        hold=case.hold_for,
    )
    if plan is not None and case.policy.resources.identity:
        plan = _told_of_sessions(plan, ends=_ends_sessions(case, gathered))
    shown = differences(decision.change, gathered.facts.inventory or {}) if plan else []
    needed = people_needed(case.policy, decision, plan.steps if plan else ())
    if plan is not None and decision.outcome is Outcome.ASK:
        people = in_favour(case.rollback, plan.header.fingerprint, needed)
        enough = len(people) >= needed
        decision = approved(decision, people.values()) if enough else decision
    told = {
        "outcome": decision.outcome,
        "scenario": decision.scenario,
        "target": decision.target,
        "gates": [encode(answer) for answer in decision.answers],
    }
    if case.rollback.overrides:
        told["overridden"] = [encode(answer) for answer in decision.overridden]
    match decision.outcome:
        case Outcome.HOLD:
            return not case.take(held(case, decision.reason, told))
        case Outcome.ROLLBACK if plan is not None:
            before = _baseline(case, gathered.facts, decision)
            case.take(_going_back(case, gathered, decision, plan, before, told))
            return True
        case Outcome.ASK if plan is not None:
            question = Question(plan.header, needed, decision.reason, case.now())
            turn = parked(case, question, shown, counted(plan, len(shown)), told)
        case _:
            turn = _let_go(case, decision, plan, shown, told)
    return not case.end(turn, answered={alert.key for alert in gathered.alerts})


def _baseline(case: Case, facts: Facts, decision: Decision) -> Baseline:
    """Return what routers and probes saw of the plan's functions in the hour before the onset.

    A service without an answer leaves its part unknown. Probe results are stored for half an hour,
    so they cover the last part.
    """
    onset = facts.onset if facts.alerts else case.now()
    window = baseline.before(onset, decision.change.functions.values())
    ports, system = case.ports, case.policy.system
    case.hold_for(ANSWER_SECONDS)
    answers = ask_all(
        ports,
        {
            "metrics": partial(ports.system(system).metrics.requests, *window),
            "probes": partial(ports.store.get, probe_signals.probes_path(system)),
        },
    )
    counted, probes = or_none(answers["metrics"]), or_none(answers["probes"])
    looks = decode(ProbeRecord, probes.fields).looks if probes and probes.fields is not None else {}
    requests = None
    if counted is not None:
        everything = by_function(counted, facts.inventory or {})
        requests = {name: one for name, one in everything.items() if name in decision.scope}
    return baseline.recorded(window, requests, looks)


def planned(
    ports: Ports,
    policy: Policy,
    facts: Facts,
    decision: Decision,
    order: Order | None,
    *,
    expired: bool = True,
    hold: Hold = no_lease,
) -> tuple[Decision, Plan | None]:
    """The decision as its plan makes it, and that plan, over what is live now.

    Raises: Unavailable, when our own store does not tell what was recorded; as `hold`.
    """
    sight = seen_beside(ports, policy, decision, order, hold)
    return prepared(policy, facts, decision, sight, order, expired=expired)


def seen_beside(
    ports: Ports,
    policy: Policy,
    decision: Decision,
    order: Order | None,
    hold: Hold = no_lease,
) -> ResourceState | None:
    """What lies beside the functions, where the decision's plan is about that.

    Raises: as `planned`.
    """
    named = order is not None and bool(order.groups or order.functions)
    whole = not (named and decision.scenario is ScenarioName.FEATURE)
    looks = decision.outcome not in (Outcome.HOLD, Outcome.OBSERVE, Outcome.IGNORE)
    target = decision.target if looks and whole else ""
    return survey(ports, policy, decision.scenario, target, hold)


def _decision(case: Case, facts: Facts) -> Decision:
    rollback, policy, now, deadline = case.rollback, case.policy, case.now(), case.decide_by
    order = rollback.order
    if order is None:
        return evaluate(facts, policy, deadline, now, rollback.id)
    return evaluate_order(
        facts,
        policy,
        ordered_change(order, facts, policy),
        deadline,
        now,
        rollback.id,
        scenario=order.scenario,
        override=order.override,
    )


def _going_back(
    case: Case,
    gathered: Gathered,
    decision: Decision,
    plan: Plan,
    before: Baseline,
    told: Mapping[str, Any],
) -> Transition:
    """Freeze the plan and take the system's slot, in one commit, before any effect."""
    now, rollback = case.now(), case.rollback
    automatic = rollback.order is None
    pace = gathered.facts.pace
    ahead = forecast.outlook(plan.steps, case.policy, order=rollback.order, left=pace, now=now)

    def slot_taken(system: System) -> System | None:
        if system.slot not in ("", rollback.id):
            return None
        cooling = now + case.policy.gates.cool_down if automatic else system.cool_down_until
        return replace(system, slot=rollback.id, cool_down_until=cooling)

    return Transition(
        event="rollback.decided",
        note=f"going back to {decision.target}: {counted(plan, len(decision.scope))}",
        details=_before(plan, ahead),
        facts={
            **told,
            "plan": plan.header.fingerprint,
            "reported": plan.header.reported,
            "forecast": str(ahead),
            "before": encode(before),
        },
        changes={
            "status": RollbackStatus.RUNNING,
            "plan": plan.header,
            "baseline": before,
            "gates": tuple(told["gates"]),
            "overrides": tuple(
                replace(one, skipped=tuple(told["overridden"])) for one in rollback.overrides
            ),
        },
        status=IncidentStatus.ROLLING_BACK,
        writes=(
            *case.absorbing(gathered.alerts),
            *step_writes(case, plan),
            *(_spent(gathered, case) if automatic else ()),
            *((with_plan(rollback, case.policy, now),) if _ends_sessions(case, gathered) else ()),
        ),
        system=slot_taken,
    )


def _before(plan: Plan, ahead: Outlook) -> tuple[str, ...]:
    """What people read of a plan before it begins: how long it takes, and what it leaves alone."""
    said = any(line.startswith(CANNOT_FIT) for line in plan.header.reported)
    return (*(() if said else (str(ahead),)), *text.first_lines(plan.header.reported))


def _ends_sessions(case: Case, gathered: Gathered) -> bool:
    """Whether everybody has to sign in again: somebody may have got in."""
    breached = any(alert.signal == BREACH for alert in gathered.alerts)
    return breached and case.policy.resources.identity


def _told_of_sessions(plan: Plan, *, ends: bool) -> Plan:
    """The plan, which says what becomes of sessions where that matters."""
    if ends:
        return plans.reporting(plan, "every session of before it begins ends with it")
    if plan.header.scenario is not ScenarioName.AUTH:
        return plan
    return plans.reporting(plan, f"sessions stay; `rollback {VERB}` ends every one of them")


def step_writes(case: Case, plan: Plan) -> Iterable[Write]:
    """The plan's steps, each a document that must not be there yet."""
    for step in plan.steps:
        expiring = replace(step, expires_at=case.rollback.expires_at)
        yield Create(plans.step_path(case.rollback.id, step.name), encode(expiring))


def _spent(gathered: Gathered, case: Case) -> tuple[Write, ...]:
    """One automatic rollback more in the global budget, unless somebody spent it since."""
    now = case.now()
    hour_ago = now - timedelta(hours=1)
    starts = (*(start for start in gathered.facts.budget.starts if start > hour_ago), now)
    fields = encode(Budget(starts))
    return (written(gathered.budget, fields),)


def held(case: Case, reason: str, told: Mapping[str, Any]) -> Transition:
    """Look again later: what is not known yet may be known then."""
    first = case.incident.status is IncidentStatus.DETECTED
    return Transition(
        event="decision.held",
        note=reason,
        facts=told,
        changes={
            "due_at": case.look_after(case.policy.gates.judge_every),
            "gates": tuple(told["gates"]),
            "lease": None,
        },
        status=IncidentStatus.INVESTIGATING if first else None,
        say=False,
    )


def _let_go(
    case: Case,
    decision: Decision,
    plan: Plan | None,
    shown: Sequence[FunctionDifference],
    told: Mapping[str, Any],
) -> Transition:
    """The turn that acts on nothing: over, or escalated with what was prepared."""
    if decision.outcome in (Outcome.OBSERVE, Outcome.IGNORE):
        rollback = case.rollback
        waits = rollback.order is None and was_escalated(case.incident, rollback.created_at)
        note = f"no action: {decision.reason}"
        return Transition(
            event="rollback.escalated" if waits else "rollback.not-taken",
            note=f"{note}; a person is needed still" if waits else note,
            choices=("retry", "accept") if waits else (),
            facts=told,
            changes={
                **ended(case, RollbackStatus.NOT_TAKEN, decision.reason),
                "gates": tuple(told["gates"]),
            },
            status=IncidentStatus.ESCALATED if waits else IncidentStatus.RESOLVED,
        )
    reason = decision.reason
    if decision.outcome in (Outcome.ROLLBACK, Outcome.ASK):
        reason = f"there is no plan of the scenario {decision.scenario}"
    command = _prepared_command(case, decision)
    ways = (as_shell(command), as_gcloud(topics.COMMANDS, command))
    prepared: dict[str, Any] = {"prepared_command": ways[1], "prepared_shell": ways[0]}
    lines: tuple[str, ...] = ()
    if plan is not None:
        prepared |= {"plan": plan.header.fingerprint, "difference": shown}
        back = f"prepared: back to {plan.header.target}, {counted(plan, len(shown))}"
        lines = (back, *described(shown), *plan.header.reported)
    return Transition(
        event="rollback.escalated",
        note=f"a person is needed: {reason}",
        details=(*lines, *ways),
        facts={**told, **prepared},
        changes={
            **ended(case, RollbackStatus.NOT_TAKEN, reason),
            "gates": tuple(told["gates"]),
            "scenario": decision.scenario,
        },
        status=IncidentStatus.ESCALATED,
    )


def _prepared_command(case: Case, decision: Decision) -> dict[str, Any]:
    """The one command by which a person does what was prepared, and no more than was ordered."""
    order = case.rollback.order or Order(command="", actor="", reason="")
    limits = {
        "groups": order.groups,
        "functions": decision.scope if decision.change.left else order.functions,
        "batch_size": order.batch_size,
        "delay_seconds": order.delay_seconds,
    }
    return {
        "command": "rollback",
        "system": case.policy.system,
        **({"scenario": decision.scenario} if decision.scenario in SCENARIOS else {}),
        "target": decision.target or order.target,
        **{name: limit for name, limit in limits.items() if limit},
        "reason": case.incident.id,
    }
