"""Events outside every rollback, sealed into their system's chain each quarter of an hour."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from shared.core.errors import Moved
from shared.core.store import Query
from shared.domain.audit import system_chain
from shared.domain.policy.system_policy import Policy
from shared.domain.system_record import ALL_SYSTEMS
from shared.ports.groups import Ports

MAX_EVENTS_PER_COMMIT = 200


class AuditSealer:
    """Chains what the responders wrote down singly."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._chains = (*policies, ALL_SYSTEMS, system_chain.UNCLAIMED_SYSTEM)
        self._looked: dict[str, str] = {}
        """In which quarter each chain was known to be looked at: it needs no other look in that."""

    def seal(self, now: datetime) -> None:
        """Look at each chain once in a quarter; what more there is waits for the next sweep.

        Raises: Unavailable.
        """
        quarter = system_chain.quarter_hour_name(now)
        store = self._ports.store
        for system in self._chains:
            if self._looked.get(system) == quarter:
                continue
            head = store.get(system_chain.head_path(system))
            if (head.fields or {}).get("quarter") == quarter:
                self._looked[system] = quarter
                continue
            loose = store.query(
                Query(
                    system_chain.system_events_path(system),
                    where=(("sealed", "==", system_chain.UNSEALED),),
                    limit=MAX_EVENTS_PER_COMMIT,
                )
            )
            looked = quarter if len(loose) < MAX_EVENTS_PER_COMMIT else ""
            try:
                sealed = system_chain.seal_events(
                    system, head, loose, now=now, commit_id=self._ports.ids(), quarter=looked
                )
                store.commit(sealed)
                self._looked[system] = looked
            except Moved:  # another sweep has sealed it
                continue
