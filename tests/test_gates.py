from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.deployment import Deployment, Inventory, Live, Placement, Status
from shared.facts import AlertFact, Facts, changed
from shared.gate import Answer, Outcome
from shared.gates import GATES, Decision, approved, evaluate, evaluate_order
from shared.health import ProbeAnswer, Requests
from shared.policy import Gates, Mode, ScenarioName
from shared.system import Budget, Controls, Freeze, Pause, System
from shared.traffic import LATEST, Revision, Service, TrafficTarget
from tests.world import BOOKSHOP

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ONSET = NOW - timedelta(minutes=2)
CHANGED_AT = NOW - timedelta(minutes=10)
ILL, WELL = Requests(100, 80), Requests(100, 0)
PAUSE = Pause("somebody", NOW, "maintenance")


def live(function: str, serving: str, revisions: dict[str, tuple[datetime, bool]]) -> Live:
    name = f"projects/p/locations/l/services/{function.lower()}"
    traffic = (TrafficTarget(LATEST, 100),)
    return Live(
        function,
        Service(name, "etag", serving, serving, traffic, traffic, False, True),
        tuple(Revision(one, name, at, ready) for one, (at, ready) in revisions.items()),
    )


def inventory(changed: set[str], at: datetime = CHANGED_AT, ready: bool = True) -> Inventory:
    return {
        function: live(
            function,
            "new" if function in changed else "old",
            {
                "old": (NOW - timedelta(days=3), ready),
                "other": (NOW - timedelta(days=1), True),
                "new": (at, True),
            },
        )
        for function in BOOKSHOP.functions
    }


def deployment(name: str, status: Status, ago: timedelta, barrier: str = "") -> Deployment:
    placed = {
        function: Placement(function.lower(), (TrafficTarget("old", 100),), {"old": 100})
        for function in BOOKSHOP.functions
    }
    return Deployment(name, "bookshop", NOW - ago, status, placed, barrier=barrier)


STABLE = deployment("v1", Status.STABLE, timedelta(days=3))
ALERT = AlertFact("function_failure_rate", ONSET, NOW, NOW, None)
EVERYTHING = set(BOOKSHOP.functions)

BAD_RELEASE = Facts(
    alerts=(ALERT,),
    system=System("bookshop", mode=Mode.ACT, incident="INC", rollback="INC"),
    controls=Controls(),
    budget=Budget(),
    deployments=(STABLE,),
    inventory=inventory(EVERYTHING),
    requests=dict.fromkeys(BOOKSHOP.functions, ILL),
    probes={"shop": ProbeAnswer(True, 200)},
    other_incidents={},
)


def decide(facts: Facts, *, expired: bool = False, **policy: Any) -> Decision:
    deadline = NOW - timedelta(seconds=1) if expired else NOW + timedelta(minutes=1)
    return evaluate(facts, replace(BOOKSHOP, **policy), deadline, NOW, "INC")


def test_a_bad_release_with_nothing_against_it_is_rolled_back() -> None:
    """Every gate passes: go back to the stable deployment, over what changed."""
    decision = decide(BAD_RELEASE)

    assert decision.outcome is Outcome.ROLLBACK
    assert (decision.target, set(decision.scope)) == ("v1", EVERYTHING)
    assert len(decision.answers) == len(GATES)
    assert {answer.answer for answer in decision.answers} <= {Answer.PASS, Answer.NOT_APPLICABLE}


def facts(**changes: Any) -> Facts:
    return replace(BAD_RELEASE, **changes)


def system(**changes: Any) -> Facts:
    return facts(system=replace(BAD_RELEASE.system, **changes))


def alert(**changes: Any) -> Facts:
    return facts(alerts=(replace(ALERT, **changes),))


def ill(*several: set[str]) -> dict[str, Requests]:
    return {name: ILL for names in several for name in names}


def window(begins: timedelta, ends: timedelta) -> Freeze:
    return Freeze("somebody", NOW, "the sale", NOW + begins, NOW + ends)


MINUTE = timedelta(minutes=1)
LATE = BOOKSHOP.gates.stale_after
WINDOW = BOOKSHOP.gates.suspect_window
SECOND = timedelta(seconds=1)
QUIET = dict.fromkeys(BOOKSHOP.functions, WELL)
HALF, REST = set(sorted(EVERYTHING)[:4]), sorted(EVERYTHING)[4:]
HALF_OF_THE_REST, ONE_OF_THE_REST = set(REST[:2]), set(REST[:1])
CATALOGUE = set(BOOKSHOP.groups["catalogue"].functions)


@pytest.mark.parametrize(
    ("situation", "given", "outcome", "gate"),
    [
        ("published just in time", alert(published_at=NOW - LATE), Outcome.ROLLBACK, None),
        ("stale", alert(published_at=NOW - LATE - SECOND), Outcome.IGNORE, "stale"),
        ("nothing fails by any count", facts(requests=QUIET), Outcome.HOLD, "still true"),
        (
            "one probe fails, and an alert names the function",
            replace(
                alert(function="getBook"),
                requests=QUIET,
                probes={"book": ProbeAnswer(False, 500)},
            ),
            Outcome.ROLLBACK,
            None,
        ),
        ("metrics cannot be read", facts(requests=None), Outcome.HOLD, "still true"),
        ("observed only", system(mode=Mode.OBSERVE), Outcome.OBSERVE, "mode"),
        ("promoted to ask", system(mode=Mode.ASK), Outcome.ASK, "mode"),
        ("paused here", system(pause=PAUSE), Outcome.HOLD, "kill switch"),
        ("paused everywhere", facts(controls=Controls(PAUSE)), Outcome.HOLD, "kill switch"),
        ("kill switch unreadable", facts(controls=None), Outcome.HOLD, "kill switch"),
        ("frozen here", system(freezes=(window(-MINUTE, SECOND),)), Outcome.HOLD, "freeze"),
        (
            "frozen everywhere",
            facts(controls=Controls(freezes=(window(-MINUTE, SECOND),))),
            Outcome.HOLD,
            "freeze",
        ),
        (
            "frozen from now on",
            system(freezes=(window(0 * SECOND, SECOND),)),
            Outcome.HOLD,
            "freeze",
        ),
        (
            "frozen until now",
            system(freezes=(window(-MINUTE, 0 * SECOND),)),
            Outcome.ROLLBACK,
            None,
        ),
        ("frozen in a moment", system(freezes=(window(SECOND, MINUTE),)), Outcome.ROLLBACK, None),
        ("another rollback works", system(slot="INC-0"), Outcome.HOLD, "active rollback"),
        ("our own slot", system(slot="INC"), Outcome.ROLLBACK, None),
        ("cooling down", system(cool_down_until=NOW + SECOND), Outcome.ESCALATE, "cool-down"),
        ("cooled down", system(cool_down_until=NOW), Outcome.ROLLBACK, None),
        (
            "two automatic ones in the hour",
            facts(budget=Budget((NOW - SECOND, NOW - SECOND))),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "three automatic ones in the hour",
            facts(budget=Budget((NOW - SECOND,) * 3)),
            Outcome.ESCALATE,
            "budget",
        ),
        (
            "three, one of them an hour ago",
            facts(budget=Budget((NOW - timedelta(hours=1), NOW - SECOND, NOW - SECOND))),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "another system fails at the same time",
            facts(other_incidents={"other": ONSET}),
            Outcome.ESCALATE,
            "external cause",
        ),
        (
            "another system failed five minutes before",
            facts(other_incidents={"other": ONSET - 5 * MINUTE}),
            Outcome.ESCALATE,
            "external cause",
        ),
        (
            "another system failed earlier than that",
            facts(other_incidents={"other": ONSET - 5 * MINUTE - SECOND}),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "another system has failed for hours",
            facts(other_incidents={"other": ONSET - timedelta(hours=2)}),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "unchanged functions fail alike",
            facts(inventory=inventory(CATALOGUE)),
            Outcome.ESCALATE,
            "external cause",
        ),
        (
            "only the changed group fails",
            facts(
                inventory=inventory(CATALOGUE),
                requests={**QUIET, **dict.fromkeys(CATALOGUE, ILL)},
            ),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "unchanged functions fail half as often",  # 2 of 4, where all 4 changed ones do
            facts(inventory=inventory(HALF), requests={**QUIET, **ill(HALF, HALF_OF_THE_REST)}),
            Outcome.ESCALATE,
            "external cause",
        ),
        (
            "unchanged functions fail less often",
            facts(inventory=inventory(HALF), requests={**QUIET, **ill(HALF, ONE_OF_THE_REST)}),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "what was recorded cannot be read",
            facts(records={"v1": None}),
            Outcome.HOLD,
            "restorable",
        ),
        ("what is live cannot be read", facts(inventory=None), Outcome.HOLD, "cause"),
        ("nothing changed", facts(inventory=inventory(set())), Outcome.ESCALATE, "cause"),
        (
            "changed at the onset",
            facts(inventory=inventory(EVERYTHING, ONSET)),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "changed after the onset",
            facts(inventory=inventory(EVERYTHING, ONSET + SECOND)),
            Outcome.ESCALATE,
            "cause",
        ),
        (
            "changed at the edge of the window",
            facts(inventory=inventory(EVERYTHING, ONSET - WINDOW)),
            Outcome.ROLLBACK,
            None,
        ),
        (
            "changed before the window",
            facts(inventory=inventory(EVERYTHING, ONSET - WINDOW - SECOND)),
            Outcome.ESCALATE,
            "cause",
        ),
        (
            "what fails was not changed",
            facts(
                inventory=inventory({"getBook"}),
                requests={**QUIET, "payOrder": ILL},
            ),
            Outcome.ESCALATE,
            "external cause",
        ),
        (
            "a barrier between",
            facts(
                deployments=(
                    deployment("v2", Status.LIVE, timedelta(minutes=10), "migrated"),
                    STABLE,
                )
            ),
            Outcome.ASK,
            "barrier",
        ),
        ("no stable deployment", facts(deployments=()), Outcome.ESCALATE, "target"),
        (
            "only a bad one",
            facts(deployments=(deployment("v1", Status.BAD, timedelta(days=3)),)),
            Outcome.ESCALATE,
            "target",
        ),
        (
            "the old revision does not start",
            facts(inventory=inventory(EVERYTHING, ready=False)),
            Outcome.ESCALATE,
            "restorable",
        ),
    ],
)
def test_each_gate(situation: str, given: Facts, outcome: Outcome, gate: str | None) -> None:
    """Barely true, barely false, and unknown."""
    decision = decide(given)

    assert (situation, decision.outcome) == (situation, outcome)
    if gate is not None:
        assert decision.reason.startswith(f"{gate}: ")


@pytest.mark.parametrize(
    "given",
    [facts(requests=None), facts(controls=None), system(slot="INC-0"), facts(inventory=None)],
)
def test_what_holds_escalates_when_the_time_to_decide_is_over(given: Facts) -> None:
    """Unknown and hindered wait for their deadline, then for a person."""
    assert decide(given).outcome is Outcome.HOLD
    assert decide(given, expired=True).outcome is Outcome.ESCALATE


def test_few_requests_say_nothing() -> None:
    """Thin data is inconclusive, not bad."""
    few = BOOKSHOP.gates.minimum_requests - 1

    held = decide(facts(requests=dict.fromkeys(EVERYTHING, Requests(few, few))))
    enough = decide(facts(requests=dict.fromkeys(EVERYTHING, Requests(few + 1, few + 1))))

    assert (held.outcome, enough.outcome) == (Outcome.HOLD, Outcome.ROLLBACK)


@pytest.mark.parametrize(("limit", "outcome"), [(8, Outcome.ROLLBACK), (7, Outcome.ASK)])
def test_blast_radius(limit: int, outcome: Outcome) -> None:
    """A plan as large as the limit passes, a larger one asks."""
    gates = replace(BOOKSHOP.gates, blast_radius=limit)

    assert decide(BAD_RELEASE, gates=gates).outcome is outcome


def test_a_scenario_can_always_ask() -> None:
    """Where the policy says so, a person approves."""
    gates = replace(BOOKSHOP.gates, approvals=(ScenarioName.FUNCTIONS,))

    decision = decide(BAD_RELEASE, gates=gates)

    assert decision.outcome is Outcome.ASK
    assert decision.reason.startswith("approval: ")


@pytest.mark.parametrize(
    ("scenario", "people"),
    [
        (ScenarioName.DATABASE, "database asks two people"),
        (ScenarioName.AUTH, "not required"),  # its settings are asked about by themselves
        (ScenarioName.FEATURE, "not required"),
        (ScenarioName.FUNCTIONS, "not required"),
    ],
)
def test_data_asks_two_people_where_no_policy_speaks(scenario: ScenarioName, people: str) -> None:
    """What overwrites data is never one person's word by default."""
    signal = replace(BOOKSHOP.signals[ALERT.signal], scenario=scenario)

    decision = decide(
        BAD_RELEASE,
        signals={ALERT.signal: signal},
        scenarios={scenario: Mode.ACT},
        gates=Gates(),
    )

    [approval] = [one for one in decision.answers if one.gate == "approval"]
    assert approval.reason == people
    assert (approval.answer is Answer.STOP) is (people != "not required")


def order(given: Facts, *, override: bool = False, **gates: Any) -> Decision:
    policy = replace(BOOKSHOP, gates=replace(BOOKSHOP.gates, **gates))
    deadline = NOW + timedelta(minutes=1)
    change = changed(given, policy)
    return evaluate_order(given, policy, change, deadline, NOW, "INC", override=override)


FROZEN = system(freezes=(window(-MINUTE, MINUTE),))
BARRED = facts(
    deployments=(deployment("v2", Status.LIVE, timedelta(minutes=10), "migrated"), STABLE)
)
ASKS = {"approvals": (ScenarioName.FUNCTIONS,)}
FOUR_EYES = {"four_eyes": (ScenarioName.FUNCTIONS,)}


@pytest.mark.parametrize(
    ("given", "gates", "ordered", "overridden", "skipped"),
    [
        (BAD_RELEASE, {}, Outcome.ROLLBACK, Outcome.ROLLBACK, []),
        (facts(budget=Budget((NOW,) * 3)), {}, Outcome.ROLLBACK, Outcome.ROLLBACK, ["budget"]),
        (FROZEN, {}, Outcome.HOLD, Outcome.ROLLBACK, ["freeze"]),
        (BARRED, {}, Outcome.ASK, Outcome.ROLLBACK, ["barrier"]),
        (BAD_RELEASE, ASKS, Outcome.ASK, Outcome.ROLLBACK, ["approval"]),
        (BAD_RELEASE, {"blast_radius": 7}, Outcome.ASK, Outcome.ROLLBACK, ["blast radius"]),
        (BAD_RELEASE, {"blast_radius": 8}, Outcome.ROLLBACK, Outcome.ROLLBACK, []),
        (BAD_RELEASE, FOUR_EYES, Outcome.ASK, Outcome.ROLLBACK, ["approval"]),
        (FROZEN, ASKS, Outcome.HOLD, Outcome.ROLLBACK, ["freeze", "approval"]),
        (system(pause=PAUSE), {}, Outcome.HOLD, Outcome.HOLD, []),
        (facts(controls=None), {}, Outcome.HOLD, Outcome.HOLD, ["freeze"]),
        (system(slot="INC-0"), {}, Outcome.HOLD, Outcome.HOLD, []),
        (facts(deployments=()), {}, Outcome.ESCALATE, Outcome.ESCALATE, []),
        (
            facts(inventory=inventory(EVERYTHING, ready=False)),
            *({}, Outcome.ESCALATE, Outcome.ESCALATE, []),
        ),
        (facts(inventory=None), {}, Outcome.HOLD, Outcome.HOLD, []),
    ],
)
def test_what_an_order_and_what_an_override_may_skip(
    given: Facts,
    gates: dict[str, Any],
    ordered: Outcome,
    overridden: Outcome,
    skipped: list[str],
) -> None:
    """Break-glass skips approval, freeze and budget; never switch, slot, target or restorable.

    What it skips is told, and nothing else.
    """
    forced = order(given, override=True, **gates)

    assert order(given, **gates).outcome is ordered
    assert order(given, **gates).overridden == ()
    assert forced.outcome is overridden
    assert [one.gate for one in forced.overridden] == skipped


def test_an_approved_decision_passes_what_asked_and_nothing_else() -> None:
    """People answer questions; a stop stays a stop."""
    asks = decide(system(mode=Mode.ASK))
    stops = decide(system(mode=Mode.ASK, cool_down_until=NOW + SECOND))

    assert approved(asks, ["alice"]).outcome is Outcome.ROLLBACK
    assert "approved by alice" in str(approved(asks, ["alice"]).answers)
    assert approved(stops, ["alice"]).outcome is Outcome.ESCALATE


def test_a_stop_outranks_a_question_and_what_is_unknown() -> None:
    """A person is not asked about what must not be done anyway."""
    given = system(mode=Mode.ASK, cool_down_until=NOW + SECOND)

    assert decide(given).outcome is Outcome.ESCALATE
    assert decide(replace(given, requests=None)).outcome is Outcome.ESCALATE


def test_the_severest_alert_says_what_is_at_stake() -> None:
    """Of several signals the worst one decides scenario and mode."""
    mild = replace(ALERT, signal="slow_response")

    decision = decide(facts(alerts=(mild, ALERT)))

    assert decision.scenario is ScenarioName.FUNCTIONS
    assert decide(facts(alerts=(mild,))).outcome is Outcome.OBSERVE


def served(revision: str, *, at: datetime = CHANGED_AT, pinned: bool = False) -> Inventory:
    """Everything serves one revision, by its name or because it is the newest."""
    traffic = (TrafficTarget(revision if pinned else LATEST, 100),)
    return {
        function: replace(found, service=replace(found.service, traffic=traffic))
        for function, found in inventory(EVERYTHING, at).items()
    }


def placed(name: str, status: Status, ago: timedelta, revision: str) -> Deployment:
    """A deployment in which everything serves one revision."""
    known = deployment(name, status, ago)
    return replace(
        known,
        functions={
            function: replace(one, revisions={revision: 100})
            for function, one in known.functions.items()
        },
    )


MOVED = served("new", at=NOW - timedelta(days=1), pinned=True)
"""By hand, at a moment that only records of deployments tell."""


@pytest.mark.parametrize(
    ("situation", "records", "outcome"),
    [
        ("no record shows it yet", (), Outcome.HOLD),
        ("seen before the onset", (timedelta(minutes=5),), Outcome.ROLLBACK),
        ("seen at the onset", (NOW - ONSET,), Outcome.ROLLBACK),
        ("seen only after it", (NOW - ONSET - SECOND,), Outcome.HOLD),
    ],
)
def test_traffic_that_somebody_moved(
    situation: str, records: tuple[timedelta, ...], outcome: Outcome
) -> None:
    """What counts is when traffic moved, not when its revision was made; not known is unknown."""
    seen = tuple(placed("v2", Status.LIVE, ago, "new") for ago in records)

    decision = decide(facts(inventory=MOVED, deployments=(*seen, STABLE)))

    assert (situation, decision.outcome) == (situation, outcome)


def test_traffic_that_was_moved_after_the_onset_is_no_cause() -> None:
    """A record from after the onset that shows something else is the proof."""
    after, before = NOW - ONSET - SECOND, timedelta(minutes=1)
    records = (placed("v3", Status.LIVE, before, "new"), placed("v2", Status.LIVE, after, "other"))

    decision = decide(facts(inventory=MOVED, deployments=(*records, STABLE)))

    assert decision.outcome is Outcome.ESCALATE
    assert decision.reason.startswith("cause: no change")


HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("situation", "deployments", "outcome", "target"),
    [
        ("the only stable one", (STABLE,), Outcome.ROLLBACK, "v1"),
        (
            "two bad ones since",
            (
                placed("v3", Status.LIVE, 10 * MINUTE, "new"),
                placed("v2", Status.BAD, HOUR, "other"),
                STABLE,
            ),
            Outcome.ROLLBACK,
            "v1",
        ),
        (
            "the bad one was called stable before its first alert",
            (placed("v2", Status.STABLE, 10 * MINUTE, "new"), STABLE),
            Outcome.ASK,
            "v1",
        ),
        (
            "the newest stable one is young, and changed what fails",
            (placed("v2", Status.STABLE, HOUR, "other"), STABLE),
            Outcome.ASK,
            "v2",
        ),
        (
            "the newest stable one is just old enough",
            (placed("v2", Status.STABLE, NOW - ONSET + WINDOW + SECOND, "other"), STABLE),
            Outcome.ROLLBACK,
            "v2",
        ),
        (
            "a young stable one that changed nothing",
            (placed("v2", Status.STABLE, HOUR, "old"), STABLE),
            Outcome.ROLLBACK,
            "v2",
        ),
        (
            "a young baseline, and nothing before it",
            (deployment("v1", Status.STABLE, HOUR),),
            Outcome.ROLLBACK,
            "v1",
        ),
        (
            "two stable ones of the same moment",
            (STABLE, replace(placed("v0", Status.STABLE, DAY, "other"), at=STABLE.at)),
            Outcome.ASK,
            "v1",
        ),
        (
            "an untested one between, for long",
            (placed("v2", Status.LIVE, DAY, "other"), STABLE),
            Outcome.ASK,
            "v1",
        ),
        (
            "an untested one between, that is a suspect itself",
            (placed("v2", Status.LIVE, HOUR, "other"), STABLE),
            Outcome.ROLLBACK,
            "v1",
        ),
        (
            "a barrier two deployments ago",
            (
                placed("v3", Status.LIVE, 10 * MINUTE, "new"),
                replace(placed("v2", Status.BAD, HOUR, "other"), barrier="migrated"),
                STABLE,
            ),
            Outcome.ASK,
            "v1",
        ),
        (
            "a roll-out that goes on counts at once",
            (placed("v2", Status.ROLLING_OUT, 3 * MINUTE, "new"), STABLE),
            Outcome.ROLLBACK,
            "v1",
        ),
    ],
)
def test_where_to_go_back_to(
    situation: str, deployments: tuple[Deployment, ...], outcome: Outcome, target: str
) -> None:
    """The last stable one before the suspect; where another might be meant, a person is asked."""
    decision = decide(facts(deployments=deployments))

    assert (situation, decision.outcome, decision.target) == (situation, outcome, target)


@pytest.mark.parametrize(
    ("situation", "still_open", "closed", "outcome"),
    [
        ("no answer", None, False, Outcome.HOLD),
        ("open", True, False, Outcome.HOLD),
        ("open again after a notification of its end", True, True, Outcome.HOLD),
        ("closed", False, False, Outcome.IGNORE),
        ("no answer after a notification of its end", None, True, Outcome.IGNORE),
    ],
)
def test_an_alert_that_nothing_else_confirms(
    situation: str, still_open: bool | None, closed: bool, outcome: Outcome
) -> None:
    """Only CLOSED stops: an API that does not answer is no answer."""
    quiet = replace(alert(still_open=still_open, closed=closed), requests=QUIET)

    assert (situation, decide(quiet).outcome) == (situation, outcome)
    assert decide(replace(quiet, requests=BAD_RELEASE.requests)).outcome is Outcome.ROLLBACK


def test_the_onset_of_a_function_is_that_of_its_own_alerts() -> None:
    """What was changed after another function's trouble began may still explain its own."""
    late = replace(ALERT, function="getBook", started_at=CHANGED_AT)
    early = replace(ALERT, function="payOrder", started_at=CHANGED_AT - MINUTE)
    given = facts(
        alerts=(early, late),
        inventory=inventory({"getBook"}),
        requests={**QUIET, "getBook": ILL},
    )

    assert decide(given).outcome is Outcome.ROLLBACK
    assert decide(replace(given, alerts=(early, replace(late, function=None)))).outcome is (
        Outcome.ROLLBACK
    )
    assert decide(replace(given, alerts=(early,))).outcome is Outcome.ESCALATE


@pytest.mark.parametrize(
    ("until", "outcome", "scope"),
    [
        (NOW + SECOND, Outcome.ROLLBACK, EVERYTHING - {"getBook"}),
        (NOW, Outcome.ROLLBACK, EVERYTHING),
    ],
)
def test_a_function_in_a_persons_hands(until: datetime, outcome: Outcome, scope: set[str]) -> None:
    """Automation leaves it out, and says so; an order is its person's own word."""
    given = system(suspended={"getBook": until})

    decision = decide(given)

    assert (decision.outcome, set(decision.scope)) == (outcome, scope)
    assert set(decision.change.left) == EVERYTHING - scope
    assert set(order(given).scope) == EVERYTHING


def test_all_that_fails_is_in_a_persons_hands() -> None:
    """Then nothing is done, and they are told what was prepared."""
    given = replace(system(suspended={"getBook": NOW + SECOND}), requests={**QUIET, "getBook": ILL})

    decision = decide(given)

    assert decision.outcome is Outcome.ESCALATE
    assert decision.reason.startswith("human first: ")
