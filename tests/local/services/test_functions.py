"""The functions of the application through Google's own Cloud Functions client."""

from collections.abc import Iterator

import pytest
from google.api_core import exceptions
from google.cloud import functions_v2

from tests.local.support.run import PARENT, World, policy, served, service_path, to

ACTIVE = functions_v2.Function.State.ACTIVE


@pytest.fixture
def world() -> Iterator[World]:
    with served(World()) as world:
        yield world


def get(world: World, function: str = "placeOrder") -> functions_v2.Function:
    return world.functions.get_function(name=f"{PARENT}/functions/{function}")


def test_function_names_its_service_revision_and_source(world: World) -> None:
    """A 2nd generation function leads to the Cloud Run service that holds its traffic."""
    function = get(world)

    assert function.environment == functions_v2.Environment.GEN_2
    assert function.state == ACTIVE
    assert function.service_config.service == service_path("placeorder")
    assert function.service_config.revision == world.application.service("placeorder").revisions[0].name
    assert function.service_config.uri == world.get().uri
    assert function.url == "https://europe-west1-shop.cloudfunctions.net/placeOrder"
    assert function.build_config.source.storage_source.object_ == "placeOrder/function-source.zip"


def test_deployment_changes_revision_source_and_update_time(world: World) -> None:
    """Only the functions that were deployed look different afterwards."""
    before, other = get(world), get(world, "payOrder")
    world.advance(3600)

    world.application.deploy(["placeOrder"], release="r2")

    after = get(world)
    assert after.service_config.revision != before.service_config.revision
    assert after.update_time > before.update_time
    assert after.create_time == before.create_time
    source = after.build_config.source_provenance.resolved_storage_source
    assert source.generation > before.build_config.source.storage_source.generation
    assert get(world, "payOrder") == other


def test_pinned_function_does_not_follow_its_latest_revision(world: World) -> None:
    """After a rollback the function says that the latest revision does not serve everything."""
    old = world.application.service("placeorder").revisions[0].name
    world.application.deploy(["placeOrder"], release="r2")
    assert get(world).service_config.all_traffic_on_latest_revision

    world.update(world.get(), to(old))

    assert not get(world).service_config.all_traffic_on_latest_revision


def test_revision_that_does_not_start_leaves_the_function_failed(world: World) -> None:
    """A deployment whose container does not come up is seen in the function's state."""
    world.application.deploy(["placeOrder"], release="r2", starts=False)

    assert get(world).state == functions_v2.Function.State.FAILED


def test_long_list_comes_in_pages() -> None:
    """Every function comes exactly once, by name, from one region or from all."""
    with served(World(policy(functions=30))) as world:
        request = functions_v2.ListFunctionsRequest(parent=PARENT, page_size=10)
        pages = list(world.functions.list_functions(request=request).pages)
        names = [one.name for page in pages for one in page.functions]
        everywhere = world.functions.list_functions(parent="projects/shop/locations/-")

        assert [len(page.functions) for page in pages] == [10, 10, 10, 4]
        assert names == sorted(set(names))
        assert [one.name for one in everywhere] == names
        assert not list(world.functions.list_functions(parent="projects/other/locations/-"))


def test_what_is_not_supported_is_refused(world: World) -> None:
    """A filter is never ignored, and an unknown function is not found."""
    request = functions_v2.ListFunctionsRequest(parent=PARENT, filter='state="ACTIVE"')
    with pytest.raises(exceptions.InvalidArgument):
        world.functions.list_functions(request=request)
    with pytest.raises(exceptions.NotFound):
        get(world, "placeorder")
