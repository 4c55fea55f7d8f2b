"""Gates about the alert: is its system known, is it recent, is its signal still true?"""

from shared.core.text import count_noun
from shared.domain.decision.gates.base import GateAnswer, GateInput, GateResult, Outcome
from shared.domain.signals.health import failing_functions


def known_system(case: GateInput) -> GateAnswer:
    """An alert without a system never becomes an incident: what is here is known."""
    return GateAnswer("known system", GateResult.PASS, case.policy.system)


def stale(case: GateInput) -> GateAnswer:
    """Old news: published long before it reached us."""
    youngest = min([alert.received_at - alert.published_at for alert in case.facts.alerts])
    if youngest > case.policy.gates.stale_after:
        return GateAnswer("stale", GateResult.STOP, f"received {youngest} late", Outcome.IGNORE)
    return GateAnswer(
        "stale", GateResult.PASS, f"received {youngest.total_seconds():.0f} s after it was sent"
    )


def still_true(case: GateInput) -> GateAnswer:
    """A second source must agree: routers, a probe, or a look through the data.

    One passing probe stops nothing.

    Closed alerts stop only where no other source sees trouble either. A probe of what the system
    depends on tells nothing of the system.
    """
    if case.is_declared:
        return GateAnswer("still true", GateResult.NOT_APPLICABLE, "it was declared, not measured")
    if case.facts.damage_findings:
        reason = f"our own look through the data: {case.facts.damage_findings[0].reason}"
        return GateAnswer("still true", GateResult.PASS, reason)
    external = {probe.name for probe in case.policy.probes if probe.external}
    bad = [name for name, probed in case.facts.probes.items() if not probed.passed and name not in external]
    counted = failing_functions(case.facts.requests or {}, case.policy.gates)
    if bad or counted:
        functions, probes = count_noun(len(counted), "function"), count_noun(len(bad), "probe")
        seen = f"failing: {functions} by the routers' count, {probes}"
        return GateAnswer("still true", GateResult.PASS, seen)
    if case.facts.requests is None:
        return GateAnswer("still true", GateResult.UNKNOWN, "the metrics could not be read")
    if all(alert.is_over for alert in case.facts.alerts):
        reason = "every alert has closed, and neither routers nor probes see anything"
        return GateAnswer("still true", GateResult.STOP, reason, Outcome.IGNORE)
    is_open = sum(alert.still_open is True for alert in case.facts.alerts)
    reason = "neither routers nor probes see it (yet)"
    if is_open:
        reason += f", and Cloud Monitoring still has {is_open} of its alerts open"
    return GateAnswer("still true", GateResult.UNKNOWN, reason)
