"""A person's fence and a repair's over the wire: Google's clients, Cloud Run, routers embedded."""

from datetime import timedelta

import pytest

from shared.core.codec import decode
from shared.domain.data.isolation import write_fence as fences
from shared.domain.data.isolation.write_fence import Fence, FenceStatus
from shared.domain.deployments.inventory.traffic import Scaling, Traffic
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from tests.e2e.conftest import NOON, WorldMaker
from tests.e2e.support.world import EXAMPLE, World, database, pass_time, until
from tests.support.cli import operator

MINUTE = timedelta(minutes=1)
QUIET = f"{EXAMPLE}\nintegrity: {{ quiet: 2m }}\n"
WRITERS = ("createOrder", "payOrder", "orderStatus")


def fence_of(world: World, status: FenceStatus) -> Fence | None:
    """The fence, once it has come that far."""
    fields = world.wiring.store.get(fences.fence_path("bookshop")).fields
    fence = decode(Fence, fields) if fields else None
    return fence if fence is not None and fence.status is status else None


def stated(world: World) -> dict[str, tuple[Scaling, Traffic]]:
    """The instances and the traffic list of each function's service."""
    inventory = world.wiring.system("bookshop").platform.inventory()
    return {name: (live.service.scaling, live.service.traffic) for name, live in inventory.items()}


def manual(world: World) -> dict[str, int | None]:
    """How many instances each function has by hand."""
    return {name: scaling.manual for name, (scaling, _) in stated(world).items()}


def test_what_writes_stops_and_is_as_it_was(new_world: WorldMaker) -> None:
    """The canary is refused by the router itself, and answered again in the end."""
    world = new_world(NOON, EXAMPLE)
    before = stated(world)
    [canary] = [probe for probe in world.policy.probes if probe.name == "order-status"]
    assert world.wiring.prober.ask(canary).passed

    world.command(command="fence", system="bookshop", expires="20m")
    until("the fence", lambda: fence_of(world, FenceStatus.STANDING))

    stopped = {name for name, count in manual(world).items() if count == 0}
    assert stopped == set(WRITERS)
    assert not world.wiring.prober.ask(canary).passed

    world.command(command="lift-fence", system="bookshop")
    until("its fall", lambda: fence_of(world, FenceStatus.FALLING))
    until("what was there", lambda: set(manual(world).values()) == {None})
    pass_time(world, timedelta(minutes=6))
    down = until("its end", lambda: fence_of(world, FenceStatus.DOWN))

    assert down.left == ()
    assert stated(world) == before
    assert world.wiring.prober.ask(canary).passed


def in_status(world: World, status: RollbackStatus) -> Rollback | None:
    """The only rollback, once it has come that far."""
    rollback = world.rollback()
    return rollback if rollback is not None and rollback.status is status else None


@pytest.mark.slice
def test_documents_are_written_back_behind_a_fence(new_world: WorldMaker) -> None:
    """One worker at a time raises it, writes behind it, and lets it fall."""
    world = new_world(NOON, QUIET)
    before = {name: scaling for name, (scaling, _) in stated(world).items()}
    with database(world, "(default)") as client:
        client.document("customers/ada").set({"email": "ada@example.com"})
        pass_time(world, 5 * MINUTE)
        client.document("customers/ada").set({"name": "Ada"})
        pass_time(world, 15 * MINUTE)
        order = {"system": "bookshop", "scenario": "database", "restore_point": "15m"}
        world.command(command="rollback", **order)
        parked = until("the question", lambda: in_status(world, RollbackStatus.PARKED))
        operator.sign_in_at_prompt(world.cloud)
        agreed = operator.run_cli_line("approve", parked.incident, "--reason", "a test", "--yes")
        assert agreed.exit_code == 0, agreed.output
        watching = until("the second look", lambda: in_status(world, RollbackStatus.WATCHING))
        assert client.document("customers/ada").get().to_dict() == {"email": "ada@example.com"}

    until("what was there", lambda: set(manual(world).values()) == {None})
    pass_time(world, 6 * MINUTE)
    down = until("its end", lambda: fence_of(world, FenceStatus.DOWN))
    assert {writer.function for writer in down.writers} == set(WRITERS)
    times = [down.stood_at, watching.started_at, watching.shifted_at, down.falls_at]
    recorded = [time for time in times if time is not None]
    assert len(recorded) == len(times)
    assert recorded == sorted(recorded)
    assert (down.rollback, down.left) == (watching.id, ())
    assert {name: scaling for name, (scaling, _) in stated(world).items()} == before
