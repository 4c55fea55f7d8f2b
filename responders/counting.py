"""What was counted while a system did not work: requests, and users who met a failure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from responders.asking import ask_all, or_none
from shared.domain.incidents.incident import Incident
from shared.domain.policy.model import Policy
from shared.domain.reports.impact import Counts, impact
from shared.domain.signals.health import summed
from shared.ports.world import Ports

MINUTE = timedelta(minutes=1)


def counted(
    ports: Ports, policy: Policy, incident: Incident, known: Counts, now: datetime
) -> Counts:
    """What is known already, and what of the rest Monitoring tells now.

    It counts by whole minutes: each counts that the trouble has touched, or a short one would have
    failed nobody. What gives no answer, or none to whoever asks, stays unknown.
    """
    metrics = ports.metrics(policy.system)
    restored_at = impact(policy, incident, known, now).restored_at or now
    since, until = _minute(incident.onset_at), min(_minute(restored_at) + MINUTE, now)
    calls: dict[str, Callable[[], Any]] = {}
    if known.requests is None:
        calls["requests"] = partial(metrics.requests, since, until)
    if known.users is None and policy.outage is not None and policy.outage.users:
        calls["users"] = partial(metrics.counted, policy.outage.users, since, until)
    answers = ask_all(ports, calls)
    requests = or_none(answers.get("requests"))
    return Counts(
        requests=known.requests if requests is None else summed(requests.values()),
        users=known.users if "users" not in answers else or_none(answers["users"]),
    )


def _minute(moment: datetime) -> datetime:
    """The whole minute that it lies in."""
    return moment.replace(second=0, microsecond=0)
