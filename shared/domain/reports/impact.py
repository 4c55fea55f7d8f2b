"""What an incident has meant to whoever uses the system, as far as it was counted. Pure."""

from datetime import datetime, timedelta

from shared.core.codec import FrozenStruct
from shared.core.durations import describe_duration
from shared.core.text import count_noun
from shared.domain.incidents.incident import Incident, IncidentStatus, public_state
from shared.domain.incidents.recovery_times import NOTHING_FAILED_TEXT
from shared.domain.policy.system_policy import Outage, Policy
from shared.domain.presentation.status_page import disruption_spans, downtime
from shared.domain.signals.health import RouterRequests, failure_ratio

NO_USERS = "not measured: the policy names no counter of users who meet a failure (outage.users)"
UNCOUNTED_USERS = "not counted: the counter that the policy names (outage.users) has shown nothing"
NO_REQUESTS = "not counted: the metrics gave no answer when this was written"
NO_PRICE = "not known: the policy does not say what a minute costs (outage.per_minute)"


class ImpactCounts(FrozenStruct):
    """What was counted while it did not work."""

    requests: RouterRequests | None = None
    """Of the system's functions, from its beginning until it worked again; None: nobody knows."""
    users: int | None = None
    """Who has met a failure; None: nobody knows."""
    moved: RouterRequests | None = None
    """Of them, while the last rollback moved traffic; None: nobody knows, or nothing moved."""
    before_move: RouterRequests | None = None
    """Of as many minutes before."""
    complete_until: datetime | None = None
    """Until when every request is counted, where later ones are not yet; None: all are counted."""

    @property
    def shift_line(self) -> str:
        """Return what failed while traffic moved, as a clause with its verdict; or ""."""
        during, before = self.moved, self.before_move
        if during is None or before is None or not during.total:
            return ""
        is_seamless = failure_ratio(during) <= failure_ratio(before)
        seamless = "seamless (no larger share)" if is_seamless else "not seamless (a larger share)"
        failed = f"{during.failed} of {count_noun(during.total, 'request')} failed while traffic moved"
        return f"{failed}, {before.failed} of {before.total} in as many minutes before: {seamless}"


class Impact(FrozenStruct):
    """Downtime, failed requests and cost."""

    began_at: datetime
    restored_at: datetime | None
    """When it worked again for the last time; None: it does not yet."""
    downtime_seconds: float
    counts: ImpactCounts
    cost: float | None
    """By the declared value of a minute; None: none is declared."""
    currency: str
    is_failure_observed: bool
    """Whether a failure was confirmed; an order, a declaration and a first alert prove nothing."""
    is_lower_bound: bool
    """Whether it ended and nobody observed a recovery: it may have failed for longer."""


def measure_impact(policy: Policy, incident: Incident, counts: ImpactCounts, now: datetime) -> Impact:
    """What is known of it now."""
    spans = disruption_spans(public_state(policy, incident, now), now)
    down = downtime(spans, incident.onset_at, now)
    is_observed = incident.status is not IncidentStatus.RECOVERY_NOT_OBSERVED
    is_back = is_observed and (incident.ended_at is not None or (bool(spans) and spans[-1][1] < now))
    outage = policy.outage or Outage()
    price = outage.per_minute
    return Impact(
        began_at=spans[0][0] if spans else incident.onset_at,
        restored_at=spans[-1][1] if spans and is_back else None,
        downtime_seconds=down.total_seconds(),
        counts=counts,
        cost=None if price is None else down / timedelta(minutes=1) * price,
        currency=outage.currency,
        is_failure_observed=incident.has_failed and not incident.is_unconfirmed,
        is_lower_bound=incident.ended_at is not None and not is_observed,
    )


def unknown_impact(found: Impact, policy: Policy) -> dict[str, str]:
    """What of it nobody can tell, and why."""
    users = UNCOUNTED_USERS if policy.outage is not None and policy.outage.users else NO_USERS
    return {
        **({} if found.counts.users is not None else {"users": users}),
        **({} if found.counts.requests is not None else {"failed requests": NO_REQUESTS}),
        **({} if found.cost is not None else {"cost": NO_PRICE}),
    }


def summarize_impact(found: Impact) -> str:
    """What is known of it, as a sentence without its full stop."""
    requests, users = found.counts.requests, found.counts.users
    least = "at least " if found.is_lower_bound else ""
    down = f"{least}{describe_duration(timedelta(seconds=found.downtime_seconds))}"
    said = [f"it did not work for {down}" if found.is_failure_observed else NOTHING_FAILED_TEXT]
    if requests is not None:
        until = found.counts.complete_until
        late = f" (not all are counted after {until:%H:%M} UTC)" if until is not None else ""
        said.append(f"{requests.failed} of {count_noun(requests.total, 'request')} failed{late}")
    if found.counts.shift_line:
        said.append(found.counts.shift_line)
    if users is not None:
        said.append(f"{count_noun(users, 'user')} met a failure")
    if found.cost is not None:
        said.append(f"that cost {least}{found.cost:.2f} {found.currency}")
    return ", ".join(said)
