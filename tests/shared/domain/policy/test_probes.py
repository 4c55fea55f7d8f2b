"""Which probes may pass although the code of their function never ran."""

import pytest

from shared.domain.policy.probes import ExpectedAnswer, Probe, ProbeMethod


@pytest.mark.parametrize(
    ("expected", "status_below", "may_miss"),
    [
        (ExpectedAnswer(), 500, True),
        (ExpectedAnswer(), 400, False),
        (ExpectedAnswer(status=200), 500, False),
        (ExpectedAnswer(status=400), 500, True),
        (ExpectedAnswer(status=401), 500, True),
        (ExpectedAnswer(status=403), 500, True),
        (ExpectedAnswer(status=404), 500, False),
        (ExpectedAnswer(status=400, json={"title": None}), 500, False),
        (ExpectedAnswer(text="The Bookshop"), 500, False),
    ],
)
def test_a_get_that_may_not_reach_the_handler(
    expected: ExpectedAnswer, status_below: int, may_miss: bool
) -> None:
    """A callable answers a GET with 400; a caller without access is answered with 401 or 403."""
    probe = Probe("book", function="getBook", expect=expected, status_below=status_below)

    assert probe.may_miss_handler is may_miss


def test_other_requests_reach_their_handler() -> None:
    """A POST calls the function; a site has none."""
    assert not Probe("pay", function="payOrder", method=ProbeMethod.POST).may_miss_handler
    assert not Probe("site").may_miss_handler
