"""What each page of the console shows: read from the state, and nothing is changed."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from responders.support.undoable_changes import moved_functions, repairs_with_writes
from shared.core.codec import FrozenStruct
from shared.core.errors import Refused, Rejected
from shared.domain.audit import system_chain
from shared.domain.decision.decision_summary import summarize_decision
from shared.domain.decision.facts import FunctionDifference
from shared.domain.decision.recorded_decision import newest_decision, suspected_cause
from shared.domain.deployments.inventory.traffic import traffic_shares
from shared.domain.incidents.incident import INCIDENT_ID_PATTERN, Incident, rollback_id
from shared.domain.incidents.recovery_times import recovery_lines, recovery_target
from shared.domain.policy.system_policy import Policies, Policy
from shared.domain.presentation.console_http import ConsoleRequest
from shared.domain.reports.impact import ImpactCounts
from shared.domain.reports.monthly_stats import compute_monthly_stats, tally_incident
from shared.domain.reports.report import IncidentReport, build_report
from shared.domain.rollback import pins
from shared.domain.rollback.plan import ENDED_STEP_STATUSES, Step, StepStatus, count_progress
from shared.domain.signals.labels import status_label
from shared.domain.system_record import ALL_SYSTEMS, pause_state
from shared.engine.steps.functions.judge_canary import KIND as JUDGE
from shared.ports.groups import Ports
from shared.state import system_status
from shared.state.audit_reader import AuditReader
from shared.state.available_commands import read_available_verbs
from shared.state.open_question import OpenQuestion, read_open_question
from shared.state.reader import StateReader
from shared.state.report_source import gather_report_facts

Facts = dict[str, Any]
View = Callable[[ConsoleRequest], Facts]

MAX_NEWEST_ENTRIES = 50
"""Incidents and deployments on a page."""
RECORDED_TEXT = "as recorded: the responder leaves what was changed since as it is"
MAX_SHOWN_EVENTS = 500
"""Events of a chain on a page; all of them stand in the export."""
OTHER_STEPS_BATCH = "beside the functions"


class ConsolePages:
    """Gathers the facts of each page. Raises (anywhere): Rejected, for what is not there."""

    def __init__(self, ports: Ports, policies: Policies) -> None:
        self._ports = ports
        self._policies = policies
        self._reading = StateReader(ports.store)
        self._trail = AuditReader(ports.store, ports.buckets.anchors)

    def systems(self, _: ConsoleRequest) -> Facts:
        """Every system at a glance, and the newest incidents."""
        now, alive = self._ports.clock.now(), self._reading.active_rollbacks()
        controls = self._reading.controls()
        found = [
            system_status.read_system_status(self._reading, one, alive, now)
            for one in self._policies.values()
        ]
        incidents = [one for system in self._policies for one in self._reading.incidents(system)]
        incidents.sort(key=lambda one: one.detected_at, reverse=True)
        return {
            "systems": found,
            "times": {one.system: recovery_lines(one.times, now) for one in found if one.times},
            "progress": {one.system: count_progress(one.steps) for one in found},
            "everywhere": controls,
            "pause": pause_state(controls.pause),
            "in_flight": sum(one.in_flight for one in alive),
            "freezes": system_status.unfinished_freezes(controls.freezes, now),
            "incidents": incidents[:MAX_NEWEST_ENTRIES],
        }

    def incident(self, visit: ConsoleRequest) -> Facts:
        """One incident whole: response, gates explained, progress, plan, alerts, time line."""
        incident = self.find_incident(visit.path.rpartition("/")[2])
        now, policy = self._ports.clock.now(), self._policies[incident.system]
        every = self._reading.rollbacks(incident)
        newest = every[-1] if every else None
        steps = self._reading.steps(newest.id) if newest else []
        times = system_status.read_recovery_times(self._reading, policy, incident)
        return {
            "incident": incident,
            "rollback": newest,
            "why": summarize_decision(newest),
            "is_over": newest is None or newest.has_ended,
            "times": recovery_lines(times, now),
            "response": system_status.read_response_status(self._reading, incident, newest, times, now),
            "outlook": system_status.read_forecast(self._reading, policy, incident, newest, steps, now),
            "batches": group_steps_into_batches(steps, policy.functions),
            "progress": count_progress(steps),
            "choices": read_available_verbs(self._reading, incident, newest),
            "decisions": self._reading.decisions(reversed(every)),
            "alerts": self._reading.alerts(incident.id),
        }

    def report(self, visit: ConsoleRequest) -> IncidentReport:
        """What is reported of an incident, with what was counted when it was filed."""
        incident = self.find_incident(visit.path.split("/")[2])
        policy, now = self._policies[incident.system], self._ports.clock.now()
        filed = self._reading.filed_report(incident.id)
        counts = filed.counts if filed is not None else ImpactCounts()
        return build_report(gather_report_facts(self._reading, self._trail, policy, incident, now, counts))

    def deployments(self, visit: ConsoleRequest) -> Facts:
        """What was live when, and whether all is there to go back to it."""
        policy = self.policy(visit)
        return {"system": policy, "found": self._reading.deployments(policy.system)[:MAX_NEWEST_ENTRIES]}

    def backups(self, visit: ConsoleRequest) -> Facts:
        """The catalogue with its proofs, and what was found of Google's own backups."""
        policy = self.policy(visit)
        tried = self._reading.restore_tests(policy.system)
        found = self._reading.backups(policy.system)[:MAX_NEWEST_ENTRIES]
        known = {one.id for one in found}
        return {
            "system": policy,
            "found": found,
            "proofs": {one.backup: one for one in reversed(tried)},
            "beside": [one for one in tried if one.backup not in known][:MAX_NEWEST_ENTRIES],
            "watched": self._reading.managed_backup_status(policy.system),
        }

    def pins(self, visit: ConsoleRequest) -> Facts:
        """What rollbacks hold on old revisions."""
        policy, now = self.policy(visit), self._ports.clock.now()
        found = self._reading.pins(policy.system)
        return {
            "system": policy,
            "found": found,
            "blocking": self._reading.pin_keeper(self._reading.system(policy.system), found),
            "old": {one.function for one in pins.pins_older_than(found, policy.deployments.pinned_for, now)},
            "now": now,
        }

    def trends(self, visit: ConsoleRequest) -> Facts:
        """How responses went, by month: what is kept, and what is not tallied yet."""
        policy = self.policy(visit)
        kept = {one.incident: one for one in self._reading.tallies(policy.system)}
        for incident in self._reading.incidents(policy.system):
            fresh = tally_incident(policy, incident, self._reading.rollbacks(incident))
            if fresh is not None:
                kept[incident.id] = fresh
        known = sorted(kept.values(), key=lambda one: one.detected_at, reverse=True)
        recovered = [one for one in known if one.recover_seconds is not None][:MAX_NEWEST_ENTRIES]
        return {
            "system": policy,
            "months": compute_monthly_stats(known),
            "recovered": recovered,
            "targets": {
                one.incident: recovery_target(policy.targets, one.scenario, one.severity) for one in recovered
            },
            "longest": max((one.recover_seconds or 0.0 for one in recovered), default=0.0) or 1.0,
        }

    def audit(self, visit: ConsoleRequest) -> Facts:
        """Every chain by name; one of them, verified and told, where it is named."""
        rollbacks = self._trail.rollbacks()[::-1]
        systems = (*self._policies, ALL_SYSTEMS, system_chain.UNCLAIMED_SYSTEM)
        chain, now = visit.query.get("chain", ""), self._ports.clock.now()
        finding, told = None, []
        if chain in systems:
            finding = self._trail.verify_system(chain, now)
            told = self._trail.system_lines(chain)
        elif chain in rollbacks:
            finding = self._trail.verify_rollback(chain, now)
            told = self._trail.rollback_lines(chain)
        elif chain:
            raise Rejected(f"no audit log is stored or anchored of {chain}")
        return {
            "rollbacks": rollbacks,
            "chains": systems,
            "chain": chain,
            "finding": finding,
            "events": told[-MAX_SHOWN_EVENTS:][::-1],
            "left_out": max(0, len(told) - MAX_SHOWN_EVENTS),
        }

    def policy(self, visit: ConsoleRequest) -> Policy:
        """The system that a page is about; the first one, where none is named."""
        name = visit.query.get("system") or next(iter(self._policies))
        if name not in self._policies:
            raise Rejected(f"no system {name}")
        return self._policies[name]

    def find_incident(self, name: str) -> Incident:
        """An incident by its public id."""
        found = self._reading.incident(name) if INCIDENT_ID_PATTERN.fullmatch(name) else None
        if found is None or found.system not in self._policies:
            raise Rejected(f"no incident {name}")
        return found

    def find_question(self, incident: Incident) -> OpenQuestion:
        """Return the open question of an incident. Raises: Rejected, when nothing is asked."""
        try:
            return read_open_question(self._reading, incident, self._ports.clock.now())
        except Refused as nothing:
            raise Rejected(nothing.reason) from None

    def recorded_undo(self, incident: Incident) -> OpenQuestion:
        """Return what an undo restores, as it was recorded: nothing live is read here."""
        store = self._ports.store
        cause = suspected_cause(self._reading.rollbacks(incident))
        cause = f"; its recorded cause: {cause}" if cause else ""
        warning = f"warning: this restores what the rollback removed{cause}"
        functions = []
        for name, one in sorted(moved_functions(store, incident).items()):
            left = traffic_shares(one.left[-1] if one.left else (), one.newest)
            wanted = traffic_shares(one.traffic, one.newest)
            functions.append(FunctionDifference(name, left, wanted, incident.detected_at, bool(one.builds)))
        documents = [f"documents that {name} has written" for name in repairs_with_writes(store, incident)]
        counted = [f"failed requests: run `rollback undo {incident.id} --dry-run`"] if functions else []
        return OpenQuestion("", [warning, *counted, RECORDED_TEXT], functions, documents)

    def recorded_retry(self, incident: Incident) -> OpenQuestion:
        """Return what the newest rollback planned, as it was recorded; a retry plans anew."""
        newest = self._reading.rollback(rollback_id(incident.id, incident.rollbacks))
        decision = newest_decision(self._reading.audit_entries(newest.id)) if newest else None
        if newest is None or decision is None:
            return OpenQuestion("", [RECORDED_TEXT], [], [])
        summary = [f"scenario {decision.scenario}, back to {decision.target}", RECORDED_TEXT]
        lines = [f"{one.name}: {status_label(one.status).lower()}" for one in self._reading.steps(newest.id)]
        return OpenQuestion("", summary, decision.difference, [*lines, *decision.resources])

    def recorded_pins(self, system: str, function: str) -> OpenQuestion:
        """Return what an unpin restores, as it was recorded; `function` limits it to one."""
        functions = [
            FunctionDifference(one.function, one.revisions, {one.newest: 100}, one.since)
            for one in self._reading.pins(system)
            if function in ("", one.function)
        ]
        return OpenQuestion("", [RECORDED_TEXT], functions, [])

    def answer(self, command: str, topic: str, message: str) -> Facts:
        """What became of a command, once that is known."""
        record = self._reading.command(command)
        refused = self._reading.refusal(topic, message) if record is None else None
        return {"record": record, "refused": refused}


class StepProgress(FrozenStruct):
    """One step: of a function, or of something beside them."""

    name: str
    status: StepStatus
    note: str
    judged: bool
    """Whether it is the look at a canary, and changes nothing."""


class FunctionBatch(FrozenStruct):
    """A group of functions, which follow their canary; or all that is beside the functions."""

    name: str
    rows: tuple[StepProgress, ...]

    @property
    def ended(self) -> int:
        """How many of them have ended."""
        return sum(row.status in ENDED_STEP_STATUSES for row in self.rows)

    @property
    def unsuccessful(self) -> int:
        """How many of them have ended otherwise than they were to."""
        return sum(row.status in ENDED_STEP_STATUSES - {StepStatus.DONE} for row in self.rows)


def group_steps_into_batches(steps: Iterable[Step], groups: Mapping[str, str]) -> list[FunctionBatch]:
    """Return the needed steps by batch, in the plan's order; `groups`: each function's group."""
    found: dict[str, list[StepProgress]] = {}
    for step in steps:
        waits_in_vain = step.instead_of and step.begun_at is None
        if waits_in_vain or step.status is StepStatus.UNNEEDED:
            continue
        row = StepProgress(step.target, step.status, step.note, step.kind == JUDGE)
        found.setdefault(groups.get(step.target, OTHER_STEPS_BATCH), []).append(row)
    return [FunctionBatch(name, tuple(rows)) for name, rows in found.items()]
