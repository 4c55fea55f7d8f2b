"""What automation would have done about past incidents under a policy."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.decision.backtest import (
    UNKNOWN,
    PastIncident,
    advise_threshold,
    backtest_incident,
    evaluate_again,
    summarize,
)
from shared.domain.decision.decision_snapshot import DecisionSnapshot, pack_facts
from shared.domain.decision.facts import DecisionFacts
from shared.domain.decision.gate_evaluation import evaluate_incident, require_approval
from shared.domain.decision.gates.base import GateResult, Outcome
from shared.domain.incidents.incident import Incident, IncidentMark, IncidentStatus, TimelineEvent
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import SHARE_SIGNAL, Signal
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import (
    ApprovalAnswer,
    Direction,
    Rollback,
    RollbackRequest,
    RollbackStatus,
)
from shared.domain.signals.health import RouterRequests
from shared.domain.signals.probe_history import SLOWDOWN_SIGNAL
from tests.support.decision.gate_facts import BAD_RELEASE, NOW, change_alert, change_facts, change_system
from tests.support.runtime.world import BOOKSHOP

MINUTE = timedelta(minutes=1)
INCIDENT = Incident(
    id="INC-20260302-001",
    system="bookshop",
    severity=Severity.CRITICAL,
    signal="function_failure_rate",
    status=IncidentStatus.RESOLVED,
    onset_at=NOW,
    detected_at=NOW,
    timeline=[TimelineEvent(IncidentStatus.DETECTED, NOW, "detected")],
)
ROLLBACK = Rollback(
    id=INCIDENT.id,
    incident=INCIDENT.id,
    system="bookshop",
    status=RollbackStatus.NOT_TAKEN,
    created_at=NOW,
    due_at=None,
)
ORDER = RollbackRequest("command", "ada", "it is broken")
ANSWER = ApprovalAnswer("ada", NOW, "plan", "go", "command", "ada")
CAREFUL = replace(BOOKSHOP, gates=replace(BOOKSHOP.gates, approvals=(ScenarioName.FUNCTIONS,)))
"""A person approves every rollback of functions."""


def snapshot(facts: DecisionFacts, policy: Policy = BOOKSHOP, *, asks: str = "") -> DecisionSnapshot:
    """The decision of a policy, as a worker stores it; `asks`: why its plan requires approval."""
    decision = evaluate_incident(facts, policy, NOW + MINUTE, NOW, ROLLBACK.id)
    decision = require_approval(decision, asks) if asks else decision
    size, packed = len(decision.scope), pack_facts(facts)
    return DecisionSnapshot(
        ROLLBACK.id, NOW, NOW + MINUTE, False, decision.outcome, size, decision.answers, packed
    )


def backtest(policy: Policy, *snapshots: DecisionSnapshot) -> PastIncident:
    """The backtest of an incident with one rollback."""
    return backtest_incident(INCIDENT, [ROLLBACK], snapshots, policy)


def test_the_same_policy_would_do_the_same() -> None:
    """Nothing is reported as changed."""
    found = backtest(BOOKSHOP, snapshot(BAD_RELEASE))

    assert found.automation_did == found.would_do == "rollback of 8 functions"
    assert (found.changed_gates, found.people, found.mark) == ("", "nothing", "unmarked")


@pytest.mark.parametrize(
    ("stored", "policy", "would_do", "gates"),
    [
        (BAD_RELEASE, CAREFUL, "ask", "approval: pass → stop"),
        (change_system(mode=Mode.ASK), BOOKSHOP, "rollback of 8 functions", "mode: stop → pass"),
        (change_system(mode=Mode.OBSERVE), BOOKSHOP, "rollback of 8 functions", "mode: stop → pass"),
        (
            change_system(wrong_signals={"INC": ("function_failure_rate",)}),
            BOOKSHOP,
            "rollback of 8 functions",
            "mode: stop → pass",
        ),
        (BAD_RELEASE, replace(BOOKSHOP, scenarios={}), "warn", "mode: pass → stop"),
        (change_facts(requests=None), BOOKSHOP, "nothing", ""),
        (BAD_RELEASE, replace(BOOKSHOP, signals={}), UNKNOWN, ""),
    ],
)
def test_another_policy_names_the_gate_that_answers_otherwise(
    stored: DecisionFacts, policy: Policy, would_do: str, gates: str
) -> None:
    """By the policy alone, as if the system were promoted to `act`."""
    found = backtest(policy, snapshot(stored))

    assert found.would_do == would_do
    assert found.changed_gates.startswith(gates)
    assert bool(found.changed_gates) is bool(gates)


def test_the_strongest_decision_counts() -> None:
    """A hold that another policy would not have held becomes its rollback."""
    signal = replace(BOOKSHOP.signals[INCIDENT.signal], threshold=0.9)
    tolerant = replace(BOOKSHOP, signals={**BOOKSHOP.signals, INCIDENT.signal: signal})
    held = snapshot(change_alert(function="getBook"), tolerant)
    ignored = snapshot(change_facts(requests=None))

    found = backtest(BOOKSHOP, ignored, held)

    assert held.outcome is Outcome.HOLD
    assert found.would_do == "rollback of 8 functions"


def test_what_a_plan_required_approval_for_requires_it_again() -> None:
    """The gates cannot know what lies beside the functions; the plan of that time did."""
    asked = snapshot(BAD_RELEASE, asks="rules change")

    again = evaluate_again(asked, BOOKSHOP)

    assert again is not None
    assert again.outcome is Outcome.ASK
    assert backtest(BOOKSHOP, asked).would_do == "ask"


def test_facts_that_were_left_out_are_no_decision() -> None:
    """An incident is not judged by a part of its decisions."""
    found = backtest(BOOKSHOP, replace(snapshot(BAD_RELEASE), facts=b""), snapshot(BAD_RELEASE))

    assert (found.automation_did, found.would_do) == ("rollback of 8 functions", UNKNOWN)
    assert summarize([found])["incidents_not_known"] == 1
    assert summarize([found])["automatic_rollbacks_unmarked"] == 0


@pytest.mark.parametrize(
    ("rollbacks", "people"),
    [
        ([ROLLBACK], "nothing"),
        ([replace(ROLLBACK, started_at=NOW)], "nothing"),
        ([replace(ROLLBACK, started_at=NOW, approvals=(ANSWER,))], "approved"),
        ([replace(ROLLBACK, rejected=ANSWER)], "rejected"),
        ([replace(ROLLBACK, parked_until=NOW, ended_at=NOW)], "did not answer"),
        ([replace(ROLLBACK, parked_until=NOW + MINUTE, ended_at=NOW)], "nothing"),
        ([replace(ROLLBACK, order=ORDER)], "nothing"),
        ([replace(ROLLBACK, order=ORDER, started_at=NOW)], "rolled back manually"),
        (
            [
                replace(ROLLBACK, started_at=NOW),
                replace(ROLLBACK, order=replace(ORDER, way=Direction.UNDO), started_at=NOW),
            ],
            "undid",
        ),
        (
            [replace(ROLLBACK, rejected=ANSWER), replace(ROLLBACK, order=ORDER, started_at=NOW)],
            "rejected, rolled back manually",
        ),
    ],
)
def test_what_people_did(rollbacks: list[Rollback], people: str) -> None:
    """Read off the rollbacks of the incident: what never began is not counted."""
    assert backtest_incident(INCIDENT, rollbacks, [], BOOKSHOP).people == people


def past(did: str, would_do: str, people: str = "nothing", mark: str = "unmarked") -> PastIncident:
    return PastIncident("INC", "error_rate", did, would_do, people, mark, "")


def figures(*incidents: PastIncident) -> dict[str, Any]:
    return {name: figure for name, figure in summarize(incidents).items() if figure}


def test_the_figures() -> None:
    """Rollbacks by their mark, manual ones that automation misses, and questions in vain."""
    assert figures(
        past("rollback of 3 functions", "rollback of 3 functions", mark="right"),
        past("rollback of 3 functions", "escalate", mark="wrong"),
        past("nothing", "rollback of 1 function", "rolled back manually"),
        past("nothing", "nothing", "rolled back manually"),
        past("ask", "ask", "rejected, rolled back manually"),
        past("ask", "rollback of 1 function", "did not answer", mark="wrong"),
        past("ask", "ask", "approved"),
        past("escalate", UNKNOWN, "rolled back manually"),
    ) == {
        "automatic_rollbacks_right": 1,
        "automatic_rollbacks_wrong": 1,
        "automatic_rollbacks_unmarked": 1,
        "precision": "too few to say (2 of 10 marks)",
        "recall": "too few to say (3 of 10 wanted rollbacks)",
        "median_seconds_from_detection_to_decision": "none",
        "wanted_rollbacks_that_automation_would_not_begin": 2,
        "requests_for_approval_in_vain": 2,
        "incidents_not_known": 1,
    }


@pytest.mark.parametrize(
    ("right", "wrong", "precision"),
    [
        (0, 0, "too few to say (0 of 10 marks)"),
        (9, 0, "too few to say (9 of 10 marks)"),
        (10, 0, "100 %, with 95 % confidence 72 % to 100 %"),
        (9, 1, "90 %, with 95 % confidence 60 % to 98 %"),
        (0, 10, "0 %, with 95 % confidence 0 % to 28 %"),
        (81, 19, "81 %, with 95 % confidence 72 % to 87 %"),
    ],
)
def test_the_precision_has_an_interval(right: int, wrong: int, precision: str) -> None:
    """The score interval of Wilson, from ten marks on."""
    did = ["right"] * right + ["wrong"] * wrong
    marked = [past("ask", "rollback of 1 function", mark=mark) for mark in did]

    assert summarize(marked)["precision"] == precision


SETTLED = (GateResult.PASS, GateResult.NOT_APPLICABLE)


def counted(**requests: RouterRequests) -> DecisionFacts:
    return change_facts(requests=requests)


@pytest.mark.parametrize(
    ("signal", "facts", "advice"),
    [
        (
            "function_failure_rate",
            [counted(getBook=RouterRequests(100, 63)), counted(getBook=RouterRequests(100, 40))],
            "this alert crossed 20 %; it reached 63 %: a threshold of 64 % would have held",
        ),
        (
            "function_failure_rate",
            [counted(getBook=RouterRequests(1000, 639))],
            "it reached 63 %: a threshold of 64 % would have held",
        ),
        (
            "function_failure_rate",
            [counted(getBook=RouterRequests(100, 100))],
            "it reached 100 %: no threshold would have held",
        ),
        (
            "function_failure_rate",
            [counted(getBook=RouterRequests(100, 5))],
            "the stored facts show no ratio above its threshold",
        ),
        (
            "function_failure_rate",
            [counted(getBook=RouterRequests(2, 2))],
            "the stored facts show no ratio above its threshold",
        ),
        (
            "function_failure_rate",
            [change_facts(requests=None)],
            "the stored facts show no ratio above its threshold",
        ),
        ("function_failure_rate", [], "the stored facts show no ratio above its threshold"),
        (
            "frontend_unavailable",
            [counted(getBook=RouterRequests(100, 63))],
            "it has no threshold that could be raised",
        ),
    ],
)
def test_the_threshold_that_would_have_held(signal: str, facts: Iterable[DecisionFacts], advice: str) -> None:
    """Above the highest ratio that a decision has read; where none was counted, that is said."""
    said = advise_threshold(signal, [snapshot(one) for one in facts], BOOKSHOP)

    assert said.startswith(f"{signal}: ")
    assert advice in said


def test_only_the_function_of_the_alert_is_measured() -> None:
    """Another function that fails more did not cross the threshold of this alert."""
    facts = change_alert(function="getBook")
    facts = replace(facts, requests={"getBook": RouterRequests(100, 55), "payOrder": RouterRequests(100, 90)})

    assert "it reached 55 %" in advise_threshold("function_failure_rate", [snapshot(facts)], BOOKSHOP)


@pytest.mark.parametrize(
    ("signal", "facts", "advice"),
    [
        (SHARE_SIGNAL, {"requests": {"getBook": RouterRequests(100, 90)}}, "it reached 100 %: no threshold"),
        (
            SHARE_SIGNAL,
            {"requests": {"getBook": RouterRequests(100, 90), "payOrder": RouterRequests(100, 5)}},
            "it reached 50 %: a threshold of 51 % would have held",
        ),
        (SHARE_SIGNAL, {"requests": {}}, "the stored facts show no ratio above its threshold"),
        (
            SLOWDOWN_SIGNAL,
            {"slowdowns": {"getBook": 0.1, "payOrder": 1.2, "listBooks": 3.0}},
            "it reached 120 %: a threshold of 121 % would have held",
        ),
    ],
)
def test_the_threshold_of_a_share_and_of_slowness(signal: str, facts: dict[str, Any], advice: str) -> None:
    """Of all functions with requests, those that fail; of how much slower the median is."""
    measured = Signal(Severity.HIGH, ScenarioName.FUNCTIONS, Mode.ACT, threshold=0.25)
    policy = replace(BOOKSHOP, signals={**BOOKSHOP.signals, signal: measured})

    assert advice in advise_threshold(signal, [snapshot(change_facts(**facts))], policy)


def test_every_gate_answers_and_the_time_to_the_decision_is_measured() -> None:
    """The strongest decision counts, and the first rollback ends the time."""
    held = snapshot(change_facts(requests=None))
    later = replace(snapshot(BAD_RELEASE), at=NOW + 2 * MINUTE)

    past_incident = backtest(BOOKSHOP, held, later)

    assert {answer.gate for answer in past_incident.gates} == {answer.gate for answer in later.answers}
    assert all(answer.answer in SETTLED for answer in past_incident.gates)
    assert past_incident.seconds_to_decision == 120.0
    assert summarize([past_incident])["median_seconds_from_detection_to_decision"] == 120
    assert backtest(BOOKSHOP, held).seconds_to_decision is None


@pytest.mark.parametrize(
    ("missed", "recall"),
    [
        (past("nothing", "ask", "rolled back manually"), "80 %, with 95 % confidence 49 % to 94 %"),
        (past("rollback of 1 function", "ask", mark="right"), "80 %, with 95 % confidence 49 % to 94 %"),
        (
            past("nothing", "ask", "rolled back manually", "wrong"),
            "too few to say (8 of 10 wanted rollbacks)",
        ),
        (past("ask", "ask", "approved"), "too few to say (8 of 10 wanted rollbacks)"),
    ],
)
def test_the_recall_counts_every_rollback_that_was_wanted(missed: PastIncident, recall: str) -> None:
    """By a mark as right, or by a manual rollback that nobody marked as wrong."""
    right = [past("nothing", "rollback of 1 function", mark="right")] * 8

    assert summarize([*right, missed, missed])["recall"] == recall


def test_the_mark_of_an_incident_is_shown() -> None:
    """As a person has set it."""
    marked = replace(INCIDENT, mark=IncidentMark("wrong", "ada", "noise"))

    assert backtest_incident(marked, [ROLLBACK], [], BOOKSHOP).mark == "wrong"
