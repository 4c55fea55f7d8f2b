"""Rehearsals, and what a promotion needs of them."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core.errors import Rejected
from shared.domain.policy.execution_limits import WriteQuota
from shared.domain.policy.scenario_names import Mode
from shared.domain.policy.system_policy import Policy
from tests.support.fakes.runtime.hooks import raise_error
from tests.support.rollbacks.drills import read_drills, read_system
from tests.support.runtime.world import BOOKSHOP, World

CAREFUL = replace(BOOKSHOP, gates=replace(BOOKSHOP.gates, drills_before_act=2))


def test_a_drill_changes_nothing_and_is_on_record() -> None:
    """Each shift is validated and timed; nothing is live that was not before."""
    world = World()
    before = world.platform.inventory()
    asked: list[str] = []

    def hook(verb: str, side: str) -> None:
        if side == "before":
            asked.append(verb)

    world.platform.hook = hook
    world.carry_out("drill", id="first", actor="alice")

    [done] = read_drills(world)
    assert (done.id, done.agrees, done.target) == ("first", True, "v1")
    assert set(done.rehearsed) == set(world.policy.functions)
    assert done.forecast_seconds > 0
    assert asked.count("platform.dry_run") == len(world.policy.functions)
    assert "platform.shift" not in asked
    assert world.platform.inventory() == before
    assert world.rollbacks() == []


def test_a_drill_of_a_group() -> None:
    """What it names, and nothing beside it."""
    world = World()

    world.carry_out("drill", groups=["catalogue"])

    [done] = read_drills(world)
    assert set(done.rehearsed) == set(world.policy.groups["catalogue"].functions)


def test_a_drill_that_the_platform_refuses() -> None:
    """Whatever the gates say, it does not agree; the reason is kept."""
    world = World()
    world.platform.hook = raise_error("platform.dry_run", Rejected("no permission"))
    world.carry_out("drill", functions=["payOrder"])

    [done] = read_drills(world)
    assert (done.agrees, done.refused) == (False, {"payOrder": "no permission"})


def test_a_drill_keeps_to_the_write_quota() -> None:
    """Half of what could be written at once is left for a rollback; canaries come first."""
    execution = replace(BOOKSHOP.execution, write_quota=WriteQuota(burst=6, per_second=0.01))
    world = World(policy=replace(BOOKSHOP, execution=execution))

    world.carry_out("drill")

    [done] = read_drills(world)
    assert set(done.rehearsed) == {"getBook", "orderStatus", "renderBasket"}
    assert len(done.not_rehearsed) == 5


def test_no_drill_during_an_incident() -> None:
    """The quota belongs to the rollback then."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.settle()

    world.carry_out("drill")

    assert read_drills(world) == []


def test_what_a_promotion_to_act_needs() -> None:
    """As many agreeing drills as the policy asks for, of late; who promoted is on record."""
    world = World(policy=CAREFUL, promoted=False)
    world.carry_out("drill")
    world.carry_out("promote", mode="act", actor="alice")
    early = read_system(world).mode
    world.carry_out("promote", mode="ask")
    world.carry_out("drill")

    world.carry_out("promote", mode="act", actor="alice")

    assert (early, read_system(world).mode) == (Mode.OBSERVE, Mode.ACT)
    assert read_system(world).promoted_by.endswith("alice")


STEPWISE = replace(BOOKSHOP, gates=replace(BOOKSHOP.gates, drills_before_ask=1, drills_before_act=2))
ASKS_MUCH = replace(BOOKSHOP, gates=replace(BOOKSHOP.gates, drills_before_ask=2))


@pytest.mark.parametrize(
    ("policy", "agreeing", "said", "reached"),
    [
        (STEPWISE, 0, ["ask"], Mode.OBSERVE),
        (STEPWISE, 1, ["ask"], Mode.ASK),
        (STEPWISE, 1, ["ask", "act"], Mode.ASK),
        (STEPWISE, 2, ["ask", "act"], Mode.ACT),
        (STEPWISE, 2, ["act"], Mode.ACT),
        (STEPWISE, 0, ["observe"], Mode.OBSERVE),
        (ASKS_MUCH, 1, ["act"], Mode.OBSERVE),
        (ASKS_MUCH, 2, ["act"], Mode.ACT),
        (BOOKSHOP, 0, ["ask"], Mode.ASK),
    ],
)
def test_each_step_of_a_promotion_needs_its_drills(
    policy: Policy, agreeing: int, said: list[str], reached: Mode
) -> None:
    """As many as the policy says for it, and one that skips a step those of both."""
    world = World(policy=policy, promoted=False)
    for _ in range(agreeing):
        world.carry_out("drill")

    for mode in said:
        world.carry_out("promote", mode=mode)

    assert read_system(world).mode is reached


def test_a_drill_that_does_not_agree_lets_nobody_ask() -> None:
    """What the platform would have refused is no reason to trust the gates."""
    world = World(policy=STEPWISE, promoted=False)
    world.platform.hook = raise_error("platform.dry_run", Rejected("no permission"))
    world.carry_out("drill")

    world.carry_out("promote", mode="ask")

    assert [done.agrees for done in read_drills(world)] == [False]
    assert read_system(world).mode is Mode.OBSERVE


def test_the_way_back_to_asking_needs_no_drill() -> None:
    """Whoever takes trust away is not kept from it, however old the drills are."""
    world = World(policy=STEPWISE, promoted=False)
    for _ in range(2):
        world.carry_out("drill")
    world.carry_out("promote", mode="act")
    world.advance_clock(STEPWISE.gates.drills_within + timedelta(seconds=1))

    world.carry_out("promote", mode="ask")

    assert read_system(world).mode is Mode.ASK


def test_drills_that_are_too_old_prove_nothing() -> None:
    """They count for the policy's time."""
    world = World(policy=CAREFUL, promoted=False)
    world.carry_out("drill")
    world.advance_clock(CAREFUL.gates.drills_within + timedelta(seconds=1))
    world.carry_out("drill")

    world.carry_out("promote", mode="act")

    assert read_system(world).mode is Mode.OBSERVE
