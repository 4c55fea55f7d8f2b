"""What must work once functions are back, as a policy declares it."""

import pytest
from msgspec.structs import replace

from shared.domain.policy.probes import Probe, VerificationCheck
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Group
from shared.domain.signals.declared_checks import (
    RequestCounts,
    combine_health,
    evaluate_checks,
    expects_enough_requests,
    should_count_sign_ins,
)
from shared.domain.signals.health import Health, HealthVerdict, ProbeAnswer, RouterRequests
from tests.support.runtime.world import BOOKSHOP

GOOD, BAD = ProbeAnswer(True, 200), ProbeAnswer(False, 500)
POLICY = replace(
    BOOKSHOP,
    groups={"pay": Group(("payOrder", "refund")), "read": Group(("listBooks",))},
    probes=(
        Probe("pay", "https://shop.example/pay", function="payOrder"),
        Probe("sign-in", "https://shop.example/sign-in"),
    ),
    gates=replace(BOOKSHOP.gates, minimum_requests=20, failing_above=0.1),
)
PAYMENT, SIGN_IN = (
    VerificationCheck(probes=("pay",), groups=("pay",)),
    VerificationCheck(probes=("sign-in",)),
)
FUNCTIONS = ScenarioName.FUNCTIONS
BACK = {"payOrder", "refund"}
ENOUGH = {"payOrder": RouterRequests(10, 1), "refund": RouterRequests(10, 1)}


@pytest.mark.parametrize(
    ("requests", "probes", "expected", "reason"),
    [
        (ENOUGH, {"pay": GOOD}, HealthVerdict.WELL, "worked"),
        ({**ENOUGH, "refund": RouterRequests(10, 2)}, {"pay": GOOD}, HealthVerdict.ILL, "15% of 20"),
        ({**ENOUGH, "refund": RouterRequests(9, 1)}, {"pay": GOOD}, HealthVerdict.INCONCLUSIVE, "19 of 20"),
        ({"listBooks": RouterRequests(999, 0)}, {"pay": GOOD}, HealthVerdict.INCONCLUSIVE, "0 of 20"),
        (None, {"pay": GOOD}, HealthVerdict.INCONCLUSIVE, "could not be read"),
        (ENOUGH, {}, HealthVerdict.INCONCLUSIVE, "pay could not be asked"),
        (None, {"pay": BAD}, HealthVerdict.ILL, "pay fails"),
    ],
    ids=["just well", "just ill", "just too few", "of others", "no metrics", "not asked", "fails"],
)
def test_a_check_of_probes_and_requests(
    requests: dict[str, RouterRequests] | None,
    probes: dict[str, ProbeAnswer],
    expected: HealthVerdict,
    reason: str,
) -> None:
    """Ill by either, well only by all that is declared; what is thin or unasked is not known."""
    policy = replace(POLICY, verification={"payment": PAYMENT})

    found = evaluate_checks(policy, FUNCTIONS, BACK, RequestCounts(requests), probes)["payment"]

    assert found.verdict is expected
    assert reason in found.reason


@pytest.mark.parametrize(
    ("back", "expected"),
    [(BACK, {"payment", "sign-in"}), ({"refund"}, {"payment", "sign-in"}), (set(), {"sign-in"})],
)
def test_which_checks_count(back: set[str], expected: set[str]) -> None:
    """Those of a function that is back, or of no single function; others were not touched."""
    policy = replace(POLICY, verification={"payment": PAYMENT, "sign-in": SIGN_IN})

    found = evaluate_checks(policy, FUNCTIONS, back, RequestCounts(ENOUGH), {"pay": GOOD, "sign-in": GOOD})

    assert set(found) == expected


@pytest.mark.parametrize(
    ("sign_ins", "probes", "expected", "reason"),
    [
        (RouterRequests(20, 6), {"sign-in": GOOD}, HealthVerdict.WELL, "worked"),
        (RouterRequests(20, 7), {"sign-in": GOOD}, HealthVerdict.ILL, "35% of 20 sign-ins failed"),
        (RouterRequests(20, 7), {}, HealthVerdict.ILL, "35% of 20 sign-ins failed"),
        (RouterRequests(20, 0), {"sign-in": BAD}, HealthVerdict.ILL, "sign-in fails"),
        (RouterRequests(20, 0), {}, HealthVerdict.INCONCLUSIVE, "sign-in could not be asked"),
        (RouterRequests(19, 19), {"sign-in": GOOD}, HealthVerdict.INCONCLUSIVE, "19 of 20 sign-ins"),
        (RouterRequests(0, 0), {"sign-in": GOOD}, HealthVerdict.INCONCLUSIVE, "0 of 20 sign-ins"),
        (None, {"sign-in": GOOD}, HealthVerdict.INCONCLUSIVE, "could not be read"),
    ],
)
def test_a_check_of_a_sign_in_and_of_all_of_them(
    sign_ins: RouterRequests | None, probes: dict[str, ProbeAnswer], expected: HealthVerdict, reason: str
) -> None:
    """Once authentication is back: one sign-in that works, and few failures among enough."""
    check = VerificationCheck(probes=("sign-in",), sign_in_failures=0.3)
    policy = replace(POLICY, verification={"sign-in": check})

    found = evaluate_checks(policy, ScenarioName.AUTH, set(), RequestCounts({}, sign_ins), probes)["sign-in"]

    assert found.verdict is expected
    assert reason in found.reason


@pytest.mark.parametrize("scenario", ScenarioName)
def test_when_sign_ins_are_counted(scenario: ScenarioName) -> None:
    """After a rollback of authentication; after another, few of them would verify nothing."""
    policy = replace(POLICY, verification={"sign-in": VerificationCheck(sign_in_failures=0.3)})
    is_auth = scenario is ScenarioName.AUTH

    assert should_count_sign_ins(policy, scenario) is is_auth
    assert not should_count_sign_ins(POLICY, scenario)
    assert set(evaluate_checks(policy, scenario, BACK, RequestCounts(ENOUGH), {})) == (
        {"sign-in"} if is_auth else set()
    )


@pytest.mark.parametrize(
    ("health", "checks", "expected"),
    [
        (Health(HealthVerdict.WELL, "a"), {}, "a"),
        (Health(HealthVerdict.WELL, "a"), {"pay": Health(HealthVerdict.WELL, "b")}, "a; checked: pay"),
        (Health(HealthVerdict.WELL, "a"), {"pay": Health(HealthVerdict.INCONCLUSIVE, "b")}, "pay: b"),
        (Health(HealthVerdict.INCONCLUSIVE, "a"), {"pay": Health(HealthVerdict.ILL, "b")}, "pay: b"),
        (Health(HealthVerdict.ILL, "a"), {"pay": Health(HealthVerdict.ILL, "b")}, "a"),
    ],
)
def test_the_health_of_all(health: Health, checks: dict[str, Health], expected: str) -> None:
    """As bad as its worst part, which says why."""
    found = combine_health(health, checks)

    worst = {health.verdict, *(one.verdict for one in checks.values())}
    order = (HealthVerdict.ILL, HealthVerdict.INCONCLUSIVE, HealthVerdict.WELL)
    assert found.verdict is next(one for one in order if one in worst)
    assert found.reason == expected


@pytest.mark.parametrize(
    ("total", "share", "is_enough"),
    [
        pytest.param(1200, 1 / 60, True, id="enough in a minute of the hour"),
        pytest.param(1200, 1 / 600, False, id="too few in six seconds"),
        pytest.param(0, 1.0, False, id="no request"),
        pytest.param(1200, -1.0, False, id="no time"),
    ],
)
def test_the_usual_requests_tell_whether_a_recovery_can_be_verified(
    total: int, share: float, is_enough: bool
) -> None:
    """As a verification would judge them, in a share of the time in which they were counted."""
    usual = {"getBook": RouterRequests(total, 0)}

    assert expects_enough_requests(BOOKSHOP, ScenarioName.FUNCTIONS, usual, share) is is_enough


def test_requests_of_several_functions_are_counted_together() -> None:
    """Each of eight functions sends one request in the time, and five are enough."""
    usual = dict.fromkeys(BOOKSHOP.functions, RouterRequests(45, 0))
    undeclared = replace(BOOKSHOP, verification={})

    assert expects_enough_requests(undeclared, ScenarioName.FUNCTIONS, usual, 80 / 3600)


def test_probes_alone_verify_what_has_no_function() -> None:
    """A site that is restored needs no request."""
    assert expects_enough_requests(BOOKSHOP, ScenarioName.COMPLETE, {}, 80 / 3600)
