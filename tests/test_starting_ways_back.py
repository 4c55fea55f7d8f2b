"""How one goes back to what did not come up on the stand."""

from __future__ import annotations

from shared.plan import StepStatus
from shared.rollback import Status
from tests.stands import (
    MINUTE,
    OLD,
    SHOP,
    aged,
    tried,
)
from tests.ways_back import back, ends, roll_back
from tests.world import BOOKSHOP, FakePorts, World


def with_failed_start(*, keeps_sources: bool) -> World:
    """The target's revision of one function is called ready, and did not start on the stand."""
    ports = FakePorts(SHOP)
    if not keeps_sources:
        ports.sources = None  # type: ignore[assignment]
    world = World(policy=SHOP, ports=ports)
    world.pass_time(2 * MINUTE)
    world.ports.world.lose_image("payOrder", told=False)
    aged(world)
    world.pass_time(10 * MINUTE)
    assert tried(world)[OLD].again_at is not None
    return world


def test_a_function_that_did_not_start_goes_back_by_a_rebuild() -> None:
    """As one whose image is gone: no request is led to what does not start."""
    world = with_failed_start(keeps_sources=True)
    world.deploy_bad()

    rollback = roll_back(world)

    assert rollback.status in (Status.WATCHING, Status.SUCCEEDED)
    assert ends(world, "payOrder") == {"redeploy": StepStatus.DONE, "serve": StepStatus.DONE}
    assert rollback.plan is not None
    (why,) = [line for line in rollback.plan.reported if "did not start" in line]
    assert why.startswith(f"payOrder: revision {OLD} did not start (2026-03-03")
    assert back(world) == set(world.live)
    assert world.broken_laws() == []


def test_a_function_that_did_not_start_and_cannot_be_built_again() -> None:
    """As a revision that is not ready: people decide, and are told which it is and why."""
    world = with_failed_start(keeps_sources=False)
    world.deploy_bad()

    rollback = roll_back(world)

    (reason,) = [one["reason"] for one in rollback.gates if one["gate"] == "restorable"]
    assert reason == "1 functions have lost their revision: payOrder (did not start)"
    assert rollback.status is Status.NOT_TAKEN


def with_false_failure() -> World:
    """A copy does not come up, though the revision would; it cannot be built again."""
    ports = FakePorts(SHOP)
    ports.sources = None  # type: ignore[assignment]
    world = World(policy=SHOP, ports=ports)
    world.pass_time(2 * MINUTE)
    ports.stand.unstartable[OLD] = "K_SERVICE is not payorder"
    aged(world)
    world.pass_time(10 * MINUTE)
    world.deploy_bad()
    return world


def test_a_policy_that_names_no_stand_any_more() -> None:
    """What trials told stands in nobody's way from then on, not only from the next proof on."""
    world = with_false_failure()
    world.policy = BOOKSHOP
    world.start_instances()

    assert roll_back(world).status in (Status.WATCHING, Status.SUCCEEDED)
    assert back(world) == set(world.live)
    assert world.broken_laws() == []


def test_a_person_who_knows_that_it_starts() -> None:
    """Break-glass goes back to what did not come up on the stand, where all else is there."""
    world = with_false_failure()
    assert roll_back(world).status is Status.NOT_TAKEN
    about = {"incident": world.incidents()[-1].id, "system": "bookshop", "reason": "it starts"}

    world.command(command="rollback", override=True, **about)
    world.pass_time(20 * MINUTE)

    rollback = world.rollbacks()[-1]
    assert rollback.status in (Status.WATCHING, Status.SUCCEEDED)
    assert rollback.plan is not None
    assert [line for line in rollback.plan.reported if f"{OLD} did not start" in line]
    assert back(world) == set(world.live)
    assert world.broken_laws() == []
