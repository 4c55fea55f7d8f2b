"""Whether what an alert told of is over, whatever was notified."""

import pytest
from msgspec.structs import replace

from shared.domain.signals.alert import Alert
from shared.domain.signals.alert_conditions import ConditionState, evaluate_condition, open_condition_lines
from shared.domain.signals.health import RouterRequests
from tests.support.fakes.runtime.clock import START
from tests.support.runtime.world import BOOKSHOP

GATES = replace(BOOKSHOP.gates, minimum_requests=20, failing_above=0.1)
ALERT = Alert(
    key="0.a:open",
    monitoring_id="0.a",
    state="open",
    verdict="open",
    system="bookshop",
    signal="function_failure_rate",
    incident="",
    started_at=START,
    published_at=START,
    received_at=START,
    function="payOrder",
    notification="",
)
OF_ALL = replace(ALERT, signal="error_rate", function=None)
OWN = replace(ALERT, monitoring_id="probe:bookshop:slow_response:1")
WELL, ILL = {"payOrder": RouterRequests(20, 2)}, {"payOrder": RouterRequests(20, 3)}


@pytest.mark.parametrize(
    ("alert", "states", "requests", "closed", "expected"),
    [
        (ALERT, {"0.a": False}, ILL, False, ConditionState.OVER),
        (ALERT, {"0.a": True}, WELL, True, ConditionState.STANDS),
        (ALERT, {"0.b": True}, WELL, False, ConditionState.OVER),
        (ALERT, {}, ILL, True, ConditionState.STANDS),
        (ALERT, {}, {"payOrder": RouterRequests(19, 0)}, True, ConditionState.UNKNOWN),
        (ALERT, {}, {"listBooks": RouterRequests(99, 0)}, True, ConditionState.UNKNOWN),
        (ALERT, {}, None, True, ConditionState.UNKNOWN),
        (OF_ALL, {}, {**ILL, "listBooks": RouterRequests(10, 0)}, False, ConditionState.OVER),
        (OF_ALL, {}, {**ILL, "listBooks": RouterRequests(9, 0)}, False, ConditionState.STANDS),
        (replace(OF_ALL, signal="slow_response"), {}, WELL, True, ConditionState.UNKNOWN),
        (OWN, {}, ILL, True, ConditionState.OVER),
        (OWN, {}, WELL, False, ConditionState.STANDS),
    ],
    ids=[
        *("Monitoring says over", "notified as closed, and open", "no word, just well"),
        *("notified as closed, just ill", "just too few", "requests of others", "no metrics"),
        *("all, just well", "all, just ill", "nothing counts it", "own, closed", "own, open"),
    ],
)
def test_the_condition_of_an_alert(
    alert: Alert,
    states: dict[str, bool],
    requests: dict[str, RouterRequests] | None,
    closed: bool,
    expected: ConditionState,
) -> None:
    """Monitoring's word, else the routers'; a notification of its end proves nothing."""
    assert evaluate_condition(alert, states, requests, GATES, closed=closed) is expected


def test_what_is_told_of_conditions() -> None:
    """One line per signal with its functions; nothing of what is over."""
    many = [(replace(ALERT, function=f"f{number}"), ConditionState.STANDS) for number in range(7)]

    assert open_condition_lines([*many, (OF_ALL, ConditionState.UNKNOWN), (OWN, ConditionState.OVER)]) == [
        "not over: function failure rate of f0, f1, f2, f3, f4 and 2 more",
        "not known to be over: error rate",
    ]
    assert open_condition_lines([(ALERT, ConditionState.OVER)]) == []
