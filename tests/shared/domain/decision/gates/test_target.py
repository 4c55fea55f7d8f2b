from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.domain.decision.gates.base import Outcome
from shared.domain.deployments.deployment import Deployment, DeploymentStatus, Inventory
from shared.domain.deployments.inventory.traffic import LATEST_REVISION, TrafficTarget
from shared.domain.signals.health import RouterRequests
from tests.support.decision.gate_facts import (
    ALERT,
    BAD_RELEASE,
    CHANGED_AT,
    EVERYTHING,
    HALF,
    ILL,
    MINUTE,
    NOW,
    ONSET,
    QUIET,
    REST,
    SECOND,
    STABLE,
    WINDOW,
    build_deployment,
    build_inventory,
    change_alert,
    change_facts,
    change_system,
    decide,
    decide_order,
)
from tests.support.runtime.world import BOOKSHOP


def served(revision: str, *, at: datetime = CHANGED_AT, pinned: bool = False) -> Inventory:
    """Everything serves one revision, by its name or because it is the newest."""
    traffic = (TrafficTarget(revision if pinned else LATEST_REVISION, 100),)
    return {
        function: replace(found, service=replace(found.service, traffic=traffic))
        for function, found in build_inventory(EVERYTHING, at).items()
    }


def placed(name: str, status: DeploymentStatus, ago: timedelta, revision: str) -> Deployment:
    """A deployment in which everything serves one revision."""
    known = build_deployment(name, status, ago)
    return replace(
        known,
        functions={
            function: replace(one, revisions={revision: 100}) for function, one in known.functions.items()
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
        ("seen ten minutes before it", (NOW - ONSET + 10 * MINUTE,), Outcome.ROLLBACK),
        ("seen earlier, and it may have worked", (NOW - ONSET + 10 * MINUTE + SECOND,), Outcome.ASK),
        ("seen only after it", (NOW - ONSET - SECOND,), Outcome.HOLD),
        ("seen too long before it", (NOW - ONSET + WINDOW + SECOND,), Outcome.ESCALATE),
    ],
)
def test_traffic_that_somebody_moved(
    situation: str, records: tuple[timedelta, ...], outcome: Outcome
) -> None:
    """What counts is when traffic moved, not when its revision was made; not known is unknown."""
    seen = tuple(placed("v2", DeploymentStatus.LIVE, ago, "new") for ago in records)

    decision = decide(change_facts(inventory=MOVED, deployments=(*seen, STABLE)))

    assert (situation, decision.outcome) == (situation, outcome)


@pytest.mark.parametrize(
    ("moved", "outcome"),
    [(30 * MINUTE, Outcome.ROLLBACK), (30 * MINUTE - SECOND, Outcome.ESCALATE), (None, Outcome.ESCALATE)],
)
def test_traffic_that_somebody_moved_after_a_step_back(moved: timedelta | None, outcome: Outcome) -> None:
    """What counts is when traffic moved: what began to serve after the step is no part of it."""
    until = NOW - 30 * MINUTE + BOOKSHOP.gates.cool_down
    given = change_system(cool_down_until=until, cool_down_target="v1")
    records = [] if moved is None else [placed("v2", DeploymentStatus.LIVE, moved, "new")]
    first = dict.fromkeys(EVERYTHING, ILL)
    given = replace(given, inventory=MOVED, deployments=(*records, STABLE), first_requests=first)

    decision = decide(given)

    assert decision.outcome is outcome


def test_traffic_that_was_moved_after_the_onset_is_no_cause() -> None:
    """A record from after the onset that shows something else is the proof."""
    after, before = NOW - ONSET - SECOND, timedelta(minutes=1)
    records = (
        placed("v3", DeploymentStatus.LIVE, before, "new"),
        placed("v2", DeploymentStatus.LIVE, after, "other"),
    )

    decision = decide(change_facts(inventory=MOVED, deployments=(*records, STABLE)))

    assert decision.outcome is Outcome.ESCALATE
    assert decision.reason.startswith("cause: the failure began at ")


HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("situation", "deployments", "outcome", "target"),
    [
        ("the only stable one", (STABLE,), Outcome.ROLLBACK, "v1"),
        (
            "two bad ones since",
            (
                placed("v3", DeploymentStatus.LIVE, 10 * MINUTE, "new"),
                placed("v2", DeploymentStatus.BAD, HOUR, "other"),
                STABLE,
            ),
            Outcome.ROLLBACK,
            "v1",
        ),
        (
            "the bad one was called stable before its first alert",
            (placed("v2", DeploymentStatus.STABLE, 10 * MINUTE, "new"), STABLE),
            Outcome.ASK,
            "v1",
        ),
        (
            "the newest stable one is young, and changed what fails",
            (placed("v2", DeploymentStatus.STABLE, HOUR, "other"), STABLE),
            Outcome.ASK,
            "v2",
        ),
        (
            "the young one has baked, and all that fails was changed after it",
            (replace(placed("v2", DeploymentStatus.STABLE, HOUR, "other"), baked_at=NOW - MINUTE), STABLE),
            Outcome.ROLLBACK,
            "v2",
        ),
        (
            "the newest stable one is just old enough",
            (placed("v2", DeploymentStatus.STABLE, NOW - ONSET + WINDOW + SECOND, "other"), STABLE),
            Outcome.ROLLBACK,
            "v2",
        ),
        (
            "a young stable one that changed nothing",
            (placed("v2", DeploymentStatus.STABLE, HOUR, "old"), STABLE),
            Outcome.ROLLBACK,
            "v2",
        ),
        (
            "a young baseline, and nothing before it",
            (build_deployment("v1", DeploymentStatus.STABLE, HOUR),),
            Outcome.ROLLBACK,
            "v1",
        ),
        (
            "two stable ones of the same moment",
            (STABLE, replace(placed("v0", DeploymentStatus.STABLE, DAY, "other"), at=STABLE.at)),
            Outcome.ASK,
            "v1",
        ),
        (
            "an untested one between, for long",
            (placed("v2", DeploymentStatus.LIVE, DAY, "other"), STABLE),
            Outcome.ASK,
            "v1",
        ),
        (
            "an untested one between, that is a suspect itself",
            (placed("v2", DeploymentStatus.LIVE, HOUR, "other"), STABLE),
            Outcome.ROLLBACK,
            "v1",
        ),
        (
            "a barrier two deployments ago",
            (
                placed("v3", DeploymentStatus.LIVE, 10 * MINUTE, "new"),
                replace(placed("v2", DeploymentStatus.BAD, HOUR, "other"), barrier="migrated"),
                STABLE,
            ),
            Outcome.ASK,
            "v1",
        ),
        (
            "a roll-out that goes on counts at once",
            (placed("v2", DeploymentStatus.ROLLING_OUT, 3 * MINUTE, "new"), STABLE),
            Outcome.ROLLBACK,
            "v1",
        ),
    ],
)
def test_where_to_go_back_to(
    situation: str, deployments: tuple[Deployment, ...], outcome: Outcome, target: str
) -> None:
    """The last stable one before the suspect; where another might be meant, a person is asked."""
    decision = decide(change_facts(deployments=deployments))

    assert (situation, decision.outcome, decision.target) == (situation, outcome, target)


@pytest.mark.parametrize("failing", [HALF, {*HALF, REST[0]}], ids=["what changed", "what did not, too"])
@pytest.mark.parametrize("has_baked", [True, False])
def test_a_young_target_is_a_suspect_where_no_later_change_explains_the_failure(
    failing: set[str], has_baked: bool
) -> None:
    """A function that still serves what the target deployed fails as well: approval is needed."""
    young = placed("v2", DeploymentStatus.STABLE, HOUR, "other")
    young = replace(young, baked_at=NOW - MINUTE if has_baked else None)
    live = {
        **served("other", pinned=True),
        **{name: one for name, one in served("new").items() if name in HALF},
    }
    given = change_facts(
        inventory=live, deployments=(young, STABLE), requests={**QUIET, **dict.fromkeys(failing, ILL)}
    )

    decision = decide(given)

    is_excused = has_baked and failing == HALF
    assert decision.outcome is (Outcome.ROLLBACK if is_excused else Outcome.ASK)
    assert decision.target == "v2"
    if not is_excused:
        assert "v2 may be the cause: it changed what fails" in decision.reason


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
    quiet = replace(change_alert(still_open=still_open, closed=closed), requests=QUIET)

    assert (situation, decide(quiet).outcome) == (situation, outcome)
    assert decide(replace(quiet, requests=BAD_RELEASE.requests)).outcome is Outcome.ROLLBACK


def test_the_onset_of_a_function_is_that_of_its_own_alerts() -> None:
    """What was changed after another function's trouble began may still explain its own."""
    late = replace(ALERT, function="getBook", started_at=CHANGED_AT)
    early = replace(ALERT, function="payOrder", started_at=CHANGED_AT - MINUTE)
    given = change_facts(
        alerts=(early, late),
        inventory=build_inventory({"getBook"}),
        requests={**QUIET, "getBook": ILL, "payOrder": RouterRequests(4, 0)},
        probe_counts={"shop": RouterRequests(6, 6)},
    )

    assert decide(given).outcome is Outcome.ROLLBACK
    assert decide(replace(given, alerts=(early, replace(late, function=None)))).outcome is (Outcome.ROLLBACK)
    earlier = decide(replace(given, alerts=(early,)))
    assert earlier.outcome is Outcome.ESCALATE
    assert earlier.reason.startswith("cause: the failure began at 11:49:00")


@pytest.mark.parametrize(
    ("until", "outcome", "scope"),
    [(NOW + SECOND, Outcome.ROLLBACK, EVERYTHING - {"getBook"}), (NOW, Outcome.ROLLBACK, EVERYTHING)],
)
def test_a_function_in_a_persons_hands(until: datetime, outcome: Outcome, scope: set[str]) -> None:
    """Automation leaves it out, and says so; an order is its person's own word."""
    given = change_system(suspended={"getBook": until})

    decision = decide(given)

    assert (decision.outcome, set(decision.scope)) == (outcome, scope)
    assert set(decision.change.left) == EVERYTHING - scope
    assert set(decide_order(given).scope) == EVERYTHING


def test_all_that_fails_is_in_a_persons_hands() -> None:
    """Then nothing is done, and they are told what was prepared."""
    given = replace(change_system(suspended={"getBook": NOW + SECOND}), requests={**QUIET, "getBook": ILL})

    decision = decide(given)

    assert decision.outcome is Outcome.ESCALATE
    assert decision.reason.startswith("human first: ")


def test_what_operators_chose_goes_back_with_an_approval_only() -> None:
    """An unpin or an undo leaves its functions to automation, which asks for a while."""
    given = change_system(chosen={"getBook": NOW + SECOND})

    decision = decide(given)

    assert (decision.outcome, set(decision.scope)) == (Outcome.ASK, EVERYTHING)
    assert decision.reason == "human first: operators chose what serves: getBook"
    assert decide(change_system(chosen={"getBook": NOW})).outcome is Outcome.ROLLBACK
    assert decide_order(given).outcome is Outcome.ROLLBACK


def test_what_operators_chose_is_asked_about_also_beside_what_a_person_changed() -> None:
    """What is left to a person does not let the choice of another be moved unasked."""
    until = NOW + SECOND

    decision = decide(change_system(chosen={"getBook": until}, suspended={"listBooks": until}))

    assert decision.outcome is Outcome.ASK
    assert decision.reason.startswith("human first: operators chose what serves: getBook; left as they are")


FIX = placed("v3", DeploymentStatus.LIVE, MINUTE * 20, "other")
BEFORE = placed("v2", DeploymentStatus.LIVE, HOUR, "other")


@pytest.mark.parametrize(
    ("known", "passed_over"),
    [
        ((FIX,), ["v3"]),
        ((FIX, BEFORE), ["v3", "v2"]),
        ((placed("v4", DeploymentStatus.LIVE, MINUTE * 10, "new"), FIX), ["v3"]),
        ((placed("v4", DeploymentStatus.LIVE, MINUTE * 10, "old"), FIX), []),
        ((placed("v4", DeploymentStatus.BAD, MINUTE * 10, "other"), BEFORE), []),
        ((replace(FIX, named="v3b"),), []),
        ((placed("v3", DeploymentStatus.LIVE, MINUTE * 20, "new"),), []),
    ],
    ids=[
        "one",
        "two in a row",
        "behind what is live",
        "given up for the target's revision",
        "rolled back",
        "another name of one",
        "what is live itself",
    ],
)
def test_what_served_between_the_target_and_what_is_live_is_passed_over(
    known: tuple[Deployment, ...], passed_over: list[str]
) -> None:
    """Nothing that people or a rollback have given up already, and nothing that is live."""
    decision = decide(change_facts(deployments=(*known, STABLE)))

    assert [line.partition(",")[0] for line in decision.change.passed_over] == passed_over
    assert decision.target == "v1"
