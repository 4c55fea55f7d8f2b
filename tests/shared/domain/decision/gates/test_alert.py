"""Whether an alert is still true: by a source that has not raised it."""

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
from tests.support.decision.gate_facts import ALERT, BAD_RELEASE, EVERYTHING, ILL, QUIET, decide
from tests.support.runtime.world import BOOKSHOP

PROBES, MONITORING, CHECKS = (EvidenceSource.PROBES, EvidenceSource.MONITORING, EvidenceSource.UPTIME_CHECKS)
DOWN = {"shop": ProbeAnswer(False, 503)}
BOOK_DOWN = {"shop": ProbeAnswer(True, 200), "book": ProbeAnswer(False, 500)}
"""The probe of the function getBook fails."""
RARE = dict.fromkeys(EVERYTHING, RouterRequests(2, 2))
"""Each function was called twice, and both calls failed."""


def raised(source: EvidenceSource, **changes: Any) -> AlertFact:
    return replace(ALERT, source=source, **changes)


def judge(facts: DecisionFacts, **policy: Any) -> GateAnswer:
    [answer] = [one for one in decide(facts, **policy).answers if one.gate == "still true"]
    return answer


@pytest.mark.parametrize(
    ("alerts", "seen", "answer"),
    [
        ([raised(PROBES)], {"probes": DOWN}, GateResult.UNKNOWN),
        ([raised(PROBES)], {"probes": DOWN, "requests": QUIET | {"getBook": ILL}}, GateResult.PASS),
        ([raised(PROBES)], {"requests": QUIET | {"getBook": ILL}}, GateResult.PASS),
        ([raised(PROBES)], {"probes": DOWN, "requests": RARE}, GateResult.UNKNOWN),
        ([raised(PROBES)], {"probes": DOWN, "requests": None}, GateResult.UNKNOWN),
        ([raised(PROBES), raised(PROBES)], {"probes": DOWN}, GateResult.UNKNOWN),
        ([raised(PROBES), raised(MONITORING)], {"probes": DOWN}, GateResult.PASS),
        ([raised(PROBES), raised(MONITORING)], {}, GateResult.PASS),
        ([raised(PROBES), raised(MONITORING, still_open=False)], {"probes": DOWN}, GateResult.PASS),
        ([raised(PROBES), raised(CHECKS)], {"probes": DOWN}, GateResult.PASS),
        ([raised(MONITORING)], {}, GateResult.UNKNOWN),
        ([raised(MONITORING), raised(MONITORING)], {}, GateResult.UNKNOWN),
        ([raised(MONITORING), raised(CHECKS)], {}, GateResult.PASS),
        ([raised(MONITORING)], {"probes": DOWN}, GateResult.PASS),
        ([raised(MONITORING)], {"requests": QUIET | {"getBook": ILL}}, GateResult.PASS),
        ([raised(MONITORING)], {"requests": RARE}, GateResult.UNKNOWN),
        ([raised(MONITORING, function="getBook")], {"probes": BOOK_DOWN}, GateResult.PASS),
        ([raised(MONITORING, function="payOrder")], {"probes": BOOK_DOWN}, GateResult.UNKNOWN),
        ([raised(MONITORING, function="payOrder")], {"probes": DOWN}, GateResult.PASS),
        (
            [raised(MONITORING, function="payOrder")],
            {"requests": QUIET | {"getBook": ILL}},
            GateResult.UNKNOWN,
        ),
        ([raised(PROBES), raised(MONITORING, signal="slow_response")], {"probes": DOWN}, GateResult.UNKNOWN),
        ([raised(PROBES, closed=True)], {}, GateResult.STOP),
        ([raised(PROBES)], {}, GateResult.UNKNOWN),
        ([raised(MONITORING, signal="slow_response")], {}, GateResult.UNKNOWN),
        ([raised(MONITORING, signal="slow_response")], {"probes": DOWN}, GateResult.PASS),
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
    probe = replace(BAD_RELEASE, alerts=(raised(PROBES),), probes=DOWN, requests=QUIET)
    monitoring = replace(BAD_RELEASE, alerts=(raised(MONITORING),), requests=QUIET)
    well = replace(probe, probes={"shop": ProbeAnswer(True, 200)})

    assert [judge(one, **alone).answer for one in (probe, monitoring)] == [GateResult.PASS, GateResult.PASS]
    assert judge(well, **alone).answer is GateResult.UNKNOWN
    one = replace(BAD_RELEASE, alerts=(raised(PROBES, function="getBook"),), probes=BOOK_DOWN, requests=QUIET)
    assert decide(one, **alone).outcome is Outcome.ROLLBACK
    assert decide(one).outcome is Outcome.HOLD


def test_what_fails_for_most_users_confirms_that_the_system_is_down() -> None:
    """By the level of what fails: idle functions do not make it smaller."""
    three = dict.fromkeys(FIVE[:3], ILL)
    facts = replace(BAD_RELEASE, alerts=(raised(PROBES, signal=SITE),), requests=three)

    assert judge(facts, **PARTS).answer is GateResult.PASS
    assert judge(replace(facts, requests=QUIET | three), **PARTS).answer is GateResult.UNKNOWN


def test_the_words_say_what_confirms_and_what_does_not() -> None:
    """Whoever is asked reads both."""
    alerts = (raised(PROBES), raised(MONITORING, closed=True))
    probes = {"shop": ProbeAnswer(False, 503), "book": ProbeAnswer(False, 500)}
    alone = judge(replace(BAD_RELEASE, alerts=alerts[:1], probes=probes, requests=QUIET))
    unread = judge(replace(BAD_RELEASE, alerts=alerts[:1], probes=DOWN, requests=None))
    both = judge(replace(BAD_RELEASE, alerts=(raised(PROBES), raised(CHECKS)), probes=DOWN))

    assert alone.reason == "no second source: 2 probes fail; request counts show 0 failing functions"
    assert unread.reason == "no second source: 1 probe fails; request counts could not be read"
    assert both.reason == (
        "1 probe fails; request counts show 8 failing functions; 1 open alert of uptime checks"
    )


def test_what_one_source_sees_is_a_question_when_the_time_is_over() -> None:
    """Until then it is judged again; once it was asked about, an answer does not wait once more."""
    facts = replace(
        BAD_RELEASE, alerts=(raised(PROBES, function="getBook"),), probes=BOOK_DOWN, requests=QUIET
    )

    assert decide(facts).outcome is Outcome.HOLD
    late = decide(facts, expired=True)
    assert late.outcome is Outcome.ASK
    assert late.reason.startswith("still true: no second source: 1 probe fails")
    assert decide(facts, asked=True).outcome is Outcome.ASK


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
    return {"probes": dict.fromkeys(names, ProbeAnswer(False, 500))}


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
