"""Decide one incident under the lease: gather the facts, ask the gates, freeze the plan."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from msgspec.structs import replace

from responders.rollback import approval
from responders.rollback.case import Case, Transition
from responders.rollback.completion import build_remaining_order, ended_fields
from responders.rollback.data_half import find_data_half
from responders.rollback.decision.fact_collection import CollectedFacts, collect_facts
from responders.rollback.decision.plan import describe_plan_size, prepare_plan
from responders.rollback.decision.undo_preview import describe_failures
from responders.rollback.session_revocation import REVOKE_SESSIONS_VERB, build_revocation_command
from responders.scenarios.products import hosting
from responders.scenarios.registry import SCENARIOS
from responders.scenarios.resource_plan import ResourceState
from responders.support import parallel_calls
from responders.support.inventory_reader import read_inventory
from shared.core import text, topics
from shared.core.codec import decode, encode
from shared.core.errors import RollbackError
from shared.core.store import Create, Put, Write
from shared.domain.commands.command import format_gcloud_command, format_shell_command
from shared.domain.decision import gate_evaluation
from shared.domain.decision.decision_snapshot import (
    MAX_SNAPSHOTS,
    DecisionSnapshot,
    pack_facts,
    snapshots_path,
)
from shared.domain.decision.facts import DecisionFacts, FunctionDifference, function_differences
from shared.domain.decision.forecast import EXPECTED_VERIFICATION_SECONDS
from shared.domain.decision.gates.base import GateResult, Outcome
from shared.domain.decision.request_scope import requested_change
from shared.domain.decision.scenario_scope import SCENARIO_SCOPES
from shared.domain.deployments.deployment import DeploymentStatus, counts_by_function, record_path
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.deployments.inventory.products import PRODUCTS
from shared.domain.incidents.incident import IncidentStatus, has_been_escalated, rollback_id
from shared.domain.policy.resources import Resources
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import BREACH_SIGNAL
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import Plan, add_report_line, is_duration_reported, step_path
from shared.domain.rollback.rollback import RollbackRequest, RollbackStatus, approvers
from shared.domain.signals import probe_signals
from shared.domain.signals.baseline import BASELINE_DURATION, Baseline, baseline_window, record_baseline
from shared.domain.signals.breadth import count_failing
from shared.domain.signals.declared_checks import expects_enough_requests
from shared.domain.signals.health import RouterRequests, working_functions
from shared.domain.signals.probe_signals import ProbeRecord
from shared.domain.system_record import Budget, System
from shared.ports.groups import Ports
from shared.state.reader import StateReader


def decide_rollback(case: Case) -> bool:
    """Whether the worker goes on with this rollback now; otherwise it was let go."""
    order = case.rollback.order
    target = order.target if order else ""
    gathered = collect_facts(
        case.ports,
        case.policy,
        case.now(),
        case.read_alerts,
        case.rollback.id,
        target,
        hold=case.extend_lease,
    )
    question = case.rollback.question
    earlier = {
        "failed_before": case.rollback.failing,
        "asked_before": question.plan.changed if question is not None else (),
        "level_before": case.rollback.level,
    }
    gathered = replace(gathered, facts=replace(gathered.facts, **earlier))
    level = gathered.facts.measure_level(case.policy)
    counted = working_functions(gathered.facts.requests or {}, case.policy.gates)
    proven = counted - gathered.find_unproven(case.policy, case.now())
    case.observe(level=level, working=tuple(sorted(proven | gathered.working)))
    # Its counts may reach back to before a check that has observed these functions to work.
    is_recent = case.now() < case.rollback.created_at + parallel_calls.METRICS_WINDOW
    is_older = case.incident.is_ordered or is_recent
    again = gathered.find_failing_again(case.policy, case.incident) - proven
    case.forget_working(again)
    working = {*gathered.working, *({*case.incident.working} - again if is_older else ())}
    case.observe_check(gathered.facts.find_observed_failing(case.policy) - working, is_older=is_older)
    if case.raise_severity(gathered.alerts, level):
        return True
    ports, policy, now, deadline = case.ports, case.policy, case.now(), case.decide_by
    expired = now >= deadline
    if order is None and gathered.facts.system.slot not in ("", case.rollback.id):
        deadline = now + policy.gates.judge_every  # the rollback of another incident ends by itself
    decision = _evaluate(case, gathered.facts, deadline, now)
    decision, plan = build_decided_plan(
        ports,
        policy,
        gathered.facts,
        decision,
        order,
        expired=expired,
        severity=case.incident.severity,
        hold=case.extend_lease,
    )
    if plan is not None and case.policy.resources.identity:
        plan = _add_session_line(plan, ends=_must_revoke_sessions(case, gathered))
    stored = _build_snapshot_writes(case, gathered.facts, decision, deadline, now, plan)
    shown = function_differences(decision.change, gathered.facts.inventory or {}) if plan else []
    needed = approval.required_approvals(case.policy, decision, plan.steps if plan else ())
    if plan is not None and decision.outcome is Outcome.ASK:
        people = approvers(case.rollback, plan.header.fingerprint, needed)
        enough = len(people) >= needed
        decision = gate_evaluation.mark_approved(decision, people.values()) if enough else decision
    told = {
        "outcome": decision.outcome,
        "scenario": decision.scenario,
        "target": decision.target,
        "gates": [encode(answer) for answer in decision.answers],
    }
    if case.rollback.overrides:
        told["overridden"] = [encode(answer) for answer in decision.overridden]
    baseline = (
        _read_baseline(case, gathered.facts, decision) if decision.outcome is Outcome.ROLLBACK else None
    )
    match decision.outcome:
        case Outcome.HOLD:
            turn = build_hold_transition(case, decision.reason, told)
            return not case.commit_transition(replace(turn, writes=stored))
        case Outcome.ROLLBACK if plan is not None and baseline is not None:
            turn = _build_start_transition(case, gathered, decision, plan, baseline, told)
            case.commit_transition(replace(turn, writes=(*turn.writes, *stored)))
            return True
        case Outcome.ASK if plan is not None:
            size, pace = describe_plan_size(plan, len(shown)), gathered.facts.pace
            reason = decision.reason
            if order is None and decision.scenario is ScenarioName.FEATURE:
                failing = gathered.facts.find_known_failing(policy)
                reason = f"observed to fail: {count_failing(policy.functions, failing)}; {reason}"
            turn = approval.build_approval_request(case, plan, needed, reason, shown, size, told, pace)
        case _:
            turn = _build_no_action_transition(case, decision, plan, shown, told)
            turn = replace(turn, rest=build_remaining_order(case))
    turn = replace(turn, writes=(*turn.writes, *stored))
    return not case.commit_final_transition(turn, answered={alert.key for alert in gathered.alerts})


def _build_snapshot_writes(
    case: Case,
    facts: DecisionFacts,
    decision: gate_evaluation.Decision,
    deadline: datetime,
    now: datetime,
    plan: Plan | None,
) -> tuple[Write, ...]:
    """Return the write of a decision of automation with its facts, unless it is the same hold."""
    rollback, outcome = case.rollback, decision.outcome
    is_same = outcome is Outcome.HOLD and rollback.gates == tuple(map(encode, decision.answers))
    if rollback.order is not None or is_same:
        return ()
    number, packed = min(rollback.decisions, MAX_SNAPSHOTS - 1), pack_facts(facts)
    case.observe(decisions=number + 1)
    if plan is None and outcome in (Outcome.ROLLBACK, Outcome.ASK):
        outcome, packed = Outcome.ESCALATE, b""  # no plan can be made: the facts do not tell that
    asked, size = rollback.question is not None, len(decision.scope)
    snapshot = DecisionSnapshot(
        rollback.id, now, deadline, asked, outcome, size, decision.answers, packed, rollback.expires_at
    )
    return (Put(f"{snapshots_path(rollback.id)}/{number}", encode(snapshot)),)


def _read_baseline(case: Case, facts: DecisionFacts, decision: gate_evaluation.Decision) -> Baseline:
    """Return what routers and probes saw of the plan's functions in the hour before the onset.

    A service without an answer leaves its part unknown. Probe results are stored for half an hour,
    so they cover the last part.
    """
    onset = facts.onset if facts.alerts else case.now()
    window = baseline_window(onset, decision.change.functions.values())
    ports, system = case.ports, case.policy.system
    case.extend_lease(parallel_calls.CALL_TIMEOUT_SECONDS)
    answers = parallel_calls.call_all(
        ports,
        {
            "metrics": partial(ports.system(system).metrics.requests, *window),
            "probes": partial(ports.store.get, probe_signals.probes_path(system)),
        },
    )
    counted, probes = (
        parallel_calls.answer_or_none(answers["metrics"]),
        parallel_calls.answer_or_none(answers["probes"]),
    )
    looks = decode(ProbeRecord, probes.fields).looks if probes and probes.fields is not None else {}
    requests = None
    if counted is not None:
        everything = counts_by_function(counted, facts.inventory or {})
        requests = {name: everything.get(name, RouterRequests(0, 0)) for name in decision.scope}
    baseline = record_baseline(window, requests, looks)
    return replace(baseline, is_verifiable=_is_verifiable(case.policy, decision.scenario, requests))


def _is_verifiable(
    policy: Policy, scenario: ScenarioName, requests: Mapping[str, RouterRequests] | None
) -> bool:
    """Return whether requests as in the hour before can verify a recovery within `verify_within`.

    True where they could not be read.
    """
    counted_seconds = policy.execution.verify_within.total_seconds() - EXPECTED_VERIFICATION_SECONDS
    share = counted_seconds / BASELINE_DURATION.total_seconds()
    return requests is None or expects_enough_requests(policy, scenario, requests, share)


def build_decided_plan(
    ports: Ports,
    policy: Policy,
    facts: DecisionFacts,
    decision: gate_evaluation.Decision,
    order: RollbackRequest | None,
    *,
    expired: bool = True,
    severity: Severity = Severity.CRITICAL,
    hold: parallel_calls.ExtendLease = parallel_calls.skip_lease,
) -> tuple[gate_evaluation.Decision, Plan | None]:
    """Return the decision and its plan over what is live. Raises: Unavailable; as `hold`."""
    sight = read_resource_state(ports, policy, decision, order, hold)
    decision, plan = prepare_plan(policy, facts, decision, sight, order, expired=expired, severity=severity)
    if plan is None or order is None:
        return decision, plan
    target = decision.change.target
    if target is None or target.status is not DeploymentStatus.BAD:
        return decision, plan
    hold(parallel_calls.CALL_TIMEOUT_SECONDS)
    warning = f"warning: {target.id} is marked as bad ({target.reason})"
    if target.taken_back_by:
        known = filter(None, [StateReader(ports.store).rollback(target.taken_back_by)])
        failed = describe_failures(ports, policy, known, decision.change.functions, facts.inventory or {})
        warning = f"{warning}: {failed} on it"
    return decision, add_report_line(plan, warning)


def read_resource_state(
    ports: Ports,
    policy: Policy,
    decision: gate_evaluation.Decision,
    order: RollbackRequest | None,
    hold: parallel_calls.ExtendLease = parallel_calls.skip_lease,
) -> ResourceState | None:
    """Read what the plan concerns beside functions, as it was recorded and as it is.

    Raises: as `build_decided_plan`.
    """
    named = order is not None and bool(order.groups or order.functions)
    whole = not (named and decision.scenario is ScenarioName.FEATURE)
    looks = decision.outcome not in (Outcome.HOLD, Outcome.OBSERVE, Outcome.IGNORE)
    reach = SCENARIO_SCOPES[decision.scenario].other_parts
    if not (looks and whole and decision.target and reach):
        return None
    hold(parallel_calls.CALL_TIMEOUT_SECONDS)
    path = record_path(policy.system, decision.target)
    fields = parallel_calls.call_one(ports, partial(ports.store.get, path)).fields
    recorded = stocks.unpack_inventory(fields["live"]) if fields is not None else WholeInventory()
    hold(parallel_calls.MAX_TOTAL_SECONDS)
    keys = {key for part in reach for key in PRODUCTS[part].keys}  # nothing else need be looked at
    chosen = Resources(**{key: getattr(policy.resources, key) for key in keys})
    live = read_inventory(ports, replace(policy, resources=chosen))
    versions = hosting.versions_to_check(recorded, live)
    hold(parallel_calls.CALL_TIMEOUT_SECONDS)
    read = ports.system(policy.system).resources.hosting.version
    answers = parallel_calls.call_all(ports, {"/".join(one): partial(read, *one) for one in versions})
    statuses = {one: answers["/".join(one)] for one in versions}
    known = {one: status for one, status in statuses.items() if not isinstance(status, RollbackError)}
    return ResourceState(recorded, live, known)


def _evaluate(
    case: Case, facts: DecisionFacts, deadline: datetime, now: datetime
) -> gate_evaluation.Decision:
    rollback, policy = case.rollback, case.policy
    order = rollback.order
    if order is None:
        asked = rollback.question is not None
        return gate_evaluation.evaluate_incident(facts, policy, deadline, now, rollback.id, asked=asked)
    change, chosen = requested_change(order, facts, policy), order.scenario
    return gate_evaluation.evaluate_request(
        facts, policy, change, deadline, now, rollback.id, scenario=chosen, override=order.override
    )


def _build_start_transition(
    case: Case,
    gathered: CollectedFacts,
    decision: gate_evaluation.Decision,
    plan: Plan,
    baseline: Baseline,
    told: Mapping[str, Any],
) -> Transition:
    """Freeze the plan and take the system's slot, in one commit, before any effect."""
    now, rollback = case.now(), case.rollback
    automatic = rollback.order is None
    ahead = approval.forecast_plan(case, plan, gathered.facts.pace, baseline)
    is_breach = _must_revoke_sessions(case, gathered)
    revoked = (build_revocation_command(rollback, case.policy, now),) if is_breach else ()
    documents = find_data_half(case, begins=True)

    def slot_taken(system: System) -> System | None:
        if system.slot not in ("", rollback.id):
            return None
        taken = replace(system, slot=rollback.id)
        until = now + case.policy.gates.cool_down
        return taken.start_cool_down(decision.target, decision.scope, now, until) if automatic else taken

    return Transition(
        event="rollback.decided",
        note=f"going back to {decision.target}: {describe_plan_size(plan, len(decision.scope))}",
        details=(
            *(() if is_duration_reported(plan.header) else (str(ahead),)),
            *text.first_lines(plan.header.reported),
            *((documents.line,) if documents is not None else ()),
        ),
        facts={
            **told,
            "plan": plan.header.fingerprint,
            "reported": plan.header.reported,
            "forecast": str(ahead),
            "before": encode(baseline),
        },
        changes={
            "status": RollbackStatus.RUNNING,
            "outcome": "",  # of a question, if there was one
            "plan": plan.header,
            "baseline": baseline,
            "gates": tuple(told["gates"]),
            "overrides": tuple(replace(one, skipped=tuple(told["overridden"])) for one in rollback.overrides),
        },
        status=IncidentStatus.ROLLING_BACK,
        writes=(
            *case.build_absorb_writes(gathered.alerts),
            *build_step_writes(case, plan),
            *(_build_budget_writes(gathered, case) if automatic else ()),
            *revoked,
        ),
        system=slot_taken,
    )


def _must_revoke_sessions(case: Case, gathered: CollectedFacts) -> bool:
    """Whether everybody has to sign in again: somebody may have got in."""
    return any(alert.signal == BREACH_SIGNAL for alert in gathered.alerts) and case.policy.resources.identity


def _add_session_line(plan: Plan, *, ends: bool) -> Plan:
    if ends:
        return add_report_line(plan, "every session of before it begins ends with it")
    if plan.header.scenario is not ScenarioName.AUTH:
        return plan
    return add_report_line(plan, f"sessions stay; `rollback {REVOKE_SESSIONS_VERB}` ends every one of them")


def build_step_writes(case: Case, plan: Plan) -> Iterable[Write]:
    """The plan's steps, each a document that must not be there yet."""
    for step in plan.steps:
        expiring = replace(step, expires_at=case.rollback.expires_at)
        yield Create(step_path(case.rollback.id, step.name), encode(expiring))


def _build_budget_writes(gathered: CollectedFacts, case: Case) -> tuple[Write, ...]:
    """One automatic rollback more in the global budget, unless somebody spent it since."""
    now = case.now()
    hour_ago = now - timedelta(hours=1)
    starts = (*(start for start in gathered.facts.budget.starts if start > hour_ago), now)
    return (gathered.budget.build_write(Budget(starts)),)


def build_hold_transition(case: Case, reason: str, told: Mapping[str, Any]) -> Transition:
    """Look again later: what is not known yet may be known then."""
    is_judged = gate_evaluation.is_confirmed(told) or case.incident.is_confirmation_overdue(case.now())
    is_hidden = case.incident.status is IncidentStatus.DETECTED or case.incident.is_unconfirmed
    return Transition(
        event="decision.held",
        note=reason,
        facts=told,
        changes={
            "due_at": case.next_check_at(case.policy.gates.judge_every),
            "gates": tuple(told["gates"]),
            "outcome": reason,
            "lease": None,
        },
        status=IncidentStatus.INVESTIGATING if is_hidden and is_judged else None,
        say=False,
    )


def _build_no_action_transition(
    case: Case,
    decision: gate_evaluation.Decision,
    plan: Plan | None,
    shown: Sequence[FunctionDifference],
    told: Mapping[str, Any],
) -> Transition:
    """The turn that acts on nothing: over, or escalated with what was prepared."""
    if decision.outcome in (Outcome.OBSERVE, Outcome.IGNORE):
        rollback = case.rollback
        waits = rollback.order is None and has_been_escalated(case.incident, rollback.created_at)
        becomes = IncidentStatus.INVESTIGATING if gate_evaluation.is_confirmed(told) else case.incident.status
        note = f"nothing is rolled back: {decision.reason}; the incident stays open until it has recovered"
        return Transition(
            event="rollback.escalated" if waits else "rollback.not-taken",
            note=f"{note}; a person must still decide" if waits else note,
            choices=("retry", "accept") if waits else (),
            facts=told,
            changes={
                **ended_fields(case, RollbackStatus.NOT_TAKEN, decision.reason),
                "gates": tuple(told["gates"]),
            },
            status=IncidentStatus.ESCALATED if waits else becomes,
            # if it waits, people have been asked before
            say=not _is_answered_alike(case, told, decision.reason),
        )
    reason = decision.reason
    if decision.outcome in (Outcome.ROLLBACK, Outcome.ASK):
        reason = f"no plan can be made for the scenario {decision.scenario}"
    command = _prepared_command(case, decision)
    ways = (format_shell_command(command), format_gcloud_command(topics.COMMANDS, command))
    prepared: dict[str, Any] = {"prepared_command": ways[1], "prepared_shell": ways[0]}
    lines = decision.change.passed_over
    if plan is not None:
        prepared |= {"plan": plan.header.fingerprint, "difference": shown}
        back = f"prepared: back to {plan.header.target}, {describe_plan_size(plan, len(shown))}"
        lines = (back, *text.first_lines([*map(str, shown)]), *plan.header.reported)
    return Transition(
        event="rollback.escalated",
        note=f"a person is needed: {reason}",
        details=(*lines, *ways),
        facts={**told, **prepared},
        changes={
            **ended_fields(case, RollbackStatus.NOT_TAKEN, reason),
            "gates": tuple(told["gates"]),
            "scenario": decision.scenario,
        },
        status=IncidentStatus.ESCALATED,
        say=not (
            has_been_escalated(case.incident, case.rollback.created_at)
            and _is_answered_alike(case, told, reason)
        ),
    )


def _is_answered_alike(case: Case, told: Mapping[str, Any], reason: str) -> bool:
    """Return whether an earlier decision of the incident has told people the same."""
    incident, reading = case.incident, StateReader(case.ports.store)
    if case.rollback.order is not None:
        return False
    names = (rollback_id(incident.id, number) for number in range(incident.rollbacks - 1, 0, -1))
    return any(
        earlier.status is RollbackStatus.NOT_TAKEN
        and (earlier.outcome == reason or _list_objections(earlier.gates) == _list_objections(told["gates"]))
        for earlier in filter(None, map(reading.rollback, names))
    )


def _list_objections(gates: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    against = (GateResult.STOP, GateResult.UNKNOWN)
    return {(gate["gate"], gate["leads_to"]) for gate in gates if gate["answer"] in against}


def _prepared_command(case: Case, decision: gate_evaluation.Decision) -> dict[str, Any]:
    """The one command by which a person does what was prepared, and no more than was ordered."""
    order = case.rollback.order or RollbackRequest(command="", actor="", reason="")
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
