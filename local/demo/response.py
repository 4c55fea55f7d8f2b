"""The second part: what the responders make of it, from detection to verification."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime

from local.demo import strangers
from local.demo.scene import Scene
from local.demo.screen import Counts, mark
from local.demo.strangers import Strangers
from shared.alert_record import Alert
from shared.incident import Incident
from shared.plan import Step, StepStatus
from shared.rollback import IN_EFFECT, Rollback, Status
from shared.steps.judge import KIND as JUDGE

UNDECIDED = (Status.DECIDING, Status.PARKED)
CONCLUSIONS = ("rollback.verified", "rollback.unverified", "rollback.failed")


class Response:
    """Shows one rollback, as its documents tell of it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._stage = scene.stage
        self._evidence = scene.evidence
        self._screen = scene.screen

    def show_detection(
        self, incident: Incident, alert: Alert, published_at: datetime | None
    ) -> None:
        """The incident, who saw it first, and what is public of it."""
        self._screen.act("Detected")
        self._scene.show_alerts()
        text = f"{incident.id} {incident.severity}: {incident.timeline[0].note}"
        self._screen.say(text, incident.detected_at, "bold red")
        if strangers.is_of_a_probe(alert):
            said = json.loads(alert.notification)["reason"]
            self._screen.say(f"seen first by ourselves: {said}", alert.received_at)
        self._scene.show_public(self._evidence.public(), published_at)

    def show_strangers(self, sent: Strangers) -> None:
        """What became of the messages that must change nothing, from the trail."""
        stage, evidence = self._stage, self._evidence
        self._screen.act("Three messages that must change nothing")
        test = stage.wait_for("the test notification", lambda: strangers.test_event(evidence))
        foreign = stage.wait_for("the foreign alert", lambda: strangers.foreign_event(evidence))
        kept = [one for one in evidence.alerts() if one.key == sent.repeated.key]
        received = ", ".join(f"{one.received_at:%H:%M:%S}" for one in kept)
        rows = [
            ("a duplicate", f"kept {len(kept)} time, received {received}, as before"),
            ("a test notification", f"recorded as {test.name}, nothing else"),
            ("a foreign project's", f"{foreign.name}: {foreign.facts['reason']}"),
        ]
        self._screen.table(("sent", "what became of it"), rows)

    def show_decision(self, incident: str) -> Rollback:
        """The rollback, once it is decided: the gates' answers and the plan."""
        with self._screen.waiting("the worker decides"):
            rollback = self._stage.wait_for("the decision", lambda: self._decided(incident))
        self._screen.act("Decided")
        rows = [(one["gate"], one["answer"], one["reason"]) for one in rollback.gates]
        self._screen.table(("gate", "answer", "why"), rows)
        plan = rollback.plan
        if plan is None:
            self._screen.say(f"{rollback.status}: {rollback.outcome}", style="bold red")
        else:
            text = f"{plan.scenario} back to {plan.target}: {plan.steps} steps"
            self._screen.say(text, self._stage.now(), "bold")
        return rollback

    def go_back(self, name: str) -> None:
        """Return when the plan is carried out: canaries first, then the others of each group."""
        self._screen.act("Going back")
        judged: set[str] = set()
        to_be_killed = self._scene.kills
        with self._screen.progress("functions are back") as bars:

            def look() -> bool:
                nonlocal to_be_killed
                steps = self._evidence.steps(name)
                if to_be_killed and _is_half_done(steps):
                    to_be_killed = False
                    self._kill_worker(steps)
                for step in steps:
                    if step.kind == JUDGE and step.ended_at and step.name not in judged:
                        judged.add(step.name)
                        self._show_judgement(step)
                bars.show(self._counted(steps), self._stage.now())
                rollback = self._scene.rollback(name)
                return rollback is not None and rollback.status is not Status.RUNNING

            self._stage.wait_for("the functions to go back", look)
        restored = self._scene.rollback(name)
        done = Counter(step.status for step in self._evidence.steps(name))
        counted = ", ".join(f"{count} {status}" for status, count in done.items())
        at = restored.shifted_at if restored else None
        self._screen.say(f"steps: {counted}", at, "bold")

    def verify(self, name: str) -> None:
        """Return when it is verified by counts that begin after the last shift, and by probes."""
        self._screen.act("Verifying")
        shown: set[str] = set()

        def look() -> bool:
            for at, note in self._scene.notes(name, "health.looked"):
                if note not in shown:
                    shown.add(note)
                    self._screen.say(note, at)
            rollback = self._scene.rollback(name)
            return rollback is not None and rollback.status not in IN_EFFECT

        with self._screen.waiting("counts of after the last shift come late"):
            self._stage.wait_for("the verification", look)
        for event in CONCLUSIONS:
            for at, note in self._scene.notes(name, event):
                self._screen.say(note, at, "bold")

    def _kill_worker(self, steps: list[Step]) -> None:
        """Kill -9 in the middle; its message comes again, and the next worker takes over."""
        done = sum(step.status is StepStatus.DONE for step in steps)
        text = f"kill -9 of the worker, with {done} of {len(steps)} steps done"
        self._screen.say(text, self._stage.now(), "bold red")
        self._stage.kill_worker()
        self._screen.say("another worker listens", self._stage.now())

    def _decided(self, incident: str) -> Rollback | None:
        found = self._scene.rollback(incident)
        return None if found is None or found.status in UNDECIDED else found

    def _show_judgement(self, step: Step) -> None:
        canary, group = step.target, step.name.removeprefix(f"{JUDGE} ")
        well = step.status is StepStatus.DONE
        text = f"{mark(well)} canary {canary} of {group}: {step.note}"
        self._screen.say(text, step.ended_at, "green" if well else "red")

    def _counted(self, steps: list[Step]) -> Counts:
        """Done and total shifts of each group."""
        groups = self._stage.policy.functions
        shifts = [step for step in steps if step.kind != JUDGE]
        total = Counter(groups[step.target] for step in shifts)
        done = Counter(groups[step.target] for step in shifts if step.status is StepStatus.DONE)
        return {group: (done[group], total[group]) for group in total}


def _is_half_done(steps: list[Step]) -> bool:
    """Whether the middle of it all is reached."""
    return 2 * sum(step.status is StepStatus.DONE for step in steps) >= len(steps) > 0
