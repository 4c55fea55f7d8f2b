"""May we act? Every reason not to, asked in a fixed order, each answer kept with its facts."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from shared.domain.decision.facts import ChangeSet, DecisionFacts, worst_signal
from shared.domain.decision.gates.base import Gate, GateAnswer, GateInput, GateResult, Outcome
from shared.domain.decision.gates.registry import RequestKind, gates_for, overridable_gates
from shared.domain.decision.scenario_scope import restrict_to_failing, widen_scenario
from shared.domain.decision.target_selection import change_since_target
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import Signal
from shared.domain.policy.system_policy import Policy

CAUSE_GATES = frozenset({"cause", "external cause"})
"""What these ask about can wait until a second source confirms that anything fails."""
APPROVAL_REQUIRED_GATE = "asks first"
"""The answer that a plan adds: what nobody may bring back unasked, whatever the gates say."""


class Decision(Struct, frozen=True):
    """What to do, why, and what every gate answered."""

    outcome: Outcome
    reason: str
    scenario: ScenarioName
    target: str
    scope: tuple[str, ...]
    answers: tuple[GateAnswer, ...]
    change: ChangeSet
    """What would go back, over `scope` alone."""
    overridden: tuple[GateAnswer, ...] = ()
    """What would have held it up, had the person not overridden it."""


class Permission(Struct, frozen=True):
    """Whether what a person has ordered may be done now, why not, and what every gate answered."""

    outcome: Outcome
    reason: str
    answers: tuple[GateAnswer, ...]
    overridden: tuple[GateAnswer, ...] = ()


def evaluate_incident(
    facts: DecisionFacts,
    policy: Policy,
    deadline: datetime,
    now: datetime,
    rollback: str,
    *,
    asked: bool = False,
) -> Decision:
    """The decision for one incident at this moment.

    What requests refute is held until the deadline, then ignored. Else a stop decides, the first in
    order; to observe or to escalate waits for a second source until the deadline. Without one, what
    is unknown holds until the deadline, then escalates; only then is a person asked, where anything
    asks. What no second source confirms is asked about or observed at the deadline; at once if it
    was `asked`, or if people are asked for another reason than a doubtful cause.
    """
    signal = widen_scenario(worst_signal(facts, policy), facts, policy)
    released = change_since_target(facts, policy)
    change = restrict_to_failing(released, signal.scenario, facts, policy)
    case = GateInput(facts, policy, signal, change, now, rollback, released=released)
    answers = tuple(gate(case) for gate in gates_for(RequestKind.ALERT))
    return _build_decision(case, answers, *_conclude(answers, expired=now >= deadline, asked=asked))


def evaluate_request(
    facts: DecisionFacts,
    policy: Policy,
    change: ChangeSet,
    deadline: datetime,
    now: datetime,
    rollback: str,
    *,
    scenario: ScenarioName = ScenarioName.FUNCTIONS,
    override: bool = False,
) -> Decision:
    """Decide what a person ordered; `override` leaves only gates that no person may skip."""
    ordered = Signal(Severity.CRITICAL, scenario, Mode.ACT)
    case = GateInput(facts, policy, ordered, change, now, rollback, ordered=True)
    answers = tuple(gate(case) for gate in gates_for(RequestKind.MANUAL, override=override))
    outcome, reason = _conclude(answers, expired=now >= deadline)
    if outcome is Outcome.ROLLBACK and not change.functions and not case.other_parts:
        lost = [*change.created, *change.deleted]
        outcome, reason = Outcome.IGNORE, "everything asked for is at its target already"
        if lost:
            outcome, reason = Outcome.ESCALATE, f"no traffic can bring back {', '.join(lost)}"
    decision = _build_decision(case, answers, outcome, reason)
    if not override:
        return decision
    skipped = overridable_gates(RequestKind.ALERT | RequestKind.MANUAL)
    return replace(decision, overridden=_overridden_answers(case, skipped))


def evaluate_reversal(
    facts: DecisionFacts,
    policy: Policy,
    deadline: datetime,
    now: datetime,
    rollback: str,
    *,
    override: bool = False,
) -> Permission:
    """Whether a person may now take back what rollbacks have done, or bring documents back.

    Where to and of what is no question to a gate: that is what they found, or the newest.
    `override` skips freeze windows, as it does for any other order; what it skips is told.
    """
    ordered = Signal(Severity.LOW, ScenarioName.FUNCTIONS, Mode.ACT)
    case = GateInput(facts, policy, ordered, ChangeSet(None, {}), now, rollback, ordered=True, is_undo=True)
    answers = tuple(gate(case) for gate in gates_for(RequestKind.UNDO, override=override))
    outcome, reason = _conclude(answers, expired=now >= deadline)
    skipped = _overridden_answers(case, overridable_gates(RequestKind.UNDO)) if override else ()
    return Permission(outcome, reason, answers, skipped)


def require_approval(decision: Decision, reason: str) -> Decision:
    """The decision to go back, with a reason why people are asked first."""
    gate = GateAnswer(APPROVAL_REQUIRED_GATE, GateResult.STOP, reason, Outcome.ASK)
    asks = (decision.reason,) if decision.outcome is Outcome.ASK else ()
    reasons = "; ".join((*asks, str(gate)))
    return replace(decision, outcome=Outcome.ASK, reason=reasons, answers=(*decision.answers, gate))


def mark_approved(decision: Decision, people: Iterable[str]) -> Decision:
    """The decision once enough people want its plan: what has asked them passes."""
    by = ", ".join(people)
    answers = tuple(
        GateAnswer(one.gate, GateResult.PASS, f"{one.reason}; approved by {by}")
        if one.leads_to is Outcome.ASK
        else one
        for one in decision.answers
    )
    outcome, reason = _conclude(answers, expired=False)
    return replace(decision, outcome=outcome, reason=reason, answers=answers)


def is_confirmed(told: Mapping[str, Any]) -> bool:
    """Return whether a second source confirms it, none is needed, or the wait for one has ended."""
    open_answers = (GateResult.UNKNOWN, GateResult.STOP)
    is_over = told.get("outcome") == Outcome.OBSERVE  # only a warning is observed without waiting
    found = [one for one in told["gates"] if one["gate"] == "still true" and one["answer"] in open_answers]
    return all(is_over and one["leads_to"] == Outcome.ASK for one in found)


def _build_decision(
    case: GateInput, answers: tuple[GateAnswer, ...], outcome: Outcome, reason: str
) -> Decision:
    change = case.change
    return Decision(
        outcome=outcome,
        reason=reason,
        scenario=case.signal.scenario,
        target=change.target.id if change.target else "",
        scope=tuple(sorted(case.scope)),
        answers=answers,
        change=replace(
            change,
            functions={name: at for name, at in change.functions.items() if name in case.scope},
            passed_over=tuple(case.passed_over),
            left=tuple(sorted(case.manually_changed)),
        ),
    )


def _overridden_answers(case: GateInput, gates: Iterable[Gate]) -> tuple[GateAnswer, ...]:
    """What of these would have held up what a person has overridden."""
    answers = (gate(case) for gate in gates)
    return tuple(one for one in answers if one.answer in (GateResult.STOP, GateResult.UNKNOWN))


def _conclude(answers: tuple[GateAnswer, ...], *, expired: bool, asked: bool = False) -> tuple[Outcome, str]:
    stops = [one for one in answers if one.answer is GateResult.STOP]
    unknown = [one for one in answers if one.answer is GateResult.UNKNOWN]
    waiting = [one for one in unknown if one.leads_to is Outcome.ASK and not (expired or asked)]
    waited = ", until the time to decide was over" if expired else ""
    if refuted := [answer for answer in unknown if answer.leads_to is Outcome.IGNORE]:
        return (Outcome.IGNORE if expired else Outcome.HOLD), str(refuted[0])
    for stop in stops:
        if stop.leads_to is Outcome.HOLD and expired:
            return Outcome.ESCALATE, f"{stop}{waited}"
        if stop.leads_to in (Outcome.OBSERVE, Outcome.ESCALATE) and waiting:
            return Outcome.HOLD, "; ".join(map(str, waiting))
        if stop.leads_to is not Outcome.ASK:
            return stop.leads_to, str(stop)
    held = waiting if all(stop.gate in CAUSE_GATES for stop in stops) else []
    if holds := [answer for answer in unknown if answer.leads_to is not Outcome.ASK or answer in held]:
        return (Outcome.ESCALATE if expired else Outcome.HOLD), f"{'; '.join(map(str, holds))}{waited}"
    if asks := [str(one) for one in answers if one.leads_to is Outcome.ASK]:
        return Outcome.ASK, "; ".join(asks)
    return Outcome.ROLLBACK, "every gate passes"
