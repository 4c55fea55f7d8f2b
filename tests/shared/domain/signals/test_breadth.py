"""How bad it is that these functions fail, and what a signal means then."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from shared.domain.incidents.recovery_times import find_scenario
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity, worse_severity
from shared.domain.policy.signals import BreadthLimits, Signal
from shared.domain.signals.breadth import count_failing, limit_signal, measure_level
from shared.domain.signals.health import RouterRequests
from tests.support.cli.documented_commands import CVPLUS

NAMES = [*CVPLUS.functions]
PROCESSING, CALENDAR = CVPLUS.groups["processing"].functions, CVPLUS.groups["calendar"].functions
CRITICAL, HIGH, MEDIUM, LOW = Severity
PREMIUM = CVPLUS.groups["premium"].functions


@pytest.mark.parametrize(
    ("failing", "level"),
    [
        ([], None),
        ([None, "unknownFunction"], None),
        (PREMIUM[:1], LOW),
        (["getCVStatus"], LOW),
        (CALENDAR, MEDIUM),  # a feature of one function
        (PREMIUM[:2], MEDIUM),  # a partial outage
        (PREMIUM, MEDIUM),
        (["processCV"], HIGH),  # CV processing is blocked
        (["generateCV"], HIGH),
        (["downloadProcessedCV", "getCVStatus", "uploadCV"], MEDIUM),  # half of its group
        (["downloadProcessedCV", "getCVStatus", "uploadCV", "uploadCVFromUrl"], HIGH),
        (PROCESSING, HIGH),
        (NAMES[-(len(NAMES) // 4) :], MEDIUM),
        (NAMES[: len(NAMES) // 4 + 1], HIGH),
        (NAMES[: len(NAMES) // 2], HIGH),
        (NAMES[: len(NAMES) // 2 + 1], CRITICAL),
        (NAMES, CRITICAL),
    ],
)
def test_the_level_of_what_fails(failing: list[str], level: Severity | None) -> None:
    """The runbook's table: the system, more than a quarter of it, a feature, or one component."""
    assert measure_level(CVPLUS, failing) is level


def test_more_that_fails_is_never_less_severe() -> None:
    """Whichever functions fail, one more of them never lowers the level."""
    levels = [measure_level(CVPLUS, NAMES[:count]) for count in range(1, len(NAMES) + 1)]

    assert all(
        before and after and worse_severity(before, after) is after for before, after in pairwise(levels)
    )


@pytest.mark.parametrize(("requests", "level"), [(100, LOW), (101, HIGH)])
def test_one_function_that_most_requests_go_to(requests: int, level: Severity) -> None:
    """More than half of all requests: users are affected widely, however few functions fail."""
    counted = {NAMES[0]: RouterRequests(requests, requests), NAMES[1]: RouterRequests(100, 0)}

    assert measure_level(CVPLUS, NAMES[:1], counted) is level


@pytest.mark.parametrize(
    ("failing", "others", "level"),
    [
        (60, 0, CRITICAL),
        (60, 59, CRITICAL),
        (60, 60, HIGH),
        (37, 0, CRITICAL),
        (37, 37, HIGH),
        (37, 114, HIGH),
        (2, 0, CRITICAL),
        (1, 0, HIGH),
        (1, 4, LOW),
    ],
)
def test_a_mass_failure_that_most_requests_meet(failing: int, others: int, level: Severity) -> None:
    """Idle functions make no outage smaller; a single function with requests is no system."""
    bad, well = NAMES[:failing], NAMES[failing : failing + others]
    counted = dict.fromkeys(bad, RouterRequests(30, 30)) | dict.fromkeys(well, RouterRequests(30, 0))

    assert measure_level(CVPLUS, bad, counted) is level


def test_a_critical_path_by_its_alias() -> None:
    """An alias stands for its groups; `medium_group_above` is their share, too."""
    policy = replace(CVPLUS, breadth=BreadthLimits(critical_path=("cv-processing",)))

    assert measure_level(policy, ["processCV"]) is LOW
    assert measure_level(policy, PROCESSING[:3]) is MEDIUM
    assert measure_level(policy, PROCESSING[:4]) is HIGH
    assert measure_level(replace(CVPLUS, breadth=BreadthLimits()), PROCESSING) is MEDIUM


def test_levels_of_a_policy() -> None:
    """The numbers are keys of the policy; with 0, each failing function counts as the system."""
    assert CVPLUS.breadth == BreadthLimits(critical_path=("processCV", "generateCV", "processing"))
    everything = replace(CVPLUS, breadth=BreadthLimits(critical_above=0.0))
    strict = replace(CVPLUS, breadth=BreadthLimits(high_above=0.0))
    parts = replace(CVPLUS, breadth=BreadthLimits(low_functions=0))
    components = replace(CVPLUS, breadth=BreadthLimits(low_functions=20, medium_group_above=1.0))

    assert measure_level(everything, NAMES[:1]) is CRITICAL
    assert measure_level(strict, NAMES[:1]) is HIGH
    assert measure_level(parts, NAMES[:1]) is MEDIUM
    assert measure_level(components, PROCESSING) is LOW


@pytest.mark.parametrize(
    ("signal", "count", "severity", "scenario", "mode"),
    [
        ("function_failure_rate", 0, CRITICAL, ScenarioName.FUNCTIONS, Mode.ACT),
        ("function_failure_rate", 1, LOW, ScenarioName.FEATURE, Mode.ACT),
        ("function_failure_rate", 2, MEDIUM, ScenarioName.FEATURE, Mode.ACT),
        ("function_failure_rate", 50, HIGH, ScenarioName.FUNCTIONS, Mode.ACT),
        ("function_failure_rate", 100, CRITICAL, ScenarioName.FUNCTIONS, Mode.ACT),
        ("functions_failing_share", 1, LOW, ScenarioName.FEATURE, Mode.ACT),
        ("functions_failing_share", 100, HIGH, ScenarioName.FUNCTIONS, Mode.ACT),
        ("error_rate", 1, LOW, ScenarioName.NONE, Mode.OBSERVE),
        ("error_rate", 100, MEDIUM, ScenarioName.NONE, Mode.OBSERVE),
        ("frontend_unavailable", 1, CRITICAL, ScenarioName.COMPLETE, Mode.ACT),
        ("authentication_failure", 1, CRITICAL, ScenarioName.AUTH, Mode.ACT),
        ("critical_path_blocked", 1, HIGH, ScenarioName.FUNCTIONS, Mode.ACT),
    ],
)
def test_what_a_signal_means(
    signal: str, count: int, severity: Severity, scenario: ScenarioName, mode: Mode
) -> None:
    """At most its severity, and less where fewer functions fail; only requests count functions."""
    found = limit_signal(CVPLUS, signal, measure_level(CVPLUS, NAMES[:count]))

    assert (found.severity, found.scenario, found.mode) == (severity, scenario, mode)


def test_a_signal_that_a_policy_leads_to_features() -> None:
    """The mode is the policy's; a signal that is MEDIUM in the policy leads to a feature, too."""
    meant = CVPLUS.signals["error_rate"]
    act = {"mode": Mode.ACT, "scenario": ScenarioName.FEATURE}
    feature = replace(CVPLUS, signals={"error_rate": replace(meant, **act)})
    functions = replace(
        CVPLUS, signals={"error_rate": replace(meant, mode=Mode.ACT, scenario=ScenarioName.FUNCTIONS)}
    )

    assert limit_signal(feature, "error_rate", LOW) == replace(meant, severity=LOW, **act)
    found = limit_signal(functions, "error_rate", MEDIUM)
    assert (found.severity, found.scenario, found.mode) == (MEDIUM, ScenarioName.FEATURE, Mode.ACT)
    asks = replace(functions, signals={"error_rate": replace(functions.signals["error_rate"], mode=Mode.ASK)})
    assert limit_signal(asks, "error_rate", MEDIUM).mode is Mode.ASK


@pytest.mark.parametrize("scenario", ScenarioName)
@pytest.mark.parametrize("worst", Severity)
def test_targets_and_decisions_mean_the_same_scenario(worst: Severity, scenario: ScenarioName) -> None:
    """Whatever fails, an incident of the limited severity has the target of what is decided."""
    for name in CVPLUS.signals:
        policy = replace(CVPLUS, signals={name: Signal(worst, scenario, Mode.ACT)})
        for level in Severity:
            found = limit_signal(policy, name, level)

            assert find_scenario(policy, name, found.severity) == found.scenario, (name, level)


def test_a_policy_that_does_not_name_features() -> None:
    """A feature is a part of all functions: it goes back unasked where those may."""
    scenarios = {ScenarioName.FUNCTIONS: Mode.ACT}
    signal = limit_signal(CVPLUS, "function_failure_rate", LOW)

    assert replace(CVPLUS, scenarios=scenarios).strictest_mode(signal) is Mode.ACT
    asking = {ScenarioName.FUNCTIONS: Mode.ASK}
    assert replace(CVPLUS, scenarios=asking).strictest_mode(signal) is Mode.ASK
    observed = {**scenarios, ScenarioName.FEATURE: Mode.OBSERVE}
    assert replace(CVPLUS, scenarios=observed).strictest_mode(signal) is Mode.OBSERVE
    assert replace(CVPLUS, scenarios={}).strictest_mode(signal) is Mode.OBSERVE


def test_how_many_functions_fail() -> None:
    """As people read it, in singular and plural."""
    assert (
        count_failing(PROCESSING, [PROCESSING[0], CALENDAR[0], None]) == f"1 of {len(PROCESSING)} functions"
    )
    assert count_failing(CALENDAR, CALENDAR) == "1 of 1 function"
