"""What the facts of a decision tell of what recovered, and of what works."""

from datetime import timedelta

import pytest

from responders.rollback.decision.fact_collection import CollectedFacts
from shared.core.store import Document
from shared.domain.incidents.incident import IncidentStatus, TimelineEvent
from shared.domain.signals.alert import Alert
from shared.domain.signals.health import RouterRequests
from tests.support.decision.gate_facts import ILL, NOW, WELL, build_inventory, change_facts
from tests.support.fakes.runtime.clock import START
from tests.support.notices.response import build_incident
from tests.support.runtime.world import BOOKSHOP

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(("minutes", "again"), [(4, set()), (7, {"getBook"}), (11, {"getBook"})])
def test_an_alert_that_began_after_a_recovery_is_about_a_new_failure(minutes: int, again: set[str]) -> None:
    """It recovered after five minutes; that it ended after ten is no recovery of its own."""
    turns = [
        (IncidentStatus.INVESTIGATING, 0),
        (IncidentStatus.RECOVERED, 5),
        (IncidentStatus.RESOLVED, 10),
        (IncidentStatus.INVESTIGATING, 13),
    ]
    timeline = [TimelineEvent(status, START + at * MINUTE, "any") for status, at in turns]
    began = START + minutes * MINUTE
    alert = Alert(
        key="0.a:open",
        monitoring_id="0.a",
        state="open",
        verdict="open",
        system="bookshop",
        signal="function_failure_rate",
        incident="INC",
        started_at=began,
        published_at=began,
        received_at=START + 13 * MINUTE,
        function="getBook",
        notification="",
    )
    facts = change_facts(alerts=(alert.fact(closed=False, still_open=None),))
    found = CollectedFacts(facts, (alert,), Document("any", None, None, START))

    assert found.find_failing_again(BOOKSHOP, build_incident(timeline=timeline)) == again


@pytest.mark.parametrize(
    ("first", "unproven"), [({}, {"getBook"}), ({"getBook": ILL}, {"getBook"}), ({"getBook": WELL}, set())]
)
def test_requests_of_an_earlier_revision_prove_nothing_of_a_new_one(
    first: dict[str, RouterRequests], unproven: set[str]
) -> None:
    """Of what was just released, the first requests count; what was not released needs none."""
    inventory = build_inventory({"getBook"}, at=NOW - MINUTE)
    facts = change_facts(inventory=inventory, first_requests=first)
    gathered = CollectedFacts(facts, (), Document("any", None, None, NOW))

    assert gathered.find_unproven(BOOKSHOP, NOW) == unproven
