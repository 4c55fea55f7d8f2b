"""The second part: what the responders make of it, from detection to verification."""

import json
from collections import Counter
from datetime import datetime

from local.demo.act import DemoAct
from local.demo.acts.headings import Heading
from local.demo.screen import Counts, mark
from local.demo.staging import irrelevant_messages, operators
from responders.rollback import outcome_summary
from shared.core.text import count_noun
from shared.domain.decision.forecast import forecast_duration
from shared.domain.decision.gates.base import GateResult
from shared.domain.incidents.incident import Incident
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.rollback.plan import Step, StepStatus, count_progress
from shared.domain.rollback.rollback import ApprovalRequest, Rollback, RollbackStatus
from shared.domain.signals.alert import Alert
from shared.domain.signals.labels import status_label
from shared.engine.steps.functions.judge_canary import KIND as JUDGE

UNDECIDED = (RollbackStatus.DECIDING, RollbackStatus.PARKED)
EFFECT_STATUSES = (RollbackStatus.RUNNING, RollbackStatus.VERIFYING)
"""While its rollback holds the slot of its system."""
STEP_LABELS = {StepStatus.UNNEEDED: "alternatives not needed"}
"""Where the status of a step in small letters is not plain enough."""
CONCLUSIONS = ("rollback.verified", "rollback.unverified", "rollback.failed")

REFUSALS = {
    "calls": [
        {
            "call": "google.cloud.run.v2.Services/UpdateService",
            "answer": "RESOURCE_EXHAUSTED",
            "retry_after_seconds": 5.0,
            "skip": 4,
            "times": 6,
        }
    ]
}
"""A quota that is tighter than the policy declares, from the fifth write on."""


class ResponseAct(DemoAct):
    """Shows one rollback, as its documents tell of it."""

    @property
    def _of_functions(self) -> bool:
        return self._scene.scenario is ScenarioName.FUNCTIONS

    def show_detection(self, incident: Incident, alert: Alert, published_at: datetime) -> None:
        """The incident, who saw it first, and what is public of it."""
        self._screen.act(Heading.DETECTED)
        if irrelevant_messages.is_probe_alert(alert):
            said = json.loads(alert.notification)["reason"]
            self._screen.say(f"first detected by the rollback system: {said}", alert.received_at)
        text = f"{incident.id} {incident.severity}: {incident.timeline[0].note}"
        self._screen.say(text, incident.detected_at, "bold red")
        self._scene.show_page(incident, published_at)

    def show_decision(self, incident: str) -> Rollback:
        """The rollback, once it is decided: the gates' answers and the plan.

        Where the policy asks, as many people as are needed want each plan that is shown. An alert
        that is only watched may be the first of the incident: then it is the one after.
        """
        answered: set[str] = set()

        def look() -> Rollback | None:
            for question in self._questions(incident):
                if question.plan.fingerprint not in answered:
                    answered.add(question.plan.fingerprint)
                    self._approve(incident, question)
            return self._decided(incident)

        with self._screen.waiting("the worker decides"):
            rollback = self._stage.wait_for("the decision", look)
        self._screen.act(Heading.DECIDED)
        rows = [(one["gate"], one["answer"], one["reason"]) for one in rollback.gates]
        self._screen.table(("gate", "answer", "why"), rows)
        for name, answer, why in rows:
            if name == "still true" and answer == GateResult.PASS and "no second source" not in why:
                self._screen.say(f"a second source confirms the alert: {why}", style="bold")
        plan = rollback.plan
        if plan is None:
            self._screen.say(f"{status_label(rollback.status)}: {rollback.outcome}", style="bold red")
        else:
            steps = self._evidence.steps(rollback.id)
            text = (
                f"{plan.scenario} rollback to {plan.target}: {count_noun(count_progress(steps)[1], 'step')}"
            )
            for decided in self._scene.events(rollback.id, "rollback.decided"):
                self._screen.say(text, datetime.fromisoformat(decided.at), "bold")
                if self._of_functions:
                    self._screen.say(decided.facts["forecast"], style="bold")
            for line in plan.reported:
                self._screen.say(line)
        return rollback

    def _approve(self, incident: str, question: ApprovalRequest) -> None:
        """As many people as are asked sign in and say that they want the plan."""
        self._screen.act("Approval requested")
        people = operators.OPERATOR_EMAILS[: question.needed]
        people_needed = "1 person" if question.needed == 1 else f"{question.needed} people"
        text = f"{question.reason}; {people_needed} must approve"
        self._screen.say(text, question.asked_at, "bold")
        for line in question.plan.reported:
            self._screen.say(line)
        for person in people:
            said = {"command": "approve", "incident": incident, "plan": question.plan.fingerprint}
            about = {"version": 1, "system": self._stage.policy.system, "reason": "as recorded"}
            operators.publish_command(self._stage, {**about, **said}, person)
            self._screen.say(f"{person} approves", self._stage.now())

    def _questions(self, incident: str) -> list[ApprovalRequest]:
        """What people are asked about the incident now."""
        found = [one for one in self._evidence.acting_rollbacks() if one.incident == incident]
        return [one.question for one in found if one.status is RollbackStatus.PARKED and one.question]

    def show_rollback(self, name: str) -> None:
        """Return when the plan is carried out: canaries first, then the others of each group."""
        self._screen.act(Heading.GOING_BACK)
        judged: set[str] = set()
        to_be_killed = self._scene.kills
        if self._scene.refuses:
            self._stage.install_fault_plan(REFUSALS)
        things = "functions" if self._of_functions else "resources"
        shown = self._screen.progress(f"{things} restored")
        shown_at: datetime | None = None

        def look() -> bool:
            nonlocal to_be_killed, shown_at
            now, steps = self._stage.now(), self._evidence.steps(name)
            is_killed = to_be_killed and _is_half_done(steps)
            if is_killed:
                to_be_killed = False
                self._stage.kill_worker()
                now, steps = self._stage.now(), self._evidence.steps(name)
            ended = [one for one in steps if one.kind == JUDGE and one.ended_at and one.name not in judged]
            for step in sorted(ended, key=lambda one: one.ended_at or now):
                judged.add(step.name)
                self._show_judgement(step, shown_at)
            if is_killed:
                self._show_kill(steps)
            rollback = self._scene.rollback(name)
            at = max([now, *(one.ended_at for one in ended if one.ended_at)])
            if rollback is not None and rollback.status is not RollbackStatus.RUNNING:
                at = rollback.shifted_at or rollback.ended_at or at
            shown_at = at
            shown.show(self._counted(steps), at, self._ahead(rollback, steps))
            return rollback is not None and rollback.status is not RollbackStatus.RUNNING

        self._stage.wait_for("the rollback of the functions", look)
        if self._scene.refuses:
            self._show_refusals()
        restored = self._scene.rollback(name)
        done = Counter(step.status for step in self._evidence.steps(name))
        counted = ", ".join(
            f"{count} {STEP_LABELS.get(status, status.lower())}" for status, count in done.items()
        )
        self._screen.say(f"steps: {counted}", restored.shifted_at if restored else None, "bold")

    def show_verification(self, name: str) -> None:
        """Return when it is verified by counts that begin after the last shift, and by probes."""
        self._screen.act(Heading.VERIFYING)
        shown: set[str] = set()

        def look() -> bool:
            looks = self._scene.notes(name, "health.looked")
            ends = [at for event in CONCLUSIONS for at, _ in self._scene.notes(name, event)]
            for at, note in looks:
                if note not in shown and all(at <= end for end in ends):
                    shown.add(note)
                    self._screen.say(note, at)
            rollback = self._scene.rollback(name)
            return rollback is not None and rollback.status not in EFFECT_STATUSES

        with self._screen.waiting("waiting for the metrics of requests after the last shift"):
            self._stage.wait_for("the verification", look)
        for event in CONCLUSIONS:
            for at, note in self._scene.notes(name, event):
                self._screen.say(note, at, "bold")
        for failed in self._scene.events(name, "rollback.failed"):
            serves = failed.facts["serves"]
            for line in outcome_summary.format_served_revisions(self._evidence.steps(name), serves):
                self._screen.say(line)

    def _ahead(self, rollback: Rollback | None, steps: list[Step]) -> str:
        """How long it will take yet, while functions go back."""
        if rollback is None or rollback.status is not RollbackStatus.RUNNING or not self._of_functions:
            return ""
        now = self._stage.now()
        began, left = rollback.created_at, self._evidence.pace()
        return str(forecast_duration(steps, self._stage.policy, left=left, detected=began, now=now))

    def _show_refusals(self) -> None:
        """How many writes were refused, and what that made of the pace; then nothing is refused."""
        refused = self._stage.count_injected_faults()
        self._stage.remove_fault_plan()
        pace = self._evidence.pace()
        text = f"Cloud Run refused {refused} writes for the write quota (429); the worker retried each"
        self._screen.say(text, style="bold red" if refused else "")
        if pace is not None and pace.per_second is not None:
            rate = f"the worker now sends at most {pace.per_second:.2g} writes a second"
            self._screen.say(rate)

    def _show_kill(self, steps: list[Step]) -> None:
        """Kill -9 in the middle; its message comes again, and the next worker takes over."""
        done = sum(step.status is StepStatus.DONE for step in steps)
        text = f"kill -9 of the worker, with {done} of {len(steps)} steps done"
        self._screen.say(text, self._stage.now(), "bold red")
        self._screen.say("another worker is ready", self._stage.now())

    def _decided(self, incident: str) -> Rollback | None:
        found = (one for one in self._evidence.acting_rollbacks() if one.incident == incident)
        return next((one for one in found if one.status not in UNDECIDED), None)

    def _show_judgement(self, step: Step, shown_at: datetime | None) -> None:
        """Show a canary's result, not before what was shown until it was stored."""
        canary, group = step.target, step.name.removeprefix(f"{JUDGE} ")
        well = step.status is StepStatus.DONE
        text = f"{mark(well)} canary {canary} of {group}: {step.note}"
        at = max(filter(None, (step.ended_at, shown_at)), default=None)
        self._screen.say(text, at, "green" if well else "red")

    def _counted(self, steps: list[Step]) -> Counts:
        """Of each group, how many functions are back, and how many are to come back."""
        groups = self._stage.policy.functions
        ways = [step for step in steps if step.kind != JUDGE and not step.instead_of]
        named = {step.target: groups.get(step.target, step.name) for step in ways}
        away = {step.target for step in ways if step.status is not StepStatus.DONE}
        total = Counter(named.values())
        left = Counter(named[target] for target in away)
        return {group: (total[group] - left[group], total[group]) for group in total}


def _is_half_done(steps: list[Step]) -> bool:
    """Whether the middle of it all is reached."""
    planned = [step for step in steps if not step.instead_of]
    return 2 * sum(step.status is StepStatus.DONE for step in planned) >= len(planned) > 0
