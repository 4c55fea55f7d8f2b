from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.deployments.deployment import Deployment, DeploymentStatus, Placement
from shared.domain.deployments.inventory.diff import ChangeKind, Difference
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.deployments.stability import describe_passed_over, evaluate_stability
from shared.domain.policy.gate_limits import Gates
from shared.domain.signals.health import ProbeAnswer, RouterRequests
from shared.domain.system_record import System
from tests.support.fakes.runtime.clock import START
from tests.support.runtime.world import BOOKSHOP

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
POLICY = replace(BOOKSHOP, gates=Gates())
PLACED = {name: Placement(name, (), {}) for name in BOOKSHOP.functions}
DEPLOYMENT = Deployment(
    "v2",
    "bookshop",
    START - MINUTE,
    DeploymentStatus.LIVE,
    PLACED,
    settled_at=START,
    changes=(Difference(InventoryPart.FUNCTIONS, "getBook", ChangeKind.CHANGED),),
)
WELL = {probe.name: ProbeAnswer(True, 200) for probe in BOOKSHOP.probes}
ENOUGH = {"getBook": RouterRequests(20, 0)}
PEACE = System("bookshop")
OPEN = System("bookshop", incident="INC", incident_detected_at=START)
ENDED = replace(OPEN, incident_ended_at=START + 10 * MINUTE)
AGAIN = replace(
    OPEN, incident_detected_at=START + 22 * MINUTE, previous_incident_ended_at=START + 10 * MINUTE
)
BAD_PROBE = {**WELL, next(iter(WELL)): ProbeAnswer(False, 500)}
NO_PROBE = dict(list(WELL.items())[1:])
GONE = replace(DEPLOYMENT, functions={})


@pytest.mark.parametrize(
    ("changes", "status", "due_in", "untested"),
    [
        ({}, DeploymentStatus.STABLE, None, ()),
        ({"after": 29.9 * MINUTE}, DeploymentStatus.LIVE, 0.1 * MINUTE, ()),
        ({"system": OPEN}, DeploymentStatus.LIVE, 10 * MINUTE, ()),
        ({"system": ENDED}, DeploymentStatus.LIVE, 10 * MINUTE, ()),
        ({"system": ENDED, "after": 40 * MINUTE}, DeploymentStatus.STABLE, None, ()),
        ({"probes": BAD_PROBE}, DeploymentStatus.LIVE, 10 * MINUTE, ()),
        ({"probes": NO_PROBE}, DeploymentStatus.LIVE, 10 * MINUTE, ()),
        ({"requests": None}, DeploymentStatus.LIVE, 10 * MINUTE, ()),
        ({"requests": {"getBook": RouterRequests(20, 2)}}, DeploymentStatus.STABLE, None, ()),
        ({"requests": {"getBook": RouterRequests(20, 3)}}, DeploymentStatus.LIVE, 10 * MINUTE, ()),
        ({"requests": {**ENOUGH, "payOrder": RouterRequests(20, 20)}}, DeploymentStatus.STABLE, None, ()),
        ({"requests": {"getBook": RouterRequests(19, 0)}}, DeploymentStatus.LIVE, HOUR, ("getBook",)),
        ({"requests": {}}, DeploymentStatus.LIVE, HOUR, ("getBook",)),
        ({"requests": {}, "after": 23 * HOUR}, DeploymentStatus.LIVE, HOUR, ("getBook",)),
        ({"requests": {}, "after": 23.1 * HOUR}, DeploymentStatus.LIVE, None, ("getBook",)),
        ({"requests": {}, "deployment": GONE}, DeploymentStatus.STABLE, None, ()),
    ],
)
def test_when_a_deployment_is_known_to_be_good(
    changes: dict[str, Any], status: DeploymentStatus, due_in: timedelta | None, untested: tuple[str, ...]
) -> None:
    """Time in peace, probes, and requests for each function that it changed; unknown waits."""
    given = {"after": 30 * MINUTE, "system": PEACE, "probes": WELL, "requests": ENOUGH, **changes}
    now = START + given["after"]

    found = evaluate_stability(
        given.get("deployment", DEPLOYMENT), POLICY, given["system"], given["requests"], given["probes"], now
    )

    assert (found.status, found.untested) == (status, untested)
    assert found.due_at == (None if due_in is None else now + due_in)
    assert found.reason


@pytest.mark.parametrize(
    ("system", "until", "baked"),
    [
        (PEACE, START + 20 * MINUTE, "20 of 30 minutes baked"),
        (PEACE, START - MINUTE, "0 of 30 minutes baked"),
        (PEACE, START + HOUR, "30 of 30 minutes baked, but it was not judged yet"),
        (ENDED, START + 20 * MINUTE, "10 of 30 minutes baked"),
        (OPEN, START + 20 * MINUTE, "0 of 30 minutes baked"),
        (AGAIN, START + 25 * MINUTE, "12 of 30 minutes baked"),
    ],
    ids=["in peace", "never", "whole", "after an incident", "during one", "after one and before another"],
)
def test_what_a_plan_says_of_a_deployment_that_it_passes_over(
    system: System, until: datetime, baked: str
) -> None:
    """Since when it was live, and how much of its bake time was over without an open incident."""
    line = describe_passed_over(DEPLOYMENT, until, POLICY, system)

    assert line == f"v2, live since {DEPLOYMENT.at:%Y-%m-%d %H:%M} UTC, is passed over: {baked}"
