"""Whether an alert is still true: by a source that has not raised it."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.decision.facts import DecisionFacts
from shared.domain.decision.gates.base import GateAnswer, GateResult, Outcome
from shared.domain.policy.data_rules import Collection
from shared.domain.policy.probes import Probe
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import BreadthLimits, Signal
from shared.domain.signals.alert import AlertFact, EvidenceSource
from shared.domain.signals.health import ProbeAnswer, RouterRequests
from tests.support.decision.gate_facts import (
    ALERT,
    BAD_RELEASE,
    EVERYTHING,
    ILL,
    QUIET,
    build_inventory,
    decide,
)
from tests.support.runtime.world import BOOKSHOP

PROBES, MONITORING, CHECKS = (EvidenceSource.PROBES, EvidenceSource.MONITORING, EvidenceSource.UPTIME_CHECKS)
FAILED_ANSWERS, WORKING_ANSWERS = RouterRequests(6, 6), RouterRequests(6, 0)
DOWN = {"shop": FAILED_ANSWERS}
SHAKY = {"shop": RouterRequests(5, 5)}
"""A failed answer too few to prove that the shop fails."""
BOOK_DOWN = {"shop": WORKING_ANSWERS, "book": FAILED_ANSWERS}
"""The probe of the function getBook fails."""
RARE = dict.fromkeys(sorted(EVERYTHING)[:3], RouterRequests(1, 1))
"""Three functions were called once, and each call failed."""
SCARCE = dict.fromkeys(sorted(EVERYTHING)[:4], RouterRequests(1, 1))
"""Four of them, which together prove that what was called fails."""
SEEN_BOOK = {"getBook": RouterRequests(4, 0)}
"""Too few requests of getBook to refute anything."""


def raised(source: EvidenceSource, **changes: Any) -> AlertFact:
    return replace(ALERT, source=source, **changes)


BOOK_ALONE = replace(
    BAD_RELEASE,
    alerts=(raised(PROBES, function="getBook"),),
    probe_counts=BOOK_DOWN,
    requests=QUIET | SEEN_BOOK,
)
"""The probe of getBook raised an alert, and nothing else sees that it fails."""


def judge(facts: DecisionFacts, **policy: Any) -> GateAnswer:
    [answer] = [one for one in decide(facts, **policy).answers if one.gate == "still true"]
    return answer


@pytest.mark.parametrize(
    ("alerts", "seen", "answer"),
    [
        ([raised(PROBES)], {"probe_counts": DOWN}, GateResult.UNKNOWN),
        ([raised(PROBES)], {"probe_counts": DOWN, "requests": QUIET | {"getBook": ILL}}, GateResult.PASS),
        ([raised(PROBES)], {"requests": QUIET | {"getBook": ILL}}, GateResult.PASS),
        ([raised(PROBES)], {"probe_counts": DOWN, "requests": RARE}, GateResult.UNKNOWN),
        ([raised(PROBES)], {"probe_counts": DOWN, "requests": SCARCE}, GateResult.PASS),
        ([raised(PROBES)], {"probe_counts": DOWN, "requests": None}, GateResult.UNKNOWN),
        ([raised(PROBES), raised(PROBES)], {"probe_counts": DOWN}, GateResult.UNKNOWN),
        ([raised(PROBES), raised(MONITORING)], {"probe_counts": DOWN}, GateResult.PASS),
        ([raised(PROBES), raised(MONITORING)], {}, GateResult.PASS),
        ([raised(PROBES), raised(MONITORING, still_open=False)], {"probe_counts": DOWN}, GateResult.PASS),
        ([raised(PROBES), raised(CHECKS)], {"probe_counts": DOWN}, GateResult.PASS),
        ([raised(MONITORING)], {}, GateResult.UNKNOWN),
        ([raised(MONITORING), raised(MONITORING)], {}, GateResult.UNKNOWN),
        ([raised(MONITORING), raised(CHECKS)], {}, GateResult.PASS),
        ([raised(MONITORING)], {"probe_counts": DOWN}, GateResult.PASS),
        ([raised(MONITORING)], {"probe_counts": SHAKY}, GateResult.UNKNOWN),
        ([raised(MONITORING)], {"requests": QUIET | {"getBook": ILL}}, GateResult.PASS),
        ([raised(MONITORING)], {"requests": RARE}, GateResult.UNKNOWN),
        ([raised(MONITORING)], {"requests": SCARCE}, GateResult.PASS),
        ([raised(MONITORING, function="getBook")], {"probe_counts": BOOK_DOWN}, GateResult.PASS),
        ([raised(MONITORING, function="payOrder")], {"probe_counts": BOOK_DOWN}, GateResult.UNKNOWN),
        ([raised(MONITORING, function="payOrder")], {"probe_counts": DOWN}, GateResult.PASS),
        (
            [raised(MONITORING, function="payOrder")],
            {"requests": QUIET | {"getBook": ILL}},
            GateResult.UNKNOWN,
        ),
        (
            [raised(PROBES), raised(MONITORING, signal="slow_response")],
            {"probe_counts": DOWN},
            GateResult.UNKNOWN,
        ),
        ([raised(PROBES, closed=True)], {}, GateResult.STOP),
        ([raised(PROBES)], {}, GateResult.UNKNOWN),
        ([raised(MONITORING, signal="slow_response")], {}, GateResult.UNKNOWN),
        ([raised(MONITORING, signal="slow_response")], {"probe_counts": DOWN}, GateResult.PASS),
    ],
)
def test_the_source_that_raised_an_alert_never_confirms_it(
    alerts: list[AlertFact], seen: dict[str, Any], answer: GateResult
) -> None:
    """Probes of one region are one source; warnings and other functions confirm nothing graver."""
    found = judge(replace(BAD_RELEASE, **{"requests": QUIET, **seen}, alerts=tuple(alerts)))

    assert found.answer is answer


def test_a_policy_that_needs_no_second_source() -> None:
    """The source that raised an alert suffices while it sees the failure; automation acts on it."""
    alone: dict[str, Any] = {"gates": replace(BOOKSHOP.gates, second_source=False)}
    probe = replace(BAD_RELEASE, alerts=(raised(PROBES),), probe_counts=DOWN, requests=QUIET)
    monitoring = replace(BAD_RELEASE, alerts=(raised(MONITORING),), requests=QUIET)
    well = replace(probe, probe_counts={"shop": WORKING_ANSWERS})
    shaky = replace(probe, probe_counts=SHAKY)

    assert [judge(one, **alone).answer for one in (probe, monitoring)] == [GateResult.PASS, GateResult.PASS]
    assert judge(well, **alone).answer is GateResult.UNKNOWN
    assert judge(shaky, **alone).answer is GateResult.UNKNOWN
    assert decide(BOOK_ALONE, **alone).outcome is Outcome.ROLLBACK
    assert decide(BOOK_ALONE).outcome is Outcome.HOLD


def test_what_fails_for_most_users_confirms_that_the_system_is_down() -> None:
    """By the level of what fails: idle functions do not make it smaller."""
    three = dict.fromkeys(FIVE[:3], ILL)
    facts = replace(BAD_RELEASE, alerts=(raised(PROBES, signal=SITE),), requests=three)

    assert judge(facts, **PARTS).answer is GateResult.PASS
    assert judge(replace(facts, requests=QUIET | three), **PARTS).answer is GateResult.UNKNOWN


def test_the_words_say_what_confirms_and_what_does_not() -> None:
    """Whoever is asked reads both."""
    alerts = (raised(PROBES), raised(MONITORING, closed=True))
    counts = {"shop": FAILED_ANSWERS, "book": FAILED_ANSWERS}
    alone = judge(replace(BAD_RELEASE, alerts=alerts[:1], probe_counts=counts, requests=SEEN_BOOK))
    refuted = judge(replace(BAD_RELEASE, alerts=(raised(MONITORING),), requests=QUIET))
    unread = judge(replace(BAD_RELEASE, alerts=alerts[:1], probe_counts=DOWN, requests=None))
    both = judge(replace(BAD_RELEASE, alerts=(raised(PROBES), raised(CHECKS)), probe_counts=DOWN))

    assert alone.reason == "no second source: 2 probes fail; request counts show 0 failing functions"
    assert refuted.reason == (
        "enough requests show that it fails less than its level: 0 probes fail; "
        "request counts show 0 failing functions; 1 open alert of Cloud Monitoring"
    )
    assert unread.reason == "no second source: 1 probe fails; request counts could not be read"
    assert both.reason == (
        "1 probe fails; request counts show 8 failing functions; 1 open alert of uptime checks"
    )


def test_what_one_source_sees_is_a_question_when_the_time_is_over() -> None:
    """Until then it is judged again; once it was asked about, an answer does not wait once more."""
    assert decide(BOOK_ALONE).outcome is Outcome.HOLD
    late = decide(BOOK_ALONE, expired=True)
    assert late.outcome is Outcome.ASK
    assert late.reason.startswith("still true: no second source: 1 probe fails")
    assert decide(BOOK_ALONE, asked=True).outcome is Outcome.ASK


@pytest.mark.parametrize(
    ("alert", "requests", "leads_to"),
    [
        (raised(MONITORING, function="getBook"), {"getBook": RouterRequests(5, 1)}, Outcome.IGNORE),
        (raised(MONITORING, function="getBook"), {"getBook": RouterRequests(4, 0)}, Outcome.ASK),
        (raised(MONITORING, function="getBook"), {"getBook": RouterRequests(8, 2)}, Outcome.ASK),
        (raised(MONITORING, function="getBook"), {"payOrder": RouterRequests(100, 0)}, Outcome.ASK),
        (raised(MONITORING), {"payOrder": RouterRequests(5, 0)}, Outcome.IGNORE),
        (raised(MONITORING), {"payOrder": RouterRequests(4, 0)}, Outcome.ASK),
        (raised(PROBES, function="getBook"), QUIET, Outcome.ASK),
        (raised(CHECKS, function="getBook"), QUIET, Outcome.IGNORE),
        (raised(MONITORING, signal="critical_path_blocked"), QUIET, Outcome.ASK),
        (raised(MONITORING, signal="slow_response"), QUIET, Outcome.OBSERVE),
    ],
)
def test_enough_requests_refute_an_alert_that_counts_requests(
    alert: AlertFact, requests: dict[str, RouterRequests], leads_to: Outcome
) -> None:
    """Its function, or the system where it names none, fails at most at the level of a rollback."""
    found = judge(replace(BAD_RELEASE, alerts=(alert,), requests=requests))

    assert (found.answer, found.leads_to) == (GateResult.UNKNOWN, leads_to)
    refuted = "enough requests show that it fails less than its level: "
    assert found.reason.startswith(refuted) is (leads_to is Outcome.IGNORE)


def test_an_alert_that_nothing_refutes_stands_beside_one_that_requests_refute() -> None:
    """Each alert must be refuted: a site that is down fails no counted request."""
    alerts = (raised(MONITORING), raised(MONITORING, signal="critical_path_blocked"))

    assert judge(replace(BAD_RELEASE, alerts=alerts, requests=QUIET)).leads_to is Outcome.ASK


def test_an_alert_of_another_incident_is_a_second_source() -> None:
    """It is evidence while it is open, and of another source than the alert here."""
    alone = replace(BAD_RELEASE, alerts=(raised(MONITORING, function="getBook"),), requests={})

    def judge_beside(other: AlertFact) -> GateResult:
        return judge(replace(alone, other_alerts=(other,))).answer

    assert judge(alone).answer is GateResult.UNKNOWN
    assert judge_beside(raised(CHECKS)) is GateResult.PASS
    assert judge_beside(raised(CHECKS, closed=True)) is GateResult.UNKNOWN
    assert judge_beside(raised(CHECKS, function="payOrder")) is GateResult.UNKNOWN
    assert judge_beside(raised(MONITORING)) is GateResult.UNKNOWN


AUTH, DATABASE, SITE = "authentication_failure", "database_connectivity", "frontend_unavailable"
PARTS: dict[str, Any] = {
    "breadth": BreadthLimits(),
    "group_aliases": {"authentication": ("checkout",)},
    "collections": {"orders": Collection(writers=("storefront",)), "logs": Collection()},
    "signals": {
        **BOOKSHOP.signals,
        AUTH: Signal(Severity.CRITICAL, ScenarioName.AUTH, Mode.ACT),
        DATABASE: Signal(Severity.CRITICAL, ScenarioName.DATABASE, Mode.ACT),
        SITE: Signal(Severity.CRITICAL, ScenarioName.COMPLETE, Mode.ACT),
    },
    "probes": (
        Probe("site", signal=SITE),
        Probe("sign-in", signal=AUTH),
        Probe("reads", signal=DATABASE),
        Probe("book", function="getBook"),
        Probe("pay", function="payOrder"),
        Probe("basket", function="renderBasket"),
    ),
}
"""People sign in by the group checkout; the group storefront writes the documents."""
FIVE, FOUR = sorted(EVERYTHING)[:5], sorted(EVERYTHING)[:4]


def failed(*names: str) -> dict[str, Any]:
    return {"probe_counts": dict.fromkeys(names, FAILED_ANSWERS)}


def counted(*names: str) -> dict[str, Any]:
    return {"requests": QUIET | dict.fromkeys(names, ILL)}


@pytest.mark.parametrize(
    ("signal", "source", "seen", "confirms"),
    [
        (AUTH, PROBES, counted("getBook"), False),
        (AUTH, PROBES, counted("getBook", "renderShop", "renderBasket", "listBooks", "searchBooks"), False),
        (AUTH, PROBES, counted("payOrder"), True),
        (AUTH, MONITORING, failed("site"), False),
        (AUTH, MONITORING, failed("book"), False),
        (AUTH, MONITORING, failed("pay"), True),
        (AUTH, MONITORING, failed("sign-in"), True),
        (DATABASE, PROBES, counted("getBook"), False),
        (DATABASE, PROBES, counted("renderShop"), True),
        (DATABASE, MONITORING, failed("sign-in"), False),
        (DATABASE, MONITORING, failed("basket"), True),
        (DATABASE, MONITORING, failed("reads"), True),
        (SITE, PROBES, counted("getBook"), False),
        (SITE, PROBES, counted(*FOUR), False),
        (SITE, PROBES, counted(*FIVE), True),
        (SITE, MONITORING, failed("book", "pay"), False),
        (SITE, MONITORING, failed("site"), True),
    ],
)
def test_an_alert_without_a_function_is_confirmed_by_what_it_is_about(
    signal: str, source: EvidenceSource, seen: dict[str, Any], confirms: bool
) -> None:
    """Sign-in by its functions and probes, a database by its writers, all by more than half."""
    facts = replace(BAD_RELEASE, alerts=(raised(source, signal=signal),), **{"requests": QUIET, **seen})

    found = judge(facts, **PARTS)

    assert found.answer is (GateResult.PASS if confirms else GateResult.UNKNOWN)
    elsewhere = "no second source sees the same failure: "
    assert confirms or found.reason.startswith(elsewhere)


def test_a_sign_in_that_fails_long_after_a_release_has_perhaps_another_cause() -> None:
    """Its probes name no function, and none is counted to fail: the release is judged."""
    alert, earlier = raised(MONITORING, signal=AUTH), ALERT.started_at - timedelta(minutes=20)
    probes = {"sign-in": ProbeAnswer(False, 500)}
    facts = replace(BAD_RELEASE, alerts=(alert,), requests=QUIET, probes=probes, **failed("sign-in"))

    policy = {**PARTS, "scenarios": {ScenarioName.AUTH: Mode.ACT}}

    late = decide(replace(facts, inventory=build_inventory(EVERYTHING, earlier)), **policy)

    assert (late.outcome, decide(facts, **policy).outcome) == (Outcome.ASK, Outcome.ROLLBACK)
    assert "the failure began 20 min 0 s after the release" in late.reason


def test_where_no_function_is_declared_more_than_half_confirm() -> None:
    """A policy need not name the writers of its documents, or the functions of its sign-in."""
    undeclared = {**PARTS, "collections": {}, "group_aliases": {}}
    for signal in (AUTH, DATABASE):
        facts = replace(BAD_RELEASE, alerts=(raised(PROBES, signal=signal),))

        found = [judge(replace(facts, **counted(*some)), **undeclared).answer for some in (FOUR, FIVE)]

        assert found == [GateResult.UNKNOWN, GateResult.PASS]


def test_a_failure_of_one_function_confirms_no_graver_alert() -> None:
    """The level of what fails counts, not the worst that its signal can mean."""
    alerts = (raised(PROBES, signal=SITE), raised(MONITORING, function="getBook"))

    found = judge(replace(BAD_RELEASE, alerts=alerts, **counted("getBook")), **PARTS)

    assert found.answer is GateResult.UNKNOWN


def test_an_alert_that_is_over_is_kept_open_by_what_it_is_about_alone() -> None:
    """Another part that fails is the matter of its own alert."""
    over = raised(MONITORING, signal=AUTH, still_open=False)

    elsewhere = judge(replace(BAD_RELEASE, alerts=(over,), **counted("getBook")), **PARTS)
    same = judge(replace(BAD_RELEASE, alerts=(over,), **counted("payOrder")), **PARTS)

    assert (elsewhere.answer, elsewhere.leads_to) == (GateResult.STOP, Outcome.IGNORE)
    assert same.answer is GateResult.PASS
