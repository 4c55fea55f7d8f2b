"""What was counted while a system did not work: requests, and users who met a failure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from responders.asking import ask_all, or_none
from shared.health import summed
from shared.impact import Counts, impact
from shared.incident import Incident
from shared.policy import Policy
from shared.ports import Ports


def counted(
    ports: Ports, policy: Policy, incident: Incident, known: Counts, now: datetime
) -> Counts:
    """What is known already, and what of the rest Monitoring tells now.

    What gives no answer, or none to whoever asks, stays unknown.
    """
    metrics = ports.metrics(policy.system)
    since, until = incident.onset_at, impact(policy, incident, known, now).restored_at or now
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
