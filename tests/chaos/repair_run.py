"""A rollback of data over the real wire: ordered, disturbed at its points, and hurried on."""

import time
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from local.demo.staging import operators
from shared.core.codec import decode
from shared.domain.data.integrity import damage
from shared.domain.data.integrity.damage import IntegrityRecord
from shared.domain.data.repair import repair_plan
from shared.domain.decision import forecast
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, Rollback, RollbackStatus
from tests.chaos.kills import Kind, Point
from tests.chaos.processes import Plant

OVER = (RollbackStatus.WATCHING, *ENDED_ROLLBACK_STATUSES)
WRITTEN = (RollbackStatus.VERIFYING, *OVER)
"""No document is written any more."""
WITHIN_SECONDS = 1800.0
"""Of wall time, for each thing that is waited for."""
HALF_MINUTE = timedelta(seconds=30)
"""The clock looks at what is due each half minute, and at the data in the middle of each."""
SECOND = timedelta(seconds=1)
HOP_EVERY_SECONDS = 0.7
"""Wall time by which whoever sleeps has seen the last one."""
FORESEE_EVERY_SECONDS = 5.0
"""Wall time."""
PIECE_SECONDS = 60.0
"""Wall time that a piece of a look never takes."""
REAL = 1.0
"""Cloud seconds per second, while documents are written."""
SLOW = 0.75
"""The same while data are looked through: a look has 15 s a minute, and must be over within the
time for which nothing new may appear, on a busy machine too. No slower: a worker surveys them for
18 s at a time, and a stream lasts 30 s of wall time."""


class Hopping:
    """Skips the cloud's time while nobody works: whatever is looked through takes its own."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._version: datetime | None = None
        self._is_looked_at = False
        self._hopped_at = time.monotonic()
        self._sequence = 0

    def hop(self, rollback: Rollback) -> None:
        """Unless somebody works on the rollback or is to, or may be looking through the data."""
        if rollback.sequence != self._sequence:  # its worker's clock is up to 0.25 s old (EmbeddedClock)
            self._sequence, self._hopped_at = rollback.sequence, time.monotonic()
        document = self._plant.stage.wiring.store.get(damage.damage_path(rollback.system))
        record = (
            decode(IntegrityRecord, document.fields) if document.fields else IntegrityRecord(rollback.system)
        )
        if document.version != self._version:
            self._version, self._is_looked_at = document.version, False
        look = record.run is not None or bool(record.asked)
        least = PIECE_SECONDS if look and self._is_looked_at else HOP_EVERY_SECONDS
        is_rested = time.monotonic() - self._hopped_at > least
        if rollback.lease or not is_rested or self._is_surveyed(rollback):
            return
        now = self._plant.stage.now()
        passed = timedelta(seconds=now.second % HALF_MINUTE.seconds, microseconds=now.microsecond)
        self._plant.stage.skip_time(HALF_MINUTE - passed + SECOND)
        self._is_looked_at = now.second < HALF_MINUTE.seconds
        self._hopped_at = time.monotonic()

    def _is_surveyed(self, rollback: Rollback) -> bool:
        """Whether one worker after another works out what would become of each document."""
        fields = self._plant.stage.wiring.store.get(repair_plan.preview_path(rollback.id)).fields or {}
        return rollback.status is RollbackStatus.DECIDING and fields.get("survey") is not None


class Moving:
    """What people say, who dies meanwhile, and how far it has come."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._stage = plant.stage
        self.deaths: list[Point] = []
        """Those that came to pass."""
        self.foreseen: list[tuple[datetime, float]] = []
        """When, and for how many seconds from the first document, while they were written."""
        self._foreseen_at = 0.0

    def ordered(self, **said: Any) -> Rollback:
        """It is ordered, and the data looked through: parked over a question, or let go."""
        known = {one.id for one in self._plant.evidence.rollbacks()}
        self._stage.rescale(SLOW)
        self._say(operators.OPERATOR_EMAILS[0], **said)

        def found() -> Rollback | None:
            new = (one for one in self._plant.evidence.rollbacks() if one.id not in known)
            return next((one for one in new if one.order is not None), None)

        name = self._stage.wait_for("the order", found).id
        return self.waited(name, (RollbackStatus.PARKED, *ENDED_ROLLBACK_STATUSES), hopping=True)

    def carried_out(self, parked: Rollback, points: Iterable[Point]) -> Rollback:
        """A second person agrees; at each point somebody dies, as long as documents are written."""
        self.foreseen.clear()
        self._say(operators.OPERATOR_EMAILS[1], command="approve", incident=parked.incident)
        self._stage.rescale(REAL)
        for point in points:
            if self._has_died(point, lambda: self._rollback(parked.id).status in WRITTEN):
                self._wait_for_a_commit(parked.id)
        moved = self.waited(parked.id, WRITTEN)
        self._stage.rescale(SLOW)
        return moved

    def _has_died(self, point: Point, is_over: Callable[[], bool]) -> bool:
        """Whether somebody has, at that point, before that was over."""
        self._stage.install_fault_plan(point.plan())

        def is_reached() -> bool:
            return bool(self._stage.count_injected_faults()) or is_over()

        self._stage.wait_for(str(point), is_reached, WITHIN_SECONDS)
        died = bool(self._stage.count_injected_faults())
        if died:
            self._let_die(point)
        self._stage.remove_fault_plan()
        return died

    def waited(self, name: str, statuses: Collection[RollbackStatus], *, hopping: bool = False) -> Rollback:
        """The rollback, once it has come so far; `hopping` over the time in which nobody works."""
        hops = Hopping(self._plant)

        def look() -> Rollback | None:
            found = self._rollback(name)
            if found.status in statuses:
                return found
            if hopping:
                hops.hop(found)
            return None

        return self._stage.wait_for(f"{name}: {'/'.join(statuses)}", look, WITHIN_SECONDS)

    def _rollback(self, name: str) -> Rollback:
        found = next(one for one in self._plant.evidence.rollbacks() if one.id == name)
        is_due = time.monotonic() - self._foreseen_at > FORESEE_EVERY_SECONDS
        if found.status is RollbackStatus.RUNNING and found.started_at is not None and is_due:
            self._foreseen_at, now = time.monotonic(), self._stage.now()
            steps, policy = self._plant.evidence.steps(name), self._plant.policy
            ahead = forecast.forecast_duration(steps, policy, detected=found.started_at, now=now)
            self.foreseen.append((now, ahead.whole_seconds))
        return found

    def _wait_for_a_commit(self, name: str) -> None:
        """Whoever goes on has brought it further: over a third death in a row it is given up."""
        before = self._rollback(name).sequence

        def has_come_further() -> bool:
            now = self._rollback(name)
            return now.status in WRITTEN or (now.sequence > before and not now.takeovers)

        self._stage.wait_for("a successor", has_come_further, WITHIN_SECONDS)

    def _let_die(self, point: Point) -> None:
        if point.kind is Kind.CLOUD:
            self._plant.restart_cloud()
        else:
            self._plant.responders.kill(point.victim)
            self._stage.remove_fault_plan()
            self._plant.responders.restart(point.victim)
        self.deaths.append(point)

    def _say(self, person: str, **more: Any) -> None:
        said = {"version": 1, "system": self._plant.policy.system, "reason": "orders are spoilt"}
        operators.publish_command(self._stage, {**said, **more}, person)
