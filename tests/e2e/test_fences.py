"""A fence by a person's word over the wire: Google's clients, Cloud Run, the routers embedded."""

from __future__ import annotations

from datetime import timedelta

from shared import fence as fences
from shared.documents import decode
from shared.fence import Fence, Status
from tests.e2e.conftest import NOON, WorldMaker
from tests.e2e.world import EXAMPLE, World, until

WRITERS = ("createOrder", "payOrder", "orderStatus")


def fence_of(world: World, status: Status) -> Fence | None:
    """The fence, once it has come that far."""
    fields = world.wiring.store.get(fences.path("bookshop")).fields
    found = decode(Fence, fields) if fields else None
    return found if found is not None and found.status is status else None


def manual(world: World) -> dict[str, int | None]:
    """How many instances each function has by hand."""
    inventory = world.wiring.platform("bookshop").inventory()
    return {name: one.service.scaling.manual for name, one in inventory.items()}


def test_what_writes_stops_and_is_as_it_was(new_world: WorldMaker) -> None:
    """The canary is refused by the router itself, and answered again in the end."""
    world = new_world(NOON, EXAMPLE)
    before = world.wiring.platform("bookshop").inventory()
    [canary] = [one for one in world.policy.probes if one.name == "order-status"]
    assert world.wiring.prober.ask(canary).passed

    world.command(command="fence", system="bookshop", expires="20m")
    until("the fence", lambda: fence_of(world, Status.STANDING))

    stopped = {name for name, count in manual(world).items() if count == 0}
    assert stopped == set(WRITERS)
    assert not world.wiring.prober.ask(canary).passed

    world.command(command="lift-fence", system="bookshop")
    until("its fall", lambda: fence_of(world, Status.FALLING))
    until("what was there", lambda: set(manual(world).values()) == {None})
    world.advance_to(world.cloud.clock.now() + timedelta(minutes=6))
    down = until("its end", lambda: fence_of(world, Status.DOWN))

    assert down.left == ()
    after = world.wiring.platform("bookshop").inventory()
    assert {name: one.service.scaling for name, one in after.items()} == {
        name: one.service.scaling for name, one in before.items()
    }
    assert {name: one.service.traffic for name, one in after.items()} == {
        name: one.service.traffic for name, one in before.items()
    }
    assert world.wiring.prober.ask(canary).passed
