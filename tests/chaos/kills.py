"""`python -m tests.chaos kills`: real processes, killed at every write and call.

Each run is one emergency in the embedded cloud (a process of its own, with a folder), before six
functions-framework processes. At one call, before its effect or after it, something dies: the
worker or another responder by SIGKILL, the worker by SIGSTOP for longer than its lease while
another takes over, or the cloud itself. The moment is held by a fault plan of the cloud, which
delays just that call; a call before its effect is then refused, as if it had never come. Where the
worker stands still it arrives all the same, too late: once another worker has led every function
back. Which process made the call is not asked: where it was another's, the victim dies at a moment
of its own, which is a point too. Runs of one world follow each other by hours of the cloud's time.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from msgspec import Struct

from local.demo import invariants
from local.demo.evidence import Evidence
from local.demo.invariants import StateBefore
from local.demo.staging import irrelevant_messages
from local.demo.staging.irrelevant_messages import IrrelevantMessages
from local.demo.staging.processes import DemoFailed
from local.installation.responder_processes import NotListening, kill
from shared.core import topics
from shared.core.errors import RollbackError
from shared.domain.incidents.incident import Incident
from shared.domain.notices.notice import Notice
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, Rollback, RollbackStatus
from shared.domain.signals.alert import Alert
from shared.policy_files import loader
from tests.chaos.processes import Plant

EXAMPLE = Path(__file__).parent.parent.parent / "policies" / "example.yaml"
SCALE = 8.0
"""Cloud seconds per second: what a busy machine takes longer for must not become a minute there."""
RUNS_OF_A_WORLD = 40
BETWEEN_RUNS = timedelta(hours=3)
"""Longer than a cool-down."""
SHOWN_FAULTS = 10
NOT_REACHED = "not reached"
DEPLOYED_BEFORE = timedelta(minutes=10)
HELD_SECONDS = 60.0
"""Cloud time for which the call at the point is held, if nobody lets it go."""
LATE_SECONDS = 600.0
"""The same of a call that comes late: longer than another worker takes for the whole way back."""
HURRIED = 25.0
"""The same once every function is back: counts come minutes late."""
RESTING_SECONDS = 0.3
"""Longer than anybody goes without reading the cloud's clock: then time may be skipped."""


class Kind(StrEnum):
    """What happens at the point."""

    KILL = "SIGKILL"
    STOP = "SIGSTOP, longer than the lease"
    CLOUD = "SIGKILL of the cloud"


PUBLISH = "google.pubsub.v1.Publisher/Publish"
"""Held after its effect only: this side publishes too, and is not to be refused."""
CALLS = {
    "google.firestore.v1.Firestore/Commit": 70,
    "google.firestore.v1.Firestore/BeginTransaction": 1,
    "google.cloud.run.v2.Services/UpdateService": 11,
    "google.cloud.run.v2.Services/GetService": 30,
    "google.cloud.functions.v2.FunctionService/ListFunctions": 1,
    "google.monitoring.v3.MetricService/ListTimeSeries": 8,
    PUBLISH: 20,
}
"""The calls of one emergency that nobody but the responders makes, and about how many of each."""
VICTIMS = (*("on_work",) * 6, "on_alert", "on_notice", "on_clock")


class Point(Struct, frozen=True):
    """Where a run is disturbed, and how; the same one for the same seed and number."""

    kind: Kind
    victim: str
    call: str
    number: int
    when: str

    @classmethod
    def drawn(cls, seed: int, run: int) -> Point:
        """The point of one run."""
        random = Random(f"{seed}/{run}")
        [kind] = random.choices(list(Kind), (8, 1, 1))
        [call] = random.choices(list(CALLS), list(CALLS.values()))
        return cls(
            kind=kind,
            victim=random.choice(VICTIMS) if kind is Kind.KILL else "on_work",
            call=call,
            number=random.randrange(CALLS[call]),
            when="after" if call == PUBLISH else random.choice(("before", "after")),
        )

    @property
    def comes_late(self) -> bool:
        """Whether the call takes effect when its caller has long lost the rollback."""
        return self.kind is Kind.STOP and self.when == "before"

    def plan(self) -> dict[str, Any]:
        """The fault plan that holds the call."""
        held = {
            "call": self.call,
            "when": self.when,
            "skip": self.number,
            "times": 1,
            "delay_seconds": LATE_SECONDS if self.comes_late else HELD_SECONDS,
        }
        refused = self.when == "before" and not self.comes_late
        return {"calls": [{**held, "answer": "UNAVAILABLE"} if refused else held]}

    def __str__(self) -> str:
        call = self.call.rpartition(".")[2]
        return f"{self.kind} ({self.victim}) {self.when} {call} number {self.number}"


class OneRun(Evidence):
    """What belongs to the incidents since the run began."""

    known: frozenset[str] = frozenset()

    @classmethod
    def since_now(cls, plant: Plant) -> OneRun:
        """Of whatever comes from now on."""
        stage = plant.stage
        evidence = cls(stage.wiring, plant.policy, stage.home, stage.addresses["pubsub"])
        evidence.known = frozenset(one.id for one in evidence.incidents())
        return evidence

    def incidents(self) -> list[Incident]:
        """Those of this run."""
        return [one for one in super().incidents() if one.id not in self.known]

    def rollbacks(self) -> list[Rollback]:
        """Those of this run."""
        return [one for one in super().rollbacks() if one.incident not in self.known]

    def alerts(self) -> list[Alert]:
        """Those of this run."""
        return [one for one in super().alerts() if one.incident not in self.known]

    def notices(self) -> list[Notice]:
        """Those of this run, and of no incident."""
        return [one for one in super().notices() if one.incident not in self.known]


class World:
    """One plant, run after run."""

    def __init__(self, folder: Path) -> None:
        text = EXAMPLE.read_text().replace("watch: 15m", "watch: 10m\n  watch_every: 5m")
        text = re.sub(r"\n    signal: \w+", "", text)  # each run has the alerts that it sends
        file = folder / "bookshop.yaml"
        file.write_text(text)
        self.policy = loader.parse_policy(text, file.name)
        self.plant = Plant(self.policy, file, folder, SCALE)
        self._strangers_sent = False
        try:
            self._stable = self.plant.prepare()
        except BaseException:
            self.plant.close()
            raise

    def run(self, number: int, point: Point) -> tuple[bool, list[str]]:
        """Whether the point was reached, and what breaks a law after it. Raises: Broken."""
        stage = self.plant.stage
        stage.skip_time(BETWEEN_RUNS)
        evidence = OneRun.since_now(self.plant)
        try:
            stage.deploy(f"bad-{number}", 0.8)
            self.plant.release()
            self.plant.announce(f"bad-{number}")
            stage.skip_time(DEPLOYED_BEFORE)
            inventory, operations = evidence.inventory(), evidence.operations()
            stage.install_fault_plan(point.plan())
            stage.publish(topics.ALERTS, self._notification(number))
            alert = stage.wait_for("the alert", lambda: next(iter(evidence.alerts()), None))
            before = StateBefore(self._stable, inventory, operations, self._strangers(alert))
            course = Course(self.plant, evidence, point)
            try:
                stage.wait_for("the end of it all", course.is_over)
            finally:
                course.close()
            found = invariants.check_invariants(evidence, before, stage.application_state(), disturbed=True)
            ended = [f"{one.id}: {one.status}: {one.outcome}" for one in evidence.rollbacks()]
        finally:
            stage.remove_fault_plan()
            stage.rescale(SCALE)
            evidence.close()
        faults = [f"{law.text}: {fault}" for law in found for fault in law.faults] + course.lost
        return course.reached, [*ended, *faults] if faults else []

    def _notification(self, number: int) -> dict[str, Any]:
        now = self.plant.stage.now()
        labels = {"rollback_system": self.policy.system, "rollback_signal": "function_failure_rate"}
        resource = {"type": "cloud_run_revision", "labels": {"project_id": self.policy.project}}
        return {
            "version": "1.2",
            "incident": {
                "incident_id": f"0.chaos-{number}",
                "state": "open",
                "started_at": int((now - timedelta(minutes=1)).timestamp()),
                "resource": resource,
                "policy_user_labels": labels,
            },
        }

    def _strangers(self, alert: Alert) -> IrrelevantMessages:
        """A duplicate in each run; the others once, for they leave one letter each."""
        stage = self.plant.stage
        if self._strangers_sent:
            stage.publish(topics.ALERTS, json.loads(alert.notification))
            return IrrelevantMessages(alert)
        self._strangers_sent = True
        return irrelevant_messages.publish_irrelevant_messages(stage, alert)


class Course:
    """One emergency as it is looked at, disturbed at its point, and hurried on when all rest."""

    def __init__(self, plant: Plant, evidence: OneRun, point: Point, hurried: float = HURRIED) -> None:
        """`hurried`: cloud seconds per second once every function is back."""
        self.reached = False
        """Whether the call at the point has come, and something has died over it."""
        self.lost: list[str] = []
        """What the cloud had committed before it died, and has no more."""
        self._plant = plant
        self._stage = plant.stage
        self._evidence = evidence
        self._point = point
        self._stopped: list[subprocess.Popen[bytes]] = []
        self._resting: tuple[int, float] | None = None
        self._pace = hurried
        self._hurried = False

    def close(self) -> None:
        """Whoever still stands still is killed."""
        for process in self._stopped:
            kill(process)

    def is_over(self) -> bool:
        """Whether all has ended and was said; the point may come on the way."""
        if not self.reached and self._stage.count_injected_faults():
            self.reached = True
            self._disturb()
        rollbacks = self._evidence.rollbacks()
        if rollbacks and all(one.status in ENDED_ROLLBACK_STATUSES for one in rollbacks):
            return self._is_told([one.ended_at for one in rollbacks if one.ended_at])
        if not self._hurried and any(one.shifted_at for one in rollbacks):
            if self.reached:
                self._stage.remove_fault_plan()
            self._stage.rescale(self._pace)
            self._hurried = True
        for one in rollbacks:
            if one.status is RollbackStatus.WATCHING:
                self._skip(one)
        return False

    def _is_told(self, ends: list[datetime]) -> bool:
        """Whether nothing more is to be said of it: the status page is written by the minute."""
        if any(notice.is_waiting for notice in self._evidence.notices()):
            return False
        written_at = self._evidence.written_at()
        return written_at is not None and written_at > max(ends)

    def _skip(self, rollback: Rollback) -> None:
        """Skip to the next look of the watch, when nobody has worked for a while."""
        now = time.monotonic()
        if rollback.lease or rollback.due_at is None:
            self._resting = None
        elif self._resting is None or self._resting[0] != rollback.sequence:
            self._resting = (rollback.sequence, now)
        elif now - self._resting[1] > RESTING_SECONDS:
            self._resting = (rollback.sequence, now)
            skipped = rollback.due_at + timedelta(seconds=1) - self._stage.now()
            if skipped > timedelta():
                self._stage.skip_time(skipped)

    def _disturb(self) -> None:
        responders = self._plant.responders
        match self._point.kind:
            case Kind.KILL:
                responders.kill(self._point.victim)
                self._stage.remove_fault_plan()
                responders.restart(self._point.victim)
            case Kind.CLOUD:
                before = self._committed()
                self._plant.restart_cloud()
                self.lost = gone(before, self._stage.wait_for("the state", self._committed))
            case Kind.STOP:
                self._stand_still()

    def _committed(self) -> dict[str, int]:
        """How far each rollback is, and that there is each alert and each notice of this run."""
        evidence = self._evidence
        return {
            **{one.id: one.sequence for one in evidence.rollbacks()},
            **{one.key: 1 for one in evidence.alerts()},
            **{one.id: 1 for one in evidence.notices()},
        }

    def _stand_still(self) -> None:
        """The worker stands still until another has its rollback, then goes on as a zombie."""
        fences = {one.id: one.fence for one in self._evidence.rollbacks()}
        stopped = self._plant.responders.replace_stopped("on_work")
        self._stopped.append(stopped)
        if self._hurried or not self._point.comes_late:
            self._stage.remove_fault_plan()

        def is_taken() -> bool:
            return any(
                one.fence > fences.get(one.id, 0) or one.status in ENDED_ROLLBACK_STATUSES or not one.lease
                for one in self._evidence.rollbacks()
            )

        self._stage.wait_for("another worker", is_taken)
        os.killpg(stopped.pid, signal.SIGCONT)


def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0 every law held in every run, 1 one did not, or nobody has died in any."""
    options = _options(arguments)
    numbers = range(options.runs) if options.only is None else (options.only,)
    with TemporaryDirectory(prefix="rollback-kills-") as folder:
        return 1 if Series(Path(folder), options.seed).play(numbers) else 0


class Series:
    """Run after run, in worlds that last for some of them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._seed = seed
        self._world: World | None = None
        self._runs_of_world = 0

    def play(self, numbers: Sequence[int]) -> int:
        """How many runs broke a law; one more, where nobody has died."""
        failures, hits = 0, Counter[str]()
        started = time.monotonic()
        try:
            for done, number in enumerate(numbers, 1):
                point = Point.drawn(self._seed, number)
                reached, faults = self._one(number, point)
                hits[str(point.kind) if reached else NOT_REACHED] += 1
                pace = done / (time.monotonic() - started) * 60
                print(f"{done} {point}{'' if reached else ': not reached'} ({pace:.1f} runs/min)")
                if faults:
                    failures += 1
                    self._tell(number, faults)
                    self._leave()
        finally:
            self._leave()
        print(f"{len(numbers)} runs, {failures} broke a law; {dict(hits)}")
        if proves_nothing(hits):
            print("nobody has died meanwhile, so nothing is proven")
            failures += 1
        return failures

    def _one(self, number: int, point: Point) -> tuple[bool, list[str]]:
        """As World.run; what does not come to its end breaks a law too."""
        try:
            return self._entered().run(number, point)
        except (DemoFailed, NotListening, RollbackError) as failure:
            return True, [f"it did not end: {failure}"]

    def _entered(self) -> World:
        if self._world is None or self._runs_of_world >= RUNS_OF_A_WORLD:
            self._leave()
            self._world = World(Path(mkdtemp(dir=self._folder)))
            self._runs_of_world = 0
        self._runs_of_world += 1
        return self._world

    def _leave(self) -> None:
        if self._world is not None:
            self._world.plant.close()
            self._world = None

    def _tell(self, number: int, faults: Sequence[str]) -> None:
        print(*(f"  ✗ {fault}" for fault in faults[:SHOWN_FAULTS]), sep="\n")
        print(f"  again: python -m tests.chaos kills --seed {self._seed} --only {number}")


def gone(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """What is not there any more, or not as far as it was."""
    missing = (name for name, number in before.items() if after.get(name, 0) < number)
    return [f"the cloud has forgotten what it had of {name}" for name in missing]


def proves_nothing(hits: Collection[str]) -> bool:
    """Whether nobody has died in any of the runs, by what happened at their points."""
    return not set(hits) - {NOT_REACHED}


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos kills", description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="just the run of this number")
    return parser.parse_args(arguments)
