"""Events outside every rollback, sealed into their system's chain each quarter of an hour."""

from datetime import datetime

from shared.core.errors import Moved
from shared.core.store import Query
from shared.domain.audit import system_chain
from shared.domain.policy.system_policy import Policies
from shared.domain.system_record import ALL_SYSTEMS
from shared.ports.groups import Ports

SEAL_TIME_LIMIT_SECONDS = 5.0
"""No seal of a chain is begun after that long: the next sweep continues."""


class AuditSealer:
    """Chains the events that the responders recorded one by one."""

    def __init__(self, ports: Ports, policies: Policies) -> None:
        self._ports = ports
        self.chains = (*policies, ALL_SYSTEMS, system_chain.UNCLAIMED_SYSTEM)
        """The system of each chain; last the one on which anybody can cause events."""
        self._looked: dict[str, str] = {}
        """The quarter in which each chain was last sealed completely."""

    def seal(self, system: str, now: datetime) -> None:
        """Seal one chain's events once in a quarter of an hour. Raises: Unavailable."""
        quarter = f"{now:%Y%m%dT%H}{now.minute // 15}"
        until = self._ports.clock.monotonic() + SEAL_TIME_LIMIT_SECONDS
        try:
            while self._looked.get(system) != quarter and self._ports.clock.monotonic() < until:
                self._looked[system] = self._seal_part(system, now, quarter)
        except Moved:  # another sweep has sealed it
            return

    def _seal_part(self, system: str, now: datetime, quarter: str) -> str:
        """Seal the events that one document holds; return the quarter if none is left, else ""."""
        store = self._ports.store
        head = store.get(system_chain.head_path(system))
        if (head.fields or {}).get("quarter") == quarter:
            return quarter
        unsealed = (("sealed", "==", system_chain.UNSEALED),)
        path = system_chain.system_events_path(system)
        loose = store.query(Query(path, where=unsealed, limit=system_chain.MAX_EVENTS_PER_SEAL))
        part = next(system_chain.sealable_parts(loose), [])
        looked = quarter if len(part) == len(loose) < system_chain.MAX_EVENTS_PER_SEAL else ""
        commit_id = self._ports.ids()
        sealed = system_chain.seal_events(system, head, part, now=now, commit_id=commit_id, quarter=looked)
        store.commit(sealed)
        return looked
