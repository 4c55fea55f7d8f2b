"""A shop whose rollback has built a function again."""

from datetime import timedelta

from shared.domain.deployments.inventory.inventory_parts import SourceObject, build_configuration
from shared.domain.deployments.inventory.traffic import Traffic
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.fakes.storage.vault import source_content
from tests.support.faults.fault_injection import shorten_watch
from tests.support.rollbacks.pins import FOLLOWING
from tests.support.rollbacks.rebuild_shop import ORDER, functions_on_copies
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)
BAD = SourceObject("sources", f"{ORDER}.zip", 2)
"""What the bad release of it was built from."""
VALUES = {"RELEASE": "bad"}
CONFIGURED = build_configuration(VALUES, iter(()), account="runtime@demo", max_instances=9)
"""What it runs with."""
AGAIN = f"{ORDER} is rebuilt from the stored copy of its source: it is not the original image"


def build_world_with_rebuild(
    traffic: Traffic = FOLLOWING, *, told: bool = True, announced: bool = True, shop: World | None = None
) -> World:
    """A shop whose rollback has built one function again, and is over."""
    shop = shop or World(policy=shorten_watch())
    shop.pass_time(2 * MINUTE)
    shop.ports.world.lose_image(ORDER, told=told)
    shop.ports.world.plain[CONFIGURED.variables_hash] = VALUES
    shop.ports.world.deploy(failure_rate=0.8, configuration=CONFIGURED)
    if traffic != FOLLOWING:
        shop.ports.world.change_by_hand(ORDER, traffic)
    shop.ports.clock.advance(10 * MINUTE)
    if announced:
        shop.announce("v2")
        shop.settle()
    shop.alert()
    shop.pass_time(30 * MINUTE)
    assert shop.rollbacks()[-1].status is RollbackStatus.SUCCEEDED
    assert functions_on_copies(shop) == {ORDER}
    return shop


def read_live_source(shop: World) -> bytes:
    """What the function is built from now; it runs with what the bad release ran with."""
    found = shop.ports.world.functions()[ORDER]
    assert found.configuration == CONFIGURED
    built = found.source
    assert built is not None
    return shop.ports.sources.read(built) if built.bucket == "sources" else source_content(built)
