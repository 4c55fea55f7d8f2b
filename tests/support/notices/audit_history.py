"""A trail that was lived through, in the state and in its anchors."""

from datetime import timedelta

from tests.support.runtime.world import World


def build_world_with_history() -> World:
    """A world in which two rollbacks came to their end, with refused messages at three times."""
    world = World()
    for number in range(2):
        world.deploy_bad()
        world.command(command="rollback", system=world.policy.system, actor="eve")
        world.pass_time(timedelta(minutes=2))
        world.publish("rollback-alerts", f"nonsense {number}".encode())
        world.pass_time(timedelta(minutes=45))
    world.pass_time(timedelta(minutes=1))
    return world


LIVED = build_world_with_history()
DOCUMENTS = LIVED.ports.store.documents
ANCHORED = dict(LIVED.ports.anchors.kept)
NOW = LIVED.ports.clock.now()
FIRST, SECOND = (f"rollbacks/{one.id}" for one in LIVED.rollbacks())
