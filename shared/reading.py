"""What the responders keep, read for people: typed, and nothing is changed."""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct

from shared import command as commands
from shared import deployment as deployments
from shared import incident as incidents
from shared import outside
from shared import rollback as rollbacks
from shared import stock as stocks
from shared import system as systems
from shared.alert_record import Alert
from shared.audit import Entry, Event
from shared.command import CommandRecord
from shared.deployment import Deployment
from shared.documents import decode
from shared.incident import Incident
from shared.inventory import WholeInventory
from shared.notice import Notice
from shared.outside import UNCLAIMED
from shared.plan import Step
from shared.ports import Query, Store
from shared.rollback import Rollback
from shared.system import BUDGET, GLOBAL, Budget, Controls, System

T = TypeVar("T", bound=Struct)


class Reading:
    """Reads of the state database. Raises (anywhere): Unavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def controls(self) -> Controls:
        """The switches over all systems."""
        return self._one(Controls, GLOBAL) or Controls()

    def budget(self) -> Budget:
        """When automation has acted of late."""
        return self._one(Budget, BUDGET) or Budget()

    def system(self, name: str) -> System:
        """A protected system; one of which nothing was said yet is in observe mode."""
        return self._one(System, systems.path(name)) or System(name=name)

    def incident(self, name: str) -> Incident | None:
        """An incident by its public id; None when there is none."""
        return self._one(Incident, incidents.path(name))

    def incidents(self, system: str) -> list[Incident]:
        """The incidents of a system that are still kept, newest first."""
        found = self._all(Incident, Query("incidents", where=(("system", "==", system),)))
        return sorted(found, key=lambda one: one.detected_at, reverse=True)

    def alerts(self, incident: str) -> list[Alert]:
        """The alerts of an incident, the first received first."""
        found = self._all(Alert, Query("alerts", where=(("incident", "==", incident),)))
        return sorted(found, key=lambda one: one.received_at)

    def rollback(self, name: str) -> Rollback | None:
        """A rollback by its id; None when there is none."""
        return self._one(Rollback, rollbacks.path(name))

    def rollbacks(self, incident: Incident) -> list[Rollback]:
        """Every response to an incident, the first first."""
        names = [incidents.rollback_id(incident.id, n + 1) for n in range(incident.rollbacks)]
        return [one for one in map(self.rollback, names) if one is not None]

    def steps(self, rollback: str) -> list[Step]:
        """The steps of a rollback, in the plan's order; none before it is decided."""
        found = self._all(Step, Query(f"rollbacks/{rollback}/steps"))
        return sorted(found, key=lambda step: step.number)

    def trail(self, rollback: str) -> list[Entry]:
        """The audit entries of a rollback, in order."""
        return self._all(Entry, Query(f"rollbacks/{rollback}/audit"))

    def deployments(self, system: str) -> list[Deployment]:
        """The recorded deployments of a system, newest first, each by its announced name."""
        every = self._all(Deployment, Query("deployments", where=(("system", "==", system),)))
        found = [one for one in every if not one.named]
        return sorted(found, key=lambda one: one.at, reverse=True)

    def deployment(self, system: str, name: str) -> Deployment | None:
        """A recorded deployment; None when there is none."""
        return self._one(Deployment, deployments.path(system, name))

    def record(self, system: str, deployment: str) -> WholeInventory | None:
        """All that was live in a deployment; None when that is not recorded."""
        fields = self._store.get(deployments.record_path(system, deployment)).fields
        return stocks.unpacked(fields["live"]) if fields is not None else None

    def notices(self, incident: str) -> list[Notice]:
        """What was said of an incident, in order."""
        found = self._all(Notice, Query("notices", where=(("incident", "==", incident),)))
        return sorted(found, key=lambda one: one.created_at)

    def command(self, name: str) -> CommandRecord | None:
        """What became of a command; None while nobody has carried it out."""
        return self._one(CommandRecord, commands.path(name))

    def refusal(self, topic: str, message: str) -> str | None:
        """Why a message was refused; None when it was not, or not yet."""
        told = self._one(
            Event, f"{outside.events_of(UNCLAIMED)}/{outside.refused_key(topic, message)}"
        )
        return None if told is None else str(told.facts["reason"])

    def _all(self, kind: type[T], query: Query) -> list[T]:
        return [decode(kind, one.fields) for one in self._store.query(query)]

    def _one(self, kind: type[T], path: str) -> T | None:
        fields = self._store.get(path).fields
        return decode(kind, fields) if fields is not None else None
