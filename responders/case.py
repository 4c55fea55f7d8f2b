"""One rollback in a worker's hands, with its incident: every change of state goes through here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from shared import alert_record, handover
from shared import incident as incidents
from shared import system as systems
from shared.alert_record import Alert
from shared.audit import event
from shared.documents import decode, encode
from shared.errors import RollbackError, Unavailable
from shared.incident import Incident, Moment, Status
from shared.notice import Notice, creates, notices
from shared.opening import public_state
from shared.policy import Policy, Severity
from shared.ports import Pool, Ports, Put, Query, Update, Write
from shared.rollback import Rollback
from shared.system import System
from shared.tenure import Draft, Tenure

GATHER_SECONDS = 20.0
"""Well within the lease."""


class Turn(Struct, frozen=True):
    """One change of state, as the worker means it."""

    event: str
    note: str
    """Said in the time line, in words for people."""
    facts: Mapping[str, Any] = {}
    changes: Mapping[str, Any] = {}
    """Fields of the rollback."""
    status: Status | None = None
    """What the incident becomes; None: it stays as it is."""
    say: bool = True
    """Whether people are told."""
    writes: tuple[Write, ...] = ()
    system: Callable[[System], System] | None = None
    """What becomes of the system's own document."""
    despite_cancel: bool = False
    """Whether it stands even when a person has asked to stop meanwhile."""


class Case:
    """What a worker knows while it holds a rollback."""

    def __init__(self, ports: Ports, policy: Policy, tenure: Tenure, pool: Pool) -> None:
        self.ports = ports
        self.policy = policy
        self.tenure = tenure
        self.pool = pool
        document = ports.store.get(incidents.path(tenure.rollback.incident))
        self.incident = decode(Incident, document.fields)

    @property
    def rollback(self) -> Rollback:
        """Its newest state."""
        return self.tenure.rollback

    def now(self) -> datetime:
        """The time by the clock port."""
        return self.ports.clock.now()

    def take(self, turn: Turn) -> bool:
        """Whether the turn landed; not when a person asked to stop, which is to be seen to first.

        State, event, public state and notices are one commit; what is to be said is published
        after it. Raises: as Tenure.commit.
        """
        landed: list[tuple[Incident, list[Notice]]] = []

        def compose(rollback: Rollback) -> Draft | None:
            landed.clear()
            if rollback.cancel_requested and not turn.despite_cancel:
                return None
            now = self.now()
            incident = self._moved(turn, now)
            said = self._said(turn, incident, now)
            landed.append((incident, said))
            return Draft(
                events=(event(turn.event, now, "worker", note=turn.note, **turn.facts),),
                changes=dict(turn.changes),
                writes=(*turn.writes, *self._beside(turn, incident, now), *creates(said)),
            )

        self.tenure.commit(compose)
        if not landed:
            return False
        self.incident, said = landed[0]
        handover.publish_notices(self.ports.bus, said)
        return True

    def wait(self, event_name: str, note: str, until: datetime, **facts: Any) -> None:
        """Let go of the rollback until then; the clock will hand it on."""
        self.take(
            Turn(
                event=event_name,
                note=note,
                facts=facts,
                changes={"due_at": until, "lease": None},
                say=False,
                despite_cancel=True,
            )
        )

    def hand_over(self) -> None:
        """Let go of the rollback and have the next worker take it at once."""
        now = self.now()
        self.wait("worker.handed-over", "the worker's time is over", now)
        handover.publish(self.ports.bus, handover.ROLLBACK, self.rollback.id, now)

    def joined_alerts(self) -> list[Alert]:
        """Every alert of the incident, those that no decision has taken in included."""
        found = self.ports.store.query(
            Query("alerts", where=(("incident", "==", self.incident.id),))
        )
        return [decode(Alert, document.fields) for document in found]

    def raise_severity(self, severities: Iterable[Severity]) -> None:
        """Let the incident be as bad as the worst of these; kept with its next change of status."""
        order = list(Severity)
        worst = min([self.incident.severity, *severities], key=order.index)
        self.incident = replace(self.incident, severity=worst)

    def absorbing(self, alerts: Iterable[Alert]) -> tuple[Write, ...]:
        """The writes that take these alerts into this rollback."""
        return tuple(
            Update(alert_record.path(alert.key), {"absorbed_by": self.rollback.id})
            for alert in alerts
            if not alert.absorbed_by
        )

    def ask_all(self, calls: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        """The answers of calls made beside each other; a call that got none: its RollbackError.

        Raises: whatever is no RollbackError.
        """
        for key, call in calls.items():
            self.pool.submit(key, call)
        answers: dict[str, Any] = {}
        give_up_at = self.ports.clock.monotonic() + GATHER_SECONDS
        while len(self.pool):
            remaining = give_up_at - self.ports.clock.monotonic()
            if remaining <= 0:
                raise Unavailable(f"no answer from {sorted(set(calls) - set(answers))}")
            answers.update(self.pool.wait(remaining))
        for answer in answers.values():
            if isinstance(answer, BaseException) and not isinstance(answer, RollbackError):
                raise answer
        return answers

    def closed(self, system: System) -> System:
        """The system once this incident is over, if it is still the system's newest."""
        if system.incident != self.incident.id:
            return self.freed(system)
        return replace(self.freed(system), incident_ended_at=self.now())

    def freed(self, system: System) -> System:
        """The system without this rollback in its slot."""
        return replace(system, slot="") if system.slot == self.rollback.id else system

    def _moved(self, turn: Turn, now: datetime) -> Incident:
        if turn.status is None:
            return self.incident
        if turn.status is Status.RESOLVED:
            return self.resolved(turn.note, now)
        return self._became(turn.status, turn.note, now)

    def resolved(self, note: str, now: datetime) -> Incident:
        """The incident as over."""
        return replace(self._became(Status.RESOLVED, note, now), ended_at=now)

    def _became(self, status: Status, note: str, now: datetime) -> Incident:
        moment = Moment(status, now, note)
        return replace(self.incident, status=status, timeline=[*self.incident.timeline, moment])

    def _said(self, turn: Turn, incident: Incident, now: datetime) -> list[Notice]:
        if not turn.say:
            return []
        number = self.rollback.id.removeprefix(incident.id)
        return notices(
            self.policy,
            incident.id,
            incident.severity,
            f"{turn.event}{number}",
            f"{incident.id} {incident.severity}: {turn.note}",
            now,
            **turn.facts,
        )

    def _beside(self, turn: Turn, incident: Incident, now: datetime) -> list[Write]:
        writes: list[Write] = []
        if turn.status is not None:
            writes.append(Update(incidents.path(incident.id), encode(incident)))
        document = self.ports.store.get(systems.path(self.policy.system))
        current = decode(System, document.fields)
        if turn.status is not None and current.incident == incident.id:
            state = public_state(self.policy, incident, now)
            writes.append(Put(incidents.public_path(self.policy.system), encode(state)))
        if turn.system is not None:
            after = encode(turn.system(current))
            writes.append(Update(document.path, after, document.version))
        return writes


def in_words(span: timedelta) -> str:
    """A span as people read it: `2 min 5 s`."""
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
