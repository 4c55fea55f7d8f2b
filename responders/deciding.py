"""Decide one incident under the lease: gather the facts, ask the gates, freeze the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from responders.asking import answered, ask_all, looking, or_none, seen
from responders.case import Case, Turn, in_words
from responders.ending import ended
from responders.joined import open_ones
from responders.scenarios import functions
from shared import plan as plans
from shared import topics
from shared.alert_record import Alert
from shared.command import as_gcloud
from shared.deployment import Deployment, Inventory, by_function
from shared.documents import decode, encode
from shared.errors import RollbackError
from shared.facts import Change, Facts, changed, compare
from shared.gates import Decision, Outcome, evaluate, evaluate_order
from shared.incident import Status
from shared.plan import Plan
from shared.policy import Policy, ScenarioName
from shared.ports import Create, Document, Query, Write, written
from shared.rollback import Order
from shared.rollback import Status as RollbackStatus
from shared.system import BUDGET, GLOBAL, Budget, Controls, System

BUILT = frozenset({ScenarioName.FUNCTIONS})
"""Scenarios that can be carried out; the others escalate with their plan named."""
METRICS_WINDOW = timedelta(minutes=5)
"""Points come up to 3 minutes late; the two minutes before say something."""
PARKED_LOOK = timedelta(minutes=1)
"""How soon an alert that joins a question to a person is seen."""


class Gathered(Struct, frozen=True):
    """The facts of one decision, and what its commit is conditional on."""

    facts: Facts
    alerts: tuple[Alert, ...]
    budget: Document


def decide(case: Case) -> bool:
    """Whether the worker goes on with this rollback now; otherwise it was let go."""
    gathered = gather(case)
    if case.raised(gathered.alerts):
        return True
    decision, change = _decision(case, gathered.facts)
    told = {
        "outcome": decision.outcome,
        "scenario": decision.scenario,
        "target": decision.target,
        "gates": [encode(answer) for answer in decision.answers],
    }
    match decision.outcome:
        case Outcome.HOLD:
            return not case.take(_held(case, decision, told))
        case Outcome.ROLLBACK if decision.scenario in BUILT:
            case.take(_going_back(case, gathered, decision, change, told))
            return True
    turn = _let_go(case, decision, told)
    return not case.end(turn, answered={alert.key for alert in gathered.alerts})


def gather(case: Case) -> Gathered:
    """Everything that the gates ask about, each read once; what gave no answer is None.

    Raises: Unavailable, when our own store does not tell of alerts, deployments, systems or the
    budget.
    """
    store, policy, now = case.ports.store, case.policy, case.now()
    metrics = case.ports.metrics(policy.system)
    ours = (("system", "==", policy.system),)
    answers = ask_all(
        case.ports,
        {
            "alerts": case.joined_alerts,
            "controls": lambda: store.get(GLOBAL),
            "budget": lambda: store.get(BUDGET),
            "systems": lambda: store.query(Query("systems")),
            "deployments": lambda: store.query(Query("deployments", where=ours)),
            "inventory": case.ports.platform(policy.system).inventory,
            **looking(case.ports, metrics, policy.probes, now - METRICS_WINDOW, now),
        },
    )
    joined: list[Alert] = answered(answers["alerts"])
    mine = [
        alert for alert in joined if alert.is_open and alert.absorbed_by in ("", case.rollback.id)
    ]
    still_open = open_ones(joined)
    inventory: Inventory | None = or_none(answers["inventory"])
    look = seen(answers)
    known = {one.name: one for one in _all(System, answered(answers["systems"]))}
    budget: Document = answered(answers["budget"])
    deployments = _all(Deployment, answered(answers["deployments"]))
    unreadable = inventory is None or look.requests is None
    facts = Facts(
        alerts=tuple(alert.fact(closed=alert not in still_open) for alert in mine),
        system=known.pop(policy.system),
        controls=_switch(answers["controls"]),
        budget=_value(Budget, budget),
        deployments=tuple(sorted(deployments, key=lambda one: one.at, reverse=True)),
        inventory=inventory,
        requests=None if unreadable else by_function(look.requests or {}, inventory or {}),
        probes=look.probes,
        other_incidents={
            name: other.incident_detected_at
            for name, other in known.items()
            if other.incident_detected_at and not other.incident_ended_at
        },
    )
    return Gathered(facts, tuple(mine), budget)


def _decision(case: Case, facts: Facts) -> tuple[Decision, Change]:
    rollback, policy, now = case.rollback, case.policy, case.now()
    deadline = rollback.decide_by or now
    if rollback.order is None:
        return evaluate(facts, policy, deadline, now, rollback.id), changed(facts, policy)
    change = ordered_change(rollback.order, facts, policy)
    return evaluate_order(facts, policy, change, deadline, now, rollback.id), change


def ordered_change(order: Order, facts: Facts, policy: Policy) -> Change:
    """What differs from the deployment that a person named, over what they named of it."""
    everything = changed(facts, policy)
    if order.target != "last-stable":
        named = next((one for one in facts.deployments if one.id == order.target), None)
        everything = (
            compare(named, facts.inventory, facts.deployments, policy)
            if named is not None and facts.inventory is not None
            else Change(named, {})
        )
    wanted = {
        function
        for function, group in policy.functions.items()
        if not (order.groups or order.functions)
        or group in order.groups
        or function in order.functions
    }
    return replace(
        everything,
        functions={name: at for name, at in everything.functions.items() if name in wanted},
        created=tuple(name for name in everything.created if name in wanted),
        deleted=tuple(name for name in everything.deleted if name in wanted),
    )


def _going_back(
    case: Case, gathered: Gathered, decision: Decision, change: Change, told: Mapping[str, Any]
) -> Turn:
    """Freeze the plan and take the system's slot, in one commit, before any effect."""
    if gathered.facts.inventory is None:
        raise ValueError("no rollback is decided without an inventory")
    plan = functions.plan(case.policy, gathered.facts.inventory, change, decision.scope)
    now, rollback = case.now(), case.rollback
    automatic = rollback.order is None

    def slot_taken(system: System) -> System | None:
        if system.slot not in ("", rollback.id):
            return None
        cooling = now + case.policy.gates.cool_down if automatic else system.cool_down_until
        return replace(system, slot=rollback.id, cool_down_until=cooling)

    return Turn(
        event="rollback.decided",
        note=f"going back to {decision.target}: {len(change.functions)} functions",
        facts={**told, "plan": plan.header.fingerprint, "reported": plan.header.reported},
        changes={
            "status": RollbackStatus.RUNNING,
            "plan": plan.header,
            "gates": tuple(told["gates"]),
        },
        status=Status.ROLLING_BACK,
        writes=(
            *case.absorbing(gathered.alerts),
            *_frozen(case, plan),
            *(_spent(gathered, case) if automatic else ()),
        ),
        system=slot_taken,
    )


def _frozen(case: Case, plan: Plan) -> Iterable[Write]:
    """The plan's steps, each a document that must not be there yet."""
    for step in plan.steps:
        kept = replace(step, expires_at=case.rollback.expires_at)
        yield Create(plans.path(case.rollback.id, step.name), encode(kept))


def _spent(gathered: Gathered, case: Case) -> tuple[Write, ...]:
    """One automatic rollback more in the global budget, unless somebody spent it since."""
    now = case.now()
    hour_ago = now - timedelta(hours=1)
    starts = (*(start for start in gathered.facts.budget.starts if start > hour_ago), now)
    fields = encode(Budget(starts))
    return (written(gathered.budget, fields),)


def _held(case: Case, decision: Decision, told: Mapping[str, Any]) -> Turn:
    """Look again later: what is not known yet may be known then."""
    first = case.incident.status is Status.DETECTED
    return Turn(
        event="decision.held",
        note=decision.reason,
        facts=told,
        changes={
            "due_at": case.look_after(case.policy.gates.judge_every),
            "gates": tuple(told["gates"]),
            "lease": None,
        },
        status=Status.INVESTIGATING if first else None,
        say=False,
    )


def _let_go(case: Case, decision: Decision, told: Mapping[str, Any]) -> Turn:
    """The turn that acts on nothing: over, parked for a person, or escalated."""
    if decision.outcome in (Outcome.OBSERVE, Outcome.IGNORE):
        return Turn(
            event="rollback.not-taken",
            note=f"no action: {decision.reason}",
            facts=told,
            changes={
                **ended(case, RollbackStatus.NOT_TAKEN, decision.reason),
                "gates": tuple(told["gates"]),
            },
            status=Status.RESOLVED,
        )
    prepared = {**told, "prepared_command": _prepared_command(case, decision)}
    if decision.outcome is Outcome.ASK:
        return _parked(case, decision, prepared)
    reason = decision.reason
    if decision.outcome is Outcome.ROLLBACK:
        reason = f"the scenario {decision.scenario} is not built yet"
    return Turn(
        event="rollback.escalated",
        note=f"a person is needed: {reason}",
        facts=prepared,
        changes={
            **ended(case, RollbackStatus.NOT_TAKEN, reason),
            "gates": tuple(told["gates"]),
        },
        status=Status.ESCALATED,
    )


def _parked(case: Case, decision: Decision, prepared: Mapping[str, Any]) -> Turn:
    """A question to a person, which expires into doing nothing."""
    now, expires = case.now(), case.policy.gates.approval_expires
    return Turn(
        event="rollback.parked",
        note=f"a person is asked: {decision.reason}; expires in {in_words(expires)}",
        facts=prepared,
        changes={
            "status": RollbackStatus.PARKED,
            "outcome": decision.reason,
            "gates": tuple(prepared["gates"]),
            "parked_until": now + expires,
            "due_at": case.look_after(PARKED_LOOK),
            "lease": None,
        },
        status=Status.INVESTIGATING,
    )


def _prepared_command(case: Case, decision: Decision) -> str:
    """The one command by which a person does what was prepared."""
    return as_gcloud(
        topics.COMMANDS,
        {
            "command": "rollback",
            "system": case.policy.system,
            "target": decision.target or "last-stable",
            "reason": case.incident.id,
        },
    )


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
