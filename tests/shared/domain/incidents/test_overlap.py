"""Which alert belongs to which incident: a table over what each is about."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.incidents.incident import Incident, IncidentStatus, TimelineEvent, change_status
from shared.domain.incidents.overlap import continues_failure, may_join
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.signals.alert import IncidentScope
from tests.support.fakes.runtime.clock import START
from tests.support.notices.response import build_incident
from tests.support.runtime.world import BOOKSHOP

HOUR = timedelta(hours=1)
FUNCTIONS, FEATURE, NONE = ScenarioName.FUNCTIONS, ScenarioName.FEATURE, ScenarioName.NONE
DATABASE, COMPLETE = ScenarioName.DATABASE, ScenarioName.COMPLETE
RATE = IncidentScope(FUNCTIONS, "function_failure_rate")
OF_BOOK = replace(RATE, function="getBook")
OF_SEARCH = replace(RATE, function="searchBooks")
OF_PAYMENT = replace(RATE, function="payOrder")
PATH = IncidentScope(FUNCTIONS, "critical_path_blocked")
SITE = IncidentScope(COMPLETE, "frontend_unavailable")
DATA = IncidentScope(DATABASE, "database_corruption")
WARNING = IncidentScope(NONE, "slow_response")
MEDIA = IncidentScope(FEATURE, "media_failing", "getBook")
PAYMENTS = IncidentScope(FEATURE, "payments_failing", "payOrder")
ORDER = IncidentScope(FUNCTIONS, function="getBook")
BREACH = IncidentScope(COMPLETE, "security_breach")


def incident(*scopes: IncidentScope, ended: timedelta | None = None) -> Incident:
    """An incident about that; `ended`: it was resolved so long ago."""
    made = Incident(
        id="INC-20260302-001",
        system="bookshop",
        severity=Severity.HIGH,
        signal="any",
        status=IncidentStatus.INVESTIGATING,
        onset_at=START,
        detected_at=START,
        timeline=[TimelineEvent(IncidentStatus.INVESTIGATING, START - HOUR, "began")],
        scopes=scopes,
    )
    if ended is None:
        return made
    return change_status(made, IncidentStatus.RESOLVED, START - ended, "over")


@pytest.mark.parametrize(
    ("known", "alert", "while_open", "after_its_end"),
    [
        (RATE, RATE, True, True),
        (RATE, PATH, True, True),
        (RATE, SITE, True, True),
        (OF_BOOK, OF_SEARCH, True, True),  # both of the catalogue
        (OF_BOOK, OF_PAYMENT, True, False),  # one plan answers both; but it is another group
        (OF_PAYMENT, SITE, True, False),  # one plan answers both; but the site is no function
        (RATE, WARNING, True, False),
        (OF_BOOK, replace(WARNING, function="payOrder"), False, False),
        (WARNING, WARNING, True, True),
        (WARNING, RATE, True, False),  # for a short while
        (RATE, DATA, False, False),
        (DATA, DATA, True, True),
        (MEDIA, PAYMENTS, False, False),
        (MEDIA, RATE, True, False),  # it tells of every function: what fails now may be another one
        (OF_BOOK, RATE, True, False),
        (RATE, OF_BOOK, True, True),
        (ORDER, OF_SEARCH, True, False),  # an order, such as an unpin, proves no failure
        (ORDER, OF_PAYMENT, False, False),
        (BREACH, OF_BOOK, True, False),  # it was declared, and nothing had failed
        (BREACH, BREACH, True, True),
    ],
)
def test_an_alert_joins_only_its_own_trouble(
    known: IncidentScope, alert: IncidentScope, while_open: bool, after_its_end: bool
) -> None:
    """Overlap in what fails; an incident that ended takes back no more than its own groups."""
    policy = BOOKSHOP

    assert may_join(incident(known), alert, policy, START) is while_open
    ended = incident(known, ended=timedelta(minutes=5))
    assert may_join(ended, alert, policy, START) is after_its_end
    recovered = change_status(incident(known), IncidentStatus.RECOVERED, START - HOUR, "it works again")
    assert may_join(recovered, alert, policy, START) is after_its_end


def test_an_incident_that_ended_long_ago_is_another_one() -> None:
    """However alike the alert is."""
    long_ago = incident(RATE, ended=BOOKSHOP.gates.join_window + timedelta(seconds=1))

    assert not may_join(long_ago, RATE, BOOKSHOP, START)


def test_a_warning_that_lasts_takes_no_graver_alert() -> None:
    """Its times are not theirs; a graver incident takes alerts as long as it is open."""
    later = START + BOOKSHOP.gates.join_window + timedelta(seconds=1)

    assert not may_join(incident(WARNING), RATE, BOOKSHOP, later)
    assert may_join(incident(WARNING), WARNING, BOOKSHOP, later)
    assert may_join(incident(RATE), PATH, BOOKSHOP, later)


def test_what_began_to_fail_before_the_end_of_an_order_belongs_to_it() -> None:
    """An unpinned release fails, and the alert comes after the monitoring."""
    ended = incident(ORDER, ended=timedelta(minutes=5))

    assert may_join(ended, OF_SEARCH, BOOKSHOP, START, START - timedelta(minutes=6))
    assert not may_join(ended, OF_SEARCH, BOOKSHOP, START, START - timedelta(minutes=4))


@pytest.mark.parametrize(("working", "continues"), [((), True), (("getBook",), False), (("payOrder",), True)])
def test_an_order_of_what_works_continues_no_failure(working: tuple[str, ...], continues: bool) -> None:
    """The incident goes on about other functions; the one that is ordered was observed to work."""
    opened = TimelineEvent(IncidentStatus.ESCALATED, START, "")
    incident = build_incident(timeline=[opened], scopes=(RATE,), working=working)
    order = IncidentScope(FUNCTIONS, function="getBook")

    assert continues_failure([order], incident, BOOKSHOP) is continues
