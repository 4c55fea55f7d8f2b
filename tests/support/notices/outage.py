"""An outage that no rollback explains, and the people on call for it."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared.domain.policy.channels import Channel, ChannelKind, Contact, Rung
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from tests.support.runtime.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
PAGED = (Severity.CRITICAL, Severity.HIGH)
LADDER = replace(
    BOOKSHOP,
    channels=(
        Channel("record", ChannelKind.RECORDING),
        Channel("anna", ChannelKind.RECORDING, severities=PAGED),
        Channel("boss", ChannelKind.RECORDING, severities=(Severity.CRITICAL,)),
    ),
    contacts=(Contact("anna", ("record", "anna")),),
    on_call=(Rung(5 * MINUTE, contact="anna"), Rung(10 * MINUTE, channel="boss")),
)


def outage(signal: str = "function_failure_rate", policy: Policy = LADDER) -> World:
    """Trouble that no rollback explains: a person is needed."""
    world = World(policy=policy)
    for function in world.policy.functions:
        [serving] = world.live[function]
        world.ports.world.set_failure_rate(function, serving, 0.9)
    world.ports.clock.advance(10 * MINUTE)
    world.alert(signal=signal)
    world.settle()
    return world


def ack(world: World, **content: Any) -> None:
    trouble = world.incidents()[-1].id
    world.command(command="ack", system="bookshop", incident=trouble, **content)
    world.settle()
