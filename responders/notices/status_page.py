"""The status page of a system, written anew: whatever is down here, the last one still stands."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.core.codec import encode
from shared.core.errors import Exists, Moved
from shared.core.store import Create, Put, Query
from shared.core.text import join_names, last_segment
from shared.domain.incidents.incident import (
    PublicState,
    StatusPageRecord,
    page_record_path,
    page_records_path,
    page_start_path,
    public_history_path,
)
from shared.domain.incidents.incident_notices import create_incident_notices
from shared.domain.notices.notice import Notice
from shared.domain.policy.system_policy import Policies, Policy
from shared.domain.presentation.status_page import build_status_page, is_unobserved
from shared.domain.presentation.status_page_html import OBJECT_NAMES, PAGE, render_objects, system_folder
from shared.domain.retention import PUBLIC_RETENTION
from shared.ports.groups import Ports
from shared.ports.storage import Pages
from shared.state import work_queue
from shared.state.reader import StateReader
from shared.state.work_queue import WorkItem

MAX_REQUEST_AGE = timedelta(minutes=5)
"""Later sweeps have asked for it again: one that comes that late writes nothing."""
MAX_RECORD_DELAY = timedelta(hours=1)
"""One that ended longer ago was on a page before."""


@dataclass
class StatusPageWriter:
    """Writes status pages; without a bucket there are none."""

    _ports: Ports
    _policies: Policies

    def write_page(self, due: WorkItem) -> None:
        """Return once page and feeds say what is public now, or say something newer.

        A redelivery writes them again. Raises: Ambiguous, Unavailable, Rejected.
        """
        pages, now = self._ports.notices.pages, self._ports.clock.now()
        if pages is None or due.id not in self._policies or now - due.due_at > MAX_REQUEST_AGE:
            return
        with suppress(Moved):  # whoever wrote meanwhile has read what is public after we began
            self._write(pages, self._policies[due.id], now)

    def _write(self, pages: Pages, policy: Policy, now: datetime) -> None:
        place = system_folder(policy.system)
        generations = {name: pages.generation(f"{place}/{name}") for name in OBJECT_NAMES}
        since = self._find_page_start(policy.system, now)
        states = self._read_states(policy.system, now)
        found = self._ports.store.query(Query(page_records_path(policy.system)))
        known = {last_segment(one.path): one.decode(StatusPageRecord) for one in found}
        records = self._observe_parts(policy, states, known, now)
        seen = build_status_page(policy, states, since, now, records)
        address = pages.address(f"{place}/{PAGE}").removesuffix(f"/{PAGE}")
        for name, made in render_objects(seen, address).items():
            pages.put(f"{place}/{name}", made.content, made.content_type, generations[name])
        shown, now = {one.id for one in (*seen.active, *seen.past)}, self._ports.clock.now()
        for incident, record in records.items():
            is_first = incident in shown and record.written_at is None
            newest = replace(record, written_at=now) if is_first else record
            if newest != known.get(incident):
                write = Put(page_record_path(policy.system, incident), encode(newest))
                said = self._build_spread_notices(policy, incident, known.get(incident), newest, now)
                work_queue.commit_with_notices(self._ports, [write], said)

    def _build_spread_notices(
        self,
        policy: Policy,
        name: str,
        before: StatusPageRecord | None,
        newest: StatusPageRecord,
        now: datetime,
    ) -> list[Notice]:
        """Create the notices of parts that an open incident affects beside its first ones."""
        known = [one.name for one in before.parts] if before is not None else []
        further = [one.name for one in newest.parts if one.name not in known]
        incident = StateReader(self._ports.store).incident(name) if known and further else None
        if incident is None or incident.ended_at is not None:
            return []
        text = f"further parts are affected: {join_names(further)}"
        return create_incident_notices(
            policy, incident, f"incident.spread-parts-{len(newest.parts)}", text, now
        )

    def _read_states(self, system: str, now: datetime) -> list[PublicState]:
        query = Query(
            public_history_path(system),
            where=(("updated_at", ">=", now - PUBLIC_RETENTION),),
            order_by="updated_at",
        )
        reading = StateReader(self._ports.store)
        return [reading.mark_rollback(one.decode(PublicState)) for one in self._ports.store.query(query)]

    def _observe_parts(
        self, policy: Policy, states: list[PublicState], known: Mapping[str, StatusPageRecord], now: datetime
    ) -> dict[str, StatusPageRecord]:
        """Return what is known of each incident, and of the newest what they affect now."""
        reading, records = StateReader(self._ports.store), dict(known)
        for state in states:
            if not state.incident:
                continue
            before = known.get(state.incident, StatusPageRecord(expires_at=now + PUBLIC_RETENTION))
            is_recent = state.ended_at is None or state.updated_at > now - MAX_RECORD_DELAY
            if is_recent or before.unknown or is_unobserved(state, before):
                records[state.incident] = reading.observe_parts(policy, state, before, now)
        return records

    def _find_page_start(self, system: str, now: datetime) -> datetime:
        """When the first page of the system was written: what was before, nobody knows."""
        store, path = self._ports.store, page_start_path(system)
        document = store.get(path)
        if document.fields is None:
            with suppress(Exists):  # another instance writes its first page too
                store.commit([Create(path, {"system": system, "since": now})])
            return now
        since: datetime = document.fields["since"]
        return since
