"""What is needed to build functions again is kept, and let go with the records that name it."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from responders.deployments.source_backup import (
    UNREFERENCED_RETENTION,
    back_up_live_sources,
    remove_unreferenced_sources,
)
from shared.core.errors import Moved, Rejected, Throttled, Unavailable
from shared.core.store import Update
from shared.domain.deployments import deployment as deployments
from shared.domain.deployments.deployment import Deployment
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.deployments.inventory.inventory_parts import (
    FunctionState,
    SourceObject,
    WholeInventory,
    build_configuration,
)
from shared.domain.deployments.source_copies import decode_values, stored_object_names
from tests.support.fakes.runtime.hooks import no_hook, raise_error
from tests.support.fakes.storage.vault import source_content
from tests.support.notices.system_events import system_event_names
from tests.support.rollbacks.deployments import deploy_release, later_deployments, publish_audit_hint
from tests.support.rollbacks.deployments import read_deployments as everything
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)
SECRET = "open sesame"


def ready() -> World:
    """A world that has looked once."""
    world = World()
    world.settle()
    return world


def latest(world: World) -> Deployment:
    return later_deployments(world)[-1]


def rebuild(deployment: Deployment) -> tuple[str, ...]:
    """Why it could not be built again."""
    assert deployment.restorable is not None
    return deployment.restorable.rebuild


def live(world: World) -> dict[str, FunctionState]:
    """The functions of the stock."""
    fields = world.store.get(stocks.inventory_path("bookshop")).fields
    return stocks.decode(fields or {}).live.functions or {}


def recorded(world: World, deployment: Deployment) -> dict[str, FunctionState]:
    """The functions of a deployment's record."""
    fields = world.store.get(deployments.record_path("bookshop", deployment.id)).fields
    assert fields is not None
    return stocks.unpack_inventory(fields["live"]).functions or {}


def failing(world: World, verb: str, error: Exception) -> None:
    """Every such call fails from now on."""
    for port in (world.ports.sources, world.ports.values, world.platform):
        port.hook = raise_error(verb, error)


def well(world: World) -> None:
    for port in (world.ports.sources, world.ports.values, world.platform):
        port.hook = no_hook


def forget_copies(world: World) -> None:
    """The copies are there, and the stock does not say so."""
    bare = {name: msgspec.structs.replace(one, copy=None) for name, one in live(world).items()}
    forgotten = {"live": stocks.pack_inventory(WholeInventory(functions=bare))}
    world.store.commit([Update(stocks.inventory_path("bookshop"), forgotten)])


def test_the_first_look_keeps_all() -> None:
    """Of every function its source, of just that generation, and the values that it has."""
    world = ready()

    for one in live(world).values():
        assert one.source is not None
        assert one.copy is not None
        assert one.configuration.values is not None
        assert world.ports.sources.read(one.copy) == source_content(one.source)
        assert decode_values(world.ports.values.read(one.configuration.values), one).variables

    first = everything(world)["v1"]
    assert recorded(world, first) == live(world)
    assert rebuild(first) == ()


def test_only_what_is_new_is_kept_anew() -> None:
    """A deployment of one function makes one copy; a look that finds nothing makes none."""
    world = ready()
    before = set(world.ports.sources.objects)

    deploy_release(world, "getBook")
    publish_audit_hint(world)
    world.settle()
    world.pass_time(6 * MINUTE)

    (made,) = set(world.ports.sources.objects) - before
    assert made.startswith("bookshop/getBook/")
    assert len(world.ports.values.objects) == len(before)  # their values are the same


@pytest.mark.parametrize("verb", ["sources.copy", "values.keep", "platform.values"])
@pytest.mark.parametrize("error", [Rejected("403: no"), Throttled("429"), Unavailable("503")])
def test_what_cannot_be_kept(verb: str, error: Exception) -> None:
    """The look goes on, the deployment says why; the next look keeps it."""
    world = ready()
    failing(world, verb, error)
    changed = build_configuration({"MODE": SECRET}, iter(()))
    world.platform.plain[changed.variables_hash] = {"MODE": SECRET}
    world.ports.clock.sleep(60)
    world.platform.deploy(["getBook"], configuration=changed)
    publish_audit_hint(world)
    world.settle()
    world.pass_time(12 * MINUTE)

    newest = latest(world)
    assert newest.changed_functions == ("getBook",)
    (why,) = rebuild(newest)
    assert str(error) in why
    assert newest.restorable is not None
    assert newest.restorable.faults == ()

    well(world)
    world.pass_time(6 * MINUTE)

    assert rebuild(latest(world)) == ()
    assert recorded(world, latest(world)) == live(world)
    assert system_event_names(world).count("functions.kept") >= 2


def test_a_function_that_is_deployed_again_while_its_values_are_read() -> None:
    """Values of another deployment are never kept under its name."""
    world = ready()
    changed = build_configuration({"MODE": "1"}, iter(()))
    world.platform.plain[changed.variables_hash] = {"MODE": "2"}  # what is read meanwhile
    world.ports.clock.sleep(60)
    world.platform.deploy(["getBook"], configuration=changed)
    before = set(world.ports.values.objects)

    publish_audit_hint(world)
    world.settle()

    assert live(world)["getBook"].configuration.values is None
    assert set(world.ports.values.objects) == before


def test_values_are_nowhere_but_in_their_object() -> None:
    """Neither in the state, nor in what is said, nor in any other bucket."""
    world = ready()
    changed = build_configuration({"MODE": SECRET}, iter(()))
    world.platform.plain[changed.variables_hash] = {"MODE": SECRET}
    world.ports.clock.sleep(60)
    world.platform.deploy(configuration=changed)
    publish_audit_hint(world)
    world.settle()
    world.pass_time(12 * MINUTE)

    assert any(SECRET.encode() in one.content for one in world.ports.values.objects.values())
    elsewhere: list[Any] = [
        world.documents,
        world.ports.bus.messages,
        [one.content for one in world.ports.sources.objects.values()],
        [*world.ports.sources.objects, *world.ports.values.objects],
        live(world),
    ]
    assert SECRET not in repr(elsewhere)
    assert SECRET.encode() not in msgspec.json.encode(WholeInventory(functions=live(world)))


def test_without_buckets_nothing_is_kept() -> None:
    """And everything else is as it was: each function says that it has no copy."""
    world = ready()
    world.ports.sources = world.ports.values = None  # type: ignore[assignment]

    deploy_release(world, "getBook")
    publish_audit_hint(world)
    world.settle()
    world.pass_time(12 * MINUTE)

    assert live(world)["getBook"].copy is None
    assert "getBook: no copy of its source" in rebuild(latest(world))


def test_what_no_record_names_is_let_go() -> None:
    """Once it is old enough; what a record names stays, live or not."""
    world = ready()
    deploy_release(world, "getBook")
    publish_audit_hint(world)
    world.settle()
    world.pass_time(12 * MINUTE)
    kept = set(world.ports.sources.objects)
    world.ports.sources.keep("bookshop/getBook/forgotten.zip", b"")
    world.ports.sources.keep("another/getBook/forgotten.zip", b"")
    world.ports.values.keep("bookshop/getBook/forgotten.json", b"")

    remove_unreferenced_sources(world.ports, world.policy)
    assert "bookshop/getBook/forgotten.zip" in world.ports.sources.objects  # too young

    world.ports.clock.sleep(UNREFERENCED_RETENTION.total_seconds() + 1)
    world.ports.sources.keep("bookshop/getBook/young.zip", b"")
    remove_unreferenced_sources(world.ports, world.policy)

    assert set(world.ports.sources.objects) == {
        *kept,
        "another/getBook/forgotten.zip",
        "bookshop/getBook/young.zip",
    }
    assert "bookshop/getBook/forgotten.json" not in world.ports.values.objects
    in_use = stored_object_names(WholeInventory(functions=live(world)))
    assert set(in_use) <= {*world.ports.sources.objects, *world.ports.values.objects}


def test_nothing_is_let_go_when_records_cannot_be_read() -> None:
    """What is not known to be unnamed stays."""
    world = ready()
    world.ports.sources.keep("bookshop/getBook/forgotten.zip", b"")
    world.ports.clock.sleep(UNREFERENCED_RETENTION.total_seconds() + 1)
    world.store.hook = raise_error("store.query", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        remove_unreferenced_sources(world.ports, world.policy)

    assert "bookshop/getBook/forgotten.zip" in world.ports.sources.objects


def test_a_copy_that_is_lost_is_made_again_when_the_target_is_proven() -> None:
    """As long as the platform has the source; else its deployment says why it has none."""
    world = ready()
    (name,) = (one for one in world.ports.sources.objects if "/getBook/" in one)
    del world.ports.sources.objects[name]

    world.pass_time(timedelta(days=1, minutes=5))

    assert name in world.ports.sources.objects
    assert isinstance(live(world)["getBook"].copy, SourceObject)


def test_keeping_twice_makes_nothing_twice() -> None:
    """What is there already is found under its name, also when nobody wrote that down."""
    world = ready()
    before = dict(world.ports.sources.objects)
    forget_copies(world)

    back_up_live_sources(world.ports, world.policy)

    assert world.ports.sources.objects == before
    assert all(one.copy is not None for one in live(world).values())


def test_a_stock_that_others_keep_writing() -> None:
    """What is kept and could not be written down is told, so that somebody comes again."""
    world = ready()
    forget_copies(world)
    world.store.hook = raise_error("store.commit", Moved("somebody wrote first"))
    with pytest.raises(Unavailable):
        back_up_live_sources(world.ports, world.policy)
