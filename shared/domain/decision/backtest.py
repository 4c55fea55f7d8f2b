"""What automation would have done about past incidents under a policy. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import sqrt
from statistics import median

from msgspec.structs import replace

from shared.core.codec import FrozenStruct
from shared.core.text import count_noun
from shared.domain.decision.decision_snapshot import DecisionSnapshot, unpack_facts
from shared.domain.decision.facts import DecisionFacts
from shared.domain.decision.gate_evaluation import APPROVAL_REQUIRED_GATE, evaluate_incident, require_approval
from shared.domain.decision.gates.base import GateAnswer, Outcome
from shared.domain.incidents.incident import RIGHT, WRONG, Incident
from shared.domain.policy.scenario_names import Mode
from shared.domain.policy.signals import FUNCTION_SIGNAL, SHARE_SIGNAL
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import Direction, Rollback
from shared.domain.signals.failure_evidence import function_level
from shared.domain.signals.health import failure_ratio
from shared.domain.signals.probe_history import DEFAULT_SLOWDOWN, SLOWDOWN_SIGNAL

MIN_INCIDENTS = 10
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
    "wanted_rollbacks_that_automation_would_not_begin",
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
    seconds_to_decision: float | None = None
    """From detection to the first decision of a rollback; None: none would begin."""
    gates: tuple[GateAnswer, ...] = ()
    """Every gate's answer in the decision that counts."""


def backtest_incident(
    incident: Incident, rollbacks: Iterable[Rollback], snapshots: Sequence[DecisionSnapshot], policy: Policy
) -> PastIncident:
    """Evaluate every decision about an incident again, in mode `act`; the strongest one counts."""
    decisions = [new for old in snapshots if (new := evaluate_again(old, policy)) is not None]
    actual, simulated = _describe_strongest(snapshots), _describe_strongest(decisions)
    if len(decisions) < len(snapshots):
        simulated, decisions = UNKNOWN, []
    is_changed = simulated not in (actual, UNKNOWN)
    pairs = zip(snapshots, decisions, strict=True) if is_changed else ()
    changes = dict.fromkeys(line for pair in pairs for line in _compare_answers(*pair))
    strongest = _find_strongest(decisions)
    begun_at = [decision.at for decision in decisions if decision.outcome is Outcome.ROLLBACK]
    return PastIncident(
        incident=incident.id,
        signal=incident.signal,
        automation_did=actual,
        would_do=simulated,
        people=", ".join(dict.fromkeys(_find_responses(rollbacks))) or "nothing",
        mark=incident.mark.verdict if incident.mark is not None else "unmarked",
        changed_gates="; ".join(changes),
        seconds_to_decision=(min(begun_at) - incident.detected_at).total_seconds() if begun_at else None,
        gates=strongest.answers if strongest else (),
    )


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


def summarize(incidents: Sequence[PastIncident]) -> dict[str, int | str]:
    """Return the figures of what automation would do, by their names."""
    counts = Counter(name for incident in incidents for name in _name_figures(incident))
    right, wrong = counts["automatic_rollbacks_right"], counts["automatic_rollbacks_wrong"]
    missed = counts["wanted_rollbacks_that_automation_would_not_begin"]
    seconds = [past.seconds_to_decision for past in incidents if past.seconds_to_decision is not None]
    return {
        **{name: counts[name] for name in FIGURES},
        "precision": _describe_share(right, wrong, "marks"),
        "recall": _describe_share(right, missed, "wanted rollbacks"),
        "median_seconds_from_detection_to_decision": round(median(seconds)) if seconds else "none",
    }


def _name_figures(incident: PastIncident) -> Iterator[str]:
    """Yield the name of each of `FIGURES` that counts an incident."""
    if incident.would_do.startswith(Outcome.ROLLBACK):
        yield "automatic_rollbacks_" + incident.mark
    elif incident.would_do == UNKNOWN:
        yield "incidents_not_known"
    elif incident.mark == RIGHT or (ORDERED in incident.people and incident.mark != WRONG):
        yield "wanted_rollbacks_that_automation_would_not_begin"
    if incident.automation_did == Outcome.ASK and (REJECTED in incident.people or EXPIRED in incident.people):
        yield "requests_for_approval_in_vain"


def _describe_share(right: int, others: int, unit: str) -> str:
    """Return `right` as a share of both, with its score interval (E. B. Wilson, 1927)."""
    total = right + others
    if total < MIN_INCIDENTS:
        return f"too few to say ({total} of {MIN_INCIDENTS} {unit})"
    share, square = right / total, NORMAL_QUANTILE**2 / total
    margin = sqrt(square * share * (1 - share) + square**2 / 4)
    low, high = ((share + square / 2 + side) / (1 + square) * 100 for side in (-margin, margin))
    return f"{share * 100:.0f} %, with 95 % confidence {low:.0f} % to {high:.0f} %"


def advise_threshold(signal: str, snapshots: Iterable[DecisionSnapshot], policy: Policy) -> str:
    """Return the threshold that would have held, by the highest ratio that was read."""
    threshold = policy.signals[signal].threshold or (DEFAULT_SLOWDOWN if signal == SLOWDOWN_SIGNAL else None)
    if threshold is None:
        return f"{signal}: it has no threshold that could be raised"
    stored = (unpack_facts(snapshot.facts) for snapshot in snapshots if snapshot.facts)
    ratios = [ratio for facts in stored for ratio in _measure_ratios(signal, facts, policy)]
    highest = int(max(ratios, default=0.0) * 100)
    if highest < threshold * 100:
        return f"{signal}: the stored facts show no ratio above its threshold"
    is_bounded = signal != SLOWDOWN_SIGNAL
    holds = "no threshold" if is_bounded and highest >= 100 else f"a threshold of {highest + 1} %"
    crossed = f"this alert crossed {threshold * 100:.0f} %; it reached {highest} %"
    return f"{signal}: {crossed}: {holds} would have held"


def _measure_ratios(signal: str, facts: DecisionFacts, policy: Policy) -> list[float]:
    """Return the ratios that a signal compares with its threshold, as far as the facts tell."""
    requests, least = facts.requests or {}, policy.gates.minimum_requests
    counted = {name: failure_ratio(count) for name, count in requests.items() if count.total >= least}
    if signal == SLOWDOWN_SIGNAL:
        return [median(facts.slowdowns.values())] if facts.slowdowns else []
    if signal == FUNCTION_SIGNAL:
        alerted = {alert.function for alert in facts.alerts}
        return [ratio for name, ratio in counted.items() if not alerted.isdisjoint({None, name})]
    ratios = [failure_ratio(count) for count in requests.values() if count.total]
    if signal == SHARE_SIGNAL and ratios:
        return [sum(ratio > function_level(policy) for ratio in ratios) / len(ratios)]
    return []


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


def _describe_strongest(snapshots: Sequence[DecisionSnapshot]) -> str:
    """Return what automation does most of all, in words; a hold does nothing."""
    strongest = _find_strongest(snapshots)
    if strongest is None or strongest.outcome is Outcome.HOLD:
        return RESPONSES[Outcome.IGNORE]
    size = count_noun(strongest.functions, "function") if strongest.outcome is Outcome.ROLLBACK else ""
    return RESPONSES[strongest.outcome] + size


def _find_strongest(snapshots: Sequence[DecisionSnapshot]) -> DecisionSnapshot | None:
    """Return the last decision with the strongest outcome; None without any."""
    order = [*RESPONSES, Outcome.HOLD]
    return min(reversed(snapshots), key=lambda snapshot: order.index(snapshot.outcome), default=None)


def _compare_answers(old: DecisionSnapshot, new: DecisionSnapshot) -> Iterator[str]:
    """Yield a line for each gate that answers otherwise."""
    stored = {answer.gate: (answer.answer, answer.leads_to) for answer in old.answers}
    for answer in new.answers:
        earlier = stored.get(answer.gate, ("absent", ""))
        if earlier != (answer.answer, answer.leads_to):
            yield f"{answer.gate}: {earlier[0]} → {answer.answer} ({answer.reason})"
