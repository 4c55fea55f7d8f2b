"""What the facts of a decision tell of each function."""

import pytest

from shared.domain.signals.health import RouterRequests
from tests.support.decision.gate_facts import change_facts
from tests.support.runtime.world import BOOKSHOP

BASKET = "renderBasket"
ALL_FAILED = RouterRequests(20, 20)


@pytest.mark.parametrize(
    ("requests", "fails"),
    [
        pytest.param(RouterRequests(200, 30), True, id="it counts requests of before the release"),
        pytest.param(RouterRequests(200, 20), False, id="it has recovered since"),
    ],
)
def test_first_requests_prove_a_failure_that_later_ones_do_not_contradict(
    requests: RouterRequests, fails: bool
) -> None:
    """A function that a roll-out changed last is not diluted by what its old revision answered."""
    facts = change_facts(alerts=(), requests={BASKET: requests}, first_requests={BASKET: ALL_FAILED})

    assert (BASKET in facts.assess(BOOKSHOP).failing) is fails
    assert BASKET not in change_facts(requests={BASKET: requests}).assess(BOOKSHOP).failing


@pytest.mark.parametrize(
    ("requests", "stays"),
    [
        pytest.param(RouterRequests(0, 0), True, id="no request"),
        pytest.param(RouterRequests(20, 4), True, id="a fifth fails"),
        pytest.param(RouterRequests(20, 0), False, id="all work"),
    ],
)
def test_an_open_question_keeps_what_is_not_proven_to_work(requests: RouterRequests, stays: bool) -> None:
    """Its plan does not change with each request of a quiet function."""
    facts = change_facts(alerts=(), requests={BASKET: requests}, asked_before=(BASKET,))

    assert (BASKET in facts.find_known_failing(BOOKSHOP)) is stays
