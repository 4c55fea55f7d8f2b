"""Which alerts of an incident still say that something is wrong, and which a plan answers."""

from datetime import UTC, datetime

import pytest

from responders.rollback.case import unjudged_alerts
from responders.rollback.completion import alerts_answered_by_scenario
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.signals.alert import Alert, open_alerts
from tests.support.runtime.world import BOOKSHOP

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def alert(
    verdict: str = "open",
    signal: str = "function_failure_rate",
    function: str | None = None,
    absorbed_by: str = "",
) -> Alert:
    state = "open" if verdict == "open" else "closed"
    return Alert(
        key=f"0.a:{state}",
        monitoring_id="0.a",
        state=state,
        verdict=verdict,
        system="bookshop",
        signal=signal,
        incident="INC",
        started_at=NOON,
        published_at=NOON,
        received_at=NOON,
        function=function,
        notification="",
        absorbed_by=absorbed_by,
    )


@pytest.mark.parametrize(
    ("ends", "still_open"),
    [([], True), ([alert("closed")], False), ([alert("cancelled")], True)],
    ids=["no end", "closed", "cancelled"],
)
def test_an_alert_that_was_ended(ends: list[Alert], still_open: bool) -> None:
    """Whoever edits an alert policy has cured nothing."""
    opened = alert()

    assert open_alerts([opened, *ends]) == ([opened] if still_open else [])
    assert unjudged_alerts([alert(absorbed_by="INC"), *ends]) == []


@pytest.mark.parametrize(
    ("joined", "scenario", "is_answered"),
    [
        (alert(function="getBook"), ScenarioName.FUNCTIONS, True),
        (alert(function="payOrder"), ScenarioName.FUNCTIONS, False),  # not of this plan
        (alert(), ScenarioName.FUNCTIONS, True),
        (alert(), ScenarioName.COMPLETE, True),  # everything is more than its functions
        (alert(), ScenarioName.FEATURE, False),
        (alert(function="getBook"), ScenarioName.FEATURE, True),  # a feature is a part of them
        (alert(function="payOrder"), ScenarioName.FEATURE, False),
        (alert(signal="frontend_unavailable"), ScenarioName.FUNCTIONS, False),
        (alert(signal="slow_response", function="payOrder"), ScenarioName.FUNCTIONS, True),
    ],
)
def test_an_alert_that_a_plan_of_one_function_answers(
    joined: Alert, scenario: ScenarioName, is_answered: bool
) -> None:
    """Trouble elsewhere, or of another kind, is judged by itself; what is only watched is not."""
    answered = alerts_answered_by_scenario([joined], BOOKSHOP, scenario, {"getBook"})

    assert answered == ([joined] if is_answered else [])
