"""Whether functions are well, by what routers counted of them."""

import pytest

from shared.domain.policy.gate_limits import Gates
from shared.domain.signals.health import HealthVerdict, RouterRequests, evaluate_health

GATES = Gates(minimum_requests=20, failing_above=0.1)


@pytest.mark.parametrize(
    ("count", "verdict", "reason"),
    [
        (RouterRequests(20, 20), HealthVerdict.ILL, "1 function fails: shelf"),
        (
            RouterRequests(20, 3),
            HealthVerdict.INCONCLUSIVE,
            "too few requests to tell failure from chance: shelf",
        ),
        (RouterRequests(200, 60), HealthVerdict.ILL, "1 function fails: shelf"),
        (RouterRequests(20, 2), HealthVerdict.WELL, "20 requests, 0 probes, none failing"),
    ],
)
def test_a_function_fails_once_its_requests_prove_it(
    count: RouterRequests, verdict: HealthVerdict, reason: str
) -> None:
    """Three failed requests of twenty may be chance: nobody is told that it got worse."""
    health = evaluate_health(["shelf"], {"shelf": count}, {}, GATES)

    assert (health.verdict, health.reason) == (verdict, reason)
