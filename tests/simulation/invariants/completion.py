"""What must hold once nothing is left to do."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from responders.commands.rollback.rollback import build_retry_order
from responders.commands.rollback.undo_and_unpin import build_undo_order
from responders.commands.subject import find_subject
from responders.support.command_handler import CommandRequest
from shared.core.codec import decode
from shared.core.errors import Refused
from shared.domain.audit import anchor, system_chain
from shared.domain.audit.chain import AuditEntry, Event, genesis_hash
from shared.domain.audit.chain import find_chain_faults as chain_faults
from shared.domain.commands.command import Command
from shared.domain.incidents import incident as incidents
from shared.domain.notices.notice import WithdrawalCondition
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import Signal
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, RollbackStatus
from shared.domain.system_record import ALL_SYSTEMS
from shared.state.available_commands import read_available_verbs
from shared.state.reader import StateReader
from tests.simulation.faults.points import Fault
from tests.simulation.invariants.observations import SYSTEM_PATH, Fields, Seen
from tests.simulation.invariants.pins import PinLaws
from tests.simulation.runtime.ports import InstancePorts
from tests.simulation.runtime.scheduler import Instance
from tests.simulation.scenes.bookshop import SYSTEM

WATCHED = Signal(Severity.LOW, ScenarioName.FUNCTIONS, Mode.ACT)
"""Stands for what a person has begun."""
FEW_FAULTS = 4
"""With so many, a rollback must succeed; with more, its limits may end it, and somebody is told."""
TOLD_ONCE = frozenset(
    {
        *("incident.detected", "rollback.decided", "rollback.shifted", "rollback.verified"),
        *("rollback.succeeded", "rollback.failed", "rollback.cancelled", "step.done"),
    }
)
"""What happens at most once to a rollback, or to one of its steps."""


class EndLaws:
    """Everything has ended, was kept, chained and told, and succeeded where it had to."""

    def __init__(self, seen: Seen, pins: PinLaws) -> None:
        self._seen = seen
        self._world = seen.world
        self._break = seen.broke
        self._pins = pins

    def nothing_is_due(self) -> bool:
        """Whether nobody has to look at anything again, but in a day."""
        documents = self._world.store.documents_of
        return not any(
            fields["due_at"] is not None and not _in_a_day(fields)
            for collection in ("rollbacks", "notices", "commands", "reports")
            for _, fields in documents(collection)
        ) and not any(self._may_still_end(fields) for _, fields in documents("incidents"))

    def _may_still_end(self, incident: Fields) -> bool:
        """Whether an open incident may end by itself: what it is about works, as far as known."""
        if incident["ended_at"] is not None or incident["due_at"] is None:
            return False
        if incident["status"] == incidents.IncidentStatus.RECOVERED:  # a person must decide
            return False
        soon = self._world.policy.gates.unobserved_after < timedelta(hours=1)
        is_observed = self._world.policy.signals.get(incident["signal"], WATCHED).mode is not Mode.OBSERVE
        return (soon or is_observed) and not self._world.truth.anything_fails()

    def at_the_end(self) -> None:
        """What must hold once nothing is left to do."""
        self._require_ends()
        self._require_memory()
        self._require_chains()
        self._require_anchors()
        self._require_accepted_offers()
        self._pins.at_the_end(self._seen.steps, set(self._seen.by_hand))
        if not self._world.excuses and self._goes_well():
            self._require_success()

    def _goes_well(self) -> bool:
        """Whether so little went wrong that no limit is reached.

        A pause takes most of the time to decide: beside one nothing else may go wrong.
        """
        faults, stops = self._world.mishaps.injected, self._world.others.stops
        if stops:
            return stops + faults.total() - faults[Fault.PAUSE] <= 1
        return faults.total() <= FEW_FAULTS

    def _require_ends(self) -> None:
        for key, one in self._seen.rollbacks.items():
            if one["status"] not in ENDED_ROLLBACK_STATUSES:
                self._break(6, f"{key} never ended: {one['status']} due at {one['due_at']}")
            if one["in_flight"] and one["status"] in (RollbackStatus.SUCCEEDED, RollbackStatus.CANCELLED):
                self._break(7, f"{key} {one['status']} with {one['in_flight']} in flight")
        system = self._world.store.peek(SYSTEM_PATH) or {}
        if system.get("slot"):
            self._break(1, f"{system['slot']} still holds the slot")
        for path, notice in self._world.store.documents_of("notices"):
            if (
                notice["status"] not in ("SENT", "WITHDRAWN")
                and not _in_a_day(notice)
                and "the policy changed" not in self._world.excuses
            ):
                self._break(12, f"{path} is {notice['status']}")
        for path, report in self._world.store.documents_of("reports"):
            about = self._world.store.peek(incidents.incident_path(report["incident"])) or {}
            if about.get("ended_at") and report["written_at"] is None:
                self._break(12, f"{path} was never written")

    def _require_memory(self) -> None:
        peek = self._world.store.peek
        documents = self._world.store.documents_of
        kept = {(one["monitoring_id"], one["state"]): one for _, one in documents("alerts")}
        for alert in sorted(self._seen.alerts):
            if alert not in kept:
                self._break(11, f"the alert {alert} was lost")
        closed = {name for name, state in kept if state == "closed"}
        for (name, state), one in kept.items():
            if state == "open" and name not in closed and not self._attended(one):
                self._break(2, f"the alert {name} was never judged")
        for key in sorted(self._seen.commands):
            if peek(f"commands/{key}") is None and not self._is_refused(key):
                self._break(11, f"the command {key} was lost")
        if len(self._world.bus.dead_letters) < self._seen.poison:
            self._break(11, f"{self._seen.poison} refused messages, but fewer dead letters")
        said = Counter(sent.key for sent in self._world.sender.sent if not sent.notice["repeated"])
        for key, times in said.items():
            if times > 1:
                self._break(12, f"{key} was said {times} times, unmarked")

    def _is_refused(self, key: str) -> bool:
        """Whether a command has become a dead letter."""
        return any(f'"{key}"'.encode() in letter for letter in self._world.bus.dead_letters)

    def _attended(self, alert: Fields) -> bool:
        """Whether a rollback has judged it, or a person has it in hand."""
        if alert["absorbed_by"]:
            return True
        superseded = any(
            one["incident"] == alert["incident"] and one["status"] == RollbackStatus.CANCELLED
            for one in self._seen.rollbacks.values()
        )
        if superseded:
            return True
        incident = self._world.store.peek(incidents.incident_path(alert["incident"])) or {}
        return bool(incident.get("status") == "ESCALATED")

    def _require_accepted_offers(self) -> None:
        """A further rollback that an open incident offers would be accepted."""
        ports = InstancePorts(self._world, Instance("an operator"))
        reading, said_at = StateReader(ports.store), self._world.clock.now() + timedelta(minutes=1)
        for incident in reading.incidents(SYSTEM):
            newest = reading.rollback(incident.rollback_ids[-1])
            for verb in {"retry", "undo"}.intersection(read_available_verbs(reading, incident, newest)):
                command = Command("any", verb, "any", "anybody", system=SYSTEM, incident=incident.id)
                asked = CommandRequest(command, said_at, ports, {SYSTEM: self._world.policy})
                build = build_undo_order if verb == "undo" else build_retry_order
                try:
                    build(find_subject(asked))
                except Refused as refused:
                    self._break(13, f"{incident.id} offers {verb}, which is refused: {refused}")

    def _require_chains(self) -> None:
        documents = self._world.store.documents_of
        for key, one in self._seen.rollbacks.items():
            trail = [decode(AuditEntry, entry) for _, entry in documents(f"rollbacks/{key}/audit")]
            end = one["audit_head"], one["sequence"]
            for fault in chain_faults(f"rollbacks/{key}", trail, *end):
                self._break(5, f"{key}: {fault}")
            told = Counter(
                (event.name, event.facts.get("step", ""))
                for entry in trail
                for event in entry.events
                if event.name in TOLD_ONCE
            )
            again = {("rollback.shifted", ""): (one["plan"] or {}).get("extensions", 0)}
            for turn, times in told.items():
                if times > 1 + again.get(turn, 0):
                    self._break(5, f"{key}: {turn} is told {times} times")
        for system in (SYSTEM, ALL_SYSTEMS, system_chain.UNCLAIMED_SYSTEM):
            self._require_sealed(system)

    def _require_anchors(self) -> None:
        """Heads that were to be anchored are, and as they were."""
        kept = self._world.anchors.kept
        for path, fields in self._world.store.documents_of(anchor.PENDING_ANCHORS):
            waiting = decode(anchor.PendingAnchor, fields)
            if not waiting.waiting and kept.get(waiting.name) != anchor.encode_anchor(waiting.anchor):
                self._break(5, f"{path} counts as anchored, and is not")

    def _require_sealed(self, system: str) -> None:
        documents = self._world.store.documents_of
        kept = [
            (decode(Event, {name: one[name] for name in one if name != "sealed"}), one["sealed"])
            for _, one in documents(system_chain.system_events_path(system))
        ]
        seals = [decode(AuditEntry, entry) for _, entry in documents(system_chain.system_seals_path(system))]
        head = self._world.store.peek(system_chain.head_path(system)) or {}
        name = system_chain.chain_name(system)
        end = head.get("hash", genesis_hash(name)), head.get("sequence", 0)
        found = chain_faults(name, seals, *end)
        for fault in (*found, *system_chain.find_seal_faults(seals, kept)):
            self._break(5, f"{system}: {fault}")
        for event, sealed in kept:
            if sealed == system_chain.UNSEALED:
                self._break(5, f"{system}: {event.name} was never sealed")

    def _require_success(self) -> None:
        if not self._seen.rollbacks:
            return
        for key, one in self._seen.rollbacks.items():
            if one["status"] != RollbackStatus.SUCCEEDED:
                self._break(6, f"{key} {one['status']}: {one['outcome']}")
        for function, stable in self._world.stable.items():
            live = self._world.platform.live(function)
            if live != stable and not self._world.builder.serves(function, live):
                self._break(6, f"{function} is not back")


def _in_a_day(fields: Mapping[str, Any]) -> bool:
    """Whether it is the reminder of a root cause, for which no world waits."""
    return bool(fields.get("unless") == WithdrawalCondition.ANALYSED and not fields["attempts"])
