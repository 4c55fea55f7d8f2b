"""May we act? Every reason not to, asked in a fixed order, each answer kept with its facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from shared.facts import Change, Facts, changed, unrestorable, worst_signal
from shared.health import failing
from shared.policy import Mode, Policy, ScenarioName, Severity, Signal
from shared.system import frozen

ALIKE = 0.5
"""Unchanged functions fail "alike" when their failing share is at least this part of the changed
ones' share: then what changed is not what separates the ill from the well."""
AT_ONCE = timedelta(minutes=5)
"""Incidents of two systems this close together point at something that they share."""


class Answer(StrEnum):
    """What one gate says."""

    PASS = "pass"  # noqa: S105 - an answer, no password
    STOP = "stop"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not applicable"


class Outcome(StrEnum):
    """What becomes of an incident."""

    ROLLBACK = "rollback"
    ASK = "ask"
    HOLD = "hold"
    OBSERVE = "observe"
    IGNORE = "ignore"
    ESCALATE = "escalate"


class GateAnswer(Struct, frozen=True):
    """One gate's answer, as the trail keeps it."""

    gate: str
    answer: Answer
    reason: str
    leads_to: Outcome = Outcome.ROLLBACK
    """What a stop of this gate means."""


class Decision(Struct, frozen=True):
    """What to do, why, and what every gate answered."""

    outcome: Outcome
    reason: str
    scenario: ScenarioName
    target: str
    scope: tuple[str, ...]
    answers: tuple[GateAnswer, ...]


def evaluate(
    facts: Facts, policy: Policy, deadline: datetime, now: datetime, rollback: str
) -> Decision:
    """The decision for one incident at this moment.

    A stop decides, the first in order. Without one, what is unknown holds until the deadline, then
    escalates; only then is a person asked, where anything asks.
    """
    signal = worst_signal(facts, policy)
    change = changed(facts, policy)
    case = _Case(facts, policy, signal, change, now, rollback)
    answers = tuple(gate(case) for gate in GATES)
    outcome, reason = _concluded(answers, expired=now >= deadline)
    return Decision(
        outcome=outcome,
        reason=reason,
        scenario=signal.scenario,
        target=change.target.id if change.target else "",
        scope=tuple(sorted(change.functions)),
        answers=answers,
    )


def evaluate_order(
    facts: Facts,
    policy: Policy,
    change: Change,
    deadline: datetime,
    now: datetime,
    rollback: str,
    *,
    override: bool = False,
) -> Decision:
    """The decision for what a person ordered: they answer for the cause, the rest is asked.

    `override` leaves only what no person may skip.
    """
    ordered = Signal(Severity.CRITICAL, ScenarioName.FUNCTIONS, Mode.ACT)
    case = _Case(facts, policy, ordered, change, now, rollback, ordered=True)
    gates = OVERRIDE_GATES if override else ORDER_GATES
    answers = tuple(gate(case) for gate in gates)
    outcome, reason = _concluded(answers, expired=now >= deadline)
    if outcome is Outcome.ROLLBACK and not change.functions:
        outcome, reason = _nothing_to_shift(change)
    return Decision(
        outcome=outcome,
        reason=reason,
        scenario=ScenarioName.FUNCTIONS,
        target=change.target.id if change.target else "",
        scope=tuple(sorted(change.functions)),
        answers=answers,
    )


def approved(decision: Decision, people: Iterable[str]) -> Decision:
    """The decision once enough people want its plan: what has asked them passes."""
    by = ", ".join(people)
    answers = tuple(
        GateAnswer(one.gate, Answer.PASS, f"{one.reason}; approved by {by}")
        if one.answer is Answer.STOP and one.leads_to is Outcome.ASK
        else one
        for one in decision.answers
    )
    outcome, reason = _concluded(answers, expired=False)
    return replace(decision, outcome=outcome, reason=reason, answers=answers)


def _nothing_to_shift(change: Change) -> tuple[Outcome, str]:
    """What becomes of an order that differs in nothing that can be shifted."""
    lost = [*change.created, *change.deleted]
    if lost:
        return Outcome.ESCALATE, f"no traffic can bring back {', '.join(lost)}"
    return Outcome.IGNORE, "everything asked for is at its target already"


def _concluded(answers: tuple[GateAnswer, ...], *, expired: bool) -> tuple[Outcome, str]:
    stops = [one for one in answers if one.answer is Answer.STOP]
    for stop in stops:
        if stop.leads_to is Outcome.HOLD and expired:
            return (
                Outcome.ESCALATE,
                f"{stop.gate}: {stop.reason}, until the time to decide was over",
            )
        if stop.leads_to is not Outcome.ASK:
            return stop.leads_to, f"{stop.gate}: {stop.reason}"
    for one in answers:
        if one.answer is Answer.UNKNOWN:
            waited = ", until the time to decide was over" if expired else ""
            outcome = Outcome.ESCALATE if expired else Outcome.HOLD
            return outcome, f"{one.gate}: {one.reason}{waited}"
    if stops:
        return Outcome.ASK, f"{stops[0].gate}: {stops[0].reason}"
    return Outcome.ROLLBACK, "every gate passes"


class _Case(Struct, frozen=True):
    """What a gate looks at."""

    facts: Facts
    policy: Policy
    signal: Signal
    change: Change
    now: datetime
    rollback: str
    ordered: bool = False

    @property
    def onset(self) -> datetime:
        return min(alert.started_at for alert in self.facts.alerts)

    @property
    def failing(self) -> set[str]:
        """Functions that fail by the routers' count, or that an alert names."""
        named = {alert.function for alert in self.facts.alerts if alert.function}
        return named | failing(self.facts.requests or {}, self.policy.gates)


def _answer(
    gate: str, answer: Answer, reason: str, leads_to: Outcome = Outcome.ROLLBACK
) -> GateAnswer:
    return GateAnswer(gate, answer, reason, leads_to)


def known_system(case: _Case) -> GateAnswer:
    """An alert without a system never becomes an incident: what is here is known."""
    return _answer("known system", Answer.PASS, case.policy.system)


def stale(case: _Case) -> GateAnswer:
    """Old news: published long before it reached us."""
    ages = [alert.received_at - alert.published_at for alert in case.facts.alerts]
    youngest = min(ages)
    if youngest > case.policy.gates.stale_after:
        return _answer("stale", Answer.STOP, f"received {youngest} late", Outcome.IGNORE)
    return _answer(
        "stale", Answer.PASS, f"received {youngest.total_seconds():.0f} s after it was sent"
    )


def still_true(case: _Case) -> GateAnswer:
    """A second source must agree: routers or a probe. One passing probe stops nothing.

    Closed alerts stop only where no other source sees trouble either.
    """
    bad = sorted(name for name, answer in case.facts.probes.items() if not answer.passed)
    counted = failing(case.facts.requests or {}, case.policy.gates)
    if bad or counted:
        seen = f"{len(counted)} functions fail by the routers' count, {len(bad)} probes fail"
        return _answer("still true", Answer.PASS, seen)
    if case.facts.requests is None:
        return _answer("still true", Answer.UNKNOWN, "the metrics could not be read")
    if all(alert.closed for alert in case.facts.alerts):
        reason = "every alert has closed, and neither routers nor probes see anything"
        return _answer("still true", Answer.STOP, reason, Outcome.IGNORE)
    return _answer("still true", Answer.UNKNOWN, "neither routers nor probes see it (yet)")


def mode(case: _Case) -> GateAnswer:
    """The strictest of signal, scenario and what a person promoted this system to."""
    strictest = min(
        case.signal.mode,
        case.policy.scenarios.get(case.signal.scenario, Mode.OBSERVE),
        case.facts.system.mode,
    )
    reason = (
        f"signal {case.signal.mode.name}, scenario "
        f"{case.policy.scenarios.get(case.signal.scenario, Mode.OBSERVE).name}, "
        f"system {case.facts.system.mode.name}"
    ).lower()
    if case.signal.scenario is ScenarioName.NONE or strictest is Mode.OBSERVE:
        return _answer("mode", Answer.STOP, reason, Outcome.OBSERVE)
    if strictest is Mode.ASK:
        return _answer("mode", Answer.STOP, reason, Outcome.ASK)
    return _answer("mode", Answer.PASS, reason)


def kill_switch(case: _Case) -> GateAnswer:
    """A person stopped automation, here or everywhere; unreadable means stopped."""
    if case.facts.controls is None:
        return _answer("kill switch", Answer.STOP, "could not be read", Outcome.HOLD)
    pause = case.facts.controls.pause or case.facts.system.pause
    if pause:
        reason = str(pause)
        return _answer("kill switch", Answer.STOP, reason, Outcome.HOLD)
    return _answer("kill switch", Answer.PASS, "not set")


def freeze(case: _Case) -> GateAnswer:
    """A window in which nothing changes: automation leaves it to a person, an order waits."""
    if case.facts.controls is None:
        return _answer("freeze", Answer.STOP, "could not be read", Outcome.HOLD)
    windows = (*case.facts.controls.freezes, *case.facts.system.freezes)
    window = frozen(windows, case.now)
    if window is None:
        return _answer("freeze", Answer.PASS, "none now")
    leads_to = Outcome.HOLD if case.ordered else Outcome.ESCALATE
    return _answer("freeze", Answer.STOP, str(window), leads_to)


def active_rollback(case: _Case) -> GateAnswer:
    """At most one rollback of a system has effects in flight."""
    slot = case.facts.system.slot
    if slot and slot != case.rollback:
        return _answer("active rollback", Answer.STOP, f"{slot} is under way", Outcome.HOLD)
    return _answer("active rollback", Answer.PASS, "none")


def cool_down(case: _Case) -> GateAnswer:
    """Never twice backwards: after one automatic step back, a person decides."""
    until = case.facts.system.cool_down_until
    if until and case.now < until:
        reason = f"rolled back or called off lately, cooling down until {until:%H:%M} UTC"
        return _answer("cool-down", Answer.STOP, reason, Outcome.ESCALATE)
    return _answer("cool-down", Answer.PASS, "no rollback lately")


def budget(case: _Case) -> GateAnswer:
    """So many automatic rollbacks an hour over all systems."""
    hour_ago = case.now - timedelta(hours=1)
    used = sum(start > hour_ago for start in case.facts.budget.starts)
    allowed = case.policy.gates.automatic_per_hour
    reason = f"{used} of {allowed} automatic rollbacks used in the last hour"
    if used >= allowed:
        return _answer("budget", Answer.STOP, reason, Outcome.ESCALATE)
    return _answer("budget", Answer.PASS, reason)


def external_cause(case: _Case) -> GateAnswer:
    """What fails alike without having been changed is not cured by going back."""
    near = [
        name for name, at in case.facts.other_incidents.items() if abs(at - case.onset) <= AT_ONCE
    ]
    if near:
        reason = f"other systems fail at once: {', '.join(sorted(near))}"
        return _answer("external cause", Answer.STOP, reason, Outcome.ESCALATE)
    unchanged = set(case.policy.functions) - set(case.change.functions)
    if not unchanged or not case.change.functions:
        return _answer("external cause", Answer.NOT_APPLICABLE, "nothing to compare with")
    ill = case.failing
    ill_unchanged = len(ill & unchanged) / len(unchanged)
    ill_changed = len(ill & set(case.change.functions)) / len(case.change.functions)
    reason = (
        f"{ill_unchanged:.0%} of the unchanged functions fail, {ill_changed:.0%} of the changed"
    )
    if ill_unchanged and ill_unchanged >= ALIKE * ill_changed:
        return _answer("external cause", Answer.STOP, reason, Outcome.ESCALATE)
    return _answer("external cause", Answer.PASS, reason)


def cause(case: _Case) -> GateAnswer:
    """A tracked change must precede the trouble and touch what fails."""
    if case.facts.inventory is None:
        return _answer("cause", Answer.UNKNOWN, "what is live could not be read")
    if case.change.target is None:
        return _answer("cause", Answer.NOT_APPLICABLE, "nothing stable to compare with")
    if not case.change.functions:
        reason = f"nothing changed since {case.change.target.id}"
        return _answer("cause", Answer.STOP, reason, Outcome.ESCALATE)
    window = case.policy.gates.suspect_window
    suspects = {
        function
        for function, at in case.change.functions.items()
        if at <= case.onset <= at + window
    }
    if not suspects:
        reason = f"no change in the {window} before {case.onset:%H:%M:%S}"
        return _answer("cause", Answer.STOP, reason, Outcome.ESCALATE)
    if not case.failing:
        return _answer("cause", Answer.UNKNOWN, "what fails is not known yet")
    touched = suspects & case.failing
    if not touched:
        reason = f"none of the {len(case.failing)} failing functions was changed"
        return _answer("cause", Answer.STOP, reason, Outcome.ESCALATE)
    reason = (
        f"{len(touched)} of {len(suspects)} functions changed before {case.onset:%H:%M:%S} fail"
    )
    return _answer("cause", Answer.PASS, reason)


def barrier(case: _Case) -> GateAnswer:
    """Some deployments cannot be gone back past without thought."""
    barred = [f"{one.id} ({one.barrier})" for one in case.change.skipped if one.barrier]
    if barred:
        return _answer("barrier", Answer.STOP, ", ".join(barred), Outcome.ASK)
    return _answer("barrier", Answer.PASS, "none between")


def target(case: _Case) -> GateAnswer:
    """A deployment that was stable, and is not known to be bad."""
    if case.change.target is None:
        return _answer("target", Answer.STOP, "no stable deployment is known", Outcome.ESCALATE)
    return _answer("target", Answer.PASS, case.change.target.id)


def restorable(case: _Case) -> GateAnswer:
    """Each revision to go back to exists and is ready."""
    if case.facts.inventory is None:
        return _answer("restorable", Answer.UNKNOWN, "what is live could not be read")
    if case.change.target is None:
        return _answer("restorable", Answer.NOT_APPLICABLE, "nothing to restore")
    lost = sorted(unrestorable(case.change, case.facts.inventory))
    if lost:
        reason = f"{len(lost)} functions have lost their revision: {', '.join(lost[:5])}"
        return _answer("restorable", Answer.STOP, reason, Outcome.ESCALATE)
    return _answer("restorable", Answer.PASS, f"{len(case.change.functions)} functions")


def blast_radius(case: _Case) -> GateAnswer:
    """A plan that touches very much asks first, where the policy says so."""
    limit, size = case.policy.gates.blast_radius, len(case.change.functions)
    if limit is None:
        return _answer("blast radius", Answer.NOT_APPLICABLE, "the policy sets no limit")
    if size > limit:
        return _answer("blast radius", Answer.STOP, f"{size} of at most {limit}", Outcome.ASK)
    return _answer("blast radius", Answer.PASS, f"{size} of at most {limit}")


def approval(case: _Case) -> GateAnswer:
    """Some scenarios always ask, some of them two people."""
    scenario, gates = case.signal.scenario, case.policy.gates
    if scenario in gates.four_eyes:
        reason = f"{scenario} asks two people"
        return _answer("approval", Answer.STOP, reason, Outcome.ASK)
    if scenario in gates.approvals:
        return _answer("approval", Answer.STOP, f"{scenario} asks", Outcome.ASK)
    return _answer("approval", Answer.PASS, "not required")


GATES: tuple[Callable[[_Case], GateAnswer], ...] = (
    known_system,
    stale,
    still_true,
    mode,
    kill_switch,
    freeze,
    active_rollback,
    budget,
    cool_down,
    external_cause,
    cause,
    barrier,
    target,
    restorable,
    blast_radius,
    approval,
)
"""In the order in which they are asked."""

OVERRIDE_GATES = (known_system, kill_switch, active_rollback, target, restorable)
"""What nobody may skip."""

ORDER_GATES = (
    *(known_system, kill_switch, freeze, active_rollback, barrier, target, restorable),
    *(blast_radius, approval),
)
"""What a person's order does not answer by itself."""
