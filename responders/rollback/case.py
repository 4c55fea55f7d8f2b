"""One rollback in a worker's hands, with its incident: every change of state goes through here."""

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial, reduce
from typing import Any

from msgspec.structs import replace

from responders.rollback import report_filing
from shared.core.codec import FrozenStruct, encode
from shared.core.runtime import Pool
from shared.core.store import Document, Query, Reader, Update, Write
from shared.core.text import join_names
from shared.domain.audit.chain import Event, create_event
from shared.domain.decision.gate_evaluation import is_confirmed
from shared.domain.decision.gates.base import Outcome
from shared.domain.incidents import incident as incidents
from shared.domain.incidents import opening
from shared.domain.incidents.incident import ENDED_INCIDENT_STATUSES, WELL_STATUSES, Incident, IncidentStatus
from shared.domain.incidents.incident_notices import create_incident_notices
from shared.domain.incidents.next_actions import format_shell_lines
from shared.domain.incidents.overlap import alert_scope, merge_scopes
from shared.domain.notices.notice import Notice, notice_writes
from shared.domain.notices.recipients import create_concerned_notices
from shared.domain.policy.severity import Severity, worse_severity
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, Rollback, RollbackRequest, RollbackStatus
from shared.domain.signals.alert import Alert, alert_path, open_alerts
from shared.domain.signals.breadth import FEATURE_LEVELS, count_failing, limit_signal, measure_level
from shared.domain.signals.registry import SignalSource, has_source
from shared.domain.system_record import System, system_path
from shared.engine.audited_commit import CommitDraft
from shared.engine.lease import LeasedRollback
from shared.ports.groups import Ports
from shared.state import work_queue

SWEEP_MARGIN = timedelta(seconds=5)
"""The clock sweeps each half minute: what falls due just after one waits for the next."""


class Transition(FrozenStruct):
    """One change of state, as the worker means it."""

    event: str
    note: str
    """Said in the time line, in words for people."""
    details: tuple[str, ...] = ()
    """Further lines for who is told."""
    choices: tuple[str, ...] = ()
    """What a person may do now, said with its command lines."""
    facts: Mapping[str, Any] = {}
    changes: Mapping[str, Any] = {}
    """Fields of the rollback."""
    status: IncidentStatus | None = None
    """What the incident becomes; None: it stays as it is."""
    is_noted: bool = False
    """Whether the note is added to the time line where `status` is None."""
    say: bool = True
    """Whether people are told."""
    ends_repair: bool = False
    """Whether whose documents the rollback has written or left are told that it has ended."""
    occasion: str = ""
    """What tells this notice from another of the same event, where an event may come again."""
    writes: tuple[Write, ...] = ()
    system: Callable[[System], System | None] | None = None
    """What becomes of the system's own document; None as its answer: not now, decide again."""
    despite_words: bool = False
    """Whether it stands even when a person has said something meanwhile."""
    rest: RollbackRequest | None = None
    """What a further rollback of the incident is to ask about, once this one has ended."""
    severity: Severity | None = None
    """What the incident's becomes; None: it stays as it is."""
    is_undoable: bool | None = None
    """Whether an undo of the incident restores something; None: that stays as it is."""
    works: bool | None = None
    """Whether its recovery is observed before it is verified; None: that stays as it is."""
    holds_beside: Callable[[list[Alert]], bool] | None = None
    """Whether it is true beside the alerts that have joined by its commit; if not, decide again."""


class _PreparedCommit(FrozenStruct):
    """What a commit will have made true, and what is to be published after it."""

    incident: Incident
    notices: tuple[Notice, ...]
    reopened: opening.IncidentOpening | None = None


class _FunctionCheck(FrozenStruct):
    """The functions that the newest check saw fail, and work."""

    failing: Set[str] = frozenset()
    working: Set[str] = frozenset()
    is_older: bool = False
    """Whether the records of incidents are newer than the check."""


@dataclass
class Case:
    """What a worker knows while it holds a rollback."""

    ports: Ports
    policy: Policy
    tenure: LeasedRollback
    pool: Pool

    def __post_init__(self) -> None:
        document = self.ports.store.get(incidents.incident_path(self.tenure.rollback.incident))
        self.incident = document.decode(Incident)
        self._failing: set[str] = set()
        self._checked = _FunctionCheck()
        self.decided_by: tuple[object, ...] | None = None
        """What people had said when this decision began; what they say later overtakes it."""
        self._observed: dict[str, Any] = {}
        self._forgotten: Set[str] = frozenset()
        """Functions that may fail again since a check observed them to work."""

    @property
    def rollback(self) -> Rollback:
        """Its newest state."""
        return self.tenure.rollback

    def observe_check(
        self, failing: Set[str], working: Set[str] = frozenset(), *, is_older: bool = False
    ) -> None:
        """Note what a check has observed; the next commit records it.

        `is_older`: nothing fails by it that an incident has recorded as working until that commit.
        """
        self._failing |= failing
        self._checked = _FunctionCheck(failing, working, is_older)

    def forget_working(self, functions: Iterable[str]) -> None:
        """Record functions that may fail again after a step or a newer alert."""
        self._forgotten |= {*functions}

    def observe(self, **fields: Any) -> None:
        """Note fields of the rollback that a check has found; each commit records them."""
        self._observed |= fields

    @property
    def ill_since(self) -> datetime | None:
        """`Rollback.ill_since`, as the newest check has found it."""
        return self._observed.get("ill_since", self.rollback.ill_since)

    def now(self) -> datetime:
        """The store's time, on which all workers agree however wrong their clocks are."""
        return self.tenure.now()

    @property
    def decide_by(self) -> datetime:
        """Return the deadline for unknown facts, late enough for a second try: one may fail."""
        now, deadline = self.now(), self.rollback.decide_by
        if deadline is None or self.rollback.gates:
            return deadline or now
        return max(deadline, now + self.policy.gates.judge_every)

    def next_check_at(self, span: timedelta) -> datetime:
        """When a look that long from now is due: in time for the sweep that is nearest to it."""
        return self.now() + span - SWEEP_MARGIN

    def commit_transition(self, turn: Transition) -> bool:
        """Whether the turn landed; otherwise something has changed that is to be seen to first.

        State, event, public state and notices are one commit; what is to be said is published
        after it. Raises: as LeasedRollback.commit.
        """
        composed: list[_PreparedCommit] = []
        known = self.decided_by or self.rollback.operator_inputs

        def compose(reader: Reader, rollback: Rollback) -> CommitDraft | None:
            composed.clear()
            if self._is_overtaken(turn, known, rollback):
                return None
            if turn.holds_beside is not None and not turn.holds_beside(self._query_alerts(reader)):
                return None
            document = reader.get(system_path(self.policy.system))
            current = document.decode(System)
            after = turn.system(current) if turn.system else current
            if after is None:
                return None
            now = self.now()
            before = reader.get(incidents.incident_path(self.incident.id))
            known_incident = before.decode(Incident)
            incident = self._update_incident(known_incident, turn, now)
            said = self._build_notices(turn, incident, now)
            incident, later = opening.raise_severity(
                self.policy, incident, self.incident.severity, now, rollback
            )
            said += later
            composed.append(_PreparedCommit(incident, tuple(said)))
            public = self._build_incident_writes(turn, before, known_incident, incident, now)
            writes = [*turn.writes, *public, *notice_writes(said)]
            if after != current:
                writes.append(document.build_update(after))
            return CommitDraft(_build_events(turn, now), self._changes(turn, known, rollback), tuple(writes))

        if turn.holds_beside is None:
            self.tenure.commit(partial(compose, self.ports.store))
        else:
            self.tenure.transact(compose)
        return self._publish_commit(composed)

    @staticmethod
    def _is_overtaken(turn: Transition, known: tuple[Any, ...], rollback: Rollback) -> bool:
        """Return whether it has ended, or a new command forbids a turn without `despite_words`."""
        if rollback.has_ended:
            return True
        has_new_command = bool(rollback.cancel_requested) or rollback.operator_inputs != known
        return has_new_command and not turn.despite_words

    def commit_final_transition(self, turn: Transition, *, answered: Collection[str] = ()) -> bool:
        """Whether the turn, which ends or parks the rollback, landed; otherwise decide again.

        A transaction over the joined alerts: an alert lands before, and is seen here, or after,
        and finds the rollback ended. Those of `answered` (keys) are taken in by this rollback.
        Further ones are judged first where this one is not decided yet, or would call the trouble
        over; else a further rollback of the incident judges them, or that of the incident which has
        superseded this one.
        Raises: as LeasedRollback.transact.
        """
        composed: list[_PreparedCommit] = []
        known = self.decided_by or self.rollback.operator_inputs

        def compose(reader: Reader, rollback: Rollback) -> CommitDraft | None:
            composed.clear()
            if self._is_overtaken(turn, known, rollback):
                return None
            alerts = self._query_alerts(reader)
            further = [alert for alert in unjudged_alerts(alerts) if alert.key not in answered]
            is_early = rollback.status is RollbackStatus.DECIDING or turn.status in WELL_STATUSES
            if further and is_early and not turn.despite_words:
                return None
            absorbed = self.build_absorb_writes(alert for alert in alerts if alert.key in answered)
            return self._build_final_commit(turn, reader, alerts, further, absorbed, composed)

        self.tenure.transact(compose)
        return self._publish_commit(composed)

    def wait(
        self, event: str, note: str, until: datetime, status: IncidentStatus | None = None, **changes: Any
    ) -> None:
        """Release the rollback until that time, unless it has ended; set the status, if given."""
        self.commit_transition(
            Transition(
                event=event,
                note=note,
                changes={**changes, "due_at": until, "lease": None},
                status=status,
                say=False,
                despite_words=True,
            )
        )

    def build_undo_writes(self) -> list[Write]:
        """Return the writes, for the commit of an undo's first intent, that end a recovery."""
        before, now = self.ports.store.get(incidents.incident_path(self.incident.id)), self.now()
        known, reverted = before.decode(Incident), self.rollback.scope
        known = replace(known, working=tuple(one for one in known.working if one not in reverted))
        became = incidents.change_status(known, IncidentStatus.UNDOING, now, "the undo begins", works=False)
        public = opening.public_state_writes(self.policy, became, now)
        return [before.build_update(became), *public]

    def extend_lease(self, seconds: float) -> None:
        """Extend the lease to last so long, before long calls. Raises: as LeasedRollback.commit."""
        if not self.tenure.is_leased_for(seconds):
            renewed = create_event("lease.renewed", self.now(), "worker")
            self.tenure.commit(lambda _: CommitDraft((renewed,)))

    def hand_over(self) -> None:
        """Let go of the rollback and have the next worker take it at once."""
        now = self.now()
        self.wait("worker.handed-over", "the worker's time is over", now, yield_requested=False)
        work_queue.publish_work_item(self.ports.bus, work_queue.ROLLBACK, self.rollback.id, now)

    def read_alerts(self) -> list[Alert]:
        """Every alert of the incident, those that no decision has taken in included."""
        return self._query_alerts(self.ports.store)

    def raise_severity(self, alerts: Collection[Alert], level: Severity | None = None) -> bool:
        """Raise it where a joined alert is worse or more fails; notify of further groups.

        During monitoring only the team is notified. `level`: as a decision has measured it.
        """
        functions = self.policy.functions
        failing = {*self.rollback.failing, *self._failing, *(one.function for one in alerts)}
        is_measured, level = level is not None, level or measure_level(self.policy, failing)
        known = (limit_signal(self.policy, one, level) for one in {one.signal for one in alerts})
        worst = reduce(worse_severity, (one.severity for one in known), self.incident.severity)
        further = self._find_further_groups() if worst in FEATURE_LEVELS else []
        is_raised = worst is not self.incident.severity
        if not (is_raised or further):
            return False
        before, sooner = self.rollback.decide_by, self.now() + self.policy.gates.decide_within[worst]
        about = "alert" if self.incident.status is IncidentStatus.WATCHING else "incident"
        why = f"severity raised to {worst}" if is_raised else f"further groups fail: {join_names(further)}"
        count = f"; observed to fail: {count_failing(functions, failing)}" if is_measured else ""
        self.commit_transition(
            Transition(
                event=f"{about}.raised-{worst.lower()}" if is_raised else "incident.spread",
                note=f"{why}{count}",
                changes={} if self.rollback.question else {"decide_by": min(sooner, before or sooner)},
                is_noted=True,
                severity=worst if is_raised else None,
                occasion="" if is_raised else f"-{len(failing)}",
            )
        )
        return True

    def _find_further_groups(self) -> list[str]:
        """Return the groups that newly fail, by name, once about twice as many functions do."""
        functions, before = self.policy.functions, self.rollback.failing
        if not before or self.rollback.order or self.rollback.status is not RollbackStatus.DECIDING:
            return []
        if len({*before} | self._failing).bit_length() == len(before).bit_length():
            return []
        known = {functions.get(one) for one in before}
        return sorted({functions[one] for one in self._failing if one in functions} - known)

    def build_absorb_writes(self, alerts: Iterable[Alert]) -> tuple[Write, ...]:
        """The writes that take these alerts into this rollback."""
        return tuple(
            Update(alert_path(alert.key), {"absorbed_by": self.rollback.id})
            for alert in alerts
            if not alert.absorbed_by
        )

    def _build_final_commit(
        self,
        turn: Transition,
        reader: Reader,
        alerts: list[Alert],
        further: list[Alert],
        absorbed: tuple[Write, ...],
        composed: list[_PreparedCommit],
    ) -> CommitDraft:
        now = self.now()
        document = reader.get(system_path(self.policy.system))
        current = document.decode(System)
        after = self._release_system(turn, current, now)
        before = reader.get(incidents.incident_path(self.incident.id))
        known = before.decode(Incident)
        incident = self._update_incident(known, turn, now)
        scopes = merge_scopes(incident.scopes, alerts, self.policy)
        if not incident.has_failed and any(one.proves_failure for one in scopes):
            incident = incidents.observe_failure(incident, now)
        incident = replace(incident, scopes=scopes)
        said = self._build_notices(turn, incident, now)
        writes = [*turn.writes, *absorbed, *notice_writes(said)]
        reopened = None
        rest = None if further else turn.rest
        if (further or rest) and not self.rollback.superseded_by:
            happened = create_event("incident.rejudged", now, "worker", alerts=[one.key for one in further])
            if rest is not None:
                happened = create_event("rollback.rest-asked", now, "worker", order=encode(rest))
            reopened = opening.reopen_incident(
                self.policy,
                replace(document, fields=encode(after)),
                replace(before, fields=encode(incident)),
                now=now,
                commit_id=self.ports.ids(),
                events=[happened],
                order=rest,
                joining=[alert_scope(one, self.policy) for one in further],
            )
            incident = reopened.incident
            writes += reopened.writes
        else:
            if incident.ended_at is None and turn.changes["status"] in ENDED_ROLLBACK_STATUSES:
                incident = replace(incident, due_at=now)
            writes += [
                Update(
                    alert_path(alert.key),
                    {"incident": current.incident, "joined": f"{incident.id} was superseded"},
                )
                for alert in further
            ]
            writes += self._build_incident_writes(turn, before, known, incident, now)
            writes.append(document.build_update(after))
        composed.append(_PreparedCommit(incident, tuple(said), reopened))
        changes = self._changes(turn, self.rollback.operator_inputs, self.rollback)
        return CommitDraft(_build_events(turn, now), changes, tuple(writes))

    def _release_system(self, turn: Transition, current: System, now: datetime) -> System:
        after = self.release_slot(current)
        if turn.system is not None:
            after = turn.system(after) or after
        if turn.status in ENDED_INCIDENT_STATUSES:
            after = after.end_incident(self.incident.id, now)
        if current.rollback != self.rollback.id:
            return after
        return replace(after, rollback_ended=turn.changes["status"] is not RollbackStatus.PARKED)

    def release_slot(self, system: System) -> System:
        """The system without this rollback in its slot."""
        return replace(system, slot="") if system.slot == self.rollback.id else system

    def _changes(self, turn: Transition, known: tuple[Any, ...], rollback: Rollback) -> dict[str, Any]:
        """The turn's changes and what fails; what a person has said meanwhile stays due at once."""
        changes = {**self._observed, **turn.changes}
        if "failing" in changes:  # all of it works
            self._failing.clear()
        elif self._failing - {*rollback.failing}:
            changes["failing"] = tuple(sorted(self._failing | {*rollback.failing}))
        if rollback.operator_inputs != known and "due_at" in changes:
            changes["due_at"] = rollback.due_at
        return changes

    def _publish_commit(self, composed: list[_PreparedCommit]) -> bool:
        """Publish what the commit that landed has to say; whether there was one."""
        if not composed:
            return False
        [now_true] = composed
        self._checked, self._forgotten = _FunctionCheck(), frozenset()  # it is recorded
        self.incident = now_true.incident
        work_queue.publish_notices(self.ports.bus, now_true.notices)
        if self.incident.due_at is not None:
            work_queue.publish_work_item(
                self.ports.bus, work_queue.INCIDENT, self.incident.id, self.incident.due_at
            )
        if now_true.reopened is not None:
            again = now_true.reopened
            work_queue.publish_notices(self.ports.bus, again.notices)
            work_queue.publish_work_item(
                self.ports.bus, work_queue.ROLLBACK, again.rollback.id, again.rollback.created_at
            )
        return True

    def _query_alerts(self, reader: Reader) -> list[Alert]:
        found = reader.query(Query.equal("alerts", incident=self.incident.id))
        return [document.decode(Alert) for document in found]

    def _build_notices(self, turn: Transition, incident: Incident, now: datetime) -> list[Notice]:
        if not turn.say:
            return []
        number = self.rollback.id.removeprefix(incident.id) + turn.occasion
        commands = format_shell_lines(self.policy.system, incident.id, *turn.choices)
        text, event = "\n".join((turn.note, *turn.details)), f"{turn.event}{number}"
        was, severity = self.incident.severity if turn.severity else None, incident.severity
        said = create_incident_notices(
            self.policy, incident, event, text, now, to_paste=commands, was=was, **turn.facts
        )
        if turn.ends_repair:
            said += create_concerned_notices(self.policy, incident.id, severity, event, now, self.rollback.id)
        return said

    def _update_incident(self, incident: Incident, turn: Transition, now: datetime) -> Incident:
        """Return the incident after the turn; a person may have written it meanwhile."""
        failing, working = self._checked.failing, self._checked.working
        if self._checked.is_older:
            failing = failing - ({*incident.working} - self._forgotten)
        if turn.despite_words:  # no check concludes that it works
            working = set()
        if failing:
            incident = incidents.observe_failure(incident, now)
        incident = replace(
            incident,
            working=tuple(sorted({*incident.working, *working} - failing - self._forgotten)),
            failing=tuple(one for one in incident.failing if one not in working),
        )
        status = turn.status or (incident.status if turn.is_noted else None)
        if status is None:
            return incident
        if turn.is_undoable is not None:
            incident = replace(incident, is_undoable=turn.is_undoable)
        if status not in (IncidentStatus.DETECTED, *ENDED_INCIDENT_STATUSES):
            until = incident.unconfirmed_until or self.decide_by
            # A warning that joins what was escalated confirms nothing graver.
            is_warning = status is IncidentStatus.ESCALATED and turn.facts.get("outcome") is Outcome.OBSERVE
            is_judged = "gates" in turn.facts and is_confirmed(turn.facts) and not is_warning
            waits = incident.is_unconfirmed and not is_judged and now < until
            incident = replace(incident, unconfirmed_until=until if waits else None)
        ends_as, is_well = turn.changes.get("status"), incident.newest_turn.is_well
        is_breach = has_source(incident.signal, SignalSource.DECLARED)
        has_recovered = incident.has_failed and incident.newest_turn.works and not is_breach
        if status is IncidentStatus.ESCALATED and ends_as is RollbackStatus.NOT_TAKEN and has_recovered:
            status = IncidentStatus.RECOVERED
        elif status is IncidentStatus.RECOVERED and (is_breach or not is_well):
            status = IncidentStatus.ESCALATED  # a failure was observed since, or it is a breach
        elif status is IncidentStatus.WATCHING and ends_as is RollbackStatus.CANCELLED and not is_well:
            status = IncidentStatus.INVESTIGATING
        return incidents.change_status(incident, status, now, turn.note, turn.severity, works=turn.works)

    def _build_incident_writes(
        self, turn: Transition, before: Document, known: Incident, incident: Incident, now: datetime
    ) -> list[Write]:
        """Return the writes of the incident and its public state, if they change."""
        if turn.status is None and incident == known:
            return []
        return [
            before.build_update(incident),
            *opening.public_state_writes(self.policy, incident, now),
            *report_filing.build_report_request(incident),
        ]


def _build_events(turn: Transition, now: datetime) -> tuple[Event, ...]:
    return (create_event(turn.event, now, "worker", note=turn.note, **turn.facts),)


def unjudged_alerts(alerts: Iterable[Alert]) -> list[Alert]:
    """The open ones that no decision has taken in."""
    return [alert for alert in open_alerts(alerts) if not alert.absorbed_by]
