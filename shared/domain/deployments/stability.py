"""Is a deployment that is live known to be good? Time, requests, probes and peace say so; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from shared.domain.deployments.deployment import Deployment, DeploymentStatus
from shared.domain.policy.model import Policy
from shared.domain.signals.health import ProbeAnswer, Requests, failing
from shared.domain.system import System

AGAIN = timedelta(minutes=10)
"""When something was not well, or gave no answer."""
UNTESTED_AGAIN = timedelta(hours=1)
UNTESTED_FOR = timedelta(days=1)
"""Who has not been reached by enough requests until then is left untested."""


class Baked(Struct, frozen=True):
    """What is known now."""

    status: DeploymentStatus
    reason: str
    due_at: datetime | None
    """When to look again; None: no look would tell more."""
    untested: tuple[str, ...] = ()


def bakes_since(deployment: Deployment, system: System) -> datetime:
    """From when on it has been live in peace: an incident begins its time anew."""
    settled = deployment.settled_at or deployment.at
    ended = system.incident_ended_at
    return settled if ended is None else max(settled, ended)


def baked(
    deployment: Deployment,
    policy: Policy,
    system: System,
    requests: Mapping[str, Requests] | None,
    probes: Mapping[str, ProbeAnswer],
    now: datetime,
) -> Baked:
    """Whether a LIVE deployment, which is what is live, has become STABLE.

    `requests` per function, counted since `bakes_since`.
    """
    if system.open_incident:
        return _again(f"{system.open_incident} is open", now + AGAIN)
    done_at = bakes_since(deployment, system) + policy.execution.bake
    if now < done_at:
        return _again("it has not been live in peace for long enough", done_at)
    unasked = sorted(probe.name for probe in policy.probes if probe.name not in probes)
    failed = sorted(name for name, answer in probes.items() if not answer.passed)
    if failed:
        return _again(f"probes fail: {', '.join(failed)}", now + AGAIN)
    if unasked:
        return _again(f"probes gave no answer: {', '.join(unasked)}", now + AGAIN)
    if requests is None:
        return _again("the metrics gave no answer", now + AGAIN)
    if ill := sorted(failing(requests, policy.gates) & set(deployment.deployed)):
        return _again(f"failing: {', '.join(ill)}", now + AGAIN)
    untested = _untested(deployment.deployed, deployment, requests, policy)
    if not untested:
        return Baked(
            DeploymentStatus.STABLE, "live in peace, reached by requests, probes pass", None
        )
    later = now + UNTESTED_AGAIN
    last = (deployment.settled_at or deployment.at) + UNTESTED_FOR
    reason = f"too few requests to tell of {len(untested)} changed functions"
    return Baked(DeploymentStatus.LIVE, reason, later if later <= last else None, untested)


def _untested(
    changed: Collection[str],
    deployment: Deployment,
    requests: Mapping[str, Requests],
    policy: Policy,
) -> tuple[str, ...]:
    """The changed functions that are still there and that too few requests have reached."""
    enough = policy.gates.minimum_requests
    return tuple(
        name
        for name in sorted(changed)
        if name in deployment.functions and requests.get(name, Requests(0, 0)).total < enough
    )


def _again(reason: str, due_at: datetime) -> Baked:
    return Baked(DeploymentStatus.LIVE, reason, due_at)
