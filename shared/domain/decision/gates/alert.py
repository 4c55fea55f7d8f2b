"""Gates about the alert: is its system known, is it recent, is its signal still true?"""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import timedelta
from functools import reduce

from msgspec import Struct

from shared.core.durations import describe_duration
from shared.core.text import count_noun
from shared.domain.data.integrity.damage import writer_functions
from shared.domain.decision.gates.base import GateAnswer, GateInput, GateResult, Outcome
from shared.domain.decision.scenario_scope import scenario_functions
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity, worse_severity
from shared.domain.signals.alert import MONITORING_SOURCES, AlertFact, EvidenceSource
from shared.domain.signals.breadth import limit_signal, measure_level
from shared.domain.signals.health import failing_functions


class _Evidence(Struct, frozen=True):
    """One report that something fails now."""

    source: EvidenceSource
    function: str | None
    signal: str | None = None


def known_system(case: GateInput) -> GateAnswer:
    """An alert without a system never becomes an incident: what is here is known."""
    return GateAnswer("known system", GateResult.PASS, case.policy.system)


def stale(case: GateInput) -> GateAnswer:
    """Old news: published long before it reached us."""
    youngest = min([alert.received_at - alert.published_at for alert in case.facts.alerts])
    reason = f"received {describe_duration(max(youngest, timedelta(0)))} after it was sent"
    if youngest > case.policy.gates.stale_after:
        return GateAnswer("stale", GateResult.STOP, reason, Outcome.IGNORE)
    return GateAnswer("stale", GateResult.PASS, reason)


def still_true(case: GateInput) -> GateAnswer:
    """A second source must see it: the source that raised an alert never confirms it.

    With `gates.second_source: false` it does, while it sees the failure. A declaration and a
    finding in the documents need none. Alerts that are all over stop where none sees the same. What
    one source sees waits for another one, and in the end for a person.
    """
    if case.is_declared:
        return GateAnswer("still true", GateResult.NOT_APPLICABLE, "it was declared, not measured")
    if case.facts.damage_findings:
        reason = f"our own look through the data: {case.facts.damage_findings[0].reason}"
        return GateAnswer("still true", GateResult.PASS, reason)
    alerts, policy, level = case.facts.alerts, case.policy, case.facts.measure_level(case.policy)
    meant = {one.signal: limit_signal(policy, one.signal, level) for one in alerts}
    grave = [one for one in alerts if meant[one.signal].scenario is not ScenarioName.NONE]
    alarms = grave or alerts
    seen = _find_evidence(case, grave)
    is_alone_enough = not policy.gates.second_source
    worst = reduce(worse_severity, (meant[one.signal].severity for one in alarms), Severity.LOW)
    reason = _describe_evidence(case, Counter(one.source for one in seen))
    if any(
        _select_relevant(
            case, [one for one in seen if is_alone_enough or one.source is not alert.source], alert
        )
        for alert in alarms
        if meant[alert.signal].severity is worst  # a milder one confirms no graver one
    ):
        return GateAnswer("still true", GateResult.PASS, reason)
    stands = any(not one.is_over or _select_relevant(case, seen, one) for one in alerts)
    if case.facts.requests is not None and not stands:
        return GateAnswer("still true", GateResult.STOP, f"every alert is over; {reason}", Outcome.IGNORE)
    others = {one.source for one in seen} - {one.source for one in alarms}
    missing = "no second source sees the same failure" if others else "no second source"
    leads_to = Outcome.ASK if grave else Outcome.OBSERVE  # nobody is asked about a warning
    return GateAnswer("still true", GateResult.UNKNOWN, f"{missing}: {reason}", leads_to)


def _find_evidence(case: GateInput, alarms: Iterable[AlertFact]) -> list[_Evidence]:
    """Return what says that something fails now; no probe of what the system depends on does."""
    facts, policy = case.facts, case.policy
    probes = (one for one in policy.probes if one.name in facts.probes and not one.external)
    failed = (one for one in probes if not facts.probes[one.name].passed)
    counted = failing_functions(facts.requests or {}, policy.gates)
    raised = (one for one in alarms if one.source in MONITORING_SOURCES and not one.is_over)
    return [
        *(_Evidence(EvidenceSource.PROBES, one.function, one.signal) for one in failed),
        *(_Evidence(EvidenceSource.COUNTS, name) for name in sorted(counted)),
        *(_Evidence(one.source, one.function, one.signal) for one in raised),
    ]


def _select_relevant(case: GateInput, seen: Collection[_Evidence], alert: AlertFact) -> list[_Evidence]:
    """Select what is about the same failure as an alert.

    One that names no function is about the functions of its scenario; where the policy names none
    of these, about as many failing ones as mean that the system is down.
    """
    if alert.function is not None:
        return [one for one in seen if one.function in (None, alert.function)]
    policy = case.policy
    declared = (name for name, one in policy.collections.items() if one.writers)
    about = {
        ScenarioName.COMPLETE: set[str](),
        ScenarioName.AUTH: scenario_functions(ScenarioName.AUTH, policy, ()),
        ScenarioName.DATABASE: writer_functions(policy, declared),
    }
    scenario = policy.signals[alert.signal].scenario
    if scenario not in about:
        return [*seen]
    failing = policy.functions.keys() & {one.function for one in seen}
    is_down = measure_level(policy, failing, case.facts.requests or {}) is Severity.CRITICAL
    concerned = about[scenario] or (failing if is_down else set())
    alike = {name for name, one in policy.signals.items() if one.scenario is scenario}
    general = (one for one in seen if (one.signal in alike if one.signal else one.function is None))
    return [*general, *(one for one in seen if one.function in concerned)]


def _describe_evidence(case: GateInput, seen: Counter[EvidenceSource]) -> str:
    counts = f"show {count_noun(seen[EvidenceSource.COUNTS], 'failing function')}"
    lines = (
        count_noun(seen[EvidenceSource.PROBES], "probe fails", "probes fail"),
        f"request counts {counts if case.facts.requests is not None else 'could not be read'}",
        *(f"{count_noun(seen[one], 'open alert')} of {one}" for one in MONITORING_SOURCES if seen[one]),
    )
    return "; ".join(lines)
