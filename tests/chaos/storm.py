"""`python -m tests.chaos storm`: ten thousand messages within a minute, over the real wire.

CVPlus with its 151 functions in the embedded cloud, one process of functions-framework for each
entry point; the messages are those of tests/chaos/storm_messages.py. In the middle of the rollback
a person pulls the kill switch, and lets go on once the storm is over.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from benchmarks.storm import BOUND, duplicates
from local.demo import invariants
from local.demo.evidence import Evidence
from local.demo.invariants import StateBefore
from local.demo.staging.irrelevant_messages import IrrelevantMessages
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.policy.severity import Severity
from shared.domain.rollback.rollback import RollbackStatus
from shared.policy_files import loader
from tests.chaos import storm_messages
from tests.chaos.kills import DEPLOYED_BEFORE, Course, OneRun, Point
from tests.chaos.processes import Plant
from tests.chaos.storm_messages import Told

CVPLUS = Path(__file__).parent.parent.parent / "policies" / "cvplus.yaml"
SCALE = 3.0
HURRIED = 8.0
"""Once every function is back; to ask after so many takes a part of a lease."""
PAUSED_AFTER = 20
"""Shifts of traffic; then the kill switch is pulled."""
SETTLED_SECONDS = 10.0
"""Of cloud time: what was sent when the switch was pulled has landed by then."""
NOT_OF_A_STORM = frozenset(
    {
        "exactly one incident and one rollback, both ended well",
        "the test alert and the foreign alert changed nothing, and are recorded",
        "the only dead-letter message is the foreign alert, with its reason",
    }
)
"""Laws of the demo that speak of its own messages; a storm has others, checked here."""


class Storm:
    """One storm over one plant."""

    def __init__(self, plant: Plant, told: Sequence[Told]) -> None:
        self._plant = plant
        self._stage = plant.stage
        self._evidence = OneRun.since_now(plant)
        self._told = told
        self._shifts_before = len(self._evidence.operations())
        self._paused_at = 0.0
        self.pause_took = 0.0
        """Wall seconds from the word to its record."""

    def close(self) -> None:
        """Close the connection."""
        self._evidence.close()

    def send(self) -> None:
        """Everything, as fast as one publisher is; the kill switch in the middle of the shifts."""
        for number, told in enumerate(self._told):
            self._stage.wiring.bus.publish(told.topic, told.data)
            if number == 0:  # from now on nobody can call the bad release stable
                self._stage.wait_for("the incident", self._evidence.incidents)
            if number % 200 == 0:
                self._pause_in_the_middle()
        self._stage.wait_for("the middle of the rollback", self._pause_in_the_middle)
        self._stage.wait_for("the switch to be on record", self._is_paused)

    def faults_of_switch(self) -> Iterator[str]:
        """What moved although the switch was set; then it is set back."""
        self._rest()
        before = self._shifts()
        self._rest()
        if self._shifts() != before:
            yield f"{self._shifts() - before} shifts after the kill switch"
        if before >= len(self._plant.policy.functions):
            yield "the kill switch came too late to stop anything"

    def resume(self) -> None:
        """A person lets go on."""
        told = storm_messages.switch("resume", "go-on")
        self._stage.wiring.bus.publish(told.topic, told.data)

    def faults_of_messages(self) -> list[str]:
        """What is left nowhere that should be somewhere; empty once the backlog is drained."""
        events = Counter(event.name for event in self._evidence.events_without_system())
        tests = sum(told.kind == "test" for told in self._told)
        refused = sum(told.refused for told in self._told)
        found = [f"{events['alert.test']} of {tests} test notifications are on record"]
        if events["alert.test"] == tests:
            found = []
        if events["message.refused"] != refused:
            found.append(f"{events['message.refused']} of {refused} refusals are on record")
        if not found:
            found += self._missing()
        return found

    def faults_of_end(self) -> Iterator[str]:
        """One incident as bad as it was, one rollback with effects, no letter without reason."""
        [*incidents] = self._evidence.incidents()
        carried_out = [one for one in self._evidence.rollbacks() if one.plan is not None]
        if len(incidents) != 1 or len(carried_out) != 1:
            yield f"{len(incidents)} incidents, {len(carried_out)} rollbacks with a plan"
        for incident in incidents:
            if (incident.severity, incident.status) != (Severity.CRITICAL, IncidentStatus.RESOLVED):
                yield f"{incident.id} is {incident.severity} and {incident.status}"
        for rollback in carried_out:
            if rollback.status is not RollbackStatus.SUCCEEDED:
                yield f"{rollback.id} is {rollback.status}: {rollback.outcome}"
        letters = self._evidence.dead_letters()
        if len(letters) < sum(told.refused for told in self._told):
            yield f"only {len(letters)} dead letters"
        for letter in letters:
            if not letter.reason or not letter.source:
                yield f"a dead letter from {letter.source!r}: {letter.reason!r}"

    def end(self) -> OneRun:
        """The evidence, once everything has ended."""
        unhurt = Point.drawn(0, 0)
        course = Course(self._plant, self._evidence, unhurt, HURRIED)
        self._stage.wait_for("the end of it all", course.is_over)
        return self._evidence

    def _missing(self) -> Iterator[str]:
        store = self._stage.wiring.store
        paths = {path for told in self._told for path in told.leaves if "{id}" not in path}
        return (f"there is no {path}" for path in sorted(paths) if store.get(path).fields is None)

    def _pause_in_the_middle(self) -> bool:
        """Whether the switch was pulled, now or before."""
        if not self._paused_at and self._shifts() > PAUSED_AFTER:
            told = storm_messages.switch("pause", "stop-all")
            self._stage.wiring.bus.publish(told.topic, told.data)
            self._paused_at = time.monotonic()
        if self._paused_at and not self.pause_took:
            self._is_paused()
        return bool(self._paused_at)

    def _is_paused(self) -> bool:
        paused = self._stage.wiring.store.get("commands/stop-all").fields is not None
        if paused and not self.pause_took:
            self.pause_took = time.monotonic() - self._paused_at
        return paused

    def _shifts(self) -> int:
        return len(self._evidence.operations()) - self._shifts_before

    def _rest(self) -> None:
        until = self._stage.now() + timedelta(seconds=SETTLED_SECONDS)
        self._stage.wait_for("a pause", lambda: self._stage.now() >= until)


def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0 every law held, 1 one did not, or a duplicate cost too much."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos storm", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=storm_messages.SIZE)
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="rollback-storm-") as folder:
        plant = Plant(loader.load_policy(CVPLUS), CVPLUS, Path(folder), SCALE)
        try:
            faults = _played(plant, options.seed, options.size)
        finally:
            plant.close()
    decoding, receiving = duplicates(2000, 3)
    ratio = receiving / decoding
    print(f"a duplicate costs {ratio:.2f} times its decoding, at most {BOUND} are allowed")
    for fault in faults:
        print(f"✗ {fault}")
    print("every invariant holds" if not faults else f"{len(faults)} faults")
    return 1 if faults or ratio >= BOUND else 0


def _played(plant: Plant, seed: int, size: int) -> list[str]:
    """What breaks a law."""
    stage = plant.stage
    stable = plant.prepare()
    stage.deploy("bad", 0.8)
    plant.release()
    stage.skip_time(DEPLOYED_BEFORE)
    inventory, operations = plant.evidence.inventory(), plant.evidence.operations()
    storm = Storm(plant, storm_messages.storm(plant.policy, stage.now(), Random(seed), size))
    try:
        started = time.monotonic()
        storm.send()
        print(f"{size} messages published in {time.monotonic() - started:.0f} s")
        print(f"the kill switch was on record {storm.pause_took:.1f} s after the word")
        faults = list(storm.faults_of_switch())
        stage.wait_for("the backlog to be drained", lambda: not storm.faults_of_messages())
        took = time.monotonic() - started
        print(f"drained in {took:.0f} s, {size / took:.0f} messages/s")
        storm.resume()
        evidence = storm.end()
        before = StateBefore(stable, inventory, operations, _first(evidence))
        found = invariants.check_invariants(evidence, before, stage.application_state(), disturbed=True)
        chosen = [law for law in found if law.text not in NOT_OF_A_STORM]
        faults += [f"{law.text}: {fault}" for law in chosen for fault in law.faults]
        return [*faults, *storm.faults_of_messages(), *storm.faults_of_end()]
    finally:
        storm.close()


def _first(evidence: Evidence) -> IrrelevantMessages:
    """An alert that came hundreds of times."""
    return IrrelevantMessages(next(one for one in evidence.alerts() if one.function))
