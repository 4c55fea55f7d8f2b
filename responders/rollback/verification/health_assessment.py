"""How a system does once its functions are back: by points, probes, and how it was before."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from responders.rollback.case import Case
from responders.rollback.isolation import fence_guard
from responders.rollback.outcome_summary import shifted_steps
from responders.support import parallel_calls
from shared.domain.deployments.deployment import counts_from_services
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import service_of
from shared.domain.rollback.plan import Step
from shared.domain.signals import baseline, declared_checks, probe_signals
from shared.domain.signals.health import (
    Health,
    HealthVerdict,
    ProbeAnswer,
    RouterRequests,
    evaluate_health,
    failing_functions,
    working_functions,
)


def assess_health(case: Case, steps: Iterable[Step], since: datetime) -> Health:
    """How the functions of the plan do, by points and probes of after `since`.

    Asked are the probes of these functions, and those that belong to none but the system. What
    works, and worse than before the trouble, is not called well yet.
    """
    health, requests = _read_health(case, steps, since)
    if health.verdict is HealthVerdict.WELL:
        found = _compare_with_baseline(case, requests, since)
        if found.verdict is HealthVerdict.ILL:
            case.observe_check(frozenset())  # none of it counts as working yet
            return Health(HealthVerdict.INCONCLUSIVE, found.reason, health.outside)
    return health


def assess_health_while_monitoring(case: Case, steps: Iterable[Step], since: datetime) -> Health:
    """Compare how it does with how it was before the trouble: what is worse than that is ill.

    While writers are stopped by a fence nobody can see that.
    """
    if fence_guard.is_fence_up(case.ports, case.policy):
        return Health(HealthVerdict.INCONCLUSIVE, "a fence is up: nobody can see whether it is well")
    known, requests = _read_health(case, steps, since)
    found = _compare_with_baseline(case, requests, since)
    if known.verdict is not HealthVerdict.ILL and found.verdict is HealthVerdict.ILL:
        return found
    if known.verdict is not HealthVerdict.WELL:
        return known
    return replace(known, reason=f"{known.reason}; {found.reason}")


def _compare_with_baseline(
    case: Case, requests: Mapping[str, RouterRequests] | None, since: datetime
) -> Health:
    """How it is beside how it was before the trouble: what is worse than that is ill."""
    path = probe_signals.probes_path(case.policy.system)
    record = case.ports.store.get(path).find(probe_signals.ProbeRecord)
    looks = record.looks if record is not None else {}
    before, window = case.rollback.baseline, (since, case.now())
    return baseline.compare_with_baseline(before, requests, looks, window, case.policy.gates)


def _read_health(
    case: Case, steps: Iterable[Step], since: datetime
) -> tuple[Health, dict[str, RouterRequests] | None]:
    """That, and the requests of each function that went back; None: they could not be counted."""
    services = {
        step.goal["service"].rpartition("/")[2]: step.target
        for step in shifted_steps(steps)
        if "service" in step.goal
    }
    scenario = case.rollback.plan.scenario if case.rollback.plan else ScenarioName.NONE
    own = {
        probe.name
        for probe in case.policy.probes
        if not probe.external and (probe.function is None or probe.function in services.values())
    }
    asked = own | declared_checks.scenario_probes(case.policy, scenario)
    probes = [probe for probe in case.policy.probes if probe.name in asked]
    metrics, now = case.ports.system(case.policy.system).metrics, case.now()
    calls = parallel_calls.build_health_calls(case.ports, metrics, probes, since, now)
    if declared_checks.should_count_sign_ins(case.policy, scenario):
        calls["sign-ins"] = partial(metrics.sign_ins, since, now)
    answers = parallel_calls.call_all(case.ports, calls)
    look = parallel_calls.read_health_answers(answers)
    requests = (
        None
        if look.requests is None
        else {services[name]: count for name, count in look.requests.items() if name in services}
    )
    every = {name: service_of(name) for name in case.policy.functions}
    counts = counts_from_services(look.requests or {}, every)
    gates = case.policy.gates
    probed = frozenset(
        one.function
        for one in probes
        if one.function and one.name in look.probes and not look.probes[one.name].passed
    )
    case.observe_check(failing_functions(counts, gates), working_functions(counts, gates) - probed)
    answered = {name: answer for name, answer in look.probes.items() if name in own}
    known = evaluate_health(list(services.values()), requests, answered, case.policy.gates)
    outside = _judge_probes(answered.values(), len(own))
    counted = declared_checks.RequestCounts(requests, parallel_calls.answer_or_none(answers.get("sign-ins")))
    found = declared_checks.evaluate_checks(
        case.policy, scenario, set(services.values()), counted, look.probes
    )
    record_results(case, found, look.probes)
    known = replace(known, outside=outside, counts=counts, probed=probed)
    return declared_checks.combine_health(known, found), requests


def record_results(case: Case, found: Mapping[str, Health], probes: Mapping[str, ProbeAnswer]) -> None:
    """Note the rows of the verification; documents keep the row that their own check gave them."""
    plan, checks = case.rollback.plan, case.policy.verification
    scenario = plan.scenario if plan else ScenarioName.NONE
    rows = {row.step: row for row in declared_checks.build_results(case.policy, scenario, found, probes)}
    for name, row in case.rollback.verification.items():
        if name not in found and name in rows and checks[name].collections:
            rows[name] = row
    case.observe(verification=rows)


def _judge_probes(answers: Collection[ProbeAnswer], asked: int) -> HealthVerdict:
    if not all(answer.passed for answer in answers):
        return HealthVerdict.ILL
    return HealthVerdict.WELL if answers and len(answers) == asked else HealthVerdict.INCONCLUSIVE
