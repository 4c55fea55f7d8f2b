"""Whether an alert is still true: by a source that has not raised it."""

from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.decision.facts import DecisionFacts
from shared.domain.decision.gates.base import GateAnswer, GateResult, Outcome
from shared.domain.signals.alert import AlertFact, EvidenceSource
from shared.domain.signals.health import ProbeAnswer, RouterRequests
from tests.support.decision.gate_facts import ALERT, BAD_RELEASE, EVERYTHING, ILL, QUIET, decide

PROBES, MONITORING, CHECKS = (EvidenceSource.PROBES, EvidenceSource.MONITORING, EvidenceSource.UPTIME_CHECKS)
DOWN = {"shop": ProbeAnswer(False, 503)}
BOOK_DOWN = {"shop": ProbeAnswer(True, 200), "book": ProbeAnswer(False, 500)}
"""The probe of the function getBook fails."""
RARE = dict.fromkeys(EVERYTHING, RouterRequests(2, 2))
"""Each function was called twice, and both calls failed."""


def raised(source: EvidenceSource, **changes: Any) -> AlertFact:
    return replace(ALERT, source=source, **changes)


def judge(facts: DecisionFacts) -> GateAnswer:
    [answer] = [one for one in decide(facts).answers if one.gate == "still true"]
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
        ([raised(MONITORING, signal="slow_response")], {"probes": DOWN}, GateResult.UNKNOWN),
    ],
)
def test_the_source_that_raised_an_alert_never_confirms_it(
    alerts: list[AlertFact], seen: dict[str, Any], answer: GateResult
) -> None:
    """Probes of one region are one source; a warning or another function's trouble is none."""
    found = judge(replace(BAD_RELEASE, **{"requests": QUIET, **seen}, alerts=tuple(alerts)))

    assert found.answer is answer


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
