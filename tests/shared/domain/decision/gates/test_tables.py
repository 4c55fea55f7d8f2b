"""Every two gates that read a fact in common: barely true, barely false and unknown."""

from collections.abc import Iterable
from itertools import product

import pytest

from shared.domain.decision.gate_evaluation import evaluate_incident
from shared.domain.decision.gates.base import GateAnswer, Outcome
from tests.support.decision.gate_facts import NOW
from tests.support.decision.gate_levels import (
    LEVELS,
    ORDER,
    PASS,
    READS,
    SECOND,
    SETTLED,
    SHARING,
    SILENT,
    STOP,
    UNKNOWN,
    GateLevel,
    change_facts,
    changed_facts,
    compose_levels,
)


def both(first: GateLevel, second: GateLevel) -> set[str]:
    """The answers of two gates where both situations are given, each as the other one leaves it."""
    levels = ((first, second), (second, first))
    return {f"{one.gate} {SETTLED.get((str(by), str(one)), one.answer)}" for one, by in levels}


def concluded(answers: Iterable[GateAnswer], *, expired: bool) -> tuple[Outcome, str]:
    """A stop before what is unknown before a question, each in the order of the gates.

    What no second source confirms is a question when the time is over, or where people are asked
    for more than a doubtful cause; it holds before that, also where automation only observes or
    escalates. What else is unknown holds until then, and decides alone after it. What requests
    refute decides before all: it holds until then, and is ignored.
    """
    against = [one for one in answers if one.answer in (STOP, UNKNOWN)]
    for refuted in (one for one in against if one.answer is UNKNOWN and one.leads_to is Outcome.IGNORE):
        return Outcome.IGNORE if expired else Outcome.HOLD, refuted.gate
    stops = [answer for answer in against if answer.answer is STOP and answer.leads_to is Outcome.ASK]
    asks = expired or any(stop.gate not in ("cause", "external cause") for stop in stops)
    [*alone] = (one for one in against if one.answer is UNKNOWN and one.leads_to is Outcome.ASK)

    def rank(one: GateAnswer) -> tuple[int, int]:
        waits = one.answer is UNKNOWN and not (one in alone and asks)
        kind = 1 if waits else 2 if one.leads_to is Outcome.ASK else 0
        return kind, ORDER.index(one.gate)

    if not against:
        return Outcome.ROLLBACK, "every gate passes"
    first = min(against, key=rank)
    if first.leads_to in (Outcome.OBSERVE, Outcome.ESCALATE) and alone and not expired:
        return Outcome.HOLD, alone[0].gate
    leads_to = Outcome.HOLD if rank(first)[0] == 1 else first.leads_to
    held = leads_to is Outcome.HOLD and expired
    return Outcome.ESCALATE if held else leads_to, first.gate


def test_the_order_is_the_design_s() -> None:
    """Whether automation may act at all, what explains the trouble, where to, and who is asked."""
    assert [
        *("stale", "still true", "mode", "kill switch", "freeze"),
        *("active rollback", "budget", "cool-down", "external cause", "cause"),
        *("barrier", "target", "restorable", "human first", "approval"),
    ] == ORDER


@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_each_level_is_about_what_its_gate_reads(level: GateLevel) -> None:
    """Alone it makes its gate answer so, by facts that this gate looks at."""
    facts, policy = compose_levels(level)

    found = {one.gate: one.answer for one in evaluate_incident(facts, policy, NOW, NOW, "INC").answers}

    assert found[level.gate] is level.answer
    assert changed_facts(facts) <= READS[level.gate]


def test_each_gate_is_barely_true_barely_false_and_unknown() -> None:
    """As far as it can be: what is silent makes no other gate unknown than those below."""
    answers = {gate: {one.answer for one in LEVELS if one.gate == gate} for gate in ORDER}
    silent = [
        compose_levels(),
        *(compose_levels(GateLevel("", "", PASS, change_facts(**one))) for one in SILENT),
    ]
    unsure = {
        one.gate
        for facts, policy in silent
        for one in evaluate_incident(facts, policy, NOW, NOW, "INC").answers
        if one.answer is UNKNOWN
    }

    assert all({PASS, STOP} <= answers[gate] for gate in ORDER)
    assert {gate for gate in ORDER if UNKNOWN in answers[gate]} == unsure


@pytest.mark.parametrize("pair", SHARING, ids=" and ".join)
@pytest.mark.parametrize("expired", [False, True], ids=["in time", "expired"])
def test_each_two_gates_that_read_a_fact_in_common(pair: tuple[str, str], expired: bool) -> None:
    """Each answers as it does alone, but for what one settles of the other; the rule decides."""
    deadline = NOW - SECOND if expired else NOW + SECOND
    rows = [*product(*([one for one in LEVELS if one.gate == gate] for gate in pair))]
    assert len(rows) >= 4
    for first, second in rows:
        for order in ((first, second), (second, first)):
            decision = evaluate_incident(*compose_levels(*order), deadline, NOW, "INC")

            found = {f"{one.gate} {one.answer}" for one in decision.answers if one.gate in pair}
            decided = decision.outcome, decision.reason.partition(":")[0]
            assert found == both(first, second), f"{first} and {second}"
            assert decided == concluded(decision.answers, expired=expired), f"{first} and {second}"


def test_what_one_gate_settles_of_another_is_of_the_table() -> None:
    """Each row names two situations of two gates that read a fact in common."""
    known = {str(one): one.gate for one in LEVELS}
    pairs = {frozenset((known[by], known[of])) for by, of in SETTLED}

    assert pairs <= {frozenset(one) for one in SHARING}
