"""What automation would have done about past incidents under a policy. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import sqrt

from msgspec.structs import replace

from shared.core.codec import FrozenStruct
from shared.core.text import count_noun
from shared.domain.decision.decision_snapshot import DecisionSnapshot, unpack_facts
from shared.domain.decision.gate_evaluation import APPROVAL_REQUIRED_GATE, evaluate_incident, require_approval
from shared.domain.decision.gates.base import Outcome
from shared.domain.incidents.incident import Incident
from shared.domain.policy.scenario_names import Mode
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import Direction, Rollback
from shared.domain.signals.health import failure_ratio

MIN_MARKS = 10
"""Fewer give no interval that is worth a decision."""
NORMAL_QUANTILE = 1.96
"""Of an interval of 95 %."""
RESPONSES = {
    Outcome.ROLLBACK: "rollback of ",
    Outcome.ASK: "ask",
    Outcome.ESCALATE: "escalate",
    Outcome.OBSERVE: "warn",
    Outcome.IGNORE: "nothing",
}
"""What automation does, in words; the strongest first."""
UNKNOWN = "not known: no facts are stored, or the policy has no such signal"
REJECTED, EXPIRED, ORDERED = "rejected", "did not answer", "rolled back manually"
FIGURES = (
    "automatic_rollbacks_right",
    "automatic_rollbacks_wrong",
    "automatic_rollbacks_unmarked",
    "manual_rollbacks_that_automation_would_not_begin",
    "requests_for_approval_in_vain",
    "incidents_not_known",
)


class PastIncident(FrozenStruct):
    """An incident, what automation did about it and would do, and what people did: in words."""

    incident: str
    signal: str
    automation_did: str
    would_do: str
    people: str
    mark: str
    changed_gates: str
    """Each gate that answers otherwise, where automation would do something else."""


def backtest_incident(
    incident: Incident, rollbacks: Iterable[Rollback], snapshots: Sequence[DecisionSnapshot], policy: Policy
) -> PastIncident:
    """Evaluate every decision about an incident again, in mode `act`; the strongest one counts."""
    again = [new for old in snapshots if (new := evaluate_again(old, policy)) is not None]
    actual, simulated = _describe_strongest(snapshots), _describe_strongest(again)
    if len(again) < len(snapshots):
        simulated = UNKNOWN
    is_changed = simulated not in (actual, UNKNOWN)
    pairs = zip(snapshots, again, strict=True) if is_changed else ()
    changes = dict.fromkeys(line for pair in pairs for line in _compare_answers(*pair))
    people = ", ".join(dict.fromkeys(_find_responses(rollbacks))) or "nothing"
    mark = incident.mark.verdict if incident.mark is not None else "unmarked"
    return PastIncident(incident.id, incident.signal, actual, simulated, people, mark, "; ".join(changes))


def evaluate_again(snapshot: DecisionSnapshot, policy: Policy) -> DecisionSnapshot | None:
    """Return the decision of this policy; None: no facts are stored, or it has no such signal.

    What the plan of that time required approval for requires it again.
    """
    facts = unpack_facts(snapshot.facts) if snapshot.facts else None
    if facts is None or any(alert.signal not in policy.signals for alert in facts.alerts):
        return None
    facts = replace(facts, system=replace(facts.system, mode=Mode.ACT, wrong_signals={}))
    at, deadline, asked = snapshot.at, snapshot.deadline, snapshot.asked
    decision = evaluate_incident(facts, policy, deadline, at, snapshot.rollback, asked=asked)
    for answer in snapshot.answers:
        if answer.gate == APPROVAL_REQUIRED_GATE and decision.outcome in (Outcome.ROLLBACK, Outcome.ASK):
            decision = require_approval(decision, answer.reason)
    size = len(decision.scope)
    return replace(snapshot, outcome=decision.outcome, functions=size, answers=decision.answers)


def summarize(incidents: Iterable[PastIncident]) -> dict[str, int | str]:
    """Return the figures of what automation would do, by their names."""
    counts = Counter(name for incident in incidents for name in _name_figures(incident))
    figures = {name: counts[name] for name in FIGURES}
    return {**figures, "precision": _describe_precision(counts[FIGURES[0]], counts[FIGURES[1]])}


def _name_figures(incident: PastIncident) -> Iterator[str]:
    """Yield the name of each of `FIGURES` that counts an incident."""
    if incident.would_do.startswith(Outcome.ROLLBACK):
        yield "automatic_rollbacks_" + incident.mark
    elif incident.would_do == UNKNOWN:
        yield "incidents_not_known"
    elif ORDERED in incident.people:
        yield "manual_rollbacks_that_automation_would_not_begin"
    if incident.automation_did == Outcome.ASK and (REJECTED in incident.people or EXPIRED in incident.people):
        yield "requests_for_approval_in_vain"


def _describe_precision(right: int, wrong: int) -> str:
    """Return the share of right rollbacks with its score interval (E. B. Wilson, 1927)."""
    marks = right + wrong
    if marks < MIN_MARKS:
        return f"too few to say ({marks} of {MIN_MARKS} marks)"
    share, square = right / marks, NORMAL_QUANTILE**2 / marks
    margin = sqrt(square * share * (1 - share) + square**2 / 4)
    low, high = ((share + square / 2 + side) / (1 + square) * 100 for side in (-margin, margin))
    return f"{share * 100:.0f} %, with 95 % confidence {low:.0f} % to {high:.0f} %"


def advise_threshold(signal: str, snapshots: Iterable[DecisionSnapshot], policy: Policy) -> str:
    """Return the threshold that would have held, by the highest failure ratio of the decisions."""
    threshold, least = policy.signals[signal].threshold, policy.gates.minimum_requests
    ratios = [
        failure_ratio(count)
        for facts in (unpack_facts(snapshot.facts) for snapshot in snapshots if snapshot.facts)
        for name, count in (facts.requests or {}).items()
        if count.total >= least and any(alert.function in (None, name) for alert in facts.alerts)
    ]
    highest = int(max(ratios, default=0.0) * 100)
    if signal != "function_failure_rate" or not highest or threshold is None:
        return f"{signal}: the stored counts tell of no threshold that would have held"
    holds = f"a threshold of {highest + 1} %" if highest < 100 else "no threshold"
    crossed = f"this alert crossed {threshold * 100:.0f} %; it reached {highest} %"
    return f"{signal}: {crossed}: {holds} would have held"


def _find_responses(rollbacks: Iterable[Rollback]) -> Iterator[str]:
    """Yield what people did by each rollback of an incident."""
    for rollback in rollbacks:
        until, ended_at = rollback.parked_until, rollback.ended_at
        if rollback.rejected is not None:
            yield REJECTED
        elif rollback.started_at is None:
            if until and ended_at and until <= ended_at:
                yield EXPIRED
        elif rollback.order is not None:
            yield "undid" if rollback.way is Direction.UNDO else ORDERED
        elif rollback.approvals:
            yield "approved"


def _describe_strongest(snapshots: Iterable[DecisionSnapshot]) -> str:
    """Return what automation does most of all, in words; a hold does nothing."""
    sizes = {snapshot.outcome: count_noun(snapshot.functions, "function") for snapshot in snapshots}
    outcome = next((outcome for outcome in RESPONSES if outcome in sizes), Outcome.IGNORE)
    return RESPONSES[outcome] + (sizes[outcome] if outcome is Outcome.ROLLBACK else "")


def _compare_answers(old: DecisionSnapshot, new: DecisionSnapshot) -> Iterator[str]:
    """Yield a line for each gate that answers otherwise."""
    stored = {answer.gate: (answer.answer, answer.leads_to) for answer in old.answers}
    for answer in new.answers:
        was, _ = earlier = stored.get(answer.gate, ("absent", ""))
        if earlier != (answer.answer, answer.leads_to):
            yield f"{answer.gate}: {was} → {answer.answer} ({answer.reason})"
