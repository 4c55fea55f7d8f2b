"""What each page of the console shows: read from the state, and nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from responders.console.plan_progress import batches
from shared.core.errors import Rejected
from shared.domain.audit import system_chain
from shared.domain.decision import history
from shared.domain.incidents.incident import Incident
from shared.domain.incidents.next_actions import choices
from shared.domain.policy.model import Policy
from shared.domain.presentation.console_http import ConsoleRequest
from shared.domain.reports.impact import Counts
from shared.domain.reports.monthly_stats import months, tally
from shared.domain.reports.report import Report, report
from shared.domain.rollback import pins
from shared.domain.rollback.plan import progress
from shared.domain.rollback.rollback import ENDED, Rollback
from shared.domain.system import EVERYWHERE, paused
from shared.ports.groups import Ports
from shared.state.audit_reader import Trail
from shared.state.reader import Reading
from shared.state.report_source import gathered
from shared.state.system_status import ahead, outlook, standing, stands

Facts = dict[str, Any]
View = Callable[[ConsoleRequest], Facts]

INCIDENT = re.compile(r"INC-[0-9]{8}-[0-9]{3,6}")
NEWEST = 50
"""Incidents and deployments on a page."""
EVENTS = 500
"""Events of a chain on a page; all of them stand in the export."""


class Viewing:
    """Gathers the facts of each page. Raises (anywhere): Rejected, for what is not there."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = policies
        self._reading = Reading(ports.store)
        self._trail = Trail(ports.store, ports.buckets.anchors)

    def systems(self, _: ConsoleRequest) -> Facts:
        """Every system at a glance, and the newest incidents."""
        now, alive = self._ports.clock.now(), self._reading.alive()
        controls = self._reading.controls()
        found = [standing(self._reading, one, alive, now) for one in self._policies.values()]
        return {
            "systems": found,
            "choices": {
                one.system: choices(one.incident, one.rollback) for one in found if one.incident
            },
            "progress": {one.system: progress(one.steps) for one in found},
            "everywhere": controls,
            "pause": paused(controls.pause),
            "in_flight": sum(one.in_flight for one in alive),
            "freezes": ahead(controls.freezes, now),
            "incidents": self._incidents(),
        }

    def incident(self, visit: ConsoleRequest) -> Facts:
        """One incident whole: response, gates explained, progress, plan, alerts, time line."""
        incident = self.named(visit.path.rpartition("/")[2])
        now, policy = self._ports.clock.now(), self._policies[incident.system]
        every = self._reading.rollbacks(incident)
        newest = every[-1] if every else None
        steps = self._reading.steps(newest.id) if newest else []
        return {
            "incident": incident,
            "rollback": newest,
            "is_over": newest is None or newest.status in ENDED,
            "target": policy.targets.by_severity[incident.severity],
            "response": stands(self._reading, incident, newest, now),
            "outlook": outlook(self._reading, policy, newest, steps, now),
            "batches": batches(steps, policy.functions),
            "progress": progress(steps),
            "choices": choices(incident, newest),
            "decisions": self._decisions(every),
            "alerts": self._reading.alerts(incident.id),
        }

    def report(self, visit: ConsoleRequest) -> Report:
        """What is reported of an incident, with what was counted when it was filed."""
        incident = self.named(visit.path.split("/")[2])
        policy, now = self._policies[incident.system], self._ports.clock.now()
        filed = self._reading.filed(incident.id)
        counts = filed.counts if filed is not None else Counts()
        return report(gathered(self._reading, self._trail, policy, incident, now, counts))

    def deployments(self, visit: ConsoleRequest) -> Facts:
        """What was live when, and whether all is there to go back to it."""
        policy = self.policy(visit)
        found = self._reading.deployments(policy.system)[:NEWEST]
        return {"system": policy, "found": found}

    def backups(self, visit: ConsoleRequest) -> Facts:
        """The catalogue with its proofs, and what was found of Google's own backups."""
        policy = self.policy(visit)
        tried = self._reading.proofs(policy.system)
        found = self._reading.backups(policy.system)[:NEWEST]
        known = {one.id for one in found}
        return {
            "system": policy,
            "found": found,
            "proofs": {one.backup: one for one in reversed(tried)},
            "beside": [one for one in tried if one.backup not in known][:NEWEST],
            "watched": self._reading.watched(policy.system),
        }

    def pins(self, visit: ConsoleRequest) -> Facts:
        """What rollbacks hold on old revisions."""
        policy, now = self.policy(visit), self._ports.clock.now()
        found = self._reading.pins(policy.system)
        return {
            "system": policy,
            "found": found,
            "old": {one.function for one in pins.older(found, policy.deployments.pinned_for, now)},
            "now": now,
        }

    def trends(self, visit: ConsoleRequest) -> Facts:
        """How responses went, by month: what is kept, and what is not tallied yet."""
        policy = self.policy(visit)
        kept = {one.incident: one for one in self._reading.tallies(policy.system)}
        for incident in self._reading.incidents(policy.system):
            fresh = tally(incident, self._reading.rollbacks(incident))
            if fresh is not None:
                kept[incident.id] = fresh
        known = sorted(kept.values(), key=lambda one: one.detected_at, reverse=True)
        restored = [one for one in known if one.restore_seconds is not None][:NEWEST]
        return {
            "system": policy,
            "months": months(known),
            "restored": restored,
            "longest": max((one.restore_seconds or 0.0 for one in restored), default=0.0) or 1.0,
        }

    def audit(self, visit: ConsoleRequest) -> Facts:
        """Every chain by name; one of them, verified and told, where it is named."""
        rollbacks = self._trail.rollbacks()[::-1]
        systems = (*self._policies, EVERYWHERE, system_chain.UNCLAIMED)
        chain, now = visit.query.get("chain", ""), self._ports.clock.now()
        finding, told = None, []
        if chain in systems:
            finding = self._trail.verify_system(chain, now)
            told = self._trail.told_of_system(chain)
        elif chain in rollbacks:
            finding = self._trail.verify_rollback(chain, now)
            told = self._trail.told_of_rollback(chain)
        elif chain:
            raise Rejected(f"nothing is kept or anchored of {chain}")
        return {
            "rollbacks": rollbacks,
            "chains": systems,
            "chain": chain,
            "finding": finding,
            "told": told[-EVENTS:][::-1],
            "left_out": max(0, len(told) - EVENTS),
        }

    def policy(self, visit: ConsoleRequest) -> Policy:
        """The system that a page is about; the first one, where none is named."""
        name = visit.query.get("system") or next(iter(self._policies))
        if name not in self._policies:
            raise Rejected(f"no system {name}")
        return self._policies[name]

    def named(self, name: str) -> Incident:
        """An incident by its public id."""
        found = self._reading.incident(name) if INCIDENT.fullmatch(name) else None
        if found is None or found.system not in self._policies:
            raise Rejected(f"no incident {name}")
        return found

    def asked(self, incident: Incident) -> tuple[str, history.RecordedDecision | None]:
        """The plan that people are asked about, by its fingerprint, and the decision behind it."""
        every = self._reading.rollbacks(incident)
        if not every:
            return "", None
        question = every[-1].question
        decision = history.newest(self._reading.trail(every[-1].id))
        return (question.plan.fingerprint if question else ""), decision

    def answer(self, command: str, topic: str, message: str) -> Facts:
        """What became of a command, once that is known."""
        record = self._reading.command(command)
        refused = self._reading.refusal(topic, message) if record is None else None
        return {"record": record, "refused": refused}

    def _incidents(self) -> list[Incident]:
        """The newest of all systems, the newest first."""
        found = [one for system in self._policies for one in self._reading.incidents(system)]
        return sorted(found, key=lambda one: one.detected_at, reverse=True)[:NEWEST]

    def _decisions(self, every: list[Rollback]) -> dict[str, history.RecordedDecision]:
        """The newest of each rollback that has one, the newest rollback first."""
        found = {one.id: history.newest(self._reading.trail(one.id)) for one in reversed(every)}
        return {name: one for name, one in found.items() if one is not None}
