"""Once a day: what stays of each incident that is over, when it expires; told as metrics, too."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime

from shared.core.codec import decode, encode
from shared.core.errors import Exists
from shared.core.store import Create, Query, Write
from shared.domain.audit.chain import create_event
from shared.domain.audit.system_chain import event_write
from shared.domain.incidents.incident import Incident
from shared.domain.policy.system_policy import Policy
from shared.domain.reports import monthly_stats
from shared.domain.reports.monthly_stats import TALLY_DELAY, TALLY_SEARCH_WINDOW, IncidentTally
from shared.domain.retention import RECORD_RETENTION
from shared.ports.groups import Ports
from shared.state.reader import StateReader


class MonthlyStatsRecorder:
    """Tallies each system's incidents on the first sweep of a day (UTC)."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = policies

    def record_due_stats(self, now: datetime) -> None:
        """Tally what nobody has tallied today. Raises: Unavailable."""
        for system in self._policies:
            self._record_tallies(system, now)

    def _record_tallies(self, system: str, now: datetime) -> None:
        """One commit: that it was looked at today, and what was found, each with its event."""
        store, marker = self._ports.store, f"ticks/{now:%Y%m%d}-tallies-{system}"
        if store.get(marker).fields is not None:
            return
        writes: list[Write] = [Create(marker, {"at": now, "expires_at": now + RECORD_RETENTION})]
        for one in self._build_missing_tallies(system, now):
            told = create_event("incident.tallied", now, "on_clock", **monthly_stats.tally_facts(one))
            writes += [
                Create(monthly_stats.tally_path(one.incident), encode(one)),
                event_write(system, f"tallied:{one.incident}", told),
            ]
        with suppress(Exists):  # another instance has tallied them
            store.commit(writes)

    def _build_missing_tallies(self, system: str, now: datetime) -> Iterator[IncidentTally]:
        """Of the incidents that ended of late, and for good, those without a tally."""
        store = self._ports.store
        ended = store.query(Query("incidents", where=(("ended_at", ">", now - TALLY_SEARCH_WINDOW),)))
        for incident in (decode(Incident, one.fields) for one in ended):
            is_final = incident.ended_at is not None and incident.ended_at <= now - TALLY_DELAY
            if incident.system != system or not is_final:
                continue
            if store.get(monthly_stats.tally_path(incident.id)).fields is not None:
                continue
            policy, rollbacks = self._policies[system], StateReader(store).rollbacks(incident)
            made = monthly_stats.tally_incident(policy, incident, rollbacks)
            if made is not None:
                yield made
