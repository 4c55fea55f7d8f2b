"""Count the impact of an incident: failed requests, and users who met a failure."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from responders.support.parallel_calls import answer_or_none, call_all
from shared.core.durations import ceil_to_minute, floor_to_minute
from shared.domain.incidents.incident import Incident
from shared.domain.policy.system_policy import Policy
from shared.domain.reports.filed_report import MAX_COUNT_DELAY
from shared.domain.reports.impact import ImpactCounts, measure_impact
from shared.domain.signals.health import sum_requests
from shared.ports.groups import Ports
from shared.state.reader import StateReader


def count_impact(
    ports: Ports, policy: Policy, incident: Incident, known: ImpactCounts, now: datetime
) -> ImpactCounts:
    """What is known already, and what of the rest Monitoring tells now.

    It counts by whole minutes: each counts that the trouble has touched, or a short one would have
    failed nobody. What gives no answer, or none to whoever asks, stays unknown.
    """
    metrics = ports.system(policy.system).metrics
    restored_at = measure_impact(policy, incident, known, now).restored_at or now
    since, until = floor_to_minute(incident.onset_at), min(ceil_to_minute(restored_at), now)
    calls: dict[str, Callable[[], Any]] = {}
    if known.requests is None:
        calls["requests"] = partial(metrics.requests, since, until)
    if known.users is None and policy.outage is not None and policy.outage.users:
        calls["users"] = partial(metrics.count_matching, policy.outage.users, since, until)
    moved = _move_window(ports, incident)
    if known.moved is None and moved is not None and now >= moved[1] + MAX_COUNT_DELAY:
        calls["moved"] = partial(metrics.requests, *moved)
        calls["before"] = partial(metrics.requests, moved[0] - (moved[1] - moved[0]), moved[0])
    answers = call_all(ports, calls)
    during, before = (answer_or_none(answers.get(name)) for name in ("moved", "before"))
    requests = answer_or_none(answers.get("requests"))
    complete_until = now - MAX_COUNT_DELAY if until > now - MAX_COUNT_DELAY else None
    return ImpactCounts(
        requests=known.requests if requests is None else sum_requests(requests.values()),
        moved=known.moved if during is None else sum_requests(during.values()),
        before_move=known.before_move if before is None else sum_requests(before.values()),
        complete_until=known.complete_until if requests is None else complete_until,
        users=known.users if "users" not in answers else answer_or_none(answers["users"]),
    )


def _move_window(ports: Ports, incident: Incident) -> tuple[datetime, datetime] | None:
    """Return the whole minutes in which the newest rollback moved traffic; None: none did."""
    for rollback in reversed(StateReader(ports.store).rollbacks(incident)):
        if rollback.started_at is not None and rollback.shifted_at is not None:
            return floor_to_minute(rollback.started_at), ceil_to_minute(rollback.shifted_at)
    return None
