"""What a person asks for by a plain published message."""

from datetime import timedelta

from shared.domain.rollback.plan import StepStatus
from shared.engine.steps.functions import shift_traffic
from tests.e2e.support.world import World, pass_time, until

MINUTE = timedelta(minutes=1)


def done(world: World) -> int:
    """How many steps of the rollback are done."""
    rollback = world.rollback()
    steps = world.evidence.steps(rollback.id) if rollback else []
    return sum(step.status is StepStatus.DONE for step in steps)


def test_published_command_rolls_back(world: World) -> None:
    """A forced rollback needs no alert and does the same."""
    world.deploy_bad()

    world.command(command="rollback", system="bookshop")
    until("the rollback", world.is_carried_out)

    assert world.live == world.stable
    assert len(world.evidence.operations()) == len(world.stable)


def test_pause_and_resume(world: World) -> None:
    """Paused, nothing more is sent however long it lasts; resumed, the rest is, each once."""
    world.deploy_bad()
    world.command(command="rollback", system="bookshop", groups=["catalogue"], batch_size=1, delay_seconds=5)
    until("the first function", lambda: done(world) >= 1)

    world.command(command="pause", system="bookshop")
    rollback = world.rollback()
    assert rollback is not None
    until("the stop", lambda: "rollback.held" in world.events(rollback))
    sent = world.evidence.operations()
    pass_time(world, 10 * MINUTE)
    held = world.events(rollback).count("rollback.held")
    until("another look", lambda: world.events(rollback).count("rollback.held") > held)
    assert world.evidence.operations() == sent
    assert not world.is_carried_out()

    world.command(command="resume", system="bookshop")
    until("the rollback", world.is_carried_out)

    steps = world.evidence.steps(rollback.id)
    assert [step.attempts for step in steps if step.kind == shift_traffic.KIND] == [1, 1, 1]
    catalogue = world.policy.groups["catalogue"].functions
    back = {name for name, serving in world.live.items() if serving == world.stable[name]}
    assert back == set(catalogue)
