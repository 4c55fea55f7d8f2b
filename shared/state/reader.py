"""What the responders keep, read for people: typed, and nothing is changed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from msgspec import Struct

from shared.core.store import Document, Query, Store
from shared.domain.audit.chain import AuditEntry, Event
from shared.domain.audit.system_chain import UNCLAIMED_SYSTEM, refusal_event_key, system_events_path
from shared.domain.commands.command import CommandRecord, command_path
from shared.domain.data.asset_protection import AssetProtectionStatus, assets_path
from shared.domain.data.backups.database_copy import DatabaseCopy
from shared.domain.data.backups.export import Backup
from shared.domain.data.backups.native_backups import ManagedBackupStatus, managed_backups_path
from shared.domain.data.backups.restore_test import RestoreTest
from shared.domain.data.erasure.ledger import ErasureLedgerRecord, ledger_path
from shared.domain.data.integrity.damage import IntegrityRecord, damage_path
from shared.domain.data.isolation.write_fence import Fence, fence_path
from shared.domain.data.repair import quarantine
from shared.domain.decision.decision_snapshot import DecisionSnapshot, snapshots_path
from shared.domain.decision.recorded_decision import RecordedDecision, newest_decision
from shared.domain.deployments.deployment import Deployment, deployment_path, record_path
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.incidents.incident import (
    ROLLBACK_STATUS_NAMES,
    Incident,
    PublicState,
    StatusPageRecord,
    incident_path,
    page_record_path,
    page_start_path,
    rollback_id,
)
from shared.domain.notices.notice import Notice, NoticeStatus
from shared.domain.notices.recipients import BEGINNING_STAGES, incident_stage
from shared.domain.policy.system_policy import Policy
from shared.domain.presentation.status_page import mark_rollback, record_parts
from shared.domain.reports.filed_report import FiledReport, report_path
from shared.domain.reports.monthly_stats import IncidentTally
from shared.domain.rollback.pins import Pin, active_pins
from shared.domain.rollback.plan import Step
from shared.domain.rollback.rollback import Rollback, rollback_path
from shared.domain.rollback.write_quota import SavedPace, quota_path
from shared.domain.signals.alert import Alert
from shared.domain.signals.probe_signals import probes_path
from shared.domain.system_record import (
    BUDGET_PATH,
    GLOBAL_CONTROLS_PATH,
    Budget,
    Controls,
    System,
    decode_system,
    system_path,
)

T = TypeVar("T", bound=Struct)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Whatever has a time is later."""
PAGE_SIZE = 20
"""Each entry is a document of up to 1 MiB."""


@dataclass
class StateReader:
    """Reads of the state database. Raises (anywhere): Unavailable."""

    _store: Store

    def controls(self) -> Controls:
        """The switches over all systems."""
        return self._one(Controls, GLOBAL_CONTROLS_PATH) or Controls()

    def budget(self) -> Budget:
        """When automation has acted of late."""
        return self._one(Budget, BUDGET_PATH) or Budget()

    def system(self, name: str) -> System:
        """A protected system; one of which nothing was said yet is in observe mode."""
        return decode_system(self._store.get(system_path(name)).fields, name)

    def has_state(self, system: str) -> bool:
        """Return whether the responders have ever written anything of a system."""
        looks = probes_path(system), page_start_path(system)
        paths = (system_path(system), stocks.inventory_path(system), *looks)
        return any(self._store.get(path).fields is not None for path in paths)

    def incident(self, name: str) -> Incident | None:
        """An incident by its public id; None when there is none."""
        return self._one(Incident, incident_path(name))

    def incidents(self, system: str) -> list[Incident]:
        """The incidents of a system that are still kept, newest first."""
        found = self._where(Incident, "incidents", system=system)
        return sorted(found, key=lambda one: (one.detected_at, one.id), reverse=True)

    def alerts(self, incident: str) -> list[Alert]:
        """The alerts of an incident, the first received first."""
        return sorted(self._where(Alert, "alerts", incident=incident), key=lambda one: one.received_at)

    def rollback(self, name: str) -> Rollback | None:
        """A rollback by its id; None when there is none."""
        return self._one(Rollback, rollback_path(name))

    def rollbacks(self, incident: Incident) -> list[Rollback]:
        """Every response to an incident, the first first."""
        return [one for one in map(self.rollback, incident.rollback_ids) if one is not None]

    def rollbacks_of(self, system: str) -> list[Rollback]:
        """Every rollback of a system that is still kept, the first first."""
        return sorted(self._where(Rollback, "rollbacks", system=system), key=lambda one: one.created_at)

    def active_rollbacks(self, system: str = "") -> list[Rollback]:
        """Return the rollbacks that have not ended, of one system or of all."""
        found = self._all(Rollback, Query("rollbacks", where=(("due_at", ">", EPOCH),)))
        return [one for one in found if system in ("", one.system)]

    def steps(self, rollback: str) -> list[Step]:
        """The steps of a rollback, in the plan's order; none before it is decided."""
        return sorted(self._all(Step, Query(f"rollbacks/{rollback}/steps")), key=lambda step: step.number)

    def snapshots(self, incident: Incident) -> list[DecisionSnapshot]:
        """Return the decisions about an incident that are stored with their facts."""
        queries = (Query(snapshots_path(rollback)) for rollback in incident.rollback_ids)
        return [snapshot for query in queries for snapshot in self._all(DecisionSnapshot, query)]

    def pace(self, system: str) -> SavedPace | None:
        """How fast a system's writes may go on; None while nothing was carried out there."""
        return self._one(SavedPace, quota_path(system))

    def audit_entries(self, rollback: str) -> list[AuditEntry]:
        """The audit entries of a rollback, in order."""
        return self._all(AuditEntry, Query(f"rollbacks/{rollback}/audit"))

    def decisions(self, every: Iterable[Rollback]) -> dict[str, RecordedDecision]:
        """Return the newest decision of each rollback that has one, by the rollback's id."""
        found = {one.id: newest_decision(self.audit_entries(one.id)) for one in every}
        return {name: decision for name, decision in found.items() if decision is not None}

    def journal(self, rollback: str) -> list[quarantine.JournalEntry]:
        """What a rollback has written of the data, batch by batch."""
        return [one.decode(quarantine.JournalEntry) for _, one in read_entries_after(self._store, rollback)]

    def deployments(self, system: str) -> list[Deployment]:
        """The recorded deployments of a system, newest first, each by its announced name."""
        found = [one for one in self.every_deployment(system) if not one.named]
        return sorted(found, key=lambda one: one.at, reverse=True)

    def every_deployment(self, system: str) -> list[Deployment]:
        """Those that another name was announced for, too; in no order."""
        return self._where(Deployment, "deployments", system=system)

    def deployment(self, system: str, name: str) -> Deployment | None:
        """A recorded deployment; None when there is none."""
        return self._one(Deployment, deployment_path(system, name))

    def deployment_inventory(self, system: str, deployment: str) -> WholeInventory | None:
        """All that was live in a deployment; None when that is not recorded."""
        fields = self._store.get(record_path(system, deployment)).fields
        return stocks.unpack_inventory(fields["live"]) if fields is not None else None

    def pins(self, system: str) -> list[Pin]:
        """What rollbacks hold in a system now, by function."""
        return active_pins(self._where(Pin, "pins", system=system))

    def pin_keeper(self, system: System, held: Sequence[Pin]) -> str:
        """Return the newest open incident that keeps one of these pins; empty: none does."""
        known = (self.incident(name) for name in system.open_incidents)
        return next((one.id for one in known if one is not None and self._keeps_pins(one, held)), "")

    def _keeps_pins(self, incident: Incident, held: Sequence[Pin]) -> bool:
        """Return whether its rollback of these is in progress, or a person must decide."""
        names = incident.rollback_ids
        if incident.is_awaiting_recovery or any(one.rollback in names for one in held):
            return not incident.is_awaiting_recovery
        planned = {one.target for one in self.steps(names[-1])}
        return incident.due_at is None and (not planned or any(one.function in planned for one in held))

    def backups(self, system: str) -> list[Backup]:
        """The catalogue of a system's backups by export, newest first."""
        found = self._where(Backup, "backups", system=system)
        return sorted(found, key=lambda one: one.slot_at, reverse=True)

    def restore_tests(self, system: str) -> list[RestoreTest]:
        """The proofs of a system's backups, newest first."""
        found = self._where(RestoreTest, "proofs", system=system)
        return sorted(found, key=lambda one: one.began_at, reverse=True)

    def copies(self, system: str) -> list[DatabaseCopy]:
        """The copies of a system's database that are not over, newest first."""
        found = [one for one in self._where(DatabaseCopy, "copies", is_over=False) if one.system == system]
        return sorted(found, key=lambda one: one.began_at, reverse=True)

    def fence(self, system: str) -> Fence | None:
        """The newest fence of a system; None when there was none."""
        return self._one(Fence, fence_path(system))

    def erasure_ledger(self, system: str) -> ErasureLedgerRecord | None:
        """What a system's ledger of erased people is written with; None: there is none yet."""
        return self._one(ErasureLedgerRecord, ledger_path(system))

    def managed_backup_status(self, system: str) -> ManagedBackupStatus | None:
        """What was found of Google's own backups the last time; None: nobody has looked."""
        return self._one(ManagedBackupStatus, managed_backups_path(system))

    def asset_protection_status(self, system: str) -> AssetProtectionStatus | None:
        """What was found of a system's assets the last time; None: nobody has looked."""
        return self._one(AssetProtectionStatus, assets_path(system))

    def integrity(self, system: str) -> IntegrityRecord | None:
        """What is known of a system's data; None: nobody has looked through it."""
        return self._one(IntegrityRecord, damage_path(system))

    def tallies(self, system: str) -> list[IncidentTally]:
        """What is kept of a system's incidents that are over, the first first."""
        return sorted(self._where(IncidentTally, "tallies", system=system), key=lambda one: one.detected_at)

    def filed_report(self, incident: str) -> FiledReport | None:
        """The report of an incident as it was filed, or is to be; None: it is not over yet."""
        return self._one(FiledReport, report_path(incident))

    def status_page_record(self, incident: Incident) -> StatusPageRecord | None:
        """When the status page first showed an incident; None: its system has no status page."""
        found = self._one(StatusPageRecord, page_record_path(incident.system, incident.id))
        if found is not None:
            return found
        start = self._store.get(page_start_path(incident.system))
        return StatusPageRecord() if start.fields is not None else None

    def observe_parts(
        self, policy: Policy, state: PublicState, known: StatusPageRecord, now: datetime
    ) -> StatusPageRecord:
        """The record with what an incident is observed to affect now; that of a fence as it is."""
        incident = self.incident(state.incident or "-")
        if incident is None:
            return known
        newest = self.rollback(rollback_id(incident.id, incident.rollbacks))
        return record_parts(policy, state, known, self.alerts(incident.id), newest, incident, now)

    def mark_rollback(self, state: PublicState) -> PublicState:
        """Return the public state of an incident whose rollback may be held or checked again."""
        incident = self.incident(state.incident or "-") if state.word in ROLLBACK_STATUS_NAMES else None
        newest = self.rollback(rollback_id(incident.id, incident.rollbacks)) if incident else None
        return mark_rollback(state, newest)

    def notices(self, incident: str) -> list[Notice]:
        """What was said of an incident, in order."""
        return sorted(self._where(Notice, "notices", incident=incident), key=lambda one: one.created_at)

    def asked_messages(self, system: str) -> list[Notice]:
        """The messages to users that a person may still approve."""
        pending = self._where(Notice, "notices", system=system, status=NoticeStatus.PENDING)
        asked = [one for one in pending if one.is_asked]
        over = [one for one in asked if (about := self.incident(one.incident)) and about.ended_at]
        return [one for one in asked if one not in over or incident_stage(one.event) not in BEGINNING_STAGES]

    def command(self, name: str) -> CommandRecord | None:
        """What became of a command; None while nobody has carried it out."""
        return self._one(CommandRecord, command_path(name))

    def refusal(self, topic: str, message: str) -> str | None:
        """Why a message was refused; None when it was not, or not yet."""
        told = self._one(Event, f"{system_events_path(UNCLAIMED_SYSTEM)}/{refusal_event_key(topic, message)}")
        return None if told is None else str(told.facts["reason"])

    def _all(self, kind: type[T], query: Query) -> list[T]:
        return [one.decode(kind) for one in self._store.query(query)]

    def _where(self, kind: type[T], collection: str, **equal: Any) -> list[T]:
        return self._all(kind, Query.equal(collection, **equal))

    def _one(self, kind: type[T], path: str) -> T | None:
        return self._store.get(path).find(kind)


def read_entries_after(store: Store, rollback: str, name: str = "") -> Iterator[tuple[str, Document]]:
    """The entries whose names come after that one, by name. Raises: Unavailable."""
    while True:
        where = (("name", ">", name),)
        found = store.query(Query(quarantine.journal_path(rollback), where, order_by="name", limit=PAGE_SIZE))
        for document in found:
            name = document.path.rpartition("/")[2]
            yield name, document
        if len(found) < PAGE_SIZE:
            return
