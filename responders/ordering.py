"""A rollback that a person orders: an incident of its own, which supersedes automation."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from shared import incident as incidents
from shared import rollback as rollbacks
from shared import system as systems
from shared.audit import event
from shared.command import Command
from shared.documents import decode, encode
from shared.incident import Incident, Moment, Status
from shared.opening import counter_path, open_incident
from shared.policy import Policy
from shared.ports import Document, Ports, Update, Write
from shared.rollback import ENDED, Order, Rollback
from shared.system import System
from shared.tenure import Draft, prepared


class Ordering:
    """Composes the commit of a forced rollback."""

    def __init__(self, ports: Ports, policy: Policy) -> None:
        self._ports = ports
        self._policy = policy

    def compose(self, command: Command) -> tuple[list[Write], str]:
        """The writes, each under the version that was read, and the result in words."""
        store = self._ports.store
        system = store.get(systems.path(self._policy.system))
        now = system.read_at  # all instances agree on the store's time
        opening = open_incident(
            self._policy,
            system,
            store.get(counter_path(now)),
            severity=command.severity,
            signal="command",
            onset=now,
            now=now,
            commit_id=self._ports.ids(),
            events=[event("rollback.ordered", now, command.actor, command=encode(command))],
            order=self._order(command),
        )
        superseded = self._superseded(system, opening.incident.id, command.actor, now)
        return [*opening.writes, *superseded], f"opened {opening.incident.id}"

    def _superseded(
        self, system: Document, successor: str, actor: str, now: datetime
    ) -> list[Write]:
        """Ask the rollback under way to stop; end an incident that waited for a person."""
        known = decode(System, system.fields) if system.fields else None
        if known is None or not known.rollback or known.incident_ended_at:
            return []
        why = f"superseded by {successor}"
        document = self._ports.store.get(rollbacks.path(known.rollback))
        before = decode(Rollback, document.fields) if document.fields else None
        if before is not None and before.status not in ENDED:
            told = event("rollback.superseded", now, actor, by=successor)
            draft = Draft((told,), {"cancel_requested": why, "due_at": now})
            _, writes = prepared(before, document.version, draft, self._ports.ids(), renew=False)
            return writes
        incident = decode(Incident, self._ports.store.get(incidents.path(known.incident)).fields)
        ended = replace(
            incident,
            status=Status.RESOLVED,
            ended_at=now,
            timeline=[*incident.timeline, Moment(Status.RESOLVED, now, why)],
        )
        return [Update(incidents.path(incident.id), encode(ended))]

    def _order(self, command: Command) -> Order:
        groups = [group for name in command.groups for group in self._policy.groups_called(name)]
        return Order(
            command=command.id,
            actor=command.actor,
            reason=command.reason,
            target=command.target,
            groups=tuple(dict.fromkeys(groups)),
            functions=command.functions,
            batch_size=command.batch_size,
            delay_seconds=command.delay_seconds,
        )
