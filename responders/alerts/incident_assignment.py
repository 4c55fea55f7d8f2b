"""Record an alert and assign it: to an open incident, to a reopened one, or to a new one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from shared.core.codec import DocumentFields, decode, encode
from shared.core.errors import Refused
from shared.core.store import Create, Document, Write, retry_on_conflict
from shared.domain.audit.chain import Event, create_event
from shared.domain.incidents import incident as incidents
from shared.domain.incidents import opening as openings
from shared.domain.incidents.incident import Incident, IncidentStatus
from shared.domain.incidents.overlap import alert_scope, concerns_same, may_join
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity, is_worse, worse_severity
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, Rollback, RollbackStatus, rollback_path
from shared.domain.signals.alert import Alert, alert_path
from shared.domain.signals.alert_conditions import affected_functions
from shared.domain.signals.breadth import FEATURE_LEVELS, limit_signal, measure_level
from shared.domain.signals.labels import signal_label
from shared.domain.signals.registry import SignalSource, has_source
from shared.domain.system_record import System, decode_system, system_path
from shared.engine.audited_commit import CommitDraft, build_rollback_writes
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.reader import StateReader

COMMIT_ATTEMPTS = 20


@dataclass
class IncidentAssigner:
    """Stores each alert once, as `actor` in the audit log; joins or opens an incident."""

    _ports: Ports
    _actor: str

    def record(self, alert: Alert, policy: Policy) -> None:
        """Return once the alert is stored and its work published. Raises: Refused, Unavailable."""
        too_fast = f"alert {alert.key}: the system's documents change too fast"
        retry_on_conflict(
            partial(self._assign_alert, alert, policy), COMMIT_ATTEMPTS, too_fast, self._ports.clock.sleep
        )

    def _assign_alert(self, alert: Alert, policy: Policy) -> None:
        """Store the alert, then check again: its rollback may end meanwhile. Raises: Moved."""
        store = self._ports.store
        kept = store.get(alert_path(alert.key))
        document = store.get(system_path(policy.system))
        known = _decode_own(kept.fields, alert)
        system = decode_system(document.fields, policy.system)
        alert = replace(alert, received_at=document.read_at)  # all instances agree on this time
        end = self._read_other_state(alert, "closed") if alert.is_open else None
        if not alert.is_open or (end is not None and end.verdict == "closed"):  # its end overtook it
            if known is None:
                began = self._read_other_state(alert, "open")
                incident_id = began.incident if began is not None else system.incident
                self._store_alert(alert, incident_id, "the end of what began it")
            return
        incident = self._find_joinable(known or alert, policy, system, document.read_at)
        yields = []
        if known is None and system.rollback and not system.rollback_ended:
            yields = self._build_preemption_writes(policy, system, alert)
            incident = self._read_incident(system.incident) if yields else incident
        rollback = self._find_rollback_in_progress(incident)
        if rollback is None and not (known is not None and known.absorbed_by):
            self._open(alert, policy, document, incident, kept)
        elif incident is not None and known is None:
            yields = yields or self._build_check_writes(rollback, alert)
            yields += self._build_failure_writes(policy, incident, alert)
            self._store_alert(alert, incident.id, "the incident was open", yields)
            self._assign_alert(alert, policy)
        elif rollback is not None and rollback.due_at is not None and rollback.due_at <= document.read_at:
            # Deduplicated is not done: the work of the rollback in progress is published again.
            work_queue.publish_work_item(self._ports.bus, work_queue.ROLLBACK, rollback.id, rollback.due_at)

    def _find_joinable(self, alert: Alert, policy: Policy, system: System, now: datetime) -> Incident | None:
        """The incident that the alert belongs to: an open one, else the newest; None: a new one."""
        for name in dict.fromkeys((*system.open_incidents, system.incident)):
            incident = self._read_incident(name)
            if incident is None or alert.incident not in ("", name):  # it has joined another before
                continue
            if alert.incident or may_join(
                incident, alert_scope(alert, policy), policy, now, alert.started_at
            ):
                return incident
        return None

    def _read_incident(self, incident: str) -> Incident | None:
        return StateReader(self._ports.store).incident(incident) if incident else None

    def _find_rollback_in_progress(self, incident: Incident | None) -> Rollback | None:
        if incident is None or incident.ended_at is not None:
            return None
        name = incidents.rollback_id(incident.id, incident.rollbacks)
        rollback = StateReader(self._ports.store).rollback(name)
        return rollback if rollback and not rollback.has_ended else None

    def _read_other_state(self, alert: Alert, state: str) -> Alert | None:
        """The beginning or the end of the same alert, if it is stored."""
        fields = self._ports.store.get(alert_path(f"{alert.key.rpartition(':')[0]}:{state}")).fields
        return _decode_own(fields, alert)

    def _store_alert(self, alert: Alert, incident: str, why: str, making_way: Sequence[Write] = ()) -> None:
        """Store the alert in a document of its own: a storm of alerts makes no document hot."""
        joined = replace(alert, incident=incident, joined=why)
        self._ports.store.commit([Create(alert_path(alert.key), encode(joined)), *making_way])

    def _build_check_writes(self, monitored: Rollback | None, alert: Alert) -> list[Write]:
        """Make the next check of monitoring due now: its last one knows nothing of this alert."""
        if monitored is None or monitored.status is not RollbackStatus.WATCHING:
            return []
        document = self._ports.store.get(rollback_path(monitored.id))
        rollback, now = document.decode(Rollback), document.read_at
        if rollback.lease is not None or rollback.due_at is None or rollback.due_at <= now:
            return []
        joined = create_event("rollback.alert-joined", now, self._actor, alert=alert.key)
        draft = CommitDraft((joined,), {"due_at": now})
        return build_rollback_writes(rollback, document, draft, self._ports.ids)

    def _build_preemption_writes(self, policy: Policy, system: System, alert: Alert) -> list[Write]:
        """The commit by which a feature's rollback under way stops for an alert; none: it goes on.

        Monitoring stops nothing: it ends by itself for what must be judged.
        """
        document = self._ports.store.get(rollback_path(system.rollback))
        rollback = document.find(Rollback)
        planned = rollback and (rollback.plan or rollback.order)
        if rollback is None or not planned or planned.scenario is not ScenarioName.FEATURE:
            return []
        is_counted = has_source(alert.signal, SignalSource.REQUESTS)
        if is_counted and rollback.is_extensible((ScenarioName.FEATURE,)):
            return []  # its verification counts the same requests, and adds what they prove to fail
        is_over = rollback.cancel_requested or rollback.status in (
            RollbackStatus.WATCHING,
            *ENDED_ROLLBACK_STATUSES,
        )
        incident, signal = self._read_incident(rollback.incident), policy.signals[alert.signal]
        if is_over or incident is None or policy.strictest_mode(signal) is Mode.OBSERVE:
            return []
        severity = _measure_severity(policy, alert, rollback.failing)
        if severity in FEATURE_LEVELS or not is_worse(severity, incident.severity):
            return []
        why = f"it yields to {signal_label(alert.signal)} ({severity})"
        now = document.read_at
        yielding = create_event("rollback.yields", now, self._actor, alert=alert.key)
        draft = CommitDraft((yielding,), {"cancel_requested": why, "yields_to": alert.key, "due_at": now})
        return build_rollback_writes(rollback, document, draft, self._ports.ids)

    def _build_failure_writes(self, policy: Policy, known: Incident, alert: Alert) -> list[Write]:
        """Return the writes that record a failure which the alert proves, and which is new."""
        newest = known.newest_turn
        fails = affected_functions([alert], policy)
        contradicts_check = not newest.is_well and not fails.isdisjoint(known.working)
        is_known = known.has_failed and not newest.works and not contradicts_check
        if is_known or not alert_scope(alert, policy).proves_failure:
            return []
        document = self._ports.store.get(incidents.incident_path(known.id))
        before = document.decode(Incident)
        became = incidents.observe_failure(before, document.read_at)
        since = incidents.well_since(before) or before.newest_turn.at
        if alert.started_at > since:  # it fails again since it was observed to work
            became = replace(became, working=tuple(one for one in before.working if one not in fails))
        states = openings.public_state_writes(policy, became, document.read_at)
        return [document.build_update(became), *states]

    def _open(
        self, alert: Alert, policy: Policy, document: Document, incident: Incident | None, kept: Document
    ) -> None:
        """Commit 1: the alert, its incident and all that goes with them; then publish the work."""
        if incident is None:
            opening = self._create_incident(alert, policy, document)
            why = "it opened the incident"
        else:
            opening = self._reopen_incident(alert, policy, document, incident)
            why = "the incident was open without a rollback: it is judged again"
            if incident.ended_at is not None:
                ago = (document.read_at - incident.ended_at).total_seconds()
                why = f"the incident had ended {ago:.0f} s before: the alert is about the same trouble"
        joined = replace(alert, incident=opening.incident.id, joined=why)
        self._ports.store.commit([*opening.writes, kept.build_write(joined)])
        rollback = opening.rollback
        work_queue.publish_work_item(
            self._ports.bus, work_queue.ROLLBACK, rollback.id, rollback.due_at or rollback.created_at
        )
        work_queue.publish_notices(self._ports.bus, opening.notices)

    def _reopen_incident(
        self, alert: Alert, policy: Policy, document: Document, incident: Incident
    ) -> openings.IncidentOpening:
        """A further rollback of an incident that nobody works on, as bad as the worse one."""
        before = self._ports.store.get(incidents.incident_path(incident.id))
        known = before.decode(Incident)
        failing = (*known.failing, *(one.function for one in known.scopes))
        return openings.reopen_incident(
            policy,
            document,
            before,
            severity=worse_severity(known.severity, _measure_severity(policy, alert, failing)),
            now=document.read_at,
            commit_id=self._ports.ids(),
            events=[self._build_detected_event(alert, document.read_at)],
            joining=[alert_scope(alert, policy)],
        )

    def _create_incident(self, alert: Alert, policy: Policy, document: Document) -> openings.IncidentOpening:
        """Open an incident; it began as the alert says, or now, if that was over since."""
        before = self._read_incident(decode_system(document.fields, policy.system).incident)
        began_at = alert.started_at
        if before is not None and before.status is IncidentStatus.RESOLVED:
            scope = alert_scope(alert, policy)
            is_same = alert.function in before.working or concerns_same(before, scope, policy)
            is_late = is_same and began_at < (before.ended_at or began_at)
            began_at = document.read_at if is_late else began_at
        return openings.open_incident(
            policy,
            document,
            self._ports.store,
            severity=_measure_severity(policy, alert),
            signal=alert.signal,
            function=alert.function,
            onset=began_at,
            commit_id=self._ports.ids(),
            events=[self._build_detected_event(alert, document.read_at)],
        )

    def _build_detected_event(self, alert: Alert, now: datetime) -> Event:
        return create_event(
            "incident.detected",
            now,
            self._actor,
            alert=alert.key,
            signal=alert.signal,
            function=alert.function,
            onset=alert.started_at,
        )


def _decode_own(fields: DocumentFields | None, alert: Alert) -> Alert | None:
    """Return the stored alert, or None. Raises: Refused, where it is of another system."""
    stored = decode(Alert, fields) if fields is not None else None
    if stored is not None and stored.system != alert.system and alert.is_of_monitoring:
        raise Refused(f"alert {alert.monitoring_id} of {alert.system} is stored already: of {stored.system}")
    return stored


def _measure_severity(policy: Policy, alert: Alert, others: Iterable[str | None] = ()) -> Severity:
    """Return the level of an alert's function and the others; its worst, if it names none."""
    failing = (alert.function, *others) if alert.function else ()
    return limit_signal(policy, alert.signal, measure_level(policy, failing)).severity
