"""What beside functions explains trouble, and what of it was our own doing."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from responders.scenarios.products import hosting
from responders.scenarios.products.registry import PLANNERS
from responders.scenarios.resource_plan import ResourceState
from shared.domain.decision.facts import ChangeSet
from shared.domain.decision.scenario_scope import SCENARIO_SCOPES, widen_scenario
from shared.domain.decision.target_selection import suspect_resources
from shared.domain.deployments.deployment import Deployment, DeploymentStatus
from shared.domain.deployments.inventory.diff import ChangeKind as Became
from shared.domain.deployments.inventory.diff import Difference, differences
from shared.domain.deployments.inventory.inventory_parts import (
    HostingSite,
    Index,
    IndexField,
    RemoteConfigTemplate,
    RulesFile,
    RulesRelease,
    WholeInventory,
)
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.signals import Signal
from shared.domain.policy.system_policy import Group
from shared.domain.signals.health import RouterRequests
from shared.engine.steps.resource_differences import is_own_change
from tests.support.cli.documented_commands import CVPLUS
from tests.support.decision.gate_facts import BAD_RELEASE, ONSET
from tests.support.fakes.runtime.clock import START
from tests.support.runtime.world import BOOKSHOP

SECOND = timedelta(seconds=1)
WINDOW = BOOKSHOP.gates.suspect_window
SITE = Difference(InventoryPart.SITES, "shop", Became.CHANGED)


@pytest.mark.parametrize(
    ("at", "not_before", "status", "surely", "perhaps"),
    [
        (ONSET, ONSET - SECOND, DeploymentStatus.LIVE, True, False),
        (ONSET + SECOND, ONSET, DeploymentStatus.ROLLING_OUT, False, True),
        (ONSET + SECOND, ONSET + SECOND, DeploymentStatus.LIVE, False, False),
        (ONSET - WINDOW, None, DeploymentStatus.LIVE, True, False),
        (ONSET - WINDOW - SECOND, None, DeploymentStatus.LIVE, False, False),
        (ONSET, None, DeploymentStatus.BAD, False, False),
    ],
)
def test_a_change_beside_functions_and_the_trouble(
    at: datetime, not_before: datetime | None, status: DeploymentStatus, surely: bool, perhaps: bool
) -> None:
    """It explains what began after it, and soon; when it was made is known by two looks."""
    made = Deployment("v2", "bookshop", at, status, {}, not_before=not_before, changes=(SITE,))
    change = ChangeSet(None, {}, skipped=(made,))

    found = suspect_resources(change, BAD_RELEASE, BOOKSHOP, {InventoryPart.SITES})

    assert found == (["sites shop"] if surely else [], ["sites shop"] if perhaps else [])
    assert suspect_resources(change, BAD_RELEASE, BOOKSHOP, {InventoryPart.IDENTITY}) == ([], [])


def test_no_scenario_reaches_data() -> None:
    """Law 10: what a scenario brings back is code and configuration."""
    reached = {part for reach in SCENARIO_SCOPES.values() for part in reach.acts | reach.asks}
    asked = {part for reach in SCENARIO_SCOPES.values() for part in reach.asks}

    assert reached == {
        *(InventoryPart.FUNCTIONS, InventoryPart.SITES, InventoryPart.REMOTE_CONFIG),
        *(InventoryPart.RULES, InventoryPart.IDENTITY, InventoryPart.INDEXES),
    }
    assert asked == {InventoryPart.RULES, InventoryPart.IDENTITY}
    assert all(asked.isdisjoint(reach.acts) for reach in SCENARIO_SCOPES.values())


@pytest.mark.parametrize(
    ("failed", "everything", "becomes"),
    [
        (100, Mode.ACT, ScenarioName.COMPLETE),
        (99, Mode.ACT, ScenarioName.FUNCTIONS),
        (100, Mode.ASK, ScenarioName.FUNCTIONS),
    ],
)
def test_every_function_failing(failed: int, everything: Mode, becomes: ScenarioName) -> None:
    """Only when every request fails is it everything, and never where that would only ask."""
    scenarios = {ScenarioName.FUNCTIONS: Mode.ACT, ScenarioName.COMPLETE: everything}
    policy = replace(BOOKSHOP, scenarios=scenarios)
    counted = {
        name: replace(one, total=100, failed=failed) for name, one in (BAD_RELEASE.requests or {}).items()
    }
    signal = Signal(Severity.CRITICAL, ScenarioName.FUNCTIONS, Mode.ACT)

    found = widen_scenario(signal, replace(BAD_RELEASE, requests=counted), policy)

    assert found.scenario is becomes


@pytest.mark.parametrize(
    ("size", "busy", "rare", "becomes"),
    [
        (151, 60, RouterRequests(3, 3), ScenarioName.COMPLETE),
        (151, 60, RouterRequests(0, 0), ScenarioName.COMPLETE),
        (151, 60, RouterRequests(3, 2), ScenarioName.FUNCTIONS),  # some requests work
        (151, 37, RouterRequests(0, 0), ScenarioName.FUNCTIONS),  # a quarter: it tells of too few
        (2, 1, RouterRequests(0, 0), ScenarioName.FUNCTIONS),
        (2, 2, RouterRequests(0, 0), ScenarioName.COMPLETE),
        (1, 1, RouterRequests(0, 0), ScenarioName.COMPLETE),
        (1, 0, RouterRequests(19, 19), ScenarioName.FUNCTIONS),
    ],
)
def test_every_request_failing(size: int, busy: int, rare: RouterRequests, becomes: ScenarioName) -> None:
    """Functions with enough traffic tell of the system, if they are more than a quarter of it."""
    names = [*CVPLUS.functions][:size]
    policy = replace(CVPLUS, groups={"all": Group(tuple(names))})
    counted = dict.fromkeys(names, rare) | dict.fromkeys(names[:busy], RouterRequests(20, 20))
    signal = Signal(Severity.CRITICAL, ScenarioName.FUNCTIONS, Mode.ACT)

    found = widen_scenario(signal, replace(BAD_RELEASE, requests=counted), policy)

    assert found.scenario is becomes


CARTS = Index("(default)", "carts", "COLLECTION", (IndexField("a", "ASCENDING"),) * 2)


def whole(number: str) -> WholeInventory:
    """All that lies beside the functions, as of a release."""
    first = number == "1"
    return WholeInventory(
        sites={"shop": HostingSite(f"v{number}", START, {"next": f"p{number}"})},
        remote_config={"firebase": RemoteConfigTemplate(number, number, number, "{}")},
        rules={"cloud.firestore": RulesRelease(f"r{number}", START, (RulesFile("r", number),))},
        identity={"mfa.state": number, "smsRegionConfig.allowByDefault.disallowed": [number]},
        indexes={CARTS.definition: CARTS} if first else {},
    )


GOOD, BAD = whole("1"), whole("2")
MINUTES = timedelta(minutes=5)
SIGHT = ResourceState(GOOD, BAD, dict.fromkeys(hosting.versions_to_check(GOOD, BAD), "FINALIZED"))
STEPS = [step for planner in PLANNERS.values() for step in planner.portion(SIGHT, MINUTES).steps]


def test_our_own_changes() -> None:
    """Each of them is known for ours once it is where we lead; none before that."""
    changed = differences(BAD, GOOD)

    assert len(changed) == 6
    assert [one for one in changed if not is_own_change(one, BAD, GOOD, STEPS)] == []
    assert [
        one for one in changed if is_own_change(one, BAD, BAD, STEPS) and one.part != InventoryPart.SITES
    ] == []
    assert [one for one in changed if is_own_change(one, BAD, GOOD, [])] == []


def test_a_site_that_a_person_touched_as_well() -> None:
    """One channel more than ours, or another version: it is a change of theirs."""
    [shop] = [one for one in differences(BAD, GOOD) if one.part is InventoryPart.SITES]
    for version, channels in (("v3", {"next": "p1"}), ("v1", {"next": "p1", "mine": "x"})):
        theirs = replace(GOOD, sites={"shop": HostingSite(version, START, channels)})
        assert not is_own_change(shop, BAD, theirs, STEPS)
    half = replace(GOOD, sites={"shop": HostingSite("v1", START, {"next": "p2"})})
    assert is_own_change(shop, BAD, half, STEPS)
