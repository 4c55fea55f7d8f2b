"""A function fails where its requests prove it, however often and in however small a group."""

from random import Random

import pytest
from msgspec.structs import replace

from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import Signal, SignalCondition, Unit
from shared.domain.policy.system_policy import Group
from shared.domain.signals.failure_evidence import assess_failures, list_areas, spread_failure
from shared.domain.signals.health import RESOLUTION, RouterRequests, has_failed
from tests.support.runtime.world import BOOKSHOP

LEVEL = 0.5
SHOP = replace(
    BOOKSHOP,
    groups={
        "busy": Group(("search", "pay", "list")),
        "quiet": Group(("export", "import", "archive", "audit", "mail")),
    },
    signals={
        "function_failure_rate": Signal(Severity.CRITICAL, ScenarioName.FUNCTIONS, Mode.ACT, LEVEL),
        "performance_degraded": Signal(
            *(Severity.HIGH, ScenarioName.FUNCTIONS, Mode.ACT, 0.5), also=(SignalCondition(Unit.RATIO, 0.25),)
        ),
    },
)
WORKING = {"search": RouterRequests(400, 1), "pay": RouterRequests(300, 2), "list": RouterRequests(500, 0)}


@pytest.mark.parametrize(
    ("total", "failed", "proven"),
    [
        (0, 0, False),
        (1, 1, False),
        (7, 7, False),
        (8, 8, True),
        (20, 16, True),
        (20, 11, False),
        (200, 100, False),
        (200, 120, True),
        (10_000, 5_001, True),
    ],
)
def test_so_many_requests_prove_a_failure(total: int, failed: int, proven: bool) -> None:
    """Eight failures in a row do, sixteen of twenty, and a little more than half of very many."""
    assert has_failed(RouterRequests(total, failed), LEVEL) is proven


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_level_that_no_ratio_exceeds_or_each_does_proves_nothing(level: float) -> None:
    """A level of 0 % or 100 % is no level that requests can be compared with."""
    assert not has_failed(RouterRequests(50, 50), level)


def test_the_budget_of_false_alarms_holds_however_often_the_counts_are_read() -> None:
    """Of 1,000 functions just below what the test resolves, few ever seem to fail."""
    random, budget, alarms = Random(7), 0.05, 0
    for _ in range(1000):
        failed = 0
        for total in range(1, 301):
            failed += random.random() < RESOLUTION * LEVEL
            if has_failed(RouterRequests(total, failed), LEVEL, budget):
                alarms += 1
                break
    assert alarms <= 1000 * budget


def test_a_function_that_fails_among_working_ones() -> None:
    """It alone fails; what works is sound."""
    evidence = assess_failures(SHOP, {**WORKING, "pay": RouterRequests(50, 45)})

    assert evidence.failing == evidence.broken == {"pay"}
    assert evidence.sound == {"search", "list"}
    assert spread_failure(list_areas(SHOP), {"pay"}, evidence) == {"pay"}


def test_functions_that_seem_to_fail_share_the_budget_of_false_alarms() -> None:
    """Eight failures prove it of one function; beside three that seem to fail they do not."""
    seeming = dict.fromkeys(("export", "import", "archive"), RouterRequests(9, 5))

    assert assess_failures(SHOP, {**WORKING, "pay": RouterRequests(8, 8)}).failing == {"pay"}
    assert not assess_failures(SHOP, {**WORKING, **seeming, "pay": RouterRequests(8, 8)}).failing
    assert assess_failures(SHOP, {**WORKING, **seeming, "pay": RouterRequests(12, 12)}).failing == {"pay"}


def test_functions_too_quiet_to_be_judged_alone_are_judged_together() -> None:
    """Two failures of each of five functions prove nothing of one, and that their group fails."""
    quiet = dict.fromkeys(SHOP.groups["quiet"].functions, RouterRequests(2, 2))

    assert assess_failures(SHOP, {**WORKING, **quiet}).failing == {*quiet}
    assert not assess_failures(SHOP, {**WORKING, "mail": RouterRequests(2, 2)}).failing


def test_a_silent_function_goes_with_a_group_in_which_nothing_works() -> None:
    """Two of its group fail and no other one has requests: all of the group fails, and no other."""
    requests = {**WORKING, "export": RouterRequests(9, 9), "import": RouterRequests(12, 12)}
    evidence = assess_failures(SHOP, requests)

    assert spread_failure(list_areas(SHOP), {*evidence.failing}, evidence) == {
        *SHOP.groups["quiet"].functions
    }


def test_a_working_function_keeps_silent_ones_of_its_group_where_they_are() -> None:
    """Half of a group fails: what has no requests is not known to fail."""
    requests = {
        **WORKING,
        **dict.fromkeys(("export", "import"), RouterRequests(9, 9)),
        "mail": RouterRequests(9, 0),
    }
    evidence = assess_failures(SHOP, requests)

    assert spread_failure(list_areas(SHOP), {*evidence.failing}, evidence) == {"export", "import"}


def test_a_share_of_all_requests_lowers_the_level_of_each_function() -> None:
    """A third of everything fails, which the policy answers: each function at that share fails."""
    requests = dict.fromkeys(SHOP.functions, RouterRequests(300, 110))
    assert assess_failures(SHOP, requests).failing == SHOP.functions.keys()

    alone = {**WORKING, "pay": RouterRequests(300, 110)}
    assert not assess_failures(SHOP, alone).failing
