"""What doctor says of the service on which starts are made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from cli.doctor.finding import Finding, Verdict
from cli.doctor.stand import stand
from shared.deployment import Deployment, Placement, Restorability, Status, Tried
from shared.errors import Gone, RollbackError
from shared.stand import OnStand
from tests.installed import DOUBTFUL, NOON, SILENT, UNKNOWN, WELL, WRONG
from tests.stands import SHOP

FOUND = OnStand("1", "rollback-starts-t20260302-120000", internal=True)
SERVED = {
    "placeOrder": Placement("placeorder", (), {"placeorder-1": 100}),
    "payOrder": Placement("payorder", (), {"payorder-1": 100}),
}
TARGET = Deployment(
    "v1",
    "shop",
    NOON,
    Status.STABLE,
    SERVED,
    restorable=Restorability(
        NOON, started={"placeorder-1": NOON}, tried={"payorder-1": Tried(NOON)}
    ),
)
HALF = replace(TARGET, restorable=Restorability(NOON, started={"placeorder-1": NOON}))


def said(
    found: OnStand | RollbackError | None = FOUND,
    callers: Any = (),
    deployments: Any = (TARGET,),
) -> list[Finding]:
    return list(stand(SHOP, found, callers, deployments))


def test_a_stand_that_has_done_its_work() -> None:
    """How many of the target's revisions are known to start, and by what."""
    [one] = said()

    assert (one.check, one.what, one.verdict) == ("stand", "rollback-starts", WELL)
    assert one.why == (
        "v1: 2 of 2 revisions are known to start: 1 were seen to, 1 made to on the stand"
    )


@pytest.mark.parametrize(
    ("facts", "verdict", "why"),
    [
        ({"found": Gone("no")}, WRONG, "there is no such service"),
        ({"found": SILENT}, UNKNOWN, ""),
        ({"callers": ("allUsers roles/run.invoker",)}, WRONG, "it may be called: allUsers"),
        ({"callers": SILENT}, UNKNOWN, ""),
        ({"found": replace(FOUND, internal=False)}, WRONG, "reachable from outside"),
        (
            {"found": replace(FOUND, newest="rollback-starts-00002-abc")},
            *(DOUBTFUL, "rollback-starts-00002-abc stands there and is not ours"),
        ),
        ({"deployments": (HALF,)}, DOUBTFUL, "1 of 2 revisions are known to start"),
        ({"deployments": SILENT}, UNKNOWN, ""),
    ],
)
def test_a_stand_that_is_not_well(facts: dict[str, Any], verdict: Verdict, why: str) -> None:
    """What is amiss with it, and what to do."""
    [one] = [one for one in said(**facts) if one.verdict is not WELL]

    assert one.verdict is verdict
    assert why in one.why
    assert one.what_to_do or verdict is UNKNOWN


def test_a_system_without_a_stand_or_a_target() -> None:
    """There is nothing to say."""
    assert said(found=None) == []
    assert said(deployments=()) == []


def test_a_start_that_is_too_long_ago() -> None:
    """A day before the proof is the limit."""
    proof = Restorability(
        NOON,
        started={"placeorder-1": NOON},
        tried={"payorder-1": Tried(NOON - timedelta(days=1))},
    )

    [one] = said(deployments=(replace(TARGET, restorable=proof),))

    assert one.verdict is DOUBTFUL
