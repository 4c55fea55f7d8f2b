"""The product with one guard taken away, each of which a broken law must tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from responders import case, clock, deciding, ending, sealing, verifying, work
from responders.alerts import Alerts
from responders.case import Case, Turn
from responders.notices import Notices
from responders.recording import Recording
from shared import carrying, controls, engine, gates, handover, tenure
from shared import health as healths
from shared import plan as plans
from shared.alert_record import Alert
from shared.carrying import Carrying, Sent
from shared.controls import Switches
from shared.documents import decode, encode
from shared.envelope import Message
from shared.errors import RollbackError
from shared.gate import Answer, GateAnswer
from shared.notice import Notice
from shared.plan import Step, StepStatus
from shared.ports import Create, Document, Put, Update, Write
from shared.rollback import ENDED, LEASE, Rollback
from shared.steps import Kind, Look, Verdict
from shared.steps.judge import Judge
from shared.steps.shift import Goal, Shift
from shared.tenure import Draft, Tenure
from tests.simulation.schedule import run
from tests.simulation.world import World

Mutant = Callable[[], AbstractContextManager[Any]]


def _blind(write: Write) -> Write:
    match write:
        case Update():
            return replace(write, version=None)
        case Create():
            return Put(write.path, write.fields)
    return write


def _prepared(changed: Callable[[Draft, list[Write]], list[Write]]) -> AbstractContextManager[Any]:
    honest = tenure.prepared

    def prepared(
        rollback: Rollback, version: Any, draft: Draft, commit_id: str, *, renew: bool
    ) -> tuple[Rollback, list[Write]]:
        after, writes = honest(rollback, version, draft, commit_id, renew=renew)
        return after, changed(draft, writes)

    return patch.object(tenure, "prepared", prepared)


def no_fence() -> AbstractContextManager[Any]:
    """Every commit of a worker lands, whoever has written since."""
    return _prepared(lambda draft, writes: [_blind(write) for write in writes])


def no_fence_on_intents() -> AbstractContextManager[Any]:
    """Only intents land unconditionally."""

    def changed(draft: Draft, writes: list[Write]) -> list[Write]:
        intents = any(event.name == "step.begun" for event in draft.events)
        return [_blind(write) for write in writes] if intents else writes

    return _prepared(changed)


def due_at_lost_on_wait() -> AbstractContextManager[Any]:
    """Whoever lets go forgets to say when to look again."""

    def changed(draft: Draft, writes: list[Write]) -> list[Write]:
        first, *others = writes
        lets_go = draft.changes.get("lease", 0) is None
        return (
            [replace(first, fields={**first.fields, "due_at": None}), *others]
            if (lets_go)
            else writes
        )

    return _prepared(changed)


def no_events_of_steps() -> AbstractContextManager[Any]:
    """Steps change, and the trail does not tell."""
    return patch.object(Carrying, "_events", lambda self, changed, now: iter(()))


def no_precondition_on_the_effect() -> AbstractContextManager[Any]:
    """A shift takes whatever etag the service has now."""

    def set_anyway(self: Shift, step: Step) -> str:
        goal = decode(Goal, step.goal)
        etag = self._platform.service(goal.service).etag
        return self._platform.shift(goal.service, goal.traffic, etag)

    return patch.object(Shift, "set", set_anyway)


def acknowledged_before_commit() -> AbstractContextManager[Any]:
    """The message is gone before what it asks for is kept."""
    return patch.object(World, "acknowledges_first", True)


def lease_by_wall_clock() -> AbstractContextManager[Any]:
    """The holder believes its own clock."""

    def lasts(self: Tenure, seconds: float) -> bool:
        held = self._clock.now() - (self._version or self._clock.now())
        return held + timedelta(seconds=seconds) <= LEASE

    return patch.object(Tenure, "lasts", lasts)


def lease_never_ends() -> AbstractContextManager[Any]:
    """The holder does not ask whether it still holds."""
    return patch.object(Tenure, "lasts", lambda self, seconds: True)


def takeover_ignores_the_lease() -> AbstractContextManager[Any]:
    """Any message takes a rollback from its living holder."""

    def free(rollback: Rollback, document: Document, message_id: str) -> bool:
        return rollback.status not in ENDED and rollback.due_at is not None

    return patch.object(tenure, "_free", free)


def copies_count_as_deaths() -> AbstractContextManager[Any]:
    """Whoever takes a rollback over has seen its holder die."""
    return patch.object(tenure, "COPY_WITHIN", timedelta(0))


def no_receipt() -> AbstractContextManager[Any]:
    """A commit of which the answer was lost counts as not landed."""
    honest = Tenure._look_back

    def forgetful(self: Tenure, after: Rollback) -> bool:
        honest(self, after)
        return False

    return patch.object(Tenure, "_look_back", forgetful)


def every_worker_on_its_own_time() -> AbstractContextManager[Any]:
    """Times and deadlines by the clock of whichever instance works."""
    return patch.object(Tenure, "now", lambda self: self._clock.now())


def kill_switch_read_once() -> AbstractContextManager[Any]:
    """The switches are looked at when the worker begins."""
    return patch.object(controls, "CONTROLS_MAY_BE_OLD_SECONDS", 1e9)


def kill_switch_ignored() -> AbstractContextManager[Any]:
    """The switches are read, and what they say is not heeded."""
    honest = Switches._look

    def deaf(self: Switches) -> str:
        honest(self)
        return ""

    return patch.object(Switches, "_look", deaf)


def unreadable_switch_means_go() -> AbstractContextManager[Any]:
    """No answer is taken for a yes."""
    honest = Switches._look

    def hopeful(self: Switches) -> str:
        said = honest(self)
        return "" if said.startswith("the kill switch could not be read") else said

    return patch.object(Switches, "_look", hopeful)


def own_document_not_asked() -> AbstractContextManager[Any]:
    """A person's cancel and another worker's claim are heard of at the next commit alone."""
    return patch.object(Switches, "_called_off", lambda self, itself: "")


def cancel_ignored() -> AbstractContextManager[Any]:
    """A person's word is overwritten by the next commit."""
    honest = Tenure._look_back

    def deaf(self: Tenure, after: Rollback) -> bool:
        landed = honest(self, after)
        self.rollback = replace(self.rollback, cancel_requested="")
        return landed

    return patch.object(Tenure, "_look_back", deaf)


def persons_change_overwritten() -> AbstractContextManager[Any]:
    """Whatever is found is taken for the origin."""
    honest = Shift.look

    def greedy(self: Shift, step: Step) -> Look:
        look = honest(self, step)
        if look.verdict is not Verdict.ELSEWHERE:
            return look
        return Look(Verdict.AT_ORIGIN, self._platform.service(step.goal["service"]).etag)

    return patch.object(Shift, "look", greedy)


def done_without_a_look() -> AbstractContextManager[Any]:
    """What was sent counts as done."""
    honest = Carrying._after

    def trusting(self: Carrying, step: Step, result: object) -> Step:
        after = honest(self, step, result)
        return self._ended(after, StepStatus.DONE, "") if isinstance(result, Sent) else after

    return patch.object(Carrying, "_after", trusting)


def sent_before_the_intent_landed() -> AbstractContextManager[Any]:
    """Effects go out with their intents, not after them."""

    def askable(self: Carrying, *, settling: bool) -> Iterator[Step]:
        for name, step in self._steps.items():
            if step.status is StepStatus.BEGUN and name not in self._calls:
                yield step

    return patch.object(Carrying, "_askable", askable)


def unconditional_effect_repeated() -> AbstractContextManager[Any]:
    """An unconditional effect without an answer is sent again at once."""
    return patch.object(Carrying, "_may_still_land", lambda self, step: False)


def unconditional_effect_sent_late() -> AbstractContextManager[Any]:
    """An unconditional effect is sent however little of its time is left."""

    def without_deadline(step: Step, kind: Kind, now: datetime) -> bool:
        return kind.unconditional_timeout_seconds is not None and step.deadline is None

    @contextmanager
    def late() -> Iterator[None]:
        with (
            patch.object(engine, "lands_late", lambda *facts: False),
            patch.object(carrying, "lands_late", without_deadline),
            patch.object(Tenure, "lasts", lambda self, seconds: self.seconds_since_commit <= 30.0),
        ):
            yield

    return late()


def canary_not_judged() -> AbstractContextManager[Any]:
    """A canary is well because it is there."""
    return patch.object(Judge, "_asked", lambda self, goal: Look(Verdict.AT_GOAL))


def others_do_not_wait_for_the_canary() -> AbstractContextManager[Any]:
    """Everything is begun at once."""

    def ready(steps: Any) -> list[Step]:
        return [step for step in steps.values() if step.status is StepStatus.PENDING]

    return patch.object(plans, "ready", ready)


def verified_on_old_points() -> AbstractContextManager[Any]:
    """What was counted before the last shift is counted too."""
    honest = verifying._health

    def old(case: Case, steps: Iterable[Step], since: Any) -> healths.Health:
        return honest(case, steps, since - timedelta(minutes=5))

    return patch.object(verifying, "_health", old)


def verified_without_a_look() -> AbstractContextManager[Any]:
    """Shifted is taken for well."""
    well = healths.Health(healths.Verdict.WELL, "surely")
    return patch.object(verifying, "_health", lambda case, steps, since: well)


def finished_without_the_joined_alerts() -> AbstractContextManager[Any]:
    """The end does not read what has joined."""

    @contextmanager
    def deaf() -> Iterator[None]:
        with (
            patch.object(case, "unjudged", lambda alerts: []),
            patch.object(ending, "unjudged", lambda alerts: []),
            patch.object(verifying, "unjudged", lambda alerts: []),
        ):
            yield

    return deaf()


def ended_and_due_again() -> AbstractContextManager[Any]:
    """No answer after the end makes an ended rollback due again."""
    return patch.object(work, "ENDED", frozenset())


def _without_gate(name: str) -> AbstractContextManager[Any]:
    def passes(asked: Any) -> GateAnswer:
        return GateAnswer(name, Answer.PASS, "not asked")

    kept = tuple(passes if gate.__name__ == name else gate for gate in gates.GATES)
    return patch.object(gates, "GATES", kept)


def cool_down_ignored() -> AbstractContextManager[Any]:
    """Automation goes back a second time."""
    return _without_gate("cool_down")


def budget_ignored() -> AbstractContextManager[Any]:
    """Automation goes back more often than the hour allows."""
    return _without_gate("budget")


def mode_ignored() -> AbstractContextManager[Any]:
    """Automation acts where nobody has promoted it."""
    return _without_gate("mode")


def cause_ignored() -> AbstractContextManager[Any]:
    """Automation goes back without a change to go back from."""
    return _without_gate("cause")


def budget_not_spent() -> AbstractContextManager[Any]:
    """A rollback is not counted."""
    return patch.object(deciding, "_spent", lambda *facts: ())


def slot_not_taken() -> AbstractContextManager[Any]:
    """A plan is begun without the system's slot."""
    honest = Case.take

    def take(self: Case, turn: Turn) -> bool:
        begins = turn.event == "rollback.decided"
        return honest(self, replace(turn, system=None) if begins else turn)

    return patch.object(Case, "take", take)


def slot_not_asked_for() -> AbstractContextManager[Any]:
    """A plan is begun though another has effects in flight."""

    @contextmanager
    def greedy() -> Iterator[None]:
        honest = Case.take

        def take(self: Case, turn: Turn) -> bool:
            if turn.event != "rollback.decided" or turn.system is None:
                return honest(self, turn)
            taken = turn.system
            return honest(
                self, replace(turn, system=lambda system: taken(replace(system, slot="")))
            )

        without = tuple(
            replace_gate if gate.__name__ == "active_rollback" else gate for gate in gates.GATES
        )
        orders = tuple(
            replace_gate if gate.__name__ == "active_rollback" else gate
            for gate in gates.ORDER_GATES
        )
        with (
            patch.object(Case, "take", take),
            patch.object(gates, "GATES", without),
            patch.object(gates, "ORDER_GATES", orders),
        ):
            yield

    def replace_gate(asked: Any) -> GateAnswer:
        return GateAnswer("active rollback", Answer.PASS, "not asked")

    return greedy()


def alerts_known_by_message_id() -> AbstractContextManager[Any]:
    """A repeated notification is another alert."""
    honest = Alerts._alert

    def named(self: Alerts, notification: Any, message: Message, *facts: Any) -> Alert:
        alert = honest(self, notification, message, *facts)
        return replace(alert, key=f"{message.id}:{alert.state}")

    return patch.object(Alerts, "_alert", named)


def remembered_before_commit() -> AbstractContextManager[Any]:
    """An instance takes for settled what it has only begun."""
    honest = Alerts._settle

    def hasty(self: Alerts, alert: Alert, policy: Any) -> None:
        self._remember(alert.key)
        honest(self, alert, policy)

    return patch.object(Alerts, "_settle", hasty)


def published_before_commit() -> AbstractContextManager[Any]:
    """Work is handed over before it is kept."""
    honest = Recording._opened

    def hasty(self: Recording, *facts: Any) -> Any:
        opening = honest(self, *facts)
        rollback = opening.rollback
        handover.publish(
            self._ports.bus, handover.ROLLBACK, rollback.id, rollback.due_at or rollback.created_at
        )
        return opening

    return patch.object(Recording, "_opened", hasty)


def notices_not_claimed() -> AbstractContextManager[Any]:
    """A notice is sent by whoever is handed it."""

    def send(self: Notices, notice: Notice, document: Document) -> None:
        attempt = replace(notice, attempts=notice.attempts + 1)
        ended = self._after(attempt, self._channel(notice))
        self._ports.store.commit([Update(document.path, encode(ended), document.version)])

    return patch.object(Notices, "_send", send)


def failed_notices_count_as_sent() -> AbstractContextManager[Any]:
    """A dead channel is believed."""
    honest = Notices._after

    def hopeful(self: Notices, notice: Notice, channel: Any) -> Notice:
        after = honest(self, notice, channel)
        return replace(after, due_at=None)

    return patch.object(Notices, "_after", hopeful)


def seal_skipped() -> AbstractContextManager[Any]:
    """What happens outside rollbacks stays loose."""
    return patch.object(sealing.Sealing, "seal", lambda self, now: None)


def nothing_swept() -> AbstractContextManager[Any]:
    """What was dropped on the way stays dropped."""
    return patch.object(clock.Clock, "sweep", lambda self, now: None)


def errors_swallowed() -> AbstractContextManager[Any]:
    """A failure is logged, and the message is acknowledged."""
    honest = World._delivered

    def swallowing(self: World, *facts: Any) -> bool:
        honest(self, *facts)
        return True

    return patch.object(World, "_delivered", swallowing)


def question_ignored() -> AbstractContextManager[Any]:
    """Nobody is needed to approve."""
    return patch.object(deciding, "people_needed", lambda policy, decision: 0)


def approval_of_another_plan() -> AbstractContextManager[Any]:
    """Who has approved something has approved everything."""

    def in_favour(rollback: Rollback, plan: str, needed: int) -> dict[str, str]:
        return {word.person: word.actor for word in rollback.approvals}

    return patch.object(deciding, "in_favour", in_favour)


def freeze_ignored() -> AbstractContextManager[Any]:
    """A window stops nothing that has begun."""
    return patch.object(controls, "frozen", lambda windows, now: None)


MUTANTS: tuple[Mutant, ...] = (
    no_fence,
    no_fence_on_intents,
    due_at_lost_on_wait,
    no_events_of_steps,
    no_precondition_on_the_effect,
    acknowledged_before_commit,
    lease_by_wall_clock,
    lease_never_ends,
    takeover_ignores_the_lease,
    copies_count_as_deaths,
    no_receipt,
    every_worker_on_its_own_time,
    kill_switch_read_once,
    kill_switch_ignored,
    unreadable_switch_means_go,
    own_document_not_asked,
    cancel_ignored,
    question_ignored,
    approval_of_another_plan,
    freeze_ignored,
    persons_change_overwritten,
    done_without_a_look,
    sent_before_the_intent_landed,
    unconditional_effect_repeated,
    unconditional_effect_sent_late,
    canary_not_judged,
    others_do_not_wait_for_the_canary,
    verified_on_old_points,
    verified_without_a_look,
    finished_without_the_joined_alerts,
    ended_and_due_again,
    cool_down_ignored,
    budget_ignored,
    mode_ignored,
    cause_ignored,
    budget_not_spent,
    slot_not_taken,
    slot_not_asked_for,
    alerts_known_by_message_id,
    remembered_before_commit,
    published_before_commit,
    notices_not_claimed,
    failed_notices_count_as_sent,
    seal_skipped,
    nothing_swept,
    errors_swallowed,
)


def caught(mutant: Mutant, seeds: Sequence[int]) -> tuple[int, str] | None:
    """The first of these seeds that tells the mutant from the product, and what it says."""
    for seed in seeds:
        with mutant():
            try:
                broken = run(seed).laws.broken
            except (RollbackError, ArithmeticError, LookupError, TypeError, ValueError) as fault:
                broken = [repr(fault)]
        if broken:
            return seed, broken[0]
    return None
