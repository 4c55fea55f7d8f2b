"""Decide one incident under the lease: gather the facts, ask the gates, freeze the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from msgspec.structs import replace

from responders.case import Case, Turn, in_words
from responders.scenarios import functions
from shared import incident as incidents
from shared import plan as plans
from shared import rollback as rollbacks
from shared import topics
from shared.alert_record import Alert
from shared.command import as_gcloud
from shared.deployment import Deployment, Inventory, by_function
from shared.documents import decode, encode
from shared.errors import RollbackError
from shared.facts import Change, Facts, changed, compare
from shared.gates import Decision, Outcome, evaluate, evaluate_order
from shared.health import ProbeAnswer
from shared.plan import Plan
from shared.policy import ScenarioName
from shared.ports import Create, Document, Query, Update, Write
from shared.rollback import Order
from shared.system import BUDGET, GLOBAL, Budget, Controls, System

BUILT = frozenset({ScenarioName.FUNCTIONS})
"""Scenarios that can be carried out; the others escalate with their plan named."""
METRICS_WINDOW = timedelta(minutes=5)
"""Points come up to 3 minutes late; the two minutes before say something."""


def decide(case: Case) -> bool:
    """Whether the worker goes on with this rollback now; otherwise it was let go."""
    mine = ("", case.rollback.id)
    joined = case.joined_alerts()
    alerts = [alert for alert in joined if alert.is_open and alert.absorbed_by in mine]
    facts = gather(case, alerts)
    decision, change = _decision(case, facts)
    case.raise_severity(case.policy.signals[alert.signal].severity for alert in alerts)
    told = {
        "outcome": decision.outcome,
        "scenario": decision.scenario,
        "target": decision.target,
        "gates": [encode(answer) for answer in decision.answers],
    }
    absorbed = case.absorbing(alerts)
    if decision.outcome is Outcome.HOLD:
        case.take(_held(case, decision, told))
        return False
    if decision.outcome is Outcome.ROLLBACK and decision.scenario in BUILT:
        return _roll_back(case, facts, decision, change, absorbed, told)
    case.take(_let_go(case, decision, absorbed, told))
    return False


def gather(case: Case, alerts: Iterable[Alert]) -> Facts:
    """Everything that the gates ask about, each read once; what gave no answer is None.

    Raises: Unavailable, when our own store does not tell of deployments, systems or the budget.
    """
    store, policy, now = case.ports.store, case.policy, case.now()
    platform, metrics = case.ports.platform(policy.system), case.ports.metrics(policy.system)
    asked = {
        f"probe {probe.name}": partial(case.ports.prober.ask, probe) for probe in policy.probes
    }
    ours = (("system", "==", policy.system),)
    answers = case.ask_all(
        {
            "controls": lambda: store.get(GLOBAL),
            "budget": lambda: store.get(BUDGET),
            "systems": lambda: store.query(Query("systems")),
            "deployments": lambda: store.query(Query("deployments", where=ours)),
            "inventory": platform.inventory,
            "metrics": lambda: metrics.requests(now - METRICS_WINDOW, now),
            **asked,
        }
    )
    inventory: Inventory | None = _or_none(answers["inventory"])
    counted = _or_none(answers["metrics"])
    known = {one.name: one for one in _all(System, _answered(answers["systems"]))}
    deployments = _all(Deployment, _answered(answers["deployments"]))
    return Facts(
        alerts=tuple(alert.fact() for alert in alerts),
        system=known.pop(policy.system),
        controls=_switch(answers["controls"]),
        budget=_value(Budget, _answered(answers["budget"])),
        deployments=tuple(sorted(deployments, key=lambda one: one.at, reverse=True)),
        inventory=inventory,
        requests=None if inventory is None or counted is None else by_function(counted, inventory),
        probes={
            name.removeprefix("probe "): answers[name]
            for name in asked
            if isinstance(answers[name], ProbeAnswer)
        },
        other_incidents={
            name: other.incident_detected_at
            for name, other in known.items()
            if other.incident_detected_at and not other.incident_ended_at
        },
    )


def _decision(case: Case, facts: Facts) -> tuple[Decision, Change]:
    rollback, policy, now = case.rollback, case.policy, case.now()
    deadline = rollback.decide_by or now
    if rollback.order is None:
        return evaluate(facts, policy, deadline, now, rollback.id), changed(facts, policy)
    change = ordered_change(rollback.order, facts, case)
    decision = evaluate_order(facts, policy, change, deadline, now, rollback.id)
    return decision, change


def ordered_change(order: Order, facts: Facts, case: Case) -> Change:
    """What differs from the deployment that a person named, over what they named of it."""
    everything = changed(facts, case.policy)
    if order.target != "last-stable":
        named = next((one for one in facts.deployments if one.id == order.target), None)
        everything = (
            compare(named, facts.inventory, facts.deployments, case.policy)
            if named is not None and facts.inventory is not None
            else Change(named, {})
        )
    wanted = {
        function
        for function, group in case.policy.functions.items()
        if not (order.groups or order.functions)
        or group in order.groups
        or function in order.functions
    }
    return replace(
        everything,
        functions={name: at for name, at in everything.functions.items() if name in wanted},
    )


def _roll_back(
    case: Case,
    facts: Facts,
    decision: Decision,
    change: Change,
    absorbed: tuple[Write, ...],
    told: Mapping[str, Any],
) -> bool:
    """Freeze the plan and take the system's slot, in one commit, before any effect."""
    if facts.inventory is None:
        raise ValueError("no rollback is decided without an inventory")
    plan = functions.plan(case.policy, facts.inventory, change, decision.scope)
    now, rollback = case.now(), case.rollback
    automatic = rollback.order is None

    def begun(system: System) -> System:
        cooling = now + case.policy.gates.cool_down if automatic else system.cool_down_until
        return replace(system, slot=rollback.id, cool_down_until=cooling)

    return case.take(
        Turn(
            event="rollback.decided",
            note=f"going back to {decision.target}: {len(change.functions)} functions",
            facts={**told, "plan": plan.header.fingerprint, "reported": plan.header.reported},
            changes={
                "status": rollbacks.Status.RUNNING,
                "plan": plan.header,
                "gates": tuple(told["gates"]),
            },
            status=incidents.Status.ROLLING_BACK,
            writes=(
                *absorbed,
                *_frozen(case, plan),
                *(_spent(case, facts.budget, now) if automatic else ()),
            ),
            system=begun,
        )
    )


def _frozen(case: Case, plan: Plan) -> Iterable[Write]:
    """The plan's steps, each a document that must not be there yet."""
    expires = case.rollback.expires_at
    for step in plan.steps:
        kept = replace(step, expires_at=expires)
        yield Create(plans.path(case.rollback.id, step.name), encode(kept))


def _spent(case: Case, budget: Budget, now: datetime) -> tuple[Write, ...]:
    """One automatic rollback more in the global budget, unless somebody spent it since."""
    hour_ago = now - timedelta(hours=1)
    starts = (*(start for start in budget.starts if start > hour_ago), now)
    document = case.ports.store.get(BUDGET)
    fields = encode(Budget(starts))
    if document.fields is None:
        return (Create(BUDGET, fields),)
    return (Update(BUDGET, fields, document.version),)


def _let_go(
    case: Case, decision: Decision, absorbed: tuple[Write, ...], told: Mapping[str, Any]
) -> Turn:
    """The turn that acts on nothing: parked for a person, escalated, or over."""
    now, system_name = case.now(), case.policy.system
    command = as_gcloud(
        topics.COMMANDS,
        {
            "command": "rollback",
            "system": system_name,
            "target": decision.target or "last-stable",
            "reason": case.incident.id,
        },
    )
    turn = Turn(
        event="rollback.not-taken",
        note=f"no action: {decision.reason}",
        facts=told,
        changes={
            "status": rollbacks.Status.NOT_TAKEN,
            "outcome": decision.reason,
            "gates": tuple(told["gates"]),
            "ended_at": now,
            "due_at": None,
            "lease": None,
        },
        status=incidents.Status.RESOLVED,
        writes=absorbed,
        system=case.closed,
    )
    if decision.outcome in (Outcome.OBSERVE, Outcome.IGNORE):
        return turn
    prepared = {**told, "prepared_command": command}
    if decision.outcome is Outcome.ASK:
        expires = case.policy.gates.approval_expires
        waiting = {"status": rollbacks.Status.PARKED, "due_at": now + expires, "ended_at": None}
        return replace(
            turn,
            event="rollback.parked",
            note=f"a person is asked: {decision.reason}; expires in {in_words(expires)}",
            facts=prepared,
            changes={**turn.changes, **waiting},
            status=incidents.Status.INVESTIGATING,
            system=None,
        )
    reason = decision.reason
    if decision.outcome is Outcome.ROLLBACK:
        reason = f"the scenario {decision.scenario} is not built yet"
    return replace(
        turn,
        event="rollback.escalated",
        note=f"a person is needed: {reason}",
        facts=prepared,
        changes={**turn.changes, "outcome": reason},
        status=incidents.Status.ESCALATED,
        system=None,
    )


def _held(case: Case, decision: Decision, told: Mapping[str, Any]) -> Turn:
    """Look again later: what is not known yet may be known then."""
    first = case.incident.status is incidents.Status.DETECTED
    return Turn(
        event="decision.held",
        note=decision.reason,
        facts=told,
        changes={
            "due_at": case.now() + case.policy.gates.judge_every,
            "gates": tuple(told["gates"]),
            "lease": None,
        },
        status=incidents.Status.INVESTIGATING if first else None,
        say=False,
    )


def expire(case: Case) -> bool:
    """End a rollback that waited for a person until its time was over: nothing is done."""
    case.take(
        Turn(
            event="rollback.expired",
            note="nobody decided in time: nothing was done",
            changes={
                "status": rollbacks.Status.NOT_TAKEN,
                "outcome": "the question expired",
                "ended_at": case.now(),
                "due_at": None,
                "lease": None,
            },
            status=incidents.Status.ESCALATED,
        )
    )
    return False


def _or_none(answer: Any) -> Any:
    return None if isinstance(answer, RollbackError) else answer


def _answered(answer: Any) -> Any:
    if isinstance(answer, RollbackError):
        raise answer
    return answer


def _value(kind: type[Any], document: Document) -> Any:
    """The value of a document; the empty one when there is none."""
    return decode(kind, document.fields) if document.fields is not None else kind()


def _switch(answer: Document | RollbackError) -> Controls | None:
    """The global switch; None when it could not be read, which means stop."""
    if isinstance(answer, RollbackError):
        return None
    controls: Controls = _value(Controls, answer)
    return controls


def _all(kind: type[Any], documents: Iterable[Document]) -> list[Any]:
    return [decode(kind, document.fields) for document in documents]
