"""Gates about the alert: is it recent, is its signal still true?"""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import timedelta
from functools import reduce
from statistics import median

from shared.core.codec import FrozenStruct
from shared.core.durations import describe_duration
from shared.core.text import count_noun
from shared.domain.data.integrity.damage import writer_functions
from shared.domain.decision.gates.base import GateAnswer, GateInput, GateResult, Outcome
from shared.domain.decision.scenario_scope import scenario_functions
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity, worse_severity
from shared.domain.policy.signals import Signal, Unit
from shared.domain.signals.alert import MONITORING_SOURCES, AlertFact, EvidenceSource
from shared.domain.signals.breadth import limit_signal, measure_level
from shared.domain.signals.failure_evidence import function_level
from shared.domain.signals.health import RouterRequests, failure_ratio, has_failed, sum_requests
from shared.domain.signals.probe_history import DEFAULT_SLOWDOWN, SLOWDOWN_SIGNAL
from shared.domain.signals.registry import SignalSource, has_source


class _Evidence(FrozenStruct):
    """One report that something fails now."""

    source: EvidenceSource
    function: str | None
    signal: str | None = None


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
    signals = {alert.signal: limit_signal(policy, alert.signal, level) for alert in alerts}
    grave = [alert for alert in alerts if signals[alert.signal].scenario is not ScenarioName.NONE]
    alarms = grave or alerts
    reports = _find_evidence(case, grave)
    is_alone_enough = not policy.gates.second_source
    worst = reduce(worse_severity, (signals[alarm.signal].severity for alarm in alarms), Severity.LOW)
    reason = _describe_evidence(case, Counter(report.source for report in reports))
    if any(
        _select_relevant(
            case,
            [report for report in reports if is_alone_enough or report.source is not alert.source],
            alert,
        )
        for alert in alarms
        if signals[alert.signal].severity is worst  # a milder alert confirms no graver alert
    ):
        return GateAnswer("still true", GateResult.PASS, reason)
    is_standing = any(not alert.is_over or _select_relevant(case, reports, alert) for alert in alerts)
    if case.facts.requests is not None and not is_standing:
        return GateAnswer("still true", GateResult.STOP, f"every alert is over; {reason}", Outcome.IGNORE)
    others = {report.source for report in reports} - {alarm.source for alarm in alarms}
    missing = "no second source sees the same failure" if others else "no second source"
    is_refuted = all(_is_refuted(case, alert) for alert in alarms)
    leads_to = Outcome.ASK if grave else Outcome.OBSERVE  # nobody is asked about a warning
    if grave and is_refuted:
        missing, leads_to = "enough requests show that it fails less than its level", Outcome.IGNORE
    return GateAnswer("still true", GateResult.UNKNOWN, f"{missing}: {reason}", leads_to)


def _is_refuted(case: GateInput, alert: AlertFact) -> bool:
    """Return whether enough requests show that what an alert counts fails less than its level."""
    requests, policy = case.facts.requests or {}, case.policy
    if not has_source(alert.signal, SignalSource.REQUESTS) or alert.source is EvidenceSource.PROBES:
        return False
    if alert.function is None:
        evidence, total = case.facts.assess(policy), sum_requests(requests.values()).total
        return total >= policy.gates.minimum_requests and not evidence.failing
    count = requests.get(alert.function, RouterRequests(0, 0))
    is_enough = count.total >= policy.gates.minimum_requests
    return is_enough and failure_ratio(count) <= function_level(policy)


def _find_evidence(case: GateInput, alarms: Iterable[AlertFact]) -> list[_Evidence]:
    """Return what proves that something fails now, or is slow where an alert reports slowness."""
    facts, policy = case.facts, case.policy
    failing = facts.assess(policy).failing
    alerts = (alert for alert in (*alarms, *facts.other_alerts) if not alert.is_over)
    return [
        *(
            _Evidence(EvidenceSource.PROBES, probe.function, probe.signal)
            for probe in facts.find_failing_probes(policy)
        ),
        *(
            _Evidence(EvidenceSource.PROBES, probe.function, SLOWDOWN_SIGNAL)
            for probe in facts.find_slow_probes(policy)
        ),
        *(_Evidence(EvidenceSource.COUNTS, name) for name in sorted(failing | facts.find_slow(policy))),
        *(
            _Evidence(alert.source, alert.function, alert.signal)
            for alert in alerts
            if alert.source in MONITORING_SOURCES
            and policy.signals[alert.signal].scenario is not ScenarioName.NONE
        ),
    ]


def _is_degradation_counted(case: GateInput, signal: Signal) -> bool:
    """Return whether requests prove a ratio of all that fail, or the median function is slower."""
    facts, functions = case.facts, case.policy.functions
    count = sum_requests(count for name, count in (facts.requests or {}).items() if name in functions)
    ratios = [condition.threshold for condition in signal.also if condition.unit is Unit.RATIO]
    slowdowns = facts.slowdowns.values()
    is_slow = bool(slowdowns) and median(slowdowns) > (signal.threshold or DEFAULT_SLOWDOWN)
    return is_slow or any(has_failed(count, ratio) for ratio in ratios)


def _select_relevant(case: GateInput, reports: Collection[_Evidence], alert: AlertFact) -> list[_Evidence]:
    """Select what is about the same failure as an alert.

    One that names no function is about the functions of its scenario; where the policy names none
    of these, about as many failing ones as mean that the system is down.
    """
    if alert.function is not None:
        return [
            report
            for report in reports
            if report.function == alert.function
            or (report.function is None and not (report.source is EvidenceSource.PROBES and report.signal))
        ]
    policy = case.policy
    if alert.signal == SLOWDOWN_SIGNAL:
        is_counted = _is_degradation_counted(case, policy.signals[alert.signal])
        return [
            report
            for report in reports
            if (report.source is not EvidenceSource.COUNTS and report.signal == alert.signal)
            or (report.source is EvidenceSource.COUNTS and is_counted)
        ]
    written = (name for name, collection in policy.collections.items() if collection.writers)
    about = {
        ScenarioName.COMPLETE: set[str](),
        ScenarioName.AUTH: scenario_functions(ScenarioName.AUTH, policy, ()),
        ScenarioName.DATABASE: writer_functions(policy, written),
    }
    scenario = policy.signals[alert.signal].scenario
    if scenario not in about:
        return [*reports]
    failing = policy.functions.keys() & {report.function for report in reports}
    is_down = measure_level(policy, failing, case.facts.requests or {}) is Severity.CRITICAL
    concerned = about[scenario] or (failing if is_down else set())
    alike = {name for name, signal in policy.signals.items() if signal.scenario is scenario}
    general = (
        report for report in reports if (report.signal in alike if report.signal else report.function is None)
    )
    return [*general, *(report for report in reports if report.function in concerned)]


def _describe_evidence(case: GateInput, sources: Counter[EvidenceSource]) -> str:
    counts = f"show {count_noun(sources[EvidenceSource.COUNTS], 'failing function')}"
    lines = (
        count_noun(sources[EvidenceSource.PROBES], "probe fails", "probes fail"),
        f"request counts {counts if case.facts.requests is not None else 'could not be read'}",
        *(
            f"{count_noun(sources[source], 'open alert')} of {source}"
            for source in MONITORING_SOURCES
            if sources[source]
        ),
    )
    return "; ".join(lines)
