"""Is a deployment that is live known to be good? Time, requests, probes and peace say so; pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.core.codec import FrozenStruct
from shared.domain.deployments.deployment import Deployment, DeploymentStatus
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.health import ProbeAnswer, RouterRequests, failing_functions
from shared.domain.system_record import System

RETRY_INTERVAL = timedelta(minutes=10)
"""When something was not well, or gave no answer."""
UNTESTED_RETRY_INTERVAL = timedelta(hours=1)
MAX_UNTESTED_TIME = timedelta(days=1)
"""Who has not been reached by enough requests until then is left untested."""


class StabilityResult(FrozenStruct):
    """What is known now."""

    status: DeploymentStatus
    reason: str
    due_at: datetime | None
    """When to look again; None: no look would tell more."""
    untested: tuple[str, ...] = ()


def stability_period_start(deployment: Deployment, system: System) -> datetime:
    """From when on it has been live in peace: an incident begins its time anew."""
    settled = deployment.settled_at or deployment.at
    ended = system.incident_ended_at or system.previous_incident_ended_at
    return settled if ended is None else max(settled, ended)


def describe_passed_over(deployment: Deployment, until: datetime, policy: Policy, system: System) -> str:
    """Return the line of a plan that goes back past a deployment, which served until then."""
    if system.open_incident and system.incident_detected_at:
        until = min(until, system.incident_detected_at)
    bake = policy.execution.bake
    baked = min(max(until - stability_period_start(deployment, system), timedelta()), bake)
    why = f", but {deployment.reason or 'it was not judged yet'}" if baked == bake else ""
    return (
        f"{deployment.id}, live since {deployment.at:%Y-%m-%d %H:%M} UTC, is passed over: "
        f"{baked // timedelta(minutes=1)} of {bake // timedelta(minutes=1)} minutes baked{why}"
    )


def evaluate_stability(
    deployment: Deployment,
    policy: Policy,
    system: System,
    requests: Mapping[str, RouterRequests] | None,
    probes: Mapping[str, ProbeAnswer],
    now: datetime,
) -> StabilityResult:
    """Evaluate a LIVE deployment; `requests` are counted since `stability_period_start`."""
    if system.open_incident:
        return _not_yet_stable(f"{system.open_incident} is open", now + RETRY_INTERVAL)
    done_at = stability_period_start(deployment, system) + policy.execution.bake
    if now < done_at:
        return _not_yet_stable("it has not been live without an incident for long enough", done_at)
    unasked = sorted(probe.name for probe in policy.probes if probe.name not in probes)
    failed = sorted(name for name, answer in probes.items() if not answer.passed)
    if failed:
        return _not_yet_stable(f"probes fail: {', '.join(failed)}", now + RETRY_INTERVAL)
    if unasked:
        return _not_yet_stable(f"probes gave no answer: {', '.join(unasked)}", now + RETRY_INTERVAL)
    if requests is None:
        return _not_yet_stable("the metrics gave no answer", now + RETRY_INTERVAL)
    if ill := sorted(failing_functions(requests, policy.gates) & set(deployment.changed_functions)):
        return _not_yet_stable(f"failing: {', '.join(ill)}", now + RETRY_INTERVAL)
    untested = tuple(
        name
        for name in sorted(deployment.changed_functions)
        if name in deployment.functions
        and requests.get(name, RouterRequests(0, 0)).total < policy.gates.minimum_requests
    )
    if not untested:
        return StabilityResult(
            DeploymentStatus.STABLE, "live without an incident, reached by requests, probes pass", None
        )
    later = now + UNTESTED_RETRY_INTERVAL
    last = (deployment.settled_at or deployment.at) + MAX_UNTESTED_TIME
    reason = f"too few requests to tell of {len(untested)} changed functions"
    return StabilityResult(DeploymentStatus.LIVE, reason, later if later <= last else None, untested)


def _not_yet_stable(reason: str, due_at: datetime) -> StabilityResult:
    return StabilityResult(DeploymentStatus.LIVE, reason, due_at)
