import json
from typing import Any

from shared.core import topics
from shared.domain.system_record import GLOBAL_CONTROLS_PATH
from tests.support.runtime.world import World

PAUSE = {"version": 1, "command": "pause", "reason": "sign-in is down", "actor": "ada"}


def publish(world: World, topic: str, **changes: Any) -> None:
    world.publish(topic, json.dumps({**PAUSE, **changes}).encode())
    world.settle()


def test_a_command_without_a_token_is_executed_for_its_entry_point_alone() -> None:
    """The entry point gives the right: on_command refuses the same message."""
    world = World()
    publish(world, topics.COMMANDS)
    assert GLOBAL_CONTROLS_PATH not in world.documents

    publish(world, topics.OVERRIDE)

    pause = world.store.get(GLOBAL_CONTROLS_PATH).fields
    assert pause is not None
    assert pause["pause"]["actor"] == "override: ada"
