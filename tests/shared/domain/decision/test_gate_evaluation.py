from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.decision.facts import DecisionFacts
from shared.domain.decision.gate_evaluation import mark_approved, require_approval
from shared.domain.decision.gates.base import GateResult, Outcome
from shared.domain.decision.gates.registry import RequestKind, gates_for
from shared.domain.deployments.deployment import DeploymentStatus
from shared.domain.policy.gate_limits import Gates
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.signals.health import RouterRequests
from shared.domain.system_record import Budget, Controls
from tests.support.decision.gate_facts import (
    ALERT,
    BAD_RELEASE,
    CHANGED_AT,
    EVERYTHING,
    HALF,
    HALF_OF_THE_REST,
    ILL,
    LATE,
    MINUTE,
    NOW,
    ONE_OF_THE_REST,
    ONSET,
    PAUSE,
    QUIET,
    REST,
    SECOND,
    STABLE,
    WINDOW,
    build_deployment,
    build_freeze,
    build_inventory,
    change_alert,
    change_facts,
    change_system,
    decide,
    failing_requests,
)
from tests.support.runtime.world import BOOKSHOP


def test_a_bad_release_with_nothing_against_it_is_rolled_back() -> None:
    """Every gate passes: go back to the stable deployment, over what changed."""
    decision = decide(BAD_RELEASE)

    assert decision.outcome is Outcome.ROLLBACK
    assert (decision.target, set(decision.scope)) == ("v1", EVERYTHING)
    assert len(decision.answers) == len(gates_for(RequestKind.ALERT))
    assert {answer.answer for answer in decision.answers} <= {GateResult.PASS, GateResult.NOT_APPLICABLE}


CATALOGUE = set(BOOKSHOP.groups["catalogue"].functions)
BOOK_DOWN, BOOK_UNPROVEN = {"book": RouterRequests(6, 6)}, {"book": RouterRequests(5, 5)}
"""Answers of the probe of getBook: six failed ones in a row prove a failure, five do not."""
SHOP_DOWN = {"shop": RouterRequests(6, 6)}
"""Answers of the probe of the whole shop."""
SILENT = {name: count for name, count in QUIET.items() if name != "getBook"}
"""Every function works but getBook, which has no requests."""
UNCHANGED_FAIL = change_facts(
    alerts=tuple(replace(ALERT, function=name) for name in (min(HALF), *REST[:2])),
    inventory=build_inventory(HALF),
    requests=None,
)
"""Alerts of a changed function and of two that were not changed."""
BAD_FIRST = dict.fromkeys(EVERYTHING, ILL)


@pytest.mark.parametrize(
    ("situation", "given", "outcome", "gate"),
    [
        ("published just in time", change_alert(published_at=NOW - LATE), Outcome.ROLLBACK, None),
        ("stale", change_alert(published_at=NOW - LATE - SECOND), Outcome.IGNORE, "stale"),
        ("nothing fails by any count", change_facts(requests=QUIET), Outcome.HOLD, "still true"),
        (
            "answers of a probe prove that it fails, and an alert names the function",
            replace(change_alert(function="getBook"), requests=SILENT, probe_counts=BOOK_DOWN),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "an answer too few of the probe fails",
            replace(change_alert(function="getBook"), requests=SILENT, probe_counts=BOOK_UNPROVEN),
            Outcome.HOLD,
            "still true",
        ),
        (
            "the probe fails, and requests do not",
            replace(change_alert(function="getBook"), requests=QUIET, probe_counts=BOOK_DOWN),
            Outcome.HOLD,
            "cause",
        ),
        ("metrics cannot be read", change_facts(requests=None), Outcome.HOLD, "still true"),
        ("observed only", change_system(mode=Mode.OBSERVE), Outcome.OBSERVE, "mode"),
        ("promoted to ask", change_system(mode=Mode.ASK), Outcome.ASK, "mode"),
        ("paused here", change_system(pause=PAUSE), Outcome.HOLD, "kill switch"),
        ("paused everywhere", change_facts(controls=Controls(PAUSE)), Outcome.HOLD, "kill switch"),
        ("kill switch unreadable", change_facts(controls=None), Outcome.HOLD, "kill switch"),
        ("frozen here", change_system(freezes=(build_freeze(-MINUTE, SECOND),)), Outcome.HOLD, "freeze"),
        (
            "frozen everywhere",
            change_facts(controls=Controls(freezes=(build_freeze(-MINUTE, SECOND),))),
            Outcome.HOLD,
            "freeze",
        ),
        (
            "frozen from now on",
            change_system(freezes=(build_freeze(0 * SECOND, SECOND),)),
            Outcome.HOLD,
            "freeze",
        ),
        (
            "frozen until now",
            change_system(freezes=(build_freeze(-MINUTE, 0 * SECOND),)),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "frozen in a moment",
            change_system(freezes=(build_freeze(SECOND, MINUTE),)),
            Outcome.ROLLBACK,
            None,
        ),
        ("another rollback works", change_system(slot="INC-0"), Outcome.HOLD, "active rollback"),
        ("our own slot", change_system(slot="INC"), Outcome.ROLLBACK, None),
        ("cooling down", change_system(cool_down_until=NOW + SECOND), Outcome.ESCALATE, "cool-down"),
        ("cooled down", change_system(cool_down_until=NOW), Outcome.ROLLBACK, None),
        (
            "two automatic ones in the hour",
            change_facts(budget=Budget((NOW - SECOND, NOW - SECOND))),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "three automatic ones in the hour",
            change_facts(budget=Budget((NOW - SECOND,) * 3)),
            Outcome.ESCALATE,
            "budget",
        ),
        (
            "three, one of them an hour ago",
            change_facts(budget=Budget((NOW - timedelta(hours=1), NOW - SECOND, NOW - SECOND))),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "another system fails at the same time",
            change_facts(other_incidents={"other": ONSET}),
            Outcome.ESCALATE,
            "external cause",
        ),
        (
            "another system failed five minutes before",
            change_facts(other_incidents={"other": ONSET - 5 * MINUTE}),
            Outcome.ESCALATE,
            "external cause",
        ),
        (
            "another system failed earlier than that",
            change_facts(other_incidents={"other": ONSET - 5 * MINUTE - SECOND}),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "another system has failed for hours",
            change_facts(other_incidents={"other": ONSET - timedelta(hours=2)}),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "unchanged functions fail alike",
            change_facts(inventory=build_inventory(CATALOGUE)),
            Outcome.ESCALATE,
            "external cause",
        ),
        (
            "only the changed group fails",
            change_facts(
                inventory=build_inventory(CATALOGUE), requests={**QUIET, **dict.fromkeys(CATALOGUE, ILL)}
            ),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "unchanged functions fail half as often",  # 2 of 4, where all 4 changed ones do
            change_facts(
                inventory=build_inventory(HALF),
                requests={**QUIET, **failing_requests(HALF, HALF_OF_THE_REST)},
            ),
            Outcome.ESCALATE,
            "external cause",
        ),
        (
            "unchanged functions fail less often",
            change_facts(
                inventory=build_inventory(HALF), requests={**QUIET, **failing_requests(HALF, ONE_OF_THE_REST)}
            ),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "metrics cannot be read, a probe fails, and an alert names a changed function",
            replace(
                change_alert(function="getBook"),
                inventory=build_inventory(HALF),
                requests=None,
                probe_counts=BOOK_DOWN,
            ),
            Outcome.HOLD,
            "external cause",
        ),
        (
            "metrics cannot be read, a probe fails, and alerts name unchanged functions",
            replace(UNCHANGED_FAIL, probe_counts=SHOP_DOWN),
            Outcome.ESCALATE,
            "external cause",
        ),
        (
            "metrics cannot be read, and alerts alone name unchanged functions",
            UNCHANGED_FAIL,
            Outcome.HOLD,
            "still true",
        ),
        ("what was recorded cannot be read", change_facts(records={"v1": None}), Outcome.HOLD, "restorable"),
        ("what is live cannot be read", change_facts(inventory=None), Outcome.HOLD, "cause"),
        ("nothing changed", change_facts(inventory=build_inventory(set())), Outcome.ESCALATE, "cause"),
        (
            "changed at the onset",
            change_facts(inventory=build_inventory(EVERYTHING, ONSET)),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "changed after the onset",
            change_facts(inventory=build_inventory(EVERYTHING, ONSET + SECOND)),
            Outcome.ESCALATE,
            "cause",
        ),
        (
            "changed at the edge of the window, and failing from its first requests on",
            change_facts(inventory=build_inventory(EVERYTHING, ONSET - WINDOW), first_requests=BAD_FIRST),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "changed at the edge of the window, with first requests that worked",
            change_facts(inventory=build_inventory(EVERYTHING, ONSET - WINDOW), first_requests=QUIET),
            Outcome.ASK,
            "external cause",
        ),
        (
            "everything changed just now, and worked at first",
            change_facts(first_requests=QUIET),
            Outcome.ASK,
            "external cause",
        ),
        (
            "everything changed just now, worked for two minutes, and failed from then on",
            change_facts(
                first_requests=BAD_FIRST,
                release_minutes={CHANGED_AT + MINUTE: QUIET, CHANGED_AT + 2 * MINUTE: QUIET},
            ),
            Outcome.ASK,
            "external cause",
        ),
        (
            "everything changed just now, and two requests of one function worked at first",
            change_facts(release_minutes={CHANGED_AT + MINUTE: {"getBook": RouterRequests(2, 0)}}),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "everything changed just now, and three requests of one function worked at first",
            change_facts(release_minutes={CHANGED_AT + MINUTE: {"getBook": RouterRequests(3, 0)}}),
            Outcome.ASK,
            "external cause",
        ),
        (
            "everything changed just now, and failed in the minute before it, too",
            change_facts(
                first_requests=BAD_FIRST,
                release_minutes={CHANGED_AT - 2 * MINUTE: QUIET, CHANGED_AT - MINUTE: BAD_FIRST},
            ),
            Outcome.ASK,
            "external cause",
        ),
        (
            "everything changed just now, worked until then, and failed from then on",
            change_facts(
                first_requests=BAD_FIRST,
                release_minutes={CHANGED_AT - MINUTE: QUIET, CHANGED_AT + MINUTE: BAD_FIRST},
            ),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "changed ten minutes before the onset",
            change_facts(inventory=build_inventory(EVERYTHING, ONSET - 10 * MINUTE)),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "changed earlier than that, and nobody knows its first requests",
            change_facts(inventory=build_inventory(EVERYTHING, ONSET - 10 * MINUTE - SECOND)),
            Outcome.ASK,
            "external cause",
        ),
        (
            "changed earlier than that, and two of its first three requests failed",
            change_facts(
                inventory=build_inventory(EVERYTHING, ONSET - WINDOW),
                first_requests={"getBook": RouterRequests(3, 2)},
            ),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "changed earlier than that, and one of its first three requests failed",
            change_facts(
                inventory=build_inventory(EVERYTHING, ONSET - WINDOW),
                first_requests={"getBook": RouterRequests(3, 1)},
            ),
            Outcome.ASK,
            "external cause",
        ),
        (
            "changed before the window",
            change_facts(inventory=build_inventory(EVERYTHING, ONSET - WINDOW - SECOND)),
            Outcome.ESCALATE,
            "cause",
        ),
        (
            "what fails was not changed",
            change_facts(inventory=build_inventory({"getBook"}), requests={**QUIET, "payOrder": ILL}),
            Outcome.ESCALATE,
            "external cause",
        ),
        (
            "a barrier between",
            change_facts(
                deployments=(
                    build_deployment("v2", DeploymentStatus.LIVE, timedelta(minutes=10), "migrated"),
                    STABLE,
                )
            ),
            Outcome.ASK,
            "barrier",
        ),
        ("no stable deployment", change_facts(deployments=()), Outcome.ESCALATE, "target"),
        (
            "only a bad one",
            change_facts(deployments=(build_deployment("v1", DeploymentStatus.BAD, timedelta(days=3)),)),
            Outcome.ESCALATE,
            "target",
        ),
        (
            "the old revision does not start",
            change_facts(inventory=build_inventory(EVERYTHING, ready=False)),
            Outcome.ESCALATE,
            "restorable",
        ),
    ],
)
def test_each_gate(situation: str, given: DecisionFacts, outcome: Outcome, gate: str | None) -> None:
    """Barely true, barely false, and unknown."""
    decision = decide(given)

    assert (situation, decision.outcome) == (situation, outcome)
    if gate is not None:
        assert decision.reason.startswith(f"{gate}: ")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"revisions": ()}, "revision old is gone"),
        ({"ready": False}, "revision old is not ready"),
        ({"ready": False, "lost_image": True}, "the image of revision old is gone"),
    ],
)
def test_the_gate_names_the_revision_that_is_lost(changes: dict[str, Any], why: str) -> None:
    """Of each function: which one it is, and what is the matter with it."""
    live = build_inventory(EVERYTHING)
    one = live["payOrder"]
    seen = tuple(replace(it, **changes) for it in one.revisions if "revisions" not in changes)
    live["payOrder"] = replace(one, revisions=seen)

    decision = decide(change_facts(inventory=live))

    reason = f"1 function without the revision of then: payOrder: {why}"
    assert (decision.outcome, decision.reason) == (Outcome.ESCALATE, f"restorable: {reason}")


@pytest.mark.parametrize(
    "given",
    [
        change_facts(requests=None),
        change_facts(controls=None),
        change_system(slot="INC-0"),
        change_facts(inventory=None),
    ],
)
def test_what_holds_escalates_when_the_time_to_decide_is_over(given: DecisionFacts) -> None:
    """Unknown and hindered wait for their deadline, then for a person."""
    assert decide(given).outcome is Outcome.HOLD
    assert decide(given, expired=True).outcome is Outcome.ESCALATE


def test_few_requests_prove_nothing() -> None:
    """Thin data is inconclusive, not bad: three failures in a row can be chance, four are proof."""
    held = decide(change_facts(requests={**QUIET, "getBook": RouterRequests(3, 3)}))
    enough = decide(change_facts(requests={**QUIET, "getBook": RouterRequests(4, 4)}))

    assert (held.outcome, enough.outcome) == (Outcome.HOLD, Outcome.ROLLBACK)
    assert set(enough.scope) == {"getBook"}


def test_few_requests_of_each_function_prove_a_failure_together() -> None:
    """A single failure of half the functions is proof where the others have no requests."""
    held = decide(change_facts(requests=dict.fromkeys(REST[:3], RouterRequests(1, 1))))
    enough = decide(change_facts(requests=dict.fromkeys(REST, RouterRequests(1, 1))))

    assert (held.outcome, enough.outcome) == (Outcome.HOLD, Outcome.ROLLBACK)
    assert set(enough.scope) == EVERYTHING


def test_a_rollback_restores_what_fails_alone() -> None:
    """The release changed everything; what works of it stays."""
    decision = decide(change_facts(requests={**QUIET, **failing_requests(CATALOGUE)}))

    assert (decision.outcome, set(decision.scope)) == (Outcome.ROLLBACK, CATALOGUE)


def test_an_alert_that_requests_refute_ends_at_its_deadline() -> None:
    """Nobody is asked, whatever else speaks against a rollback; one request fewer is a question."""
    refuted = replace(change_alert(function="getBook"), requests={"getBook": RouterRequests(5, 1)})
    few = replace(refuted, requests={"getBook": RouterRequests(4, 0)})
    stopped = replace(refuted, system=change_system(mode=Mode.ASK, cool_down_until=NOW + SECOND).system)

    for given in (refuted, stopped):
        assert decide(given).outcome is Outcome.HOLD
        late = decide(given, expired=True)
        assert late.outcome is Outcome.IGNORE
        assert late.reason.startswith("still true: enough requests show that it fails less than its level")
    assert decide(few).outcome is Outcome.HOLD
    assert decide(few, expired=True).outcome is Outcome.ASK


def test_a_scenario_can_always_ask() -> None:
    """Where the policy says so, a person approves."""
    gates = replace(BOOKSHOP.gates, approvals=(ScenarioName.FUNCTIONS,))

    decision = decide(BAD_RELEASE, gates=gates)

    assert decision.outcome is Outcome.ASK
    assert decision.reason.startswith("approval: ")


def test_a_question_names_every_gate_that_asks() -> None:
    """Nobody approves a plan for one reason while another one is not shown."""
    gates = replace(BOOKSHOP.gates, approvals=(ScenarioName.FUNCTIONS,))

    decision = decide(change_system(mode=Mode.ASK), gates=gates)

    asking = [f"{one.gate}: {one.reason}" for one in decision.answers if one.leads_to is Outcome.ASK]
    assert [one.partition(":")[0] for one in asking] == ["mode", "approval"]
    assert decision.reason == "; ".join(asking)
    more = require_approval(decision, "access rules change")
    assert more.reason == f"{decision.reason}; asks first: access rules change"


@pytest.mark.parametrize("scenario", [one for one in ScenarioName if one is not ScenarioName.NONE])
def test_code_asks_nobody_where_no_policy_speaks(scenario: ScenarioName) -> None:
    """Rules, sign-in settings and documents ask two people; the functions wait for nobody."""
    signal = replace(BOOKSHOP.signals[ALERT.signal], scenario=scenario)

    decision = decide(
        BAD_RELEASE,
        signals={ALERT.signal: signal},
        scenarios={scenario: Mode.ACT},
        gates=Gates(),
        group_aliases={"authentication": ("storefront",)},
    )

    [approval] = [one for one in decision.answers if one.gate == "approval"]
    assert approval.answer is GateResult.PASS


def test_an_approved_decision_passes_what_asked_and_nothing_else() -> None:
    """People answer questions; a stop stays a stop."""
    asks = decide(change_system(mode=Mode.ASK))
    stops = decide(change_system(mode=Mode.ASK, cool_down_until=NOW + SECOND))

    assert mark_approved(asks, ["alice"]).outcome is Outcome.ROLLBACK
    assert "approved by alice" in str(mark_approved(asks, ["alice"]).answers)
    assert mark_approved(stops, ["alice"]).outcome is Outcome.ESCALATE


def test_a_stop_outranks_a_question_and_what_is_unknown() -> None:
    """Nobody is asked about what must not be done anyway, nor before a second source sees it."""
    given = change_system(mode=Mode.ASK, cool_down_until=NOW + SECOND)
    alone = replace(given, requests=None)

    assert decide(given).outcome is Outcome.ESCALATE
    assert decide(replace(alone, probe_counts=SHOP_DOWN)).outcome is Outcome.ESCALATE
    assert decide(alone).outcome is Outcome.HOLD
    assert decide(alone, expired=True).outcome is Outcome.ESCALATE
    assert decide(alone, expired=True).reason.startswith("cool-down: ")


def test_the_severest_alert_says_what_is_at_stake() -> None:
    """Of several signals the worst one decides scenario and mode."""
    mild = replace(ALERT, signal="slow_response")

    decision = decide(change_facts(alerts=(mild, ALERT)))

    assert decision.scenario is ScenarioName.FUNCTIONS
    assert decide(change_facts(alerts=(mild,))).outcome is Outcome.OBSERVE
    assert decide(change_facts(alerts=(mild,), requests=QUIET)).outcome is Outcome.OBSERVE


def test_what_one_source_sees_is_held_where_automation_only_observes() -> None:
    """It is no outage in public until a second source sees it, or the time to decide is over."""
    alone = replace(change_system(mode=Mode.OBSERVE), requests={})

    held, late, answered = decide(alone), decide(alone, expired=True), decide(alone, asked=True)

    assert (held.outcome, late.outcome, answered.outcome) == (Outcome.HOLD, Outcome.OBSERVE, Outcome.OBSERVE)
    assert held.reason.startswith("still true: no second source")
    assert decide(change_system(mode=Mode.OBSERVE)).outcome is Outcome.OBSERVE


def test_a_reason_names_the_gates_that_decide() -> None:
    """A missing second source alone would be a question: what else is unknown escalates."""
    silent = change_facts(requests=None, inventory=build_inventory(HALF))
    unseen = change_facts(requests={})

    held, late, asked = decide(silent), decide(silent, expired=True), decide(silent, asked=True)

    unread = "the metrics could not be read"
    unknown = f"external cause: {unread}; cause: {unread}; what fails is not known yet"
    assert held.reason == (
        "still true: no second source: 0 probes fail; request counts could not be read; "
        f"1 open alert of Cloud Monitoring; {unknown}"
    )
    assert (late.outcome, late.reason) == (Outcome.ESCALATE, f"{unknown}, until the time to decide was over")
    assert (asked.outcome, asked.reason) == (Outcome.HOLD, unknown)
    assert decide(unseen, expired=True).reason.startswith("cause: what fails is not known yet")
