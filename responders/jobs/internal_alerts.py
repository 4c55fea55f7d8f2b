"""What our own probes, or a check of the data, have found: its event, and its alert on record."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

import msgspec
from msgspec.structs import replace

from responders.alerts.incident_assignment import IncidentAssigner
from shared.core.codec import encode
from shared.core.errors import Moved
from shared.core.store import Create, Update
from shared.domain.audit.system_chain import system_event
from shared.domain.data.integrity import damage
from shared.domain.policy.system_policy import Policy
from shared.domain.signals import probe_signals
from shared.domain.signals.alert import Alert, create_alert
from shared.ports.groups import Ports

ACTOR = "on_clock"

Finding = probe_signals.ProbeFinding | damage.DamageFinding


def build_finding_event(policy: Policy, finding: Finding, now: datetime) -> Create:
    """The event of a finding that opened or closed."""
    facts = msgspec.to_builtins(finding)
    key = f"{finding.id(policy.system)}:{finding.state}"
    return system_event(policy.system, key, f"signal.{finding.state}", now, ACTOR, **facts)


def record_findings(
    ports: Ports,
    policy: Policy,
    path: str,
    findings: Sequence[Finding],
    version: datetime | None,
    now: datetime,
) -> None:
    """Record alerts of findings, then the open ones in the document `path`. Raises: Unavailable."""
    new = [one for one in findings if one.recorded != one.state]
    recording = IncidentAssigner(ports, ACTOR)
    for one in new:
        if not one.recorded:
            recording.record(_alert(one, policy, "open", now), policy)
        if one.closed_at is not None:
            recording.record(_alert(one, policy, "closed", now), policy)
    if new:
        still = [encode(one) for one in select_recorded_findings(findings)]
        with suppress(Moved):  # somebody wrote since: the next look sees what is on record
            ports.store.commit([Update(path, {"findings": still}, version)])


def select_recorded_findings(findings: Sequence[Finding]) -> list[Finding]:
    """Those that are open still, once an alert is on record for all of them."""
    return [replace(one, recorded="open") for one in findings if one.closed_at is None]


def _alert(finding: Finding, policy: Policy, state: str, now: datetime) -> Alert:
    return create_alert(
        finding.id(policy.system),
        state,
        policy.system,
        finding.signal,
        verdict="cancelled" if state == "closed" and finding.cancelled else state,
        started_at=finding.onset_at,
        now=now,
        function=finding.function,
        notification=msgspec.json.encode(finding).decode(),
    )
