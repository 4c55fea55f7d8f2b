"""Gates about the alert: is its system known, is it recent, is its signal still true?"""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from functools import reduce

from shared.core.durations import describe_duration
from shared.core.text import count_noun
from shared.domain.decision.gates.base import GateAnswer, GateInput, GateResult, Outcome
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity, worse_severity
from shared.domain.signals.alert import MONITORING_SOURCES, AlertFact, EvidenceSource
from shared.domain.signals.health import failing_functions


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

    A declaration and a finding in the documents need none. Alerts that are all over stop where no
    source sees a failure. What one source sees waits for another one, and in the end for a person.
    """
    if case.is_declared:
        return GateAnswer("still true", GateResult.NOT_APPLICABLE, "it was declared, not measured")
    if case.facts.damage_findings:
        reason = f"our own look through the data: {case.facts.damage_findings[0].reason}"
        return GateAnswer("still true", GateResult.PASS, reason)
    alerts, policy = case.facts.alerts, case.policy
    alarms = [one for one in alerts if policy.signals[one.signal].scenario is not ScenarioName.NONE]
    seen = _find_evidence(case, alarms)
    worst = reduce(worse_severity, (policy.signals[one.signal].severity for one in alarms), Severity.LOW)
    reason = _describe_evidence(case, Counter(source for source, _ in seen))
    if any(
        source is not alert.source and (None in (alert.function, function) or alert.function == function)
        for alert in alarms
        if policy.signals[alert.signal].severity is worst  # a milder one confirms no graver one
        for source, function in seen
    ):
        return GateAnswer("still true", GateResult.PASS, reason)
    if case.facts.requests is not None and not seen and all(alert.is_over for alert in alerts):
        return GateAnswer("still true", GateResult.STOP, f"every alert is over; {reason}", Outcome.IGNORE)
    return GateAnswer("still true", GateResult.UNKNOWN, f"no second source: {reason}", Outcome.ASK)


def _find_evidence(case: GateInput, alarms: Iterable[AlertFact]) -> list[tuple[EvidenceSource, str | None]]:
    """Return what says that something fails now: the source, and the function that it is about.

    A probe of what the system depends on tells nothing of the system.
    """
    facts, policy = case.facts, case.policy
    probes = (one for one in policy.probes if one.name in facts.probes and not one.external)
    counted = failing_functions(facts.requests or {}, policy.gates)
    return [
        *((EvidenceSource.PROBES, one.function) for one in probes if not facts.probes[one.name].passed),
        *((EvidenceSource.COUNTS, name) for name in sorted(counted)),
        *(
            (one.source, one.function)
            for one in alarms
            if one.source in MONITORING_SOURCES and not one.is_over
        ),
    ]


def _describe_evidence(case: GateInput, seen: Counter[EvidenceSource]) -> str:
    counts = f"show {count_noun(seen[EvidenceSource.COUNTS], 'failing function')}"
    lines = (
        count_noun(seen[EvidenceSource.PROBES], "probe fails", "probes fail"),
        f"request counts {counts if case.facts.requests is not None else 'could not be read'}",
        *(f"{count_noun(seen[one], 'open alert')} of {one}" for one in MONITORING_SOURCES if seen[one]),
    )
    return "; ".join(lines)
