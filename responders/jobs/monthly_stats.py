"""Once a day: what stays of each incident that is over, when it expires; told as metrics, too."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from shared.core.codec import encode
from shared.core.errors import Exists
from shared.core.store import Create, Query, Store
from shared.domain.audit.system_chain import system_event
from shared.domain.incidents.incident import Incident
from shared.domain.policy.system_policy import Policy
from shared.domain.reports.monthly_stats import (
    TALLY_DELAY,
    TALLY_SEARCH_WINDOW,
    IncidentTally,
    tally_facts,
    tally_incident,
    tally_path,
)
from shared.domain.retention import RECORD_RETENTION
from shared.state.reader import StateReader


def record_tallies(store: Store, policy: Policy, now: datetime) -> None:
    """Tally a system's incidents in one commit, once a day (UTC). Raises: Unavailable."""
    marker = f"ticks/{now:%Y%m%d}-tallies-{policy.system}"
    if store.get(marker).fields is not None:
        return
    writes = [Create(marker, {"at": now, "expires_at": now + RECORD_RETENTION})]
    for one in _build_missing_tallies(store, policy, now):
        key, facts = f"tallied:{one.incident}", tally_facts(one)
        writes.append(Create(tally_path(one.incident), encode(one)))
        writes.append(system_event(policy.system, key, "incident.tallied", now, "on_clock", **facts))
    with suppress(Exists):  # another instance has tallied them
        store.commit(writes)


def _build_missing_tallies(store: Store, policy: Policy, now: datetime) -> Iterator[IncidentTally]:
    """Of the incidents that ended of late, and for good, those without a tally."""
    ended = store.query(Query("incidents", where=(("ended_at", ">", now - TALLY_SEARCH_WINDOW),)))
    for incident in (one.decode(Incident) for one in ended):
        is_final = incident.ended_at is not None and incident.ended_at <= now - TALLY_DELAY
        if incident.system != policy.system or not is_final:
            continue
        if store.get(tally_path(incident.id)).fields is not None:
            continue
        made = tally_incident(policy, incident, StateReader(store).rollbacks(incident))
        if made is not None:
            yield made
